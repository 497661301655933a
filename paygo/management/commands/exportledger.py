"""`manage.py exportledger`: the ledger for plain-text accounting, or as CSV."""

from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand

from billing import ledger_export


class Command(BaseCommand):
    """Writes every transfer of a period to stdout, a part at a time."""

    help = (
        "Writes the ledger to stdout: a journal for hledger, a file for beancount, or CSV. A period is one "
        "of booking, by days in UTC, so that an export of a past one is always the same."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--format", choices=sorted(ledger_export.FORMATS), default="hledger")
        parser.add_argument("--since", type=_day, metavar="DATE", help="from this day on (YYYY-MM-DD)")
        parser.add_argument("--until", type=_day, metavar="DATE", help="up to, and without, this day")

    def handle(self, *_args: Any, since: datetime | None, until: datetime | None, **options: Any) -> None:
        """Write the transfers."""
        write = ledger_export.FORMATS[options["format"]]
        for text in write(ledger_export.transfers(since=since, until=until)):
            self.stdout.write(text, ending="")


def _day(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
