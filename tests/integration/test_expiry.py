"""The end of permissions: at the exact instant, however late it is noticed."""

from datetime import datetime

import pytest

from billing import engine, expiry, interval, live
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
from zcash import deposits
from zcash.errors import PermissionExpired
from zcash.models import PermissionAudit, SpendingPermission

pytestmark = pytest.mark.django_db

LAST = after(hours=2)
BEFORE = after(hours=2, ms=-1)
# Long after every last day of these tests.
LATE = after(hours=30)


@pytest.fixture
def vera() -> User:
    client = make_client()
    make_vendor(client)
    return client


def state(permission: SpendingPermission) -> tuple[str, datetime | None]:
    permission.refresh_from_db()
    return permission.status, permission.closed_at


def node_asked_at(moment: datetime) -> None:
    """Let the watcher look at every unpaid address, and see nothing new."""
    for permission in SpendingPermission.objects.filter(status="pending"):
        deposits.record(permission, [], now=moment)


def test_lives_until_the_last_millisecond_and_no_longer(vera: User) -> None:
    permission = make_active_permission(vera, expires_at=LAST)

    expiry.run(now=BEFORE)
    assert state(permission) == ("active", None)
    expiry.run(now=LAST)

    assert state(permission) == ("expired", LAST)
    assert permission.remaining_zat == 10 * ZEC


def test_a_session_is_billed_up_to_the_last_instant(vera: User) -> None:
    permission = make_active_permission(vera, rate=1 * ZEC, expires_at=LAST)
    codes = [stream(vera, ref="a"), stream(vera, ref="b", now=after(hours=1))]

    expiry.run(now=LATE)

    records = [engine.end(code, client_id=vera.pk, now=LATE) for code in codes]
    assert [record.amount_zat for record in records] == [2 * ZEC, 1 * ZEC]
    assert {(record.session.ended_at, record.end_reason) for record in records} == {
        (LAST, "permission_expired")
    }
    assert state(permission) == ("expired", LAST)
    assert permission.remaining_zat == 7 * ZEC


def test_a_session_goes_on_from_the_queued_permission_at_that_very_instant(vera: User) -> None:
    first = make_active_permission(vera, rate=1 * ZEC, expires_at=LAST)
    second = make_active_permission(vera, rate=1 * ZEC)
    code = stream(vera)

    expiry.run(now=after(hours=3))

    second.refresh_from_db()
    assert state(first) == ("expired", LAST)
    assert (second.status, second.activated_at, second.open_transactions) == ("active", LAST, 1)
    record = engine.end(code, client_id=vera.pk, now=after(hours=4))
    assert [each.amount for each in record.transactions] == [2 * ZEC, 2 * ZEC]
    assert record.transactions[0].ended_at == record.transactions[1].started_at == LAST


def test_without_sessions_the_queued_permission_still_takes_over(vera: User) -> None:
    make_active_permission(vera, expires_at=LAST)
    second = make_active_permission(vera)

    expiry.run(now=LATE)

    second.refresh_from_db()
    assert (second.status, second.activated_at, second.settled_at) == ("active", LAST, LAST)


def test_a_session_does_not_roll_over_to_a_permission_with_a_lower_rate(vera: User) -> None:
    make_active_permission(vera, rate=2 * ZEC, expires_at=LAST)
    second = make_active_permission(vera, rate=2 * ZEC - 1)
    code = stream(vera)

    expiry.run(now=LATE)

    record = engine.end(code, client_id=vera.pk, now=LATE)
    assert (record.session.ended_at, record.end_reason, len(record.transactions)) == (
        LAST,
        "permission_expired",
        1,
    )
    assert state(second)[0] == "active"


def test_expires_in_the_queue_at_its_own_instant(vera: User) -> None:
    make_active_permission(vera)
    second = make_active_permission(vera, expires_at=LAST)

    expiry.run(now=LATE)

    assert state(second) == ("expired", LAST)


def test_a_session_passes_over_what_expired_in_the_queue_unnoticed(vera: User) -> None:
    make_active_permission(vera, rate=1 * ZEC, requested=3 * ZEC)
    second = make_active_permission(vera, rate=1 * ZEC, expires_at=LAST)
    third = make_active_permission(vera, rate=1 * ZEC)
    code = stream(vera)

    record = engine.end(code, client_id=vera.pk, now=after(hours=4))

    assert state(second) == ("expired", LAST)
    assert state(third)[0] == "active"
    assert [each.permission_id for each in record.transactions][1] == str(third.public_id)


def test_what_took_over_unnoticed_and_expired_since_was_used_up_to_its_last_day(vera: User) -> None:
    make_active_permission(vera, rate=1 * ZEC, requested=1 * ZEC)
    second = make_active_permission(vera, rate=1 * ZEC, expires_at=LAST)
    code = stream(vera)

    expiry.bring_current(second.pk, now=LATE)

    record = engine.end(code, client_id=vera.pk, now=LATE)
    assert state(second) == ("expired", LAST)
    assert (second.activated_at, second.remaining_zat) == (after(hours=1), 9 * ZEC)
    assert [each.amount for each in record.transactions] == [1 * ZEC, 1 * ZEC]


