"""What the dashboard shows, read from the roll-up alone: a few statements, whatever the history's size."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from billing import statistics, statistics_sql
from billing.models import IntervalRun
from core import db

TOP = 8
_STEPS = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7)}
_RUNS = 60


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


@dataclass(frozen=True)
class TopVendor:
    """A vendor and what its streams cost in a time range."""

    vendor_id: int
    slug: str
    name: str
    client: str
    asset: str
    amount: Decimal
    streamed_ms: int


@dataclass(frozen=True)
class Figures:
    """The numbers of a time range.

    `series` has a value for each bucket, by (name, asset); `totals` and `before` are sums over the range and
    over the one before it; `measured` is the latest measurement.
    """

    buckets: list[datetime]
    series: dict[tuple[str, str], list[Decimal]]
    totals: dict[tuple[str, str], Decimal]
    before: dict[tuple[str, str], Decimal]
    measured: dict[str, Decimal]
    counted_at: datetime | None
    left_before: Decimal = Decimal(0)
    vendors: list[TopVendor] = field(default_factory=list)

    def assets(self, name: str) -> list[str]:
        """Return the assets that a figure has, ZEC first."""
        return sorted(
            {asset for found, asset in self.series if found == name}, key=lambda each: each != "ZEC"
        )

    def left(self) -> list[Decimal]:
        """Return what permissions had left at the end of each bucket, in zatoshis: what is owed."""
        left, found = self.left_before, []
        for moved, used in zip(self.of("moved_zat", "ZEC"), self.of("revenue", "ZEC"), strict=True):
            left += moved - used
            found.append(left)
        return found

    def of(self, name: str, asset: str = "") -> list[Decimal]:
        """Return a figure's value in each bucket."""
        return self.series.get((name, asset)) or [Decimal(0)] * len(self.buckets)


def read(asked: Range, *, now: datetime) -> Figures:
    """Return the numbers of a time range."""
    buckets = asked.buckets(now=now)
    since, until = buckets[0], now + timedelta(hours=1)
    series = _summed(_rows(statistics_sql.SERIES, statistics.SUMS, asked, since, until), buckets)
    measured = _rows(statistics_sql.LAST_OF_BUCKETS, statistics.MEASURED, asked, since, until)
    earlier = _rows(statistics_sql.SERIES, statistics.SUMS, asked, since - asked.length, since)
    return Figures(
        buckets=buckets,
        series={**series, **_standing(measured, buckets)},
        totals={key: sum(values, Decimal(0)) for key, values in series.items()},
        before=_totals(earlier),
        measured={name: value for name, _, _, value in measured},
        counted_at=statistics.counted_at(),
        left_before=_left_before(since),
        vendors=_top_vendors(since),
    )


def latest_runs() -> list[IntervalRun]:
    """Return the last finished runs of the interval, oldest first."""
    return list(IntervalRun.objects.exclude(finished_at=None).order_by("-started_at")[:_RUNS])[::-1]


_Row = tuple[str, str, datetime, Decimal]


def _rows(statement: str, names: Sequence[str], asked: Range, since: datetime, until: datetime) -> list[_Row]:
    parameters = {"names": list(names), "unit": asked.unit, "since": since, "until": until}
    return [(name, asset, bucket, value) for name, asset, bucket, value in db.rows(statement, parameters)]


def _summed(rows: list[_Row], buckets: list[datetime]) -> dict[tuple[str, str], list[Decimal]]:
    found = _by_bucket(rows)
    return {key: [values.get(each, Decimal(0)) for each in buckets] for key, values in found.items()}


def _standing(rows: list[_Row], buckets: list[datetime]) -> dict[tuple[str, str], list[Decimal]]:
    """Let a measurement stand until the next one."""
    found = {}
    for key, values in _by_bucket(rows).items():
        stands = Decimal(0)
        found[key] = [stands := values.get(each, stands) for each in buckets]
    return found


def _by_bucket(rows: list[_Row]) -> dict[tuple[str, str], dict[datetime, Decimal]]:
    found: dict[tuple[str, str], dict[datetime, Decimal]] = {}
    for name, asset, bucket, value in rows:
        found.setdefault((name, asset), {})[bucket] = value
    return found


def _totals(rows: list[_Row]) -> dict[tuple[str, str], Decimal]:
    found: dict[tuple[str, str], Decimal] = {}
    for name, asset, _, value in rows:
        found[name, asset] = found.get((name, asset), Decimal(0)) + value
    return found


def _left_before(since: datetime) -> Decimal:
    (left,) = db.row(statistics_sql.LEFT_BEFORE, {"since": since})
    return Decimal(left)


def _top_vendors(since: datetime) -> list[TopVendor]:
    rows: list[tuple[Any, ...]] = db.rows(statistics_sql.TOP_VENDORS, {"since": since, "limit": TOP})
    return [TopVendor(*row) for row in rows]
