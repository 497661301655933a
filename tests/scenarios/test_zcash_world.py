"""PayGo in a world where everything happens to the chain, the wallet and its own processes: no money is lost.

Hypothesis writes the lives; after every step the books are compared with the chain's own account of it. A
failure prints the whole life, the seed and the line that repeats it.
"""

import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from billing import reversals, rounds
from billing.operators import Word
from tests.scenarios.world_checks import Checks, unpayable
from tests.scenarios.zcash_world import FAULTY_METHODS, REFUND_ADDRESSES, WALLETS, Crash, World, crashing
from tests.stateful import use_every_rule
from zcash.permissions import Request
from zcash.rules import FINAL_DEPTH

pytestmark = pytest.mark.django_db

# Of each dialect; the two together make the steps of a run.
LIVES, STEPS = 13, 80
LEAST_STEPS = 1_000
SEED = 1

# How often the end of a life runs every round before all of its refunds must have been paid.
_MOST_ROUNDS = 30

BY_HAND = Word(None, "shell:otto", "compared with another node")

ZEC = 100_000_000
SOME = st.integers(0, 7)
PART = {"exact": (1, 1), "half": (1, 2), "over": (3, 2), "ten times": (10, 1)}
AMOUNTS = st.sampled_from([*PART, "dust"])
FAULTS = st.sampled_from(
    ["reset_before", "reset_after", "half", "server_error", "not_json", "syncing", "wrong_chain", "hang"]
)
CONDITIONS = st.sampled_from(
    [{}, {}, {"locked": True}, {"blank": True}, {"recovering": True}, {"behind": 1}, {"behind": 150}]
)
OPERATIONS = st.sampled_from(
    [
        {"hold": True},
        {"hold": False},
        {"broadcast": False},
        {"fail": {"code": -6, "message": "Insufficient funds"}},
        {"fail": {"code": -25, "message": "transaction was rejected"}},
        {"hold": False, "broadcast": True, "fail": None},
        {"hold": False, "broadcast": True, "fail": None},
    ]
)
ROUNDS = st.sampled_from(["scan", "interval", "expiry", "refund"])


