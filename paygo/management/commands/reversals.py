"""`manage.py reversals`: credited payments that the chain has lost."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from billing import reversals
from core import clock
from core.amounts import zec_text
from paygo.management import operating
from zcash import reorgs
from zcash.models import Deposit


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
        operating.add_word(parser, reason="manage.py reversals --apply")
        operating.add_trial(parser)

    def handle(self, *_args: Any, apply: bool, dry_run: bool, **options: Any) -> None:
        """List, apply if told to, exit with 1 if anything waits."""
        found = [_told(each) for each in reorgs.lost().select_related("permission")]
        taken_back = 0
        if apply and not dry_run:
            clock.require_no_skew()
            taken_back = reversals.reverse_lost(now=clock.now(), word=operating.word_of(options))
        waiting = reorgs.lost().count()
        if options["json"]:
            self.stdout.write(json.dumps({"lost": found, "taken_back": taken_back, "waiting": waiting}))
        else:
            self._print(found, taken_back=taken_back if apply else None, waiting=waiting)
        if waiting:
            raise CommandError(f"{waiting} wait.")

    def _print(self, found: list[dict[str, str]], *, taken_back: int | None, waiting: int) -> None:
        for each in found:
            whose = f"permission {each['permission']}  lost {each['lost_at']}"
            self.stdout.write(f"{each['output']}  {each['amount']} ZEC  {whose}")
        if taken_back is not None:
            self.stdout.write(f"{taken_back} taken back.")
        if not waiting:
            self.stdout.write("None waits.")


def _told(deposit: Deposit) -> dict[str, str]:
    return {
        "output": f"{deposit.txid}:{deposit.output_index}",
        "amount": zec_text(deposit.amount_zat),
        "permission": str(deposit.permission.public_id),
        "lost_at": f"{deposit.lost_at:%Y-%m-%d %H:%M}",
    }
