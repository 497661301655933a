"""The simulated zebrad's methods, without HTTP."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.unit.simnode.client import NOW, P2SH_ADDRESS, STRANGER, T_ADDRESS, TEX_ADDRESS, ZEC
from zcash.addresses import (
    SAPLING,
    Network,
    Receiver,
    encode_unified,
)
from zcash.simnode.blocks import GENESIS_HASH
from zcash.simnode.dialects import Dialect
from zcash.simnode.faults import Faults
from zcash.simnode.node import Node
from zcash.simnode.rpc import Rpc
from zcash.simnode.tables import Switches, methods_of

UNIFIED = encode_unified([Receiver(SAPLING, bytes(43))], network=Network.REGTEST)


class Zebra:
    """Calls the RPC without a server, in JSON-RPC 2.0."""

    def __init__(self, node: Node) -> None:
        self.node = node
        methods = methods_of(Dialect.ZEBRA, switches=Switches(Faults(), stop=lambda: None))
        self.rpc = Rpc(node, methods=methods, dialect=Dialect.ZEBRA)

    def answer(self, body: dict[str, Any]) -> dict[str, Any]:
        status, text = self.rpc.answer(json.dumps(body).encode())
        assert status == 200
        reply: dict[str, Any] = json.loads(text, parse_float=Decimal)
        return reply

    def __call__(self, method: str, *params: Any) -> Any:
        reply = self.answer({"jsonrpc": "2.0", "method": method, "params": params, "id": 7})
        assert "error" not in reply, reply
        return reply["result"]

    def refused(self, method: str, *params: Any) -> int:
        reply = self.answer({"jsonrpc": "2.0", "method": method, "params": params, "id": 7})
        assert "result" not in reply
        code: int = reply["error"]["code"]
        return code


@pytest.fixture
def zebra(tmp_path: Path) -> Iterator[Zebra]:
    node = Node(tmp_path, clock=lambda: NOW)
    yield Zebra(node)
    node.close()


def test_its_chains_name_does_not_tell_regtest(zebra: Zebra) -> None:
    zebra("sim_pay", STRANGER, 2)
    (tip,) = zebra("generate", 1)

    info = zebra("getblockchaininfo")

    assert (info["chain"], info["blocks"], info["headers"], info["bestblockhash"]) == ("test", 1, 1, tip)
    assert "initial_block_download_complete" not in info
    pools = {pool["id"]: pool["chainValueZat"] for pool in info["valuePools"]}
    assert pools == {
        "transparent": 0, "sprout": 0, "sapling": 2 * ZEC, "orchard": 0, "ironwood": 0, "lockbox": 0,
    }  # fmt: skip
    assert zebra("getblockhash", 0) == GENESIS_HASH


def test_knows_heights_and_hashes(zebra: Zebra) -> None:
    hashes = zebra("generate", 3)

    assert zebra("getblockcount") == 3
    assert zebra("getbestblockhash") == zebra("getblockhash", -1) == hashes[-1]
    assert zebra("getbestblockheightandhash") == {"height": 3, "hash": hashes[-1]}
    assert [zebra.refused("getblockhash", height) for height in (4, -5)] == [-32602, -32602]
    assert zebra.refused("getblockhash", "1") == -32602
    assert zebra.refused("getblockhash") == -32602


def test_answers_every_error_with_status_200(zebra: Zebra) -> None:
    old = zebra.answer({"method": "nope", "id": 1})
    older = zebra.answer({"jsonrpc": "1.0", "method": "getblockcount", "id": "x"})

    assert old == {"result": None, "error": {"code": -32601, "message": "Method not found"}, "id": 1}
    assert older == {"result": 0, "error": None, "id": "x"}


def test_has_no_wallet(zebra: Zebra) -> None:
    for method in ("z_sendmany", "getwalletstatus", "z_listaccounts", "z_listtransactions", "gettransaction"):
        assert zebra.refused(method) == -32601


def test_discovers_its_methods(zebra: Zebra) -> None:
    names = {each["name"] for each in zebra("rpc.discover")["methods"]}

    assert {"getblockchaininfo", "getaddressbalance", "getdeprecationinfo", "generate"} <= names
    assert not [name for name in names if name.startswith("sim_")]


def test_stops_by_itself_on_mainnet_alone(zebra: Zebra) -> None:
    assert zebra("getdeprecationinfo") == {}
    assert zebra("getstandardfee") == {"standard_fee": 5000, "version": 0}


def test_follows_the_money_of_any_transparent_address(zebra: Zebra) -> None:
    first = zebra("sim_fund_address", T_ADDRESS, 1)
    second = zebra("sim_fund_address", T_ADDRESS, 2)
    other = zebra("sim_fund_address", P2SH_ADDRESS, 4)
    zebra("sim_pay", T_ADDRESS, 8)

    both = {"addresses": [T_ADDRESS, P2SH_ADDRESS, T_ADDRESS]}

    assert zebra("getaddressbalance", {"addresses": [T_ADDRESS]}) == {"balance": 3 * ZEC, "received": 3 * ZEC}
    assert zebra("getaddressbalance", both)["balance"] == 7 * ZEC
    assert zebra("getaddresstxids", both) == [first, second, other]
    assert zebra("getaddresstxids", {**both, "start": 2, "end": 2}) == [second]
    (row, *_) = zebra("getaddressutxos", both)
    assert row == {
        "address": T_ADDRESS,
        "txid": first,
        "outputIndex": 0,
        "script": "76a914" + "00" * 20 + "88ac",
        "satoshis": ZEC,
        "height": 1,
    }
    told = zebra("getaddressutxos", {**both, "chainInfo": True})
    assert (len(told["utxos"]), told["height"], told["hash"]) == (3, 3, zebra("getbestblockhash"))


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (T_ADDRESS, -32602),
        ([T_ADDRESS], -32602),
        ({}, -32602),
        ({"addresses": T_ADDRESS}, -32602),
        ({"addresses": [STRANGER]}, -5),
        ({"addresses": ["nobody"]}, -5),
        ({"addresses": [5]}, -5),
    ],
)
def test_refuses_what_names_no_transparent_addresses(zebra: Zebra, request_: Any, code: int) -> None:
    for method in ("getaddressbalance", "getaddresstxids", "getaddressutxos"):
        assert zebra.refused(method, request_) == code


def test_a_transactions_fields_depend_on_where_it_is(zebra: Zebra) -> None:
    txid = zebra("sim_pay", T_ADDRESS, "1.5")
    waiting, mempool = zebra("getrawtransaction", txid, 1), zebra("getrawmempool")
    (block_hash,) = zebra("generate", 1)
    mined = zebra("getrawtransaction", txid, 1)
    zebra("invalidateblock", block_hash)

    beside = zebra("getrawtransaction", txid, 1, block_hash)

    assert mempool == zebra("getrawmempool") == [txid]
    assert not {"height", "confirmations", "blockhash"} & set(waiting)
    assert (mined["height"], mined["confirmations"], mined["blockhash"]) == (1, 1, block_hash)
    assert mined["vout"][0]["valueZat"] == 150_000_000
    assert mined["vout"][0]["scriptPubKey"]["addresses"] == [T_ADDRESS]
    assert (beside["height"], beside["confirmations"]) == (-1, 0)
    assert zebra.refused("getrawtransaction", "00" * 32, 1) == -5


def test_validates_addresses_and_owns_none(zebra: Zebra) -> None:
    assert zebra("validateaddress", TEX_ADDRESS) == {
        "isvalid": True,
        "address": TEX_ADDRESS,
        "isscript": False,
    }
    assert zebra("validateaddress", P2SH_ADDRESS)["isscript"] is True
    assert zebra("validateaddress", STRANGER) == {"isvalid": False}
    assert zebra("z_validateaddress", STRANGER) == {
        "isvalid": True, "address": STRANGER, "address_type": "sapling", "ismine": False,
    }  # fmt: skip
    assert zebra("z_validateaddress", "nobody") == {"isvalid": False}
    assert zebra("z_listunifiedreceivers", UNIFIED) == {"sapling": STRANGER}
    assert zebra.refused("z_listunifiedreceivers", STRANGER) == -5
