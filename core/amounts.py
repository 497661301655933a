"""Money as integers: zatoshis inside, ZEC as decimal text and JSON numbers outside (design: units)."""

import re
from decimal import ROUND_FLOOR, Decimal

ZAT_PER_ZEC = 100_000_000
MAX_ZEC = 21_000_000
MAX_ZAT = MAX_ZEC * ZAT_PER_ZEC
MS_PER_HOUR = 3_600_000

# `\d` would admit digits of other scripts; the length bound keeps the work on hostile input constant.
_PLAIN_DECIMAL = re.compile(r"[0-9]{1,16}(\.[0-9]{1,32})?")
_HOURS_STEP = Decimal("0.000001")


class AmountError(ValueError):
    """An amount that cannot be taken; the message is for the person who sent it."""


def parse_zec(value: object) -> int:
    """Return the zatoshis in a ZEC amount given as int, Decimal or plain decimal text.

    Raises:
        AmountError: not a plain decimal number, not above 0, more than 8 decimals, or above 21 million.
    """
    amount = _decimal(value)
    if amount <= 0:
        raise AmountError("must be greater than 0")
    if amount > MAX_ZEC:
        raise AmountError("must not be more than 21000000")
    zat = amount * ZAT_PER_ZEC
    if zat != zat.to_integral_value():
        raise AmountError("must not have more than 8 decimals")
    return int(zat)


def _decimal(value: object) -> Decimal:
    if isinstance(value, bool):
        raise AmountError("must be a number")
    if isinstance(value, str):
        if not _PLAIN_DECIMAL.fullmatch(value):
            raise AmountError("must be a plain decimal number")
        return Decimal(value)
    if isinstance(value, Decimal):
        # An exponent of a million costs time and memory as soon as it is computed with.
        if not value.is_finite() or not -40 < value.adjusted() < 40 or len(value.as_tuple().digits) > 48:
            raise AmountError("must be a plain decimal number")
        return value
    if isinstance(value, int):
        return Decimal(value) if -(10**20) < value < 10**20 else Decimal(MAX_ZEC + 1)
    raise AmountError("must be a number")


def zec(amount_zat: int) -> Decimal:
    """Return the amount in ZEC, exactly, with 8 decimals."""
    return Decimal(amount_zat).scaleb(-8)


def zec_text(amount_zat: int) -> str:
    """Return the amount in ZEC as the shortest plain decimal text (`10`, `0.00000001`)."""
    text = f"{zec(amount_zat):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def hours(amount_zat: int, *, rate_zat_per_hour: int) -> Decimal:
    """Return how many hours an amount lasts at a rate, rounded down to 6 decimals: a view, never stored."""
    return (Decimal(amount_zat) / Decimal(rate_zat_per_hour)).quantize(_HOURS_STEP, rounding=ROUND_FLOOR)


def div_floor(dividend: int, divisor: int) -> int:
    """Return the quotient rounded towards minus infinity."""
    return dividend // divisor


def div_ceil(dividend: int, divisor: int) -> int:
    """Return the quotient rounded towards plus infinity."""
    return -(-dividend // divisor)
