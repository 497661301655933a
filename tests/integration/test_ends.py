"""The event of a session's end says what the session cost, whoever ends it."""

from typing import Any

import pytest

from billing import engine, expiry, interval, pauses
from core.models import Event, User
from tests.factories import (
    USD,
    ZEC,
    after,
    make_active_permission,
    make_authorization,
    make_client,
    make_vendor,
)
from tests.factories import stream as start

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def vera() -> User:
    client = make_client()
    make_vendor(client)
    return client


def told() -> dict[str, Any]:
    """What the one end of a session says of its cost."""
    payload = Event.objects.get(kind="session.ended").payload
    return {name: payload[name] for name in ("amount", "duration_seconds", "totals")}


def zec(amount_zat: int) -> dict[str, Any]:
    return {"asset": "ZEC", "amount_units": str(amount_zat), "decimals": 8}


def test_of_one_that_its_client_ends(vera: User) -> None:
    make_active_permission(vera, rate=1 * ZEC)
    code = start(vera)

    engine.end(code, client_id=vera.pk, now=after(seconds=1, ms=800))

    assert told() == {"amount": "0.0005", "duration_seconds": 1.8, "totals": [zec(50_000)]}


def test_of_one_that_ends_by_the_set(vera: User) -> None:
    make_active_permission(vera, requested=2 * ZEC, rate=1 * ZEC)
    start(vera)

    interval.run_interval(now=after(hours=3), engine="test", chunk_size=10)

    assert told() == {"amount": "2", "duration_seconds": 7200, "totals": [zec(2 * ZEC)]}


def test_of_one_that_was_not_resumed(vera: User) -> None:
    make_active_permission(vera, rate=1 * ZEC)
    code = start(vera)
    pauses.pause(code, client_id=vera.pk, now=after(hours=1))

    expiry.run(now=after(hours=48))

    assert told() == {"amount": "1", "duration_seconds": 3600, "totals": [zec(ZEC)]}


@pytest.mark.parametrize("at_hours", [1, 48], ids=["in its pause", "after its pause"])
def test_of_a_paused_one_that_its_client_ends(vera: User, at_hours: int) -> None:
    make_active_permission(vera, rate=1 * ZEC)
    code = start(vera)
    pauses.pause(code, client_id=vera.pk, now=after(seconds=1800))

    engine.end(code, client_id=vera.pk, now=after(hours=at_hours))

    assert told() == {"amount": "0.5", "duration_seconds": 1800, "totals": [zec(ZEC // 2)]}


def test_of_one_that_two_assets_paid(vera: User) -> None:
    make_active_permission(vera, requested=1 * ZEC, rate=1 * ZEC)
    make_authorization(vera, limit=2 * USD)
    start(vera)

    interval.run_interval(now=after(hours=9), engine="test", chunk_size=10)

    token = {"asset": "USDT", "amount_units": str(2 * USD), "decimals": 6}
    assert told() == {"amount": "1", "duration_seconds": 10_800, "totals": [zec(ZEC), token]}


def test_of_one_that_a_token_paid_and_its_pause_ended(vera: User) -> None:
    make_active_permission(vera, requested=1 * ZEC, rate=1 * ZEC)
    make_authorization(vera)
    code = start(vera)
    pauses.pause(code, client_id=vera.pk, now=after(hours=2))

    expiry.run(now=after(hours=48))

    token = {"asset": "USDT", "amount_units": str(USD), "decimals": 6}
    assert told() == {"amount": "1", "duration_seconds": 7200, "totals": [zec(ZEC), token]}
