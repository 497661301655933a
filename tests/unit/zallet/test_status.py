"""What the zallet driver tells of the wallet and the node."""

import pytest

from tests.unit.zallet.stack import (
    HEIGHT,
    TESTNET_GENESIS,
    Stack,
    chain_info,
    refuse,
)
from zcash.node import verify_chain
from zcash.node.port import (
    NodeNotReady,
    NodeStatus,
    NodeUnavailable,
)
from zcash.node.zallet import ZalletWallet


class TestStatus:
    def test_tells_where_the_wallet_stands_on_the_nodes_chain(
        self, stack: Stack, wallet: ZalletWallet
    ) -> None:
        stack.status["height"] = HEIGHT - 1

        status = wallet.status()

        assert status == NodeStatus(
            chain="regtest",
            height=HEIGHT - 1,
            tip_hash=stack.block_hash(HEIGHT - 1),
            genesis_hash="0" * 64,
            synced=True,
            reason="",
        )

    @pytest.mark.parametrize(("missing", "synced"), [(2, True), (3, False)])
    def test_is_synced_up_to_two_blocks_that_the_wallet_has_not_read(
        self, stack: Stack, wallet: ZalletWallet, missing: int, synced: bool
    ) -> None:
        stack.status["fully_synced_height"] = HEIGHT - missing

        status = wallet.status()

        expected = "" if synced else "The wallet is 3 blocks behind the node: block 117 of 120."
        assert (status.synced, status.reason) == (synced, expected)

    def test_is_not_synced_where_the_wallet_has_read_nothing(
        self, stack: Stack, wallet: ZalletWallet
    ) -> None:
        stack.status["fully_synced_height"] = None

        assert wallet.status().reason == "The wallet is 120 blocks behind the node: block 0 of 120."

    def test_is_not_synced_while_the_node_is_not(self, stack: Stack, wallet: ZalletWallet) -> None:
        stack.node.answers["getblockchaininfo"] = chain_info(headers=HEIGHT + 9)

        assert wallet.status().reason == "The node is 9 blocks behind: block 120 of 129."

    def test_is_not_synced_on_a_branch_that_the_node_has_left(
        self, stack: Stack, wallet: ZalletWallet
    ) -> None:
        stack.status["wallet_tip"] = {"height": HEIGHT, "blockhash": "e" * 64}

        status = wallet.status()

        assert not status.synced
        assert "not on the node's best chain" in status.reason

    def test_is_not_ready_before_the_wallet_begins(self, stack: Stack, wallet: ZalletWallet) -> None:
        stack.status["wallet_tip"] = None

        with pytest.raises(NodeNotReady):
            wallet.status()

    @pytest.mark.parametrize("code", [-10, -2, -28])
    def test_is_not_ready_while_the_wallet_says_so(
        self, stack: Stack, wallet: ZalletWallet, code: int
    ) -> None:
        stack.wallet.answers["getwalletstatus"] = refuse(code)

        with pytest.raises(NodeNotReady):
            wallet.status()

    def test_tells_that_the_wallet_locked_itself(self, stack: Stack, wallet: ZalletWallet) -> None:
        stack.status["locked"] = True

        assert wallet.status().locked

    def test_tells_the_testnet_from_a_chain_that_zebrad_calls_the_same(
        self, stack: Stack, wallet: ZalletWallet
    ) -> None:
        stack.genesis_hash = TESTNET_GENESIS

        assert wallet.status().chain == "test"
        verify_chain(wallet.status(), network="test", genesis_hash=None)

    @pytest.mark.parametrize(
        ("answer", "height"),
        [
            ({"end_of_service": {"block_height": 3_500_000, "estimated_time": 1_800_000_000}}, 3_500_000),
            ({}, None),
            (refuse(-32601), None),
        ],
        ids=["main", "test", "older"],
    )
    def test_tells_where_the_node_stops_by_itself(
        self, stack: Stack, wallet: ZalletWallet, answer: object, height: int | None
    ) -> None:
        stack.node.answers["getdeprecationinfo"] = answer

        assert wallet.status().end_of_service_height == height

    @pytest.mark.parametrize(
        "fields",
        [
            {"wallet_tip": "a" * 64},
            {"wallet_tip": {"height": HEIGHT}},
            {"wallet_tip": {"height": -1, "blockhash": "a" * 64}},
            {"wallet_tip": {"height": HEIGHT, "blockhash": "A" * 64}},
            {"fully_synced_height": "120"},
            {"fully_synced_height": -1},
            {"locked": "no"},
        ],
        ids=repr,
    )
    def test_refuses_a_status_that_cannot_be_trusted(
        self, stack: Stack, wallet: ZalletWallet, fields: dict[str, object]
    ) -> None:
        stack.status |= fields

        with pytest.raises(NodeUnavailable, match=f"getwalletstatus.{next(iter(fields))}"):
            wallet.status()
