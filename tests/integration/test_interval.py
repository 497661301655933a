"""The interval: set-based settling, its event path, its record, and what it costs."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from billing import engine, interval, pages, rounds, sql
from billing.models import IntervalRun, Transaction
from core import clock, db
from core.models import Event, User
from sessions_app.models import StreamingSession, Vendor
from tests.factories import (
    NOW,
    ZEC,
    after,
    make_active_permission,
    make_client,
    make_crowd,
    make_vendor,
    stream,
)
from zcash.models import PermissionAudit, SpendingPermission
from zcash.sql import draw_page, left_of_page

pytestmark = pytest.mark.django_db


@pytest.fixture
def vera() -> User:
    client = make_client()
    make_vendor(client)
    return client


@pytest.fixture
def vendor(vera: User) -> Vendor:
    return Vendor.objects.get(client=vera)


def run(*, hours: float = 0, ms: int = 0, chunk_size: int = 100) -> IntervalRun:
    return interval.run_interval(now=after(hours=hours, ms=ms), engine="test", chunk_size=chunk_size)


def counts(done: IntervalRun) -> tuple[int, int, list[int]]:
    return done.permissions, done.events, done.put_aside


def test_a_round_leaves_alone_what_another_engine_has_just_settled(vera: User, settings: Settings) -> None:
    settings.PAYGO_SANDBOX, settings.BILLING_INTERVAL_SECONDS = True, 60
    permission = make_active_permission(vera, rate=ZEC, now=clock.now())
    stream(vera, now=clock.now())
    clock.advance(60_000)
    assert rounds.interval_round().permissions == 1
    permission.refresh_from_db()
    settled_at = permission.settled_at

    # Within three quarters of an interval; and after them.
    clock.advance(30_000)
    assert rounds.interval_round().permissions == 0
    permission.refresh_from_db()
    assert permission.settled_at == settled_at
    clock.advance(20_000)
    assert rounds.interval_round().permissions == 1


@contextmanager
def refusing(permission_id: int) -> Iterator[None]:
    """Let the database refuse every change of one permission's balance."""
    db.execute(
        "CREATE FUNCTION refuse_one() RETURNS trigger LANGUAGE plpgsql AS $$"
        " BEGIN RAISE EXCEPTION 'this row is broken'; END $$"
    )
    db.execute(
        "CREATE TRIGGER refuse_one BEFORE UPDATE OF remaining_zat ON zcash_permission FOR EACH ROW"
        f" WHEN (OLD.id = {permission_id}) EXECUTE FUNCTION refuse_one()"
    )
    yield
    db.execute("DROP FUNCTION refuse_one CASCADE")


def test_draws_what_was_used_and_moves_the_mark(vera: User) -> None:
    permission = make_active_permission(vera)
    stream(vera)

    done = run(hours=1)

    permission.refresh_from_db()
    assert (permission.remaining_zat, permission.settled_at) == (750_000_000, after(hours=1))
    assert counts(done) == (1, 0, [])


def test_settles_twice_at_one_instant_without_a_trace(vera: User) -> None:
    permission = make_active_permission(vera)
    stream(vera)
    run(hours=1)
    rows = PermissionAudit.objects.count()

    again = run(hours=1)
    earlier = run(hours=0.5)

    permission.refresh_from_db()
    assert (counts(again), counts(earlier)) == ((0, 0, []), (0, 0, []))
    assert (permission.remaining_zat, permission.settled_at) == (750_000_000, after(hours=1))
    assert PermissionAudit.objects.count() == rows


def test_writes_one_audit_row_for_a_deduction_and_none_for_nothing(vera: User) -> None:
    permission = make_active_permission(vera, rate=3_600)  # one zatoshi a second
    stream(vera)
    trail = PermissionAudit.objects.filter(permission_id=permission.pk, action="settled")

    run(ms=999)
    assert not trail.exists()
    run(ms=1000)

    row = trail.get()
    assert (row.amount_before_zat - row.amount_after_zat, row.effective_at) == (1, after(ms=1000))
    permission.refresh_from_db()
    assert permission.settled_at == after(ms=1000)


@pytest.mark.parametrize("chunk_size", [1, 2, 3, 7, 8, 1000])
def test_any_chunk_size_settles_everyone_once(vera: User, vendor: Vendor, chunk_size: int) -> None:
    make_crowd(vera, vendor=vendor, size=7)

    done = run(hours=1, chunk_size=chunk_size)

    assert counts(done) == (7, 0, [])
    assert set(SpendingPermission.objects.values_list("settled_at", flat=True)) == {after(hours=1)}
    left = SpendingPermission.objects.order_by("id").values_list("remaining_zat", flat=True)
    assert list(left) == [10**11 - 10**8 - n for n in range(1, 8)]


def test_leaves_alone_whoever_has_no_open_transaction(vera: User) -> None:
    permission = make_active_permission(vera)

    done = run(hours=1)

    permission.refresh_from_db()
    assert (counts(done), permission.settled_at) == ((0, 0, []), NOW)


