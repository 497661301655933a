"""`manage.py recordtokenpayout`: a vendor was paid what he has earned in a token, outside of this service."""

import json
import re
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from billing import operators, token_payouts
from core import clock
from core.errors import DomainError, Invalid
from core.models import User
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
        parser.add_argument("--operator", required=True, help="the user name of who says so")
        parser.add_argument("--reason", required=True, help="why, for the record")
        parser.add_argument("--dry-run", action="store_true", help="check what is given, and change nothing")
        parser.add_argument("--json", action="store_true", help="write one JSON document")

    def handle(self, *_args: Any, client: str, vendor_id: str, dry_run: bool, **options: Any) -> None:
        """Book it, and say what is owed now."""
        owner, operator = _user(client), _user(options["operator"])
        txid = options["txid"].lower()
        if not re.fullmatch(r"0x[0-9a-f]{64}", txid):
            raise CommandError("--txid is 0x and 64 hexadecimal digits.")
        if not operator.is_staff or not operator.is_active:
            raise CommandError(f"{operator} is no operator")
        given = {"asset": options["asset"], "units": options["units"], "txid": txid}
        try:
            word = operators.word(operator_id=operator.pk, name=str(operator), reason=options["reason"])
            if dry_run:
                vendor = queries.find_vendor(client_id=owner.pk, slug=vendor_id)
                token_payouts.check(vendor, **given)
                told = {**given, "dry_run": True}
            else:
                left = token_payouts.record(
                    vendor_id, client_id=owner.pk, word=word, now=clock.now(), **given
                )
                told = {**given, **asdict(left), "dry_run": False}
        except Invalid as error:
            raise CommandError(f"{error.field}: {error}") from error
        except DomainError as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps(told))
        elif not dry_run:
            self.stdout.write(f"{vendor_id} is owed {told['owed_units']} units of {told['asset']} now")


def _user(name: str) -> User:
    found = User.objects.filter(username=name).first()
    if found is None:
        raise CommandError(f"there is no user {name}")
    return found
