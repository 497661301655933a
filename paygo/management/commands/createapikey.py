"""`manage.py createapikey NAME`: a client and its key; the key alone goes to stdout."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core import accounts, clock
from paygo.api import keys


class Command(BaseCommand):
    help = "Make an API key for a client (made if there is none of this name) and print the key, once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("client", help="the client's user name")
        parser.add_argument("--name", default="default", help="what the key is for, shown in lists")
        parser.add_argument("--days", type=int, help="the key expires after so many days")
        parser.add_argument(
            "--scope",
            action="append",
            choices=keys.SCOPES,
            help="may be repeated; default: all scopes but those that must be asked for",
        )

    def handle(
        self, *args: Any, client: str, name: str, days: int | None, scope: list[str] | None, **options: Any
    ) -> None:
        if days is not None and days < 1:
            raise CommandError("--days must be at least 1")
        now = clock.now()
        key = keys.create(
            accounts.client_named(client),
            name=name,
            now=now,
            scopes=tuple(scope or keys.DEFAULT_SCOPES),
            expires_at=now + timedelta(days=days) if days else None,
        )
        self.stdout.write(key)
