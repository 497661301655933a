"""The simulated zallet without HTTP: balances, sending, and a wallet that is not itself."""

from decimal import Decimal
from typing import Any

import pytest

from tests.unit.simnode.client import STRANGER, T_ADDRESS, TEX_ADDRESS, ZEC
from tests.unit.simnode.zallet import Wallet, to
from zcash.addresses import Network, encode_sapling, encode_unified, parse

OUTPUT_FIELDS = {
    "pool", "output_index", "from_account", "to_account", "to_address", "value", "is_change", "memo",
}  # fmt: skip


def test_views_what_it_sent(wallet: Wallet) -> None:
    source = wallet.funded_address("3")
    operation = wallet.send(source, to(STRANGER, memo="6869"), policy="AllowRevealedAmounts")

    seen = wallet("z_viewtransaction", operation["result"]["txid"])

    (spend,) = seen["spends"]
    assert (spend["pool"], spend["account_uuid"], spend["valueZat"]) == ("ironwood", wallet.uuid, 3 * ZEC)
    sent, change = sorted(seen["outputs"], key=lambda row: bool(row["walletInternal"]))
    assert (sent["address"], sent["outgoing"], sent["memoStr"], sent["output"]) == (STRANGER, True, "hi", 0)
    assert (change["outgoing"], "address" in change) == (False, False)
    assert seen["fee"] == Decimal("0.0002")


def test_a_send_costs_exactly_amount_and_fee(wallet: Wallet) -> None:
    source = wallet.funded_address("2", "1")
    before = wallet.balance_zat()

    operation = wallet.send(source, to(STRANGER, "0.5"), policy="AllowRevealedAmounts")
    wallet("generate", 1)

    txid = operation["result"]["txid"]
    assert operation["result"] == {"txid": txid, "txids": [txid], "broadcast": True}
    row = wallet.row(txid)
    assert (row["fee_paid"], row["account_balance_delta"]) == (20_000, -50_020_000)
    assert (row["sent_note_count"], row["received_note_count"]) == (1, 0)
    assert wallet.balance_zat() == before - 50_020_000
    sent, change = sorted(row["outputs"], key=lambda output: bool(output["is_change"]))
    assert set(sent) == OUTPUT_FIELDS
    assert (sent["from_account"], sent["to_account"], sent["to_address"]) == (wallet.uuid, None, STRANGER)
    assert (change["is_change"], change["to_account"], change["to_address"]) == (True, wallet.uuid, None)


def test_says_at_once_that_the_money_does_not_reach(wallet: Wallet) -> None:
    source = wallet.funded_address("1")

    reply = wallet.answer("z_sendmany", source, [to(source, "1")], None, None, "FullPrivacy")

    assert reply["error"]["code"] == -4
    assert "Insufficient balance (have 100000000, need 100010000 including fee)" in reply["error"]["message"]
    assert wallet("z_listoperationids") == []


def test_waits_for_ten_confirmations_of_others_and_three_of_its_change(wallet: Wallet) -> None:
    source = wallet.new_address()
    wallet("sim_pay", source, 5)
    wallet("generate", 9)
    early = wallet.refused("z_sendmany", source, [to(source)])
    wallet("generate", 1)
    wallet.send(source, to(source))
    wallet("generate", 2)
    change_early = wallet.refused("z_sendmany", source, [to(source)])
    wallet("generate", 1)

    assert (early, change_early) == (-4, -4)
    assert wallet.send(source, to(source))["status"] == "success"
    assert wallet.refused("z_sendmany", source, [to(source, "9")], 1) == -4


@pytest.mark.parametrize(
    ("recipients", "fee", "policy", "code"),
    [
        ([to(STRANGER)], Decimal("0.0001"), "NoPrivacy", -8),
        ([to(STRANGER)], 0, "NoPrivacy", -8),
        ([], None, "NoPrivacy", -8),
        ([to(STRANGER), to(STRANGER)], None, "NoPrivacy", -8),
        ([to("nobody")], None, "NoPrivacy", -8),
        ([to(encode_sapling(bytes(43), network=Network.MAIN))], None, "NoPrivacy", -8),
        ([to(STRANGER, "1.123456789")], None, "NoPrivacy", -3),
        ([to(STRANGER, memo="zz")], None, "NoPrivacy", -8),
        ([to(STRANGER, memo="00" * 513)], None, "NoPrivacy", -8),
        ([to(T_ADDRESS, memo="00")], None, "NoPrivacy", -8),
        ([to(TEX_ADDRESS, memo="00")], None, "NoPrivacy", -8),
        ([to(STRANGER)], None, "LegacyCompat", -8),
        ([to(STRANGER)], None, "Whatever", -8),
        ([to(STRANGER)], None, None, -8),
        ([to(STRANGER)], None, "FullPrivacy", -8),
        ([to(T_ADDRESS)], None, "AllowRevealedAmounts", -8),
        ([to(TEX_ADDRESS)], None, "AllowRevealedAmounts", -8),
    ],
)  # fmt: skip
def test_refuses_a_send_before_it_becomes_an_operation(
    wallet: Wallet, recipients: list[dict[str, Any]], fee: Any, policy: str | None, code: int
) -> None:
    source = wallet.funded_address("5")
    fee = None if fee is None else float(fee)

    assert wallet.refused("z_sendmany", source, recipients, None, fee, policy) == code
    assert wallet("z_listoperationids") == []


