"""Credited payments that leave the chain: taken back upon positive evidence, and upon nothing less."""

import pytest

from billing import engine, funding, reversals
from core.models import User
from sessions_app.models import StreamingSession
from tests.factories import NOW, ZEC, after, stream
from tests.integration.nodes import DEPTH, World, actions, deposits, kinds, money, on_zallet, state
from zcash import deposits as zcash_deposits
from zcash import reorgs, watch
from zcash.models import Deposit, SpendingPermission
from zcash.node.port import NodeUnavailable
from zcash.rules import FINAL_DEPTH

pytestmark = pytest.mark.django_db

MOVES = ("credited", "reversed")


def txid_of(permission: SpendingPermission) -> str:
    return Deposit.objects.get(permission=permission).txid


class TestBeforeTheCredit:
    def test_confirmations_are_counted_anew(self, vera: User, node: World) -> None:
        permission = node.create(vera)
        node.pay(permission, 10 * ZEC)
        node.mine(DEPTH - 1)
        node.scan()

        node.do("sim_reorg", DEPTH - 1)
        node.scan()
        unmined = deposits(permission)
        node.mine(DEPTH - 1)
        node.scan()
        shallow = (deposits(permission), state(permission))
        node.mine()
        node.scan()

        assert unmined == [("seen", 0)]
        assert shallow == ([("seen", DEPTH - 1)], ("pending", 0))
        assert state(permission) == ("active", 10 * ZEC)
        assert actions(permission, of=MOVES) == ["credited"]

    def test_a_payment_that_never_comes_back_is_gone(self, vera: User, node: World) -> None:
        permission = node.create(vera)
        txid = node.pay(permission, 10 * ZEC)
        node.mine(DEPTH - 1)
        node.scan()

        node.do("sim_reorg", DEPTH - 1, [txid])
        node.mine(40)
        node.scan()

        assert deposits(permission) == [("gone", 0)]
        assert state(permission) == ("pending", 0)


class TestAfterTheCredit:
    @pytest.mark.parametrize("age", [0, 60])
    def test_takes_back_what_is_mined_nowhere_any_more(self, vera: User, node: World, age: int) -> None:
        permission = node.create_paid(vera)
        node.mine(age)
        node.scan()

        node.do("sim_reorg", DEPTH + age, [txid_of(permission)])
        node.scan()
        node.scans()

        assert money(permission) == ("suspended", 0, 0)
        assert permission.suspended_for == "reversal"
        # As long as it could be mined again, zallet lists it.
        assert deposits(permission) == [("seen" if (node.dialect, age) == ("zallet", 0) else "reversed", 0)]
        assert actions(permission, of=MOVES) == ["credited", "reversed"]
        assert kinds(of=["deposit.reversed", "permission.suspended"]) == [
            "deposit.reversed",
            "permission.suspended",
        ]

    def test_credits_again_what_comes_back_with_its_depth(self, vera: User, node: World) -> None:
        permission = node.create_paid(vera)
        node.do("sim_reorg", DEPTH)
        node.scan()
        assert money(permission) == ("suspended", 0, 0)

        node.mine(DEPTH - 1)
        node.scan()
        shallow = (state(permission), deposits(permission))
        node.mine()
        node.scan()
        node.scans()

        assert shallow == (("suspended", 0), [("seen", DEPTH - 1)])
        assert money(permission) == ("active", 10 * ZEC, 0)
        assert permission.suspended_for is None
        assert actions(permission, of=MOVES) == ["credited", "reversed", "credited"]

    def test_leaves_alone_what_was_mined_again_elsewhere(self, vera: User, node: World) -> None:
        permission = node.create_paid(vera)
        code = stream(vera, wallet="tmAlice", now=node.now)
        before = Deposit.objects.get()

        node.do("sim_reorg", DEPTH)
        node.mine()
        node.scan()
        node.scans()

        moved = Deposit.objects.get()
        assert (moved.status, moved.lost_at, moved.credited_at) == ("confirmed", None, before.credited_at)
        assert moved.height == before.height + DEPTH + 1
        assert moved.block_hash == node.wallet.block_hash(moved.height) != before.block_hash
        assert actions(permission, of=MOVES) == ["credited"]
        assert StreamingSession.objects.get().status == "active"
        assert engine.end(code, client_id=vera.pk, now=node.now).amount_zat > 0

    def test_takes_back_what_a_second_reorg_removes_from_its_new_place(self, vera: User, node: World) -> None:
        permission = node.create_paid(vera)
        node.do("sim_reorg", DEPTH)
        node.mine(2)
        node.scan()

        node.do("sim_reorg", 2, [txid_of(permission)])
        node.scan()

        assert state(permission) == ("suspended", 0)

    @pytest.mark.parametrize(("confirmations", "reached"), [(FINAL_DEPTH, True), (FINAL_DEPTH + 1, False)])
    def test_checks_to_the_final_depth(
        self, vera: User, node: World, confirmations: int, reached: bool
    ) -> None:
        permission = node.create_paid(vera)
        node.mine(confirmations - DEPTH)
        node.scan()

        node.do("sim_reorg", confirmations, [txid_of(permission)])
        node.scan()

        assert state(permission)[0] == ("suspended" if reached else "active")

    def test_an_outage_hides_no_reorg_under_new_blocks(self, vera: User, node: World) -> None:
        permission = node.create_paid(vera)
        node.mine(60)
        node.scan()

        node.do("sim_reorg", 60 + DEPTH, [txid_of(permission)])
        node.mine(FINAL_DEPTH)
        node.scan()

        assert state(permission) == ("suspended", 0)


