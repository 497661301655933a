"""The connection to the database is cut at every message of what bills: start, end, interval, sweep and more.

A cut in front of a request loses it; a cut in front of an answer loses that alone: the server has done its
part. After each, whoever called calls again, and everything is as if nothing had been cut.
"""

import re
from collections.abc import Callable, Iterator

import pytest
import structlog
from django.db import connection

from billing import engine, expiry, funding, interval
from billing.engine import StartRequest
from core.models import User
from tests import books
from tests.factories import (
    ALICE,
    ZEC,
    after,
    make_active_permission,
    make_client,
    make_permission,
    make_vendor,
    see_deposit,
    stream,
)
from tests.faults.cut_worlds import CutDatabase, Rows, cut_database
from zcash.models import SpendingPermission

# Room for a busy machine: a hundred short lives each.
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(300)]

log = structlog.get_logger(__name__)

Call = Callable[[], object]

# Session codes are drawn at random; what there was before a settlement at the same instant is nobody's money.
_UNCOMPARED = re.compile(r'"[A-Z0-9]{12}"|"previous_zat": [0-9]+')


@pytest.fixture
def vera(transactional_db: None) -> Iterator[User]:
    client = make_client()
    make_vendor(client)
    make_vendor(client, slug="cheap", price=ZEC // 3)
    yield client
    # With what it keeps.
    connection.close()


@pytest.fixture
def cut(vera: User) -> Iterator[CutDatabase]:
    with cut_database() as database:
        yield database


def first_start(vera: User) -> Call:
    make_active_permission(vera, rate=ZEC)
    return lambda: start(vera, "first")


def start_beside_another(vera: User) -> Call:
    make_active_permission(vera, rate=ZEC)
    make_active_permission(vera, rate=ZEC)
    stream(vera)
    return lambda: start(vera, "second")


def start_after_an_unnoticed_depletion(vera: User) -> Call:
    make_active_permission(vera, requested=ZEC // 2, rate=ZEC)
    make_active_permission(vera, rate=ZEC)
    stream(vera)
    return lambda: start(vera, "second")


def heartbeat(vera: User) -> Call:
    make_active_permission(vera, rate=ZEC)
    code = stream(vera, heartbeat=3600)
    return lambda: engine.heartbeat(code, client_id=vera.pk, now=after(hours=0.9))


def end(vera: User) -> Call:
    make_active_permission(vera, rate=ZEC)
    code = stream(vera)
    return lambda: engine.end(code, client_id=vera.pk, now=after(hours=1))


def end_of_one_of_two(vera: User) -> Call:
    make_active_permission(vera, rate=ZEC)
    stream(vera, vendor="cheap", ref="other")
    code = stream(vera)
    return lambda: engine.end(code, client_id=vera.pk, now=after(hours=1))


def end_after_a_roll_over(vera: User) -> Call:
    make_active_permission(vera, requested=ZEC // 2, rate=ZEC)
    make_active_permission(vera, rate=ZEC)
    code = stream(vera)
    return lambda: engine.end(code, client_id=vera.pk, now=after(hours=1))


def revocation(vera: User) -> Call:
    permission = make_active_permission(vera, rate=ZEC)
    make_active_permission(vera, rate=ZEC)
    stream(vera)

    def revoke() -> None:
        status = SpendingPermission.objects.values_list("status", flat=True).get(pk=permission.pk)
        if status != "revoked":
            public_id = permission.public_id
            funding.revoke(client_id=vera.pk, public_id=public_id, now=after(hours=1), actor="tests")

    return revoke


def credit_that_activates(vera: User) -> Call:
    see_deposit(make_permission(vera), amount=10 * ZEC)
    return lambda: funding.credit_confirmed(now=after(hours=1))


def credit_that_finds_a_depletion(vera: User) -> Call:
    permission = make_active_permission(vera, requested=ZEC // 2, rate=ZEC)
    make_active_permission(vera, rate=ZEC)
    stream(vera)
    see_deposit(permission, amount=5 * ZEC)
    return lambda: funding.credit_confirmed(now=after(hours=1))


VERBS = {
    each.__name__: each
    for each in (
        first_start,
        start_beside_another,
        start_after_an_unnoticed_depletion,
        heartbeat,
        end,
        end_of_one_of_two,
        end_after_a_roll_over,
        revocation,
        credit_that_activates,
        credit_that_finds_a_depletion,
    )
}


def interval_of_single_meters(vera: User) -> Call:
    for wallet in ("a", "b", "c"):
        make_active_permission(vera, wallet=wallet, rate=ZEC)
        stream(vera, wallet=wallet)
    return bill


def interval_of_shared_meters(vera: User) -> Call:
    for wallet in ("a", "b"):
        make_active_permission(vera, wallet=wallet, rate=ZEC)
        stream(vera, wallet=wallet)
        stream(vera, wallet=wallet, vendor="cheap", ref="second", now=after(seconds=1))
    return bill


def interval_of_events(vera: User) -> Call:
    # Depleted, and depleted again after the roll-over, and on; a lost heartbeat; nobody who inherits.
    for _ in range(2):
        make_active_permission(vera, wallet="a", requested=ZEC // 3, rate=ZEC)
    make_active_permission(vera, wallet="a", rate=ZEC)
    make_active_permission(vera, wallet="b", rate=ZEC)
    make_active_permission(vera, wallet="c", requested=ZEC // 3, rate=ZEC)
    stream(vera, wallet="b", heartbeat=60)
    for wallet in ("a", "c"):
        stream(vera, wallet=wallet)
    return bill


def interval_of_events_of_shared_meters(vera: User) -> Call:
    make_active_permission(vera, wallet="a", requested=ZEC // 3, rate=ZEC)
    make_active_permission(vera, wallet="a", rate=ZEC)
    stream(vera, wallet="a")
    stream(vera, wallet="a", vendor="cheap", ref="second", now=after(seconds=1))
    return bill


def sweep_of_what_has_ended(vera: User) -> Call:
    soon = after(hours=0.5)
    # An active one without a meter and its heir, a metered one, one that waits, one that was never paid.
    for wallet in ("idle", "metered"):
        make_active_permission(vera, wallet=wallet, rate=ZEC, expires_at=soon)
        make_active_permission(vera, wallet=wallet, rate=ZEC)
    stream(vera, wallet="metered")
    make_active_permission(vera, wallet="behind", rate=ZEC)
    make_active_permission(vera, wallet="behind", rate=ZEC, expires_at=soon)
    see_deposit(make_permission(vera, wallet="unpaid", expires_at=soon), amount=1)
    return lambda: expiry.run(now=after(hours=1))


ROUNDS = {
    each.__name__: each
    for each in (
        interval_of_single_meters,
        interval_of_shared_meters,
        interval_of_events,
        interval_of_events_of_shared_meters,
        sweep_of_what_has_ended,
    )
}


def start(vera: User, ref: str) -> None:
    engine.start(StartRequest(ALICE, "vendor123", ref), client_id=vera.pk, now=after(hours=1))


def bill() -> None:
    interval.run_interval(now=after(hours=1), engine="test", chunk_size=2)


class Life:
    """A world that is put back to its start after each cut that has left a trace."""

    def __init__(self, cut: CutDatabase, call: Call) -> None:
        self.cut, self.call, self.rows = cut, call, Rows()
        self.rows.keep("start")
        self.before = self.state()
        undisturbed, _ = cut.attempt(call)
        self.done = self.state()
        self.messages = undisturbed.messages
        assert self.done != self.before

    def state(self) -> tuple[str, ...]:
        """Return all that tells of money and meters."""
        return tuple(sorted(_UNCOMPARED.sub("*", row) for row in self.rows.state(timeless=False)))

    def cut_everywhere(self) -> list[tuple[int, tuple[str, ...]]]:
        """Cut at each message; return at which, and what the state was, once the call has been repeated."""
        found = []
        proven: set[tuple[str, ...]] = set()
        state = self.done
        for number in self.cuts():
            if state != self.before:
                self.rows.put_back("start")
            window, failed = self.cut.attempt(self.call, at=number)
            assert (window.has_cut, failed) == (True, True), self.messages[number - 1]
            state = self.state()
            found.append((number, state))
            if state not in proven:
                self.prove_repetition(number)
                proven.add(state)
                state = self.done
        log.info("cuts", cuts=len(found), states=len(proven))
        return found

    def cuts(self) -> list[int]:
        """Return where it is cut: each request before it has arrived, and before anything of its answer has.

        To lose the rest of an answer as well is the same to the server; `test_cut_points` does it too.
        """
        asked = [message.startswith(">") for message in self.messages]
        return [k for k, asks in enumerate(asked, 1) if asks or asked[k - 2]]

    def prove_repetition(self, number: int) -> None:
        """Check that the books hold as they are, and that a repetition leads to the same end."""
        assert books.violations() == [], self.messages[number - 1]
        self.call()
        assert self.state() == self.done, self.messages[number - 1]
        assert books.violations() == []


@pytest.mark.parametrize("name", VERBS)
def test_a_verb_cut_off_is_done_or_not_begun_and_done_once_when_repeated(
    vera: User, cut: CutDatabase, name: str
) -> None:
    life = Life(cut, VERBS[name](vera))

    found = life.cut_everywhere()

    # The last answers are those to COMMIT: it has happened, though the client cannot know.
    committing = len(life.messages) - life.messages[::-1].index("> Q COMMIT")
    for number, state in found:
        assert state == (life.done if number > committing else life.before), life.messages[number - 1]
    assert {state for _, state in found} == {life.before, life.done}


@pytest.mark.parametrize("name", ROUNDS)
def test_a_round_cut_off_is_finished_by_the_next(vera: User, cut: CutDatabase, name: str) -> None:
    life = Life(cut, ROUNDS[name](vera))

    found = life.cut_everywhere()

    assert found[0][1] == life.before
    assert found[-1][1] == life.done
    assert len(found) > 20
