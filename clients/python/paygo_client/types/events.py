"""What the calls of events answer. Written by clients/generate.py: do not edit."""

from typing import Any, TypedDict


class EventState(TypedDict):
    """An event; a webhook's body is one, and a stream's data. It never changes."""

    data: dict[str, Any]
    id: str
    position: int
    sequence: int
    subject: str
    timestamp: str
    type: str


class EventPage(TypedDict):
    """Some of a client's events, in order."""

    events: list[EventState]
    has_more: bool
    next_after: int
