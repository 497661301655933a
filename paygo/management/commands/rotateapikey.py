"""`manage.py rotateapikey PREFIX`: a key in the place of another one; the new key alone goes to stdout."""

import json
from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core import clock
from paygo.api import keys
from paygo.api.keys import KeyEnded
from paygo.api.models import ApiKey


class Command(BaseCommand):
    """Replaces a key, or says what would become of it."""

    help = (
        "Make a key with the scopes of the one that begins with PREFIX, which ends after the overlap. Exit "
        "code 1 where no live key, or more than one, begins so."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("prefix", help="how the old key begins, as the admin lists it")
        parser.add_argument("--overlap-hours", type=float, default=24.0, help="how long the old key goes on")
        parser.add_argument("--dry-run", action="store_true", help="say when the old key would end")
        parser.add_argument("--json", action="store_true", help="write one JSON document, the key in it")

    def handle(self, *_args: Any, prefix: str, overlap_hours: float, dry_run: bool, **options: Any) -> None:
        """Rotate, and print the key."""
        if not 0 <= overlap_hours <= 24 * 366:
            raise CommandError("--overlap-hours must be from 0 to 8784")
        found = list(ApiKey.objects.filter(prefix=prefix, revoked_at=None)[:2])
        if len(found) != 1:
            raise CommandError(f"{'several keys begin' if found else 'no live key begins'} with {prefix}")
        (old,), overlap, now = found, timedelta(hours=overlap_hours), clock.now()
        try:
            ends_at = keys.rotated_end(old, overlap=overlap, now=now)
            rotated = None if dry_run else keys.rotate(old.pk, overlap=overlap, now=now)
        except KeyEnded as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            told = {
                "key": rotated and rotated.key,
                "prefix": rotated and rotated.row.prefix,
                "replaces": prefix,
                "scopes": old.scopes,
                "old_key_expires_at": ends_at.isoformat(),
                "dry_run": dry_run,
            }
            self.stdout.write(json.dumps(told))
            return
        self.stderr.write(f"{prefix} {'would end' if dry_run else 'ends'} {ends_at:%Y-%m-%d %H:%M:%S} UTC")
        if rotated:
            self.stdout.write(rotated.key)
