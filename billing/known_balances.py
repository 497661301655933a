"""What the chain last said of public balances, kept in Redis: a help that may be away, wrong or forgotten.

Only the chain's own answers are kept, never anything about a permission.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.core.cache import caches

from core.amounts import MAX_ZAT
from core.clock import from_ms, to_ms

log = structlog.get_logger(__name__)

KEPT = timedelta(hours=1)
# The alias of short time-outs: whoever waits for a cache could have asked the node meanwhile.
_CACHE = "quick"


@dataclass(frozen=True, slots=True)
class KnownBalance:
    """A transparent address's public balance in zatoshis, and the instant at which the chain was asked."""

    transparent_zat: int
    as_of: datetime


def recall(address: str, *, now: datetime) -> KnownBalance | None:
    """Return what the chain said of a transparent address within the last hour, None where it is unknown."""
    try:
        kept = caches[_CACHE].get(_key(address))
    except Exception as error:  # noqa: BLE001  # whatever is wrong with it, the chain can be asked
        log.info("balance_cache_unreadable", reason=str(error)[:200])
        return None
    return _read(kept, now=now)


def remember(address: str, known: KnownBalance) -> None:
    """Keep what the chain said of a transparent address for an hour."""
    kept = {"transparent_zat": known.transparent_zat, "as_of_ms": to_ms(known.as_of)}
    try:
        caches[_CACHE].set(_key(address), kept, timeout=round(KEPT.total_seconds()))
    except Exception as error:  # noqa: BLE001  # the answer is known already
        log.info("balance_cache_not_written", reason=str(error)[:200])


def _key(address: str) -> str:
    return f"transparent-balance:{settings.ZCASH_NETWORK}:{address}"


def _read(kept: Any, *, now: datetime) -> KnownBalance | None:
    """Return what a cache entry says if it can have been written here: others may write to the same Redis."""
    if not isinstance(kept, dict):
        return None
    amount_zat, as_of_ms = kept.get("transparent_zat"), kept.get("as_of_ms")
    # Not isinstance: true and false are numbers of Python.
    if type(amount_zat) is not int or type(as_of_ms) is not int:
        return None
    oldest_ms, now_ms = to_ms(now - KEPT), to_ms(now)
    if not 0 <= amount_zat <= MAX_ZAT or not oldest_ms <= as_of_ms <= now_ms:
        return None
    return KnownBalance(amount_zat, from_ms(as_of_ms))
