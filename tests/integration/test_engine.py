"""Start and end of sessions on real PostgreSQL."""

import pytest

from billing import engine
from billing.engine import StartRequest
from billing.errors import InsufficientFunding, RateExceedsPermission
from sessions_app.errors import SessionEnded, SessionLimitReached, SessionNotFound, VendorNotFound
from sessions_app.models import StreamingSession
from tests.factories import (
    ALICE,
    NOW,
    ZEC,
    after,
    make_active_permission,
    make_client,
    make_permission,
    make_vendor,
)
from zcash.errors import PermissionExhausted, PermissionExpired, PermissionPending, PermissionRequired

pytestmark = pytest.mark.django_db

REQUEST = StartRequest(ALICE, "vendor123")


def test_bills_the_seeds_hour_exactly():
    vera = make_client()
    make_vendor(vera)
    permission = make_active_permission(vera)
    started = engine.start(REQUEST, client_id=vera.pk, now=NOW)

    record = engine.end(started.session_code, client_id=vera.pk, now=after(hours=1))

    assert (record.amount_zat, record.duration_ms, record.status) == (250_000_000, 3_600_000, "confirmed")
    permission.refresh_from_db()
    assert permission.remaining_zat == 750_000_000
    assert permission.open_transactions == 0


def test_answers_the_same_record_when_ended_twice():
    vera = make_client()
    make_vendor(vera)
    make_active_permission(vera)
    started = engine.start(REQUEST, client_id=vera.pk, now=NOW)

    first = engine.end(started.session_code, client_id=vera.pk, now=after(seconds=90))
    second = engine.end(started.session_code, client_id=vera.pk, now=after(hours=9))

    assert first.transactions == second.transactions


def test_ends_at_the_depletion_instant_however_late_it_is_noticed():
    vera = make_client()
    make_vendor(vera)
    permission = make_active_permission(vera, requested=1 * ZEC, rate=1 * ZEC)
    started = engine.start(REQUEST, client_id=vera.pk, now=NOW)

    record = engine.end(started.session_code, client_id=vera.pk, now=after(hours=5))

    assert record.session.ended_at == after(hours=1)
    assert record.end_reason == "exhausted"
    permission.refresh_from_db()
    assert (permission.status, permission.remaining_zat) == ("exhausted", 0)


def test_rolls_over_to_the_queued_permission_at_the_exact_instant():
    vera = make_client()
    make_vendor(vera)
    first = make_active_permission(vera, requested=1 * ZEC, rate=1 * ZEC)
    second = make_active_permission(vera, requested=1 * ZEC, rate=2 * ZEC)
    assert second.status == "queued"
    started = engine.start(REQUEST, client_id=vera.pk, now=NOW)

    record = engine.end(started.session_code, client_id=vera.pk, now=after(hours=1, seconds=1800))

    assert [t.amount for t in record.transactions] == [1 * ZEC, ZEC // 2]
    assert record.transactions[1].started_at == after(hours=1)
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.status, second.status) == ("exhausted", "active")
    assert second.activated_at == after(hours=1)


def test_refuses_a_vendor_dearer_than_the_permission():
    vera = make_client()
    make_vendor(vera, price=3 * ZEC)
    make_active_permission(vera)

    with pytest.raises(RateExceedsPermission):
        engine.start(REQUEST, client_id=vera.pk, now=NOW)

    assert not StreamingSession.objects.exists()


def test_bills_at_the_vendors_own_lower_price():
    vera = make_client()
    make_vendor(vera, price=1 * ZEC)
    make_active_permission(vera)
    started = engine.start(REQUEST, client_id=vera.pk, now=NOW)

    record = engine.end(started.session_code, client_id=vera.pk, now=after(hours=1))

    assert record.amount_zat == 1 * ZEC


def test_returns_the_open_session_of_the_same_client_ref():
    vera = make_client()
    make_vendor(vera)
    make_active_permission(vera)
    first = engine.start(REQUEST, client_id=vera.pk, now=NOW)

    again = engine.start(REQUEST, client_id=vera.pk, now=after(seconds=30))
    other = engine.start(StartRequest(ALICE, "vendor123", "tv"), client_id=vera.pk, now=after(seconds=30))

    assert (again.session_code, again.created) == (first.session_code, False)
    assert other.session_code != first.session_code


