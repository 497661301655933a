"""Operations of the simulated wallet: what is refused at once, and what becomes of the rest."""

from typing import Any

import pytest

from tests.unit.simnode.client import (
    MAINNET,
    NOW,
    STRANGER,
    T_ADDRESS,
    TEX_ADDRESS,
    ZEC,
    Client,
    RefusedError,
    send,
)
from tests.unit.simnode.test_send import recipient
from zcash.addresses import (
    ORCHARD,
    SAPLING,
    Network,
    Receiver,
    encode_unified,
)
from zcash.simnode.chain import EXPIRY_BLOCKS
from zcash.simnode.spending import (
    Source,
    SpentMeanwhileError,
    carry_out,
    plan,
)

ORCHARD_ONLY = encode_unified([Receiver(ORCHARD, b"o" * 43)], network=Network.REGTEST)


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        ([], -8),
        ("nonsense", -3),
        ([STRANGER], -3),
        ([{"amount": 1}], -3),
        ([{"address": STRANGER}], -3),
        ([{"address": STRANGER, "amount": 0}], -3),
        ([{"address": STRANGER, "amount": "0.000000001"}], -3),
        ([{"address": STRANGER, "amount": 21_000_001}], -3),
        ([{"address": "nonsense", "amount": 1}], -8),
        ([{"address": MAINNET, "amount": 1}], -8),
        ([{"address": TEX_ADDRESS, "amount": 1}], -8),
        ([{"address": ORCHARD_ONLY, "amount": 1}], -8),
        ([{"address": STRANGER, "amount": 1, "fee": 1}], -8),
        ([{"address": STRANGER, "amount": 1, "memo": "0"}], -8),
        ([{"address": STRANGER, "amount": 1, "memo": "00" * 513}], -8),
        ([{"address": T_ADDRESS, "amount": 1, "memo": "00"}], -8),
        ([{"address": STRANGER, "amount": 1}, {"address": STRANGER.upper(), "amount": 1}], -8),
    ],
)
def test_refuses_recipients_at_once(rpc: Client, service: str, rows: Any, code: int) -> None:
    assert rpc.refused("z_sendmany", service, rows) == code
    assert rpc("z_listoperationids") == []


def test_refuses_to_send_from_what_is_no_address_of_its_own(rpc: Client, service: str) -> None:
    rows = [{"address": STRANGER, "amount": 1}]
    sapling = rpc("z_listunifiedreceivers", service)["sapling"]

    for source, code in [("nonsense", -5), (STRANGER, -5), (sapling, -8), (rpc.new_address("orchard"), -8)]:
        assert rpc.refused("z_sendmany", source, rows) == code


@pytest.mark.parametrize(
    ("rest", "code"),
    [
        (["1"], -3),
        ([-1], -8),
        ([1, "0.0001"], -8),
        ([1, None, "Private"], -8),
        ([1, None, 1], -3),
        ([1, None, None, 1], -1),
    ],
)
def test_refuses_other_parameters_at_once(rpc: Client, service: str, rest: list[Any], code: int) -> None:
    assert rpc.refused("z_sendmany", service, [{"address": STRANGER, "amount": "0.1"}], *rest) == code


def test_follows_an_operation_to_its_end(rpc: Client, service: str) -> None:
    rows = [{"address": STRANGER, "amount": "0.1"}]
    rpc("sim_operations", {"hold": True})
    first, second = (rpc("z_sendmany", service, rows, 1) for _ in range(2))

    assert [each["status"] for each in rpc("z_getoperationstatus")] == ["executing", "queued"]
    assert rpc("z_getoperationresult", [first, second]) == []
    assert rpc("getrawmempool") == []
    assert rpc("z_listoperationids", "queued") == [second]

    rpc("sim_operations", {"hold": False})
    done, failed = rpc("z_getoperationstatus", [first, second, "opid-nonsense"])
    assert (done["id"], done["status"], done["creation_time"]) == (first, "success", NOW)
    assert (done["method"], set(done["params"])) == ("z_sendmany", {"fromaddress", "amounts", "minconf"})
    assert rpc("getrawmempool") == [done["result"]["txid"]]
    # The one note is spent by then, and its change has no confirmation.
    assert (failed["status"], failed["error"]["code"]) == ("failed", -6)

    assert rpc("z_getoperationresult", [first]) == [done]
    assert rpc("z_getoperationresult", [first]) == []
    assert rpc("z_listoperationids") == [second]
    assert rpc.refused("z_listoperationids", "lost") == -8


def test_a_restart_forgets_operations_and_keeps_money(rpc: Client, service: str) -> None:
    restarts: list[bool] = []
    rpc.node.on_restart = lambda: restarts.append(True)
    txid = send(rpc, service, (STRANGER, "0.1"))["result"]["txid"]
    rpc("sim_operations", {"hold": True})
    held = rpc("z_sendmany", service, [{"address": STRANGER, "amount": "0.1"}], 1)

    rpc("sim_restart")
    rpc("sim_operations", {"hold": False})

    assert rpc("z_getoperationstatus", [held]) == []
    assert rpc("getrawmempool") == [txid]
    assert restarts == [True]


def test_operations_fail_as_told(rpc: Client, service: str) -> None:
    rpc("sim_operations", {"fail": {"code": -16, "message": "no signature"}})

    assert send(rpc, service, (STRANGER, "0.1"))["error"] == {"code": -16, "message": "no signature"}
    assert rpc.balance_zat() == ZEC

    rpc("sim_operations", {"fail": None})
    assert send(rpc, service, (STRANGER, "0.1"))["status"] == "success"


def test_what_is_built_and_not_sent_is_known_and_never_mined(rpc: Client, service: str) -> None:
    rpc("sim_operations", {"broadcast": False})

    txid = send(rpc, service, (STRANGER, "0.1"))["result"]["txid"]
    rpc("generate", 1)

    assert rpc.standing(txid) == ("waiting", -1)
    assert rpc.balance_zat() == ZEC
    rpc("generate", EXPIRY_BLOCKS)
    assert rpc.standing(txid) == ("expired", -1)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"pause": True}, -8),
        ({"hold": 1}, -3),
        ({"fail": "yes"}, -3),
        ({"fail": {"code": "x", "message": ""}}, -3),
        (None, -3),
    ],
)
def test_refuses_switches_that_do_not_exist(rpc: Client, fields: Any, code: int) -> None:
    assert rpc.refused("sim_operations", fields) == code


def test_carries_out_no_plan_whose_notes_are_gone(rpc: Client, service: str) -> None:
    made = plan(rpc.node, [recipient(STRANGER, 1)], source=Source(0, (SAPLING,), minconf=1))
    send(rpc, service, (STRANGER, "0.5"))

    with pytest.raises(SpentMeanwhileError):
        carry_out(rpc.node, made, sent=True)


def test_refuses_an_unfinished_call(rpc: Client) -> None:
    with pytest.raises(RefusedError, match="z_sendmany fromaddress"):
        rpc("z_sendmany", STRANGER)
