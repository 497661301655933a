"""What the zcashd driver tells of the node, and which chain and connection it takes."""

import os
import threading
from collections.abc import Iterator

import pytest
from django.test import override_settings

from tests.unit.zcashd.scripted import ADDRESS, HEIGHT, Node, chain_info, refuse
from zcash import node as node_module
from zcash.node import connect, verify_chain
from zcash.node.port import (
    NodeNotReady,
    NodeStatus,
    NodeUnavailable,
    WrongChain,
)
from zcash.node.zcashd import ZcashdWallet


class TestStatus:
    def test_tells_the_chain_and_its_first_and_last_block(self, node: Node, wallet: ZcashdWallet) -> None:
        status = wallet.status()

        assert status == NodeStatus(
            chain="regtest",
            height=HEIGHT,
            tip_hash=node.block_hash(HEIGHT),
            genesis_hash=node.block_hash(0),
            synced=True,
            reason="",
        )

    @pytest.mark.parametrize(("behind", "synced"), [(0, True), (2, True), (3, False)])
    def test_is_synced_up_to_two_blocks_behind(
        self, node: Node, wallet: ZcashdWallet, behind: int, synced: bool
    ) -> None:
        node.answers["getblockchaininfo"] = chain_info(headers=HEIGHT + behind)

        status = wallet.status()

        assert status.synced is synced
        assert bool(status.reason) is not synced

    def test_is_not_synced_while_downloading(self, node: Node, wallet: ZcashdWallet) -> None:
        node.answers["getblockchaininfo"] = chain_info(initial_block_download_complete=False)

        status = wallet.status()

        assert not status.synced
        assert status.reason == "The node is downloading the chain: block 120 of 120."

    def test_asks_nothing_of_a_field_that_only_zcashd_has(self, node: Node, wallet: ZcashdWallet) -> None:
        info = chain_info()
        del info["initial_block_download_complete"]
        node.answers["getblockchaininfo"] = info

        assert wallet.status().synced

    def test_is_not_ready_while_warming_up(self, node: Node, wallet: ZcashdWallet) -> None:
        node.answers["getblockchaininfo"] = refuse(-28, "Loading block index...")

        with pytest.raises(NodeNotReady):
            wallet.status()

    @pytest.mark.parametrize(
        "fields",
        [
            {"chain": "signet"},
            {"chain": None},
            {"blocks": "120"},
            {"blocks": True},
            {"blocks": 1.5},
            {"blocks": -1},
            {"blocks": 10**12},
            {"headers": None},
            {"bestblockhash": "a" * 63},
            {"bestblockhash": "g" * 64},
            {"bestblockhash": 7},
            {"initial_block_download_complete": "yes"},
        ],
        ids=repr,
    )
    def test_refuses_a_field_of_the_wrong_type_or_range(
        self, node: Node, wallet: ZcashdWallet, fields: dict[str, object]
    ) -> None:
        node.answers["getblockchaininfo"] = chain_info(**fields)

        with pytest.raises(NodeUnavailable, match=next(iter(fields))):
            wallet.status()

    @pytest.mark.parametrize("answer", [None, [], "main", 5])
    def test_refuses_an_answer_that_is_no_object(
        self, node: Node, wallet: ZcashdWallet, answer: object
    ) -> None:
        node.answers["getblockchaininfo"] = answer

        with pytest.raises(NodeUnavailable, match="getblockchaininfo"):
            wallet.status()


class TestVerifyChain:
    STATUS = NodeStatus("regtest", HEIGHT, "a" * 64, "0" * 64, True, "")

    @pytest.mark.parametrize("genesis_hash", [None, "0" * 64])
    def test_accepts_the_pinned_chain(self, genesis_hash: str | None) -> None:
        verify_chain(self.STATUS, network="regtest", genesis_hash=genesis_hash)

    @pytest.mark.parametrize(("network", "genesis_hash"), [("main", None), ("regtest", "1" * 64)])
    def test_refuses_another_chain(self, network: str, genesis_hash: str | None) -> None:
        with pytest.raises(WrongChain) as caught:
            verify_chain(self.STATUS, network=network, genesis_hash=genesis_hash)

        assert caught.value.code == "node_unavailable"


class TestConnect:
    @pytest.fixture(autouse=True)
    def _close(self) -> Iterator[None]:
        yield
        node_module.disconnect()

    def test_keeps_the_connection_until_the_settings_change(self, node: Node) -> None:
        with override_settings(ZCASH_RPC_URL=node.url, ZCASH_ACCOUNT="1"):
            first, second = connect(), connect()
            with override_settings(ZCASH_ACCOUNT="2"):
                third = connect()

        assert first is second
        assert third is not first

    def test_gives_each_thread_its_own_connection(self, node: Node) -> None:
        others: list[object] = []

        with override_settings(ZCASH_RPC_URL=node.url):
            mine = connect()
            thread = threading.Thread(target=lambda: others.append(connect()))
            thread.start()
            thread.join()

        assert others[0] is not mine

    def test_does_not_share_a_connection_with_the_parent_process(
        self, node: Node, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with override_settings(ZCASH_RPC_URL=node.url):
            parents = connect()
            monkeypatch.setattr(os, "getpid", lambda: 1)
            childs = connect()

        assert childs is not parents

    def test_uses_the_configured_account(self, node: Node) -> None:
        node.answers["z_getaddressforaccount"] = {"diversifier_index": 7, "address": ADDRESS}

        with override_settings(ZCASH_RPC_URL=node.url, ZCASH_ACCOUNT="9", ZCASH_NETWORK="regtest"):
            connect().new_address(7)

        assert node.calls[-1] == ("z_getaddressforaccount", 9, ["sapling"], 7)

    def test_refuses_a_url_that_is_none(self) -> None:
        with (
            override_settings(ZCASH_RPC_URL="nonsense"),
            pytest.raises(NodeUnavailable, match="ZCASH_RPC_URL"),
        ):
            connect()
