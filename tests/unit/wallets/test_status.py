"""What every wallet tells of the chain, and how it bears a node's faults."""

import time

import pytest
from pytest_django.fixtures import Settings

from tests.unit.wallets.world import ALICES_SHIELDED, PATIENCE_SECONDS, TIMEOUT_SECONDS, ZEC, World
from zcash.node import WrongChain, connect, verify_chain
from zcash.node.port import (
    NodeNotReady,
    NodeUnavailable,
    Payment,
)

# Room for a busy machine.
SLACK_SECONDS = 9.0
# What brings no answer in time.
SILENT = ("hang", "slow")


class TestStatus:
    def test_follows_the_tip(self, world: World) -> None:
        before = world.wallet.status()

        hashes = world.mine(3)

        after = world.wallet.status()
        assert (after.height, after.tip_hash) == (before.height + 3, hashes[-1])
        assert after.genesis_hash == before.genesis_hash == world.wallet.block_hash(0)
        assert (after.synced, after.locked, after.reason) == (True, False, "")
        verify_chain(after, network="regtest", genesis_hash=before.genesis_hash)

    def test_tells_a_node_that_is_syncing(self, world: World) -> None:
        world.mine()
        world.do("sim_fault", {"kind": "syncing"})

        status = world.wallet.status()

        assert not status.synced
        assert "block 1 of" in status.reason

    def test_does_not_take_another_chain_for_its_own(self, world: World) -> None:
        genesis_hash = world.wallet.status().genesis_hash
        world.do("sim_fault", {"kind": "wrong_chain"})

        status = world.wallet.status()

        with pytest.raises(WrongChain):
            verify_chain(status, network="regtest", genesis_hash=genesis_hash)
        with pytest.raises(WrongChain):
            verify_chain(status, network=status.chain, genesis_hash=genesis_hash)

    def test_is_not_ready_while_the_wallet_warms_up(self, world: World) -> None:
        world.do("sim_fault", {"kind": "warming_up"})

        with pytest.raises(NodeNotReady):
            world.wallet.status()

    def test_knows_each_blocks_hash_and_none_above_the_tip(self, world: World) -> None:
        hashes = world.mine(2)

        assert [world.wallet.block_hash(height) for height in (1, 2, 3)] == [*hashes, None]


class TestFaults:
    @pytest.mark.parametrize(
        "kind",
        [
            "hang",
            "slow",
            "half",
            "not_json",
            "huge",
            "redirect",
            "reset_before",
            "reset_after",
            "server_error",
        ],
    )
    def test_reports_every_fault_as_unavailable_within_the_deadline(
        self, world: World, kind: str, settings: Settings
    ) -> None:
        address = world.address().address
        settings.ZCASH_RPC_TIMEOUT_SECONDS = TIMEOUT_SECONDS if kind in SILENT else PATIENCE_SECONDS
        world.do("sim_fault", {"kind": kind, "seconds": 60})
        started = time.monotonic()

        with pytest.raises(NodeUnavailable):
            world.wallet.receipts([address])

        seconds = time.monotonic() - started
        world.do("sim_fault", None)
        settings.ZCASH_RPC_TIMEOUT_SECONDS = PATIENCE_SECONDS
        assert seconds < TIMEOUT_SECONDS + SLACK_SECONDS
        assert world.wallet.receipts([address]) == []

    def test_gets_in_with_the_new_cookies_after_a_restart(self, world: World) -> None:
        before = world.wallet.status()

        world.do("sim_restart")

        assert world.wallet.status() == before

    def test_asks_the_wallet_who_it_is_again_when_it_did_not_answer(self, world: World) -> None:
        world.do("sim_fault", {"kind": "server_error", "times": 1})

        with pytest.raises(NodeUnavailable):
            connect().status()

        assert connect().status().synced


class TestTheWalletsOwnView:
    """zcashd is node and wallet in one; zallet follows a node, and says how far."""

    @pytest.mark.parametrize(("behind", "synced"), [(0, True), (2, True), (3, False)])
    def test_stands_where_the_wallet_stands(self, world: World, behind: int, synced: bool) -> None:
        hashes = world.mine(10)
        world.do("sim_wallet", {"behind": behind})

        status = world.wallet.status()

        if world.dialect == "zcashd":
            behind, synced = 0, True
        assert (status.height, status.tip_hash) == (10 - behind, hashes[9 - behind])
        assert status.synced is synced
        assert bool(status.reason) is not synced

    def test_counts_confirmations_from_where_it_stands(self, world: World) -> None:
        address = world.address().address
        world.pay(address)
        world.mine(10)
        world.do("sim_wallet", {"behind": 2})

        (receipt,) = world.wallet.receipts([address])

        assert receipt.height == 1
        assert receipt.confirmations == world.wallet.status().height

    def test_tells_that_the_wallet_locked_itself(self, world: World) -> None:
        source = world.funded_address()
        world.do("sim_wallet", {"recovering": True})

        assert world.wallet.status().locked is (world.dialect == "zallet")
        if world.dialect == "zallet":
            with pytest.raises(NodeNotReady):
                world.send(Payment(ALICES_SHIELDED, ZEC), source=source)
