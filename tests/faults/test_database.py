"""The database fails in the middle: nothing half is left, and what was asked can be asked again."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from django.db import OperationalError, connection

from billing import engine, expiry, funding, interval, live, rounds
from billing.engine import StartRequest
from billing.models import IntervalRun
from core import db
from core.errors import Busy
from core.models import Event, User
from sessions_app.models import StreamingSession
from tests.concurrency.threads import (
    TIMEOUT_SECONDS,
    elsewhere,
    in_background,
    lock_held,
    wait_until,
    wait_until_blocked,
)
from tests.factories import (
    ALICE,
    ZEC,
    after,
    make_active_permission,
    make_client,
    make_permission,
    make_vendor,
    see_deposit,
    stream,
)
from zcash.models import PermissionAudit, SpendingPermission

pytestmark = pytest.mark.django_db(transaction=True)

LOCK_PERMISSION = "SELECT 1 FROM zcash_permission WHERE id = %s FOR NO KEY UPDATE"
LOCK_SESSIONS = "SELECT 1 FROM sessions_session FOR UPDATE"
LOCK_DEPOSITS = "SELECT 1 FROM zcash_deposit FOR UPDATE"


@pytest.fixture
def vera(transactional_db: None) -> User:
    client = make_client()
    make_vendor(client)
    return client


def everything() -> list[Any]:
    """Return every row that money or the meter is made of."""
    tables = ("zcash_permission", "zcash_deposit", "sessions_session", "billing_transaction", "core_event")
    return [db.rows(f"SELECT x::text FROM {table} x ORDER BY id") for table in tables] + [
        PermissionAudit.objects.count()
    ]


def killed(call: Callable[[], Any], *, waiting_for: str, parameters: list[int] | None = None) -> Exception:
    """Kill the connection of a call while it waits for a lock; return what the call raised."""
    with ExitStack() as background, lock_held(waiting_for, parameters):
        future = background.enter_context(in_background(call))
        wait_until_blocked()
        db.rows(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        error = future.exception(TIMEOUT_SECONDS)
    assert isinstance(error, Exception)
    return error


@contextmanager
def patience(*, lock_ms: int = 0, statement_ms: int = 0) -> Iterator[None]:
    """Let this connection wait for locks and statements for so long, 0 for ever."""
    db.execute(f"SET lock_timeout = {lock_ms}")
    db.execute(f"SET statement_timeout = {statement_ms}")
    yield
    connection.close()


def test_an_end_that_is_cut_off_leaves_nothing_half(vera: User) -> None:
    permission = make_active_permission(vera, rate=1 * ZEC)
    code = stream(vera)
    before = everything()

    # It has drawn from the permission when it comes to the session.
    error = killed(lambda: engine.end(code, client_id=vera.pk, now=after(hours=1)), waiting_for=LOCK_SESSIONS)

    assert isinstance(error, OperationalError)
    assert everything() == before
    assert engine.end(code, client_id=vera.pk, now=after(hours=2)).amount_zat == 2 * ZEC
    permission.refresh_from_db()
    assert permission.remaining_zat == 8 * ZEC


def test_a_credit_that_is_cut_off_leaves_nothing_half(vera: User) -> None:
    permission = make_permission(vera)
    see_deposit(permission, amount=10 * ZEC)
    before = everything()

    error = killed(lambda: funding.credit(permission.pk, now=after(hours=1)), waiting_for=LOCK_DEPOSITS)

    assert isinstance(error, OperationalError)
    assert everything() == before
    assert funding.credit(permission.pk, now=after(hours=2)) == 10 * ZEC


def test_a_hand_over_that_is_cut_off_leaves_nothing_half(vera: User) -> None:
    first = make_active_permission(vera, requested=1 * ZEC, rate=1 * ZEC)
    second = make_active_permission(vera, rate=1 * ZEC)
    code = stream(vera)
    before = everything()

    error = killed(
        lambda: expiry.bring_current(first.pk, now=after(hours=2)),
        waiting_for=LOCK_PERMISSION,
        parameters=[second.pk],
    )

    assert isinstance(error, OperationalError)
    assert everything() == before
    record = engine.end(code, client_id=vera.pk, now=after(hours=2))
    assert [each.amount for each in record.transactions] == [1 * ZEC, 1 * ZEC]


def test_an_interval_that_is_cut_off_is_finished_by_the_next(vera: User) -> None:
    quiet = make_active_permission(vera, wallet="quiet", rate=1 * ZEC)
    ending = make_active_permission(vera, wallet="ending", requested=1 * ZEC, rate=1 * ZEC)
    for wallet in ("quiet", "ending"):
        stream(vera, wallet=wallet)

    error = killed(
        lambda: interval.run_interval(now=after(hours=2), engine="dies", chunk_size=10),
        waiting_for=LOCK_SESSIONS,
    )

    assert isinstance(error, OperationalError)
    ending.refresh_from_db()
    quiet.refresh_from_db()
    assert (ending.status, ending.remaining_zat) == ("active", 1 * ZEC)
    assert (quiet.settled_at, quiet.remaining_zat) == (after(hours=2), 8 * ZEC)
    assert IntervalRun.objects.get().finished_at is None
    assert rounds.lateness().late
    interval.run_interval(now=after(hours=2), engine="next", chunk_size=10)
    ending.refresh_from_db()
    assert (ending.status, ending.remaining_zat) == ("exhausted", 0)
    assert StreamingSession.objects.get(wallet_address="ending").ended_at == after(hours=1)


def test_a_lock_that_takes_too_long_is_busy_and_changes_nothing(vera: User) -> None:
    permission = make_active_permission(vera)
    code = stream(vera)
    before = everything()
    calls: list[Callable[[], Any]] = [
        lambda: engine.end(code, client_id=vera.pk, now=after(hours=1)),
        lambda: engine.start(StartRequest(ALICE, "vendor123", "b"), client_id=vera.pk, now=after(hours=1)),
        lambda: funding.credit(permission.pk, now=after(hours=1)),
        lambda: funding.revoke(
            client_id=vera.pk, public_id=permission.public_id, now=after(hours=1), actor="tests"
        ),
        lambda: live.read(permission.pk, now=after(hours=99)),
    ]

    with lock_held(LOCK_PERMISSION, [permission.pk]), patience(lock_ms=50):
        for call in calls:
            with pytest.raises(Busy):
                call()

    assert everything() == before


def test_a_statement_that_takes_too_long_is_busy_and_changes_nothing(vera: User) -> None:
    permission = make_active_permission(vera)
    code = stream(vera)
    before = everything()

    with (
        lock_held(LOCK_PERMISSION, [permission.pk]),
        patience(statement_ms=50),
        pytest.raises(Busy),
    ):
        engine.end(code, client_id=vera.pk, now=after(hours=1))

    assert everything() == before


def test_reads_wait_for_nobody(vera: User) -> None:
    permission = make_active_permission(vera)
    stream(vera)

    with lock_held(LOCK_PERMISSION, [permission.pk]), patience(lock_ms=1):
        assert live.read(permission.pk, now=after(hours=1)).remaining_zat == 750_000_000


def test_an_interval_settles_the_others_before_it_waits_for_a_busy_one(vera: User) -> None:
    busy = make_active_permission(vera, wallet="busy", rate=1 * ZEC)
    others = [make_active_permission(vera, wallet=f"other-{n}", rate=1 * ZEC) for n in range(3)]
    for permission in (busy, *others):
        stream(vera, wallet=permission.wallet_address)

    with ExitStack() as background, lock_held(LOCK_PERMISSION, [busy.pk]):
        run = background.enter_context(
            in_background(lambda: interval.run_interval(now=after(hours=1), engine="test", chunk_size=2))
        )
        settled = SpendingPermission.objects.filter(settled_at=after(hours=1))
        wait_until(lambda: set(settled.all()) == set(others))
        wait_until_blocked()

    assert run.result().put_aside == []
    busy.refresh_from_db()
    assert busy.remaining_zat == 9 * ZEC


def test_an_interval_names_what_stays_busy_and_comes_back_to_it(vera: User) -> None:
    busy = make_active_permission(vera, wallet="busy", rate=1 * ZEC)
    other = make_active_permission(vera, wallet="other", rate=1 * ZEC)
    for wallet in ("busy", "other"):
        stream(vera, wallet=wallet)

    with lock_held(LOCK_PERMISSION, [busy.pk]), patience(lock_ms=50):
        run = interval.run_interval(now=after(hours=1), engine="test", chunk_size=10)

    other.refresh_from_db()
    assert (run.permissions, run.put_aside, other.remaining_zat) == (1, [busy.pk], 9 * ZEC)
    assert interval.run_interval(now=after(hours=1), engine="test", chunk_size=10).permissions == 1


def test_an_interval_leaves_a_pair_whose_heir_is_busy_as_it_was(vera: User) -> None:
    first = make_active_permission(vera, requested=1 * ZEC, rate=1 * ZEC)
    second = make_active_permission(vera, rate=1 * ZEC)
    code = stream(vera)
    before = everything()

    with lock_held(LOCK_PERMISSION, [second.pk]), patience(lock_ms=50):
        run = interval.run_interval(now=after(hours=2), engine="test", chunk_size=10)

    assert run.put_aside == [first.pk]
    assert everything() == before
    interval.run_interval(now=after(hours=3), engine="test", chunk_size=10)
    record = engine.end(code, client_id=vera.pk, now=after(hours=3))
    assert [each.amount for each in record.transactions] == [1 * ZEC, 2 * ZEC]


def test_an_expiry_sweep_passes_over_what_is_busy(vera: User) -> None:
    busy = make_active_permission(vera, wallet="busy", expires_at=after(hours=1))
    other = make_active_permission(vera, wallet="other", expires_at=after(hours=1))

    with lock_held(LOCK_PERMISSION, [busy.pk]), patience(lock_ms=50):
        expiry.run(now=after(hours=2))

    other.refresh_from_db()
    assert other.status == "expired"
    expiry.run(now=after(hours=3))
    busy.refresh_from_db()
    assert (busy.status, busy.closed_at) == ("expired", after(hours=1))


def test_a_deadlock_is_busy_for_one_and_nothing_for_the_other(vera: User) -> None:
    first, second = make_active_permission(vera, wallet="a"), make_active_permission(vera, wallet="b")

    meeting = threading.Barrier(2)

    def lock_both(one: int, other: int) -> str:
        try:
            with db.operation():
                db.rows(LOCK_PERMISSION, [one])  # type: ignore[arg-type]
                meeting.wait(TIMEOUT_SECONDS)
                db.rows(LOCK_PERMISSION, [other])  # type: ignore[arg-type]
        except Busy:
            return "busy"
        return "done"

    with (
        in_background(lambda: lock_both(first.pk, second.pk)) as one,
        in_background(lambda: lock_both(second.pk, first.pk)) as other,
    ):
        assert sorted([one.result(TIMEOUT_SECONDS), other.result(TIMEOUT_SECONDS)]) == ["busy", "done"]


def test_a_dead_connection_is_replaced_by_the_next_call(vera: User) -> None:
    permission = make_active_permission(vera, rate=1 * ZEC)
    code = stream(vera)
    (pid,) = db.row("SELECT pg_backend_pid()")
    elsewhere(lambda: db.rows("SELECT pg_terminate_backend(%s)", [pid]))  # type: ignore[arg-type]

    with pytest.raises(OperationalError):
        engine.end(code, client_id=vera.pk, now=after(hours=1))
    connection.close_if_unusable_or_obsolete()

    assert engine.end(code, client_id=vera.pk, now=after(hours=1)).amount_zat == 1 * ZEC
    permission.refresh_from_db()
    assert permission.remaining_zat == 9 * ZEC
    assert Event.objects.filter(kind="session.ended").count() == 1
