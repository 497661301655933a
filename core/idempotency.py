"""Receipts: one idempotency key, one effect, one answer (design: the public API, Idempotency-Key).

An operation that touches only the database calls `claim` first and `store` last in its own transaction.
An operation that also calls outside systems calls `begin` (an operation of its own) before the call and
`store` in the transaction of the effect; `once` does both where the effect is outside alone.
"""

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID, uuid4

from django.utils.crypto import salted_hmac

from core.db import advisory_number, operation, prepared, require_transaction, row
from core.errors import Conflict, Unprocessable
from core.forgetting import forget
from core.models import ReceiptRow

LEASE = timedelta(seconds=60)
# A client that repeats a call after a week has not lost an answer.
KEPT = timedelta(days=7)
_SEED_BYTES = 32

# Holds a key and finds its row at once. The row is as it was when the statement began: where the first call
# answered at that very moment there seems to be none, and `_STORE` refuses.
_CLAIM = """
SELECT pg_try_advisory_xact_lock(%(number)s) AS held, r.body_digest, r.result, r.lease_until
FROM (SELECT) once LEFT JOIN core_receipt r
    ON r.client_id = %(client_id)s AND r.endpoint = %(endpoint)s AND r.key = %(key)s
"""

# Keeps an answer: in a new row, or in the row of a call that has begun. Nothing is returned where the key has
# an answer already.
_STORE = """
INSERT INTO core_receipt AS r (client_id, endpoint, key, body_digest, seed, created_at, result)
VALUES (%(client_id)s, %(endpoint)s, %(key)s, %(body_digest)s, gen_random_uuid(), %(now)s, %(result)s)
ON CONFLICT (client_id, endpoint, key) DO UPDATE SET result = excluded.result, lease_until = NULL
    WHERE r.result IS NULL AND r.body_digest = excluded.body_digest
RETURNING r.id
"""


# Ids grow with time, so that the oldest are found by the primary key alone.


class KeyInFlight(Conflict):
    """The first call with this key has not answered yet."""

    code = "idempotency_key_in_flight"
    title = "The first call with this Idempotency-Key is still running"
    retry_after_seconds: ClassVar[int] = 5


class KeyReused(Unprocessable):
    """The key was used with another body."""

    code = "idempotency_key_reused"
    title = "This Idempotency-Key was used with another body"


@dataclass(frozen=True)
class Receipt:
    """Names one call: whose, which endpoint (method and path), which key, which body."""

    client_id: int
    endpoint: str
    key: str
    body_digest: bytes


@dataclass(frozen=True)
class Begun:
    """A call that may go on (`result` is None), with the seed its outside ids derive from."""

    seed: UUID
    lease_until: datetime | None
    result: dict[str, Any] | None


def claim(receipt: Receipt, *, now: datetime) -> dict[str, Any] | None:
    """Return the stored result of an earlier call with this key, or None and hold the key until commit.

    Raises:
        KeyInFlight: another transaction holds the key.
        KeyReused: the key was used with another body.
    """
    require_transaction()
    parameters = {"number": _number(receipt), **_identity(receipt)}
    ((held, body_digest, result, lease_until),) = prepared(_CLAIM, parameters)
    if not held:
        raise KeyInFlight
    if body_digest is None:
        return None
    return _result(body_digest, result and json.loads(result), lease_until, receipt=receipt, now=now)


def begin(receipt: Receipt, *, now: datetime) -> Begun:
    """Commit a leased row before an outside call; a repetition after the lease goes on with its seed.

    Raises:
        KeyInFlight: the first call is still running, or died less than a minute ago.
        KeyReused: the key was used with another body.
    """
    with operation():
        _hold(receipt)
        found = _find(receipt)
        if found is None:
            found = ReceiptRow(**_identity(receipt), seed=uuid4(), created_at=now)
            found.body_digest = receipt.body_digest
        elif result := _result(found.body_digest, found.result, found.lease_until, receipt=receipt, now=now):
            return Begun(found.seed, None, result)
        found.lease_until = now + LEASE
        found.save()
        return Begun(found.seed, found.lease_until, None)


