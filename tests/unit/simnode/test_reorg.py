"""The simulated node's reorgs: what goes back to the mempool, what is lost, what comes again."""

from decimal import Decimal
from typing import Any

import pytest

from tests.unit.simnode.client import STRANGER, T_ADDRESS, Client, RefusedError
from zcash.simnode.chain import EXPIRY_BLOCKS


def received(rpc: Client, address: str) -> list[tuple[str, int, int]]:
    rows = rpc("z_listreceivedbyaddress", address, 0)
    return [(row["txid"], row["confirmations"], row["blockheight"]) for row in rows]


@pytest.mark.parametrize("depth", [1, 2, 5, 150])
def test_replaces_the_last_blocks_by_one_more(rpc: Client, depth: int) -> None:
    rpc("generate", 150)
    before = [block.hash for block in rpc.node.chain.blocks]

    tip = rpc("sim_reorg", depth)

    after = [block.hash for block in rpc.node.chain.blocks]
    assert len(after) == len(before) + 1
    assert after[-1] == tip == rpc("getbestblockhash")
    assert after[:-depth - 1] == before[:-depth]  # fmt: skip
    assert not set(after[-depth - 1 :]) & set(before)


@pytest.mark.parametrize("depth", [0, -1, 4])
def test_refuses_to_replace_blocks_that_are_not_there(rpc: Client, depth: int) -> None:
    rpc("generate", 3)

    assert rpc.refused("sim_reorg", depth) == -8


def test_a_transaction_goes_back_to_the_mempool_and_is_mined_when_told(rpc: Client) -> None:
    address = rpc.new_address()
    txid = rpc("sim_pay", address, 1)
    old_hash, *_ = rpc("generate", 3)

    rpc("sim_reorg", 3)

    assert received(rpc, address) == [(txid, 0, 0)]
    assert rpc.standing(txid) == ("waiting", 0)
    assert rpc("getrawmempool") == [txid]
    assert rpc.balance_zat() == 0
    rpc("generate", 2)
    assert received(rpc, address) == [(txid, 2, 5)]
    assert rpc("gettransaction", txid)["blockhash"] == rpc("getblockhash", 5) != old_hash


def test_a_transaction_below_the_fork_stays_where_it_is(rpc: Client) -> None:
    address = rpc.new_address()
    txid = rpc("sim_pay", address, 1)
    rpc("generate", 3)

    rpc("sim_reorg", 2)

    assert received(rpc, address) == [(txid, 4, 1)]
    assert rpc.refused("sim_reorg", 1, [txid]) == -8


def test_a_dropped_transaction_is_never_mined_again(rpc: Client) -> None:
    address = rpc.new_address()
    lost, kept = rpc("sim_pay", address, 1), rpc("sim_pay", address, 2)
    rpc("generate", 1)

    rpc("sim_reorg", 1, [lost])
    rpc("generate", 1)

    assert received(rpc, address) == [(kept, 1, 3)]
    assert rpc.standing(lost) == ("waiting", -1)
    assert rpc.refused("getrawtransaction", lost) == -5
    assert rpc.refused("sim_reorg", 1, ["00" * 32]) == -5
    rpc("generate", EXPIRY_BLOCKS)
    assert rpc.standing(lost) == ("expired", -1)


def test_what_spends_a_dropped_transaction_is_lost_with_it(rpc: Client) -> None:
    address = rpc.new_address()
    paid = rpc("sim_pay", address, 1)
    rpc("generate", 1)
    opid = rpc("z_sendmany", address, [{"address": STRANGER, "amount": "0.1"}], 1)
    (operation,) = rpc("z_getoperationresult", [opid])
    rpc("generate", 1)

    rpc("sim_reorg", 2, [paid])

    assert rpc("getrawmempool") == []
    assert rpc.standing(operation["result"]["txid"])[1] == -1
    assert rpc.balance_zat(0) == 0


def test_a_child_waits_for_its_parent(rpc: Client) -> None:
    address = rpc.new_address()
    paid = rpc("sim_pay", address, 1)
    rpc("generate", 1)
    opid = rpc("z_sendmany", address, [{"address": STRANGER, "amount": "0.1"}], 1)
    child = rpc("z_getoperationresult", [opid])[0]["result"]["txid"]
    rpc("generate", 1)
    rpc("sim_reorg", 2)

    rpc("sim_hold", paid)
    rpc("generate", 1)
    assert rpc("getrawmempool") == [paid, child]
    rpc("sim_release", paid)
    rpc("generate", 1)

    assert rpc.node.chain.tip.txids == (paid, child)


