"""Several meters on one permission are summed under its lock: what they used is drawn once.

Which transactions are open is in another table than the row that is updated. Where somebody was faster,
PostgreSQL reads the permission again and not the sum: only the lock, taken before, keeps both of one moment.
"""

from collections.abc import Callable
from contextlib import ExitStack

import pytest

from billing import engine, funding, interval, sql
from billing.models import IntervalRun
from core import db
from core.models import User
from tests import books
from tests.concurrency.threads import in_background, lock_held, wait_until_blocked, wait_until_done_or_blocked
from tests.factories import MALLORY, ZEC, after, make_active_permission, pay, stream
from zcash import sql as zcash_sql
from zcash.models import SpendingPermission

pytestmark = pytest.mark.django_db(transaction=True)

GATE = 4713
_GUARD = "FOR NO KEY UPDATE SKIP LOCKED"
_SOURCE = "FROM zcash_permission p\n"
# The statement that sums has its snapshot, and waits here for whoever holds the gate.
_GATED = f"FROM (SELECT pg_advisory_xact_lock_shared({GATE})) gate CROSS JOIN zcash_permission p\n"


@pytest.fixture
def permission(vera: User) -> SpendingPermission:
    """A permission of 10 ZEC that pays for two sessions at 1 ZEC/h each."""
    made = make_active_permission(vera, rate=1 * ZEC)
    for ref in "ab":
        stream(vera, ref=ref)
    return made


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a gate between the sum's snapshot and the update, and let it be waited for."""
    assert "'50ms'" in sql.CHUNK_SETTINGS
    assert sql.USED_BY_METERS.count(_SOURCE) == 1
    monkeypatch.setattr(sql, "CHUNK_SETTINGS", sql.CHUNK_SETTINGS.replace("'50ms'", "'30s'"))
    monkeypatch.setattr(sql, "USED_BY_METERS", sql.USED_BY_METERS.replace(_SOURCE, _GATED))


@pytest.fixture
def gate_without_guard(monkeypatch: pytest.MonkeyPatch, gate: None) -> None:
    assert zcash_sql._LOCK_FREE.count(_GUARD) == 1
    monkeypatch.setattr(zcash_sql, "_LOCK_FREE", zcash_sql._LOCK_FREE.replace(_GUARD, ""))


def run() -> IntervalRun:
    return interval.run_interval(now=after(hours=2), engine="test", chunk_size=10)


def settle_while(change: Callable[[], object]) -> None:
    """Run an interval up to the second hour; make a change once it has its sum and has not yet drawn it.

    The change goes as far as it can before the interval goes on: to its end, or to a lock of the interval's.
    """
    with ExitStack() as background:
        with lock_held("SELECT pg_advisory_xact_lock(%s)", [GATE]):
            settling = background.enter_context(in_background(run))
            wait_until_blocked()
            changing = background.enter_context(in_background(change))
            wait_until_done_or_blocked(changing, count=2)
        settling.result()
        changing.result()


@pytest.mark.unbalanced
@pytest.mark.usefixtures("gate_without_guard")
def test_without_the_lock_what_was_drawn_meanwhile_is_drawn_again(permission: SpendingPermission) -> None:
    settle_while(lambda: pay(permission, 5 * ZEC, now=after(hours=1)))

    # The payment settled the first hour of both; the interval's sum has it once more.
    permission.refresh_from_db()
    assert permission.remaining_zat == 9 * ZEC
    assert any("what was credited" in line for line in books.violations())


@pytest.mark.usefixtures("gate")
def test_a_payment_in_between_waits_for_the_draw(permission: SpendingPermission) -> None:
    settle_while(lambda: pay(permission, 5 * ZEC, now=after(hours=1)))

    permission.refresh_from_db()
    assert (permission.remaining_zat, permission.settled_at) == (11 * ZEC, after(hours=2))


@pytest.mark.usefixtures("gate")
def test_a_session_that_ends_in_between_is_drawn_once(vera: User, permission: SpendingPermission) -> None:
    code = stream(vera, ref="a")

    settle_while(lambda: engine.end(code, client_id=vera.pk, now=after(hours=2)))

    permission.refresh_from_db()
    assert (permission.remaining_zat, permission.open_transactions) == (6 * ZEC, 1)


@pytest.mark.usefixtures("gate")
def test_a_revocation_in_between_keeps_what_was_not_used(vera: User, permission: SpendingPermission) -> None:
    settle_while(
        lambda: funding.revoke(
            client_id=vera.pk, public_id=permission.public_id, now=after(hours=2), actor="tests"
        )
    )

    permission.refresh_from_db()
    assert (permission.status, permission.remaining_zat) == ("revoked", 6 * ZEC)


@pytest.mark.usefixtures("gate")
def test_another_engine_in_between_draws_nothing_again(permission: SpendingPermission) -> None:
    settle_while(run)

    permission.refresh_from_db()
    assert (permission.remaining_zat, permission.settled_at) == (6 * ZEC, after(hours=2))


def test_a_permission_that_somebody_holds_is_left_out_and_keeps_no_other_waiting(
    vera: User, permission: SpendingPermission
) -> None:
    free = make_active_permission(vera, wallet=MALLORY)
    held = "SELECT FROM zcash_permission WHERE id = %s FOR NO KEY UPDATE"

    with lock_held(held, [permission.pk]), db.operation():
        assert zcash_sql.lock_free([permission.pk, free.pk]) == [free.pk]
