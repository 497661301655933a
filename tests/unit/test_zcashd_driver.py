"""The zcashd driver against a scripted server: what it asks, concludes and refuses."""

import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from django.test import override_settings
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from zcash import node as node_module
from zcash.addresses import ORCHARD, SAPLING, Network, Receiver, encode_sapling, encode_unified
from zcash.node import connect, verify_chain
from zcash.node.port import (
    ChainTransaction,
    IndexUnusable,
    NodeNotReady,
    NodeRefused,
    NodeStatus,
    NodeUnavailable,
    Outgoing,
    Payment,
    PrivacyPolicy,
    Receipt,
    SentTransaction,
    WalletAddress,
    WrongChain,
)
from zcash.node.rpc import RpcClient
from zcash.node.zcashd import ZcashdWallet

ADDRESS = (
    "uregtest1t4gjcxlujyq7kkdh94w6mwjaef9elmar4aw0eglr89v8rmdqku0ctmvdhgw5d7pcafnvcc7k9u2q8u5x4tqp994xwygu5v06"
    "sv4zh0wa"
)
OTHER_ADDRESS = (
    "uregtest19keh0v7nsj0cf9svpgsegwzv97jj8hpzdglmpvavex20c98ur2zyyquxew2pzpzayysejz88psckyy6dudtq4x2p4z4pvzrz"
    "dsf8hnpr"
)
MAINNET_ADDRESS = encode_unified([Receiver(SAPLING, b"s" * 43)], network=Network.MAIN)
ORCHARD_TOO = encode_unified(
    [Receiver(SAPLING, b"s" * 43), Receiver(ORCHARD, b"o" * 43)], network=Network.REGTEST
)
SAPLING_ALONE = encode_unified([Receiver(SAPLING, b"s" * 43)], network=Network.REGTEST)
BARE_SAPLING = encode_sapling(b"s" * 43, network=Network.REGTEST)
TXID = "ab" * 32
HEIGHT = 120


class RefusalError(Exception):
    def __init__(self, code: int, message: str = "refused") -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Node:
    """A scripted zcashd: `answers` maps a method to its result, or to a function of its parameters."""

    def __init__(self, server: HTTPServer) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.branch = "a"
        self.answers: dict[str, Any] = {
            "getblockchaininfo": lambda: chain_info(bestblockhash=self.block_hash(HEIGHT)),
            "getbestblockhash": lambda: self.block_hash(HEIGHT),
            "getblockhash": self.block_hash,
            "z_listaccounts": [
                {"account": 0, "addresses": [{"diversifier": 7, "ua": OTHER_ADDRESS}]},
                {"account": 3, "addresses": [{"diversifier": 7, "ua": ADDRESS}, {"ua": SAPLING_ALONE}]},
            ],
        }
        self.url = server.url_for("/")
        server.expect_request("/").respond_with_handler(self._handle)

    def block_hash(self, height: int) -> str:
        return f"{self.branch}{height:063x}"

    def count(self, method: str) -> int:
        return sum(call[0] == method for call in self.calls)

    def _handle(self, request: Request) -> Response:
        call = json.loads(request.data)
        self.calls.append((call["method"], *call["params"]))
        document: dict[str, Any] = {"id": call["id"], "result": None, "error": None}
        try:
            if call["method"] not in self.answers:
                raise RefusalError(-32601, "Method not found")
            answer = self.answers[call["method"]]
            document["result"] = answer(*call["params"]) if callable(answer) else answer
        except RefusalError as refusal:
            document["error"] = {"code": refusal.code, "message": refusal.message}
        return Response(json.dumps(document), status=500 if document["error"] else 200)


def chain_info(**fields: object) -> dict[str, object]:
    info = {
        "chain": "regtest",
        "initial_block_download_complete": True,
        "blocks": HEIGHT,
        "headers": HEIGHT,
        "bestblockhash": "a" * 64,
    }
    return info | fields


def row(**fields: object) -> dict[str, object]:
    received = {
        "pool": "sapling",
        "txid": TXID,
        "amount": 2.5,
        "amountZat": 250_000_000,
        "memo": "f6" + "00" * 511,
        "outindex": 1,
        "confirmations": 3,
        "blockheight": HEIGHT - 2,
        "blockindex": 1,
        "blocktime": 1_700_000_000,
        "change": False,
    }
    return received | fields


