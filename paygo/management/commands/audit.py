"""`manage.py audit`: whether the books are right, to the last zatoshi."""

import json
from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from billing import audit
from billing.audit import Finding
from billing.rounds import grace_seconds
from core import clock

# What ran two intervals ago and is not settled since is stuck.
_INTERVALS = 2


class Command(BaseCommand):
    """Checks every invariant of money in one snapshot of the database."""

    help = (
        "Checks the invariants of money (billing/audit.sql) in one snapshot: everything credited is used, "
        "refunded or left, nothing is billed twice or past an end, the log tells it all. Changes nothing. "
        "Exit code 1 naming what fails."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--json", action="store_true", help="write one JSON document")
        parser.add_argument("--dry-run", action="store_true", help="nothing else: it never changes anything")
        parser.add_argument(
            "--at-rest",
            action="store_true",
            help="do not ask whether the interval runs (a stopped service, a restored backup)",
        )
        parser.add_argument(
            "--timeout",
            type=int,
            default=900,
            metavar="SECONDS",
            help="for each invariant (default: %(default)s)",
        )

    def handle(self, *_args: Any, at_rest: bool, timeout: int, **options: Any) -> None:
        """Print each invariant with how long it took; exit with 1 if one does not hold."""
        period = timedelta(seconds=grace_seconds(settings.BILLING_INTERVAL_SECONDS))
        late = None if at_rest else clock.now() - _INTERVALS * period
        findings: list[Finding] = []
        try:
            for finding in audit.run(late=late, timeout_s=timeout):
                findings.append(finding)
                if not options["json"]:
                    self._print(finding)
        except DatabaseError as error:
            raise CommandError(f"The audit could not be finished: {error}") from error
        if options["json"]:
            self.stdout.write(_document(findings))
        if failed := [each.name for each in findings if each.violations]:
            raise CommandError(f"The books are wrong: {'; '.join(failed)}")
        if not options["json"]:
            self.stdout.write(f"The books are right ({len(findings)} invariants).")

    def _print(self, finding: Finding) -> None:
        verdict = "FAILS" if finding.violations else "holds"
        self.stdout.write(f"{verdict}  {finding.seconds:8.3f} s  {finding.name}")
        for violation in finding.violations:
            told = ", ".join(f"{column}={value}" for column, value in violation.items())
            self.stdout.write(f"       {told}")
        self.stdout.flush()


def _document(findings: list[Finding]) -> str:
    told = [
        {"name": each.name, "seconds": round(each.seconds, 3), "violations": each.violations}
        for each in findings
    ]
    return json.dumps(
        {"right": not any(each.violations for each in findings), "invariants": told}, default=str
    )
