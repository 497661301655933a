"""What the dashboard shows, read from the roll-up alone: a few statements, whatever the history's size."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from billing import statistics, statistics_sql
from billing.models import IntervalRun
from billing.ranges import RANGES, Range
from billing.statistic_models import StatisticsMark
from core import db
from sessions_app.models import Vendor

__all__ = ["RANGES", "Figures", "Range", "TopVendor", "latest_runs", "read"]

_RUNS = 60


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
    series = _summed(_rows(asked, since, until), buckets)
    mark = StatisticsMark.objects.filter(pk=1).first()
    return Figures(
        buckets=buckets,
        series=series,
        totals={key: sum(values, Decimal(0)) for key, values in series.items()},
        before=_totals(_rows(asked, since - asked.length, since)),
        measured=dict(db.rows(statistics_sql.MEASURED, {"names": list(statistics.MEASURED), "until": until})),
        counted_at=mark.counted_at if mark else None,
        left_before=_left_before(since),
        vendors=_top_vendors(mark.top_vendors.get(asked.name, [])) if mark else [],
    )


def latest_runs() -> list[IntervalRun]:
    """Return the last finished runs of the interval, oldest first."""
    return list(IntervalRun.objects.exclude(finished_at=None).order_by("-started_at")[:_RUNS])[::-1]


_Row = tuple[str, str, datetime, Decimal]


def _rows(asked: Range, since: datetime, until: datetime) -> list[_Row]:
    statement = statistics_sql.SERIES if asked.unit == "hour" else statistics_sql.SERIES_OF_DAYS
    parameters = {"names": list(statistics.SUMS), "unit": asked.unit, "since": since, "until": until}
    return [(name, asset, bucket, value) for name, asset, bucket, value in db.rows(statement, parameters)]


def _summed(rows: list[_Row], buckets: list[datetime]) -> dict[tuple[str, str], list[Decimal]]:
    found = _by_bucket(rows)
    return {key: [values.get(each, Decimal(0)) for each in buckets] for key, values in found.items()}


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


def _top_vendors(counted: list[list[Any]]) -> list[TopVendor]:
    """Return the vendors that were counted, with what they are called now."""
    keys = [vendor_id for vendor_id, *_ in counted]
    vendors = Vendor.objects.select_related("client").in_bulk(keys)
    return [
        TopVendor(
            vendor_id=vendor_id,
            slug=vendors[vendor_id].slug,
            name=vendors[vendor_id].name,
            client=vendors[vendor_id].client.username,
            asset=asset,
            amount=Decimal(amount),
            streamed_ms=streamed_ms,
        )
        for vendor_id, asset, amount, streamed_ms in counted
    ]
