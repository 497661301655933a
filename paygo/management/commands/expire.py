"""`manage.py expire`: ends what has come to its end."""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from billing import expiry
from core import clock
from core.errors import DomainError


class Command(BaseCommand):
    """Ends permissions past their last day, lapses unpaid ones, ends pauses that are over."""

    help = (
        "Does what the worker does every minute: ends permissions past their last day, lapses those that "
        "were not paid in time, ends pauses that are over; each at its own instant, however late. Exit code "
        "1 where something is left: somebody holds it, or it fails (the log says why)."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--dry-run", action="store_true", help="count what is due, and change nothing")
        parser.add_argument("--json", action="store_true", help="write one JSON document")

    def handle(self, *_args: Any, dry_run: bool, **options: Any) -> None:
        """Sweep, and say what was due and what is left."""
        try:
            clock.require_no_skew()
            now = clock.now()
            due = expiry.due(now=now)
            if not dry_run:
                expiry.run(now=now)
            left = expiry.due(now=now)
        except DomainError as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            told = {"at": now.isoformat(), "due": asdict(due), "left": asdict(left), "dry_run": dry_run}
            self.stdout.write(json.dumps(told))
        else:
            self.stdout.write(
                f"{due.permissions} permissions past their last day, {due.unpaid} not paid in time, "
                f"{due.pauses} pauses over; {left.all} left"
            )
        if left.all and not dry_run:
            raise CommandError(f"{left.all} could not be ended: the log says why.")
