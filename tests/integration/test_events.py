"""Events by the set do exactly what the event path does one by one, to the letter of what is announced."""

import json
import random
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from billing import expiry, interval, live, pauses, succession
from billing.models import Transaction
from core import db
from core.amounts import MAX_ZAT, zec_text
from core.errors import DomainError
from core.models import Event, User
from sessions_app.models import StreamingSession
from tests.concurrency.threads import elsewhere, lock_held
from tests.factories import NOW, ZEC, after, make_active_permission, make_client, make_vendor, pay, stream
from zcash.models import PermissionAudit, SpendingPermission

pytestmark = pytest.mark.django_db

WORLDS = 40


class Plan(NamedTuple):
    """One wallet's permissions (amount, rate, seconds to live) in order, its session, and how late it is.

    The session is paused after a second and resumed after so many; another one is paused for good.
    """

    permissions: list[tuple[int, int, int]]
    price_zat_per_hour: int
    heartbeat_seconds: int | None
    seconds: int
    max_amount_zat: int | None
    paused_seconds: int | None
    leaves_a_pause: bool


def draw_plan(seed: int) -> Plan:
    """Return a plan in which everything that can happen by itself happens to somebody."""
    chance = random.Random(seed)
    price = chance.choice([1, 7, 3_599, 100_003, ZEC, 10 * ZEC + 1, 10**15])
    permissions = [
        (
            max(1, price * chance.choice([1, 3, 600, 3_600, 7_200, 200_000]) // 3_600 + chance.randint(0, 3)),
            max(1, price + chance.choice([-1, 0, 1]) * (number > 0)),
            chance.choice([40, 600, 1_800, 3_600, 10**6]),
        )
        for number in range(chance.randint(1, 4))
    ]
    amount_zat, rate, _ = permissions[0]
    permissions[0] = (max(amount_zat, price * 20 // 3_600 + 1), rate, 10**6 if seed % 3 else 3_600)
    heartbeat_seconds = chance.choice([None, None, 5, 600, 3_600])
    seconds = chance.choice([4, 5, 39, 40, 599, 600, 3_600, 7_200, 50_000, 50_000])
    # Twelve seconds pay for a start; what a whole number of seconds costs often ends with something else.
    capped = chance.choice([None, 12, 40, 600, 5_000, 20_000])
    cap_zat = min(MAX_ZAT, max(1, -(-price * (capped or 0) // 3_600) + chance.choice([-1, 0, 0, 1])))
    return Plan(
        permissions,
        price,
        heartbeat_seconds=heartbeat_seconds,
        seconds=seconds,
        max_amount_zat=cap_zat if capped else None,
        paused_seconds=chance.choice([None, None, 2, 100]),
        leaves_a_pause=chance.random() < 0.5,
    )


def build(plan: Plan, *, client: User) -> None:
    make_vendor(client, price=plan.price_zat_per_hour)
    for amount_zat, rate, seconds in plan.permissions:
        make_active_permission(
            client, requested=amount_zat, rate=rate, expires_at=NOW + timedelta(seconds=seconds)
        )
    if plan.leaves_a_pause:
        pauses.pause(stream(client, ref="left"), client_id=client.pk, now=NOW)
    code = stream(client, heartbeat=plan.heartbeat_seconds, cap=plan.max_amount_zat)
    if plan.paused_seconds and plan.paused_seconds < plan.seconds:
        pauses.pause(code, client_id=client.pk, now=after(seconds=1))
        with suppress(DomainError):
            pauses.resume(code, client_id=client.pk, now=after(seconds=plan.paused_seconds))


def settle_one_by_one(client: User, *, now: datetime) -> None:
    theirs = SpendingPermission.objects.filter(client=client).order_by("id")
    for permission_id in theirs.filter(open_transactions__gt=0).values_list("pk", flat=True):
        succession.settle_one(permission_id, now=now)
    for permission_id in theirs.filter(expires_at__lte=now).values_list("pk", flat=True):
        expiry.bring_current(permission_id, now=now)
    for session in StreamingSession.objects.filter(client=client, status="paused"):
        live.of_session(session.code, client_id=client.pk, now=now)


def story(client: User) -> dict[str, Any]:
    """Return all that is written of a client, with names instead of keys."""
    permissions = SpendingPermission.objects.filter(client=client).order_by("id")
    sessions = StreamingSession.objects.filter(client=client).order_by("id")
    names = {str(each.public_id): f"permission {n}" for n, each in enumerate(permissions)}
    names |= {str(each.public_id): f"session {n}" for n, each in enumerate(sessions)}
    names |= {each.code: f"code {n}" for n, each in enumerate(sessions)}
    keys = {each.pk: names[str(each.public_id)] for each in permissions}
    columns = (
        "status previous_zat remaining_zat settled_at open_transactions meter_rate_zat_per_hour"
        " meter_started_at next_event_at refund_due activated_at closed_at queued_at"
    )
    runs = Transaction.objects.filter(permission__client=client).order_by("id")
    trail = PermissionAudit.objects.filter(permission__client=client, actor="engine").order_by(
        "effective_at", "id"
    )
    events = (
        Event.objects.filter(client=client)
        .exclude(kind__startswith="deposit")
        .values_list("kind", "subject", "payload", "created_at")
    )
    said = [
        (kind, names[str(subject)], told(payload, names=names), at) for kind, subject, payload, at in events
    ]
    return {
        "permissions": list(permissions.values_list(*columns.split())),
        "sessions": list(
            sessions.values_list(
                "status", "ended_at", "end_reason", "capped_at", "lease_until", "paused_at", "paused_ms"
            )
        ),
        "transactions": [
            (
                keys[run.permission_id],
                run.rate_zat_per_hour,
                run.started_at,
                run.billable_until,
                run.max_amount_zat,
                run.status,
                run.ended_at,
                run.amount_zat,
            )
            for run in runs
        ],
        "trail": [
            (
                keys[row.permission_id],
                row.action,
                row.amount_before_zat,
                row.amount_after_zat,
                row.effective_at,
                row.created_at,
                row.details,
            )
            for row in trail
        ],
        "events": sorted(said, key=str),
    }


def told(payload: dict[str, Any], *, names: dict[str, str]) -> str:
    text = json.dumps(payload, sort_keys=True)
    for key, name in names.items():
        text = text.replace(key, name)
    return text


@pytest.fixture
def by_the_set_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing fall back to the event path: it would mend what the set does wrong."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("left to the event path")

    monkeypatch.setattr(interval, "_settle_one_by_one", refuse)


@pytest.fixture(autouse=True)
def _pauses_of_an_hour(settings: Settings) -> None:
    settings.MAX_PAUSE_HOURS = 1


@pytest.mark.usefixtures("by_the_set_alone")
@pytest.mark.parametrize("seed", range(WORLDS))
def test_tells_the_same_story_as_one_by_one(seed: int) -> None:
    plan = draw_plan(seed)
    now = NOW + timedelta(seconds=plan.seconds)
    one_by_one, by_the_set = make_client("one-by-one"), make_client("by-the-set")
    for client in (one_by_one, by_the_set):
        build(plan, client=client)

    settle_one_by_one(one_by_one, now=now)
    interval.run_interval(now=now, engine="test", chunk_size=10)
    # What has no meter any more, or never had one, ends by the sweep.
    expiry.run(now=now)

    expected, found = story(one_by_one), story(by_the_set)
    for kind, rows in expected.items():
        assert found[kind] == rows, kind


def test_the_worlds_have_every_end() -> None:
    for seed in range(WORLDS):
        plan = draw_plan(seed)
        client = make_client(f"client {seed}")
        build(plan, client=client)
        now = NOW + timedelta(seconds=plan.seconds)
        interval.run_interval(now=now, engine="test", chunk_size=10)
        expiry.run(now=now)

    reasons = set(StreamingSession.objects.values_list("end_reason", flat=True))
    runs = [session.transactions.count() for session in StreamingSession.objects.all()]
    ends = {"exhausted", "permission_expired", "heartbeat_lost", "max_duration"}
    assert reasons == {None, *ends, "spending_cap", "pause_expired"}
    assert max(runs) >= 3
    rolled_over = StreamingSession.objects.filter(end_reason="spending_cap", paused_ms=0)
    assert max(session.transactions.count() for session in rolled_over) >= 2


@pytest.mark.usefixtures("by_the_set_alone")
def test_who_expires_in_the_queue_after_a_turn_keeps_what_it_was_settled_up_to(vera: User) -> None:
    first = make_active_permission(vera, requested=1 * ZEC, rate=1 * ZEC, expires_at=after(hours=2))
    make_active_permission(vera, requested=2 * ZEC, rate=1 * ZEC)
    stream(vera)
    interval.run_interval(now=after(hours=1), engine="test", chunk_size=10)
    pay(first, 1 * ZEC, now=after(hours=1.5))

    interval.run_interval(now=after(hours=4), engine="test", chunk_size=10)

    first.refresh_from_db()
    assert (first.status, first.activated_at, first.settled_at) == ("expired", NOW, after(hours=1))


def test_costs_the_same_statements_whatever_happens_to_how_many(vera: User) -> None:
    def deplete(count: int, *, prefix: str, hours: int) -> int:
        for number in range(count):
            make_active_permission(vera, wallet=f"{prefix}{number}", requested=1 * ZEC, rate=1 * ZEC)
            make_active_permission(vera, wallet=f"{prefix}{number}", requested=ZEC * 50, rate=1 * ZEC)
            stream(vera, wallet=f"{prefix}{number}")
        with CaptureQueriesContext(connection) as made:
            done = interval.run_interval(now=after(hours=hours), engine="test", chunk_size=100)
        assert (done.events, done.put_aside) == (count, [])
        return len(made)

    few = deplete(2, prefix="a", hours=2)
    many = deplete(20, prefix="b", hours=3)

    assert many == few


@pytest.mark.django_db(transaction=True)
def test_leaves_what_somebody_holds_to_the_second_round() -> None:
    client = make_client()
    make_vendor(client)
    held, free = (
        make_active_permission(client, wallet=wallet, requested=1 * ZEC, rate=1 * ZEC) for wallet in "ab"
    )
    for wallet in "ab":
        stream(client, wallet=wallet)

    with lock_held("SELECT 1 FROM zcash_permission WHERE id = %s FOR NO KEY UPDATE", [held.pk]):
        done = elsewhere(lambda: interval.run_interval(now=after(hours=2), engine="test", chunk_size=10))
        states = dict(SpendingPermission.objects.values_list("pk", "status"))

    assert states == {held.pk: "active", free.pk: "exhausted"}
    assert done.events == 1
    interval.run_interval(now=after(hours=2), engine="test", chunk_size=10)
    held.refresh_from_db()
    assert (held.status, held.remaining_zat) == ("exhausted", 0)


def test_texts_are_those_of_python() -> None:
    moments = [NOW, after(ms=1), after(ms=120), after(seconds=59, ms=999)]
    amounts = [0, 1, 10, ZEC - 1, ZEC, 10 * ZEC, 123_456_789, 21 * 10**14, 21 * 10**14 - 1]

    assert [db.row("SELECT paygo_iso(%(at)s)", {"at": at})[0] for at in moments] == [
        at.isoformat() for at in moments
    ]
    assert [db.row("SELECT paygo_zec(%(zat)s)", {"zat": zat})[0] for zat in amounts] == [
        zec_text(zat) for zat in amounts
    ]
