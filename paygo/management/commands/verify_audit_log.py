"""`manage.py verify_audit_log`: whether the audit log is what it was when its partitions were sealed."""

import json
from argparse import ArgumentParser
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from core import clock
from zcash.history import seals
from zcash.history.seals import FAILURES, State


class Command(BaseCommand):
    """Recomputes the digest of every sealed partition and follows the chain of seals."""

    help = (
        "Recomputes the seal of every closed partition of the audit log, checks that each follows the one "
        "before it, and reports partitions without a seal. Exit code 1 naming what fails."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument(
            "--since",
            type=_date,
            metavar="DATE",
            help="recompute only partitions that reach beyond this day (YYYY-MM-DD); the chain is checked",
        )
        parser.add_argument(
            "--allow-late",
            action="store_true",
            help="rows that were added after a seal are no failure (after a database clock went backwards)",
        )
        parser.add_argument("--json", action="store_true", help="write one JSON document")
        parser.add_argument("--dry-run", action="store_true", help="nothing else: it never changes anything")

    def handle(self, *_args: Any, since: datetime | None, allow_late: bool, **options: Any) -> None:
        """Print a line for each partition; exit with 1 if one fails."""
        retention = timedelta(days=settings.AUDIT_SETTLEMENT_RETENTION_DAYS)
        failing = FAILURES - {State.LATE_ROWS} if allow_late else FAILURES
        failed, looked_at, told = [], 0, []
        for finding in seals.verify(now=clock.now(), since=since, retention=retention):
            looked_at += 1
            told.append({"partition": finding.partition, "state": finding.state, "detail": finding.detail})
            if not options["json"]:
                self.stdout.write(f"{finding.partition}: {finding.state}: {finding.detail}")
                self.stdout.flush()
            if finding.state in failing:
                failed.append(finding.partition)
        if options["json"]:
            self.stdout.write(json.dumps({"right": not failed, "partitions": told}, default=str))
        if failed:
            raise CommandError(f"The audit log fails: {', '.join(dict.fromkeys(failed))}")
        if not options["json"]:
            self.stdout.write(f"The audit log is as it was sealed ({looked_at} partitions looked at).")


def _date(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
