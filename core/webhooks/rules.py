"""Pure rules of webhooks: states, when to try again, what an answer means."""

from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum


class DeliveryStatus(StrEnum):
    """What a delivery can be."""

    PENDING = "pending"  # to be tried at its next instant
    DELIVERED = "delivered"  # answered with a 2xx
    FAILED = "failed"  # given up


class DisabledReason(StrEnum):
    """Why nothing is sent to an endpoint."""

    CLIENT = "client"  # its owner switched it off
    FAILING = "failing"  # it took nothing for three days
    GONE = "gone"  # it answered 410


class Outcome(StrEnum):
    """What an attempt says about the delivery, and about its endpoint."""

    TAKEN = "taken"  # a 2xx
    REFUSED = "refused"  # an answer about this delivery: the next one may fare better
    DOWN = "down"  # no answer, or one that says so: the endpoint is left alone for a while
    GONE = "gone"  # 410: it wants nothing ever again


# After which time each further attempt follows, before jitter: 76 hours in all (Standard Webhooks).
RETRIES: Sequence[timedelta] = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
# An endpoint that has taken nothing for so long is switched off.
DISABLE_AFTER = timedelta(days=3)
# A delivery that waited for its endpoint for so long is given up.
LIFE = timedelta(days=4)
# How long the old secret signs too after a rotation, unless the client says otherwise.
OVERLAP = timedelta(hours=24)
_PAUSE = timedelta(seconds=15)
_LONGEST_PAUSE = timedelta(hours=1)
_DOWN = frozenset({408, 429, 502, 503, 504})
_GONE = 410
# A retry comes at 80 to 120 % of its time, so that what failed together does not come back together.
_JITTER = 0.2


def outcome(status: int | None) -> Outcome:
    """Return what an answer's status means; None is no answer."""
    if status is None or status in _DOWN:
        return Outcome.DOWN
    if status == _GONE:
        return Outcome.GONE
    return Outcome.TAKEN if 200 <= status < 300 else Outcome.REFUSED


def retry_after(attempts: int, *, chance: float) -> timedelta | None:
    """Return after which time a delivery that failed so often is tried again, None: never.

    `chance` is a random number from 0 to 1.
    """
    if attempts > len(RETRIES):
        return None
    return RETRIES[attempts - 1] * (1 - _JITTER + 2 * _JITTER * chance)


def pause(failures: int) -> timedelta:
    """Return for how long an endpoint that was down so often in a row is left alone."""
    doublings: int = min(failures - 1, 10)
    return min(_LONGEST_PAUSE, _PAUSE * (1 << doublings))
