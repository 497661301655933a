"""The operator's confirmation policy, from the settings: how deep a payment lies before it is credited."""

from collections.abc import Mapping
from functools import lru_cache

from django.conf import settings

from core.amounts import AmountError, parse_zec

# ZIP-208: a block every 75 seconds on average.
_BLOCK_SECONDS = 75
# For the wallet, the mempool, and a block that takes its time.
_SPARE_SECONDS = 5 * 60


def credit_seconds(confirmations: int) -> int:
    """Return how long before the money ends a top-up must be paid to be credited in time, in seconds."""
    return confirmations * _BLOCK_SECONDS + _SPARE_SECONDS


def base_confirmations() -> int:
    """Return how many confirmations every deposit needs."""
    return int(settings.ZCASH_MIN_CONFIRMATIONS)


def tiers() -> Mapping[int, int]:
    """Return from how many zatoshis on how many confirmations are needed."""
    return parse_tiers(settings.ZCASH_CONFIRMATION_TIERS)


@lru_cache(maxsize=8)
def parse_tiers(text: str) -> Mapping[int, int]:
    """Return the tiers of a text such as `10:3,100:10` (ZEC:confirmations).

    Raises:
        ValueError: it is not such a text.
    """
    parsed = [_tier(part) for part in text.split(",") if part.strip()]
    tiers = dict(parsed)
    if len(tiers) < len(parsed):
        raise ValueError("an amount is named twice")
    return tiers


def _tier(text: str) -> tuple[int, int]:
    amount, separator, confirmations = text.partition(":")
    try:
        from_zat = parse_zec(amount.strip())
    except AmountError as error:
        raise ValueError(f"{text.strip()!r}: the amount {error}") from error
    if not separator or not confirmations.strip().isascii() or not confirmations.strip().isdigit():
        raise ValueError(f"{text.strip()!r} is not ZEC:confirmations, as in 10:3")
    if not 1 <= int(confirmations) <= 100:
        raise ValueError(f"{text.strip()!r}: confirmations must be from 1 to 100")
    return from_zat, int(confirmations)