@pytest.mark.parametrize("source", [STRANGER, "ANY_TADDR", "nobody", T_ADDRESS])
def test_refuses_to_send_from_what_is_not_its_own(wallet: Wallet, source: str) -> None:
    wallet.funded_address("5")

    assert wallet.refused("z_sendmany", source, [to(STRANGER)], None, None, "NoPrivacy") == -5


def test_makes_fifty_outputs_with_the_change_and_no_more(wallet: Wallet) -> None:
    source = wallet.funded_address("5", receivers=("sapling",))
    recipients = [
        to(encode_sapling(bytes([number, *bytes(42)]), network=Network.REGTEST), "0.01")
        for number in range(50)
    ]

    assert wallet.refused("z_sendmany", source, recipients) == -1
    assert wallet.send(source, *recipients[:49])["status"] == "success"


def test_makes_fifty_outputs_without_change(wallet: Wallet) -> None:
    source = wallet.funded_address("0.5025", receivers=("sapling",))
    recipients = [
        to(encode_sapling(bytes([number, *bytes(42)]), network=Network.REGTEST), "0.01")
        for number in range(50)
    ]

    assert wallet.send(source, *recipients)["status"] == "success"


def test_spends_fifty_notes_and_no_more(wallet: Wallet) -> None:
    source = wallet.funded_address(*["0.1"] * 51)

    assert wallet.refused("z_sendmany", source, [to(source, "5.05")]) == -1
    assert wallet("z_listoperationids") == []
    assert wallet.send(source, to(source, "4.95"))["status"] == "success"


def test_pays_a_tex_address_with_two_transactions(wallet: Wallet) -> None:
    source = wallet.funded_address("5")
    before = wallet.balance_zat()

    result = wallet.send(source, to(TEX_ADDRESS), policy="AllowRevealedRecipients")["result"]
    wallet("generate", 1)

    first, second = (wallet.row(txid) for txid in result["txids"])
    assert ("txid" in result, result["broadcast"]) == (False, True)
    assert [(output["to_address"], output["value"]) for output in second["outputs"]] == [(TEX_ADDRESS, ZEC)]
    assert wallet.balance_zat() == before - ZEC - first["fee_paid"] - second["fee_paid"]


def test_two_operations_can_choose_the_same_notes(wallet: Wallet) -> None:
    source = wallet.funded_address("5")
    wallet("sim_operations", {"hold": True})
    opids = [wallet("z_sendmany", source, [to(source)]) for _ in range(2)]

    wallet("sim_operations", {"hold": False})

    first, second = wallet("z_getoperationresult", [opids[0]]) + wallet("z_getoperationresult", [opids[1]])
    assert (first["status"], second["status"]) == ("success", "failed")
    assert second["error"]["code"] == -4
    assert wallet("z_getoperationstatus", opids) == []


def test_what_is_not_broadcast_says_so_and_moves_nothing(wallet: Wallet) -> None:
    source = wallet.funded_address("5")
    wallet("sim_operations", {"broadcast": False})

    operation = wallet.send(source, to(source))
    wallet("generate", 1)

    assert operation["result"]["broadcast"] is False
    assert wallet.row(operation["result"]["txid"])["mined_height"] is None
    assert wallet.balance_zat() == 5 * ZEC


def test_a_restart_forgets_operations_and_keeps_the_money(wallet: Wallet) -> None:
    source = wallet.funded_address("5")
    opid = wallet.send(source, to(source))["id"]

    wallet("sim_restart")

    assert wallet("z_getoperationstatus", [opid]) == wallet("z_listoperationids") == []
    assert len(wallet("z_listtransactions")) == 2


def test_lists_unspent_outputs_with_zallets_oddities(wallet: Wallet) -> None:
    both, other = wallet.new_address("p2pkh", "sapling", "orchard"), wallet.new_address("sapling")
    receivers = wallet("z_listunifiedreceivers", both)
    for address, amount in [(receivers["p2pkh"], "0.00005"), (receivers["p2pkh"], "0.00005001")]:
        wallet("sim_pay", address, amount)
    wallet("sim_pay", both, 1, "6869")
    wallet("sim_pay", receivers["sapling"], 2)
    wallet("sim_pay", other, 3)
    wallet("generate", 2)

    def unspent(*addresses: str) -> list[tuple[str, int, str]]:
        rows = wallet("z_listunspent", 1, 99, False, list(addresses))
        return [(row["pool"], row["valueZat"], row["address"]) for row in rows]

    public = ("transparent", 5001, receivers["p2pkh"])
    ironwood = ("ironwood", ZEC, encode_unified([parse(both).receivers[-1]], network=Network.REGTEST))
    sapling = ("sapling", 2 * ZEC, receivers["sapling"])
    others = ("sapling", 3 * ZEC, wallet("z_listunifiedreceivers", other)["sapling"])
    assert unspent() == [public, sapling, others, ironwood]
    assert unspent(both) == [public, sapling, ironwood]
    assert unspent(both, other) == [public]
    assert wallet("z_listunspent", 3) == []
    (row,) = [row for row in wallet("z_listunspent") if row["pool"] == "ironwood"]
    assert (row["value"], row["memoStr"], row["account_uuid"], row["walletInternal"]) == (
        1,
        "hi",
        wallet.uuid,
        False,
    )
    assert not {"amount", "spendable", "change", "account"} & set(row)
    assert wallet.refused("z_listunspent", 1, 99, False, ["nobody"]) == -8


