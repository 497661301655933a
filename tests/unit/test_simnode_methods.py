"""The simulated node's methods, without HTTP: answers and refusals as zcashd gives them."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.unit.simclient import NOW, Client, RefusedError
from zcash.addresses import (
    SAPLING,
    Kind,
    Network,
    encode_p2pkh,
    encode_p2sh,
    encode_sapling,
    encode_tex,
    parse,
)
from zcash.simnode.blocks import GENESIS_HASH
from zcash.simnode.chain import EXPIRY_BLOCKS
from zcash.simnode.node import Node

STRANGER = encode_sapling(bytes(43), network=Network.REGTEST)
T_ADDRESS = encode_p2pkh(bytes(20), network=Network.REGTEST)
P2SH_ADDRESS = encode_p2sh(bytes(20), network=Network.REGTEST)
TEX_ADDRESS = encode_tex(bytes(20), network=Network.REGTEST)
MAINNET = encode_sapling(bytes(43), network=Network.MAIN)
MAX_INDEX = 2**88 - 1
ROW_FIELDS = {
    "pool", "txid", "amount", "amountZat", "memo", "confirmations", "blockheight", "blockindex", "blocktime",
    "outindex", "change",
}  # fmt: skip


@pytest.fixture
def rpc(tmp_path: Path) -> Iterator[Client]:
    node = Node(tmp_path, clock=lambda: NOW)
    yield Client(node)
    node.close()


def test_starts_at_regtests_genesis_block(rpc: Client) -> None:
    info = rpc("getblockchaininfo")

    assert (info["chain"], info["blocks"], info["headers"]) == ("regtest", 0, 0)
    assert info["bestblockhash"] == rpc("getblockhash", 0) == rpc("getbestblockhash") == GENESIS_HASH
    assert info["initial_block_download_complete"] is True
    assert rpc("getblockcount") == 0


def test_mines_a_chain_of_hashes(rpc: Client) -> None:
    hashes = rpc("generate", 3)

    assert [rpc("getblockhash", height) for height in (1, 2, 3)] == hashes
    assert rpc("getblockhash", -1) == rpc("getbestblockhash") == hashes[-1]
    assert rpc("getblockhash", -4) == GENESIS_HASH
    assert len({GENESIS_HASH, *hashes}) == 4
    assert all(len(bytes.fromhex(each)) == 32 for each in hashes)


def test_a_blocks_hash_depends_on_all_of_it(rpc: Client) -> None:
    chain, other = rpc.node.chain, rpc("generate", 1)[0]
    (txid,) = [rpc("sim_pay", STRANGER, 1)]
    (first, second) = chain.blocks

    hashes = [
        chain.block_upon(previous, time=time, txids=txids).hash
        for previous, time, txids in [(first, 5, []), (first, 6, []), (second, 5, []), (first, 5, [txid])]
    ]

    assert len({other, *hashes}) == 5


def test_two_data_directories_share_the_genesis_block_alone(rpc: Client, tmp_path: Path) -> None:
    other = Node(tmp_path / "other", clock=lambda: NOW)
    try:
        assert other.chain.blocks[0].hash == rpc("getblockhash", 0)
        assert [block.hash for block in other.mine(1)] != rpc("generate", 1)
    finally:
        other.close()


def test_block_times_follow_the_clock_and_rise_past_the_median(rpc: Client) -> None:
    rpc("generate", 30)

    times = [block.time for block in rpc.node.chain.blocks[1:]]
    assert times[0] == NOW
    assert times == sorted(times)
    assert all(time > sorted(times[at - 11 : at])[5] for at, time in enumerate(times) if at >= 11)


@pytest.mark.parametrize("height", [1, -2, 2**31 - 1])
def test_refuses_a_height_off_the_chain(rpc: Client, height: int) -> None:
    assert rpc.refused("getblockhash", height) == -8


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("getblockcount", [1]),
        ("getblockhash", []),
        ("generate", []),
        ("z_listreceivedbyaddress", []),
        ("z_getaddressforaccount", []),
        ("sim_pay", [T_ADDRESS]),
        ("sim_pay", [T_ADDRESS, 1, "00", 1]),
        ("getaddressbalance", []),
    ],
)
def test_answers_a_wrong_number_of_parameters_with_the_help_text(
    rpc: Client, method: str, params: list[Any]
) -> None:
    with pytest.raises(RefusedError, match=method) as refusal:
        rpc(method, *params)

    assert (refusal.value.status, refusal.value.code) == (500, -1)


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("getblockhash", ["0"]),
        ("getblockhash", [True]),
        ("getblockhash", [1.5]),
        ("getblockhash", [None]),
        ("getblockhash", [2**31]),
        ("getblockhash", [10**400]),
        ("generate", [[]]),
        ("z_validateaddress", [1]),
        ("validateaddress", [{}]),
        ("z_getaddressforaccount", ["0"]),
        ("z_getaddressforaccount", [0, "sapling"]),
        ("z_getaddressforaccount", [0, [1]]),
        ("z_getaddressforaccount", [0, ["sapling"], "1"]),
        ("z_getaddressforaccount", [0, ["sapling"], 1.0]),
        ("z_listreceivedbyaddress", [None]),
        ("z_listreceivedbyaddress", [STRANGER, "1"]),
        ("z_listunspent", ["1"]),
        ("z_listunspent", [1, 9, "no"]),
        ("gettransaction", [1]),
        ("sim_pay", [T_ADDRESS, {}]),
        ("sim_pay", [T_ADDRESS, True]),
        ("sim_pay", [T_ADDRESS, 0]),
        ("sim_pay", [T_ADDRESS, -1]),
        ("sim_pay", [T_ADDRESS, "1_0"]),
        ("sim_pay", [T_ADDRESS, "\u0661"]),
        ("sim_pay", [T_ADDRESS, "NaN"]),
        ("sim_pay", [T_ADDRESS, "Infinity"]),
        ("sim_pay", [T_ADDRESS, "1e999999"]),
        ("sim_pay", [T_ADDRESS, "1e-999999"]),
        ("sim_pay", [T_ADDRESS, "0.000000001"]),
        ("sim_pay", [T_ADDRESS, "0.123456789"]),
        ("sim_pay", [T_ADDRESS, "21000000.00000001"]),
        ("sim_pay", [STRANGER, 1, 5]),
    ],
)
def test_refuses_a_wrong_type(rpc: Client, method: str, params: list[Any]) -> None:
    codes = {-3, -5} if params[0] == STRANGER and method == "z_listreceivedbyaddress" else {-3}

    assert rpc.refused(method, *params) in codes


@pytest.mark.parametrize(
    "receivers", [["sapling"], ["orchard"], ["p2pkh", "sapling"], ["sapling", "orchard"], []]
)
def test_gives_an_address_of_the_receivers_asked_for(rpc: Client, receivers: list[str]) -> None:
    answer = rpc("z_getaddressforaccount", 0, receivers)

    assert set(answer) == {"account", "diversifier_index", "receiver_types", "address"}
    assert answer["receiver_types"] == (receivers or ["p2pkh", "sapling", "orchard"])
    address = parse(answer["address"], network=Network.REGTEST)
    assert address.kind is Kind.UNIFIED
    assert len(address.receivers) == len(answer["receiver_types"])


def test_gives_the_same_address_for_the_same_index(rpc: Client) -> None:
    first = rpc("z_getaddressforaccount", 0, ["sapling", "orchard"])

    index = first["diversifier_index"]
    assert rpc("z_getaddressforaccount", 0, ["sapling", "orchard"], index) == first
    assert rpc("z_getaddressforaccount", 0, ["orchard", "sapling"], index) == first
    assert rpc("z_listaccounts") == [
        {"account": 0, "addresses": [{"diversifier": index, "ua": first["address"]}]}
    ]


def test_refuses_other_receivers_at_a_used_index(rpc: Client) -> None:
    index = rpc("z_getaddressforaccount", 0, ["sapling"])["diversifier_index"]

    with pytest.raises(RefusedError, match="already generated with different receiver types") as refusal:
        rpc("z_getaddressforaccount", 0, ["orchard"], index)
    assert refusal.value.code == -4


def test_goes_on_to_the_next_unused_index(rpc: Client) -> None:
    taken = rpc("z_getaddressforaccount", 0, ["orchard"], 1)

    indices = [rpc("z_getaddressforaccount", 0, ["orchard"])["diversifier_index"] for _ in range(3)]

    assert taken["diversifier_index"] == 1
    assert indices == [0, 2, 3]


def test_the_next_index_is_never_one_that_was_handed_out(rpc: Client) -> None:
    wallet = rpc.node.wallet
    taken = [index for index in range(20) if wallet.has_index(0, index, typecodes={SAPLING})]
    for index in taken:
        rpc("z_getaddressforaccount", 0, ["sapling"], index)

    fresh = rpc("z_getaddressforaccount", 0, ["sapling"])["diversifier_index"]

    assert fresh >= 20
    assert rpc("z_getaddressforaccount", 0, ["orchard"])["diversifier_index"] not in taken


def test_about_half_of_the_indices_have_no_sapling_address(rpc: Client) -> None:
    indices = range(MAX_INDEX - 199, MAX_INDEX + 1)
    invalid = [index for index in indices if not rpc.node.wallet.has_index(0, index, typecodes={SAPLING})]

    for index in indices:
        if index not in invalid:
            assert rpc("z_getaddressforaccount", 0, ["sapling"], index)["diversifier_index"] == index
    with pytest.raises(RefusedError, match=f"no address at diversifier index {invalid[0]}.") as refusal:
        rpc("z_getaddressforaccount", 0, ["sapling"], invalid[0])
    assert refusal.value.code == -4
    assert 60 < len(invalid) < 140


@pytest.mark.parametrize("index", [-1, MAX_INDEX + 1, 2**100, 10**60])
def test_refuses_an_index_beyond_88_bits(rpc: Client, index: int) -> None:
    assert rpc.refused("z_getaddressforaccount", 0, ["orchard"], index) in (-8, -3)


def test_refuses_a_transparent_receiver_beyond_31_bits(rpc: Client) -> None:
    assert rpc.refused("z_getaddressforaccount", 0, ["p2pkh", "orchard"], 2**31) == -4
    assert rpc("z_getaddressforaccount", 0, ["p2pkh", "orchard"], 2**31 - 1)


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ([0, ["p2pkh"]], -8),
        ([0, ["p2sh"]], -8),
        ([0, ["sprout", "sapling"]], -8),
        ([-1], -8),
        ([2**31 - 1], -8),
        ([1], -4),
    ],
)
def test_refuses_an_address_that_zcashd_would_not_give(rpc: Client, params: list[Any], code: int) -> None:
    assert rpc.refused("z_getaddressforaccount", *params) == code


def test_adds_accounts_with_addresses_of_their_own(rpc: Client) -> None:
    account = rpc("z_getnewaccount")["account"]

    assert account == 1
    first = rpc("z_getaddressforaccount", 0, ["orchard"], 5)["address"]
    assert first != rpc("z_getaddressforaccount", 1, ["orchard"], 5)["address"]


def test_splits_a_unified_address_into_its_receivers(rpc: Client) -> None:
    receivers = rpc("z_listunifiedreceivers", rpc.new_address("p2pkh", "sapling", "orchard"))

    kinds = {name: parse(text, network=Network.REGTEST).kind for name, text in receivers.items()}
    assert kinds == {"p2pkh": Kind.P2PKH, "sapling": Kind.SAPLING, "orchard": Kind.UNIFIED}
    assert rpc.refused("z_listunifiedreceivers", STRANGER) == -5


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


def test_validates_addresses_of_every_kind(rpc: Client) -> None:
    mine = rpc.new_address("p2pkh", "sapling")
    receivers = rpc("z_listunifiedreceivers", mine)

    kinds = {text: rpc("z_validateaddress", text) for text in (mine, STRANGER, T_ADDRESS, P2SH_ADDRESS)}

    assert [each["address_type"] for each in kinds.values()] == ["unified", "sapling", "p2pkh", "p2sh"]
    assert all(each["isvalid"] for each in kinds.values())
    assert rpc("z_validateaddress", receivers["sapling"])["ismine"] is True
    assert kinds[STRANGER]["ismine"] is False
    assert "ismine" not in kinds[mine]
    for invalid in ("", "nonsense", MAINNET, TEX_ADDRESS, mine + "q", "x" * 100_000):
        assert rpc("z_validateaddress", invalid) == {"isvalid": False}


def test_validates_transparent_addresses_alone_by_the_older_call(rpc: Client) -> None:
    assert rpc("validateaddress", T_ADDRESS)["scriptPubKey"] == f"76a914{'00' * 20}88ac"
    assert rpc("validateaddress", P2SH_ADDRESS)["isscript"] is True
    assert rpc("validateaddress", STRANGER) == {"isvalid": False}


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
