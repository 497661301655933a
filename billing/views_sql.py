"""Creates the SQL views of `views.sql` after every migrate and drops them before it.

A view blocks "alter type of a column used by a view", so it must be away while migrations run.
"""

from pathlib import Path
from typing import Any

from django.apps import AppConfig
from django.db import connections
from django.db.models.signals import post_migrate, pre_migrate

_SOURCE = Path(__file__).with_name("views.sql")
_NAMES = ("permission_audit_log", "active_permissions_with_sessions", "permission_statistics")


def connect(app: AppConfig) -> None:
    """Arrange for the views to be remade around every migrate of this app."""
    pre_migrate.connect(_drop, sender=app, dispatch_uid="billing.views.drop")
    post_migrate.connect(_create, sender=app, dispatch_uid="billing.views.create")


def _drop(*, using: str, **_: Any) -> None:
    with connections[using].cursor() as cursor:
        for name in _NAMES:
            cursor.execute(f"DROP VIEW IF EXISTS {name}")


def _create(*, using: str, **_: Any) -> None:
    with connections[using].cursor() as cursor:
        # A migrate back to zero leaves no tables to look at.
        cursor.execute("SELECT to_regclass('billing_transaction') IS NOT NULL")
        if cursor.fetchone()[0]:
            cursor.execute(_SOURCE.read_text())
