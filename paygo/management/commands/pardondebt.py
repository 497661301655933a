"""`manage.py pardondebt AUTHORIZATION`: an operator lets a viewer go on who owes."""

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

import structlog
from django.core.management.base import BaseCommand, CommandError

from billing.ethereum import authorizing
from core import clock
from core.errors import DomainError

log = structlog.get_logger(__name__)


class Command(BaseCommand):
    """Lets what could not be collected of an authorisation block its viewer no more."""

    help = "Let a viewer go on whose debt could not be collected; it stays owed, and may still be collected."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("authorization", type=UUID, help="the authorization's id")
        parser.add_argument("--operator", required=True, help="who does it, for the log")

    def handle(self, *_args: Any, authorization: UUID, operator: str, **_options: Any) -> None:
        """Pardon, and say how much."""
        if not operator.strip():
            raise CommandError("Say who does it: --operator NAME.")
        try:
            found = authorizing.pardon(authorization, now=clock.now())
        except DomainError as error:
            raise CommandError(str(error)) from error
        log.warning(
            "debt_pardoned",
            authorization=str(authorization),
            units=str(found.debt_units),
            operator=operator[:100],
        )
        self.stdout.write(f"{found.debt_units} units of {found.asset} are owed and block nobody any more")