def test_a_transaction_that_is_held_back_expires(rpc: Client) -> None:
    address = rpc.new_address()
    txid = rpc("sim_pay", address, 1)
    rpc("sim_hold", txid)

    seen = []
    for _ in range(EXPIRY_BLOCKS):
        rpc("generate", 1)
        seen.append(rpc.standing(txid))

    assert seen[:-4] == [("waiting", 0)] * (EXPIRY_BLOCKS - 4)
    assert seen[-4:] == [("expiringsoon", 0)] * 3 + [("expired", -1)]
    assert received(rpc, address) == []
    assert rpc("getrawmempool") == []
    rpc("sim_release", txid)
    rpc("generate", 1)
    assert rpc.standing(txid) == ("expired", -1)


def test_replaced_money_is_paid_elsewhere(rpc: Client) -> None:
    address, other = rpc.new_address(), rpc.new_address()
    old = rpc("sim_pay", address, 1)

    new = rpc("sim_replace", old, other, "0.5")

    assert rpc("getrawmempool") == [new]
    assert (received(rpc, address), received(rpc, other)) == ([], [(new, 0, 0)])
    assert rpc.standing(old) == ("waiting", -1)
    assert rpc("gettransaction", old)["walletconflicts"] == [new]
    rpc("generate", 3)
    assert rpc.standing(old) == ("waiting", -3)
    assert rpc.standing(new) == ("mined", 3)
    assert rpc.node.chain.issued_zat == 10**8


def test_replaced_money_may_go_where_nobody_sees_it(rpc: Client) -> None:
    address = rpc.new_address()
    old = rpc("sim_pay", address, 1)

    assert rpc("sim_replace", old) is None

    assert (rpc("getrawmempool"), received(rpc, address)) == ([], [])
    assert rpc.standing(old) == ("waiting", -1)


def test_replaces_a_mined_payment_only_once_it_was_reorganised_out(rpc: Client) -> None:
    old = rpc("sim_pay", rpc.new_address(), 1)
    rpc("generate", 1)
    assert rpc.refused("sim_replace", old, STRANGER, 1) == -8

    rpc("sim_reorg", 1)
    new = rpc("sim_replace", old, STRANGER, 1)
    rpc("generate", 1)

    assert rpc.node.chain.tip.txids == (new,)
    assert rpc.standing(old) == ("waiting", -1)
    assert rpc.refused("sim_replace", "00" * 32) == -5


def test_a_rival_that_an_old_branch_holds_wins_when_that_branch_comes_back(rpc: Client) -> None:
    address, other = rpc.new_address(), rpc.new_address()
    old = rpc("sim_pay", address, 1)
    (block,) = rpc("generate", 1)
    rpc("invalidateblock", block)
    new = rpc("sim_replace", old, other, 1)

    rpc("reconsiderblock", block)

    assert received(rpc, address) == [(old, 1, 1)]
    assert received(rpc, other) == []
    assert rpc.standing(new) == ("waiting", -1)


def test_leaves_an_invalidated_block_and_comes_back(rpc: Client) -> None:
    address = rpc.new_address()
    txid = rpc("sim_pay", address, 1)
    hashes = rpc("generate", 4)

    assert rpc("invalidateblock", hashes[0]) is None
    assert (rpc("getblockcount"), received(rpc, address)) == (0, [(txid, 0, 0)])
    (mined,) = rpc("generate", 1)
    assert mined not in hashes
    assert received(rpc, address) == [(txid, 1, 1)]

    rpc("reconsiderblock", hashes[2])
    assert rpc("getbestblockhash") == hashes[-1]
    assert received(rpc, address) == [(txid, 4, 1)]
    assert rpc("getrawmempool") == []


def test_a_reconsidered_branch_of_equal_length_waits(rpc: Client) -> None:
    (first,) = rpc("generate", 1)
    rpc("invalidateblock", first)
    (second,) = rpc("generate", 1)

    rpc("reconsiderblock", first)

    assert rpc("getbestblockhash") == second
    rpc("invalidateblock", second)
    assert rpc("getbestblockhash") == first


@pytest.mark.parametrize("method", ["invalidateblock", "reconsiderblock"])
def test_refuses_a_block_that_does_not_exist(rpc: Client, method: str) -> None:
    assert rpc.refused(method, "00" * 32) == -5
    assert rpc.refused(method, "nonsense") == -8


def test_never_leaves_the_genesis_block(rpc: Client) -> None:
    assert rpc.refused("invalidateblock", rpc("getblockhash", 0)) == -8


def test_pays_several_outputs_in_one_transaction(rpc: Client) -> None:
    address, other = rpc.new_address("p2pkh", "sapling"), rpc.new_address()
    p2pkh = rpc("z_listunifiedreceivers", address)["p2pkh"]
    outputs = [
        {"address": p2pkh, "amount": "0.1"},
        {"address": address, "amount": "0.2", "memo": "6869"},
        {"address": address, "amount": "0.2"},
        {"address": other, "amount": 1},
    ]

    txid = rpc("sim_pay_many", outputs)
    rpc("generate", 1)

    rows = rpc("z_listreceivedbyaddress", address)
    assert {row["txid"] for row in rows} == {txid}
    assert sorted((row["pool"], row["outindex"], row["amount"]) for row in rows) == [
        ("sapling", 0, Decimal("0.2")), ("sapling", 1, Decimal("0.2")), ("transparent", 0, Decimal("0.1")),
    ]  # fmt: skip
    assert [row["outindex"] for row in rpc("z_listreceivedbyaddress", other)] == [2]


