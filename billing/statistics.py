"""The statistics: hours and days rolled up from what is final, for the dashboard.

An hour that can still change is counted anew each time, whole; once nothing can end in it any more it is
final and never read again. So a run that is doubled, cut off or late changes nothing.
"""

from datetime import datetime, timedelta

from billing import statistics_sql as sql
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
# A day's vendors are counted from all of its transactions: not every minute.
_VENDORS_EVERY = timedelta(minutes=10)


def bring_up_to_date(*, now: datetime, vendors: bool | None = None) -> None:
    """Count what became final since the last time, and measure what is owed and what runs.

    `vendors` says whether days of vendors are counted too; None: where that is ten minutes ago.
    """
    with db.operation():
        db.execute("SET LOCAL statement_timeout = '300s'")
        mark = _lock_mark()
        frontier = _frontier(now=now)
        _count_hours(mark, frontier=frontier)
        last = mark.vendors_counted_at
        if vendors or (vendors is None and (last is None or now - last >= _VENDORS_EVERY)):
            _count_days(mark, frontier=frontier)
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


def _frontier(*, now: datetime) -> datetime:
    (frontier,) = db.row(sql.FRONTIER, {"now": now})
    assert isinstance(frontier, datetime), "the least of an instant and a possible other one"
    return frontier


def _count_hours(mark: StatisticsMark, *, frontier: datetime) -> None:
    since = mark.hours_final_to or _first()
    if since is None:
        return
    since = _hour_of(since)
    db.execute(sql.FORGET_HOURS, {"since": since, "names": list(SUMS)})
    db.execute(sql.COUNT_REVENUE, {"since": since})
    db.execute(sql.COUNT_STREAMED, {"since": since})
    db.execute(sql.COUNT_CHANGES, {"since": since})
    mark.hours_final_to = max(since, _hour_of(frontier))


def _count_days(mark: StatisticsMark, *, frontier: datetime) -> None:
    since = mark.days_final_to or _first()
    if since is None:
        return
    since = _day_of(since)
    db.execute(sql.FORGET_DAYS, {"since": since})
    db.execute(sql.COUNT_VENDORS, {"since": since})
    mark.days_final_to = max(since, _day_of(frontier))


def _first() -> datetime | None:
    (first,) = db.row(sql.FIRST)
    return first if isinstance(first, datetime) else None


def _hour_of(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def _day_of(moment: datetime) -> datetime:
    return _hour_of(moment).replace(hour=0)