def store(receipt: Receipt, result: dict[str, Any], *, now: datetime) -> None:
    """Keep the answer, in the transaction of the effect.

    Raises:
        KeyInFlight: another call with this key was faster; its effect stands, and this one must not.
    """
    require_transaction()
    answer = {"body_digest": receipt.body_digest, "now": now, "result": json.dumps(result)}
    if not prepared(_STORE, {**_identity(receipt), **answer}):
        raise KeyInFlight


def once(receipt: Receipt | None, effect: Callable[[], dict[str, Any]], *, now: datetime) -> dict[str, Any]:
    """Return what an effect outside of the database answers, at a repetition what it answered.

    Where it fails nothing is kept: what the outside has done by then is done again by a repetition.

    Raises:
        KeyInFlight, KeyReused: see `begin`.
    """
    if receipt is None:
        return effect()
    begun = begin(receipt, now=now)
    if begun.result is not None:
        return begun.result
    try:
        result = effect()
    except BaseException:
        release(receipt, begun)
        raise
    with operation():
        store(receipt, result, now=now)
    return result


def new_seed() -> str:
    """Return what a secret is derived from that a repetition answers again."""
    return secrets.token_urlsafe(_SEED_BYTES)


def secret_of(seed: str, *, purpose: str) -> bytes:
    """Return the 256 bits that a seed stands for.

    An answer that shows a secret once is kept by its seed: without SECRET_KEY a reader of the database learns
    nothing from it.
    """
    return salted_hmac(f"paygo.idempotency.{purpose}", seed, algorithm="sha256").digest()


def release(receipt: Receipt, begun: Begun) -> None:
    """Forget a begun call that failed without effect, unless a repetition has taken its lease over."""
    own = ReceiptRow.objects.filter(**_identity(receipt), lease_until=begun.lease_until)
    own.filter(result__isnull=True).delete()


def forget_old(*, now: datetime) -> int:
    """Delete receipts that are older than a week; return how many."""
    return forget("core_receipt", "created_at", before=now - KEPT)


def finished(receipt: Receipt) -> dict[str, Any] | None:
    """Return what a repetition has stored while a begun call was under way, and hold the key until commit.

    Raises:
        KeyInFlight: a repetition is storing it at this moment.
    """
    require_transaction()
    _hold(receipt)
    found = _find(receipt)
    return None if found is None else found.result


def count_old(*, now: datetime) -> int:
    """Return how many receipts are older than a week."""
    return ReceiptRow.objects.filter(created_at__lt=now - KEPT).count()


def _identity(receipt: Receipt) -> dict[str, Any]:
    return {"client_id": receipt.client_id, "endpoint": receipt.endpoint, "key": receipt.key}


def _find(receipt: Receipt) -> ReceiptRow | None:
    return ReceiptRow.objects.filter(**_identity(receipt)).first()


def _result(
    body_digest: bytes | memoryview,
    result: dict[str, Any] | None,
    lease_until: datetime | None,
    *,
    receipt: Receipt,
    now: datetime,
) -> dict[str, Any] | None:
    """Return what a row that was found says to a repetition."""
    if bytes(body_digest) != receipt.body_digest:
        raise KeyReused
    if result is None and lease_until is not None and lease_until > now:
        raise KeyInFlight
    return result


def _hold(receipt: Receipt) -> None:
    """Take the key's advisory lock: there is no row yet that two first calls could meet at."""
    (held,) = row("SELECT pg_try_advisory_xact_lock(%(number)s)", {"number": _number(receipt)})
    if not held:
        raise KeyInFlight


def _number(receipt: Receipt) -> int:
    return advisory_number(f"{receipt.client_id}\0{receipt.endpoint}\0{receipt.key}")
