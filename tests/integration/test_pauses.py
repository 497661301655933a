"""Pauses: nothing is charged meanwhile, and what the session had left it has left afterwards."""

from datetime import datetime
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from pytest_django.fixtures import Settings

from billing import engine, expiry, funding, interval, live, pauses
from billing.engine import StartRequest
from billing.errors import InsufficientFunding, RateExceedsPermission
from billing.models import Transaction
from core.models import Event, User
from sessions_app import vendors
from sessions_app.errors import SessionEnded, SessionLimitReached, SessionNotFound, SessionPaused
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
from zcash.errors import PermissionExhausted, PermissionRequired

pytestmark = pytest.mark.django_db


def session() -> StreamingSession:
    return StreamingSession.objects.get()


def runs() -> list[tuple[datetime, datetime | None, int | None]]:
    """Return the beginning, end and amount of each transaction."""
    found = Transaction.objects.order_by("id")
    return list(found.values_list("started_at", "ended_at", "amount_zat"))


def announced(*kinds: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the events of some kinds in their order, without the names of their subject."""
    found = Event.objects.filter(kind__in=kinds).order_by("id").values_list("kind", "payload")
    return [(k, {n: v for n, v in payload.items() if not n.startswith("session_")}) for k, payload in found]


def test_stops_the_meter_and_answers_the_same_record_again(vera: User) -> None:
    permission = make_active_permission(vera, rate=1 * ZEC)
    code = stream(vera)

    first = pauses.pause(code, client_id=vera.pk, now=after(hours=0.5))
    again = pauses.pause(code, client_id=vera.pk, now=after(hours=1))
    interval.run_interval(now=after(hours=2), engine="test", chunk_size=10)

    assert (first.amount_zat, first.duration_ms) == (ZEC // 2, 1_800_000)
    assert (again.amount_zat, again.duration_ms) == (first.amount_zat, first.duration_ms)
    assert (session().status, session().paused_at) == ("paused", after(hours=0.5))
    permission.refresh_from_db()
    assert (permission.remaining_zat, permission.open_transactions) == (10 * ZEC - ZEC // 2, 0)
    assert permission.next_event_at is None


def test_goes_on_at_the_frozen_price_with_the_bounds_that_it_had_left(vera: User) -> None:
    make_active_permission(vera, rate=2 * ZEC)
    make_vendor(vera, slug="priced", price=1 * ZEC)
    code = stream(vera, vendor="priced", heartbeat=600)
    pauses.pause(code, client_id=vera.pk, now=after(seconds=300))
    vendors.set_price(
        "priced", client_id=vera.pk, price_zat_per_hour=2 * ZEC, actor="tests", now=after(hours=1)
    )

    resumed = pauses.resume(code, client_id=vera.pk, now=after(hours=2))
    interval.run_interval(now=after(hours=2, seconds=36), engine="test", chunk_size=10)

    found = session()
    assert (found.status, found.paused_at, found.resume_by) == ("active", None, None)
    assert found.paused_ms == 7_200_000 - 300_000
    assert found.capped_at == after(hours=14, seconds=-300)
    assert resumed.granted_until == found.lease_until == after(hours=2, seconds=600)
    assert [run.rate_zat_per_hour for run in Transaction.objects.all()] == [1 * ZEC, 1 * ZEC]
    assert runs()[1][0] == after(hours=2)


def test_the_longest_life_does_not_run_in_a_pause(vera: User) -> None:
    make_active_permission(vera, requested=100 * ZEC, rate=1 * ZEC)
    code = stream(vera)
    pauses.pause(code, client_id=vera.pk, now=after(hours=11))
    pauses.resume(code, client_id=vera.pk, now=after(hours=20))
    pauses.pause(code, client_id=vera.pk, now=after(hours=20.5))

    resumed = pauses.resume(code, client_id=vera.pk, now=after(hours=30))
    interval.run_interval(now=after(hours=40), engine="test", chunk_size=10)

    assert resumed.granted_until == after(hours=30.5)
    assert (session().ended_at, session().end_reason) == (after(hours=30.5), "max_duration")
    assert sum(amount or 0 for _, _, amount in runs()) == 12 * ZEC


def test_announces_pauses_and_resumptions(vera: User) -> None:
    make_active_permission(vera)
    code = stream(vera)

    pauses.pause(code, client_id=vera.pk, now=after(seconds=60))
    pauses.resume(code, client_id=vera.pk, now=after(seconds=90))

    assert announced("session.paused", "session.resumed", "session.ended") == [
        (
            "session.paused",
            {
                "paused_at": after(seconds=60).isoformat(),
                "resume_by": after(hours=24, seconds=60).isoformat(),
            },
        ),
        ("session.resumed", {"resumed_at": after(seconds=90).isoformat()}),
    ]


def test_a_resumption_shortens_others_grants_and_says_so(vera: User) -> None:
    make_active_permission(vera, requested=4 * ZEC, rate=1 * ZEC)
    code = stream(vera, ref="paused")
    pauses.pause(code, client_id=vera.pk, now=NOW)
    stream(vera, ref="other")

    pauses.resume(code, client_id=vera.pk, now=after(hours=1))

    assert announced("session.grant_changed") == [
        ("session.grant_changed", {"granted_until": after(hours=2.5).isoformat()})
    ]


def test_resuming_what_runs_only_looks(vera: User) -> None:
    make_active_permission(vera, requested=4 * ZEC, rate=1 * ZEC)
    code = stream(vera, heartbeat=600)
    pauses.pause(code, client_id=vera.pk, now=after(seconds=60))
    first = pauses.resume(code, client_id=vera.pk, now=after(seconds=120))

    again = pauses.resume(code, client_id=vera.pk, now=after(seconds=180))

    assert (again.granted_until, again.depletes_at) == (first.granted_until, first.depletes_at)
    assert first.granted_until == after(seconds=720)
    assert len(runs()) == 2


def test_a_paused_session_holds_no_slot(vera: User, settings: Settings) -> None:
    settings.MAX_SESSIONS_PER_WALLET = 1
    make_active_permission(vera)
    code = stream(vera, ref="first")
    pauses.pause(code, client_id=vera.pk, now=after(seconds=60))
    second = stream(vera, ref="second", now=after(seconds=60))

    with pytest.raises(SessionLimitReached):
        pauses.resume(code, client_id=vera.pk, now=after(seconds=90))
    engine.end(second, client_id=vera.pk, now=after(seconds=100))

    assert pauses.resume(code, client_id=vera.pk, now=after(seconds=110)).session.code == code


def test_refuses_a_heartbeat_and_a_second_start_in_a_pause(vera: User) -> None:
    make_active_permission(vera)
    code = stream(vera, heartbeat=60)
    pauses.pause(code, client_id=vera.pk, now=after(seconds=10))

    with pytest.raises(SessionPaused):
        engine.heartbeat(code, client_id=vera.pk, now=after(seconds=20))
    with pytest.raises(SessionPaused, match="resume it"):
        stream(vera, now=after(seconds=20))

    assert len(runs()) == 1


def test_ending_a_paused_session_charges_nothing_more(vera: User) -> None:
    permission = make_active_permission(vera, rate=1 * ZEC)
    code = stream(vera)
    pauses.pause(code, client_id=vera.pk, now=after(hours=1))

    record = engine.end(code, client_id=vera.pk, now=after(hours=3))
    again = engine.end(code, client_id=vera.pk, now=after(hours=4))

    assert (record.amount_zat, record.duration_ms) == (1 * ZEC, 3_600_000)
    assert record.transactions == again.transactions
    assert (session().ended_at, session().end_reason) == (after(hours=3), "ended_by_client")
    permission.refresh_from_db()
    assert permission.remaining_zat == 9 * ZEC
    assert [kind for kind, _ in announced("session.ended")] == ["session.ended"]


def _sweep(_: str, __: User, now: datetime) -> None:
    expiry.run(now=now)


def _read(code: str, client: User, now: datetime) -> None:
    live.of_session(code, client_id=client.pk, now=now)


def _end(code: str, client: User, now: datetime) -> None:
    engine.end(code, client_id=client.pk, now=now)


def _resume(code: str, client: User, now: datetime) -> None:
    with pytest.raises(SessionEnded, match="pause_expired"):
        pauses.resume(code, client_id=client.pk, now=now)


def _start(_: str, client: User, now: datetime) -> None:
    engine.end(stream(client, now=now), client_id=client.pk, now=now)


@pytest.mark.parametrize("notice", [_sweep, _read, _end, _resume, _start])
@pytest.mark.parametrize("late_ms", [0, 1, 3_600_000])
def test_a_pause_ends_the_session_at_its_last_instant_whoever_notices_it(
    vera: User, notice: Any, late_ms: int
) -> None:
    make_active_permission(vera)
    code = stream(vera)
    pauses.pause(code, client_id=vera.pk, now=after(seconds=60))
    resume_by = after(hours=24, seconds=60)

    notice(code, vera, after(hours=24, seconds=60, ms=late_ms))

    found = StreamingSession.objects.get(code=code)
    assert (found.status, found.ended_at, found.end_reason) == ("ended", resume_by, "pause_expired")
    events = Event.objects.filter(kind="session.ended", payload__session_code=code)
    assert [each.payload["end_reason"] for each in events] == ["pause_expired"]


def test_a_pause_lasts_to_its_last_millisecond(vera: User) -> None:
    make_active_permission(vera)
    code = stream(vera)
    pauses.pause(code, client_id=vera.pk, now=NOW)

    expiry.run(now=after(hours=24, ms=-1))
    assert live.of_session(code, client_id=vera.pk, now=after(hours=24, ms=-1)).granted_until is None
    pauses.resume(code, client_id=vera.pk, now=after(hours=24, ms=-1))

    assert session().status == "active"


def test_sweeps_only_the_pauses_that_are_over(vera: User) -> None:
    make_active_permission(vera)
    for number in range(5):
        pauses.pause(stream(vera, ref=str(number)), client_id=vera.pk, now=after(seconds=number))

    ended = expiry.run(now=after(hours=24, seconds=2), chunk_size=2)

    assert ended == 3
    states = StreamingSession.objects.order_by("client_ref").values_list("status", flat=True)
    assert list(states) == ["ended"] * 3 + ["paused"] * 2


def test_what_happens_to_the_permission_leaves_a_pause_alone(vera: User) -> None:
    permission = make_active_permission(vera)
    code = stream(vera)
    pauses.pause(code, client_id=vera.pk, now=after(seconds=60))

    funding.revoke(client_id=vera.pk, public_id=permission.public_id, now=after(seconds=90), actor="t")

    assert session().status == "paused"
    with pytest.raises(PermissionRequired):
        pauses.resume(code, client_id=vera.pk, now=after(seconds=100))
    make_active_permission(vera, now=after(seconds=110))
    pauses.resume(code, client_id=vera.pk, now=after(seconds=120))
    assert session().status == "active"


def test_goes_on_upon_whatever_pays_then(vera: User) -> None:
    first = make_active_permission(vera, requested=1 * ZEC, rate=1 * ZEC, expires_at=after(hours=2))
    second = make_active_permission(vera, requested=1 * ZEC, rate=1 * ZEC)
    code = stream(vera)
    pauses.pause(code, client_id=vera.pk, now=after(hours=0.5))

    resumed = pauses.resume(code, client_id=vera.pk, now=after(hours=3))

    assert resumed.depletes_at == resumed.granted_until == after(hours=4)
    payers = Transaction.objects.order_by("id").values_list("permission_id", flat=True)
    assert list(payers) == [first.pk, second.pk]


def test_refuses_a_permission_that_does_not_cover_the_frozen_price(vera: User) -> None:
    permission = make_active_permission(vera, rate=2 * ZEC)
    code = stream(vera)
    pauses.pause(code, client_id=vera.pk, now=after(seconds=60))
    funding.revoke(client_id=vera.pk, public_id=permission.public_id, now=after(seconds=90), actor="t")
    make_active_permission(vera, rate=2 * ZEC - 1, now=after(seconds=90))

    with pytest.raises(RateExceedsPermission):
        pauses.resume(code, client_id=vera.pk, now=after(seconds=100))

    assert session().status == "paused"


def test_an_exhausted_permission_does_not_let_it_go_on_until_more_is_paid(vera: User) -> None:
    permission = make_active_permission(vera, requested=1 * ZEC, rate=1 * ZEC)
    code = stream(vera, ref="paused")
    pauses.pause(code, client_id=vera.pk, now=NOW)
    stream(vera, ref="runs")

    with pytest.raises(PermissionExhausted):
        pauses.resume(code, client_id=vera.pk, now=after(hours=2))
    pay(permission, 1 * ZEC, now=after(hours=3))

    assert pauses.resume(code, client_id=vera.pk, now=after(hours=4)).granted_until == after(hours=5)


def test_a_pause_after_the_sessions_end_is_too_late(vera: User) -> None:
    make_active_permission(vera)
    code = stream(vera, heartbeat=60)

    for late in (pauses.pause, pauses.resume):
        with pytest.raises(SessionEnded, match="heartbeat_lost"):
            late(code, client_id=vera.pk, now=after(seconds=60))
    engine.end(code, client_id=vera.pk, now=after(seconds=61))
    for late in (pauses.pause, pauses.resume):
        with pytest.raises(SessionEnded, match="heartbeat_lost"):
            late(code, client_id=vera.pk, now=after(seconds=62))


def test_another_clients_session_does_not_exist(vera: User) -> None:
    make_active_permission(vera)
    code = stream(vera)
    mallory = make_client("mallory")

    for call in (pauses.pause, pauses.resume):
        with pytest.raises(SessionNotFound):
            call(code, client_id=mallory.pk, now=after(seconds=1))

    assert session().status == "active"


def test_a_clock_that_is_behind_ends_no_pause_before_it_began(vera: User) -> None:
    make_active_permission(vera, rate=1 * ZEC)
    code = stream(vera)
    interval.run_interval(now=after(seconds=20), engine="test", chunk_size=10)
    pauses.pause(code, client_id=vera.pk, now=after(seconds=19))
    make_active_permission(vera, now=after(seconds=19))
    assert session().paused_at == after(seconds=20)

    pauses.resume(code, client_id=vera.pk, now=after(seconds=18))
    pauses.pause(code, client_id=vera.pk, now=after(seconds=18))
    engine.end(code, client_id=vera.pk, now=after(seconds=17))

    at = after(seconds=20)
    assert [run[:2] for run in runs()] == [(NOW, at), (at, at)]
    assert (session().ended_at, session().paused_ms) == (at, 0)


def test_a_late_pause_charges_up_to_the_event_that_came_first(vera: User) -> None:
    make_active_permission(vera, requested=1 * ZEC, rate=1 * ZEC)
    code = stream(vera)

    with pytest.raises(SessionEnded, match="exhausted"):
        pauses.pause(code, client_id=vera.pk, now=after(hours=2))

    assert live.of_session(code, client_id=vera.pk, now=after(hours=2)).record.amount_zat == 1 * ZEC


def test_the_database_wants_to_know_since_when_and_until_when(vera: User) -> None:
    make_active_permission(vera)
    pauses.pause(stream(vera), client_id=vera.pk, now=after(seconds=60))

    for wrong, rule in [
        ({"paused_at": None}, "pause_is_dated"),
        ({"resume_by": None}, "pause_is_dated"),
        ({"status": "active"}, "pause_is_dated"),
        ({"paused_at": after(seconds=-1)}, "pauses_after_start"),
        ({"resume_by": after(seconds=59)}, "resumes_after_pause"),
        ({"paused_ms": -1}, "paused_ms"),
    ]:
        with pytest.raises(IntegrityError, match=f"sessions_session_{rule}"), transaction.atomic():
            StreamingSession.objects.update(**wrong)


def test_a_start_after_the_pause_is_over_is_a_new_session(vera: User) -> None:
    make_active_permission(vera)
    code = stream(vera)
    pauses.pause(code, client_id=vera.pk, now=NOW)

    started = engine.start(StartRequest(ALICE, "vendor123"), client_id=vera.pk, now=after(hours=24))

    assert started.created
    assert started.session_code != code


def test_needs_the_shortest_time_of_funding(vera: User) -> None:
    make_active_permission(vera, requested=20, rate=3_600)
    code = stream(vera, ref="paused")
    pauses.pause(code, client_id=vera.pk, now=NOW)
    stream(vera, ref="runs")

    # Two sessions use up what is left, 11 zatoshis, in 5.5 seconds.
    with pytest.raises(InsufficientFunding):
        pauses.resume(code, client_id=vera.pk, now=after(seconds=9))

    assert StreamingSession.objects.get(code=code).status == "paused"
