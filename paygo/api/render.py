"""From the domain's values to JSON's: zatoshis to ZEC, instants to RFC 3339 texts in UTC."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from core.amounts import hours, zec


def zec_number(amount_zat: int) -> float:
    """Return the ZEC of an amount as a JSON number: exact for every zatoshi up to 21 million ZEC."""
    return float(zec(amount_zat))


def zec_or_none(amount_zat: int | None) -> float | None:
    """Return the ZEC of an amount that there need not be."""
    return None if amount_zat is None else zec_number(amount_zat)


def seconds(duration_ms: int) -> float:
    """Return the seconds of whole milliseconds."""
    return duration_ms / 1000


def hours_number(amount_zat: int, *, rate_zat_per_hour: int) -> float:
    """Return for how many hours an amount lasts, rounded down to 6 decimals."""
    return float(hours(amount_zat, rate_zat_per_hour=rate_zat_per_hour))


def difference_of_hours(more_zat: int, less_zat: int, *, rate_zat_per_hour: int) -> float:
    """Return the difference of two amounts' hours as they are shown, so that the shown numbers add up."""
    more = hours(more_zat, rate_zat_per_hour=rate_zat_per_hour)
    return float(more - hours(less_zat, rate_zat_per_hour=rate_zat_per_hour))


def instant(moment: datetime) -> str:
    """Return an instant as RFC 3339 has it (`2026-02-01T00:00:00Z`)."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def instant_or_none(moment: datetime | None) -> str | None:
    """Return an instant that there need not be."""
    return None if moment is None else instant(moment)


def plain(value: Any) -> Any:
    """Return a value of an error's context as JSON has it."""
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, Decimal):
        return float(value)
    return instant(value) if isinstance(value, datetime) else value
