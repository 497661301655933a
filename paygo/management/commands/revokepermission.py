"""`manage.py revokepermission PERMISSION`: an operator withdraws a permission for good."""

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from billing import funding
from core import clock
from core.errors import DomainError
from zcash.models import SpendingPermission


class Command(BaseCommand):
    """Ends a permission and its sessions; what it has left is refunded."""

    help = "Withdraw a permission for good: its sessions end at once, what it has left is refunded."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("permission", type=UUID, help="the permission's id")
        parser.add_argument("--operator", required=True, help="who does it, for the audit log")

    def handle(self, *_args: Any, permission: UUID, operator: str, **_options: Any) -> None:
        """Revoke, and say what is left."""
        if not operator.strip():
            raise CommandError("Say who does it: --operator NAME.")
        found = SpendingPermission.objects.filter(public_id=permission).first()
        if found is None:
            raise CommandError(f"there is no permission {permission}")
        try:
            revoked = funding.revoke(
                client_id=found.client_id,
                public_id=permission,
                now=clock.now(),
                actor=f"operator:{operator[:100]}",
            )
        except DomainError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{permission} is revoked; {revoked.remaining_zat} zat are left to refund")
