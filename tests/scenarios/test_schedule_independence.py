"""Any schedule of intervals, doubled, split, late or missed, gives the money that none gives.

The product runs on PostgreSQL; what it must come to is computed by an independent simulator that walks
millisecond by millisecond (tests.oracle).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from billing import engine, expiry, funding, interval, live, pauses
from billing.engine import StartRequest
from billing.models import Transaction
from core.errors import DomainError
from core.models import User
from sessions_app.models import StreamingSession
from tests import books
from tests.factories import ALICE, NOW, after, make_client, make_permission, make_vendor, pay
from tests.oracle import Oracle
from tests.oracle_rows import CallName, Outcome
from zcash.models import SpendingPermission

pytestmark = pytest.mark.django_db

HORIZON_MS = 6_000
LIFE_MS = 4_500
PAUSE_MS = 1_500
# Zatoshis per hour: from one every 36 ms to 55 a millisecond.
RATES = st.integers(100_000, 200_000_000)
INSTANTS = st.integers(1, HORIZON_MS)


@dataclass(frozen=True)
class Paid:
    """A permission of the script: what it asks for, its rate, its last instant."""

    amount_zat: int
    rate: int
    expires_ms: int


@dataclass(frozen=True)
class Call:
    """One call of the script; `number` names a permission or a session."""

    at_ms: int
    name: str
    number: int = 0
    value: int = 0
    lease_s: int | None = None
    cap_zat: int | None = None


def _permissions() -> st.SearchStrategy[list[Paid]]:
    paid = st.builds(
        Paid,
        amount_zat=st.one_of(st.integers(1, 400), st.integers(1, 150_000)),
        rate=RATES,
        expires_ms=st.one_of(INSTANTS, st.just(10 * HORIZON_MS)),
    )
    return st.lists(paid, min_size=1, max_size=4)


def _calls() -> st.SearchStrategy[list[Call]]:
    starts = st.builds(
        Call,
        at_ms=INSTANTS,
        name=st.just("start"),
        value=RATES,
        lease_s=st.one_of(st.none(), st.integers(1, 4)),
        cap_zat=st.one_of(st.none(), st.integers(56, 2_000), st.integers(56, 150_000)),
    )
    pauses_of = st.builds(
        Call, at_ms=INSTANTS, name=st.sampled_from(["pause", "resume"]), number=st.integers(0, 3)
    )
    ends = st.builds(Call, at_ms=INSTANTS, name=st.just("end"), number=st.integers(0, 5))
    payments = st.builds(
        Call,
        at_ms=INSTANTS,
        name=st.just("credit"),
        number=st.integers(0, 3),
        value=st.integers(1, 100_000),
    )
    revokes = st.builds(Call, at_ms=INSTANTS, name=st.just("revoke"), number=st.integers(0, 3))
    pays = st.builds(Call, at_ms=st.integers(0, 2_000), name=st.just("pay"), number=st.integers(0, 3))
    script = st.tuples(
        st.lists(pays, min_size=1, max_size=4),
        st.lists(starts, min_size=1, max_size=4),
        st.lists(st.one_of(ends, payments, revokes), max_size=5),
        st.lists(pauses_of, max_size=6),
    )
    return script.map(lambda parts: sorted([c for part in parts for c in part], key=lambda c: c.at_ms))


@dataclass(frozen=True)
class Tick:
    """Upkeep or a read in between, by a clock that may be a little behind; `number` is a chunk, or whom."""

    at_ms: int
    name: str
    number: int
    behind_ms: int


TICKS = st.lists(
    st.builds(
        Tick,
        at_ms=INSTANTS,
        name=st.sampled_from(["interval", "sweep", "read"]),
        number=st.integers(1, 3),
        behind_ms=st.one_of(st.just(0), st.integers(0, 500)),
    ),
    max_size=8,
)


@settings(
    max_examples=120,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(permissions=_permissions(), calls=_calls(), ticks=TICKS)
def test_gives_what_the_walk_by_milliseconds_gives(
    db: None, permissions: list[Paid], calls: list[Call], ticks: list[Tick]
) -> None:
    expected = _walk(permissions, calls)

    with _rolled_back():
        product = Product(permissions)
        product.live(calls, ticks)

        assert product.story() == _story(expected, permissions)
        assert books.violations() == []


class Product:
    """PayGo living a script, with intervals in between."""

    def __init__(self, permissions: list[Paid]) -> None:
        self.client: User = make_client()
        self.vendors: dict[int, str] = {}
        self.codes: list[str] = []
        self.permissions = [
            make_permission(
                self.client,
                requested=paid.amount_zat,
                rate=paid.rate,
                expires_at=after(ms=paid.expires_ms),
                pay_before=after(ms=paid.expires_ms),
            )
            for paid in permissions
        ]

    def live(self, calls: list[Call], ticks: list[Tick]) -> None:
        script: list[Call | Tick] = sorted([*calls, *ticks], key=lambda each: each.at_ms)
        for step in script:
            getattr(self, step.name)(step)
        self.interval(Tick(HORIZON_MS, "interval", number=3, behind_ms=0))
        expiry.run(now=after(ms=HORIZON_MS))

    def interval(self, tick: Tick) -> None:
        run = interval.run_interval(now=_clock(tick), engine="test", chunk_size=tick.number)
        assert run.put_aside == []

    def sweep(self, tick: Tick) -> None:
        expiry.run(now=_clock(tick))

    def read(self, tick: Tick) -> None:
        permission = self.permissions[tick.number % len(self.permissions)]
        assert live.read(permission.pk, now=_clock(tick)).remaining_zat >= 0

    def pay(self, call: Call) -> None:
        permission = self.permissions[call.number % len(self.permissions)]
        pay(permission, now=after(ms=call.at_ms))

    def credit(self, call: Call) -> None:
        permission = self.permissions[call.number % len(self.permissions)]
        pay(permission, call.value, now=after(ms=call.at_ms))

    def revoke(self, call: Call) -> None:
        permission = self.permissions[call.number % len(self.permissions)]
        with suppress(DomainError):
            funding.revoke(
                client_id=self.client.pk, public_id=permission.public_id, now=after(ms=call.at_ms), actor="t"
            )

    def start(self, call: Call) -> None:
        ref = f"s{len(self.codes)}"
        request = StartRequest(ALICE, self._vendor(call.value), ref, call.lease_s, call.cap_zat)
        self.codes.append("")
        with suppress(DomainError):
            started = engine.start(request, client_id=self.client.pk, now=after(ms=call.at_ms))
            self.codes[-1] = started.session_code

    def end(self, call: Call) -> None:
        if call.number < len(self.codes) and self.codes[call.number]:
            engine.end(self.codes[call.number], client_id=self.client.pk, now=after(ms=call.at_ms))

    def pause(self, call: Call) -> None:
        self._try(pauses.pause, call)

    def resume(self, call: Call) -> None:
        self._try(pauses.resume, call)

    def _try(self, verb: Callable[..., object], call: Call) -> None:
        if call.number < len(self.codes) and self.codes[call.number]:
            with suppress(DomainError):
                verb(self.codes[call.number], client_id=self.client.pk, now=after(ms=call.at_ms))

    def _vendor(self, price: int) -> str:
        slug = f"v{price}"
        if slug not in self.vendors.values():
            make_vendor(self.client, slug=slug, price=price)
            self.vendors[price] = slug
        return slug

    def story(self) -> dict[str, Any]:
        rows = [SpendingPermission.objects.get(pk=each.pk) for each in self.permissions]
        number = {row.pk: index for index, row in enumerate(rows)}
        return {
            "permissions": [(row.status, row.remaining_zat, row.credited_zat) for row in rows],
            "sessions": [self._session(code, number) for code in self.codes],
        }

    def _session(self, code: str, number: dict[int, int]) -> Any:
        if not code:
            return None
        session = StreamingSession.objects.get(code=code)
        found = Transaction.objects.filter(session=session).order_by("id")
        runs = [(number.get(t.permission_id), _ms(t.started_at), _ms(t.ended_at), t.amount) for t in found]
        final = [run for run in runs if run[2] is not None]
        return session.status, _ms(session.ended_at), session.end_reason, final


def _walk(permissions: list[Paid], calls: list[Call]) -> Outcome:
    oracle = Oracle()
    for number, paid in enumerate(permissions):
        oracle.add_permission(
            number,
            rate_zat_per_hour=paid.rate,
            expires_at=paid.expires_ms,
            status="pending",
            requested_zat=paid.amount_zat,
        )
    scripted = Script(oracle, permissions)
    for call in calls:
        scripted.add(call)
    return oracle.run(HORIZON_MS)


_PAUSES: dict[str, CallName] = {"pause": "pause", "resume": "resume"}


class Script:
    """Translates the script for the oracle."""

    def __init__(self, oracle: Oracle, permissions: list[Paid]) -> None:
        self.oracle, self.permissions, self.starts = oracle, permissions, 0

    def add(self, call: Call) -> None:
        number = call.number % len(self.permissions)
        if call.name == "pay":
            self.oracle.call(
                call.at_ms, "credit", permission_id=number, amount_zat=self.permissions[number].amount_zat
            )
        elif call.name == "credit":
            self.oracle.call(call.at_ms, "credit", permission_id=number, amount_zat=call.value)
        elif call.name == "revoke":
            self.oracle.call(call.at_ms, "revoke", permission_id=number)
        elif call.name == "end":
            if call.number < self.starts:
                self.oracle.call(call.at_ms, "end", session_id=call.number)
        elif call.name == "start":
            self._start(call)
        elif call.number < self.starts:
            more = {"resume_by": call.at_ms + PAUSE_MS} if call.name == "pause" else {}
            self.oracle.call(call.at_ms, _PAUSES[call.name], session_id=call.number, **more)

    def _start(self, call: Call) -> None:
        lives_until, lease_ms = call.at_ms + LIFE_MS, 1000 * (call.lease_s or 10**6)
        lease_until = call.at_ms + lease_ms
        limits = {"lease_ms": lease_ms, "lives_until": lives_until}
        if call.cap_zat is not None:
            limits["cap_zat"] = call.cap_zat
        self.oracle.call(
            call.at_ms,
            "start",
            session_id=self.starts,
            rate=call.value,
            bound=min(lives_until, lease_until),
            bound_reason="heartbeat_lost" if lease_until < lives_until else "max_duration",
            **limits,
        )
        self.starts += 1


def _story(outcome: Outcome, permissions: list[Paid]) -> dict[str, Any]:
    starts = [call for call, _ in outcome.answers if call.name == "start"]
    return {
        "permissions": [
            (str(p.status), p.remaining_zat, p.credited_zat)
            for p in (outcome.permissions[number] for number in range(len(permissions)))
        ],
        "sessions": [_told(outcome, number) for number in range(len(starts))],
    }


def _told(outcome: Outcome, number: int) -> Any:
    session = outcome.sessions.get(number)
    if session is None:
        return None
    runs = [
        (t.permission_id, t.started_at, t.ended_at, t.amount_zat)
        for t in outcome.of_session(number)
        if t.ended_at is not None
    ]
    return session.status, session.ended_at, session.end_reason, runs


def _clock(tick: Tick) -> datetime:
    return max(NOW, after(ms=tick.at_ms - tick.behind_ms))


def _ms(moment: Any) -> int | None:
    return None if moment is None else round((moment - NOW).total_seconds() * 1000)


@pytest.fixture(autouse=True)
def _small_world(settings: Any) -> None:
    settings.MIN_START_SECONDS = 0
    settings.MAX_SESSION_HOURS = LIFE_MS / 3_600_000
    settings.MAX_PAUSE_HOURS = PAUSE_MS / 3_600_000


@contextmanager
def _rolled_back() -> Iterator[None]:
    """One example leaves nothing behind; the operations inside still believe that theirs is the outermost."""
    block = transaction.atomic()
    block._from_testcase = True  # type: ignore[attr-defined]
    with block:
        yield
        transaction.set_rollback(True)
