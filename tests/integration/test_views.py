"""The seed's SQL views agree with what the service itself says."""

import pytest
from pytest_django.fixtures import Settings

from billing import funding, live
from core import clock, db
from core.models import User
from tests.factories import (
    MALLORY,
    ZEC,
    make_active_permission,
    make_client,
    make_permission,
    make_vendor,
    stream,
)
from zcash.models import SpendingPermission

pytestmark = pytest.mark.django_db


@pytest.fixture
def vera(settings: Settings) -> User:
    settings.PAYGO_SANDBOX = True
    client = make_client()
    make_vendor(client)
    return client


def active(permission: SpendingPermission) -> dict[str, object]:
    names = ("remaining_now_zat", "remaining_zat", "open_sessions", "session_codes", "approved_zat")
    row = db.row(
        f"SELECT {', '.join(names)} FROM active_permissions_with_sessions WHERE permission_id = %(id)s",
        {"id": permission.public_id},
    )
    return dict(zip(names, row, strict=True))


def remaining_now(permission: SpendingPermission) -> int:
    return live.read(permission.pk, now=clock.now()).remaining_zat


def test_shows_what_is_left_at_this_moment(vera: User) -> None:
    # A zatoshi a millisecond: a wrong millisecond would be seen.
    permission = make_active_permission(vera, requested=1 * ZEC, rate=3_600_000, now=clock.now())
    stream(vera, ref="a", now=clock.now())
    clock.advance(7_777_777)
    stream(vera, ref="b", now=clock.now())
    clock.advance(1_234_567)

    most = remaining_now(permission)
    shown = active(permission)["remaining_now_zat"]
    least = remaining_now(permission)

    assert isinstance(shown, int)
    # The two clocks round differently within a round trip to the database.
    assert least - 10 <= shown <= most + 10
    assert shown < 1 * ZEC - 7_777_777 - 2 * 1_234_567 + 10


def test_names_the_open_sessions(vera: User) -> None:
    now = clock.now()
    permission = make_active_permission(vera, now=now)
    codes = [stream(vera, ref=ref, now=now) for ref in "ab"]

    found = active(permission)

    assert (found["open_sessions"], found["session_codes"]) == (2, codes)
    assert (found["remaining_zat"], found["approved_zat"]) == (permission.remaining_zat, 10 * ZEC)


def test_never_shows_less_than_nothing(vera: User) -> None:
    permission = make_active_permission(vera, requested=1 * ZEC, rate=1 * ZEC, now=clock.now())
    stream(vera, now=clock.now())

    clock.advance(7_200_000)

    assert active(permission)["remaining_now_zat"] == 0


def test_stops_counting_at_a_sessions_bound(vera: User) -> None:
    permission = make_active_permission(vera, rate=1 * ZEC, now=clock.now())
    stream(vera, heartbeat=36, now=clock.now())

    clock.advance(7_200_000)

    assert active(permission)["remaining_now_zat"] == 10 * ZEC - ZEC // 100


def test_shows_active_permissions_only(vera: User) -> None:
    now = clock.now()
    first = make_active_permission(vera, now=now)
    make_active_permission(vera, now=now)
    make_permission(vera, wallet=MALLORY, now=now)

    assert db.rows("SELECT permission_id FROM active_permissions_with_sessions") == [(first.public_id,)]


def test_counts_and_sums_by_client_and_state(vera: User) -> None:
    now = clock.now()
    make_active_permission(vera, now=now)
    for _ in range(2):
        make_permission(vera, wallet=MALLORY, requested=3 * ZEC, now=now)
    other = make_client("other")
    revoked = make_active_permission(other, now=now)
    funding.revoke(client_id=other.pk, public_id=revoked.public_id, now=now, actor="tests")
    stream(vera, now=now)

    found = db.rows(
        "SELECT client_id, status, permissions, requested_zat, credited_zat, remaining_zat, used_zat,"
        " open_sessions FROM permission_statistics ORDER BY client_id, status"
    )

    assert found == [
        (vera.pk, "active", 1, 10 * ZEC, 10 * ZEC, 10 * ZEC, 0, 1),
        (vera.pk, "pending", 2, 6 * ZEC, 0, 0, 0, 0),
        (other.pk, "revoked", 1, 10 * ZEC, 10 * ZEC, 10 * ZEC, 0, 0),
    ]
