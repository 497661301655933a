"""Making, finding, rotating and revoking API keys.

A key has 256 random bits, so its plain SHA-256 is as good as the key: it is looked up by the digest, and
no comparison in Python leaks its timing.
"""

import base64
import hashlib
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import structlog

from billing import operators
from billing.operator_rules import Verb
from billing.operators import Word
from core import idempotency
from core.db import operation
from core.errors import Gone
from core.idempotency import Receipt
from core.models import User
from paygo.api.models import ApiKey

log = structlog.get_logger(__name__)

PREFIX = "pg_"
SCOPES = (
    "permissions:read",
    "permissions:write",
    "sessions:read",
    "sessions:write",
    "vendors:read",
    "vendors:write",
    "events:read",
    "webhooks:read",
    "webhooks:write",
    "refunds:write",
    "payouts:write",
    "keys:read",
    "keys:write",
    "sandbox",
)
# Who may say where money goes back to can send it anywhere, who may make keys can stay for ever, and who may
# move the sandbox's clock moves everybody's: granted only when asked for.
OPT_IN_SCOPES = frozenset({"refunds:write", "payouts:write", "keys:write", "sandbox"})
DEFAULT_SCOPES = tuple(scope for scope in SCOPES if scope not in OPT_IN_SCOPES)
_USED_EVERY = timedelta(minutes=1)
# For so long a process trusts what it has read of a key: a revocation reaches all of them within that time.
REREAD_SECONDS = 2.0
_MAX_KNOWN = 10_000


class _Known(NamedTuple):
    row: ApiKey
    read_at: float


class KeyEnded(Gone):
    """The key was revoked or has expired: there is nothing to rotate."""

    code = "api_key_ended"
    title = "The API key has ended"


@dataclass(frozen=True)
class Rotated:
    """A new key, the only time that it can be read, with its row and that of the key it replaces."""

    key: str
    row: ApiKey
    old: ApiKey


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
    lifetime = None if expires_at is None else expires_at - now
    key, row = _new(client, name=name, scopes=scopes, lifetime=lifetime, now=now)
    row.save(force_insert=True)
    return key


def rotate(key_id: int, *, overlap: timedelta, now: datetime, receipt: Receipt | None = None) -> Rotated:
    """Make a key that can do what another one can, and let that one expire after the overlap.

    The new one lives for as long as the old one was made to. Whoever lost the answer, and gave no receipt,
    rotates again: what an earlier rotation has made and nobody has used is revoked.

    Raises:
        KeyEnded: the old key was revoked or has expired.
        KeyInFlight, KeyReused: see core.idempotency.
    """
    with operation():
        if receipt and (stored := idempotency.claim(receipt, now=now)):
            return _rotated(stored)
        old = ApiKey.objects.select_for_update(of=("self",)).select_related("client").get(pk=key_id)
        old_expires_at = rotated_end(old, overlap=overlap, now=now)
        old.successors.filter(last_used_at=None, revoked_at=None).update(revoked_at=now)
        seed = idempotency.new_seed() if receipt else None
        key, row = _new(
            old.client, name=old.name, scopes=old.scopes, lifetime=old.lifetime, now=now, seed=seed
        )
        row.replaces, row.family = old, old.family
        row.save(force_insert=True)
        old.expires_at = old_expires_at
        old.save(update_fields=["expires_at"])
        if receipt:
            result = {
                "seed": seed,
                "key_id": row.pk,
                "expires_at": row.expires_at and row.expires_at.isoformat(),
                "old_expires_at": old.expires_at.isoformat(),
            }
            idempotency.store(receipt, result, now=now)
    _known.clear()
    log.info("api_key_rotated", old=old.prefix, new=row.prefix, old_expires_at=str(old.expires_at))
    return Rotated(key, row, old)


def rotated_end(old: ApiKey, *, overlap: timedelta, now: datetime) -> datetime:
    """Return when a key ends that is rotated now.

    Raises:
        KeyEnded: it was revoked or has expired.
    """
    if old.revoked_at is not None or (old.expires_at is not None and old.expires_at <= now):
        raise KeyEnded
    return min(now + overlap, old.expires_at or now + overlap)


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


def revoke_by_operator(key: ApiKey, *, word: Word, now: datetime) -> None:
    """Revoke a key for good on an operator's word.

    Raises:
        KeyEnded: it was revoked before.
    """
    with operation():
        if not revoke([key.pk], now=now):
            raise KeyEnded(f"{key.prefix} was revoked before")
        details = {"key": key.prefix, "name": key.name, "client": key.client.username}
        operators.note(word, Verb.REVOKE_KEY, now=now, details=details)
    # What another thread has read of it since.
    forget()


def is_live(key: ApiKey, *, now: datetime) -> bool:
    """Whether a key that was good a while ago still is."""
    found = ApiKey.objects.filter(pk=key.pk, revoked_at=None, client__is_active=True)
    return found.exclude(expires_at__lte=now).exists()


def digest(key: str) -> bytes:
    """Return what is stored of a key."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def forget() -> None:
    """Drop what this process knows of keys, so that the next call asks the database."""
    _known.clear()


def _rotated(stored: Mapping[str, Any]) -> Rotated:
    """Return what an earlier call with the same Idempotency-Key was answered."""
    row = ApiKey.objects.select_related("replaces").get(pk=stored["key_id"])
    assert row.replaces is not None
    row.replaces.expires_at = datetime.fromisoformat(stored["old_expires_at"])
    # Another rotation may have shortened its life since.
    row.expires_at = datetime.fromisoformat(stored["expires_at"]) if stored["expires_at"] else None
    return Rotated(_key_of(stored["seed"]), row, row.replaces)


def _key_of(seed: str) -> str:
    secret = idempotency.secret_of(seed, purpose="api-key")
    return PREFIX + base64.urlsafe_b64encode(secret).decode().rstrip("=")


def _new(
    client: User,
    *,
    name: str,
    scopes: Sequence[str],
    lifetime: timedelta | None,
    now: datetime,
    seed: str | None = None,
) -> tuple[str, ApiKey]:
    """Return a new key, of a seed if there is one, and its row, which is not saved yet."""
    key = PREFIX + secrets.token_urlsafe(32) if seed is None else _key_of(seed)
    row = ApiKey(
        client=client,
        name=name,
        prefix=key[: len(PREFIX) + 6],
        digest=digest(key),
        scopes=list(scopes),
        created_at=now,
        lifetime=lifetime,
        expires_at=None if lifetime is None else now + lifetime,
    )
    return key, row


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