class TestEvidence:
    def test_a_chain_that_is_shorter_for_a_moment_is_none(self, vera: User, node: World) -> None:
        permission = node.create_paid(vera)
        block_hash = Deposit.objects.get().block_hash

        node.do("invalidateblock", block_hash)
        node.scan()
        during = Deposit.objects.get().lost_at
        node.do("reconsiderblock", block_hash)
        node.scan()
        node.scans()

        assert during is None
        assert money(permission) == ("active", 10 * ZEC, 0)
        assert actions(permission, of=MOVES) == ["credited"]

    def test_a_block_that_comes_back_in_time_takes_nothing(self, vera: User, node: World) -> None:
        permission = node.create_paid(vera)
        deposit = Deposit.objects.get()
        node.do("invalidateblock", deposit.block_hash)
        node.do("sim_hold", deposit.txid)
        node.mine()
        watch.scan(wallet=node.wallet, now=node.now)
        assert [each.pk for each in reorgs.lost()] == [deposit.pk]

        node.do("reconsiderblock", deposit.block_hash)
        node.scan()

        assert not reorgs.lost().exists()
        assert reversals.reverse(deposit, now=node.now) is False
        assert money(permission) == ("active", 10 * ZEC, 0)

    @pytest.mark.parametrize("restarts", [False, True])
    def test_a_wallet_that_rescans_is_none(self, vera: User, node: World, restarts: bool) -> None:
        permission = node.create_paid(vera)
        if restarts:
            node.do("sim_restart")
        node.do("sim_wallet", {"blank": True})

        for _ in range(3):
            node.mine()
            pass_if_ready(node)
        node.do("sim_wallet", {})
        node.scans()

        assert money(permission) == ("active", 10 * ZEC, 0)
        assert actions(permission, of=MOVES) == ["credited"]

    def test_a_wallet_that_knows_nothing_of_a_lost_payment_is_asked_again(
        self, vera: User, node: World
    ) -> None:
        permission = node.create_paid(vera)
        node.do("sim_reorg", DEPTH, [txid_of(permission)])
        node.do("sim_wallet", {"blank": True})
        pass_if_ready(node)
        during = money(permission)
        node.do("sim_wallet", {})
        node.mine()

        node.scan()

        assert during == ("active", 10 * ZEC, 0)
        assert money(permission) == ("suspended", 0, 0)

    @on_zallet
    def test_a_wallet_under_repair_is_none(self, vera: User, node: World) -> None:
        permission = node.create_paid(vera)
        node.do("sim_wallet", {"recovering": True})
        node.do("sim_reorg", DEPTH, [txid_of(permission)])
        for _ in range(2):
            node.mine(FINAL_DEPTH)
            node.scan()
        during = money(permission)
        node.do("sim_wallet", {})

        node.scan()

        assert during == ("active", 10 * ZEC, 0)
        assert money(permission) == ("suspended", 0, 0)

    @on_zallet
    def test_an_old_mark_is_none_while_the_wallet_is_under_repair(self, vera: User, node: World) -> None:
        permission = node.create_paid(vera)
        node.do("sim_reorg", DEPTH, [txid_of(permission)])
        watch.scan(wallet=node.wallet, now=node.now)
        node.do("sim_wallet", {"locked": True})

        node.scan()
        during = money(permission)
        node.do("sim_wallet", {})
        node.scan()

        assert during == ("active", 10 * ZEC, 0)
        assert money(permission) == ("suspended", 0, 0)

    def test_an_old_mark_is_none_while_the_node_is_away(self, vera: User, node: World) -> None:
        permission = node.create_paid(vera)
        node.do("sim_reorg", DEPTH, [txid_of(permission)])
        watch.scan(wallet=node.wallet, now=node.now)
        node.do("sim_fault", {"kind": "server_error"})

        with pytest.raises(NodeUnavailable):
            node.scan()

        assert money(permission) == ("active", 10 * ZEC, 0)

    def test_a_list_asked_for_before_the_reversal_does_not_undo_it(self, vera: User, node: World) -> None:
        permission = node.create(vera)
        node.pay(permission, 10 * ZEC)
        node.mine(DEPTH)
        asked_at = node.now
        stale = node.wallet.receipts([permission.payment_address])
        node.scan()
        node.do("sim_reorg", DEPTH, [txid_of(permission)])
        node.scan()

        zcash_deposits.record(permission, stale, now=asked_at)

        assert funding.credit(permission.pk, now=node.now) == 0
        assert deposits(permission) == [("reversed", 0)]

    def test_a_mark_is_made_once_and_only_on_the_block_that_was_looked_at(
        self, vera: User, node: World
    ) -> None:
        node.create_paid(vera)
        stale = Deposit.objects.get()
        Deposit.objects.update(block_hash="f" * 64)

        zcash_deposits.mark_lost(stale, now=NOW)
        stale.block_hash = "f" * 64
        zcash_deposits.mark_lost(stale, now=after(hours=1))
        zcash_deposits.mark_lost(stale, now=after(hours=2))

        assert Deposit.objects.get().lost_at == after(hours=1)


def pass_if_ready(node: World) -> None:
    """Let a pass happen that the wallet may refuse: zallet says that it is rescanning."""
    try:
        node.scan()
    except NodeUnavailable:
        assert node.dialect == "zallet"
