"""The one clock: the database's, in whole milliseconds, read through the process's monotonic clock.

`now()` is called by shells (views, tasks, commands) only; domain code takes `now` as an argument.
"""

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from django.conf import settings
from django.db import connection

from core.errors import ClockSkew, Forbidden

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MS = timedelta(milliseconds=1)
REREAD_SECONDS = 10.0
MAX_SKEW_SECONDS = 5.0


class _Reading(NamedTuple):
    monotonic_s: float
    database_ms: int
    wall_skew_s: float


_lock = threading.Lock()
_reading: _Reading | None = None


def now() -> datetime:
    """Return the database's time, with the sandbox's offset, cut to whole milliseconds (aware UTC)."""
    reading = _current()
    return from_ms(reading.database_ms + int((time.monotonic() - reading.monotonic_s) * 1000))


def skew_seconds() -> float:
    """Return how far the machine's wall clock is ahead of the database's clock, in seconds."""
    return _current().wall_skew_s


def require_no_skew() -> None:
    """Refuse to go on with a wrong clock.

    Raises:
        ClockSkew: the machine's clock is more than 5 s from the database's.
    """
    skew = skew_seconds()
    if abs(skew) > MAX_SKEW_SECONDS:
        raise ClockSkew(
            f"this machine's clock differs from the database's by {skew:+.1f} s: set it (NTP) and try again"
        )


def advance(milliseconds: int) -> datetime:
    """Move the clock of every process and every view forward; the sandbox alone may.

    Raises:
        Forbidden: the service is not a sandbox, or the step is not forward.
    """
    if not settings.PAYGO_SANDBOX or milliseconds < 0:
        raise Forbidden("the clock moves only in a sandbox, and only forward")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE core_clock SET offset_ms = offset_ms + %s", [milliseconds])
    forget()
    return now()


def advance_to(moment: datetime) -> None:
    """Move the clock forward to a moment, unless that has passed already; the sandbox alone may.

    Raises:
        Forbidden: the service is not a sandbox.
    """
    if not settings.PAYGO_SANDBOX:
        raise Forbidden("the clock moves only in a sandbox")
    with connection.cursor() as cursor:
        # Rounded up, so that it is that late at least.
        cursor.execute(
            "UPDATE core_clock SET offset_ms = greatest(offset_ms,"
            " ceil(extract(epoch FROM %s - clock_timestamp()) * 1000)::bigint)",
            [moment],
        )
    forget()


def forget() -> None:
    """Drop the last reading, so that the next call asks the database."""
    global _reading
    _reading = None


def to_ms(moment: datetime) -> int:
    """Return whole milliseconds since the epoch, rounded down."""
    return (moment - EPOCH) // MS


def from_ms(milliseconds: int) -> datetime:
    """Return the aware UTC time of whole milliseconds since the epoch."""
    return EPOCH + milliseconds * MS


def cut(moment: datetime) -> datetime:
    """Return the moment cut to whole milliseconds."""
    return from_ms(to_ms(moment))


def _current() -> _Reading:
    reading = _reading
    if reading is None or time.monotonic() - reading.monotonic_s > REREAD_SECONDS:
        with _lock:
            reading = _read()
    return reading


def _read() -> _Reading:
    global _reading
    before = time.monotonic()
    wall_before = time.time()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT extract(epoch FROM clock_timestamp()),"
            " floor(extract(epoch FROM paygo_now()) * 1000)::bigint"
        )
        raw_s, database_ms = cursor.fetchone()
    half_trip = (time.monotonic() - before) / 2
    reading = _Reading(before + half_trip, database_ms, wall_before + half_trip - float(raw_s))
    _reading = reading
    return reading
