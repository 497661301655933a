"""The simulated zallet without HTTP: accounts, addresses and lists, with its refusals and oddities."""

import uuid
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.unit.simnode.client import NOW, STRANGER, T_ADDRESS, TEX_ADDRESS
from tests.unit.simnode.zallet import Wallet
from zcash.addresses import ORCHARD, P2PKH, SAPLING, parse
from zcash.simnode.node import Node

ROW_FIELDS = {
    "account_uuid", "mined_height", "txid", "expiry_height", "account_balance_delta", "fee_paid",
    "sent_note_count", "received_note_count", "block_time", "block_datetime", "expired_unmined", "outputs",
}  # fmt: skip


def test_the_accounts_uuid_outlives_a_restart(tmp_path: Path) -> None:
    found = []
    for _ in range(2):
        node = Node(tmp_path, clock=lambda: NOW)
        found.append(Wallet(node).uuid)
        node.close()

    assert found[0] == found[1] == str(uuid.UUID(found[0]))


def test_a_new_account_has_a_uuid_of_its_own_and_no_number(wallet: Wallet) -> None:
    answer = wallet("z_getnewaccount", "second")

    accounts = wallet("z_listaccounts", False)
    assert set(answer) == {"account_uuid"}
    assert [row["account_uuid"] for row in accounts] == [wallet.uuid, answer["account_uuid"]]
    assert "addresses" not in accounts[0]


@pytest.mark.parametrize(
    "method",
    ["z_listreceivedbyaddress", "z_validateaddress", "gettransaction", "getblockchaininfo", "listunspent"],
)
def test_does_not_have_what_zallet_lacks(wallet: Wallet, method: str) -> None:
    assert wallet.refused(method, STRANGER) == -32601


def test_discovers_its_methods_with_the_names_of_their_parameters(wallet: Wallet) -> None:
    methods = {
        each["name"]: [param["name"] for param in each["params"]]
        for each in wallet("rpc.discover")["methods"]
    }

    assert methods["z_listtransactions"] == ["account_uuid", "start_height", "end_height", "offset", "limit"]
    assert methods["z_sendmany"] == ["fromaddress", "amounts", "minconf", "fee", "privacy_policy"]
    assert methods["rpc.discover"] == []
    assert not [name for name in methods if name.startswith("sim_") or name == "generate"]


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("z_getaddressforaccount", []),
        ("z_getoperationstatus", []),
        ("z_getoperationresult", []),
        ("z_sendmany", [STRANGER]),
        ("z_viewtransaction", []),
        ("z_viewtransaction", [5]),
        ("z_listtransactions", [None, "0"]),
        ("z_listtransactions", [None, True]),
        ("z_sendmany", [STRANGER, {}]),
        ("z_sendmany", [STRANGER, [{"address": STRANGER}]]),
        ("z_sendmany", [STRANGER, [{"address": STRANGER, "amount": 1, "mem": "00"}]]),
        ("z_sendmany", [STRANGER, [{"address": STRANGER, "amount": 1, "memo": 5}]]),
    ],
)
def test_a_missing_or_mistyped_parameter_is_an_error_of_its_own(
    wallet: Wallet, method: str, params: list[Any]
) -> None:
    assert wallet.refused(method, *params) == -32602


def test_the_same_index_gives_the_same_address_by_uuid_and_by_number(wallet: Wallet) -> None:
    index = 2**62 - 1

    by_uuid = wallet("z_getaddressforaccount", wallet.uuid, ["orchard"], index)
    by_number = wallet("z_getaddressforaccount", 0, ["orchard"], index)

    assert by_number == {**by_uuid, "account": 0}
    assert (by_uuid["diversifier_index"], by_uuid["receiver_types"]) == (index, ["orchard"])
    assert [each.typecode for each in parse(by_uuid["address"]).receivers] == [ORCHARD]