def note(txid: str, **fields: object) -> dict[str, object]:
    unspent = {"txid": txid, "pool": "sapling", "outindex": 1, "account": 3, "confirmations": 50}
    return unspent | {"change": False} | fields


def mined(node: Node, *, txid: str, confirmations: int) -> dict[str, object]:
    block_hash = node.block_hash(HEIGHT - confirmations + 1)
    return {"txid": txid, "status": "mined", "confirmations": confirmations, "blockhash": block_hash}


def refuse(code: int, message: str = "refused") -> Callable[..., object]:
    def answer(*params: object) -> object:
        raise RefusalError(code, message)

    return answer


@pytest.fixture
def node(httpserver: HTTPServer) -> Node:
    return Node(httpserver)


@pytest.fixture
def wallet(node: Node) -> Iterator[ZcashdWallet]:
    with closing(RpcClient(node.url, timeout_seconds=2)) as rpc:
        yield ZcashdWallet(rpc, network=Network.REGTEST, account=3)


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


class TestNewAddress:
    def test_asks_for_a_sapling_address_at_the_index(self, node: Node, wallet: ZcashdWallet) -> None:
        index = 2**62 - 1
        node.answers["z_getaddressforaccount"] = {
            "account": 3,
            "diversifier_index": index,
            "receiver_types": ["sapling"],
            "address": ADDRESS,
        }

        address = wallet.new_address(index)

        assert address == WalletAddress(ADDRESS, index)
        assert node.calls == [("z_getaddressforaccount", 3, ["sapling"], index)]

    def test_tells_that_an_index_has_no_address(self, node: Node, wallet: ZcashdWallet) -> None:
        node.answers["z_getaddressforaccount"] = refuse(-4, "Error: no address at diversifier index 7.")

        with pytest.raises(IndexUnusable):
            wallet.new_address(7)

    @pytest.mark.parametrize(
        ("code", "message"),
        [(-4, "Error: account 3 has not been generated by z_getnewaccount."), (-18, "backup required")],
    )
    def test_does_not_blame_the_index_for_another_refusal(
        self, node: Node, wallet: ZcashdWallet, code: int, message: str
    ) -> None:
        node.answers["z_getaddressforaccount"] = refuse(code, message)

        with pytest.raises(NodeRefused) as caught:
            wallet.new_address(7)

        assert not isinstance(caught.value, IndexUnusable)

    @pytest.mark.parametrize(
        "fields",
        [
            {"diversifier_index": 8},
            {"diversifier_index": 7.0},
            {"diversifier_index": None},
            {"address": MAINNET_ADDRESS},
            {"address": ADDRESS[:-1]},
            {"address": ORCHARD_TOO},
            {"address": BARE_SAPLING},
            {"address": "x" * 5000},
            {"address": ""},
            {"address": None},
        ],
        ids=lambda fields: repr(fields)[:40],
    )
    def test_refuses_an_address_that_was_not_asked_for(
        self, node: Node, wallet: ZcashdWallet, fields: dict[str, object]
    ) -> None:
        node.answers["z_getaddressforaccount"] = {"diversifier_index": 7, "address": ADDRESS} | fields

        with pytest.raises(NodeUnavailable):
            wallet.new_address(7)


