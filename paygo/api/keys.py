"""Making, finding and revoking API keys.

A key has 256 random bits, so its plain SHA-256 is as good as the key: it is looked up by the digest, and
no comparison in Python leaks its timing.
"""

import hashlib
import secrets
from datetime import datetime, timedelta

from django.db.models import Q

from core.models import User
from paygo.api.models import ApiKey

PREFIX = "pg_"
SCOPES = ("permissions:read", "permissions:write", "sessions:read", "sessions:write", "refunds:write")
# Who may say where money goes back to can send it anywhere: granted only when asked for.
DEFAULT_SCOPES = tuple(scope for scope in SCOPES if scope != "refunds:write")
_USED_EVERY = timedelta(minutes=1)


def create(
    client: User,
    *,
    name: str,
    now: datetime,
    scopes: tuple[str, ...] = SCOPES,
    expires_at: datetime | None = None,
) -> str:
    """Make a key for a client and return it: the only time that it can be read."""
    key = PREFIX + secrets.token_urlsafe(32)
    ApiKey.objects.create(
        client=client,
        name=name,
        prefix=key[: len(PREFIX) + 6],
        digest=digest(key),
        scopes=list(scopes),
        created_at=now,
        expires_at=expires_at,
    )
    return key


def find(key: str, *, now: datetime) -> ApiKey | None:
    """Return the live key row of a key, or None: unknown, revoked, expired, or its client is switched off."""
    alive = Q(revoked_at__isnull=True) & (Q(expires_at__isnull=True) | Q(expires_at__gt=now))
    found = ApiKey.objects.select_related("client").filter(alive, digest=digest(key)).first()
    if found is None or not found.client.is_active:
        return None
    _note_use(found, now=now)
    return found


def revoke(key_ids: list[int], *, now: datetime) -> int:
    """Revoke keys for good; return how many were still live."""
    return ApiKey.objects.filter(pk__in=key_ids, revoked_at__isnull=True).update(revoked_at=now)


def digest(key: str) -> bytes:
    """Return what is stored of a key."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def _note_use(found: ApiKey, *, now: datetime) -> None:
    """Keep the minute of the last use: a write at every call would cost more than the call."""
    if found.last_used_at is None or now - found.last_used_at > _USED_EVERY:
        ApiKey.objects.filter(pk=found.pk).update(last_used_at=now)
