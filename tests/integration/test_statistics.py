"""The roll-up says what the rows say, however often and however late it is brought up to date."""

from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing import engine, expiry, figures, statistics
from billing.figures import RANGES
from billing.interval import run_interval
from billing.models import Transaction
from billing.statistic_models import DailyFigure, HourlyFigure, StatisticsMark, VendorDay
from core.models import User
from tests.factories import (
    ALICE,
    MALLORY,
    NOW,
    ZEC,
    after,
    make_active_permission,
    make_permission,
    make_vendor,
    stream,
)

pytestmark = pytest.mark.django_db


def streamed(
    vera: User, *, since: datetime, hours: float, wallet: str = ALICE, vendor: str = "vendor123"
) -> None:
    """Stream for so long from an instant."""
    code = stream(vera, wallet=wallet, vendor=vendor, now=since)
    engine.end(code, client_id=vera.pk, now=since + timedelta(hours=hours))


def totals() -> dict[str, Decimal]:
    """Return the sum of each figure over all hours."""
    found: dict[str, Decimal] = {}
    for each in HourlyFigure.objects.filter(name__in=statistics.SUMS):
        found[each.name] = found.get(each.name, Decimal(0)) + each.value
    return found


def hourly(name: str) -> list[tuple[datetime, Decimal]]:
    return list(HourlyFigure.objects.filter(name=name).order_by("hour").values_list("hour", "value"))


def test_counts_what_was_streamed_in_the_hour_in_which_it_ended(vera: User) -> None:
    make_active_permission(vera)
    streamed(vera, since=NOW, hours=1.5)
    streamed(vera, since=after(hours=2), hours=0.5)

    statistics.bring_up_to_date(now=after(hours=5))

    assert hourly("revenue") == [(after(hours=1), 375_000_000), (after(hours=2), 125_000_000)]
    assert totals()["streamed_ms"] == 2 * 3_600_000
    assert totals()["transactions"] == 2


def test_counts_what_became_of_permissions(vera: User) -> None:
    make_active_permission(vera)
    make_permission(vera, wallet=MALLORY)
    make_active_permission(vera, wallet=MALLORY, expires_at=after(hours=1))
    expiry.run(now=after(hours=1))

    statistics.bring_up_to_date(now=after(hours=5))

    found = totals()
    assert (found["created"], found["paid"], found["expired"]) == (3, 2, 1)
    assert found["credited_zat"] == 20 * ZEC


def test_twice_is_as_good_as_once(vera: User) -> None:
    make_active_permission(vera)
    streamed(vera, since=NOW, hours=1.5)
    statistics.bring_up_to_date(now=after(hours=5), vendors=True)
    once = totals()

    statistics.bring_up_to_date(now=after(hours=5), vendors=True)
    statistics.start_over()
    statistics.bring_up_to_date(now=after(hours=5), vendors=True)

    assert totals() == once
    assert VendorDay.objects.get().amount == once["revenue"]


def test_every_few_minutes_is_as_good_as_at_the_end(vera: User) -> None:
    make_active_permission(vera, requested=100 * ZEC)
    for minute in range(0, 300, 7):
        since = after(seconds=60 * minute)
        streamed(vera, since=since, hours=0.1)
        statistics.bring_up_to_date(now=since + timedelta(minutes=7), vendors=minute % 3 == 0)
    statistics.bring_up_to_date(now=after(hours=6), vendors=True)
    bit_by_bit = totals(), list(VendorDay.objects.values_list("day", "amount", "transactions"))

    statistics.start_over()
    HourlyFigure.objects.all().delete()
    statistics.bring_up_to_date(now=after(hours=6), vendors=True)

    assert (totals(), list(VendorDay.objects.values_list("day", "amount", "transactions"))) == bit_by_bit
    assert totals()["revenue"] == sum(each.amount_zat or 0 for each in Transaction.objects.all())


def test_an_hour_stays_open_as_long_as_something_may_still_end_in_it(vera: User) -> None:
    make_active_permission(vera)
    stream(vera, now=NOW)
    statistics.bring_up_to_date(now=after(hours=1.5))
    assert StatisticsMark.objects.get().hours_final_to == NOW
    # Nobody bills for a day: the session has ended, after four hours, and nobody knows it.
    statistics.bring_up_to_date(now=after(hours=24))
    assert totals().get("revenue") is None

    run_interval(now=after(hours=24), engine="test", chunk_size=10)
    statistics.bring_up_to_date(now=after(hours=24))

    assert hourly("revenue") == [(after(hours=4), 10 * ZEC)]
    assert StatisticsMark.objects.get().hours_final_to == after(hours=23)


