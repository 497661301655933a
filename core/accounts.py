"""Clients: the users that own API keys, vendors, permissions and sessions."""

from core.models import User


def client_named(name: str) -> User:
    """Return the client of this user name, made without a password if there is none."""
    client, created = User.objects.get_or_create(username=name)
    if created:
        client.set_unusable_password()
        client.save(update_fields=["password"])
    return client
