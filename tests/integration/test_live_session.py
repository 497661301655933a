"""A session as it is at an instant: alone and in lists, to the millisecond and the zatoshi."""

from collections.abc import Callable
from datetime import datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from billing import engine, interval, live, pauses, session_list
from billing.live import LiveSession
from billing.session_list import ListedSession, SessionPage
from core.errors import Invalid
from core.models import User
from sessions_app.models import StreamingSession
from sessions_app.rules import SessionStatus
from tests.factories import (
    ALICE,
    MALLORY,
    NOW,
    ZEC,
    after,
    make_active_permission,
    make_client,
    make_vendor,
    stream,
)

pytestmark = pytest.mark.django_db

HOUR_MS = 3_600_000


@pytest.fixture
def vera() -> User:
    client = make_client()
    make_vendor(client)
    return client


def shown(client: User, code: str, *, at: datetime) -> LiveSession:
    return live.of_session(code, client_id=client.pk, now=at)


def listed(
    client: User,
    *,
    at: datetime,
    limit: int = 10,
    wallet: str | None = None,
    status: SessionStatus | None = None,
    following: str | None = None,
) -> SessionPage:
    return session_list.page(
        client_id=client.pk, wallet_address=wallet, status=status, after=following, limit=limit, now=at
    )


def codes(page: SessionPage) -> list[str]:
    return [each.session.code for each in page.sessions]


