"""`manage.py pardondebt AUTHORIZATION`: an operator lets a viewer go on who owes."""

import json
from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand

from billing.ethereum import authorizing
from core import clock
from paygo.management import operating


class Command(BaseCommand):
    """Lets what could not be collected of an authorisation block its viewer no more."""

    help = "Let a viewer go on whose debt could not be collected; it stays owed, and may still be collected."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("authorization", type=UUID, help="the authorization's id")
        operating.add_word(parser, reason="manage.py pardondebt")
        operating.add_trial(parser)

    def handle(self, *_args: Any, authorization: UUID, dry_run: bool, **options: Any) -> None:
        """Pardon, and say how much."""
        word = operating.word_of(options)
        with operating.told():
            if dry_run:
                found = authorizing.pardonable(authorization)
            else:
                found = authorizing.pardon(authorization, word=word, now=clock.now())
        if options["json"]:
            told = {"authorization_id": str(authorization), "debt_units": str(found.debt_units)}
            self.stdout.write(json.dumps({**told, "asset": found.asset, "dry_run": dry_run}))
        else:
            owed = f"{found.debt_units} units of {found.asset} are owed"
            self.stdout.write(f"{owed} and {'would block' if dry_run else 'block'} nobody any more")
