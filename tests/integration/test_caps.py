"""Spending caps: a session ends at the last millisecond at which it has not cost more."""

from collections.abc import Callable
from datetime import datetime

import pytest
from django.db import IntegrityError, transaction
from pytest_django.fixtures import Settings

from billing import engine, interval, live, pauses, sql, succession
from billing.engine import StartRequest
from billing.models import Transaction
from billing.rules import Meter, longest_ms
from core import db
from core.amounts import MAX_ZAT
from core.models import User
from sessions_app.models import StreamingSession
from tests.factories import ALICE, NOW, ZEC, after, make_active_permission, make_vendor, stream
from zcash.errors import LimitExceeded
from zcash.models import SpendingPermission

pytestmark = pytest.mark.django_db


def by_the_set(*, now: datetime) -> None:
    done = interval.run_interval(now=now, engine="test", chunk_size=10)
    assert done.put_aside == []


def one_by_one(*, now: datetime) -> None:
    for permission in SpendingPermission.objects.filter(open_transactions__gt=0):
        succession.settle_one(permission.pk, now=now)


Settle = Callable[..., None]
BOTH_WAYS = pytest.mark.parametrize("settle", [by_the_set, one_by_one])


def ended() -> tuple[str, datetime | None, str | None, list[int | None]]:
    """Return what is written of the one session: its state, and the amounts of its transactions."""
    session = StreamingSession.objects.get()
    amounts = Transaction.objects.order_by("id").values_list("amount_zat", flat=True)
    return session.status, session.ended_at, session.end_reason, list(amounts)


