"""Notices: each rule once for its period, in time for a top-up, and one at a time after an outage."""

from datetime import datetime, timedelta

import pytest

from billing import funding, interval, notices
from billing.notice_models import Notice
from core.models import Event, User
from tests.factories import (
    NOW,
    ZEC,
    after,
    make_active_permission,
    make_client,
    make_permission,
    make_vendor,
    pay,
    see_deposit,
    stream,
)
from zcash.models import SpendingPermission

pytestmark = pytest.mark.django_db(transaction=True)

DAYS = 24


@pytest.fixture
def vera() -> User:
    client = make_client()
    make_vendor(client)
    return client


def told(now: datetime) -> list[str]:
    """Return the rules of the warnings that a round tells of."""
    before = set(Event.objects.values_list("pk", flat=True))
    count = notices.run(now=now)
    found = Event.objects.exclude(pk__in=before).order_by("pk")
    assert len(found) == count
    assert all(each.kind in ("permission.expiring", "permission.low_balance") for each in found)
    return [each.payload["rule"] for each in found]


def test_warns_of_the_last_day_three_times_and_each_time_once(vera: User) -> None:
    make_active_permission(vera)

    assert told(after(hours=27 * DAYS - 1)) == []
    assert told(after(hours=27 * DAYS)) == ["expires_in_72h"]
    assert told(after(hours=27 * DAYS + 1)) == []
    assert told(after(hours=29 * DAYS)) == ["expires_in_24h"]
    assert told(after(hours=30 * DAYS - 1)) == ["expires_in_1h"]
    assert told(after(hours=30 * DAYS - 0.5)) == []


def test_after_an_outage_tells_only_the_tightest_of_what_it_missed(vera: User) -> None:
    make_active_permission(vera)

    assert told(after(hours=30 * DAYS - 2)) == ["expires_in_24h"]
    assert told(after(hours=30 * DAYS - 2)) == []
    assert told(after(hours=30 * DAYS - 1)) == ["expires_in_1h"]
    assert Notice.objects.filter(told=False).get().rule == "expires_in_72h"


def test_says_nothing_of_a_lead_that_had_passed_when_it_was_paid(vera: User) -> None:
    make_active_permission(vera, expires_at=after(hours=48))

    assert told(after(hours=1)) == []
    assert told(after(hours=24)) == ["expires_in_24h"]


def test_an_expired_or_unpaid_permission_is_warned_of_nothing(vera: User) -> None:
    make_permission(vera)

    assert told(after(hours=30 * DAYS - 1)) == []
    assert told(after(hours=31 * DAYS)) == []


def test_an_extended_permission_is_warned_anew(vera: User) -> None:
    permission = make_active_permission(vera)
    assert told(after(hours=27 * DAYS)) == ["expires_in_72h"]

    SpendingPermission.objects.filter(pk=permission.pk).update(expires_at=after(hours=37 * DAYS))

    assert told(after(hours=27 * DAYS + 1)) == []
    assert told(after(hours=34 * DAYS)) == ["expires_in_72h"]


def test_warns_at_a_fifth_of_what_was_paid_once_and_anew_after_a_top_up(vera: User) -> None:
    # 10 ZEC at 2.5 ZEC an hour: a fifth is left after 3.2 hours.
    permission = make_active_permission(vera)
    stream(vera)
    assert told(after(hours=3.1)) == []
    assert told(after(hours=3.2)) == ["remaining_20_percent"]
    assert told(after(hours=3.3)) == []

    pay(permission, 10 * ZEC, now=after(hours=3.3))

    assert told(after(hours=3.4)) == []
    assert told(after(hours=6.5)) == ["remaining_20_percent"]


def test_warns_while_a_top_up_can_still_be_confirmed(vera: User) -> None:
    # Three confirmations of 75 s and five minutes: 525 s before the end, which is after 4 hours.
    make_active_permission(vera)
    stream(vera)
    assert told(after(hours=3.3)) == ["remaining_20_percent"]

    assert told(after(hours=4, seconds=-526)) == []
    assert told(after(hours=4, seconds=-525)) == ["time_to_top_up"]
    assert told(after(hours=4, seconds=-400)) == []


def test_counts_what_several_sessions_burn_together(vera: User) -> None:
    make_active_permission(vera)
    stream(vera)
    stream(vera, ref="kitchen")

    # Twice as fast: the end comes after 2 hours.
    assert told(after(hours=2, seconds=-525)) == ["time_to_top_up"]


def test_does_not_warn_where_the_next_permission_waits(vera: User) -> None:
    make_active_permission(vera)
    make_active_permission(vera)
    stream(vera)

    assert told(after(hours=3.9)) == []


def test_does_not_warn_while_a_top_up_waits_for_its_confirmations(vera: User) -> None:
    permission = make_active_permission(vera)
    stream(vera)
    top_up = see_deposit(permission, amount=ZEC, now=after(hours=3.2), confirmations=0)
    assert told(after(hours=3.3)) == []

    top_up.delete()

    assert told(after(hours=3.3)) == ["remaining_20_percent"]


def test_two_rounds_at_once_tell_it_once(vera: User) -> None:
    make_active_permission(vera)
    stream(vera)
    interval.run_interval(now=after(hours=3.5), engine="tests", chunk_size=100, fresh_for=timedelta(0))

    assert told(after(hours=3.5)) == ["remaining_20_percent"]
    assert told(after(hours=3.5)) == []


def test_tells_what_is_left_by_now(vera: User) -> None:
    permission = make_active_permission(vera)
    stream(vera)
    told(after(hours=3.6))

    event = Event.objects.get(kind="permission.low_balance")
    assert event.payload["remaining_zat"] == ZEC
    assert (event.subject, event.client_id) == (permission.public_id, vera.pk)
    assert event.payload["rate_zat_per_hour"] == 250_000_000


def test_the_money_is_as_it_was(vera: User) -> None:
    permission = make_active_permission(vera)
    before = SpendingPermission.objects.values().get(pk=permission.pk)

    told(after(hours=29.5 * DAYS))
    funding.credit(permission.pk, now=NOW)

    assert SpendingPermission.objects.values().get(pk=permission.pk) == before
