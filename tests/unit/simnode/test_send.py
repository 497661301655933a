"""What the simulated node's wallet spends, pays and keeps, without HTTP."""

from decimal import Decimal

import pytest

from tests.unit.simnode.client import (
    FEE_ZAT,
    STRANGER,
    T_ADDRESS,
    TEX_ADDRESS,
    ZEC,
    Client,
    send,
)
from zcash.addresses import (
    ORCHARD,
    P2PKH,
    P2SH,
    SAPLING,
    Network,
    Receiver,
    encode_unified,
    parse,
)
from zcash.simnode.chain import EXPIRY_BLOCKS
from zcash.simnode.errors import RpcError
from zcash.simnode.fees import conventional_fee_zat
from zcash.simnode.history import account_transactions
from zcash.simnode.policies import Policy, check_policy
from zcash.simnode.spending import (
    InsufficientFundsError,
    Recipient,
    Source,
    carry_out,
    plan,
)

MIXED = encode_unified([Receiver(SAPLING, b"s" * 43), Receiver(ORCHARD, b"o" * 43)], network=Network.REGTEST)


def test_balances_fall_by_exactly_amount_and_fee(rpc: Client, service: str) -> None:
    txid = send(rpc, service, (STRANGER, "0.3"))["result"]["txid"]

    # The note is spent as soon as the transaction waits; its change counts from its first block on.
    assert rpc.balance_zat(1) == 0
    assert rpc.balance_zat(0) == ZEC - 30_000_000 - FEE_ZAT
    rpc("generate", 1)
    assert rpc.balance_zat(1) == ZEC - 30_000_000 - FEE_ZAT
    assert rpc.standing(txid) == ("mined", 1)
    assert rpc("z_listreceivedbyaddress", service)[0]["amountZat"] == ZEC


def test_change_is_a_note_without_an_address(rpc: Client, service: str) -> None:
    txid = send(rpc, service, (STRANGER, "0.3"))["result"]["txid"]
    rpc("generate", 1)

    (row,) = rpc("z_listunspent")

    assert (row["txid"], row["change"], row["account"], row["pool"]) == (txid, True, 0, "sapling")
    assert row["amount"] == Decimal("0.6999")
    assert "address" not in row


def test_looks_back_to_before_a_spend(rpc: Client, service: str) -> None:
    send(rpc, service, (STRANGER, "0.3"))
    rpc("generate", 1)

    assert rpc("z_getbalanceforaccount", 0, 1, 10)["pools"] == {"sapling": {"valueZat": ZEC}}
    (row,) = rpc("z_listunspent", 1, 9_999_999, False, [], 10)
    assert (row["address"], row["change"]) == (service, False)
    assert rpc("z_getbalanceforaccount", 0, 1, 11)["pools"] == {"sapling": {"valueZat": 69_990_000}}


def test_shows_what_it_spent_and_paid(rpc: Client, service: str) -> None:
    paid = rpc("z_listunspent")[0]["txid"]
    rows = [{"address": MIXED, "amount": "0.3", "memo": b"refund".hex()}]
    opid = rpc("z_sendmany", service, rows, 1, None, "FullPrivacy")
    txid = rpc("z_getoperationresult", [opid])[0]["result"]["txid"]

    view = rpc("z_viewtransaction", txid)

    assert set(view) == {"txid", "spends", "outputs"}
    assert view["spends"] == [
        {
            "pool": "sapling",
            "spend": 0,
            "txidPrev": paid,
            "outputPrev": 0,
            "address": service,
            "value": 1,
            "valueZat": ZEC,
        }
    ]
    payment, change = view["outputs"]
    # The wallet remembers the unified address that it paid, at its Sapling receiver.
    assert (payment["address"], payment["pool"], payment["output"]) == (MIXED, "sapling", 0)
    assert (payment["outgoing"], payment["walletInternal"], payment["valueZat"]) == (True, False, 30_000_000)
    assert payment["memoStr"] == "refund"
    assert (change["outgoing"], change["walletInternal"], change["valueZat"]) == (False, True, 69_990_000)
    assert change["value"] == Decimal("0.6999")
    assert change["memo"] == "f6" + "00" * 511
    assert "address" not in change


