"""Server-sent events (HTML, section 9.2): what a stream sends, and for how long."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import StreamingHttpResponse

from core import clock, feed
from core.errors import DomainError
from paygo.api import keys, limits
from paygo.api.hub import database, hub
from paygo.api.models import ApiKey
from paygo.api.render import instant

log = structlog.get_logger(__name__)

CONTENT_TYPE = "text/event-stream"
_PAGE: Final = 100
_RETRY_MS: Final = 3_000
# A stream ends after so long and is opened anew from where it was: to another process, by a key that is good.
_LIFE_SECONDS: Final = 600.0

State = Callable[[], tuple[dict[str, Any], bool]]


@dataclass
class Stream:
    """One open stream of a key's owner; it holds its place in the hub from `open` to `close`."""

    bell: threading.Event
    key: ApiKey
    ends_at: float = field(default_factory=lambda: time.monotonic() + _LIFE_SECONDS)

    def events(self, *, after: int) -> Iterator[bytes]:
        """Yield what happens after a position, and a sign of life while nothing does."""
        # With the position, so that who is cut off before the first event goes on from where it began.
        yield _comment(f"retry: {_RETRY_MS}\nid: {after}")
        while self._goes_on():
            self.bell.clear()
            with database():
                page = feed.page(client_id=self.key.client_id, after=after, limit=_PAGE)
                if page.events and not keys.is_live(self.key, now=clock.now()):
                    return
            for event in page.events:
                yield _message(event.kind, feed.envelope(event), event_id=event.position)
            after = page.next_after
            if not page.has_more and not self.bell.wait(settings.STREAM_HEARTBEAT_SECONDS):
                yield _comment(": alive")

    def states(self, read: State, *, every_seconds: float) -> Iterator[bytes]:
        """Yield a state now, whenever it has changed, and for the last time when it is final.

        A look counts as a call of the key; beyond what it may make there are signs of life alone.
        """
        yield _comment(f"retry: {_RETRY_MS}")
        told, spoke_at = None, time.monotonic()
        while self._goes_on():
            self.bell.clear()
            if not limits.may_look(self.key):
                yield _comment(": alive")
                self.bell.wait(settings.STREAM_HEARTBEAT_SECONDS)
                continue
            with database():
                if not keys.is_live(self.key, now=clock.now()):
                    return
                try:
                    state, final = read()
                except DomainError:
                    # It cannot be told at the moment; the client asks again.
                    return
                as_of = instant(clock.now())
            if state != told:
                told, spoke_at = state, time.monotonic()
                yield _message("state", {**state, "as_of": as_of}, event_id=None)
            elif time.monotonic() - spoke_at >= settings.STREAM_HEARTBEAT_SECONDS:
                spoke_at = time.monotonic()
                yield _comment(": alive")
            if final:
                yield _message("end", {}, event_id=None)
                return
            self.bell.wait(every_seconds)

    def _goes_on(self) -> bool:
        return time.monotonic() < self.ends_at


def _while_the_database_is_there(messages: Iterator[bytes]) -> Iterator[bytes]:
    """Yield a stream's messages; without a database it ends, and its client opens it anew and goes on."""
    try:
        yield from messages
    except (OperationalError, InterfaceError) as error:
        log.warning("stream_without_database", error=str(error)[:500])


class StreamResponse(StreamingHttpResponse):
    """A stream over HTTP; its place is free again when the server closes it, begun or not."""

    def __init__(self, stream: Stream, messages: Iterator[bytes]) -> None:
        super().__init__(_while_the_database_is_there(messages), content_type=CONTENT_TYPE)
        self.headers["Cache-Control"] = "no-store"
        # nginx would collect what is to be sent at once.
        self.headers["X-Accel-Buffering"] = "no"
        self._bell = stream.bell

    def close(self) -> None:
        """Give the place back."""
        hub.leave(self._bell)
        super().close()


def _message(name: str, data: dict[str, Any], *, event_id: int | None) -> bytes:
    lines = [f"event: {name}", f"data: {json.dumps(data, separators=(',', ':'))}"]
    if event_id is not None:
        lines.insert(0, f"id: {event_id}")
    return ("\n".join(lines) + "\n\n").encode()


def _comment(line: str) -> bytes:
    return f"{line}\n\n".encode()
