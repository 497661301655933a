"""Live reads: computed, not written, and never behind what has already happened."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing import engine, funding, interval, live
from core import db
from core.models import User
from sessions_app.models import StreamingSession
from tests.factories import (
    ALICE,
    MALLORY,
    NOW,
    ZEC,
    after,
    make_active_permission,
    make_client,
    make_permission,
    make_vendor,
    stream,
)
from zcash.errors import NoActivePermission, PermissionNotFound
from zcash.models import SpendingPermission

pytestmark = pytest.mark.django_db


@pytest.fixture
def vera() -> User:
    client = make_client()
    make_vendor(client)
    return client


def row_versions() -> list[tuple[object, ...]]:
    return db.rows("SELECT id, xmin::text, ctid::text FROM zcash_permission ORDER BY id")


def test_tells_what_is_left_without_writing_anything(vera: User) -> None:
    permission = make_active_permission(vera)
    stream(vera)
    before = row_versions()

    with CaptureQueriesContext(connection) as queries:
        found = live.read(permission.pk, now=after(hours=1))

    assert (found.remaining_zat, found.open_sessions) == (750_000_000, 1)
    assert (found.permission.remaining_zat, found.permission.settled_at) == (10 * ZEC, NOW)
    written = [
        each["sql"] for each in queries if not each["sql"].startswith(("SELECT", "SAVEPOINT", "RELEASE"))
    ]
    assert written == []
    assert not any("FOR " in each["sql"] for each in queries)
    assert row_versions() == before


@pytest.mark.parametrize("ms", [0, 1, 14_399, 14_400, 1_000_003, 7_199_999])
def test_tells_to_the_zatoshi_what_an_interval_would_leave(vera: User, ms: int) -> None:
    permission = make_active_permission(vera, rate=3 * ZEC)
    make_vendor(vera, slug="odd", price=1_234_567)
    stream(vera)
    stream(vera, vendor="odd", now=after(ms=1))

    told = live.read(permission.pk, now=after(ms=ms)).remaining_zat
    interval.run_interval(now=after(ms=ms), engine="test", chunk_size=10)

    permission.refresh_from_db()
    assert told == permission.remaining_zat


def test_a_read_before_the_last_settlement_tells_what_that_one_left(vera: User) -> None:
    permission = make_active_permission(vera)
    stream(vera)
    interval.run_interval(now=after(hours=1), engine="test", chunk_size=10)

    assert live.read(permission.pk, now=after(hours=0.5)).remaining_zat == 750_000_000


def test_never_tells_less_than_nothing(vera: User) -> None:
    permission = make_active_permission(vera, requested=1 * ZEC, rate=1 * ZEC)
    stream(vera, ref="a")
    stream(vera, ref="b")

    told = [live.read(permission.pk, now=after(hours=0.5, ms=ms)) for ms in (-1, 0, 1)]

    assert [each.remaining_zat for each in told] == [1 * ZEC - 2 * (ZEC * 1_799_999 // 3_600_000), 0, 0]
    assert [each.permission.status for each in told] == ["active", "exhausted", "exhausted"]


def test_a_read_that_finds_a_depletion_lets_it_happen_first(vera: User) -> None:
    permission = make_active_permission(vera, requested=1 * ZEC, rate=1 * ZEC)
    code = stream(vera)

    found = live.of_client(client_id=vera.pk, public_id=permission.public_id, now=after(hours=7))

    assert (found.permission.status, found.remaining_zat, found.open_sessions) == ("exhausted", 0, 0)
    assert StreamingSession.objects.get(code=code).ended_at == after(hours=1)


def test_a_read_that_finds_a_lost_heartbeat_lets_it_happen_first(vera: User) -> None:
    permission = make_active_permission(vera, rate=1 * ZEC)
    stream(vera, heartbeat=36)

    found = live.read(permission.pk, now=after(hours=7))

    assert (found.remaining_zat, found.open_sessions) == (10 * ZEC - ZEC // 100, 0)


def test_a_read_of_the_wallet_answers_with_the_permission_that_took_over(vera: User) -> None:
    make_active_permission(vera, requested=1 * ZEC, rate=1 * ZEC)
    make_active_permission(vera, requested=1 * ZEC, rate=1 * ZEC)
    third = make_active_permission(vera, requested=1 * ZEC, rate=1 * ZEC)
    stream(vera)

    found = live.of_wallet(client_id=vera.pk, wallet_address=ALICE, now=after(hours=2.25))

    assert (found.permission.pk, found.remaining_zat, found.open_sessions) == (third.pk, 3 * ZEC // 4, 1)


def test_a_read_of_a_queued_permission_knows_that_it_took_over(vera: User) -> None:
    make_active_permission(vera, requested=1 * ZEC, rate=1 * ZEC)
    second = make_active_permission(vera, requested=2 * ZEC, rate=1 * ZEC)
    stream(vera)

    found = live.read(second.pk, now=after(hours=1.5))

    assert (found.permission.status, found.remaining_zat) == ("active", 3 * ZEC // 2)


def test_a_wallet_whose_last_money_is_gone_has_no_active_permission(vera: User) -> None:
    make_active_permission(vera, requested=1 * ZEC, rate=1 * ZEC)
    stream(vera)

    with pytest.raises(NoActivePermission):
        live.of_wallet(client_id=vera.pk, wallet_address=ALICE, now=after(hours=1))


def test_an_unpaid_and_a_revoked_permission_are_told_as_they_are(vera: User) -> None:
    unpaid = make_permission(vera, wallet=MALLORY)
    revoked = make_active_permission(vera)
    funding.revoke(client_id=vera.pk, public_id=revoked.public_id, now=NOW, actor="tests")

    told = [live.read(each.pk, now=after(hours=1)) for each in (unpaid, revoked)]

    assert [(each.permission.status, each.remaining_zat) for each in told] == [
        ("pending", 0),
        ("revoked", 10 * ZEC),
    ]


def test_another_clients_permission_does_not_exist(vera: User) -> None:
    mallory = make_client("mallory")
    permission = make_active_permission(vera)

    with pytest.raises(PermissionNotFound):
        live.of_client(client_id=mallory.pk, public_id=permission.public_id, now=NOW)
    with pytest.raises(NoActivePermission):
        live.of_wallet(client_id=mallory.pk, wallet_address=ALICE, now=NOW)


def test_the_number_of_statements_does_not_grow_with_the_sessions(vera: User) -> None:
    permission = make_active_permission(vera)
    stream(vera, ref="0")
    with CaptureQueriesContext(connection) as one:
        live.read(permission.pk, now=after(seconds=1))
    for ref in "123":
        stream(vera, ref=ref)

    with CaptureQueriesContext(connection) as four:
        live.read(permission.pk, now=after(seconds=1))

    assert len(one) == len(four)


def test_what_was_used_is_gone_when_the_session_ends(vera: User) -> None:
    permission = make_active_permission(vera)
    code = stream(vera)
    told = live.read(permission.pk, now=after(ms=123_457)).remaining_zat

    engine.end(code, client_id=vera.pk, now=after(ms=123_457))

    assert SpendingPermission.objects.get().remaining_zat == told
