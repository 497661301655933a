"""Reading events: a client's, in the one order of the publisher, from any position on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from core.clock import cut
from core.models import Event

_MOST_NEWS = 5_000


@dataclass(frozen=True)
class FeedPage:
    """Events in order; `next_after` is where the next page begins, also when this one is empty."""

    events: Sequence[Event]
    next_after: int
    has_more: bool


def page(
    *, client_id: int, after: int, limit: int, kinds: Sequence[str] = (), subject: UUID | None = None
) -> FeedPage:
    """Return a client's published events after a position, of some kinds or one subject if named."""
    found = Event.objects.filter(client_id=client_id, position__gt=after)
    if kinds:
        found = found.filter(kind__in=kinds)
    if subject is not None:
        found = found.filter(subject=subject)
    events = list(found.order_by("position")[: limit + 1])
    shown = events[:limit]
    return FeedPage(shown, next_after=_position(shown[-1]) if shown else after, has_more=len(events) > limit)


def last_position(*, client_id: int) -> int:
    """Return the position of a client's latest published event, 0 where there is none."""
    found = Event.objects.filter(client_id=client_id, position__isnull=False).order_by("-position")
    return found.values_list("position", flat=True).first() or 0


@dataclass(frozen=True)
class News:
    """Up to which position events are published, and whom those after another one are about."""

    position: int
    topics: Sequence[Any]


def newest_position() -> int:
    """Return the position of the latest published event of all."""
    found = Event.objects.filter(position__isnull=False).order_by("-position")
    return found.values_list("position", flat=True).first() or 0


def news(*, after: int) -> News:
    """Return whose events came after a position: each client as ("client", its key), and each subject."""
    found = Event.objects.filter(position__gt=after).order_by("position")
    events = list(found.values_list("position", "client_id", "subject")[:_MOST_NEWS])
    topics = [topic for _, client_id, subject in events for topic in (("client", client_id), subject)]
    return News(events[-1][0] or after if events else after, topics)


def envelope(event: Event) -> dict[str, Any]:
    """Return an event as every reader gets it: by call, stream or webhook. It never changes."""
    return {
        "id": str(event.uid),
        "type": event.kind,
        "timestamp": cut(event.created_at).isoformat().replace("+00:00", "Z"),
        "position": event.position,
        "sequence": event.sequence,
        "subject": str(event.subject),
        "data": event.payload,
    }


def _position(event: Event) -> int:
    assert event.position is not None, "only published events are read"
    return event.position
