"""Whatever happens in whatever order, each debt arrives exactly once and no token is made or lost."""

import os
from contextlib import suppress
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from billing.ethereum import authorizing
from billing.ethereum.rules import CollectionStatus
from billing.models_ethereum import Collection
from core.errors import DomainError
from core.models import User
from tests import books
from tests.evm.cutting import killed_at, silent
from tests.evm.world import ADMIN, LEAST, TREASURY, USD, World, viewer

pytestmark = pytest.mark.django_db(transaction=True)
WHO = st.integers(0, 1)
ACTIONS = st.one_of(
    st.tuples(st.just("stream"), WHO, st.integers(1, 900_000)),
    st.tuples(st.just("stream"), WHO, st.integers(1, 900_000)),
    st.tuples(st.just("round"), WHO, st.sampled_from([0, 0, 601])),
    st.tuples(st.just("round"), WHO, st.sampled_from([0, 0, 601])),
    st.tuples(st.just("mine"), WHO, st.integers(1, 3)),
    st.tuples(st.just("reorg"), WHO, st.integers(1, 2)),
    st.tuples(st.just("crash"), WHO, st.integers(1, 120)),
    st.tuples(st.just("silence"), WHO, st.integers(0, 1)),
    st.tuples(st.just("allow"), WHO, st.sampled_from([0, 1, USD, 50 * USD])),
    st.tuples(st.just("spend"), WHO, st.sampled_from([USD, 5 * USD])),
    st.tuples(st.just("revoke"), WHO, st.just(0)),
)
_numbers = count(100)
# The same orders in every run, so that a change is what fails; `make soak` asks for more, and for other ones.
EXAMPLES = int(os.environ.get("PAYGO_SOAK_ORDERS", "20"))
SEED = os.environ.get("PAYGO_SOAK_SEED")


class Life:
    """Two viewers, one collected by the contract and one by the service's key, and all that befalls them."""

    def __init__(self, world: World, client: User, monkeypatch: pytest.MonkeyPatch) -> None:
        self.world, self.client, self._monkeypatch = world, client, monkeypatch
        self.people = [viewer(next(_numbers)) for _ in range(2)]
        self.symbols = ["USDT", "PLAIN"]
        self.minted = dict.fromkeys(self.symbols, 0)
        self.before = {symbol: world.balance(TREASURY, symbol=symbol) for symbol in self.symbols}
        self.admin = {symbol: world.balance(ADMIN, symbol=symbol) for symbol in self.symbols}
        self.authorizations = []
        for who, symbol in zip(self.people, self.symbols, strict=True):
            self.minted[symbol] += 20 * USD
            self.authorizations.append(world.active(client, who, money=20 * USD, symbol=symbol))
        self._bury()

    def _bury(self) -> None:
        """No reorg reaches what the viewers themselves have done: nobody would send that again."""
        self.world.node.mine(3)

    def do(self, action: tuple[str, int, int]) -> None:
        name, who, number = action
        getattr(self, name)(who, number)

    def stream(self, who: int, units: int) -> None:
        with suppress(DomainError):
            self.world.stream(self.authorizations[who], units)

    def round(self, _who: int, seconds: int) -> None:
        self.world.round(seconds=seconds)

    def mine(self, _who: int, blocks: int) -> None:
        self.world.node.mine(blocks)

    def reorg(self, _who: int, depth: int) -> None:
        # Not deeper than what counts as confirmed: that is the promise of `confirmations`.
        self.world.node.ask("anvil_reorg", depth, [])

    def crash(self, _who: int, step: int) -> None:
        with killed_at(step, monkeypatch=self._monkeypatch):
            self.world.round()

    def silence(self, _who: int, after: int) -> None:
        with silent("eth_sendRawTransaction", after=bool(after), monkeypatch=self._monkeypatch):
            self.world.round()

    def allow(self, who: int, units: int) -> None:
        self.world.approve(self.people[who].address, units, symbol=self.symbols[who])
        self._bury()

    def spend(self, who: int, units: int) -> None:
        wallet, symbol = self.people[who].address, self.symbols[who]
        units = min(units, self.world.balance(wallet, symbol=symbol))
        self.world.do(wallet, self.world.tokens[symbol], "transfer(address,uint256)", ADMIN, units)
        self._bury()

    def revoke(self, who: int, _number: int) -> None:
        authorizing.revoke(
            client_id=self.client.pk,
            public_id=self.authorizations[who].public_id,
            now=self.world.now,
        )

    def pay_up(self) -> None:
        """Let the viewers have and allow what they owe, and the collector come by until nothing is owed."""
        for who, (person, symbol) in enumerate(zip(self.people, self.symbols, strict=True)):
            self.minted[symbol] += 20 * USD
            self.world.give(person.address, 20 * USD, symbol=symbol)
            self.allow(who, 50 * USD)
        # What has failed again and again is tried again within a day.
        for seconds in (24 * 3600, 601, 601, 601):
            assert self.world.round(seconds=seconds) == {}
            self.world.node.mine(4)

    def conserve(self) -> None:
        """No token is made or lost, and none taken before it is owed, at any time."""
        for authorization, person, symbol in zip(self.authorizations, self.people, self.symbols, strict=True):
            authorization.refresh_from_db()
            arrived = self.world.balance(TREASURY, symbol=symbol) - self.before[symbol]
            kept = self.world.balance(person.address, symbol=symbol)
            spent = self.world.balance(ADMIN, symbol=symbol) - self.admin[symbol]
            assert arrived + kept + spent == self.minted[symbol]
            assert authorization.collected_units <= arrived <= authorization.charged_units

    def check(self) -> None:
        self.conserve()
        for authorization, symbol in zip(self.authorizations, self.symbols, strict=True):
            arrived = self.world.balance(TREASURY, symbol=symbol) - self.before[symbol]
            assert arrived == authorization.collected_units
            assert 0 <= authorization.debt_units < LEAST
            confirmed = Collection.objects.filter(
                authorization=authorization, status=CollectionStatus.CONFIRMED
            )
            assert sum(each.amount_units for each in confirmed) == arrived
        assert books.violations() == []


@pytest.fixture
def crowded(world: World, vera: User) -> World:
    world.add_token("PLAIN", 0)
    world.configure(confirmations=3)
    return world


@pytest.mark.timeout(60 * EXAMPLES)
@seed(int(SEED or 0))
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    derandomize=SEED is None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(actions=st.lists(ACTIONS, min_size=4, max_size=25))
def test_each_debt_arrives_once_whatever_happens(
    crowded: World, vera: User, monkeypatch: pytest.MonkeyPatch, actions: list[Any]
) -> None:
    life = Life(crowded, vera, monkeypatch)

    for action in actions:
        life.do(action)
        life.conserve()
    life.pay_up()

    life.check()
