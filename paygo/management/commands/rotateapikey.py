"""`manage.py rotateapikey PREFIX`: a key in the place of another one; the new key alone goes to stdout."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core import clock
from paygo.api import keys
from paygo.api.keys import KeyEnded
from paygo.api.models import ApiKey


class Command(BaseCommand):
    help = "Make a key with the scopes of the one that begins with PREFIX, which ends after the overlap."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("prefix", help="how the old key begins, as the admin lists it")
        parser.add_argument("--overlap-hours", type=float, default=24.0, help="how long the old key goes on")

    def handle(self, *args: Any, prefix: str, overlap_hours: float, **options: Any) -> None:
        if not 0 <= overlap_hours <= 24 * 366:
            raise CommandError("--overlap-hours must be from 0 to 8784")
        found = list(ApiKey.objects.filter(prefix=prefix, revoked_at=None).values_list("pk", flat=True)[:2])
        if len(found) != 1:
            raise CommandError(f"{'several keys begin' if found else 'no live key begins'} with {prefix}")
        try:
            rotated = keys.rotate(found[0], overlap=timedelta(hours=overlap_hours), now=clock.now())
        except KeyEnded as error:
            raise CommandError(str(error)) from error
        self.stderr.write(f"{prefix} ends {rotated.old.expires_at:%Y-%m-%d %H:%M:%S} UTC")
        self.stdout.write(rotated.key)
