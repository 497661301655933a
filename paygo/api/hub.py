"""The hub: one thread of a process that asks the database for news, for all streams of the process.

A stream waits on a bell of its own. The hub rings the bells of those whose client or subject has news; what
the news is, each stream reads by itself, from where it stands. So a thousand streams that wait cost one
query a turn, a bell that rings too often does no harm, and nothing depends on a notification.
"""

import threading
import time
from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import Final
from uuid import UUID

import structlog
from django.conf import settings
from django.db import Error as AnyDatabaseError
from django.db import connection

from core import clock, feed, publisher
from core.errors import DomainError
from paygo.api import edge
from paygo.api.errors import StreamsFull

log = structlog.get_logger(__name__)

_TURN_SECONDS: Final = 0.5

Topic = Hashable


class Hub:
    """Who listens for what in this process, within the limits of all and of each client."""

    def __init__(self) -> None:
        self._lock = threading.Condition()
        self._bells: dict[threading.Event, tuple[int, Topic]] = {}
        self._clients: Counter[int] = Counter()
        self._thread: threading.Thread | None = None

    def __len__(self) -> int:
        """Return how many streams are open."""
        return len(self._bells)

    def join(self, *, client_id: int, subject: UUID | None = None) -> threading.Event:
        """Return a bell for a client's news, or those of one subject; `leave` gives its place back.

        Raises:
            StreamsFull: this process, or the client, has as many streams as it may have.
        """
        bell = threading.Event()
        with self._lock:
            of_client = self._clients[client_id]
            if len(self) >= settings.STREAM_LIMIT or of_client >= settings.STREAM_LIMIT_PER_CLIENT:
                raise StreamsFull("as many streams are open as may be; ask GET /api/v1/events meanwhile")
            self._bells[bell] = (client_id, ("client", client_id) if subject is None else subject)
            self._clients[client_id] += 1
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="hub", daemon=True)
                self._thread.start()
            self._lock.notify()
        return bell

    def leave(self, bell: threading.Event) -> None:
        """Give a place back; twice does no harm."""
        with self._lock:
            if found := self._bells.pop(bell, None):
                self._clients[found[0]] -= 1

    def _run(self) -> None:
        after = None
        while True:
            with self._lock:
                if not self._bells:
                    # What happens while nobody listens is nobody's news.
                    after = None
                    self._lock.wait()
            try:
                after = self._ring(after)
            except (AnyDatabaseError, DomainError) as error:
                log.warning("hub_without_database", error=str(error)[:500])
            finally:
                connection.close()
            time.sleep(_TURN_SECONDS)

    def _ring(self, after: int | None) -> int:
        publisher.publish(now=clock.now())
        if after is None:
            # Whoever has joined before now reads from where it stands anyway.
            after = feed.newest_position()
            topics: set[Topic] = set()
            everybody = True
        else:
            news = feed.news(after=after)
            after, topics, everybody = news.position, set(news.topics), False
        with self._lock:
            for bell, (_, topic) in self._bells.items():
                if everybody or topic in topics:
                    bell.set()
        return after


hub = Hub()


@contextmanager
def database() -> Iterator[None]:
    """Use the database for a moment, in turn with other streams; nobody waits who has a connection."""
    with edge.looks:
        try:
            yield
        finally:
            give_back()


def give_back() -> None:
    """Give the connection of this thread back: a stream that kept it would starve calls."""
    if not connection.in_atomic_block:
        connection.close()
