"""The simulated node's chain and calls, without HTTP: answers and refusals as zcashd gives them."""

from pathlib import Path
from typing import Any

import pytest

from tests.unit.simnode.client import (
    NOW,
    STRANGER,
    T_ADDRESS,
    Client,
    RefusedError,
)
from zcash.simnode.blocks import GENESIS_HASH
from zcash.simnode.node import Node


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
        ("sim_pay", [T_ADDRESS, 1, "00", "one", 1]),
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
