"""`manage.py replay_webhooks`: lets an endpoint have what it missed."""

import json
from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from core import clock, rounds
from core.errors import DomainError
from core.models import WebhookEndpoint
from core.webhooks import endpoints


class Command(BaseCommand):
    """Makes deliveries of what an endpoint has not taken, or counts them."""

    help = (
        "Delivers events again to a webhook endpoint: those after a position that it has not taken. "
        "Receivers know an event by its webhook-id; what they had before does no harm. Exit code 1 where "
        "there is no such endpoint, or it is disabled."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("endpoint", type=UUID, help="the endpoint's id")
        parser.add_argument(
            "--after", type=int, default=0, metavar="POSITION", help="only events after this position"
        )
        parser.add_argument("--all", action="store_true", help="also those that it has taken")
        parser.add_argument("--enable", action="store_true", help="enable the endpoint first")
        parser.add_argument("--dry-run", action="store_true", help="count what it would get, send nothing")
        parser.add_argument("--json", action="store_true", help="write one JSON document")

    def handle(self, *_args: Any, endpoint: UUID, dry_run: bool, **options: Any) -> None:
        """Replay, and say how many events that are."""
        try:
            found, owed = self._count(endpoint, options) if dry_run else self._replay(endpoint, options)
        except DomainError as error:
            raise CommandError(error.detail) from error
        if options["json"]:
            told = {"endpoint": str(endpoint), "url": found.url, "events": owed, "dry_run": dry_run}
            self.stdout.write(json.dumps(told))
        elif dry_run:
            self.stdout.write(f"{owed} events would be delivered to {found.url}.")
        else:
            self.stdout.write(f"{owed} events are delivered to {found.url}; its log says how it goes.")

    def _count(self, endpoint: UUID, options: dict[str, Any]) -> tuple[WebhookEndpoint, int]:
        found = endpoints.find(endpoint)
        owed = endpoints.count_replay(
            found, after=options["after"], even_taken=options["all"], even_disabled=options["enable"]
        )
        return found, owed

    def _replay(self, endpoint: UUID, options: dict[str, Any]) -> tuple[WebhookEndpoint, int]:
        rounds.event_round()
        found = endpoints.enable(endpoint, now=clock.now()) if options["enable"] else endpoints.find(endpoint)
        owed = endpoints.replay_from(
            found, after=options["after"], even_taken=options["all"], now=clock.now()
        )
        return found, owed
