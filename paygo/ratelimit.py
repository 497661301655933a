"""How many calls somebody may make: leaky buckets (GCRA), counted in Redis, in one atomic step each.

A bucket is one number, the instant at which it will be empty. Redis reads its own clock, so that processes
whose clocks differ share a bucket. While Redis is away each process counts for itself: then the sum of the
processes may be more than the limit, but no process ever lets more through than it.

A bucket that was seen less than half full is not asked about at every call: for a moment a process counts a
few calls itself, and tells Redis of them with the next. To ask costs a tenth of what a whole call does.
"""

import re
import threading
import time
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import redis
import structlog
from django_redis import get_redis_connection

log = structlog.get_logger(__name__)

OFF = "off"
_CACHE = "quick"
# For so long nobody asks a Redis that has just not answered: each call would wait for its time-out.
_RETRY_SECONDS = 2.0
_MAX_LOCAL = 10_000
# For so long, and for so small a part of the bucket, a process counts by itself.
_AHEAD_SECONDS = 0.05
_AHEAD_SHARE = 16
_RATE = re.compile(r"([1-9][0-9]{0,8})/([smh])")
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_US = 1_000_000

# KEYS: the bucket. ARGV: microseconds that a call adds, microseconds that the bucket holds, and microseconds
# that calls have added which were let through meanwhile: they count whether this one fits or not.
# Returns whether the call fits, and for how long the bucket is not empty after it.
_TAKE = """
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local adds, holds = tonumber(ARGV[1]), tonumber(ARGV[2])
local empty_at = tonumber(redis.call('GET', KEYS[1]) or now)
-- Whoever set the clock of Redis back has locked nobody out for longer than a full bucket does.
empty_at = math.min(math.max(empty_at, now), now + holds)
local filled = math.min(empty_at - now + tonumber(ARGV[3]), holds)
local fits = filled + adds <= holds
if fits then filled = filled + adds end
if filled > 0 then
    redis.call('SET', KEYS[1], string.format('%.0f', now + filled), 'PX', math.ceil(filled / 1000))
end
return {fits and 1 or 0, filled}
"""