class TestReceipts:
    def test_lists_mined_and_unmined_receipts(self, node: Node, wallet: ZcashdWallet) -> None:
        unmined = row(outindex=2, confirmations=0, blockheight=0, blockindex=-1, memo="6869" + "00" * 510)
        node.answers["z_listreceivedbyaddress"] = [row(), unmined]

        receipts = wallet.receipts([ADDRESS])

        mined_hash = node.block_hash(HEIGHT - 2)
        assert receipts == [
            Receipt(ADDRESS, TXID, "sapling", 1, 250_000_000, HEIGHT - 2, mined_hash, 3, None),
            Receipt(ADDRESS, TXID, "sapling", 2, 250_000_000, None, None, 0, b"hi"),
        ]
        assert ("z_listreceivedbyaddress", ADDRESS, 0) in node.calls

    def test_asks_for_a_block_hash_once_per_scan(self, node: Node, wallet: ZcashdWallet) -> None:
        node.answers["z_listreceivedbyaddress"] = [row(), row(outindex=2)]

        wallet.receipts([ADDRESS, OTHER_ADDRESS])

        assert node.count("getblockhash") == 1
        assert node.count("getblockchaininfo") == 1

    @pytest.mark.parametrize(
        "fields",
        [{"change": True}, {"amount": 0, "amountZat": 0}, {"confirmations": -1}],
        ids=["change", "no value", "conflicted"],
    )
    def test_leaves_out_what_is_no_payment(
        self, node: Node, wallet: ZcashdWallet, fields: dict[str, object]
    ) -> None:
        node.answers["z_listreceivedbyaddress"] = [row(**fields), row(outindex=5)]

        assert [receipt.output_index for receipt in wallet.receipts([ADDRESS])] == [5]

    def test_takes_a_view_only_row_without_change(self, node: Node, wallet: ZcashdWallet) -> None:
        received = row(pool="transparent")
        del received["change"], received["memo"]
        node.answers["z_listreceivedbyaddress"] = [received]

        (receipt,) = wallet.receipts([ADDRESS])

        assert receipt.memo is None
        assert receipt.pool == "transparent"

    @pytest.mark.parametrize(
        ("fields", "amount_zat"),
        [
            ({"amount": 0.1, "amountZat": None}, 10_000_000),
            ({"amount": 3, "amountZat": None}, 300_000_000),
            ({"amount": 21_000_000, "amountZat": 2_100_000_000_000_000}, 2_100_000_000_000_000),
            ({"amount": None, "amountZat": 1}, 1),
            ({"amount": 1e-8, "amountZat": 1}, 1),
        ],
    )
    def test_reads_the_amount_from_either_field(
        self, node: Node, wallet: ZcashdWallet, fields: dict[str, object], amount_zat: int
    ) -> None:
        node.answers["z_listreceivedbyaddress"] = [row(**fields)]

        assert [receipt.amount_zat for receipt in wallet.receipts([ADDRESS])] == [amount_zat]

    @pytest.mark.parametrize(
        "fields",
        [
            {"amountZat": 250_000_001},
            {"amountZat": -1},
            {"amountZat": True},
            {"amountZat": "250000000"},
            {"amountZat": 2.5},
            {"amountZat": 2_100_000_000_000_001, "amount": None},
            {"amountZat": None, "amount": None},
            {"amountZat": None, "amount": "2.5"},
            {"amountZat": None, "amount": True},
            {"amountZat": None, "amount": -0.1},
            {"amountZat": None, "amount": 1e-9},
            {"amountZat": None, "amount": 21_000_000.00000001},
            {"amountZat": None, "amount": 10**30},
            {"txid": "AB" * 32},
            {"txid": None},
            {"pool": "sprout"},
            {"pool": ["sapling"]},
            {"outindex": -1},
            {"outindex": None},
            {"confirmations": "3"},
            {"confirmations": None},
            {"blockheight": None},
            {"change": "no"},
            {"memo": "xyz"},
            {"memo": "0"},
            {"memo": "00" * 513},
            {"memo": 5},
        ],
        ids=repr,
    )
    def test_refuses_a_row_that_cannot_be_trusted(
        self, node: Node, wallet: ZcashdWallet, fields: dict[str, object]
    ) -> None:
        node.answers["z_listreceivedbyaddress"] = [row(**fields)]

        with pytest.raises(NodeUnavailable, match="z_listreceivedbyaddress"):
            wallet.receipts([ADDRESS])

    @pytest.mark.parametrize("answer", [None, {}, "[]", [5], [[]]])
    def test_refuses_an_answer_that_is_no_list_of_rows(
        self, node: Node, wallet: ZcashdWallet, answer: object
    ) -> None:
        node.answers["z_listreceivedbyaddress"] = answer

        with pytest.raises(NodeUnavailable, match="z_listreceivedbyaddress"):
            wallet.receipts([ADDRESS])

    def test_refuses_confirmations_that_contradict_the_height(self, node: Node, wallet: ZcashdWallet) -> None:
        node.answers["z_listreceivedbyaddress"] = [row(confirmations=50)]

        with pytest.raises(NodeUnavailable, match="contradicts itself"):
            wallet.receipts([ADDRESS])

    def test_reads_an_address_again_when_a_reorg_came_between(self, node: Node, wallet: ZcashdWallet) -> None:
        def list_received(address: str, minconf: int) -> object:
            if address == ADDRESS:
                return [row()]
            rows = [row()] if node.branch == "a" else [row(txid="cd" * 32)]
            node.branch = "b"
            return rows

        node.answers["z_listreceivedbyaddress"] = list_received

        before, after = wallet.receipts([ADDRESS, OTHER_ADDRESS])

        assert (before.txid, before.block_hash) == (TXID, f"a{HEIGHT - 2:063x}")
        assert (after.txid, after.block_hash) == ("cd" * 32, f"b{HEIGHT - 2:063x}")

    def test_reads_an_address_again_when_the_chain_became_shorter(
        self, node: Node, wallet: ZcashdWallet
    ) -> None:
        tries: list[int] = []

        def block_hash(height: int) -> str:
            tries.append(height)
            if len(tries) == 1:
                raise RefusalError(-8, "Block height out of range")
            return node.block_hash(height)

        node.answers["getblockhash"] = block_hash
        node.answers["z_listreceivedbyaddress"] = [row()]

        assert len(wallet.receipts([ADDRESS])) == 1

    def test_gives_up_when_the_chain_never_stands_still(self, node: Node, wallet: ZcashdWallet) -> None:
        node.answers["z_listreceivedbyaddress"] = [row()]
        node.answers["getbestblockhash"] = "f" * 64

        with pytest.raises(NodeUnavailable, match="moved each time"):
            wallet.receipts([ADDRESS])

    def test_goes_on_behind_an_address_that_the_wallet_does_not_know(
        self, node: Node, wallet: ZcashdWallet
    ) -> None:
        def list_received(address: str, minconf: int) -> object:
            if address == OTHER_ADDRESS:
                raise RefusalError(-5, "From address does not belong to this node")
            return [row()]

        node.answers["z_listreceivedbyaddress"] = list_received

        assert [receipt.address for receipt in wallet.receipts([OTHER_ADDRESS, ADDRESS])] == [ADDRESS]

    def test_stops_at_any_other_refusal(self, node: Node, wallet: ZcashdWallet) -> None:
        node.answers["z_listreceivedbyaddress"] = refuse(-8, "minconf")

        with pytest.raises(NodeRefused):
            wallet.receipts([ADDRESS])


