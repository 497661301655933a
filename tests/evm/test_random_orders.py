"""In whatever order it happens: no token is made or lost, each debt arrives once, who owes gets nothing.

Hypothesis writes the lives, on a real chain; after every step the books are compared with the chain. A
failure prints the whole life. The same lives in every run, so that a change is what fails; `make soak` asks
for more, and for other ones. So numbers are drawn below 100: among greater ones Hypothesis mixes those that
it finds in whichever modules are imported.
"""

import os
from itertools import pairwise
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from billing.models import Transaction
from billing.models_ethereum import Authorization, Collection
from core.models import User
from tests.evm.cutting import killed_asking, killed_at, silent
from tests.evm.life import CONFIRMATIONS, Life
from tests.evm.world import USD, World
from tests.factories import make_client, make_vendor
from tests.stateful import use_every_rule

pytestmark = pytest.mark.django_db(transaction=True)
SOAKED = os.environ.get("PAYGO_SOAK_ORDERS")
LIVES, STEPS, SEED = int(SOAKED or 7), 30, int(os.environ.get("PAYGO_SOAK_SEED", "1"))
WHO = st.integers(0, 3)
SECONDS = st.integers(0, 99).map(lambda number: 9 * number)
SEND, RECEIPT = "eth_sendRawTransaction", "eth_getTransactionReceipt"


class Orders(RuleBasedStateMachine):
    """One life after the other, on one chain."""

    world: ClassVar[World]
    clients: ClassVar[tuple[User, User]]
    monkeypatch: ClassVar[pytest.MonkeyPatch]

    def __init__(self) -> None:
        super().__init__()
        use_every_rule(self)
        self.life, self.sound = Life(self.world, *self.clients), True

    def teardown(self) -> None:
        """Let a life that held come to its end, where everything is paid."""
        if self.sound:
            self.life.end()
            self.life.check_the_end()
        self.life.leave()

    @invariant()
    def holds(self) -> None:
        """Check everything, after every step."""
        self.life.check()
        self.sound = True

    def _step(self) -> Life:
        # A step that raises leaves the life unsound: its end would only hide the cause.
        self.sound = False
        return self.life

    @initialize(permits=st.booleans(), seconds=SECONDS)
    def begin(self, permits: bool, seconds: int) -> None:
        """Let everybody sign, and stream for a while."""
        life = self._step()
        for each in life.viewers:
            life.authorise(each, 20 * USD, days=30, permit=permits)
            life.start(each)
        life.pass_time(seconds)

    # What viewers do.

    @rule(
        who=WHO, limit=st.sampled_from([USD, 20 * USD]), days=st.sampled_from([1, 30]), permit=st.booleans()
    )
    def authorise(self, who: int, limit: int, days: int, permit: bool) -> None:
        """Sign another authorisation."""
        life = self._step()
        life.authorise(life.viewers[who], limit, days=days, permit=permit)

    @rule(who=WHO)
    def revoke(self, who: int) -> None:
        """Withdraw it."""
        life = self._step()
        life.revoke(life.viewers[who])

    @rule(who=WHO, seconds=st.one_of(st.just(0), SECONDS), stops=st.booleans())
    def stream(self, who: int, seconds: int, stops: bool) -> None:
        """Start to stream, for a while."""
        life = self._step()
        life.start(life.viewers[who])
        life.pass_time(seconds)
        if stops:
            life.stop(life.viewers[who])

    @rule(who=WHO)
    def stop(self, who: int) -> None:
        """Stop streaming."""
        life = self._step()
        life.stop(life.viewers[who])

    @rule()
    def deposit(self) -> None:
        """Pay more ZEC."""
        life = self._step()
        life.deposit(life.viewers[3])

    @rule(who=WHO, units=st.sampled_from([0, 1, USD, 50 * USD]))
    def allow(self, who: int, units: int) -> None:
        """Allow more, or less."""
        life = self._step()
        life.allow(life.viewers[who], units)

    @rule(who=WHO, units=st.sampled_from([USD, 5 * USD, 20 * USD]))
    def spend(self, who: int, units: int) -> None:
        """Spend the tokens elsewhere."""
        life = self._step()
        life.spend(life.viewers[who], units)

    @rule(who=WHO, renews=st.booleans(), spends=st.booleans())
    def cheat(self, who: int, renews: bool, spends: bool) -> None:
        """Let what was streamed be collected in vain, perhaps behind a new signature."""
        life, viewer = self._step(), self.life.viewers[who]
        life.start(viewer)
        life.pass_time(600)
        life.stop(viewer)
        if renews:
            life.authorise(viewer, 20 * USD, days=30, permit=False)
        if spends:
            life.spend(viewer, 100 * USD)
        else:
            life.allow(viewer, 0)
        life.world.round()
        # What keeps it from starting is the debt alone: all else is there again, and read anew.
        life.give_all(20 * USD)
        life.pass_time(60)
        life.start(viewer)

    # What PayGo does.

    @rule(seconds=st.sampled_from([1, 60, 3_600, 26 * 3_600]))
    def pass_time(self, seconds: int) -> None:
        """Let time pass, and bill."""
        self._step().pass_time(seconds)

    @rule(seconds=st.sampled_from([0, 0, 601]), blocks=st.integers(0, 4))
    def collect(self, seconds: int, blocks: int) -> None:
        """Collect; perhaps what is sent is mined, perhaps deep enough."""
        life = self._step()
        assert life.world.round(seconds=seconds) == {}
        if blocks:
            life.world.node.mine(blocks)

    @rule(step=st.integers(1, 99))
    def crash(self, step: int) -> None:
        """Let the collector die anywhere."""
        life = self._step()
        with killed_at(step, monkeypatch=self.monkeypatch):
            life.world.round()

    @rule(method=st.sampled_from([SEND, SEND, RECEIPT]), after=st.booleans(), blocks=st.integers(0, 2))
    def crash_at(self, method: str, after: bool, blocks: int) -> None:
        """Let it die between the journal and the node, or between that and the receipt."""
        life = self._step()
        with killed_asking(method, after=after, monkeypatch=self.monkeypatch):
            life.world.round()
        if blocks:
            life.world.node.mine(blocks)

    # What happens to the chain.

    @rule(blocks=st.integers(1, 3))
    def mine(self, blocks: int) -> None:
        """Mine."""
        self._step().world.node.mine(blocks)

    @rule(depth=st.integers(1, CONFIRMATIONS - 1), looks=st.booleans())
    def reorg(self, depth: int, looks: bool) -> None:
        """Replace blocks by empty ones; not deeper than what counts as confirmed, which promises that."""
        life = self._step()
        life.world.node.ask("anvil_reorg", depth, [])
        if looks:
            life.world.round()

    @rule(depth=st.integers(1, CONFIRMATIONS - 1))
    def forget(self, depth: int) -> None:
        """Let the chain go back to before a round."""
        self._step().forget(depth)

    @rule(method=st.sampled_from([None, SEND, RECEIPT]), after=st.booleans())
    def silence(self, method: str | None, after: bool) -> None:
        """Let the node go away, for everything or for one kind of question."""
        life = self._step()
        with silent(method, after=after, monkeypatch=self.monkeypatch):
            wrong = life.world.round()
        assert method is not None or wrong


