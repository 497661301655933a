"""The statistics: hours and days rolled up from what is final, for the dashboard.

An hour that can still change is counted anew each time, whole; once nothing can end in it any more it is
final and never read again. So a run that is doubled, cut off or late changes nothing.

What nobody could settle for hours (a permission that is put aside, an engine that stands) does not keep all
since then open: it is noted, and the hours since then are counted anew once it has been settled.
"""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from billing import statistics_sql as sql
from billing.ranges import RANGES
from billing.statistic_models import StatisticsMark
from core import db

# What is summed up hour by hour, and what is measured.
SUMS = (
    "revenue",
    "streamed_ms",
    "transactions",
    "created",
    "paid",
    "activated",
    "exhausted",
    "expired",
    "revoked",
    "lapsed",
    "refunded",
    "credited_zat",
    "refunded_zat",
    "moved_zat",
)
MEASURED = ("remaining_zat", "running", "active", "pending", "lost_zat", "refunding_zat")
_TOP = 8
# A day's vendors are counted from all of its transactions: not every minute.
_VENDORS_EVERY = timedelta(minutes=10)
# What was not settled for so long is not waited for.
_STUCK = timedelta(hours=2)


class Open(NamedTuple):
    """From when on hours can still change, and since when which sources have not been settled for long."""

    frontier: datetime
    stuck_since: datetime | None
    stuck: str


def bring_up_to_date(*, now: datetime, vendors: bool | None = None) -> None:
    """Count what became final since the last time, and measure what is owed and what runs.

    `vendors` says whether days of vendors are counted too; None: where that is ten minutes ago.
    """
    with db.operation():
        db.execute("SET LOCAL statement_timeout = '300s'")
        mark = _lock_mark()
        still = Open(*db.row(sql.FRONTIER, {"now": now, "stuck_before": now - _STUCK}))
        _reopen(mark, still)
        _count_hours(mark, frontier=still.frontier)
        last = mark.vendors_counted_at
        if vendors or (vendors is None and (last is None or now - last >= _VENDORS_EVERY)):
            _count_days(mark, frontier=still.frontier)
            mark.top_vendors = {each.name: _top_vendors(each.buckets(now=now)[0]) for each in RANGES}
            mark.vendors_counted_at = now
        db.execute(sql.MEASURE, {"now": now})
        mark.counted_at = now
        mark.save()


def start_over() -> None:
    """Let the next run count everything from the beginning: for rows that were made in the past."""
    with db.operation():
        mark = _lock_mark()
        mark.hours_final_to = mark.days_final_to = mark.vendors_counted_at = None
        mark.save()


def counted_at() -> datetime | None:
    """Return when the statistics were brought up to date last."""
    return StatisticsMark.objects.filter(pk=1).values_list("counted_at", flat=True).first()


def _lock_mark() -> StatisticsMark:
    StatisticsMark.objects.get_or_create(pk=1)
    return StatisticsMark.objects.select_for_update().get(pk=1)


def _reopen(mark: StatisticsMark, still: Open) -> None:
    """Let everything since what was stuck be counted anew, if that has been settled, or is joined by more."""
    if mark.stuck_since and mark.stuck != still.stuck:
        if mark.hours_final_to:
            mark.hours_final_to = min(mark.hours_final_to, mark.stuck_since)
        if mark.days_final_to:
            mark.days_final_to = min(mark.days_final_to, mark.stuck_since)
    mark.stuck_since, mark.stuck = still.stuck_since, still.stuck


def _count_hours(mark: StatisticsMark, *, frontier: datetime) -> None:
    since = mark.hours_final_to or _first()
    if since is None:
        return
    since = _hour_of(since)
    db.execute(sql.FORGET_HOURS, {"since": since, "names": list(SUMS)})
    db.execute(sql.COUNT_REVENUE, {"since": since})
    db.execute(sql.COUNT_STREAMED, {"since": since})
    db.execute(sql.COUNT_CHANGES, {"since": since})
    db.execute(sql.FORGET_DAYS_OF_FIGURES, {"since": since})
    db.execute(sql.COUNT_DAYS_OF_FIGURES, {"since": since, "names": list(SUMS)})
    mark.hours_final_to = max(since, _hour_of(frontier))


def _count_days(mark: StatisticsMark, *, frontier: datetime) -> None:
    since = mark.days_final_to or _first()
    if since is None:
        return
    since = _day_of(since)
    db.execute(sql.FORGET_DAYS, {"since": since})
    db.execute(sql.COUNT_VENDORS, {"since": since})
    mark.days_final_to = max(since, _day_of(frontier))


def _top_vendors(since: datetime) -> list[list[Any]]:
    """Return (vendor, asset, amount, milliseconds) of the best vendors since a day."""
    return [list(row) for row in db.rows(sql.TOP_VENDORS, {"since": since, "limit": _TOP})]


def _first() -> datetime | None:
    (first,) = db.row(sql.FIRST)
    return first if isinstance(first, datetime) else None


def _hour_of(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def _day_of(moment: datetime) -> datetime:
    return _hour_of(moment).replace(hour=0)