def test_shows_of_a_strangers_payment_what_it_received_alone(rpc: Client) -> None:
    address = rpc.new_address("sapling", "orchard")
    outputs = [{"address": STRANGER, "amount": 1}, {"address": address, "amount": 2}]
    txid = rpc("sim_pay_many", outputs)

    view = rpc("z_viewtransaction", txid)

    assert view["spends"] == []
    (row,) = view["outputs"]
    assert (row["pool"], row["action"], row["address"], row["outgoing"]) == ("orchard", 0, address, False)
    assert rpc.refused("z_viewtransaction", rpc("sim_pay", STRANGER, 1)) == -5


def test_what_an_address_pays_to_itself_is_change_there(rpc: Client, service: str) -> None:
    other = rpc.new_address()

    send(rpc, service, (service, "0.1"), (other, "0.1"))
    rpc("generate", 1)

    rows = {row["amountZat"]: row["change"] for row in rpc("z_listreceivedbyaddress", service)}
    assert rows == {ZEC: False, 10_000_000: True}
    assert [row["change"] for row in rpc("z_listreceivedbyaddress", other)] == [False]


def test_a_payment_expires_forty_blocks_on_and_the_money_is_back(rpc: Client, service: str) -> None:
    txid = send(rpc, service, (STRANGER, "0.3"))["result"]["txid"]
    rpc("sim_hold", txid)
    height = rpc("getblockcount")
    assert rpc("getrawtransaction", txid, 1)["expiryheight"] == height + EXPIRY_BLOCKS

    rpc("generate", EXPIRY_BLOCKS - 1)
    assert rpc.balance_zat(1) == 0
    rpc("generate", 1)

    assert rpc.standing(txid) == ("expired", -1)
    assert rpc.balance_zat(1) == ZEC
    (found,) = [each for each in account_transactions(rpc.node, 0) if each.txid == txid]
    assert (found.is_expired, found.fee_zat, found.delta_zat) == (True, FEE_ZAT, -30_000_000 - FEE_ZAT)


def test_a_payment_comes_back_with_a_reorg(rpc: Client, service: str) -> None:
    txid = send(rpc, service, (STRANGER, "0.3"))["result"]["txid"]
    rpc("generate", 2)

    rpc("sim_reorg", 2, [txid])

    assert rpc.standing(txid) == ("waiting", -1)
    assert rpc.balance_zat(1) == ZEC


def test_takes_the_fewest_notes(rpc: Client) -> None:
    address = rpc.new_address()
    for amount in ("0.1", "0.4", "0.2"):
        rpc("sim_pay", address, amount)
    rpc("generate", 1)

    found = send(rpc, address, (STRANGER, "0.5"))

    spends = rpc("z_viewtransaction", found["result"]["txid"])["spends"]
    assert [spend["valueZat"] for spend in spends] == [40_000_000, 20_000_000]
    rpc("generate", 1)
    assert rpc.balance_zat() == 20_000_000 - FEE_ZAT


def test_spends_all_that_is_there_without_change(rpc: Client, service: str) -> None:
    found = send(rpc, service, (STRANGER, "0.9999"))

    assert len(rpc("z_viewtransaction", found["result"]["txid"])["outputs"]) == 1
    assert rpc.balance_zat(0) == 0


def test_one_zatoshi_too_much_is_insufficient(rpc: Client, service: str) -> None:
    found = send(rpc, service, (STRANGER, "0.99990001"))

    assert (found["status"], found["error"]["code"]) == ("failed", -6)
    assert found["error"]["message"] == "Insufficient funds: have 1.00000000, need 1.00000001"
    assert rpc("getrawmempool") == []


def test_spends_unconfirmed_notes_never_and_by_default_only_old_ones(rpc: Client) -> None:
    address = rpc.new_address()
    rpc("sim_pay", address, 1)
    rows = [{"address": STRANGER, "amount": "0.1"}]

    def status(*minconf: int) -> str:
        (operation,) = rpc("z_getoperationresult", [rpc("z_sendmany", address, rows, *minconf)])
        found: str = operation["status"]
        return found

    assert status(0) == "failed"
    rpc("generate", 9)
    assert status() == "failed"
    rpc("generate", 1)
    assert status() == "success"


def test_leaves_the_transparent_receivers_money_alone(rpc: Client) -> None:
    address = rpc.new_address("p2pkh", "sapling")
    rpc("sim_pay", rpc("z_listunifiedreceivers", address)["p2pkh"], 1)
    rpc("generate", 1)

    assert send(rpc, address, (STRANGER, "0.1"))["error"]["code"] == -6