def test_the_dearest_rate_for_the_longest_time_does_not_overflow(vera: User, vendor: Vendor) -> None:
    rate = 21 * 10**14
    make_crowd(vera, vendor=vendor, size=1, amount=rate)
    for model in (SpendingPermission, StreamingSession, Transaction):
        model.objects.update(rate_zat_per_hour=rate)
    SpendingPermission.objects.update(meter_rate_zat_per_hour=rate, next_event_at=after(hours=1))

    done = interval.run_interval(now=after(ms=3_599_999), engine="test", chunk_size=10)

    permission = SpendingPermission.objects.get()
    assert counts(done) == (1, 0, [])
    assert permission.remaining_zat == rate - rate * 3_599_999 // 3_600_000


def test_the_sum_of_the_tiny_differences_is_the_whole(vera: User) -> None:
    permission = make_active_permission(vera, rate=1_234_567)
    stream(vera)

    for ms in range(0, 20_000, 997):
        run(ms=ms)
    run(ms=20_000)

    permission.refresh_from_db()
    assert 10 * ZEC - permission.remaining_zat == 1_234_567 * 20_000 // 3_600_000


def test_depletion_is_an_event_at_its_own_instant(vera: User) -> None:
    permission = make_active_permission(vera, requested=1 * ZEC, rate=1 * ZEC)
    code = stream(vera)

    assert counts(run(hours=1, ms=-1)) == (1, 0, [])
    done = run(hours=9)

    permission.refresh_from_db()
    session = StreamingSession.objects.get(code=code)
    assert counts(done) == (0, 1, [])
    assert (permission.status, permission.remaining_zat, permission.settled_at) == (
        "exhausted",
        0,
        after(hours=1),
    )
    assert (session.end_reason, session.ended_at) == ("exhausted", after(hours=1))


def test_depletion_exactly_now_is_noticed_now(vera: User) -> None:
    permission = make_active_permission(vera, requested=1 * ZEC, rate=1 * ZEC)
    stream(vera)

    assert counts(run(hours=1)) == (0, 1, [])
    permission.refresh_from_db()
    assert permission.status == "exhausted"


def test_a_lost_heartbeat_ends_the_session_at_the_end_of_its_lease(vera: User) -> None:
    permission = make_active_permission(vera, rate=1 * ZEC)
    silent = stream(vera, ref="silent", heartbeat=60)
    talking = stream(vera, ref="talking")

    done = run(hours=1)

    permission.refresh_from_db()
    session = StreamingSession.objects.get(code=silent)
    assert counts(done) == (0, 1, [])
    assert (session.end_reason, session.ended_at) == ("heartbeat_lost", after(seconds=60))
    assert StreamingSession.objects.get(code=talking).status == "active"
    assert permission.remaining_zat == 9 * ZEC - 1 * ZEC // 60
    assert (permission.open_transactions, permission.settled_at) == (1, after(hours=1))


def test_a_zombie_is_closed_at_its_cap(vera: User) -> None:
    make_active_permission(vera, rate=1 * ZEC, requested=100 * ZEC)
    code = stream(vera)

    run(hours=20)

    session = StreamingSession.objects.get(code=code)
    assert (session.end_reason, session.ended_at) == ("max_duration", after(hours=12))
    assert Transaction.objects.get().amount_zat == 12 * ZEC


def test_expiry_is_an_event_of_the_interval_too(vera: User) -> None:
    permission = make_active_permission(vera, rate=1 * ZEC, expires_at=after(hours=2))
    stream(vera)

    done = run(hours=3)

    permission.refresh_from_db()
    assert counts(done) == (0, 1, [])
    assert (permission.status, permission.remaining_zat, permission.settled_at) == (
        "expired",
        8 * ZEC,
        after(hours=2),
    )


def test_one_late_run_walks_a_whole_chain_of_permissions(vera: User) -> None:
    chain = [make_active_permission(vera, requested=1 * ZEC, rate=1 * ZEC) for _ in range(4)]
    code = stream(vera)

    done = run(hours=3.5)

    for permission in chain:
        permission.refresh_from_db()
    assert counts(done) == (1, 3, [])
    assert [each.status for each in chain] == ["exhausted", "exhausted", "exhausted", "active"]
    assert chain[3].remaining_zat == ZEC // 2
    assert len(engine.end(code, client_id=vera.pk, now=after(hours=3.5)).transactions) == 4


def test_the_quick_statement_announces_nothing(vera: User) -> None:
    make_active_permission(vera)
    stream(vera)
    told = Event.objects.count()

    run(hours=1)

    assert Event.objects.count() == told


def test_records_who_ran_when(vera: User) -> None:
    done = interval.run_interval(now=after(hours=1), engine="host:1", chunk_size=10)

    assert (done.started_at, done.engine, done.permissions) == (after(hours=1), "host:1", 0)
    assert done.finished_at is not None


