"""The one clock: the database's, forward only, in whole milliseconds."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, transaction
from pytest_django.fixtures import Settings

from billing import rounds
from billing.models import IntervalRun
from core import clock, db
from core.errors import ClockSkew, Forbidden
from core.models import ClockOffset

pytestmark = pytest.mark.django_db


def database_now() -> datetime:
    (now,) = db.row("SELECT paygo_now()")
    assert isinstance(now, datetime)
    return now


def test_tells_the_databases_time_in_whole_milliseconds() -> None:
    before = database_now()
    now = clock.now()
    after = database_now()

    assert before - timedelta(milliseconds=5) <= now <= after + timedelta(milliseconds=5)
    assert now.microsecond % 1000 == 0
    assert now.utcoffset() == timedelta(0)


def test_never_goes_back_between_two_readings() -> None:
    told = [clock.now() for _ in range(2000)]

    assert told == sorted(told)


def test_asks_the_database_again_after_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    clock.now()
    ClockOffset.objects.update(offset_ms=60_000)
    kept = clock.now()
    monotonic = time.monotonic
    monkeypatch.setattr("core.clock.time.monotonic", lambda: monotonic() + clock.REREAD_SECONDS)

    reread = clock.now()

    assert reread - kept > timedelta(seconds=55)
    assert abs(reread - database_now()) < timedelta(seconds=1)


def test_a_sandbox_moves_every_reader_forward(settings: Settings) -> None:
    settings.PAYGO_SANDBOX = True
    before = clock.now()

    moved = clock.advance(3_600_000)

    # The offset to the database's clock was read anew in between, to some milliseconds.
    assert timedelta(minutes=59, seconds=59) < moved - before < timedelta(hours=1, seconds=5)
    assert abs(database_now() - moved) < timedelta(seconds=1)


@pytest.mark.parametrize(("sandbox", "milliseconds"), [(False, 1000), (True, -1)])
def test_moves_only_in_a_sandbox_and_only_forward(
    settings: Settings, sandbox: bool, milliseconds: int
) -> None:
    settings.PAYGO_SANDBOX = sandbox

    with pytest.raises(Forbidden):
        clock.advance(milliseconds)

    assert ClockOffset.objects.get().offset_ms == 0


def test_the_database_refuses_to_move_it_back() -> None:
    ClockOffset.objects.update(offset_ms=5000)

    with pytest.raises(IntegrityError, match="the clock moves forward only"), transaction.atomic():
        ClockOffset.objects.update(offset_ms=4999)


def test_the_database_refuses_a_second_clock() -> None:
    with pytest.raises(IntegrityError, match="core_clock_single_row"), transaction.atomic():
        ClockOffset.objects.create(id=2)


@pytest.mark.parametrize("seconds", [6.0, -6.0])
def test_a_wrong_wall_clock_stops_the_engine(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    wall = time.time
    monkeypatch.setattr("core.clock.time.time", lambda: wall() + seconds)

    with pytest.raises(ClockSkew, match=r"differs from the database's by [+-][56]\.\d s"):
        rounds.interval_round()
    with pytest.raises(ClockSkew):
        rounds.expiry_round()

    assert not IntervalRun.objects.exists()


def test_a_wall_clock_within_five_seconds_is_no_reason_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    wall = time.time
    monkeypatch.setattr("core.clock.time.time", lambda: wall() + 4.0)

    clock.require_no_skew()

    assert clock.skew_seconds() == pytest.approx(4.0, abs=1.0)


def test_the_sandboxs_offset_is_no_skew(settings: Settings) -> None:
    settings.PAYGO_SANDBOX = True
    clock.advance(86_400_000)

    clock.require_no_skew()


def test_converts_to_milliseconds_and_back() -> None:
    moment = datetime(2026, 2, 3, 4, 5, 6, 789_999, tzinfo=UTC)

    assert clock.from_ms(clock.to_ms(moment)) == clock.cut(moment) == moment.replace(microsecond=789_000)
