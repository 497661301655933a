from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class ZcashConfig(AppConfig):
    name = "zcash"
    verbose_name = "Zcash"

    def ready(self) -> None:
        post_migrate.connect(_create_partitions, sender=self, dispatch_uid="zcash.history.create_ahead")


def _create_partitions(**_: Any) -> None:
    """Let a new installation have the audit log's partitions before its first row."""
    from core import clock
    from zcash.history import leaves

    if leaves.exist():
        leaves.create_ahead(now=clock.now())
