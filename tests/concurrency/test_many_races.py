"""A thousand rounds of start, end, interval, sweep, credit and revocation at one moment, on one wallet."""

import os
import random
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import pytest

from billing import engine, expiry, funding, interval
from billing.engine import StartRequest
from billing.models import IntervalRun
from core.errors import Busy, DomainError
from core.models import User
from sessions_app.models import StreamingSession, Vendor
from tests import books
from tests.concurrency.crew import Crew, crew, make_world
from tests.factories import NOW, after
from zcash.models import SpendingPermission

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(3600)]

# `make soak` asks for more, and for other ones.
ROUNDS = int(os.environ.get("PAYGO_SOAK_RACES", "1000"))
SEED = int(os.environ.get("PAYGO_SOAK_SEED", "4"))
# After so many rounds the books are checked, and what still runs is billed to its end.
BATCH = 25
# Most races are between two; every fifth is between four.
CROWDS = (2, 2, 2, 2, 4)


class Race:
    """The calls that meet at one wallet, around the instants at which something happens by itself."""

    def __init__(self, client: User, *, number: int) -> None:
        self.client, self.wallet, self.chance = (
            client,
            f"wallet-{number}",
            random.Random(SEED * 10**6 + number),
        )
        self.first, self.second = SpendingPermission.objects.filter(wallet_address=self.wallet).order_by("id")

    def calls(self, count: int) -> list[Callable[[], Any]]:
        made = [self.start, self.end, self.bill, self.sweep, self.credit, self.revoke]
        return self.chance.choices(made, weights=[3, 3, 3, 1, 2, 1], k=count)

    def now(self) -> datetime:
        # Before, at, and after the last day, the depletion, and the depletion of what is queued.
        seconds = self.chance.choice([2999, 3000, 3599, 3600, 3600, 5400, 10_800])
        return after(seconds=seconds, ms=self.chance.randint(-2, 2))

    def start(self) -> Any:
        request = StartRequest(self.wallet, "vendor123", self.chance.choice(["", "new"]))
        return engine.start(request, client_id=self.client.pk, now=self.now())

    def end(self) -> Any:
        return engine.end(self.wallet, client_id=self.client.pk, now=self.now())

    def bill(self) -> Any:
        return interval.run_interval(now=self.now(), engine="race", chunk_size=self.chance.choice([7, 1000]))

    def sweep(self) -> Any:
        return expiry.run(now=self.now())

    def credit(self) -> Any:
        return funding.credit(self.first.pk, now=self.now())

    def revoke(self) -> Any:
        permission = self.chance.choice([self.first, self.second])
        return funding.revoke(
            client_id=self.client.pk, public_id=permission.public_id, now=self.now(), actor="tests"
        )


def unexpected(outcome: Any) -> bool:
    """Whether a call ended otherwise than with an answer or a plain refusal; a deadlock comes as Busy."""
    if isinstance(outcome, IntervalRun):
        return bool(outcome.put_aside)
    return isinstance(outcome, Exception) and (
        isinstance(outcome, Busy) or not isinstance(outcome, DomainError)
    )


def race(vera: User, crews: Mapping[int, Crew], *, first: int, rounds: int) -> list[Any]:
    """Run some rounds, each on a wallet of its own; return what is wrong."""
    vendor = Vendor.objects.get()
    wrong: list[Any] = []
    for number in range(first, first + rounds):
        make_world(vera, vendor=vendor, number=number, now=NOW)
        size = CROWDS[number % len(CROWDS)]
        outcomes = crews[size].together(Race(vera, number=number).calls(size))
        wrong += [(number, each) for each in outcomes if unexpected(each)]
    return wrong + books.violations()


@pytest.mark.unbalanced
def test_without_row_locks_the_races_are_lost(vera: User) -> None:
    with crew(2, guarded=False) as two, crew(4, guarded=False) as four:
        wrong = race(vera, {2: two, 4: four}, first=1, rounds=2 * BATCH)

    assert any("what was credited is used" in str(each) for each in wrong)


def test_the_books_balance_after_each_of_many_races(vera: User) -> None:
    with crew(2) as two, crew(4) as four:
        for first in range(1, ROUNDS + 1, BATCH):
            assert race(vera, {2: two, 4: four}, first=first, rounds=min(BATCH, ROUNDS + 1 - first)) == []
            # Within two intervals everything has happened that is due (I10).
            for hours in (99, 100):
                last = interval.run_interval(now=after(hours=hours), engine="last", chunk_size=1000)
                assert last.put_aside == []
                expiry.run(now=after(hours=hours))
            assert not StreamingSession.objects.filter(status="active").exists()
            assert books.violations() == []
