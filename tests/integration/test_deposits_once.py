"""Whatever happens to the wallet, the node or a pass on the way: each deposit is credited, and once."""

from importlib import import_module
from typing import Any

import pytest

from billing import funding
from core.models import User
from tests.factories import ZEC
from tests.integration.nodes import DEPTH, World, actions, deposits, kinds, on_zallet, state
from zcash.models import Deposit, WatchedChain
from zcash.node.port import NodeUnavailable

pytestmark = pytest.mark.django_db


class TestRepairingWallet:
    @on_zallet
    def test_what_it_lists_is_shown_and_credited_only_after_its_repair(self, vera: User, node: World) -> None:
        permission = node.create(vera)
        node.pay(permission, 10 * ZEC)
        node.do("sim_wallet", {"locked": True})
        node.mine(DEPTH)

        assert node.scan() == 0
        payment = funding.payment_of(permission)
        assert (payment.received_zat, payment.confirmed_zat, payment.quarantined) == (10 * ZEC, 0, True)
        assert (node.verify(permission).status, state(permission)) == ("pending", ("pending", 0))
        node.do("sim_wallet", {})

        assert node.scan() == 1
        assert state(permission) == ("active", 10 * ZEC)
        assert not funding.payment_of(permission).quarantined

    @on_zallet
    def test_a_repair_longer_than_the_look_back_loses_nothing(self, vera: User, node: World) -> None:
        permission = node.create(vera)
        node.pay(permission, 10 * ZEC)
        node.do("sim_wallet", {"recovering": True})
        for blocks in (DEPTH, 130, 130):
            node.mine(blocks)
            node.scan()
        node.do("sim_wallet", {})

        assert node.scan() == 1
        assert state(permission) == ("active", 10 * ZEC)

    @on_zallet
    def test_its_list_gives_no_deposit_up(self, vera: User, node: World) -> None:
        permission = node.create(vera)
        txid = node.pay(permission, 10 * ZEC)
        node.do("sim_hold", txid)
        node.scan()
        node.do("sim_wallet", {"locked": True})
        node.mine(41)

        node.scan()
        during = deposits(permission)
        node.do("sim_wallet", {})
        node.scan()

        assert (during, deposits(permission)) == ([("seen", 0)], [("gone", 0)])

    @pytest.mark.parametrize("trouble", ["blank", "restart"])
    def test_a_wallet_that_knows_nothing_for_a_while_loses_no_payment(
        self, vera: User, node: World, trouble: str
    ) -> None:
        permission = node.create(vera)
        node.pay(permission, 10 * ZEC)
        node.mine(DEPTH - 1)
        node.scan()
        blind(node, trouble)
        node.mine()
        scan_if_ready(node)
        assert Deposit.objects.get().status == "seen"
        node.do("sim_wallet", {})

        node.mine()
        node.scan()

        assert state(permission) == ("active", 10 * ZEC)
        assert actions(permission, of=["credited", "reversed"]) == ["credited"]


class TestOnce:
    def test_however_often_everything_is_repeated(self, vera: User, node: World) -> None:
        permission = node.create(vera)
        for amount in (4 * ZEC, 6 * ZEC):
            node.pay(permission, amount)
        node.mine(DEPTH)

        for _ in range(3):
            node.scan()
            node.verify(permission)
            funding.credit_confirmed(now=node.now)
        WatchedChain.objects.update(tip_height=None, tip_hash=None, scanned_at=None)
        node.scan()
        node.scans()

        assert state(permission) == ("active", 10 * ZEC)
        assert actions(permission, of=["credited"]) == ["credited"] * 2
        assert (
            kinds(of=["deposit.seen", "deposit.confirmed"])
            == ["deposit.seen"] * 2 + ["deposit.confirmed"] * 2
        )

    @pytest.mark.parametrize("kind", ["reset_before", "reset_after", "half"])
    def test_whichever_call_of_a_pass_is_cut(self, vera: User, node: World, kind: str) -> None:
        permission, other = node.create(vera), node.create(vera, wallet="tmBob")
        node.pay_together((permission, 10 * ZEC), (other, 10 * ZEC))
        node.mine(DEPTH)

        cuts = 0
        for calls in range(15):
            node.do("sim_fault", {"kind": kind, "after": calls})
            try:
                node.scan()
            except NodeUnavailable:
                cuts += 1
            node.do("sim_fault", None)
        node.mine()
        node.scan()

        assert cuts > 1
        assert (state(permission), state(other)) == (("active", 10 * ZEC), ("active", 10 * ZEC))
        assert actions(permission, of=["credited"]) == ["credited"]

    @pytest.mark.parametrize(
        "step",
        [
            "watch.pin",
            "deposits.record",
            "reorgs.find_lost",
            "deposits.lock_creditable",
            "deposits.mark_credited",
            "money.add_money",
            "permissions.change_status",
        ],
    )
    def test_wherever_a_pass_dies(
        self, vera: User, node: World, monkeypatch: pytest.MonkeyPatch, step: str
    ) -> None:
        permission, other = node.create(vera), node.create(vera, wallet="tmBob")
        node.pay_together((permission, 10 * ZEC), (other, 10 * ZEC))
        node.mine(DEPTH)

        for behind in (False, True):
            with monkeypatch.context() as patch:
                die_at(step, patch, behind=behind)
                with pytest.raises(Killed):
                    node.scan()
        node.mine()
        node.scan()

        assert (state(permission), state(other)) == (("active", 10 * ZEC), ("active", 10 * ZEC))
        assert actions(permission, of=["credited"]) == actions(other, of=["credited"]) == ["credited"]


class Killed(BaseException):
    """The process ends here."""


def die_at(step: str, patch: pytest.MonkeyPatch, *, behind: bool) -> None:
    """Let a process die at a step's beginning, or right behind it."""
    module, name = step.split(".")
    target = f"zcash.{module}.{name}"
    real = getattr(import_module(f"zcash.{module}"), name)

    def die(*arguments: Any, **named: Any) -> Any:
        if behind:
            real(*arguments, **named)
        raise Killed

    patch.setattr(target, die)


def blind(node: World, trouble: str) -> None:
    """Let the wallet rescan, or restart into a rescan."""
    if trouble == "restart":
        node.do("sim_restart")
    node.do("sim_wallet", {"blank": True})


def scan_if_ready(node: World) -> None:
    """Let a pass happen that the wallet may refuse: zallet says that it is rescanning."""
    try:
        node.scan()
    except NodeUnavailable:
        assert node.dialect == "zallet"