def test_a_spent_note_is_gone_and_its_change_has_no_address(wallet: Wallet) -> None:
    source = wallet.funded_address("5")

    wallet.send(source, to(STRANGER), policy="AllowRevealedAmounts")

    (change,) = wallet("z_listunspent", 0)
    assert (change["walletInternal"], "address" in change, change["confirmations"]) == (True, False, 0)


def test_balances_tell_spendable_pending_and_dust_apart(wallet: Wallet) -> None:
    address = wallet.funded_address("2", "0.00005")
    wallet("sim_pay", address, 1)
    wallet("sim_pay", wallet("z_listunifiedreceivers", wallet.new_address("p2pkh", "orchard"))["p2pkh"], 4)

    (row,) = wallet("z_getbalances", 10)["accounts"]

    assert row["ironwood"] == {
        "spendable": {"valueZat": 2 * ZEC},
        "pending": {"valueZat": ZEC},
        "dust": {"valueZat": 5000},
    }
    assert row["transparent"] == {"regular": {"spendable": {"valueZat": 0}, "pending": {"valueZat": 4 * ZEC}}}
    assert row["total"]["pending"] == {"valueZat": 5 * ZEC}
    assert "sapling" not in row
    assert wallet("z_getbalanceforaccount", wallet.uuid, 1)["pools"] == {
        "ironwood": {"valueZat": 2 * ZEC + 5000}
    }
    assert wallet("z_gettotalbalance", 1, True) == {
        "transparent": "0.00000000", "private": "2.00005000", "total": "2.00005000",
    }  # fmt: skip
    assert wallet.refused("z_gettotalbalance") == -8


@pytest.mark.parametrize(
    ("condition", "code"), [({"behind": 101}, -10), ({"recovering": True}, -2), ({"locked": True}, -2)]
)
def test_a_locked_wallet_refuses_balances_and_sends_alone(
    wallet: Wallet, condition: dict[str, Any], code: int
) -> None:
    source = wallet.funded_address("5")
    wallet("sim_wallet", condition)

    calls: list[tuple[Any, ...]] = [
        ("z_getbalances",), ("z_getbalanceforaccount", 0), ("z_gettotalbalance", 1, True), ("z_listunspent",),
        ("z_sendmany", source, [to(source)]),
    ]  # fmt: skip
    assert {wallet.refused(*call) for call in calls} == {code}
    assert wallet("getwalletstatus")["locked"] is True
    assert wallet.new_address()
    assert wallet("z_listtransactions", wallet.uuid) is not None
    wallet("sim_wallet", {})
    assert wallet("getwalletstatus")["locked"] is False
    assert wallet.balance_zat() == 5 * ZEC


def test_a_wallet_that_is_behind_has_not_seen_the_last_blocks(wallet: Wallet) -> None:
    address = wallet.new_address()
    early = wallet("sim_pay", address, 1)
    wallet("generate", 5)
    late = wallet("sim_pay", address, 1)
    wallet("generate", 1)

    wallet("sim_wallet", {"behind": 3})

    status = wallet("getwalletstatus")
    assert (status["node_tip"]["height"], status["wallet_tip"]["height"], status["locked"]) == (6, 3, False)
    assert status["fully_synced_height"] == 3
    assert [row["txid"] for row in wallet("z_listtransactions")] == [early]
    assert wallet("z_viewtransaction", early)["confirmations"] == 3
    assert wallet.refused("z_viewtransaction", late) == -5
    assert wallet.balance_zat() == ZEC


def test_a_blank_wallet_lists_nothing_and_knows_its_addresses(wallet: Wallet) -> None:
    address = wallet.funded_address("1")
    (txid,) = [row["txid"] for row in wallet("z_listtransactions")]

    wallet("sim_wallet", {"blank": True})

    status = wallet("getwalletstatus")
    assert (status["fully_synced_height"], status["sync_work_remaining"]["unscanned_blocks"]) == (0, 10)
    assert wallet("z_listtransactions") == wallet("z_listunspent") == []
    assert wallet.refused("z_viewtransaction", txid) == -5
    assert wallet("z_listaccounts")[0]["addresses"][0]["ua"] == address
