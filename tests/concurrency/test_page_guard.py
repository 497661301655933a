"""The interval's page statement computes with what a row says when it is locked, not when it was first read.

Everything it needs is in the row that it updates, so PostgreSQL computes again where somebody was faster.
With anything that its snapshot alone shows, what was used would be drawn twice, or never.
"""

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

import pytest

from billing import engine, funding, interval, sql
from billing.models import IntervalRun
from core.models import User
from sessions_app.models import StreamingSession
from tests import books
from tests.concurrency.threads import in_background, lock_held, wait_until_blocked
from tests.factories import NOW, ZEC, after, make_active_permission, make_vendor, pay, stream
from zcash import sql as zcash_sql
from zcash.models import SpendingPermission

pytestmark = pytest.mark.django_db(transaction=True)

GATE = 4711
# The statement has its snapshot and its page, and waits here for whoever holds the gate.
_GATED = f") ids, (SELECT pg_advisory_xact_lock_shared({GATE})) gate"
_IN_SNAPSHOT = "(SELECT {} FROM zcash_permission snapshot WHERE snapshot.id = p.id)"


@pytest.fixture
def gate_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a gate between the statement's snapshot and its locks, and let it be waited for."""
    assert "'50ms'" in sql.CHUNK_SETTINGS
    assert zcash_sql._DRAW_PAGE.count(") ids") == 1
    monkeypatch.setattr(sql, "CHUNK_SETTINGS", sql.CHUNK_SETTINGS.replace("'50ms'", "'30s'"))
    monkeypatch.setattr(zcash_sql, "_DRAW_PAGE", zcash_sql._DRAW_PAGE.replace(") ids", _GATED))


@pytest.fixture(params=["waits", "skips"])
def gate(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, gate_alone: None) -> None:
    """The gate before either form of the statement."""
    if request.param == "skips":
        skipping = partial(interval._draw_once, skip_busy=True)
        monkeypatch.setattr(interval, "_draw_page", skipping)


@pytest.fixture
def gate_without_guard(monkeypatch: pytest.MonkeyPatch, gate_alone: None) -> None:
    """Let the statement compute with what its snapshot shows, as one that joins another table would."""
    used = sql.USED_BY_METER
    assert used.count("p.") > 3
    monkeypatch.setattr(sql, "USED_BY_METER", _IN_SNAPSHOT.format(used.replace("p.", "snapshot.")))


def settle_while(change: Callable[[], object], *, hours: float) -> IntervalRun:
    """Run an interval; make a change after its first page took its snapshot and before it locks its rows."""

    def run() -> IntervalRun:
        return interval.run_interval(now=after(hours=hours), engine="test", chunk_size=10)

    with ExitStack() as background, lock_held("SELECT pg_advisory_xact_lock(%s)", [GATE]):
        future = background.enter_context(in_background(run))
        wait_until_blocked()
        change()
    done = future.result()
    assert isinstance(done, IntervalRun)
    return done


def start_a_cheaper_session(client: User) -> None:
    make_vendor(client, slug="cheap", price=ZEC // 2)
    stream(client, vendor="cheap", now=after(hours=1))


@pytest.mark.unbalanced
@pytest.mark.usefixtures("gate_without_guard")
def test_without_the_guard_what_was_drawn_meanwhile_is_drawn_again(vera: User) -> None:
    permission = make_active_permission(vera, rate=1 * ZEC)
    stream(vera)

    settle_while(lambda: pay(permission, 5 * ZEC, now=after(hours=1)), hours=2)

    # The payment settled the first hour; the statement's snapshot does not show that.
    permission.refresh_from_db()
    assert permission.remaining_zat == 12 * ZEC
    assert any("what was credited" in line for line in books.violations())


@pytest.mark.usefixtures("gate")
def test_a_session_that_starts_in_between_is_billed(vera: User) -> None:
    permission = make_active_permission(vera, rate=1 * ZEC)
    stream(vera)

    done = settle_while(lambda: start_a_cheaper_session(vera), hours=2)

    permission.refresh_from_db()
    assert (done.permissions, done.events) == (1, 0)
    assert (permission.remaining_zat, permission.settled_at) == (75 * ZEC // 10, after(hours=2))


@pytest.mark.usefixtures("gate")
def test_a_session_that_ends_in_between_is_not_billed_again(vera: User) -> None:
    permission = make_active_permission(vera, rate=1 * ZEC)
    codes = [stream(vera, ref=ref) for ref in "ab"]

    settle_while(lambda: engine.end(codes[0], client_id=vera.pk, now=after(hours=1)), hours=2)

    permission.refresh_from_db()
    assert permission.remaining_zat == 7 * ZEC


@pytest.mark.usefixtures("gate")
def test_a_payment_in_between_is_kept(vera: User) -> None:
    permission = make_active_permission(vera, rate=1 * ZEC)
    stream(vera)

    settle_while(lambda: pay(permission, 5 * ZEC, now=after(hours=1)), hours=2)

    permission.refresh_from_db()
    assert permission.remaining_zat == 13 * ZEC


@pytest.mark.usefixtures("gate")
def test_a_revocation_in_between_ends_the_billing(vera: User) -> None:
    permission = make_active_permission(vera, rate=1 * ZEC)
    stream(vera)

    settle_while(
        lambda: funding.revoke(
            client_id=vera.pk, public_id=permission.public_id, now=after(hours=1), actor="tests"
        ),
        hours=2,
    )

    permission.refresh_from_db()
    assert (permission.status, permission.remaining_zat) == ("revoked", 9 * ZEC)
    assert StreamingSession.objects.get().ended_at == after(hours=1)


@pytest.mark.usefixtures("gate")
def test_another_engine_in_between_draws_nothing_twice(vera: User) -> None:
    permission = make_active_permission(vera, rate=1 * ZEC)
    stream(vera)

    def other_engine() -> None:
        SpendingPermission.objects.filter(pk=permission.pk).update(wallet_address="moved")
        SpendingPermission.objects.filter(pk=permission.pk).update(wallet_address=permission.wallet_address)

    done = settle_while(other_engine, hours=2)

    permission.refresh_from_db()
    assert (done.events, permission.remaining_zat) == (0, 8 * ZEC)


def test_a_page_that_another_engine_is_at_is_passed_over(vera: User) -> None:
    first, second = make_active_permission(vera, rate=1 * ZEC), make_active_permission(vera, wallet="bob")
    stream(vera)
    stream(vera, wallet="bob")

    with lock_held("SELECT pg_advisory_xact_lock(%s, hashint8(%s))", [zcash_sql._PAGE_LOCKS, 0]):
        done = interval.run_interval(now=after(hours=1), engine="test", chunk_size=1)

    first.refresh_from_db()
    second.refresh_from_db()
    assert (done.permissions, done.put_aside) == (1, [])
    assert (first.settled_at, second.settled_at) == (NOW, after(hours=1))
    assert interval.run_interval(now=after(hours=1), engine="test", chunk_size=1).permissions == 1