def test_limits_the_sessions_of_a_wallet(settings):
    settings.MAX_SESSIONS_PER_WALLET = 2
    vera = make_client()
    make_vendor(vera)
    make_active_permission(vera)
    for ref in ("a", "b"):
        engine.start(StartRequest(ALICE, "vendor123", ref), client_id=vera.pk, now=NOW)

    with pytest.raises(SessionLimitReached):
        engine.start(StartRequest(ALICE, "vendor123", "c"), client_id=vera.pk, now=NOW)


def test_says_why_nothing_funds_a_start():
    vera = make_client()
    make_vendor(vera)
    with pytest.raises(PermissionRequired):
        engine.start(REQUEST, client_id=vera.pk, now=NOW)

    make_permission(vera)
    with pytest.raises(PermissionPending) as pending:
        engine.start(REQUEST, client_id=vera.pk, now=NOW)

    assert pending.value.context["missing_amount"] == 10


def test_refuses_a_start_on_a_used_up_permission():
    vera = make_client()
    make_vendor(vera)
    make_active_permission(vera, requested=1 * ZEC, rate=1 * ZEC)
    engine.start(REQUEST, client_id=vera.pk, now=NOW)

    with pytest.raises(PermissionExhausted):
        engine.start(REQUEST, client_id=vera.pk, now=after(hours=2))


def test_refuses_a_start_on_an_expired_permission():
    vera = make_client()
    make_vendor(vera)
    make_active_permission(vera, expires_at=after(hours=1))

    with pytest.raises(PermissionExpired):
        engine.start(REQUEST, client_id=vera.pk, now=after(hours=1))


def test_refuses_a_start_that_would_last_less_than_the_minimum():
    vera = make_client()
    make_vendor(vera)
    make_active_permission(vera, requested=1 * ZEC, rate=3600 * ZEC)

    with pytest.raises(InsufficientFunding, match=r"pays for 1\.0 s"):
        engine.start(REQUEST, client_id=vera.pk, now=NOW)


def test_hides_vendors_and_sessions_of_other_clients():
    vera, mallory = make_client(), make_client("mallory")
    make_vendor(vera)
    make_active_permission(vera)
    started = engine.start(REQUEST, client_id=vera.pk, now=NOW)

    with pytest.raises(VendorNotFound):
        engine.start(REQUEST, client_id=mallory.pk, now=NOW)
    with pytest.raises(SessionNotFound):
        engine.end(started.session_code, client_id=mallory.pk, now=NOW)


def test_a_heartbeat_renews_the_lease():
    vera = make_client()
    make_vendor(vera, heartbeat=60)
    make_active_permission(vera)
    code = engine.start(REQUEST, client_id=vera.pk, now=NOW).session_code

    alive = engine.heartbeat(code, client_id=vera.pk, now=after(seconds=50))

    assert alive.next_heartbeat_by == alive.granted_until == after(seconds=110)
    record = engine.end(code, client_id=vera.pk, now=after(seconds=500))
    assert (record.session.ended_at, record.end_reason) == (after(seconds=110), "heartbeat_lost")


def test_a_heartbeat_after_the_lease_revives_nothing():
    vera = make_client()
    make_vendor(vera, heartbeat=60)
    make_active_permission(vera)
    code = engine.start(REQUEST, client_id=vera.pk, now=NOW).session_code

    with pytest.raises(SessionEnded, match="heartbeat_lost"):
        engine.heartbeat(code, client_id=vera.pk, now=after(seconds=60))


def test_the_lease_never_reaches_past_the_longest_session(settings):
    settings.MAX_SESSION_HOURS = 1
    vera = make_client()
    make_vendor(vera, heartbeat=3600)
    make_active_permission(vera)
    code = engine.start(REQUEST, client_id=vera.pk, now=NOW).session_code
    engine.heartbeat(code, client_id=vera.pk, now=after(seconds=1800))

    record = engine.end(code, client_id=vera.pk, now=after(hours=3))

    assert (record.session.ended_at, record.end_reason) == (after(hours=1), "max_duration")


def test_two_sessions_share_the_last_zatoshis():
    vera = make_client()
    make_vendor(vera)
    permission = make_active_permission(vera, requested=1 * ZEC, rate=1 * ZEC)
    codes = [
        engine.start(
            StartRequest(ALICE, "vendor123", ref), client_id=vera.pk, now=after(ms=offset)
        ).session_code
        for ref, offset in (("a", 0), ("b", 1))
    ]

    records = [engine.end(code, client_id=vera.pk, now=after(hours=3)) for code in codes]

    assert sum(record.amount_zat for record in records) == 1 * ZEC
    assert {record.session.ended_at for record in records} == {records[0].session.ended_at}
    permission.refresh_from_db()
    assert permission.status == "exhausted"
