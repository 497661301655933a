"""Payments to the simulated node, without HTTP, as zcashd shows them."""

import json
from decimal import Decimal
from typing import Any

import pytest

from tests.unit.simnode.client import (
    MAINNET,
    NOW,
    P2SH_ADDRESS,
    STRANGER,
    T_ADDRESS,
    TEX_ADDRESS,
    Client,
)
from zcash.simnode.chain import EXPIRY_BLOCKS

ROW_FIELDS = {
    "pool", "txid", "amount", "amountZat", "memo", "confirmations", "blockheight", "blockindex", "blocktime",
    "outindex", "change",
}  # fmt: skip


def test_lists_a_payment_first_in_the_mempool_and_then_in_its_block(rpc: Client) -> None:
    address = rpc.new_address()
    txid = rpc("sim_pay", address, "1.5", b"thanks".hex())

    assert rpc("z_listreceivedbyaddress", address) == []
    (waiting,) = rpc("z_listreceivedbyaddress", address, 0)
    assert set(waiting) == ROW_FIELDS | {"memoStr"}
    assert (waiting["txid"], waiting["pool"], waiting["change"]) == (txid, "sapling", False)
    assert (waiting["confirmations"], waiting["blockheight"], waiting["blockindex"]) == (0, 0, -1)
    assert (waiting["amount"], waiting["amountZat"]) == (Decimal("1.5"), 150_000_000)
    assert waiting["memoStr"] == "thanks"
    assert bytes.fromhex(waiting["memo"]) == b"thanks".ljust(512, b"\0")

    rpc("generate", 3)
    (mined,) = rpc("z_listreceivedbyaddress", address, 3)
    assert (mined["confirmations"], mined["blockheight"], mined["blockindex"]) == (3, 1, 1)
    assert mined["blocktime"] == NOW
    assert rpc("z_listreceivedbyaddress", address, 4) == []
    assert rpc("z_listreceivedbyaddress", address.upper(), 1) == [mined]


def test_a_payment_without_a_memo_has_the_empty_one(rpc: Client) -> None:
    address = rpc.new_address()
    rpc("sim_pay", address, 1)
    rpc("sim_pay", address, 1, "ff00")

    none, binary = rpc("z_listreceivedbyaddress", address, 0)

    assert bytes.fromhex(none["memo"]) == b"\xf6".ljust(512, b"\0")
    assert bytes.fromhex(binary["memo"]) == b"\xff".ljust(512, b"\0")
    assert "memoStr" not in none
    assert "memoStr" not in binary


def test_pays_the_best_receiver_of_a_unified_address(rpc: Client) -> None:
    address = rpc.new_address("p2pkh", "sapling", "orchard")
    receivers = rpc("z_listunifiedreceivers", address)
    rpc("sim_pay", address, 1)
    rpc("sim_pay", receivers["p2pkh"], 2)
    rpc("sim_pay", receivers["sapling"], 3)

    rows = rpc("z_listreceivedbyaddress", address, 0)

    assert {row["pool"]: row["amount"] for row in rows} == {"orchard": 1, "transparent": 2, "sapling": 3}
    assert all(("memo" in row) == (row["pool"] != "transparent") for row in rows)


def test_looks_back_to_an_earlier_height(rpc: Client) -> None:
    address = rpc.new_address()
    rpc("sim_pay", address, 1)
    rpc("generate", 1)
    rpc("sim_pay", address, 2)
    rpc("generate", 1)

    (row,) = rpc("z_listreceivedbyaddress", address, 1, 1)

    assert (row["amount"], row["confirmations"]) == (1, 1)
    assert len(rpc("z_listreceivedbyaddress", address, 1, 99)) == 2
    assert len(rpc("z_listreceivedbyaddress", address, 1, -1)) == 2
    assert rpc("z_getbalanceforaccount", 0, 1, 1)["pools"] == {"sapling": {"valueZat": 10**8}}


@pytest.mark.parametrize(
    ("params", "code"),
    [([0, 1], -8), ([1, 0], -8), ([1, -2], -8), ([-1], -8), ([2**31], -3)],
)
def test_refuses_a_query_that_zcashd_would_not_answer(rpc: Client, params: list[int], code: int) -> None:
    assert rpc.refused("z_listreceivedbyaddress", rpc.new_address(), *params) == code


