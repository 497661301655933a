"""Making, finding and revoking API keys.

A key has 256 random bits, so its plain SHA-256 is as good as the key: it is looked up by the digest, and
no comparison in Python leaks its timing.
"""

import hashlib
import secrets
import time
from datetime import datetime, timedelta
from typing import NamedTuple

from core.models import User
from paygo.api.models import ApiKey

PREFIX = "pg_"
SCOPES = (
    "permissions:read",
    "permissions:write",
    "sessions:read",
    "sessions:write",
    "vendors:read",
    "vendors:write",
    "refunds:write",
)
# Who may say where money goes back to can send it anywhere: granted only when asked for.
DEFAULT_SCOPES = tuple(scope for scope in SCOPES if scope != "refunds:write")
_USED_EVERY = timedelta(minutes=1)
# For so long a process trusts what it has read of a key: a revocation reaches all of them within that time.
REREAD_SECONDS = 2.0
_MAX_KNOWN = 10_000


class _Known(NamedTuple):
    row: ApiKey
    read_at: float


_known: dict[bytes, _Known] = {}


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
    found = _row_of(digest(key))
    if found is None or (found.expires_at is not None and found.expires_at <= now):
        return None
    _note_use(found, now=now)
    return found


def revoke(key_ids: list[int], *, now: datetime) -> int:
    """Revoke keys for good; return how many were live. Other processes learn of it within REREAD_SECONDS."""
    _known.clear()
    return ApiKey.objects.filter(pk__in=key_ids, revoked_at__isnull=True).update(revoked_at=now)


def digest(key: str) -> bytes:
    """Return what is stored of a key."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def forget() -> None:
    """Drop what this process knows of keys, so that the next call asks the database."""
    _known.clear()


def _row_of(key_digest: bytes) -> ApiKey | None:
    """Return the row of a key that is not revoked and whose client is active, read a moment ago at most.

    Only keys that exist are remembered, so that guesses take no memory.
    """
    known = _known.get(key_digest)
    if known is not None and time.monotonic() - known.read_at < REREAD_SECONDS:
        return known.row
    row = ApiKey.objects.select_related("client").filter(revoked_at=None, digest=key_digest).first()
    if row is None or not row.client.is_active:
        _known.pop(key_digest, None)
        return None
    if len(_known) >= _MAX_KNOWN:
        _known.clear()
    _known[key_digest] = _Known(row, time.monotonic())
    return row


def _note_use(found: ApiKey, *, now: datetime) -> None:
    """Keep the minute of the last use: a write at every call would cost more than the call."""
    if found.last_used_at is None or now - found.last_used_at > _USED_EVERY:
        ApiKey.objects.filter(pk=found.pk).update(last_used_at=now)
        found.last_used_at = now