@dataclass(frozen=True, slots=True)
class Rate:
    """So many calls in so many seconds: as many at once, and then one by one as the bucket empties."""

    calls: int
    seconds: int

    @property
    def adds_us(self) -> int:
        return max(1, self.seconds * _US // self.calls)

    @property
    def holds_us(self) -> int:
        return self.adds_us * self.calls


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of one call: whether it fits, how many more would, and how long until all would."""

    allowed: bool
    rate: Rate
    filled_us: int

    @property
    def remaining(self) -> int:
        return max(0, (self.rate.holds_us - self.filled_us) // self.rate.adds_us)

    @property
    def full_again_seconds(self) -> int:
        return _ceil_seconds(self.filled_us)

    @property
    def retry_after_seconds(self) -> int:
        return max(1, _ceil_seconds(self.filled_us + self.rate.adds_us - self.rate.holds_us))


@lru_cache(maxsize=64)
def parse_rate(text: str) -> Rate | None:
    """Return the rate that a setting says (`600/m`; s, m or h), None for `off`. Raises ValueError."""
    if text == OFF:
        return None
    found = _RATE.fullmatch(text)
    if not found:
        raise ValueError("must be calls per s, m or h, as in 600/m, or off")
    return Rate(int(found[1]), _SECONDS[found[2]])


def take(name: str, rate: Rate) -> Taken:
    """Count one call in the bucket of a name, which begins with its policy (`calls:...`)."""
    if filled_us := _ahead.take(name, rate):
        return Taken(allowed=True, rate=rate, filled_us=filled_us)
    filled = _shared.take(name, rate, owed_us=_ahead.settle(name))
    if filled is None:
        filled = _local.take(name, rate)
    else:
        _ahead.note(name, rate, filled_us=filled[1])
    return Taken(filled[0], rate, filled[1])


class _Seen:
    """What Redis said of a bucket, and what this process has added since."""

    __slots__ = ("added_us", "at", "filled_us")

    def __init__(self, filled_us: int) -> None:
        self.filled_us, self.added_us, self.at = filled_us, 0, time.monotonic()


class _Ahead:
    """Calls that this process lets through before it tells Redis of them."""

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}
        self._lock = threading.Lock()

    def take(self, name: str, rate: Rate) -> int | None:
        """Count a call in a bucket that is far from full; None where Redis is to be asked."""
        with self._lock:
            seen = self._seen.get(name)
            if seen is None or time.monotonic() - seen.at > _AHEAD_SECONDS:
                return None
            added_us = seen.added_us + rate.adds_us
            filled_us = seen.filled_us + added_us
            if added_us > rate.holds_us // _AHEAD_SHARE or filled_us > rate.holds_us // 2:
                return None
            seen.added_us = added_us
            return filled_us

    def settle(self, name: str) -> int:
        """Return, once, what Redis is to be told beside the next call."""
        with self._lock:
            seen = self._seen.pop(name, None)
        return seen.added_us if seen else 0

    def note(self, name: str, rate: Rate, *, filled_us: int) -> None:
        """Remember a bucket, as Redis has just seen it."""
        if filled_us >= rate.holds_us // 2:
            return
        with self._lock:
            if len(self._seen) >= _MAX_LOCAL:
                # What Redis was not told yet is forgotten: a small part of each bucket.
                self._seen.clear()
            self._seen.setdefault(name, _Seen(filled_us))

    def forget(self) -> None:
        self._seen = {}


class _Shared:
    """The buckets in Redis, which all processes count in."""

    def __init__(self) -> None:
        self._script: Any = None
        self._away_until = 0.0

    def take(self, name: str, rate: Rate, *, owed_us: int) -> tuple[bool, int] | None:
        """Count a call, and what others have added meanwhile; None while Redis is away."""
        if time.monotonic() < self._away_until:
            return None
        try:
            client = get_redis_connection(_CACHE)
            self._script = self._script or client.register_script(_TAKE)
            allowed, filled_us = self._script(
                keys=[f"paygo:limit:{name}"], args=[rate.adds_us, rate.holds_us, owed_us], client=client
            )
            return bool(allowed), int(filled_us)
        except (redis.RedisError, OSError, ValueError, TypeError) as error:
            self._away_until = time.monotonic() + _RETRY_SECONDS
            log.warning(
                "rate_limits_without_redis",
                reason=str(error)[:200],
                advice="each process limits by itself meanwhile; check REDIS_URL",
            )
            return None

    def forget(self) -> None:
        self._away_until = 0.0


class _Local:
    """The buckets of this process, so many of each policy: whoever comes later shares the last one.

    So whoever guesses from many addresses takes no place from those with a key.
    """

    def __init__(self) -> None:
        self._empty_at_us: defaultdict[str, dict[str, int]] = defaultdict(dict)
        self._lock = threading.Lock()

    def take(self, name: str, rate: Rate) -> tuple[bool, int]:
        """Count a call."""
        now_us = time.monotonic_ns() // 1000
        with self._lock:
            buckets = self._buckets_for(name, now_us=now_us)
            place = name if name in buckets or len(buckets) < _MAX_LOCAL else "everybody else"
            left_us = max(0, buckets.get(place, now_us) - now_us)
            filled_us = left_us + rate.adds_us
            if filled_us > rate.holds_us:
                return False, left_us
            buckets[place] = now_us + filled_us
            return True, filled_us

    def _buckets_for(self, name: str, *, now_us: int) -> dict[str, int]:
        """Return the buckets of a name's policy, without empty ones where there is no room for it."""
        policy = name.partition(":")[0]
        buckets = self._empty_at_us[policy]
        if name not in buckets and len(buckets) >= _MAX_LOCAL:
            buckets = {each: at for each, at in buckets.items() if at > now_us}
            self._empty_at_us[policy] = buckets
        return buckets

    def forget(self) -> None:
        self._empty_at_us.clear()


def forget() -> None:
    """Forget what this process has counted, and that Redis was away."""
    for counter in (_ahead, _shared, _local):
        counter.forget()


_ahead, _shared, _local = _Ahead(), _Shared(), _Local()


def _ceil_seconds(microseconds: int) -> int:
    return -(-microseconds // _US)