def test_refuses_to_list_for_addresses_that_are_not_the_wallets(rpc: Client) -> None:
    address = rpc.new_address("p2pkh", "sapling")
    receivers = rpc("z_listunifiedreceivers", address)

    assert rpc.refused("z_listreceivedbyaddress", STRANGER) == -5
    assert rpc.refused("z_listreceivedbyaddress", "nonsense") == -5
    assert rpc.refused("z_listreceivedbyaddress", MAINNET) == -5
    for receiver in receivers.values():
        assert rpc.refused("z_listreceivedbyaddress", receiver) == -8


def test_lists_unspent_notes_and_balances(rpc: Client) -> None:
    mine, other = rpc.new_address("p2pkh", "sapling"), rpc.new_address()
    paid = rpc("sim_pay", mine, "0.00000001")
    rpc("sim_pay", other, 2)
    rpc("sim_pay", rpc("z_listunifiedreceivers", mine)["p2pkh"], 4)
    rpc("sim_pay", STRANGER, 8)
    rpc("generate", 1)

    rows = rpc("z_listunspent", 1, 10, False, [mine])

    assert [(row["txid"], row["amount"], row["address"], row["account"]) for row in rows] == [
        (paid, Decimal("0.00000001"), mine, 0)
    ]
    assert len(rpc("z_listunspent")) == 2
    assert rpc("z_listunspent", 2) == []
    assert rpc("z_getbalanceforaccount", 0) == {
        "pools": {"transparent": {"valueZat": 4 * 10**8}, "sapling": {"valueZat": 2 * 10**8 + 1}},
        "minimum_confirmations": 1,
    }
    assert rpc.refused("z_listunspent", 5, 4) == -8
    assert rpc.refused("z_listunspent", 1, 9, False, [mine, mine]) == -8
    assert rpc.refused("z_listunspent", 1, 9, False, [STRANGER]) == -5
    assert rpc.refused("z_getbalanceforaccount", 1) == -8


def test_follows_a_transaction_from_the_mempool_into_a_block(rpc: Client) -> None:
    txid = rpc("sim_pay", rpc.new_address(), 1)
    assert (rpc("gettransaction", txid)["status"], rpc("gettransaction", txid)["confirmations"]) == (
        "waiting",
        0,
    )

    block_hash, *_ = rpc("generate", 2)

    found = rpc("gettransaction", txid.upper())
    assert (found["status"], found["confirmations"], found["blockhash"]) == ("mined", 2, block_hash)
    assert (found["txid"], found["amountZat"], found["expiryheight"]) == (txid, 0, EXPIRY_BLOCKS)


def test_tells_the_transparent_part_of_a_transaction(rpc: Client) -> None:
    p2pkh = rpc("z_listunifiedreceivers", rpc.new_address("p2pkh", "sapling"))["p2pkh"]

    found = rpc("gettransaction", rpc("sim_pay", p2pkh, "0.1"))

    assert (found["amount"], found["amountZat"]) == (Decimal("0.1"), 10_000_000)
    assert [(each["address"], each["category"], each["vout"]) for each in found["details"]] == [
        (p2pkh, "receive", 0)
    ]


def test_knows_only_the_wallets_transactions(rpc: Client) -> None:
    assert rpc.refused("gettransaction", rpc("sim_pay", STRANGER, 1)) == -5
    assert rpc.refused("gettransaction", "00" * 32) == -5
    assert rpc.refused("gettransaction", "xyz") == -8


def test_a_transaction_that_no_block_took_in_time_expires(rpc: Client) -> None:
    address = rpc.new_address()
    txid = rpc("sim_pay", address, 1)
    for _ in range(EXPIRY_BLOCKS):
        # Funding mines blocks that take nothing from the mempool.
        rpc("sim_fund_address", T_ADDRESS, 1)

    rpc("generate", 1)

    found = rpc("gettransaction", txid)
    assert (found["status"], found["confirmations"]) == ("expired", -1)
    assert rpc("z_listreceivedbyaddress", address, 0) == []


