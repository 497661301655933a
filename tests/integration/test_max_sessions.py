"""A permission's own limit of sessions at once."""

from typing import Any

import pytest
from django.db import IntegrityError, transaction
from pytest_django.fixtures import Settings

from billing import engine, interval, pauses
from core.models import User
from sessions_app.errors import SessionLimitReached
from tests.factories import NOW, ZEC, after, make_active_permission, make_client, make_vendor, stream
from zcash import permissions
from zcash.errors import LimitExceeded
from zcash.models import SpendingPermission

pytestmark = pytest.mark.django_db


@pytest.fixture
def vera() -> User:
    client = make_client()
    make_vendor(client)
    return client


def refusal(client: User, **changes: Any) -> dict[str, Any]:
    """What a start is told that there is no slot for."""
    with pytest.raises(SessionLimitReached) as refused:
        stream(client, **changes)
    return refused.value.context


def test_a_permission_allows_as_many_sessions_at_once_as_it_says(vera: User) -> None:
    make_active_permission(vera, max_sessions=2)
    first = stream(vera, ref="a")
    stream(vera, ref="b")

    assert refusal(vera, ref="c") == {"limit": "permission", "max_sessions": 2}

    engine.end(first, client_id=vera.pk, now=after(seconds=1))
    assert stream(vera, ref="c", now=after(seconds=1))


def test_says_that_it_is_the_wallets_limit_where_that_is_the_smaller_one(
    vera: User, settings: Settings
) -> None:
    settings.MAX_SESSIONS_PER_WALLET = 1
    make_active_permission(vera, max_sessions=2)
    stream(vera, ref="a")

    assert refusal(vera, ref="b") == {"limit": "wallet", "max_sessions": 1}


def test_a_repeated_start_needs_no_slot(vera: User) -> None:
    make_active_permission(vera, max_sessions=1)

    assert stream(vera, ref="a") == stream(vera, ref="a", now=after(seconds=1))


def test_a_paused_session_holds_no_slot_and_needs_one_to_go_on(vera: User) -> None:
    make_active_permission(vera, max_sessions=1)
    first = stream(vera, ref="a")
    pauses.pause(first, client_id=vera.pk, now=after(seconds=1))
    second = stream(vera, ref="b", now=after(seconds=2))

    with pytest.raises(SessionLimitReached):
        pauses.resume(first, client_id=vera.pk, now=after(seconds=3))

    engine.end(second, client_id=vera.pk, now=after(seconds=4))
    assert pauses.resume(first, client_id=vera.pk, now=after(seconds=4)).session.code == first


def test_sessions_that_roll_over_go_on_above_the_next_permissions_limit(vera: User) -> None:
    make_active_permission(vera, requested=1 * ZEC, rate=1 * ZEC)
    heir = make_active_permission(vera, requested=9 * ZEC, rate=1 * ZEC, max_sessions=1)
    codes = [stream(vera, ref=ref) for ref in "ab"]

    interval.run_interval(now=after(hours=1), engine="test", chunk_size=10)

    heir.refresh_from_db()
    assert (heir.status, heir.open_transactions, heir.remaining_zat) == ("active", 2, 8 * ZEC)
    assert refusal(vera, ref="c", now=after(hours=1)) == {"limit": "permission", "max_sessions": 1}
    engine.end(codes[0], client_id=vera.pk, now=after(hours=1))
    assert refusal(vera, ref="c", now=after(hours=1)) == {"limit": "permission", "max_sessions": 1}
    engine.end(codes[1], client_id=vera.pk, now=after(hours=1))
    assert stream(vera, ref="c", now=after(hours=1))


@pytest.mark.parametrize(("asked", "fits"), [(0, False), (1, True), (4, True), (5, False), (None, True)])
def test_a_permission_asks_for_no_more_than_a_wallet_may_have(asked: int | None, *, fits: bool) -> None:
    request = permissions.Request("wallet", 1 * ZEC, 1 * ZEC, 30, max_sessions=asked)

    if fits:
        permissions.check_limits(request)
        return
    with pytest.raises(LimitExceeded) as refused:
        permissions.check_limits(request)
    assert (refused.value.field, str(refused.value)) == ("max_sessions", "must be between 1 and 4")


@pytest.mark.parametrize("most", [0, -1, 1001])
def test_the_table_takes_no_limit_out_of_bounds(vera: User, most: int) -> None:
    permission = make_active_permission(vera, now=NOW)

    with pytest.raises(IntegrityError, match="zcash_permission_max_sessions"), transaction.atomic():
        SpendingPermission.objects.filter(pk=permission.pk).update(max_sessions=most)
