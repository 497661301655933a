"""The courier: sends what is due, each endpoint in a lane of its own, so that a dead one delays nobody.

Of the lanes for healthy endpoints, and of those for failing ones, a client has a quarter at most: one that
answers, but as late as it may, delays its own client alone.

`dispatch` starts lanes and returns; the threads outlive the task that started them. A lane belongs to one
process by a lease in the database, so any number of processes may run couriers. What one leaves when it is
killed is due for the others.
"""

import threading
import time
from datetime import datetime
from typing import Final

import structlog
from django.db import Error as AnyDatabaseError
from django.db import connection

from core import clock
from core.errors import DomainError
from core.models import WebhookEndpoint
from core.webhooks import deliveries, sender
from core.webhooks.rules import Outcome

log = structlog.get_logger(__name__)

LANES: Final = 16
# So that endpoints that hang leave room for those that answer.
_FAILING_LANES: Final = LANES // 2
_SHARE: Final = 4
# A lane's turn: well within its lease, also with the one request that begins at its end.
_TURN_SECONDS: Final = 20.0
_PAGE: Final = 50


class Courier:
    """The lanes of one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lanes: set[threading.Thread] = set()
        self._failing = 0

    def dispatch(self, *, now: datetime) -> int:
        """Start a lane for each endpoint that is owed something, as many as there are; return how many."""
        with self._lock:
            free = LANES - len(self._lanes)
            started = self._claim(free, LANES, healthy=True, now=now)
            room = min(free - started, _FAILING_LANES - self._failing)
            return started + self._claim(room, _FAILING_LANES, healthy=False, now=now)

    def wait(self) -> None:
        """Return when no lane is under way."""
        while lanes := list(self._lanes):
            for lane in lanes:
                lane.join()

    def _claim(self, limit: int, of: int, *, healthy: bool, now: datetime) -> int:
        if limit <= 0:
            return 0
        endpoints = deliveries.claim_lanes(limit=limit, share=of // _SHARE, healthy=healthy, now=now)
        for endpoint in endpoints:
            lane = threading.Thread(target=self._run, args=(endpoint,), name="webhooks", daemon=True)
            self._lanes.add(lane)
            self._failing += endpoint.failing_since is not None
            lane.start()
        return len(endpoints)

    def _run(self, endpoint: WebhookEndpoint) -> None:
        try:
            _serve(endpoint)
        except (AnyDatabaseError, DomainError) as error:
            log.warning("webhook_lane_failed", endpoint=str(endpoint.public_id), error=str(error))
        except Exception:  # a mistake about one endpoint must not look like the end of the process
            log.exception("webhook_lane_broken", endpoint=str(endpoint.public_id))
        finally:
            connection.close()
            with self._lock:
                self._lanes.discard(threading.current_thread())
                self._failing -= endpoint.failing_since is not None


courier = Courier()


def _serve(endpoint: WebhookEndpoint) -> None:
    """Send to an endpoint what it is owed, in order, until its turn is over or it does not answer."""
    ends_at = time.monotonic() + _TURN_SECONDS
    try:
        while owed := deliveries.due(endpoint, now=clock.now(), limit=_PAGE):
            for each in owed:
                # Disabled, deleted or with another secret meanwhile: what it is now counts.
                delivery = deliveries.still_due(each, now=clock.now())
                if delivery is None:
                    break
                answer = sender.send(delivery, now=clock.now())
                outcome = deliveries.record(delivery, answer, now=clock.now())
                if outcome in (Outcome.DOWN, Outcome.GONE) or time.monotonic() > ends_at:
                    return
    finally:
        deliveries.release_lane(endpoint, now=clock.now())