def test_funds_a_transparent_address_in_a_block_of_its_own(rpc: Client) -> None:
    waiting = rpc("sim_pay", rpc.new_address(), 1)

    txid = rpc("sim_fund_address", T_ADDRESS, "0.3")

    assert rpc("getaddressbalance", {"addresses": [T_ADDRESS]}) == {
        "balance": 30_000_000,
        "received": 30_000_000,
    }
    assert rpc("getblockcount") == 1
    assert rpc.node.chain.tip.txids == (txid,)
    assert rpc("gettransaction", waiting)["status"] == "waiting"


def test_counts_mined_money_only_and_each_address_once(rpc: Client) -> None:
    rpc("sim_fund_address", P2SH_ADDRESS, 1)
    rpc("sim_pay", T_ADDRESS, 2)
    both = {"addresses": [P2SH_ADDRESS, T_ADDRESS, P2SH_ADDRESS]}

    assert rpc("getaddressbalance", both)["balance"] == 10**8
    rpc("generate", 1)
    assert rpc("getaddressbalance", both)["balance"] == 3 * 10**8
    assert rpc("getaddressbalance", T_ADDRESS)["balance"] == 2 * 10**8


@pytest.mark.parametrize(
    ("parameter", "code"),
    [
        ("nonsense", -5),
        (STRANGER, -5),
        ({}, -5),
        (5, -5),
        ({"addresses": T_ADDRESS}, -5),
        ({"addresses": [STRANGER]}, -5),
        ({"addresses": [1]}, -3),
        ({"addresses": [T_ADDRESS] * 1001}, -8),
    ],
)
def test_refuses_the_balance_of_what_is_no_transparent_address(
    rpc: Client, parameter: Any, code: int
) -> None:
    assert rpc.refused("getaddressbalance", parameter) == code


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("sim_pay", ["nonsense", 1], -5),
        ("sim_pay", [MAINNET, 1], -5),
        ("sim_pay", [T_ADDRESS, 1, "00"], -8),
        ("sim_pay", [TEX_ADDRESS, 1, "00"], -8),
        ("sim_pay", [STRANGER, 1, "0"], -8),
        ("sim_pay", [STRANGER, 1, "zz"], -8),
        ("sim_pay", [STRANGER, 1, "00 11"], -8),
        ("sim_pay", [STRANGER, 1, "00" * 513], -8),
        ("sim_fund_address", [STRANGER, 1], -5),
        ("generate", [-1], -8),
        ("generate", [10_001], -8),
    ],
)
def test_refuses_a_payment_that_cannot_be(rpc: Client, method: str, params: list[Any], code: int) -> None:
    assert rpc.refused(method, *params) == code
    assert rpc("getblockcount") == 0
    assert rpc.node.chain.transactions == {}


def test_pays_any_kind_of_address(rpc: Client) -> None:
    for address in (STRANGER, T_ADDRESS, P2SH_ADDRESS, TEX_ADDRESS):
        assert len(bytes.fromhex(rpc("sim_pay", address, 1))) == 32
    rpc("generate", 1)

    # A TEX address is the t-address of the same key.
    assert rpc("getaddressbalance", {"addresses": [T_ADDRESS]})["balance"] == 2 * 10**8


def test_spends_no_more_than_the_whole_supply(rpc: Client) -> None:
    rpc("sim_pay", STRANGER, 20_999_999)

    assert rpc.refused("sim_pay", STRANGER, "1.00000001") == -6
    assert rpc("sim_pay", STRANGER, 1)


def test_equal_payments_are_different_transactions(rpc: Client) -> None:
    assert rpc("sim_pay", STRANGER, 1) != rpc("sim_pay", STRANGER, 1)


def test_writes_amounts_with_eight_decimals(rpc: Client) -> None:
    address = rpc.new_address()
    rpc("sim_pay", address, "20999999.99999999")
    body = json.dumps({"method": "z_listreceivedbyaddress", "params": [address, 0], "id": 1})

    _, text = rpc.rpc.answer(body.encode())

    assert '"amount":20999999.99999999,"amountZat":2099999999999999,' in text


def test_counts_what_each_pool_holds(rpc: Client) -> None:
    rpc("sim_pay", STRANGER, 2)
    rpc("sim_fund_address", T_ADDRESS, 1)

    info = rpc("getblockchaininfo")

    assert {pool["id"]: pool["chainValueZat"] for pool in info["valuePools"]} == {
        "transparent": 10**8, "sapling": 0, "orchard": 0,
    }  # fmt: skip
    assert info["chainSupply"]["chainValue"] == 1
