"""Numbers and spans as a page has room for them."""

from datetime import timedelta
from decimal import Decimal

from billing.models import Transaction
from core.amounts import zec_text

_ZAT = 100_000_000


def zec(amount_zat: Decimal) -> str:
    """Return zatoshis in ZEC as a page has room for them: rounded down, whole digits grouped."""
    return plain(amount_zat / _ZAT)


def plain(value: Decimal) -> str:
    """Return a number with as many decimals as its size asks for."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    if abs(value) >= 10 or value == value.to_integral():
        return f"{value:,.1f}".removesuffix(".0")
    return zec_text(int(value * _ZAT) // 10_000 * 10_000)


def tokens(units: int, decimals: int) -> str:
    """Return smallest units in whole tokens, exactly."""
    if not decimals:
        return str(units)
    digits = str(units).rjust(decimals + 1, "0")
    return f"{digits[:-decimals]}.{digits[-decimals:]}".rstrip("0").removesuffix(".")


def in_asset(row: Transaction, zat: int | None, units: int | None) -> str:
    """Return an amount of a transaction in its asset: ZEC, or whole tokens of who pays it."""
    if row.authorization is not None:
        return "" if units is None else tokens(units, row.authorization.decimals)
    return "" if zat is None else zec_text(zat)


def ago(span: timedelta) -> str:
    """Return a span as people say it."""
    seconds = max(0, int(span.total_seconds()))
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