class TestTransaction:
    def test_places_a_mined_transaction_on_the_best_chain(self, node: Node, wallet: ZcashdWallet) -> None:
        node.answers["gettransaction"] = {
            "txid": TXID,
            "status": "mined",
            "confirmations": 3,
            "blockhash": node.block_hash(HEIGHT - 2),
        }

        placed = wallet.transaction(TXID)

        assert placed == ChainTransaction(TXID, HEIGHT - 2, node.block_hash(HEIGHT - 2), 3, False)

    @pytest.mark.parametrize(
        ("status", "confirmations", "expired", "conflicted"),
        [
            ("waiting", 0, False, False),
            ("expiringsoon", 0, False, False),
            ("expired", 0, True, False),
            ("expired", -1, True, False),
            ("waiting", -1, False, True),
            ("expiringsoon", -3, False, True),
        ],
    )
    def test_tells_unmined_transactions_from_expired_and_conflicted_ones(
        self,
        node: Node,
        wallet: ZcashdWallet,
        status: str,
        confirmations: int,
        expired: bool,
        conflicted: bool,
    ) -> None:
        node.answers["gettransaction"] = {"txid": TXID, "status": status, "confirmations": confirmations}

        assert wallet.transaction(TXID) == ChainTransaction(TXID, None, None, 0, expired, conflicted)

    def test_knows_nothing_of_a_foreign_transaction(self, node: Node, wallet: ZcashdWallet) -> None:
        node.answers["gettransaction"] = refuse(-5, "Invalid or non-wallet transaction id")

        assert wallet.transaction(TXID) is None

    @pytest.mark.parametrize(
        "fields",
        [
            {"txid": "cd" * 32},
            {"txid": None},
            {"confirmations": None},
            {"confirmations": 500},
            {"confirmations": 0, "status": "lost"},
            {"confirmations": 0, "status": None},
            {"blockhash": None},
            {"blockhash": "e" * 64},
        ],
        ids=repr,
    )
    def test_refuses_a_transaction_that_cannot_be_placed(
        self, node: Node, wallet: ZcashdWallet, fields: dict[str, object]
    ) -> None:
        mined = {
            "txid": TXID,
            "status": "mined",
            "confirmations": 3,
            "blockhash": node.block_hash(HEIGHT - 2),
        }
        node.answers["gettransaction"] = mined | fields

        with pytest.raises(NodeUnavailable):
            wallet.transaction(TXID)