# (milliseconds since the start, zatoshis so far, transactions, hours to depletion): two permissions of 1 ZEC
# at 1 ZEC an hour.
INSTANTS = [
    (0, 0, 1, 1),
    (1, 27, 1, 1),
    (36, 1_000, 1, 1),
    (HOUR_MS // 2, ZEC // 2, 1, 1),
    (HOUR_MS - 1, 99_999_972, 1, 1),
    (HOUR_MS, 1 * ZEC, 2, 2),
    (HOUR_MS + 1, 1 * ZEC + 27, 2, 2),
    (2 * HOUR_MS - 1, 1 * ZEC + 99_999_972, 2, 2),
    (2 * HOUR_MS, 2 * ZEC, 2, None),
    (99 * HOUR_MS, 2 * ZEC, 2, None),
]


@pytest.mark.parametrize(("ms", "zat", "transactions", "depletes"), INSTANTS)
def test_tells_time_money_and_how_long_it_lasts_at_every_instant(
    vera: User, ms: int, zat: int, transactions: int, depletes: int | None
) -> None:
    for _ in range(2):
        make_active_permission(vera, requested=1 * ZEC, rate=1 * ZEC)
    code = stream(vera)

    found = shown(vera, code, at=after(ms=ms))

    assert (found.record.amount_zat, found.record.duration_ms) == (zat, min(ms, 2 * HOUR_MS))
    assert len(found.record.transactions) == transactions
    assert found.depletes_at == (None if depletes is None else after(hours=depletes))
    assert found.granted_until == (None if depletes is None else after(hours=2))
    assert found.record.end_reason == (None if depletes else "exhausted")
    (same,) = listed(vera, at=after(ms=ms)).sessions
    assert same == ListedSession(found.record.session, zat, min(ms, 2 * HOUR_MS))


def test_a_lease_bounds_the_grant_until_it_is_renewed(vera: User) -> None:
    make_active_permission(vera, rate=1 * ZEC)
    code = stream(vera, heartbeat=60)
    first = shown(vera, code, at=after(seconds=30))

    engine.heartbeat(code, client_id=vera.pk, now=after(seconds=30))

    told = [shown(vera, code, at=after(seconds=seconds)) for seconds in (30, 89, 90, 5000)]
    assert first.granted_until == first.record.session.lease_until == after(seconds=60)
    assert [each.granted_until for each in told] == [after(seconds=90), after(seconds=90), None, None]
    assert [each.record.amount_zat for each in told] == [ZEC * s // 3600 for s in (30, 89, 90, 90)]
    assert told[-1].record.end_reason == "heartbeat_lost"


def test_sessions_on_one_permission_share_when_it_is_used_up(vera: User) -> None:
    make_active_permission(vera, requested=2 * ZEC, rate=1 * ZEC)
    first, second = stream(vera, ref="a"), stream(vera, ref="b", now=after(hours=1))

    told = [shown(vera, code, at=after(hours=1.25)) for code in (first, second)]

    assert [each.depletes_at for each in told] == [after(hours=1.5)] * 2
    assert [each.record.amount_zat for each in told] == [5 * ZEC // 4, ZEC // 4]


def test_never_tells_less_than_what_was_deducted_already(vera: User) -> None:
    permission = make_active_permission(vera, rate=1 * ZEC)
    code = stream(vera)
    interval.run_interval(now=after(hours=1), engine="test", chunk_size=10)

    told = shown(vera, code, at=after(hours=0.5)).record
    (same,) = listed(vera, at=after(hours=0.5)).sessions

    permission.refresh_from_db()
    assert told.amount_zat == same.amount_zat == 10 * ZEC - permission.remaining_zat == 1 * ZEC
    assert told.duration_ms == same.duration_ms == HOUR_MS


def _lose_the_lease(client: User) -> str:
    return stream(client, ref="silent", heartbeat=60)


def _stay_paused(client: User) -> str:
    code = stream(client, ref="paused")
    pauses.pause(code, client_id=client.pk, now=after(seconds=60))
    return code


@pytest.mark.parametrize(
    ("make", "status", "reason"),
    [
        (_lose_the_lease, SessionStatus.ACTIVE, "heartbeat_lost"),
        (_stay_paused, SessionStatus.PAUSED, "pause_expired"),
    ],
)
def test_a_list_lets_happen_what_time_alone_has_brought(
    vera: User, settings: Settings, make: Callable[[User], str], status: SessionStatus, reason: str
) -> None:
    settings.MAX_PAUSE_HOURS = 1
    make_active_permission(vera, rate=1 * ZEC)
    code = make(vera)
    running = stream(vera, ref="running", now=after(seconds=60))
    page = listed(vera, at=after(hours=2), status=status)

    (ended,) = listed(vera, at=after(hours=2), status=SessionStatus.ENDED).sessions

    assert code not in codes(page)
    assert (ended.session.code, ended.session.end_reason) == (code, reason)
    assert (ended.amount_zat, ended.duration_ms) == (ZEC // 60, 60_000)
    assert codes(listed(vera, at=after(hours=2))) == [running, code]


def test_a_page_of_one_status_goes_on_behind_what_was_ended_meanwhile(vera: User) -> None:
    make_active_permission(vera)
    first, second, third = (
        stream(vera, ref=ref, heartbeat=lease) for ref, lease in zip("abc", (None, 60, 60), strict=True)
    )

    page = listed(vera, at=after(hours=1), status=SessionStatus.ACTIVE, limit=2)
    rest = listed(vera, at=after(hours=1), status=SessionStatus.ACTIVE, limit=2, following=page.next_after)

    assert (codes(page), page.next_after) == ([], second)
    assert (codes(rest), rest.next_after) == ([first], None)
    assert StreamingSession.objects.get(code=third).end_reason == "heartbeat_lost"


def test_pages_follow_each_other_without_gap_or_repetition(vera: User, settings: Settings) -> None:
    settings.MAX_SESSIONS_PER_WALLET = 9
    make_active_permission(vera)
    make_active_permission(vera, wallet=MALLORY)
    started = [stream(vera, ref=ref, wallet=wallet) for ref in "abcd" for wallet in (ALICE, MALLORY)]

    pages, following = [], None
    while not pages or following:
        page = listed(vera, at=NOW, limit=3, following=following)
        pages, following = [*pages, codes(page)], page.next_after

    assert [len(each) for each in pages] == [3, 3, 2]
    assert [code for page in pages for code in page] == started[::-1]
    assert codes(listed(vera, at=NOW, wallet=MALLORY)) == started[::-1][::2]


def test_costs_the_same_statements_whatever_is_on_the_page(vera: User, settings: Settings) -> None:
    settings.MAX_SESSIONS_PER_WALLET = 9
    make_active_permission(vera)
    stream(vera, ref="0")
    with CaptureQueriesContext(connection) as one:
        listed(vera, at=after(seconds=1))
    for number in range(1, 8):
        code = stream(vera, ref=str(number), now=after(seconds=1))
        if number % 2:
            engine.end(code, client_id=vera.pk, now=after(seconds=2))

    with CaptureQueriesContext(connection) as eight:
        assert len(listed(vera, at=after(seconds=2)).sessions) == 8

    assert len(one) == len(eight)


def test_lists_nothing_of_another_client(vera: User) -> None:
    make_active_permission(vera)
    code = stream(vera)
    mallory = make_client("mallory")

    assert listed(mallory, at=NOW) == SessionPage([], None)
    assert listed(mallory, at=NOW, wallet=ALICE) == SessionPage([], None)
    with pytest.raises(Invalid, match="names no session"):
        listed(mallory, at=NOW, following=code)
