"""The outbox: events are rows of the transaction that makes them true; delivery is another's work."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from core.db import require_transaction
from core.models import Event


class Happened(NamedTuple):
    """One event (`session.ended`) about a subject, to be written."""

    kind: str
    subject: UUID
    payload: dict[str, Any]


# The events of `%(events)s`, a JSON array of (kind, subject, payload); a part of the statement that makes
# them true. `%(client_id)s` is whose they are, `%(booked_at)s` when.
GIVEN = """
happened AS (
    INSERT INTO core_event (uid, kind, client_id, subject, payload, created_at)
    SELECT gen_random_uuid(), kind, %(client_id)s, subject, payload, %(booked_at)s
    FROM jsonb_to_recordset(%(events)s::jsonb) AS e (kind text, subject uuid, payload jsonb)
)
"""

_EMIT = """
INSERT INTO core_event (uid, kind, client_id, subject, payload, created_at)
SELECT gen_random_uuid(), kind, client_id, subject, payload, %(booked_at)s FROM ({source}) happened
"""


def given(events: Iterable[Happened]) -> str:
    """Return `%(events)s` of events of one client."""
    return json.dumps([each._asdict() for each in events], default=str)


def emit(kind: str, *, client_id: int, subject: UUID, payload: dict[str, Any], now: datetime) -> None:
    """Write one event (`session.ended`) about a subject, to be delivered after commit."""
    require_transaction()
    Event.objects.create(client_id=client_id, kind=kind, subject=subject, payload=payload, created_at=now)


def emitting(source: str) -> str:
    """Return the INSERT that writes the events of a SELECT (kind, client_id, subject, payload), in its order.

    It is a part of the statement that makes them true; `%(booked_at)s` is when.
    """
    return _EMIT.format(source=source)