def test_one_that_nobody_can_bill_lets_nothing_be_counted_again(vera: User) -> None:
    make_active_permission(vera)
    stream(vera, now=NOW)
    make_active_permission(vera, wallet=MALLORY, requested=100 * ZEC)
    streamed(vera, wallet=MALLORY, since=after(hours=1), hours=0.5)
    for hours in (34, 34.1):
        statistics.bring_up_to_date(now=after(hours=hours), vendors=True)
    HourlyFigure.objects.filter(name="revenue").update(value=7)

    statistics.bring_up_to_date(now=after(hours=35), vendors=True)
    assert totals()["revenue"] == 7
    assert StatisticsMark.objects.get().hours_final_to == after(hours=34)
    run_interval(now=after(hours=35), engine="test", chunk_size=10)
    statistics.bring_up_to_date(now=after(hours=35), vendors=True)

    assert totals()["revenue"] == 10 * ZEC + 125_000_000
    assert hourly("revenue") == [(after(hours=1), 125_000_000), (after(hours=4), 10 * ZEC)]
    assert sum(each.amount for each in VendorDay.objects.all()) == totals()["revenue"]


def test_a_final_hour_is_never_read_again(vera: User) -> None:
    make_active_permission(vera)
    streamed(vera, since=NOW, hours=1.5)
    statistics.bring_up_to_date(now=after(hours=5))
    HourlyFigure.objects.filter(name="revenue").update(value=1)

    statistics.bring_up_to_date(now=after(hours=6))

    assert totals()["revenue"] == 1


def test_measures_what_is_owed_and_what_runs(vera: User) -> None:
    make_active_permission(vera)
    make_active_permission(vera, wallet=MALLORY)
    stream(vera, now=NOW)

    statistics.bring_up_to_date(now=NOW)

    measured = dict(HourlyFigure.objects.filter(hour=NOW).values_list("name", "value"))
    assert (measured["remaining_zat"], measured["running"], measured["active"]) == (20 * ZEC, 1, 2)


def test_the_latest_measurement_of_an_hour_stands_for_it(vera: User) -> None:
    make_active_permission(vera)
    statistics.bring_up_to_date(now=NOW)
    stream(vera, now=NOW)
    statistics.bring_up_to_date(now=after(seconds=60))

    found = figures.read(RANGES[0], now=after(hours=1))

    assert found.measured["running"] == 1


def test_a_range_has_its_sums_and_those_of_the_range_before(vera: User) -> None:
    make_active_permission(vera)
    streamed(vera, since=NOW, hours=1)
    streamed(vera, since=after(hours=30), hours=0.5)
    statistics.bring_up_to_date(now=after(hours=31), vendors=True)

    found = figures.read(RANGES[0], now=after(hours=31))

    assert found.totals["revenue", "ZEC"] == 125_000_000
    assert found.before["revenue", "ZEC"] == 250_000_000
    assert [len(found.buckets), sum(found.of("revenue", "ZEC"))] == [24, 125_000_000]


def test_days_are_the_sums_of_their_hours_however_often_they_are_counted(vera: User) -> None:
    make_active_permission(vera)
    for hour in (0, 20, 30, 55):
        streamed(vera, since=after(hours=hour), hours=0.5)
        statistics.bring_up_to_date(now=after(hours=hour + 1))
    statistics.bring_up_to_date(now=after(hours=60))

    days: dict[tuple[str, date], Decimal] = {}
    for each in HourlyFigure.objects.filter(name__in=statistics.SUMS):
        key = (each.name, each.hour.date())
        days[key] = days.get(key, Decimal(0)) + each.value
    assert {(each.name, each.day): each.value for each in DailyFigure.objects.all()} == days
    found = figures.read(RANGES[1], now=after(hours=60))
    assert (found.totals["revenue", "ZEC"], found.left()[-1]) == (5 * ZEC, 5 * ZEC)


def test_the_best_vendors_come_first(vera: User) -> None:
    make_active_permission(vera)
    make_vendor(vera, slug="small")
    streamed(vera, since=NOW, hours=0.5, vendor="small")
    streamed(vera, since=after(hours=2), hours=2)
    statistics.bring_up_to_date(now=after(hours=5), vendors=True)

    found = figures.read(RANGES[1], now=after(hours=5)).vendors

    assert [(each.slug, each.amount) for each in found] == [("vendor123", 5 * ZEC), ("small", 125_000_000)]


@pytest.mark.parametrize("asked", RANGES, ids=lambda each: each.name)
def test_the_numbers_of_every_range_come_from_the_roll_up_alone(vera: User, asked: figures.Range) -> None:
    with CaptureQueriesContext(connection) as captured:
        figures.read(asked, now=NOW)

    tables = " ".join(each["sql"] for each in captured)
    assert len(captured) == 5
    assert all(name not in tables for name in ("zcash_permission", "billing_transaction", "audit"))


def test_what_is_owed_is_what_moved_less_what_was_streamed(vera: User) -> None:
    make_active_permission(vera)
    streamed(vera, since=NOW, hours=1)
    streamed(vera, since=after(hours=30), hours=0.5)
    statistics.bring_up_to_date(now=after(hours=31))

    found = figures.read(RANGES[0], now=after(hours=31))

    assert found.left()[0] == 750_000_000
    assert found.left()[-1] == 625_000_000
