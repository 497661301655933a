"""Beats that come twice, late, or by a clock that has been set: the same money, to the zatoshi."""

import json
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from billing import engine, expiry, interval, tasks
from billing.models import IntervalRun
from core import clock, db
from core.errors import ClockSkew
from core.models import User
from tests import books
from tests.factories import (
    NOW,
    ZEC,
    after,
    make_active_permission,
    make_client,
    make_vendor,
    stream,
)

pytestmark = pytest.mark.django_db

Beat = Callable[[datetime], None]

STEPS = [timedelta(hours=hours) for hours in (-24, -1, 1, 24)]
# Somebody calls at each; in between and at each there is a beat.
MINUTES = range(0, 6 * 60 + 1, 30)

_MONEY = """
SELECT array_agg(to_jsonb(r) - 'id' ORDER BY wallet_address, id) FROM (
    SELECT p.wallet_address, p.id, p.status, p.remaining_zat, p.closed_at,
           (SELECT jsonb_agg(jsonb_build_array(x.started_at, x.ended_at, x.amount_zat, x.status,
                                               s.started_at, s.ended_at, s.end_reason) ORDER BY x.id)
            FROM billing_transaction x JOIN sessions_session s ON s.id = x.session_id
            WHERE x.permission_id = p.id) AS transactions
    FROM zcash_permission p WHERE p.client_id = %(client_id)s) r
"""


def a_client() -> User:
    client = make_client(f"client-{uuid4()}")
    make_vendor(client)
    make_vendor(client, slug="cheap", price=ZEC // 7)
    return client


def beat(now: datetime) -> None:
    interval.run_interval(now=now, engine="test", chunk_size=3)
    expiry.run(now=now)


def live(beat: Beat) -> list[Any]:
    """Let a client's wallets live for six hours, with a beat each half an hour; return what it came to."""
    client = a_client()
    # An uneven rate; depletions, roll-overs, a last day, a lost heartbeat.
    for wallet, chain in {"a": (2, 9), "b": (9,), "c": (1, 1, 1), "d": (9,)}.items():
        for part in chain:
            expires_at = after(hours=4, ms=77) if wallet == "b" else None
            make_active_permission(
                client, wallet=wallet, requested=part * ZEC + 13, rate=ZEC + 7, expires_at=expires_at
            )
    code = stream(client, wallet="a")
    stream(client, wallet="b")
    stream(client, wallet="c", vendor="cheap", now=after(ms=1))
    stream(client, wallet="c", ref="second", now=after(ms=999))
    stream(client, wallet="d", heartbeat=3600)
    for minute in MINUTES:
        beat(NOW + timedelta(minutes=minute))
    engine.end(code, client_id=client.pk, now=after(hours=6))
    beat(after(hours=6))
    assert books.violations() == []
    return money(client)


def money(client: User) -> list[Any]:
    """Return what has become of the money and the meters of a client's wallets."""
    (found,) = db.row(_MONEY, {"client_id": client.pk})
    return [json.loads(row) for row in found]


@pytest.fixture
def undisturbed() -> list[Any]:
    return live(beat)


def test_the_undisturbed_life_has_every_kind_of_event(undisturbed: list[Any]) -> None:
    told = str(undisturbed)

    assert [
        what for what in ("exhausted", "expired", "heartbeat_lost", "ended_by_client") if what not in told
    ] == []
    assert max(len(row["transactions"] or []) for row in undisturbed) > 1


def test_a_beat_that_comes_again_and_again_changes_nothing(undisturbed: list[Any]) -> None:
    def doubled(now: datetime) -> None:
        for _ in range(3):
            beat(now)

    assert live(doubled) == undisturbed


def test_a_beat_that_was_meant_for_earlier_changes_nothing(undisturbed: list[Any]) -> None:
    """A broker delivers again what was never acknowledged: an hour later, or a day."""

    def replayed(now: datetime) -> None:
        beat(now)
        for hours in (1, 6, 24):
            beat(now - timedelta(hours=hours))

    assert live(replayed) == undisturbed


def test_beats_that_are_missing_for_six_hours_change_nothing(undisturbed: list[Any]) -> None:
    def late(now: datetime) -> None:
        if now >= after(hours=6):
            beat(now)

    assert live(late) == undisturbed


@pytest.mark.parametrize("back", [step for step in STEPS if step < timedelta()])
def test_a_clock_that_goes_back_and_comes_right_again_bills_nothing_twice(
    undisturbed: list[Any], back: timedelta
) -> None:
    def stepped(now: datetime) -> None:
        wrong = after(hours=1) < now < after(hours=3)
        beat(now + back if wrong else now)

    assert live(stepped) == undisturbed


@pytest.mark.parametrize("ahead", [step for step in STEPS if step > timedelta()])
def test_a_clock_that_went_ahead_is_billed_once(ahead: timedelta) -> None:
    """What was settled stays settled: nothing is taken again until the clock has caught up."""
    vera = a_client()
    make_active_permission(vera, requested=100 * ZEC, rate=ZEC)
    code = stream(vera)
    beat(after(hours=1))
    beat(after(hours=1) + ahead)
    for hours in (1, 1.5, 2):
        beat(after(hours=hours))

    record = engine.end(code, client_id=vera.pk, now=after(hours=2))

    # The longest session lasts twelve hours.
    billed_hours = min(12, (timedelta(hours=1) + ahead) // timedelta(hours=1))
    assert record.amount_zat == billed_hours * ZEC


@pytest.mark.parametrize("step", STEPS)
def test_an_engine_whose_machine_has_a_wrong_clock_bills_nothing(
    monkeypatch: pytest.MonkeyPatch, step: timedelta
) -> None:
    vera = a_client()
    now = clock.now()
    make_active_permission(vera, rate=ZEC, now=now)
    stream(vera, now=now)
    before = money(vera)
    right = time.time
    clock.forget()
    monkeypatch.setattr(time, "time", lambda: right() + step.total_seconds())

    with pytest.raises(ClockSkew):
        tasks.run_interval()
    with pytest.raises(ClockSkew):
        tasks.run_expiry()

    assert money(vera) == before
    assert not IntervalRun.objects.exists()
    monkeypatch.setattr(time, "time", right)
    clock.forget()
    tasks.run_interval()
    assert IntervalRun.objects.get().put_aside == []