def test_a_used_up_permission_expires_too(vera: User) -> None:
    permission = make_active_permission(vera, rate=1 * ZEC, requested=1 * ZEC, expires_at=LAST)
    stream(vera)
    expiry.run(now=BEFORE)
    assert live.read(permission.pk, now=BEFORE).permission.status == "exhausted"

    expiry.run(now=LAST)

    assert state(permission) == ("expired", LAST)


def test_the_last_zatoshi_at_the_last_instant_is_exhausted_first_and_expired_then(vera: User) -> None:
    permission = make_active_permission(vera, rate=1 * ZEC, requested=2 * ZEC, expires_at=LAST)
    code = stream(vera)

    expiry.run(now=LAST)

    assert state(permission) == ("expired", LAST)
    assert permission.remaining_zat == 0
    trail = PermissionAudit.objects.filter(permission_id=permission.pk).order_by("id")
    assert list(trail.values_list("action", flat=True))[-2:] == ["exhausted", "expired"]
    assert engine.end(code, client_id=vera.pk, now=LAST).end_reason == "exhausted"


def test_tells_of_an_expiry_once_with_the_instant_that_counts(vera: User) -> None:
    permission = make_active_permission(vera, expires_at=LAST)

    expiry.run(now=LATE)
    expiry.run(now=LATE)

    told = Event.objects.get(kind="permission.expired")
    assert (told.subject, told.payload["effective_at"]) == (permission.public_id, LAST.isoformat())
    assert told.created_at == LATE


def test_refuses_a_start_on_what_expired_unnoticed(vera: User) -> None:
    make_active_permission(vera, expires_at=LAST)

    with pytest.raises(PermissionExpired):
        stream(vera, now=LAST)


def test_a_closed_permission_is_not_looked_at_again(vera: User) -> None:
    make_active_permission(vera, expires_at=LAST)

    assert [expiry.run(now=LATE), expiry.run(now=LATE)] == [1, 0]


def test_lapses_only_after_the_node_was_asked_since_the_window_closed(vera: User) -> None:
    permission = make_permission(vera, pay_before=LAST)

    expiry.run(now=LATE)
    assert state(permission) == ("pending", None)
    node_asked_at(BEFORE)
    expiry.run(now=LATE)
    assert state(permission) == ("pending", None)
    node_asked_at(LAST)
    expiry.run(now=LATE)

    assert state(permission) == ("lapsed", LAST)


def test_does_not_lapse_while_its_window_is_open(vera: User) -> None:
    permission = make_permission(vera, pay_before=LAST)
    node_asked_at(LATE)

    expiry.run(now=BEFORE)

    assert state(permission) == ("pending", None)


@pytest.mark.parametrize(("in_sight", "status"), [(10 * ZEC, "pending"), (10 * ZEC - 1, "lapsed")])
def test_lapses_only_when_too_little_is_in_sight(vera: User, in_sight: int, status: str) -> None:
    permission = make_permission(vera, pay_before=LAST)
    see_deposit(permission, amount=in_sight, confirmations=0, now=BEFORE)
    node_asked_at(LAST)

    expiry.run(now=LATE)

    assert state(permission)[0] == status


def test_a_payment_seen_in_time_activates_when_it_is_confirmed_later(vera: User) -> None:
    permission = make_permission(vera, pay_before=LAST)
    deposit = see_deposit(permission, amount=10 * ZEC, confirmations=0, now=BEFORE)
    node_asked_at(LAST)
    expiry.run(now=after(hours=3))

    deposit.height, deposit.block_hash, deposit.confirmations = 7, "7" * 64, 3
    deposit.save()
    pay(permission, 1, now=after(hours=4))

    assert state(permission)[0] == "active"


def test_the_partial_money_of_a_lapsed_permission_is_kept(vera: User) -> None:
    permission = make_permission(vera, pay_before=LAST)
    pay(permission, 4 * ZEC)
    node_asked_at(LAST)

    expiry.run(now=LATE)

    assert state(permission) == ("lapsed", LAST)
    assert (permission.remaining_zat, permission.credited_zat) == (4 * ZEC, 4 * ZEC)


def test_an_unpaid_permission_lapses_at_its_last_day_whatever_the_node_says(vera: User) -> None:
    permission = make_permission(vera, expires_at=LAST, pay_before=LAST)

    expiry.run(now=LAST)

    assert state(permission) == ("lapsed", LAST)


def test_reading_a_permission_late_tells_what_has_become_of_it(vera: User) -> None:
    permission = make_active_permission(vera, expires_at=LAST, now=NOW)

    assert live.read(permission.pk, now=LAST).permission.status == "expired"


def test_leaves_what_was_an_heir_before_its_own_last_day_to_be_one(vera: User) -> None:
    make_active_permission(vera, requested=1 * ZEC, rate=1 * ZEC)
    heir = make_active_permission(vera, requested=1 * ZEC, rate=1 * ZEC, expires_at=after(hours=1.5))
    stream(vera)

    expiry.run(now=after(hours=2))
    interval.run_interval(now=after(hours=2), engine="test", chunk_size=10)
    expiry.run(now=after(hours=2))

    heir.refresh_from_db()
    assert (heir.status, heir.remaining_zat) == ("expired", ZEC // 2)
