"""`manage.py retention`: puts away what is older than the settings keep it."""

import json
from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from core import clock, idempotency
from core.errors import DomainError
from core.webhooks import attempts
from zcash import permissions
from zcash.history import leaves, seals


class Command(BaseCommand):
    """Forgets old idempotency keys, requests to webhooks and mail addresses, and archives old settlements."""

    help = (
        "Does what the worker does every hour: forgets idempotency keys older than a week and requests to "
        "webhooks older than WEBHOOK_LOG_RETENTION_DAYS, mail addresses of permissions that ended "
        "NOTIFY_EMAIL_RETENTION_DAYS ago, and makes, seals and archives the audit log's partitions "
        "(see archive_audit_log). The ledger, and everything in the audit log but settlements, "
        "is kept for good."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--dry-run", action="store_true", help="say what is old, and change nothing")
        parser.add_argument("--json", action="store_true", help="write one JSON document")

    def handle(self, *_args: Any, dry_run: bool, **options: Any) -> None:
        """Put away, and say how much."""
        try:
            clock.require_no_skew()
            told = self._look() if dry_run else self._put_away()
        except DomainError as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps({**told, "dry_run": dry_run}))
            return
        for name, value in told.items():
            self.stdout.write(f"{name}: {', '.join(value) if isinstance(value, list) else value}")

    def _look(self) -> dict[str, Any]:
        now = clock.now()
        retention = timedelta(days=settings.AUDIT_SETTLEMENT_RETENTION_DAYS)
        return {
            "receipts": idempotency.count_old(now=now),
            "webhook_attempts": attempts.count_old(now=now),
            "mail_addresses": permissions.count_old_mail_addresses(now=now),
            "made": [leaf.name for leaf in leaves.missing(now=now)],
            "sealed": [leaf.name for leaf in seals.unsealed(now=now)],
            "archived": [leaf.name for leaf in leaves.archivable(now=now, retention=retention)],
        }

    def _put_away(self) -> dict[str, Any]:
        now = clock.now()
        receipts = idempotency.forget_old(now=now)
        requests = attempts.forget_old(now=now)
        addresses = permissions.forget_mail_addresses(now=now)
        made = list(leaves.create_ahead(now=now))
        sealed = [seal.partition for seal in seals.seal_closed(now=now)]
        retention = timedelta(days=settings.AUDIT_SETTLEMENT_RETENTION_DAYS)
        archived = list(leaves.archive(now=now, retention=retention))
        return {
            "receipts": receipts,
            "webhook_attempts": requests,
            "mail_addresses": addresses,
            "made": made,
            "sealed": sealed,
            "archived": archived,
        }
