"""The outbox: events are rows of the transaction that makes them true; delivery is another's work."""

from datetime import datetime
from typing import Any
from uuid import UUID

from core.db import require_transaction
from core.models import Event

_EMIT = """
INSERT INTO core_event (uid, kind, client_id, subject, payload, created_at)
SELECT gen_random_uuid(), kind, client_id, subject, payload, %(booked_at)s FROM ({source}) happened
"""


def emit(kind: str, *, client_id: int, subject: UUID, payload: dict[str, Any], now: datetime) -> None:
    """Write one event (`session.ended`) about a subject, to be delivered after commit."""
    require_transaction()
    Event.objects.create(client_id=client_id, kind=kind, subject=subject, payload=payload, created_at=now)


def emitting(source: str) -> str:
    """Return the INSERT that writes the events of a SELECT (kind, client_id, subject, payload), in its order.

    It is a part of the statement that makes them true; `%(booked_at)s` is when.
    """
    return _EMIT.format(source=source)