def test_a_run_that_dies_is_not_recorded_as_finished(monkeypatch: pytest.MonkeyPatch, vera: User) -> None:
    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    make_active_permission(vera)
    stream(vera)
    monkeypatch.setattr(pages, "draw_page", die)

    with pytest.raises(KeyboardInterrupt):
        run(hours=1)

    assert IntervalRun.objects.get().finished_at is None


@pytest.mark.parametrize("chunk_size", [1, 2, 5, 100])
@pytest.mark.parametrize("place", [0, 3, 8])
def test_puts_aside_what_cannot_be_billed_and_bills_the_others(
    vera: User, vendor: Vendor, chunk_size: int, place: int
) -> None:
    make_crowd(vera, vendor=vendor, size=9)
    ids = list(SpendingPermission.objects.order_by("id").values_list("pk", flat=True))

    with refusing(ids[place]):
        done = run(hours=1, chunk_size=chunk_size)

    behind = SpendingPermission.objects.exclude(settled_at=after(hours=1))
    assert done.put_aside == [ids[place]]
    assert list(behind.values_list("pk", "remaining_zat")) == [(ids[place], 10**11)]
    assert done.permissions + done.events == 8
    assert counts(run(hours=1)) == (1, 0, [])


def test_puts_aside_an_event_that_fails_and_changes_nothing_of_it(vera: User) -> None:
    broken = make_active_permission(vera, wallet="a", requested=1 * ZEC, rate=1 * ZEC)
    sound = make_active_permission(vera, wallet="b", requested=1 * ZEC, rate=1 * ZEC)
    for wallet in ("a", "b"):
        stream(vera, wallet=wallet)

    with refusing(broken.pk):
        done = run(hours=2)

    broken.refresh_from_db()
    sound.refresh_from_db()
    assert done.put_aside == [broken.pk]
    assert (broken.status, broken.remaining_zat, broken.open_transactions) == ("active", 1 * ZEC, 1)
    assert sound.status == "exhausted"


def test_walks_indexes_only(vera: User, vendor: Vendor) -> None:
    make_crowd(vera, vendor=vendor, size=20_000)
    db.execute("ANALYZE")
    middle_id = SpendingPermission.objects.order_by("id")[10_000].pk
    made: list[tuple[str, Any]] = []

    def note(execute: Any, statement: str, parameters: Any, many: bool, context: Any) -> Any:
        made.append((statement, parameters))
        return execute(statement, parameters, many, context)

    db.execute(sql.CHUNK_SETTINGS)
    with connection.execute_wrapper(note):
        for skip_busy, hours in ((False, 1), (True, 2)):
            page = draw_page(
                sql.USED_BY_METER,
                after_id=middle_id,
                limit=1000,
                to=after(hours=hours),
                before=after(hours=hours),
                booked_at=after(hours=hours),
                actor="engine",
                skip_busy=skip_busy,
            )
        assert page.last_id is not None
        left_of_page(after_id=middle_id, last_id=page.last_id, to=after(hours=3), before=after(hours=3))
    plans = ["\n".join(row[0] for row in db.rows(f"EXPLAIN {each[0]}", each[1])) for each in made]

    assert len(plans) == 3
    for plan in plans:
        assert "Seq Scan" not in plan, plan
        assert "billing_transaction" not in plan


def test_a_chunk_is_one_statement_whatever_its_size(vera: User, vendor: Vendor) -> None:
    make_crowd(vera, vendor=vendor, size=30)
    run(hours=1)

    with CaptureQueriesContext(connection) as small:
        run(hours=2, chunk_size=1000)
    other = make_client("other")
    make_crowd(other, vendor=make_vendor(other), size=300)
    with CaptureQueriesContext(connection) as large:
        run(hours=3, chunk_size=1000)

    assert len(large) == len(small)
    drawing = [each["sql"] for each in large if re.search(r"UPDATE\s+zcash_permission", each["sql"])]
    assert len(drawing) == 2, "one for the page, one that finds nothing behind it"


@pytest.mark.django_db(transaction=True)
def test_updates_stay_heap_only() -> None:
    """Each page has room for a second version of all its rows, and no index knows what an interval changes.

    Only the first interval is measured: the room is made again when old versions are cleared away, and that
    waits for every open writing transaction of the server, those of other tests included.
    """
    vera = make_client()
    make_crowd(vera, vendor=make_vendor(vera), size=2000)
    db.execute("ANALYZE")
    before = _updates()

    done = interval.run_interval(now=after(hours=1), engine="test", chunk_size=500)

    updated, hot = (now - then for now, then in zip(_updates(), before, strict=True))
    assert done.permissions == updated == 2000
    assert hot >= 0.95 * updated


def _updates() -> tuple[int, int]:
    """Return (rows updated, of these heap-only) of the permissions."""
    db.rows("SELECT pg_stat_force_next_flush()")
    updated, hot = db.row(
        "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'zcash_permission'"
    )
    return int(updated), int(hot)
