"""How long a session may stream on what is known now."""

from datetime import datetime

import pytest

from billing import engine, interval
from billing.engine import StartRequest
from core.models import Event, User
from sessions_app.models import StreamingSession
from tests.factories import (
    ALICE,
    NOW,
    ZEC,
    after,
    make_active_permission,
    make_client,
    make_vendor,
    pay,
    stream,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def vera() -> User:
    client = make_client()
    make_vendor(client)
    return client


def start(
    client: User, *, ref: str = "", now: datetime = NOW, heartbeat: int | None = None
) -> tuple[datetime | None, datetime]:
    """Return (depletes_at, granted_until) as the start told them."""
    request = StartRequest(ALICE, "vendor123", ref, heartbeat)
    started = engine.start(request, client_id=client.pk, now=now)
    depletes_at = None if started.depletes_at is None else datetime.fromisoformat(started.depletes_at)
    return depletes_at, datetime.fromisoformat(started.granted_until)


def told() -> list[tuple[str, str]]:
    """Return (client_ref, granted_until) of each change of a grant that was announced."""
    events = Event.objects.filter(kind="session.grant_changed").order_by("id")
    sessions = {str(each.public_id): each.client_ref for each in StreamingSession.objects.all()}
    return [(sessions[each.payload["session_id"]], each.payload["granted_until"]) for each in events]


def test_grants_what_the_money_pays_for(vera: User) -> None:
    make_active_permission(vera, requested=3 * ZEC, rate=1 * ZEC)

    assert start(vera) == (after(hours=3), after(hours=3))


def test_grants_to_the_exact_millisecond_of_the_depletion(vera: User) -> None:
    make_active_permission(vera, requested=1_000_000, rate=7_777_777)

    depletes_at, granted_until = start(vera)
    interval.run_interval(now=after(hours=1), engine="test", chunk_size=1)

    assert StreamingSession.objects.get().ended_at == depletes_at == granted_until


def test_a_grant_covers_the_whole_funding_chain(vera: User) -> None:
    for hours in (1, 2, 3):
        make_active_permission(vera, requested=hours * ZEC, rate=1 * ZEC)

    assert start(vera) == (after(hours=1), after(hours=6))


def test_a_grant_ends_where_the_chain_becomes_too_cheap(vera: User) -> None:
    make_active_permission(vera, requested=1 * ZEC, rate=1 * ZEC)
    make_active_permission(vera, requested=1 * ZEC, rate=1 * ZEC - 1)
    make_active_permission(vera, requested=1 * ZEC, rate=1 * ZEC)

    assert start(vera)[1] == after(hours=1)


def test_a_grant_ends_with_the_last_day(vera: User) -> None:
    make_active_permission(vera, rate=1 * ZEC, expires_at=after(hours=2))

    assert start(vera) == (None, after(hours=2))


def test_a_lease_bounds_the_grant_but_not_the_depletion(vera: User) -> None:
    make_active_permission(vera, requested=3 * ZEC, rate=1 * ZEC)

    assert start(vera, heartbeat=60) == (after(hours=3), after(seconds=60))


def test_the_smaller_heartbeat_of_vendor_and_client_counts(vera: User) -> None:
    make_active_permission(vera)
    make_vendor(vera, slug="strict", heartbeat=30)

    stream(vera, vendor="strict", ref="a", heartbeat=60)
    stream(vera, vendor="strict", ref="b", heartbeat=20)
    stream(vera, vendor="strict", ref="c")

    leases = StreamingSession.objects.order_by("client_ref").values_list("heartbeat_seconds", "lease_until")
    assert list(leases) == [(30, after(seconds=30)), (20, after(seconds=20)), (30, after(seconds=30))]


def test_the_cap_of_a_session_bounds_the_grant(vera: User) -> None:
    make_active_permission(vera, requested=100 * ZEC, rate=1 * ZEC)

    assert start(vera) == (None, after(hours=12))


def test_another_session_shrinks_the_grant_and_says_so(vera: User) -> None:
    make_active_permission(vera, requested=4 * ZEC, rate=1 * ZEC)
    start(vera, ref="first")

    depletes_at, _ = start(vera, ref="second", now=after(hours=1))

    assert depletes_at == after(hours=2.5)
    assert told() == [("first", after(hours=2.5).isoformat())]


def test_another_session_that_takes_nothing_from_a_grant_announces_nothing(vera: User) -> None:
    make_active_permission(vera, requested=100 * ZEC, rate=1 * ZEC)
    start(vera, ref="first")

    start(vera, ref="second", now=after(hours=1))

    assert told() == []


def test_a_leased_session_is_told_only_when_its_lease_is_not_covered_any_more(vera: User) -> None:
    make_active_permission(vera, requested=4 * ZEC, rate=1 * ZEC)
    start(vera, ref="leased", heartbeat=60)
    start(vera, ref="free")

    start(vera, ref="third", now=after(seconds=1))

    assert [ref for ref, _ in told()] == ["free"]


def test_nothing_but_a_start_shrinks_a_grant(vera: User) -> None:
    permission = make_active_permission(vera, requested=4 * ZEC, rate=1 * ZEC)
    start(vera, ref="first")
    code = stream(vera, ref="second")
    announced = told()

    interval.run_interval(now=after(hours=0.5), engine="test", chunk_size=1)
    pay(permission, 1 * ZEC, now=after(hours=0.75))
    engine.end(code, client_id=vera.pk, now=after(hours=1))

    assert told() == announced


def test_a_retried_start_hears_the_grant_as_it_is_now(vera: User) -> None:
    permission = make_active_permission(vera, requested=1 * ZEC, rate=1 * ZEC)
    start(vera)
    pay(permission, 1 * ZEC, now=after(hours=0.25))

    assert start(vera, now=after(hours=0.5)) == (after(hours=2), after(hours=2))
