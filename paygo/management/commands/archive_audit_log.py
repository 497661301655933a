"""`manage.py archive_audit_log`: the upkeep of the audit log's partitions, by hand or by cron."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from core import clock
from core.errors import DomainError
from zcash.history import leaves, seals


class Command(BaseCommand):
    """Does what the worker does every hour, without its time limit, and says what it did."""

    help = (
        "Makes the partitions of the time ahead, seals those that have closed, and moves settlements older "
        "than AUDIT_SETTLEMENT_RETENTION_DAYS to the schema paygo_archive. Running it twice does no harm."
    )

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Run the three steps."""
        retention = timedelta(days=settings.AUDIT_SETTLEMENT_RETENTION_DAYS)
        try:
            clock.require_no_skew()
            for name in leaves.create_ahead(now=clock.now()):
                self.stdout.write(f"made {name}")
            for seal in seals.seal_closed(now=clock.now()):
                self.stdout.write(f"sealed {seal.partition}: {seal.rows} rows, {seal.digest}")
            for name in leaves.archive(now=clock.now(), retention=retention):
                self.stdout.write(f"archived {name} to {leaves.ARCHIVE}")
        except DomainError as error:
            raise CommandError(str(error)) from error
