"""The time ranges of the dashboard: pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

_STEPS = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7)}


@dataclass(frozen=True)
class Range:
    """A time range of the dashboard, cut into hours, days, or weeks from Monday (UTC)."""

    name: str
    length: timedelta
    unit: str

    def buckets(self, *, now: datetime) -> list[datetime]:
        """Return the beginnings of its parts; the last one is running."""
        step = _STEPS[self.unit]
        last = now.replace(minute=0, second=0, microsecond=0)
        if self.unit != "hour":
            last = last.replace(hour=0)
        if self.unit == "week":
            last -= timedelta(days=last.weekday())
        count = self.length // step
        return [last - step * back for back in range(count - 1, -1, -1)]


RANGES = (
    Range("24h", timedelta(hours=24), "hour"),
    Range("7d", timedelta(days=7), "day"),
    Range("30d", timedelta(days=30), "day"),
    Range("90d", timedelta(days=90), "day"),
    Range("1y", timedelta(days=364), "week"),
)
