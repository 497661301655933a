"""Everything at once: whatever the order in which calls get their locks, the books balance."""

import random
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from billing import engine, expiry, funding, interval, live, pauses, reversals, stage
from billing.engine import StartRequest
from billing.models import IntervalRun
from core import db
from core.errors import Busy, DomainError
from core.models import User
from sessions_app.models import StreamingSession, Vendor
from tests import books
from tests.concurrency.threads import elsewhere, together
from tests.factories import (
    NOW,
    ZEC,
    after,
    make_active_permission,
    make_crowd,
    make_permission,
    see_deposit,
    stream,
)
from zcash import queries
from zcash.models import Deposit, PermissionAudit, SpendingPermission

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 30


@pytest.mark.unbalanced
def test_without_the_permissions_lock_an_end_and_an_interval_draw_the_same_hour_twice(
    vera: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_active_permission(vera, rate=1 * ZEC)
    code = stream(vera)

    def read_without_lock(session_code: str, **_: Any) -> SpendingPermission:
        found = SpendingPermission.objects.get()
        elsewhere(lambda: interval.run_interval(now=after(hours=1), engine="test", chunk_size=9))
        return found

    monkeypatch.setattr(stage, "_lock_payer", read_without_lock)

    record = engine.end(code, client_id=vera.pk, now=after(hours=1))

    assert record.amount_zat == 1 * ZEC
    assert SpendingPermission.objects.get().remaining_zat == 8 * ZEC
    assert books.violations() != []


def test_the_lock_of_what_a_session_has_left_is_let_go_before_the_sessions_own(
    vera: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Held on, it closed a circle with whoever had the session and waited for the permission."""
    permission = make_active_permission(vera, requested=1 * ZEC, rate=1 * ZEC)
    ended = stream(vera, ref="ended")
    stream(vera, ref="runs on")
    engine.end(ended, client_id=vera.pk, now=after(seconds=1))

    # As it is found by whoever waited for the lock while the session ended; something is due to the other.
    monkeypatch.setattr(stage, "_lock_payer", lambda *_, **__: queries.lock(permission.pk))

    with pytest.raises(db.LostRace), db.operation():
        stage.lock_running(ended, client_id=vera.pk, now=after(hours=3))


class Round:
    """One wallet with an active and a queued permission, a running session, and money on its way."""

    def __init__(self, client: User, *, number: int) -> None:
        self.client, self.wallet, self.chance = client, f"wallet-{number}", random.Random(number)
        rate = 1 * ZEC
        lasts = after(seconds=self.chance.choice([1800, 3600, 90_000]))
        self.active = make_active_permission(
            client, wallet=self.wallet, requested=1 * ZEC, rate=rate, expires_at=lasts
        )
        self.queued = make_active_permission(client, wallet=self.wallet, requested=2 * ZEC, rate=rate)
        self.pending = make_permission(client, wallet=self.wallet, requested=1 * ZEC, rate=rate)
        self.codes = [
            stream(client, wallet=self.wallet, ref="0"),
            stream(client, wallet=self.wallet, ref="1", heartbeat=3600),
            stream(client, wallet=self.wallet, ref="2", cap=40_000_000),
        ]
        pauses.pause(self.codes[2], client_id=client.pk, now=NOW)
        for permission in (self.active, self.queued, self.pending):
            see_deposit(permission, amount=1 * ZEC)
        credited = Deposit.objects.filter(permission__in=[self.active, self.queued], status="confirmed")
        self.lost = self.chance.choice(list(credited.order_by("id")))
        Deposit.objects.filter(pk=self.lost.pk).update(lost_at=after())

    def calls(self) -> list[Callable[[], Any]]:
        """Return the calls of this round, in an order of chance, with clocks a little apart."""
        made = [
            lambda: self._start("new", self._now()),
            lambda: self._start("0", self._now()),
            lambda: engine.end(self.codes[0], client_id=self.client.pk, now=self._now()),
            lambda: engine.end(self.codes[1], client_id=self.client.pk, now=self._now()),
            lambda: engine.end(self.codes[2], client_id=self.client.pk, now=self._now()),
            lambda: self._resume(self.codes[2]),
            lambda: self._pause(self.codes[0]),
            lambda: interval.run_interval(now=self._now(), engine="one", chunk_size=2),
            lambda: interval.run_interval(now=self._now(), engine="two", chunk_size=50),
            lambda: expiry.run(now=self._now()),
            lambda: funding.credit_confirmed(now=self._now()),
            lambda: funding.credit(self.queued.pk, now=self._now()),
            lambda: self._revoke(self.chance.choice([self.active, self.queued])),
            lambda: live.read(self.active.pk, now=self._now()),
            lambda: reversals.reverse(self.lost, now=self._now()),
            lambda: reversals.reverse_lost(now=self._now()),
        ]
        return self.chance.sample(made, 8)

    def _now(self) -> datetime:
        # Around the depletion (half an hour: two sessions), the lease's end and the last days.
        seconds = self.chance.choice([1799, 1800, 3600, 5400])
        return after(seconds=seconds, ms=self.chance.randint(-3, 3))

    def _start(self, ref: str, now: datetime) -> Any:
        return engine.start(StartRequest(self.wallet, "vendor123", ref), client_id=self.client.pk, now=now)

    def _pause(self, code: str) -> Any:
        return pauses.pause(code, client_id=self.client.pk, now=self._now())

    def _resume(self, code: str) -> Any:
        return pauses.resume(code, client_id=self.client.pk, now=self._now())

    def _revoke(self, permission: SpendingPermission) -> Any:
        return funding.revoke(
            client_id=self.client.pk, public_id=permission.public_id, now=self._now(), actor="tests"
        )


def unexpected(outcome: Any) -> bool:
    """Whether a call ended otherwise than with an answer or a plain refusal; a deadlock comes as Busy."""
    if isinstance(outcome, IntervalRun):
        return bool(outcome.put_aside)
    return isinstance(outcome, Exception) and (
        isinstance(outcome, Busy) or not isinstance(outcome, DomainError)
    )


def test_the_books_balance_after_any_race(vera: User, settings: Settings) -> None:
    # A pause ends when two sessions have used up the money.
    settings.MAX_PAUSE_HOURS = 0.5
    for number in range(ROUNDS):
        race = Round(vera, number=number)

        outcomes = together(*race.calls())

        assert [each for each in outcomes if unexpected(each)] == [], f"round {number}"
        assert books.violations() == [], f"round {number}"
        interval.run_interval(now=after(hours=99), engine="last", chunk_size=100)
        expiry.run(now=after(hours=99))
        assert set(StreamingSession.objects.values_list("status", flat=True)) == {"ended"}


def test_engines_at_once_settle_everyone_once(vera: User) -> None:
    make_crowd(vera, vendor=Vendor.objects.get(), size=300)

    runs = together(
        *[
            lambda size=size: interval.run_interval(now=after(hours=1), engine="test", chunk_size=size)
            for size in (7, 40, 300)
        ]
    )

    drawn = [10**11 - left for left in _left()]
    assert drawn == [10**8 + n for n in range(1, 301)]
    assert PermissionAudit.objects.filter(action="settled").count() == 300
    assert [run.put_aside for run in runs] == [[], [], []]
    assert set(SpendingPermission.objects.values_list("settled_at", flat=True)) == {after(hours=1)}


def test_engines_at_once_let_every_event_happen_once(vera: User) -> None:
    codes = []
    for number in range(8):
        make_active_permission(vera, wallet=f"w{number}", requested=1 * ZEC, rate=1 * ZEC)
        make_active_permission(vera, wallet=f"w{number}", requested=1 * ZEC, rate=1 * ZEC)
        codes.append(stream(vera, wallet=f"w{number}"))

    runs = together(
        *[
            lambda size=size: interval.run_interval(now=after(hours=1.5), engine="test", chunk_size=size)
            for size in (3, 10, 100)
        ]
    )

    assert [run.put_aside for run in runs] == [[], [], []]
    exhausted = SpendingPermission.objects.filter(status="exhausted")
    assert set(exhausted.values_list("remaining_zat", flat=True)) == {0}
    assert (exhausted.count(), SpendingPermission.objects.active().count()) == (8, 8)
    assert set(SpendingPermission.objects.active().values_list("remaining_zat", flat=True)) == {ZEC // 2}
    ended = [engine.end(code, client_id=vera.pk, now=after(hours=2)).amount_zat for code in codes]
    assert ended == [2 * ZEC] * 8


def _left() -> list[int]:
    return list(SpendingPermission.objects.order_by("id").values_list("remaining_zat", flat=True))
