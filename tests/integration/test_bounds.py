"""Rate times time at the bounds: SQL against Python's integers, and verbs with the largest of everything."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import settings as trying
from hypothesis import strategies as st
from pytest_django.fixtures import Settings

from billing import engine, expiry, interval, live, sql
from billing.rules import Meter, depletes_ms
from core import clock, db
from core.amounts import MAX_ZAT, MS_PER_HOUR
from core.models import User
from sessions_app.models import StreamingSession
from tests.factories import NOW, after, make_active_permission, make_client, make_vendor, stream
from zcash.models import SpendingPermission

pytestmark = pytest.mark.django_db

# The longest that a transaction may last.
MAX_MS = 100 * 24 * MS_PER_HOUR
RATES = [1, 2, MS_PER_HOUR - 1, MS_PER_HOUR, MS_PER_HOUR + 1, 250_000_000, MAX_ZAT - 1, MAX_ZAT]
TIMES_MS = [0, 1, MS_PER_HOUR - 1, MS_PER_HOUR, MS_PER_HOUR + 1, 24 * MS_PER_HOUR, MAX_MS - 1, MAX_MS]
RATE = st.one_of(st.sampled_from(RATES), st.integers(1, MAX_ZAT))
TIME_MS = st.one_of(st.sampled_from(TIMES_MS), st.integers(0, MAX_MS))
STARTS_MS = [clock.to_ms(NOW), 0, 1, 4_102_444_799_999, 253_402_300_799_999 - MAX_MS]

_AMOUNTS = f"""
SELECT {sql.amount("rate", "ms")}, {
    sql.amount("rate", sql.elapsed_ms("since", "since + ms * interval '1 millisecond'"))
}
FROM unnest(%(rates)s::bigint[], %(times)s::bigint[], %(starts)s::timestamptz[]) AS t (rate, ms, since)
"""
_DEPLETES = f"""
SELECT {sql.depletes_at("rate", since="since", zat="zat")}
FROM (SELECT %(rate)s::bigint AS rate, %(since)s::timestamptz AS since, %(zat)s::bigint AS zat) t
"""


@pytest.fixture
def vera() -> User:
    client = make_client()
    make_vendor(client)
    return client


def amounts(cases: list[tuple[int, int, int]]) -> list[tuple[int, int]]:
    """Return what SQL makes of (rate, milliseconds, start): of the time, and between two instants."""
    rates, times, starts = zip(*cases, strict=True)
    parameters = {
        "rates": list(rates),
        "times": list(times),
        "starts": [clock.from_ms(start_ms) for start_ms in starts],
    }
    return [(given_ms, between) for given_ms, between in db.rows(_AMOUNTS, parameters)]


def exactly(cases: list[tuple[int, int, int]]) -> list[tuple[int, int]]:
    return [(rate * ms // MS_PER_HOUR,) * 2 for rate, ms, _ in cases]


def test_every_bound_with_every_bound_is_exact() -> None:
    cases = [(rate, ms, start) for rate in RATES for ms in TIMES_MS for start in STARTS_MS]

    assert amounts(cases) == exactly(cases)


@trying(max_examples=20, deadline=None)
@given(cases=st.lists(st.tuples(RATE, TIME_MS, st.sampled_from(STARTS_MS)), min_size=200, max_size=200))
def test_anything_between_the_bounds_is_exact(cases: list[tuple[int, int, int]]) -> None:
    assert amounts(cases) == exactly(cases)


@trying(max_examples=200, deadline=None)
@given(rate=RATE, zat=st.one_of(st.sampled_from([1, MAX_ZAT]), st.integers(1, MAX_ZAT)))
def test_the_instant_of_depletion_is_exact(rate: int, zat: int) -> None:
    start_ms = clock.to_ms(NOW)
    meter = Meter(id=1, rate=rate, started_ms=start_ms, until_ms=start_ms + MAX_MS)

    (found,) = db.row(_DEPLETES, {"rate": rate, "since": NOW, "zat": zat})

    expected = depletes_ms([meter], remaining=zat, settled_ms=start_ms)
    assert -(-zat * MS_PER_HOUR // rate) > MAX_MS if expected is None else clock.to_ms(found) == expected
    if expected is None:
        assert clock.to_ms(found) > start_ms + MAX_MS


def test_all_the_money_there_is_at_the_dearest_rate_lasts_an_hour(vera: User) -> None:
    make_active_permission(vera, requested=MAX_ZAT, rate=MAX_ZAT)
    code = stream(vera)

    settle(ms=1)
    assert left() == MAX_ZAT - MAX_ZAT // MS_PER_HOUR
    settle(hours=1, ms=-1)
    assert left() == MAX_ZAT - MAX_ZAT * (MS_PER_HOUR - 1) // MS_PER_HOUR
    settle(hours=2)

    session = StreamingSession.objects.get(code=code)
    assert (left(), session.end_reason, session.ended_at) == (0, "exhausted", after(hours=1))
    assert engine.end(code, client_id=vera.pk, now=after(hours=3)).amount_zat == MAX_ZAT


@pytest.mark.parametrize("rate", [1, MAX_ZAT // (24 * 99), MAX_ZAT // (24 * 100)])
def test_a_session_of_a_hundred_days_is_exact_to_its_last_millisecond(
    vera: User, rate: int, settings: Settings
) -> None:
    settings.MAX_SESSION_HOURS = 2400
    make_active_permission(vera, requested=MAX_ZAT, rate=rate, expires_at=after(hours=24 * 365))
    code = stream(vera)

    for days in (1, 50, 99):
        settle(hours=24 * days)
        assert MAX_ZAT - left() == rate * 24 * days
    settle(hours=24 * 101)

    record = engine.end(code, client_id=vera.pk, now=after(hours=24 * 102))
    used_ms = min(MAX_MS, -(-MAX_ZAT * MS_PER_HOUR // rate))
    assert record.amount_zat == min(MAX_ZAT, rate * used_ms // MS_PER_HOUR)
    assert StreamingSession.objects.get().ended_at == NOW + timedelta(milliseconds=used_ms)


def test_four_sessions_at_the_dearest_rate_share_all_the_money_there_is(vera: User) -> None:
    make_active_permission(vera, requested=MAX_ZAT, rate=MAX_ZAT)
    codes = [stream(vera, ref=ref, now=after(ms=number)) for number, ref in enumerate("abcd")]

    settle(seconds=899)
    settle(hours=1)

    ended = [engine.end(code, client_id=vera.pk, now=after(hours=2)).amount_zat for code in codes]
    assert (sum(ended), left()) == (MAX_ZAT, 0)


def test_one_zatoshi_at_one_zatoshi_an_hour(vera: User) -> None:
    make_active_permission(vera, requested=1, rate=1)
    stream(vera)

    settle(hours=1, ms=-1)
    assert left() == 1
    settle(hours=1)

    assert left() == 0
    assert StreamingSession.objects.get().ended_at == after(hours=1)


def test_a_live_read_of_the_largest_amounts_is_exact(vera: User) -> None:
    permission = make_active_permission(vera, requested=MAX_ZAT, rate=MAX_ZAT)
    stream(vera)

    found = live.read(permission.pk, now=after(ms=3_599_999))

    assert found.remaining_zat == MAX_ZAT - MAX_ZAT * 3_599_999 // MS_PER_HOUR
    expiry.run(now=after(hours=1))


def settle(*, hours: float = 0, seconds: float = 0, ms: int = 0) -> None:
    run = interval.run_interval(now=after(hours=hours, seconds=seconds, ms=ms), engine="test", chunk_size=9)
    assert run.put_aside == []


def left() -> int:
    return SpendingPermission.objects.get().remaining_zat