@pytest.mark.parametrize(
    ("outputs", "code"),
    [
        ([], -8),
        ([{"address": STRANGER, "amount": 1}] * 1001, -8),
        ([{"address": STRANGER, "amount": 1, "to": 1}], -8),
        ([{"address": T_ADDRESS, "amount": 1, "memo": "00"}], -8),
        ([{"address": "nonsense", "amount": 1}], -5),
        ([{"amount": 1}], -3),
        ([{"address": STRANGER}], -3),
        ([STRANGER], -3),
        ("nonsense", -3),
        ([{"address": STRANGER, "amount": 21_000_000}, {"address": STRANGER, "amount": 1}], -6),
    ],
)
def test_refuses_outputs_that_cannot_be(rpc: Client, outputs: Any, code: int) -> None:
    assert rpc.refused("sim_pay_many", outputs) == code
    assert rpc.node.chain.transactions == {}


def test_tells_a_raw_transaction_in_every_place(rpc: Client) -> None:
    txid = rpc("sim_pay_many", [{"address": T_ADDRESS, "amount": "0.3"}, {"address": STRANGER, "amount": 1}])
    assert bytes.fromhex(rpc("getrawtransaction", txid))
    waiting = rpc("getrawtransaction", txid, 1)
    assert "height" not in waiting
    assert [(each["valueZat"], each["n"], each["scriptPubKey"]["addresses"]) for each in waiting["vout"]] == [
        (30_000_000, 0, [T_ADDRESS])
    ]

    block, *_ = rpc("generate", 2)
    mined = rpc("getrawtransaction", txid, 1)
    assert (mined["height"], mined["confirmations"], mined["blockhash"]) == (1, 2, block)

    rpc("sim_reorg", 2)
    beside = rpc("getrawtransaction", txid, 1, block)
    assert (beside["height"], beside["confirmations"], beside["blockhash"]) == (-1, 0, block)
    assert "height" not in rpc("getrawtransaction", txid, 1)
    assert rpc.refused("getrawtransaction", txid, 0, rpc("getbestblockhash")) == -5
    assert rpc.refused("getrawtransaction", "00" * 32) == -5
    assert set(rpc("getrawmempool", True)) == {txid}


def test_counts_pools_along_the_best_chain(rpc: Client) -> None:
    rpc("sim_pay", STRANGER, 2)
    rpc("generate", 1)
    rpc("sim_fund_address", T_ADDRESS, 1)

    rpc("sim_reorg", 1)

    pools = {pool["id"]: pool["chainValueZat"] for pool in rpc("getblockchaininfo")["valuePools"]}
    assert pools == {"transparent": 0, "sapling": 2 * 10**8, "orchard": 0}
    assert rpc("getaddressbalance", T_ADDRESS)["balance"] == 0


def test_a_blank_wallet_lists_nothing_and_knows_nothing(rpc: Client) -> None:
    address = rpc.new_address()
    txid = rpc("sim_pay", address, 1)
    rpc("generate", 1)

    rpc.node.condition.blank = True

    assert (received(rpc, address), rpc("z_listunspent"), rpc.balance_zat()) == ([], [], 0)
    for method in ("gettransaction", "z_viewtransaction"):
        with pytest.raises(RefusedError, match="non-wallet"):
            rpc(method, txid)


def test_what_was_mined_comes_back_before_what_spends_it(rpc: Client) -> None:
    address = rpc.new_address()
    paid = rpc("sim_pay", address, 1)
    rpc("generate", 1)
    opid = rpc("z_sendmany", address, [{"address": STRANGER, "amount": "0.1"}], 1)
    child = rpc("z_getoperationresult", [opid])[0]["result"]["txid"]

    rpc("sim_reorg", 1)
    rpc("generate", 1)

    assert rpc.node.chain.tip.txids == (paid, child)


def test_a_dropped_transaction_stays_dropped_when_its_old_branch_comes_and_goes(rpc: Client) -> None:
    lost = rpc("sim_pay", rpc.new_address(), 1)
    (old,) = rpc("generate", 1)
    rpc("sim_reorg", 1, [lost])
    first_of_the_new = rpc("getblockhash", 1)
    rpc("invalidateblock", first_of_the_new)
    assert rpc.standing(lost) == ("mined", 1)

    rpc("invalidateblock", old)

    assert rpc("getrawmempool") == []
    assert rpc.standing(lost) == ("waiting", -1)