def test_pays_a_transparent_recipient_for_an_action_more(rpc: Client, service: str) -> None:
    found = send(rpc, service, (T_ADDRESS, "0.3"), policy="AllowRevealedRecipients")
    rpc("generate", 1)

    assert rpc("getaddressbalance", T_ADDRESS)["balance"] == 30_000_000
    assert rpc.balance_zat() == ZEC - 30_000_000 - 15_000
    shown = rpc("gettransaction", found["result"]["txid"])
    assert [(row["category"], row["address"], row["amountZat"]) for row in shown["details"]] == [
        ("send", T_ADDRESS, -30_000_000)
    ]
    # What is public of it is in no shielded view.
    assert len(rpc("z_viewtransaction", found["result"]["txid"])["outputs"]) == 1


@pytest.mark.parametrize("policy", [None, "FullPrivacy", "AllowRevealedAmounts", "AllowRevealedSenders"])
def test_reveals_no_recipient_unless_told(rpc: Client, service: str, policy: str | None) -> None:
    found = send(rpc, service, (T_ADDRESS, "0.3"), policy=policy)

    assert (found["status"], found["error"]["code"]) == ("failed", -8)
    assert "AllowRevealedRecipients" in found["error"]["message"]
    assert rpc.balance_zat() == ZEC


@pytest.mark.parametrize(
    ("inputs", "outputs", "fee_zat"),
    [
        ([SAPLING], [SAPLING, SAPLING], 10_000),
        ([SAPLING], [SAPLING], 10_000),
        ([SAPLING], [P2PKH, SAPLING], 15_000),
        ([P2PKH], [P2PKH, P2PKH], 10_000),
        ([P2PKH], [SAPLING], 15_000),
        ([ORCHARD], [SAPLING, ORCHARD], 20_000),
        ([SAPLING] * 7, [SAPLING] * 2, 35_000),
        ([SAPLING] * 2, [SAPLING] * 51, 255_000),
        # 17 scripts of 32 bytes are as long as 16 of 34.
        ([SAPLING], [P2SH] * 17, 90_000),
    ],
)
def test_pays_the_conventional_fee(inputs: list[int], outputs: list[int], fee_zat: int) -> None:
    assert conventional_fee_zat(inputs=inputs, outputs=outputs) == fee_zat


def recipient(address: str, amount_zat: int) -> Recipient:
    parsed = parse(address)
    return Recipient(parsed.receivers[-1], address, amount_zat, is_tex=address == TEX_ADDRESS)


def test_pays_a_tex_address_by_two_transactions(rpc: Client, service: str) -> None:
    recipients = [recipient(TEX_ADDRESS, 20_000_000), recipient(STRANGER, 1_000_000)]

    made = plan(rpc.node, recipients, source=Source(0, (SAPLING,), minconf=10))
    first, second = carry_out(rpc.node, made, sent=True)
    assert rpc("getrawmempool") == [first, second]
    rpc("generate", 1)

    assert rpc.node.chain.tip.txids == (first, second)
    assert rpc("getaddressbalance", T_ADDRESS)["balance"] == 20_000_000
    # The first pays a shielded recipient, the money of the second, and change; the second is 1 to 1.
    assert rpc.balance_zat() == ZEC - 21_000_000 - 15_000 - 10_000
    assert rpc("z_getbalanceforaccount", 0)["pools"].keys() == {"sapling"}


def test_trusts_its_own_change_sooner(rpc: Client, service: str) -> None:
    send(rpc, service, (STRANGER, "0.5"))
    rpc("generate", 3)
    wanted = [recipient(STRANGER, 10_000_000)]

    with pytest.raises(InsufficientFundsError):
        plan(rpc.node, wanted, source=Source(0, (SAPLING,), minconf=10))

    assert plan(rpc.node, wanted, source=Source(0, (SAPLING,), minconf=10, change_minconf=3)).notes


def test_crosses_pools_only_where_amounts_may_show(rpc: Client) -> None:
    rpc("sim_pay", rpc.new_address("orchard"), 1)
    rpc("generate", 1)

    (crossing,) = plan(
        rpc.node, [recipient(STRANGER, 1)], source=Source(0, (SAPLING, ORCHARD), minconf=1)
    ).transactions

    assert rpc.node.chain.fee_zat(crossing) == 20_000
    with pytest.raises(RpcError, match="AllowRevealedAmounts"):
        check_policy(crossing, chain=rpc.node.chain, policy=Policy.FULL)
    check_policy(crossing, chain=rpc.node.chain, policy=Policy.AMOUNTS)
