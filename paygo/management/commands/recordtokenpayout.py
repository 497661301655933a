"""`manage.py recordtokenpayout`: a vendor was paid what he has earned in a token, outside of this service."""

import json
import re
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from billing import token_payouts
from core import clock
from paygo.management import operating
from sessions_app import queries


class Command(BaseCommand):
    """Books a payout in tokens on an operator's word."""

    help = (
        "Writes down that a vendor was paid in a token from the treasury, which this service cannot do: his "
        "account has so much less then. Exit code 1 where it is more than he is owed, or known already."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("client", help="the client's user name")
        parser.add_argument("vendor_id")
        parser.add_argument("asset", help="the token's symbol")
        parser.add_argument("units", type=int, help="how much, in the token's smallest unit")
        parser.add_argument("--txid", required=True, help="the transaction that has paid, 0x and 64 digits")
        operating.add_word(parser)
        operating.add_trial(parser)

    def handle(self, *_args: Any, client: str, vendor_id: str, dry_run: bool, **options: Any) -> None:
        """Book it, and say what is owed now."""
        owner, word = operating.user(client), operating.word_of(options)
        txid = options["txid"].lower()
        if not re.fullmatch(r"0x[0-9a-f]{64}", txid):
            raise CommandError("--txid is 0x and 64 hexadecimal digits.")
        given = {"asset": options["asset"], "units": options["units"], "txid": txid}
        told = {**given, "dry_run": dry_run}
        with operating.told():
            if dry_run:
                vendor = queries.find_vendor(client_id=owner.pk, slug=vendor_id)
                token_payouts.check(vendor, **given)
            else:
                left = token_payouts.record(
                    vendor_id, client_id=owner.pk, word=word, now=clock.now(), **given
                )
                told |= asdict(left)
        if options["json"]:
            self.stdout.write(json.dumps(told))
        elif not dry_run:
            self.stdout.write(f"{vendor_id} is owed {told['owed_units']} units of {told['asset']} now")