def seen() -> set[str]:
    """Return what has happened in the lives that were lived."""
    found = {f"{each} collection" for each in Collection.objects.values_list("status", flat=True)}
    found |= {f"failed for {each}" for each in Collection.objects.values_list("reason", flat=True) if each}
    if Authorization.objects.filter(permit_send__status="confirmed").exists():
        found.add("permit handed in")
    payers: dict[int, list[bool]] = {}
    for session, permission in Transaction.objects.order_by("id").values_list("session", "permission"):
        payers.setdefault(session, []).append(permission is not None)
    for each in payers.values():
        found |= {"to a token" if was else "to ZEC" for was, now in pairwise(each) if was != now}
    return found


@pytest.mark.timeout(120 * LIVES)
def test_each_debt_arrives_once_whatever_happens(
    world: World, vera: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.add_token("PLAIN", 0)
    world.configure(confirmations=CONFIRMATIONS)
    otto = make_client("otto-tv")
    make_vendor(otto)
    named = {"world": world, "clients": (vera, otto), "monkeypatch": monkeypatch}

    run_state_machine_as_test(
        seed(SEED)(type("Orders", (Orders,), named)),
        settings=settings(
            max_examples=LIVES,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            print_blob=False,
            # Shrinking takes minutes and is for whoever looks for the cause.
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )

    expected = {"confirmed collection", "failed for allowance", "failed for balance", "permit handed in"}
    assert SOAKED or {*expected, "to a token", "to ZEC"} <= seen()