class ZcashWorld(RuleBasedStateMachine):
    """Viewers, a chain, a wallet, PayGo; subclasses name the dialect."""

    dialect: str
    datadirs: Iterator[Path]
    steps = 0

    def __init__(self) -> None:
        super().__init__()
        use_every_rule(self)
        self.world = World(dialect=self.dialect, datadir=next(self.datadirs))
        self.checks = Checks(self.world)
        self.sound = True

    def teardown(self) -> None:
        """Let a life that held come to its end, and check that it does."""
        try:
            if self.sound:
                self._come_to_the_end()
        finally:
            self.world.close()

    @invariant()
    def the_books_hold(self) -> None:
        """Check everything, after every step."""
        self.sound = False
        self.checks.always()
        self.sound = True

    def _step(self) -> World:
        # A step that raises leaves the life unsound: its end would only hide the cause.
        self.sound = False
        type(self).steps += 1
        return self.world

    # What viewers do.

    @initialize(wallet=st.sampled_from(WALLETS), queued=st.booleans(), seconds=st.integers(60, 7_000))
    def begin(self, wallet: str, queued: bool, seconds: int) -> None:
        """Start with a permission that is paid and streams, and perhaps another behind it."""
        self._step()
        for _ in range(1 + queued):
            self._create(wallet, requested=2 * ZEC, rate=ZEC, days=2, refund=None)
            self._pay_and_confirm(-1, "exact")
        self._stream(wallet, "dear" if queued else "cheap", seconds=seconds)

    @rule(
        wallet=st.sampled_from(WALLETS),
        requested=st.sampled_from([ZEC // 100, ZEC // 2, 2 * ZEC, 7 * ZEC]),
        rate=st.sampled_from([ZEC // 100, ZEC, 20 * ZEC]),
        days=st.integers(1, 3),
        refund=st.one_of(st.none(), st.sampled_from(REFUND_ADDRESSES)),
        paid=st.one_of(st.none(), AMOUNTS),
    )
    def create(
        self, wallet: str, requested: int, rate: int, days: int, refund: str | None, paid: str | None
    ) -> None:
        """Ask for a permission, and mostly pay it at once."""
        self._step()
        self._create(wallet, requested=requested, rate=rate, days=days, refund=refund)
        if paid is not None:
            self._pay_and_confirm(-1, paid)

    def _create(self, wallet: str, *, requested: int, rate: int, days: int, refund: str | None) -> None:
        self.world.create(Request(wallet, requested, rate, days, refund))

    def _pay_and_confirm(self, who: int, how: str) -> None:
        self._pay(who, how)
        self.world.mine(7)
        self._scan()

    @rule(who=SOME, how=AMOUNTS)
    def pay(self, who: int, how: str) -> None:
        """Pay: all, a part, too much, dust; in time, late, or as a top-up."""
        self._step()
        self._pay(who, how)

    @rule(who=SOME, how=AMOUNTS)
    def pay_and_confirm(self, who: int, how: str) -> None:
        """Pay, and let the payment be found deep enough."""
        self._step()
        self._pay_and_confirm(who, how)

    def _pay(self, who: int, how: str) -> None:
        if permission := self.world.permission(who):
            self.world.pay((permission, _amount_zat(permission.requested_zat, how)))

    @rule(one=SOME, other=SOME, how=AMOUNTS)
    def pay_two_at_once(self, one: int, other: int, how: str) -> None:
        """Pay two permissions, or one twice, by two outputs of one transaction."""
        self._step()
        found = [each for each in (self.world.permission(one), self.world.permission(other)) if each]
        if found:
            self.world.pay(*[(each, _amount_zat(each.requested_zat, how)) for each in found])

    @rule(who=SOME)
    def revoke(self, who: int) -> None:
        """Withdraw a permission."""
        world = self._step()
        if permission := world.permission(who):
            world.revoke(permission)

    @rule(who=SOME, address=st.sampled_from(REFUND_ADDRESSES))
    def change_the_refund_address(self, who: int, address: str) -> None:
        """Let the refund go elsewhere."""
        world = self._step()
        if permission := world.permission(who):
            world.redirect(permission, address)

    @rule(
        wallet=st.sampled_from(WALLETS),
        vendor=st.sampled_from(["cheap", "dear"]),
        seconds=st.sampled_from([0, 50, 1_000, 8_000]),
    )
    def start(self, wallet: str, vendor: str, seconds: int) -> None:
        """Start to stream, and perhaps stream for a while."""
        self._step()
        self._stream(wallet, vendor, seconds=seconds)

    def _stream(self, wallet: str, vendor: str, *, seconds: int) -> None:
        self.world.start(wallet, vendor=vendor)
        if seconds:
            self.world.later(seconds)
            self._interval()

    @rule(number=SOME, ends=st.booleans())
    def end_or_beat(self, number: int, ends: bool) -> None:
        """Stop streaming, or tell that it goes on."""
        world = self._step()
        if world.sessions:
            code = world.sessions[-1 - number % len(world.sessions)]
            (world.end if ends else world.heartbeat)(code)

    # What happens to the chain.

    @rule(blocks=st.one_of(st.integers(1, 12), st.sampled_from([45, 60])))
    def mine(self, blocks: int) -> None:
        """Mine."""
        self._step().mine(blocks)

    @rule(
        # Credits are checked to this depth; no node of the network corrects itself much deeper.
        depth=st.one_of(st.integers(1, 12), st.integers(1, FINAL_DEPTH - 1)),
        dropped=st.one_of(st.none(), st.lists(SOME, max_size=3)),
        looked_at=st.booleans(),
    )
    def reorg(self, depth: int, dropped: list[int] | None, looked_at: bool) -> None:
        """Replace blocks; some of their transactions never come back, or all are mined again elsewhere."""
        world = self._step()
        if dropped is None:
            world.fork(depth)
        else:
            world.reorg(depth, drop=sorted({self._payment(number) for number in dropped} - {""}))
        if looked_at:
            self._scan()

    def _payment(self, number: int) -> str:
        return self.world.payments[-1 - number % len(self.world.payments)] if self.world.payments else ""

    @rule(number=SOME, fate=st.sampled_from(["hold", "release", "expire"]))
    def hold(self, number: int, fate: str) -> None:
        """Let miners leave a payment out, perhaps until it expires, or take it again."""
        world = self._step()
        if txid := self._payment(number):
            world.do("sim_release" if fate == "release" else "sim_hold", txid)
            if fate == "expire" and world.is_unmined(txid):
                world.mine(41)

    @rule(number=SOME, who=st.one_of(st.none(), SOME))
    def replace(self, number: int, who: int | None) -> None:
        """Let the payer of an unmined payment spend its money elsewhere, or for another permission."""
        world = self._step()
        txid, other = self._payment(number), None if who is None else world.permission(who)
        if not txid or not world.is_unmined(txid):
            return
        if other is None:
            world.do("sim_replace", txid)
        else:
            world.payments.append(world.do("sim_replace", txid, other.payment_address, "0.5"))

    @rule(dropped=st.booleans())
    def lose_a_refund(self, dropped: bool) -> None:
        """Let the miners leave out what the service's wallet has sent, or the network forget it."""
        world = self._step()
        for txid in world.own_waiting()[:1]:
            world.do("sim_replace" if dropped else "sim_hold", txid)

    # What happens to the wallet.

    @rule()
    def restart_the_wallet(self) -> None:
        """Restart it: its operations are forgotten."""
        self._step().do("sim_restart")

    @rule(condition=CONDITIONS)
    def change_the_wallet(self, condition: dict[str, object]) -> None:
        """Let the wallet be locked, behind, recovering, blank, or well again."""
        self._step().set_condition(condition)

    @rule(switches=OPERATIONS)
    def switch_operations(self, switches: dict[str, object]) -> None:
        """Let sends wait, fail, or be built and not sent."""
        self._step().do("sim_operations", switches)

    @rule(kind=FAULTS, method=st.integers(0, 11), after=st.integers(0, 4))
    def disturb(self, kind: str, method: int, after: int) -> None:
        """Let a fault meet the next call of a method."""
        methods = FAULTY_METHODS[self.dialect]
        self._step().disturb(kind=kind, method=methods[method % len(methods)], after=after)

    # What PayGo does.

    @rule(again=st.booleans())
    def scan(self, again: bool) -> None:
        """Look for payments, once or twice."""
        self._step()
        for _ in range(1 + again):
            self._scan()

    def _scan(self) -> None:
        was_calm = self.world.is_calm
        credited = self.world.scan()
        assert credited is not None or not was_calm, "a look that nothing disturbed failed"
        self.checks.after_scan(whole=was_calm)

    @rule(who=SOME)
    def verify(self, who: int) -> None:
        """Look at one permission."""
        world = self._step()
        if permission := world.permission(who):
            world.verify(permission)

    @rule(again=st.booleans())
    def interval(self, again: bool) -> None:
        """Bill."""
        self._step()
        for _ in range(1 + again):
            self._interval()

    def _interval(self) -> None:
        assert rounds.interval_round().put_aside == []
        self.checks.after_interval()

    @rule()
    def expiry(self) -> None:
        """End what is over."""
        self._step()
        rounds.expiry_round()

    @rule(again=st.booleans())
    def refund(self, again: bool) -> None:
        """Queue, follow and send refunds."""
        self._step()
        for _ in range(1 + again):
            self._refund()

    def _refund(self) -> None:
        was_calm = self.world.is_calm
        moved = self.world.refund()
        assert moved is not None or not was_calm, "sending is halted"

    @rule(
        who=SOME,
        trouble=st.sampled_from(["none", "reset_before", "reset_after", "half", "hold", "not sent", "crash"]),
        number=st.integers(1, 60),
    )
    def revoke_and_refund(self, who: int, trouble: str, number: int) -> None:
        """Withdraw a permission, and let its refund go out badly."""
        world = self._step()
        if permission := world.permission(who):
            world.revoke(permission)
            world.mine(6)
            self._scan()
            self._refund_in_trouble(trouble, number=number)
            self._refund()

    def _refund_in_trouble(self, trouble: str, *, number: int) -> None:
        world = self.world
        if trouble == "crash":
            with crashing(Crash(at="call" if number < 20 else "statement", after=True, number=number)):
                world.refund()
        elif trouble in ("hold", "not sent"):
            world.do("sim_operations", {"hold": True} if trouble == "hold" else {"broadcast": False})
            self._refund()
            world.do("sim_restart")
            world.do("sim_operations", {"hold": False, "broadcast": True})
        else:
            if trouble != "none":
                world.disturb(kind=trouble, method="z_sendmany", after=0)
            self._refund()

    @rule(who=SOME, seconds=st.sampled_from([1, 2_000]))
    def stream_on_money_that_a_reorg_takes(self, who: int, seconds: int) -> None:
        """Pay, use the money, and see the payment vanish."""
        world = self._step()
        if permission := world.permission(who):
            self._pay_and_confirm(who, "exact")
            self._stream(permission.wallet_address, "dear", seconds=seconds)
            world.reorg(7, drop=world.payments[-1:])
            world.mine(1)
            self._scan()

    @rule()
    def upkeep(self) -> None:
        """Run every round."""
        self._step()
        self._upkeep()

    @rule()
    def operator_takes_back_all_that_is_lost(self) -> None:
        """Let an operator lift the limit on reversals."""
        reversals.reverse_lost(now=self._step().now, word=BY_HAND)

    @rule(
        name=ROUNDS, at=st.sampled_from(["call", "statement"]), after=st.booleans(), number=st.integers(1, 40)
    )
    def crash(self, name: str, at: str, after: bool, number: int) -> None:
        """Let the process die anywhere in a round."""
        world = self._step()
        acts: dict[str, Callable[[], object]] = {
            "scan": world.scan,
            "interval": rounds.interval_round,
            "expiry": rounds.expiry_round,
            "refund": world.refund,
        }
        with crashing(Crash(at=at, after=after, number=number)):
            acts[name]()
        self.checks.after_scan(whole=False)

    @rule(seconds=st.one_of(st.integers(1, 90), st.sampled_from([601, 3_600, 12 * 3_600, 86_400])))
    def move_the_clock(self, seconds: int) -> None:
        """Let time pass."""
        self._step().later(seconds)

    def _come_to_the_end(self) -> None:
        """Let everything work again, and give it the rounds that it may need."""
        world = self.world
        world.calm_down()
        world.mine(1)
        self._scan()
        reversals.reverse_lost(now=world.now, word=BY_HAND)
        # All that is open has ended after four days; then one send after the other, each with its depth.
        for days in (2, 1, 2, *[0] * _MOST_ROUNDS):
            for permission in unpayable(world):
                world.redirect(permission, REFUND_ADDRESSES[0])
            world.later(days * 86_400 + 3_600)
            self._upkeep()
            # The operator, where so much was lost at once that the service has stopped taking back.
            reversals.reverse_lost(now=world.now, word=BY_HAND)
            self._refund()
            self._refund()
            world.mine(60 if days else 10)
            if not days and self.checks.is_all_done():
                break
        self.checks.always()
        self.checks.at_the_end()

    def _upkeep(self) -> None:
        self._scan()
        self._interval()
        rounds.expiry_round()
        self._refund()


def _amount_zat(requested_zat: int, how: str) -> int:
    if how == "dust":
        return 1 + requested_zat % 1_000
    times, parts = PART[how]
    return requested_zat * times // parts


@pytest.mark.timeout(900)
@pytest.mark.parametrize("dialect", ["zcashd", "zallet"])
def test_holds_whatever_happens(dialect: str, tmp_path_factory: Any, request: pytest.FixtureRequest) -> None:
    # The same lives in every run, so that a change is what fails; PAYGO_WORLD_SEED=random looks for others.
    asked = os.environ.get("PAYGO_WORLD_SEED", str(SEED))
    number = secrets.randbits(64) if asked == "random" else int(asked)
    datadirs = (tmp_path_factory.mktemp("node") for _ in iter(int, 1))
    machine = type(f"{dialect}World", (ZcashWorld,), {"dialect": dialect, "datadirs": datadirs})

    try:
        run_state_machine_as_test(
            seed(number)(machine),
            settings=settings(
                max_examples=LIVES,
                stateful_step_count=STEPS,
                deadline=None,
                derandomize=False,
                database=None,
                print_blob=True,
                # Shrinking takes minutes and is for whoever looks for the cause: PAYGO_WORLD_SHRINK=1.
                phases=[
                    Phase.explicit,
                    Phase.generate,
                    *([Phase.shrink] if os.environ.get("PAYGO_WORLD_SHRINK") else []),
                ],
                # A life takes seconds and its steps draw much: both are what is wanted here.
                suppress_health_check=list(HealthCheck),
            ),
        )
    except BaseException as error:
        error.add_note(f"repeat it with PAYGO_WORLD_SEED={number}")
        raise

    assert machine.steps >= LEAST_STEPS
