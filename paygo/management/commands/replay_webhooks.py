"""`manage.py replay_webhooks`: lets an endpoint have what it missed."""

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from core import clock, rounds
from core.errors import DomainError
from core.webhooks import endpoints


class Command(BaseCommand):
    help = (
        "Delivers events again to a webhook endpoint: those after a position that it has not taken. "
        "Receivers know an event by its webhook-id; what they had before does no harm."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("endpoint", type=UUID, help="the endpoint's id")
        parser.add_argument(
            "--after", type=int, default=0, metavar="POSITION", help="only events after this position"
        )
        parser.add_argument("--all", action="store_true", help="also those that it has taken")
        parser.add_argument("--enable", action="store_true", help="enable the endpoint first")

    def handle(self, *args: Any, endpoint: UUID, after: int, enable: bool, **options: Any) -> None:
        try:
            rounds.event_round()
            found = endpoints.enable(endpoint) if enable else endpoints.find(endpoint)
            owed = endpoints.replay_from(found, after=after, even_taken=options["all"], now=clock.now())
        except DomainError as error:
            raise CommandError(error.detail) from error
        self.stdout.write(f"{owed} events are delivered to {found.url}; its log says how it goes.")
