"""The outbox: events are rows of the transaction that makes them true; delivery is another's work."""

from datetime import datetime
from typing import Any
from uuid import UUID

from core.db import require_transaction
from core.models import Event


def emit(kind: str, *, client_id: int, subject: UUID, payload: dict[str, Any], now: datetime) -> None:
    """Write one event (`session.ended`) about a subject, to be delivered after commit."""
    require_transaction()
    Event.objects.create(client_id=client_id, kind=kind, subject=subject, payload=payload, created_at=now)