@pytest.mark.parametrize(
    ("account", "receivers", "index", "code"),
    [
        (0, ["sapling"], 5, -4),
        (0, ["p2pkh", "orchard"], 2**31, -4),
        (0, ["orchard"], 2**88, -8),
        (0, ["orchard"], -1, -8),
        (0, ["p2pkh"], 7, -8),
        (0, ["p2sh", "orchard"], 7, -4),
        (0, ["sprout"], 7, -8),
        (1, ["orchard"], 7, -4),
        ("6f1c9b3e-0b2f-4b0f-8d3c-3a3c2b7f9f10", ["orchard"], 7, -4),
        ("zero", ["orchard"], 7, -8),
        (-1, ["orchard"], 7, -8),
        (None, ["orchard"], 7, -8),
    ],
)
def test_refuses_an_address_that_it_cannot_hand_out(
    wallet: Wallet, account: Any, receivers: list[str], index: int, code: int
) -> None:
    wallet.new_address("orchard", index=5)

    assert wallet.refused("z_getaddressforaccount", account, receivers, index) == code


def test_some_indices_have_no_sapling_address(wallet: Wallet) -> None:
    codes = {
        wallet.answer("z_getaddressforaccount", 0, ["sapling"], index).get("error", {}).get("code")
        for index in range(40)
    }

    assert codes == {None, -4}


def test_shielded_addresses_without_an_index_take_the_time_and_have_no_gap_limit(wallet: Wallet) -> None:
    indices = [wallet("z_getaddressforaccount", 0, ["orchard"])["diversifier_index"] for _ in range(25)]

    assert indices == list(range(NOW, NOW + 25))


def test_transparent_addresses_stop_at_the_gap_limit_until_one_is_paid(wallet: Wallet) -> None:
    addresses = [wallet.new_address("p2pkh", "orchard") for _ in range(10)]
    refused = wallet.refused("z_getaddressforaccount", 0, ["p2pkh", "orchard"])
    explicit = wallet("z_getaddressforaccount", 0, ["p2pkh", "orchard"], 5000)

    wallet("sim_pay", wallet("z_listunifiedreceivers", addresses[3])["p2pkh"], 1)
    unmined = wallet.refused("z_getaddressforaccount", 0, ["p2pkh", "orchard"])
    wallet("generate", 1)
    further = [
        wallet("z_getaddressforaccount", 0, ["p2pkh", "orchard"])["diversifier_index"] for _ in range(4)
    ]

    assert (refused, unmined, explicit["diversifier_index"]) == (-4, -4, 5000)
    assert further == [10, 11, 12, 13]
    assert wallet.refused("z_getaddressforaccount", 0, ["p2pkh", "orchard"]) == -4


def test_lists_a_payment_from_the_mempool_on(wallet: Wallet) -> None:
    address = wallet.new_address()
    txid = wallet("sim_pay", address, "1.5", "6869")
    (waiting,) = wallet("z_listtransactions", wallet.uuid)
    wallet("generate", 3)

    (mined,) = wallet("z_listtransactions", wallet.uuid)

    assert set(mined) == ROW_FIELDS
    assert (
        mined["outputs"]
        == waiting["outputs"]
        == [
            {
                "pool": "ironwood",
                "output_index": 0,
                "from_account": None,
                "to_account": wallet.uuid,
                "to_address": address,
                "value": 150_000_000,
                "is_change": False,
                "memo": "hi",
            }
        ]
    )
    assert (waiting["mined_height"], waiting["block_time"], waiting["expired_unmined"]) == (None, None, False)
    assert (mined["txid"], mined["mined_height"], mined["expiry_height"]) == (txid, 1, 40)
    assert (mined["account_balance_delta"], mined["fee_paid"]) == (150_000_000, None)
    assert (mined["sent_note_count"], mined["received_note_count"]) == (0, 1)
    assert (mined["block_time"], mined["block_datetime"]) == (NOW, "2027-01-15T08:00:00Z")


def test_unmined_ones_come_last_and_only_without_an_end(wallet: Wallet) -> None:
    address = wallet.new_address()
    txids = []
    for _ in range(3):
        txids.append(wallet("sim_pay", address, 1))
        wallet("generate", 1)
    waiting = wallet("sim_pay", address, 1)

    def listed(*params: Any) -> list[str]:
        return [row["txid"] for row in wallet("z_listtransactions", wallet.uuid, *params)]

    assert listed() == [*txids, waiting]
    assert listed(3) == [txids[2], waiting]
    assert listed(2, 3) == [txids[1]]
    assert listed(None, 3) == txids[:2]
    assert listed(100) == [waiting]
    assert listed(None, None, 1, 2) == txids[1:]
    assert listed(None, None, 4) == []
    assert listed(None, None, 0, 0) == []


