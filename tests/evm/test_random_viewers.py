"""Whatever a viewer signs, streams, spends, pays or revokes: who owes gets nothing, and no token is lost."""

from contextlib import suppress
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from billing.ethereum import authorizing
from billing.ethereum.errors import DebtUnpaid
from billing.ethereum.rules import BLAMELESS
from billing.models_ethereum import Authorization, Collection
from core.errors import DomainError, PaymentRequired
from core.models import User
from tests import books
from tests.evm.world import ADMIN, LEAST, TREASURY, USD, World, viewer

pytestmark = pytest.mark.django_db(transaction=True)
ACTIONS = st.one_of(
    st.tuples(st.just("authorise"), st.sampled_from([USD, 20 * USD])),
    st.tuples(st.just("stream"), st.integers(1, 900_000)),
    st.tuples(st.just("stream"), st.sampled_from([USD // 2, USD])),
    st.tuples(st.just("round"), st.sampled_from([0, 601])),
    st.tuples(st.just("mine"), st.integers(1, 3)),
    st.tuples(st.just("allow"), st.sampled_from([0, 1, 50 * USD])),
    st.tuples(st.just("spend"), st.sampled_from([USD, 5 * USD])),
    st.tuples(st.just("revoke"), st.just(0)),
    st.tuples(st.just("forget"), st.integers(1, 2)),
)
_numbers = count(500)


class Viewer:
    """One wallet at one client, with all its authorisations."""

    def __init__(self, world: World, client: User) -> None:
        self.world, self.client, self.who = world, client, viewer(next(_numbers))
        self.minted, self.before = 20 * USD, world.balance(TREASURY)
        self.admin = world.balance(ADMIN)
        world.give(self.who.address, self.minted)
        self.allow(50 * USD)

    def do(self, action: tuple[str, int]) -> None:
        name, number = action
        getattr(self, name)(number)

    def owes(self) -> bool:
        """Whether a collection has failed, through the wallet's fault, of what is not paid since."""
        failed = Collection.objects.filter(status="failed", authorization__in=self.all())
        return any(
            each.to_units > each.authorization.collected_units and each.reason not in BLAMELESS
            for each in failed.select_related("authorization")
        )

    def all(self) -> list[Authorization]:
        return list(Authorization.objects.filter(wallet_address=self.who.address).order_by("id"))

    def authorise(self, limit: int) -> None:
        owes, refused = self.owes(), False
        try:
            self.world.signed(self.world.asked(self.client, self.who, limit_units=limit), self.who)
        except DebtUnpaid:
            refused = True
        except DomainError:
            # One is active already.
            return
        assert refused == owes

    def stream(self, units: int) -> None:
        active = next((each for each in self.all() if each.status == "active"), None)
        if active is None:
            return
        owes = self.owes()
        try:
            self.world.stream(active, units)
        except PaymentRequired:
            return
        assert not owes
        active.refresh_from_db()
        assert active.debt_units <= active.ceiling_units

    def round(self, seconds: int) -> None:
        self.world.round(seconds=seconds)

    def mine(self, blocks: int) -> None:
        self.world.node.mine(blocks)

    def allow(self, units: int) -> None:
        self.world.approve(self.who.address, units)
        # No reorg reaches what the viewer has done: nobody would send that again.
        self.world.node.mine(3)

    def spend(self, units: int) -> None:
        units = min(units, self.world.balance(self.who.address))
        self.world.do(self.who.address, self.world.tokens["USDT"], "transfer(address,uint256)", ADMIN, units)
        self.world.node.mine(3)

    def revoke(self, _number: int) -> None:
        with suppress(DomainError):
            last = self.all()[-1:]
            for each in last:
                authorizing.revoke(client_id=self.client.pk, public_id=each.public_id, now=self.world.now)

    def forget(self, depth: int) -> None:
        """A round whose blocks the chain then has never seen, nor the node what was sent."""
        snapshot = self.world.node.ask("evm_snapshot")
        self.world.round()
        self.world.node.mine(depth)
        self.world.round()
        self.world.node.ask("evm_revert", snapshot)

    def pay_up(self) -> None:
        self.minted += 20 * USD
        self.world.give(self.who.address, 20 * USD)
        self.allow(50 * USD)
        # What has failed again and again is tried again within a day.
        for seconds in (24 * 3600, 601, 601, 601, 601):
            assert self.world.round(seconds=seconds) == {}
            self.world.node.mine(4)

    def conserve(self) -> None:
        arrived = self.world.balance(TREASURY) - self.before
        kept, spent = self.world.balance(self.who.address), self.world.balance(ADMIN) - self.admin
        mine = self.all()
        assert arrived + kept + spent == self.minted
        assert sum(each.collected_units for each in mine) <= arrived
        assert arrived <= sum(each.charged_units for each in mine)

    def check(self) -> None:
        self.conserve()
        assert all(0 <= each.debt_units < LEAST for each in self.all())
        assert not self.owes()
        assert books.violations() == []


@pytest.mark.timeout(600)
@settings(
    max_examples=15,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(actions=st.lists(ACTIONS, min_size=6, max_size=25))
def test_who_owes_gets_nothing_more_and_no_token_is_lost(
    world: World, vera: User, actions: list[Any]
) -> None:
    world.configure(confirmations=3)
    wallet = Viewer(world, vera)

    for action in [("authorise", 20 * USD), *actions]:
        wallet.do(action)
        wallet.conserve()
    wallet.pay_up()

    wallet.check()