class TestBalanceAndOwnership:
    def test_reads_a_transparent_balance_in_zatoshis(self, node: Node, wallet: ZcashdWallet) -> None:
        node.answers["getaddressbalance"] = {"balance": 12_345, "received": 99_999}

        assert wallet.transparent_balance("tmXYZ") == 12_345
        assert node.calls == [("getaddressbalance", {"addresses": ["tmXYZ"]})]

    @pytest.mark.parametrize("code", [-1, -32601])
    def test_knows_no_balance_without_an_address_index(
        self, node: Node, wallet: ZcashdWallet, code: int
    ) -> None:
        node.answers["getaddressbalance"] = refuse(code, "disabled")

        assert wallet.transparent_balance("tmXYZ") is None

    def test_passes_on_a_refused_address(self, node: Node, wallet: ZcashdWallet) -> None:
        node.answers["getaddressbalance"] = refuse(-5, "Invalid address")

        with pytest.raises(NodeRefused):
            wallet.transparent_balance("tmXYZ")

    @pytest.mark.parametrize("balance", [None, -1, "5", 0.5, True, 2_100_000_000_000_001])
    def test_refuses_a_balance_that_is_none(self, node: Node, wallet: ZcashdWallet, balance: object) -> None:
        node.answers["getaddressbalance"] = {"balance": balance}

        with pytest.raises(NodeUnavailable, match="balance"):
            wallet.transparent_balance("tmXYZ")

    @pytest.mark.parametrize("address", [ADDRESS, ADDRESS.upper(), BARE_SAPLING])
    def test_owns_every_receiver_of_its_account(self, wallet: ZcashdWallet, address: str) -> None:
        assert wallet.owns(address)

    @pytest.mark.parametrize("address", [OTHER_ADDRESS, MAINNET_ADDRESS, ORCHARD_TOO, "nonsense"])
    def test_owns_no_other(self, wallet: ZcashdWallet, address: str) -> None:
        assert not wallet.owns(address)

    def test_does_not_look_again_for_an_address_that_it_owns(self, node: Node, wallet: ZcashdWallet) -> None:
        answers = [wallet.owns(ADDRESS), wallet.owns(ADDRESS), wallet.owns(OTHER_ADDRESS)]

        assert answers == [True, True, False]
        assert node.calls == [("z_listaccounts",)] * 2

    def test_passes_on_a_refusal(self, node: Node, wallet: ZcashdWallet) -> None:
        node.answers["z_listaccounts"] = refuse(-32601, "Method not found")

        with pytest.raises(NodeRefused):
            wallet.owns(ADDRESS)

    @pytest.mark.parametrize(
        "answer",
        [
            None,
            {},
            [5],
            [{"account": "3", "addresses": []}],
            [{"account": 3}],
            [{"account": 3, "addresses": [5]}],
        ],
        ids=repr,
    )
    def test_refuses_accounts_that_cannot_be_trusted(
        self, node: Node, wallet: ZcashdWallet, answer: object
    ) -> None:
        node.answers["z_listaccounts"] = answer

        with pytest.raises(NodeUnavailable, match="z_listaccounts"):
            wallet.owns(ADDRESS)


class TestSending:
    def test_names_minconf_fee_and_policy(self, node: Node, wallet: ZcashdWallet) -> None:
        node.answers["z_sendmany"] = "opid-1"

        wallet.send([Payment(OTHER_ADDRESS, 150_000_000, b"hi")], source=ADDRESS, policy=PrivacyPolicy.FULL)

        recipient = {"address": OTHER_ADDRESS, "amount": "1.50000000", "memo": "6869"}
        assert node.calls[1:] == [("z_sendmany", ADDRESS, [recipient], 3, None, "FullPrivacy")]

    def test_does_not_pay_from_another_account_of_the_wallet(self, node: Node, wallet: ZcashdWallet) -> None:
        node.answers["z_sendmany"] = "opid-1"

        with pytest.raises(NodeRefused, match=r"ZCASH_SERVICE_WALLET.*ZCASH_ACCOUNT"):
            wallet.send([Payment(ADDRESS, 1)], source=OTHER_ADDRESS, policy=PrivacyPolicy.FULL)

        assert node.count("z_sendmany") == 0

    def test_passes_on_that_nothing_was_sent(self, node: Node, wallet: ZcashdWallet) -> None:
        node.answers["z_sendmany"] = refuse(-8, "duplicated recipient address")

        with pytest.raises(NodeRefused):
            wallet.send([Payment(OTHER_ADDRESS, 1)], source=ADDRESS, policy=PrivacyPolicy.FULL)

        assert node.count("z_sendmany") == 1