def test_an_expired_payment_stays_listed(wallet: Wallet) -> None:
    address = wallet.new_address()
    txid = wallet("sim_pay", address, 1)
    wallet("sim_hold", txid)
    wallet("generate", 40)

    row, seen = wallet.row(txid), wallet("z_viewtransaction", txid)

    assert (row["mined_height"], row["expired_unmined"]) == (None, True)
    assert (seen["status"], seen["confirmations"]) == ("expired", -1)
    assert wallet.balance_zat() == 0


def test_transparent_money_is_listed_under_the_t_address(wallet: Wallet) -> None:
    address = wallet.new_address("p2pkh", "sapling")
    receivers = wallet("z_listunifiedreceivers", address)

    txid = wallet("sim_pay", receivers["p2pkh"], 1)

    (output,) = wallet.row(txid)["outputs"]
    assert (output["pool"], output["to_address"], output["memo"]) == ("transparent", receivers["p2pkh"], None)


@pytest.mark.parametrize(
    ("memo", "shown"),
    [
        (None, None),
        ("f6", None),
        ("f600000001", "f600000001"),
        ("c3a4", "\u00e4"),
        ("66303064", "f00d"),
        ("ffc0de", "c0de" + "00" * 509),
        ("f5c0de", "f5c0de"),
        ("c3", "c3"),
    ],
)
def test_a_memo_is_text_or_hexadecimal(wallet: Wallet, memo: str | None, shown: str | None) -> None:
    txid = wallet("sim_pay", wallet.new_address(), 1, memo)

    assert wallet.row(txid)["outputs"][0]["memo"] == shown


def test_every_unmined_transaction_has_minus_one_confirmations(wallet: Wallet) -> None:
    txid = wallet("sim_pay", wallet.new_address(), "0.5")
    waiting = wallet("z_viewtransaction", txid)
    block_hash, *_ = wallet("generate", 4)

    mined = wallet("z_viewtransaction", txid.upper())

    assert (waiting["status"], waiting["confirmations"], waiting.get("blockhash")) == ("waiting", -1, None)
    assert (mined["status"], mined["confirmations"], mined["blockhash"]) == ("mined", 4, block_hash)
    assert (mined["blockindex"], mined["expiryheight"], "fee" in mined) == (1, 40, False)
    assert mined["accounts"] == {wallet.uuid: {"delta": Decimal("0.5"), "deltaZat": 50_000_000}}
    assert wallet.refused("z_viewtransaction", "00" * 32) == -5
    assert wallet.refused("z_viewtransaction", "00") == -8


def test_the_raw_transaction_takes_no_block_hash(wallet: Wallet) -> None:
    txid = wallet("sim_pay", STRANGER, 1)
    (block_hash,) = wallet("generate", 1)

    assert wallet("getrawtransaction", txid, 1)["height"] == 1
    assert wallet("getrawtransaction", txid) == wallet("getrawtransaction", txid, 1, None)["hex"]
    assert wallet.refused("getrawtransaction", txid, 1, block_hash) == -8


def test_a_synced_wallet_says_so(wallet: Wallet) -> None:
    tip = wallet("generate", 2)[-1]

    assert wallet("getwalletstatus") == {
        "node_tip": {"blockhash": tip, "height": 2},
        "wallet_tip": {"blockhash": tip, "height": 2},
        "fully_synced_height": 2,
        "birthday_height": 0,
        "locked": False,
    }


def test_only_a_transparent_address_is_valid_here(wallet: Wallet) -> None:
    script = "76a914" + "00" * 20 + "88ac"
    assert wallet("validateaddress", T_ADDRESS) == {
        "isvalid": True, "address": T_ADDRESS, "scriptPubKey": script, "isscript": False,
    }  # fmt: skip
    for address in (STRANGER, TEX_ADDRESS, wallet.new_address(), "nobody"):
        assert wallet("validateaddress", address) == {"isvalid": False}


def test_lists_the_receivers_of_anybodys_unified_address(wallet: Wallet) -> None:
    receivers = wallet("z_listunifiedreceivers", wallet.new_address("p2pkh", "sapling", "orchard"))

    kinds = {name: parse(text).receivers[0].typecode for name, text in receivers.items()}
    assert kinds == {"p2pkh": P2PKH, "sapling": SAPLING, "orchard": ORCHARD}