@BOTH_WAYS
@pytest.mark.parametrize(
    ("rate", "cap"),
    [(1 * ZEC, ZEC // 2), (7_777_777, 1_000_001), (3_600, 11), (100_000_007, 277_779), (7, 1)],
)
def test_ends_at_the_last_millisecond_that_the_cap_pays_for(
    vera: User, settle: Settle, rate: int, cap: int
) -> None:
    make_active_permission(vera, requested=100 * ZEC, rate=rate)
    stream(vera, cap=cap)

    settle(now=after(hours=11))

    last_ms = longest_ms(rate, amount=cap)
    most_zat = Meter(1, rate, 0, last_ms).amount(last_ms)
    assert ended() == ("ended", after(ms=last_ms), "spending_cap", [most_zat])
    assert cap - rate // 3_600_000 - 1 < most_zat <= cap


@BOTH_WAYS
def test_a_tie_goes_to_the_sessions_own_bound(vera: User, settle: Settle) -> None:
    make_active_permission(vera, rate=3_600)
    # Eleven zatoshis last until 1 ms before the twelfth second; the session may live exactly as long.
    stream(vera, cap=11)
    bound = after(ms=11_999)
    StreamingSession.objects.update(capped_at=bound)

    settle(now=after(hours=1))

    assert ended() == ("ended", bound, "max_duration", [11])


@BOTH_WAYS
def test_a_lease_that_ends_before_the_cap_is_the_reason(vera: User, settle: Settle) -> None:
    make_active_permission(vera, rate=1 * ZEC)
    stream(vera, cap=ZEC // 2, heartbeat=60)

    settle(now=after(hours=1))

    assert ended()[1:3] == (after(seconds=60), "heartbeat_lost")


@BOTH_WAYS
def test_a_heartbeat_does_not_stretch_the_cap(vera: User, settle: Settle) -> None:
    make_active_permission(vera, rate=1 * ZEC)
    code = stream(vera, cap=ZEC // 2, heartbeat=3600)

    alive = engine.heartbeat(code, client_id=vera.pk, now=after(seconds=1_200))
    settle(now=after(hours=1))

    assert alive.granted_until == after(hours=0.5)
    assert ended() == ("ended", after(hours=0.5), "spending_cap", [ZEC // 2])


@BOTH_WAYS
def test_takes_what_is_left_of_the_cap_along_to_the_next_permission(vera: User, settle: Settle) -> None:
    for zat in (20_000_001, 20_000_002, 1 * ZEC):
        make_active_permission(vera, requested=zat, rate=1 * ZEC)
    stream(vera, cap=ZEC // 2)

    settle(now=after(hours=2))

    status, _, reason, amounts = ended()
    assert (status, reason) == ("ended", "spending_cap")
    assert amounts == [20_000_001, 20_000_002, 9_999_972]
    left = Transaction.objects.order_by("id").values_list("max_amount_zat", flat=True)
    assert list(left) == [50_000_000, 29_999_999, 9_999_997]


@BOTH_WAYS
def test_a_cap_reached_with_the_last_zatoshi_is_the_reason_to_end(vera: User, settle: Settle) -> None:
    permission = make_active_permission(vera, requested=1 * ZEC, rate=1 * ZEC)
    make_active_permission(vera, requested=1 * ZEC, rate=1 * ZEC)
    stream(vera, cap=1 * ZEC)

    settle(now=after(hours=2))

    # At one instant a session's bounds come before the end of its permission.
    assert ended() == ("ended", after(hours=1), "spending_cap", [1 * ZEC])
    permission.refresh_from_db()
    assert permission.status == "exhausted"


def test_grants_no_longer_than_the_cap_lasts_across_permissions(vera: User) -> None:
    for zat in (1_234_567, 7_654_321, 1 * ZEC):
        make_active_permission(vera, requested=zat, rate=33_333_333)
    request = StartRequest(ALICE, "vendor123", max_amount_zat=30_000_001)

    started = engine.start(request, client_id=vera.pk, now=NOW)
    by_the_set(now=after(hours=2))

    assert StreamingSession.objects.get().ended_at == datetime.fromisoformat(started.granted_until)


def test_a_capped_session_leaves_the_rest_to_another_ones_grant(vera: User) -> None:
    for _ in range(2):
        make_active_permission(vera, requested=1 * ZEC, rate=1 * ZEC)
    stream(vera, ref="capped", cap=10_000_019)

    started = engine.start(StartRequest(ALICE, "vendor123", "free"), client_id=vera.pk, now=after(ms=17))
    one_by_one(now=after(hours=3))

    free = StreamingSession.objects.get(client_ref="free")
    assert (free.end_reason, free.ended_at) == ("exhausted", datetime.fromisoformat(started.granted_until))
    assert StreamingSession.objects.get(client_ref="capped").end_reason == "spending_cap"


def test_several_sessions_have_a_cap_each(vera: User) -> None:
    make_active_permission(vera, requested=10 * ZEC, rate=1 * ZEC)
    for number, cap in enumerate((ZEC // 4, ZEC // 2, None)):
        stream(vera, ref=str(number), cap=cap)

    one_by_one(now=after(hours=1))

    found = StreamingSession.objects.order_by("client_ref").values_list("end_reason", "ended_at")
    assert list(found) == [
        ("spending_cap", after(hours=0.25)),
        ("spending_cap", after(hours=0.5)),
        (None, None),
    ]


def test_a_pause_takes_what_is_left_of_the_cap_along(vera: User) -> None:
    make_active_permission(vera, rate=1 * ZEC)
    code = stream(vera, cap=ZEC // 2)
    pauses.pause(code, client_id=vera.pk, now=after(hours=0.2))

    resumed = pauses.resume(code, client_id=vera.pk, now=after(hours=3))
    by_the_set(now=after(hours=9))

    assert resumed.granted_until == after(hours=3.3)
    assert ended() == ("ended", after(hours=3.3), "spending_cap", [20_000_000, 30_000_000])


def test_refuses_a_cap_that_does_not_pay_for_the_shortest_session(vera: User) -> None:
    make_active_permission(vera, rate=3_600_000)

    with pytest.raises(LimitExceeded) as refused:
        stream(vera, cap=9_999)
    stream(vera, cap=10_000)

    assert refused.value.field == "max_amount"
    assert StreamingSession.objects.get().max_amount_zat == 10_000


def test_refuses_a_cap_that_pays_for_no_millisecond_whatever_the_setting_says(
    vera: User, settings: Settings
) -> None:
    settings.MIN_START_SECONDS = 0
    make_active_permission(vera, requested=100 * ZEC, rate=100 * ZEC)

    with pytest.raises(LimitExceeded):
        stream(vera, cap=2_776)
    stream(vera, cap=2_777)


def test_a_retried_start_returns_the_session_with_the_cap_that_it_has(vera: User) -> None:
    make_active_permission(vera)
    code = stream(vera, cap=ZEC)

    again = engine.start(
        StartRequest(ALICE, "vendor123", max_amount_zat=2 * ZEC), client_id=vera.pk, now=after(seconds=1)
    )

    assert (again.session_code, again.max_amount_zat, again.created) == (code, ZEC, False)


def test_the_database_refuses_a_transaction_above_its_cap(vera: User) -> None:
    make_active_permission(vera, rate=1 * ZEC)
    engine.end(stream(vera, cap=ZEC), client_id=vera.pk, now=after(hours=0.5))

    with pytest.raises(IntegrityError, match="billing_transaction_within_cap"), transaction.atomic():
        Transaction.objects.update(max_amount_zat=ZEC // 2 - 1)
    with pytest.raises(IntegrityError, match="billing_transaction_spending_cap"), transaction.atomic():
        Transaction.objects.update(max_amount_zat=-1)
    with pytest.raises(IntegrityError, match="sessions_session_spending_cap"), transaction.atomic():
        StreamingSession.objects.update(max_amount_zat=0)


def test_the_largest_rate_and_cap_are_exact(vera: User) -> None:
    make_active_permission(vera, requested=MAX_ZAT, rate=MAX_ZAT)
    make_vendor(vera, slug="dear", price=MAX_ZAT)
    cap = MAX_ZAT - 583_333_333 * 1_000
    stream(vera, vendor="dear", cap=cap)

    by_the_set(now=after(hours=2))

    last_ms = longest_ms(MAX_ZAT, amount=cap)
    paid_zat = MAX_ZAT * last_ms // 3_600_000
    assert ended() == ("ended", after(ms=last_ms), "spending_cap", [paid_zat])
    assert paid_zat <= cap < MAX_ZAT * (last_ms + 1) // 3_600_000


@pytest.mark.parametrize("rate", [1, 7, 3_599_999, 3_600_000, 3_600_001, ZEC, 10**15 + 1, MAX_ZAT])
@pytest.mark.parametrize("cap", [0, 1, 2, 9_999, ZEC - 1, 10**15 + 7, MAX_ZAT - 1, MAX_ZAT])
def test_the_statement_and_the_rule_are_one_formula(rate: int, cap: int) -> None:
    text = sql.affordable_until("%(rate)s::bigint", since="%(since)s::timestamptz", zat="%(cap)s::bigint")

    (found,) = db.row(f"SELECT {text}", {"rate": rate, "since": NOW, "cap": cap})

    assert found == after(ms=min(longest_ms(rate, amount=cap), 9_000_000_000))


def test_without_a_cap_the_statement_names_no_bound() -> None:
    text = sql.affordable_until("1::bigint", since="%(since)s::timestamptz", zat="NULL::bigint")

    assert db.row(f"SELECT {text}", {"since": NOW}) == (after(ms=9_000_000_000),)


def test_a_read_tells_the_cap_and_what_it_grants(vera: User) -> None:
    make_active_permission(vera, rate=1 * ZEC)
    code = stream(vera, cap=ZEC // 2)

    found = live.of_session(code, client_id=vera.pk, now=after(hours=0.1))

    assert found.record.session.max_amount_zat == ZEC // 2
    assert found.granted_until == after(hours=0.5)
    assert found.depletes_at is None