class TestOutgoing:
    """The account had note A and got note B; a transaction spent A, paid somebody and gave change."""

    NOTE_A, NOTE_B, SPENDER = "1a" * 32, "1b" * 32, "2c" * 32

    @pytest.fixture(autouse=True)
    def _history(self, node: Node) -> None:
        self.before = [note(self.NOTE_A), note("99" * 32, account=0)]
        self.now = [note(self.NOTE_B, confirmations=1), note(self.SPENDER, confirmations=2, change=True)]
        self.spends = [{"pool": "sapling", "spend": 0, "txidPrev": self.NOTE_A, "outputPrev": 1}]
        self.outputs = [
            {"pool": "sapling", "output": 0, "outgoing": True, "address": BARE_SAPLING, "valueZat": 7},
            {"pool": "sapling", "output": 1, "outgoing": False, "walletInternal": True, "valueZat": 8},
        ]
        node.answers |= {
            "z_listunspent": lambda *params: self.before if len(params) > 3 else self.now,
            "gettransaction": lambda txid: mined(node, txid=txid, confirmations=2),
            "z_viewtransaction": lambda txid: {
                "txid": txid,
                "spends": self.spends if txid == self.SPENDER else [],
                "outputs": self.outputs,
            },
            "getrawtransaction": {"vout": [{"valueZat": 5, "scriptPubKey": {"addresses": ["tmX"]}}]},
            "z_getoperationstatus": [],
        }

    def test_finds_the_transaction_that_gave_change(self, node: Node, wallet: ZcashdWallet) -> None:
        outgoing = wallet.outgoing(since_height=100)

        payments = (Payment(BARE_SAPLING, 7), Payment("tmX", 5))
        assert outgoing == Outgoing(
            (SentTransaction(self.SPENDER, HEIGHT - 1, expired=False, payments=payments),), complete=True
        )
        assert ("z_listunspent", 1, 9_999_999, False, [], 100) in node.calls
        assert ("z_listunspent", 0, 9_999_999, False) in node.calls
        assert ("getrawtransaction", self.SPENDER, 1, node.block_hash(HEIGHT - 1)) in node.calls
        assert ("z_viewtransaction", self.NOTE_B) not in node.calls

    def test_is_not_complete_while_a_note_is_missing_that_nothing_spent(self, wallet: ZcashdWallet) -> None:
        self.before.append(note("3d" * 32))

        outgoing = wallet.outgoing(since_height=100)

        assert not outgoing.complete
        assert len(outgoing.transactions) == 1

    def test_is_not_complete_in_a_wallet_that_shows_no_notes_at_all(self, wallet: ZcashdWallet) -> None:
        self.before.clear()
        with_notes = wallet.outgoing(since_height=100)

        self.now.clear()

        assert with_notes.complete
        assert wallet.outgoing(since_height=100) == Outgoing((), complete=False)
        assert wallet.outgoing(since_height=0) == Outgoing((), complete=False)

    def test_takes_what_another_account_lost_for_its_own_affair(self, wallet: ZcashdWallet) -> None:
        self.before.append(note("3d" * 32, account=4))

        assert wallet.outgoing(since_height=100).complete

    def test_looks_behind_change_that_was_spent_again(self, node: Node, wallet: ZcashdWallet) -> None:
        between = "2b" * 32
        views = {
            self.SPENDER: [{"pool": "sapling", "txidPrev": between, "outputPrev": 1}],
            between: self.spends,
        }
        node.answers["z_viewtransaction"] = lambda txid: {
            "txid": txid,
            "spends": views[txid],
            "outputs": self.outputs,
        }

        outgoing = wallet.outgoing(since_height=100)

        assert [each.txid for each in outgoing.transactions] == [between, self.SPENDER]
        assert outgoing.complete

    def test_looks_at_what_an_operation_names(self, node: Node, wallet: ZcashdWallet) -> None:
        self.now = [note(self.NOTE_B, confirmations=1)]
        node.answers["z_getoperationstatus"] = [
            {"id": "opid-1", "status": "executing"},
            {"id": "opid-2", "status": "success", "result": {"txid": self.SPENDER}},
        ]

        outgoing = wallet.outgoing(since_height=100)

        assert [each.txid for each in outgoing.transactions] == [self.SPENDER]
        assert outgoing.complete

    def test_misses_a_note_that_came_and_went_since(self, node: Node, wallet: ZcashdWallet) -> None:
        listed = node.answers["z_listunspent"]
        came = [note("3d" * 32)]
        node.answers["z_listunspent"] = lambda *params: (
            came if len(params) > 3 and HEIGHT - 6 <= params[4] < HEIGHT - 3 else listed(*params)
        )

        assert not wallet.outgoing(since_height=100).complete

    def test_looks_at_what_the_caller_knows_of(self, wallet: ZcashdWallet) -> None:
        self.now = [note(self.NOTE_B, confirmations=1)]

        blind = wallet.outgoing(since_height=100)
        told = wallet.outgoing(since_height=100, known_txids=[self.SPENDER])

        assert blind == Outgoing((), complete=False)
        assert [each.txid for each in told.transactions] == [self.SPENDER]
        assert told.complete

    @pytest.mark.parametrize("answer", ["expired", "waiting", None])
    def test_takes_a_transaction_that_is_gone_for_no_explanation(
        self, node: Node, wallet: ZcashdWallet, answer: str | None
    ) -> None:
        self.now = [note(self.NOTE_B, confirmations=1)]
        gone = {"txid": self.SPENDER, "status": answer, "confirmations": -1}
        node.answers["gettransaction"] = gone if answer else refuse(-5)

        assert wallet.outgoing(since_height=100, known_txids=[self.SPENDER]) == Outgoing((), complete=False)

    def test_does_not_look_at_more_than_it_can(
        self, wallet: ZcashdWallet, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("zcash.node.zcashd_outgoing._MAX_CANDIDATES", 0)

        assert not wallet.outgoing(since_height=100).complete

    def test_gives_up_when_the_chain_never_stands_still(self, node: Node, wallet: ZcashdWallet) -> None:
        node.answers["getbestblockhash"] = "f" * 64

        with pytest.raises(NodeUnavailable, match="moved each time"):
            wallet.outgoing(since_height=100)

    @pytest.mark.parametrize(
        "fields",
        [
            {"txid": None},
            {"pool": "ironwood"},
            {"outindex": -1},
            {"account": "3"},
            {"confirmations": None},
            {"change": "yes"},
        ],
        ids=repr,
    )
    def test_refuses_a_note_that_cannot_be_trusted(
        self, wallet: ZcashdWallet, fields: dict[str, object]
    ) -> None:
        self.now.append(note("3d" * 32) | fields)

        with pytest.raises(NodeUnavailable, match="z_listunspent"):
            wallet.outgoing(since_height=100)

    @pytest.mark.parametrize(
        ("method", "answer"),
        [
            ("z_viewtransaction", {"txid": TXID, "spends": [], "outputs": []}),
            ("z_viewtransaction", {"txid": SPENDER, "spends": None, "outputs": []}),
            ("z_viewtransaction", {"txid": SPENDER, "spends": [{"pool": "sapling"}], "outputs": []}),
            ("getrawtransaction", {"vout": None}),
            ("getrawtransaction", {"vout": [{"valueZat": -1, "scriptPubKey": {}}]}),
            ("getrawtransaction", {"vout": [{"valueZat": 1, "scriptPubKey": None}]}),
        ],
        ids=repr,
    )
    def test_refuses_a_transaction_that_cannot_be_trusted(
        self, node: Node, wallet: ZcashdWallet, method: str, answer: object
    ) -> None:
        node.answers[method] = answer

        with pytest.raises(NodeUnavailable, match=method):
            wallet.outgoing(since_height=100)


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
