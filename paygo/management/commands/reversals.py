"""`manage.py reversals`: credited payments that the chain has lost."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from billing import reversals
from core import clock
from core.amounts import zec_text
from zcash import reorgs


class Command(BaseCommand):
    """Lists payments that wait to be taken back, and takes them back in spite of the limit of one pass."""

    help = (
        "Lists credited payments that a reorg has removed from the chain. Few are taken back by themselves; "
        "more than MAX_REVERSALS_PER_PASS or MAX_REVERSAL_AMOUNT_PER_PASS at once wait for --apply. Exit "
        "code 1 while any waits."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--apply", action="store_true", help="take all of them back now")

    def handle(self, *_args: Any, apply: bool, **_options: Any) -> None:
        """List, apply if told to, exit with 1 if anything waits."""
        for deposit in reorgs.lost().select_related("permission"):
            self.stdout.write(
                f"{deposit.txid}:{deposit.output_index}  {zec_text(deposit.amount_zat)} ZEC  "
                f"permission {deposit.permission.public_id}  lost {deposit.lost_at:%Y-%m-%d %H:%M}"
            )
        if apply:
            clock.require_no_skew()
            self.stdout.write(f"{reversals.reverse_lost(now=clock.now(), limited=False)} taken back.")
        if waiting := reorgs.lost().count():
            raise CommandError(f"{waiting} wait.")
        self.stdout.write("None waits.")
