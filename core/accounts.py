"""Clients: the users that own API keys, vendors, permissions and sessions."""

from collections.abc import Iterable
from datetime import datetime

from core.models import User


def client_named(name: str) -> User:
    """Return the client of this user name, made without a password if there is none."""
    client, created = User.objects.get_or_create(username=name)
    if created:
        client.set_unusable_password()
        client.save(update_fields=["password"])
    return client


def note_rights_changed(user_ids: Iterable[int], *, now: datetime) -> None:
    """Write down that accounts can do something else from now on; the database notes other changes itself."""
    User.objects.filter(pk__in=list(user_ids)).update(rights_changed_at=now)
