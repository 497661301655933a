"""Faults of the simulated node: which calls meet one, and what a wrong or lagging chain looks like."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.simnode.client import NOW
from zcash.simnode.dialects import Dialect
from zcash.simnode.faults import Fault, Faults, Kind
from zcash.simnode.node import Node
from zcash.simnode.rpc import Rpc, methods_called
from zcash.simnode.tables import Switches, methods_of


class Port:
    """Calls the RPC of a dialect without a server; faults are taken as the server takes them."""

    def __init__(self, node: Node, dialect: Dialect) -> None:
        self.faults = Faults()
        switches = Switches(self.faults, stop=lambda: None)
        self.rpc = Rpc(node, methods=methods_of(dialect, switches=switches), dialect=dialect)

    def __call__(self, method: str, *params: Any) -> Any:
        body = json.dumps({"method": method, "params": params, "id": 1}).encode()
        _, text = self.rpc.answer(body, fault=self.faults.take(methods_called(body)))
        reply = json.loads(text)
        return reply["error"]["code"] if reply["error"] else reply["result"]


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    node = Node(tmp_path, clock=lambda: NOW)
    yield node
    node.close()


def met(faults: Faults, *methods: str) -> list[bool]:
    return [faults.take([method]) is not None for method in methods]


def test_without_a_fault_nothing_is_met() -> None:
    faults = Faults()

    assert (faults.is_armed, met(faults, "getinfo")) == (False, [False])


def test_a_fault_meets_so_many_calls_after_so_many() -> None:
    faults = Faults()

    faults.switch(Fault(Kind.HANG, times=2, after=1))

    assert met(faults, "a", "b", "c", "d") == [False, True, True, False]
    assert not faults.is_armed


def test_a_fault_of_one_method_counts_its_calls_alone() -> None:
    faults = Faults()

    faults.switch(Fault(Kind.HANG, method="b", times=1, after=1))

    assert met(faults, "a", "b", "a", "b", "b") == [False, False, False, True, False]


def test_a_fault_without_a_number_lasts_until_it_is_switched_off() -> None:
    faults = Faults()
    faults.switch(Fault(Kind.HANG))

    assert met(faults, *["a"] * 20) == [True] * 20
    faults.switch(None)
    assert met(faults, "a") == [False]


def test_control_methods_never_meet_a_fault() -> None:
    faults = Faults()
    faults.switch(Fault(Kind.HANG))

    assert met(faults, "sim_fault", "sim_pay") == [False, False]
    assert faults.take(["sim_fault", "getinfo"]) is not None
    assert faults.take([]) is None


@pytest.mark.parametrize(
    "body", [b"", b"{", b"5", b"[5]", b'{"method":5}', b"[]"], ids=lambda body: str(body)
)
def test_a_request_without_methods_calls_none(body: bytes) -> None:
    assert methods_called(body) == []


@pytest.mark.parametrize(
    "fields",
    [
        {}, {"kind": "nope"}, {"kind": 5}, {"kind": "hang", "method": 5},
        {"kind": "hang", "method": "sim_pay"},
        {"kind": "hang", "times": 0}, {"kind": "hang", "times": True}, {"kind": "hang", "times": 1.5},
        {"kind": "hang", "after": -1}, {"kind": "hang", "seconds": -1}, {"kind": "hang", "seconds": 3601},
        {"kind": "hang", "seconds": "1"}, {"kind": "hang", "extra": 1}, [], "hang",
    ],
)  # fmt: skip
def test_refuses_a_fault_that_is_none(node: Node, fields: Any) -> None:
    port = Port(node, Dialect.ZCASHD)

    assert port("sim_fault", fields) in (-3, -8)
    assert not port.faults.is_armed


def test_switches_every_kind_on_and_off(node: Node) -> None:
    port = Port(node, Dialect.ZALLET)

    for kind in Kind:
        assert port("sim_fault", {"kind": kind, "times": None, "method": None, "seconds": 0.5}) is None
        assert port.faults.take(["x"]) == Fault(kind, seconds=0.5)
    assert port("sim_fault", None) is None
    assert not port.faults.is_armed


@pytest.mark.parametrize("dialect", Dialect)
def test_another_chain_has_another_genesis_block_and_name(node: Node, dialect: Dialect) -> None:
    port = Port(node, dialect)
    calls: dict[Dialect, list[tuple[Any, ...]]] = {
        Dialect.ZALLET: [("getwalletstatus",)],
        Dialect.ZCASHD: [("getblockchaininfo",), ("getblockhash", 0), ("getbestblockhash",)],
        Dialect.ZEBRA: [("getblockchaininfo",), ("getblockhash", 0), ("getbestblockheightandhash",)],
    }
    right = [port(*call) for call in calls[dialect]]

    port("sim_fault", {"kind": "wrong_chain"})
    wrong = [port(*call) for call in calls[dialect]]
    again = [port(*call) for call in calls[dialect]]

    assert wrong == again
    assert all(one != other for one, other in zip(right, wrong, strict=True))
    if dialect is not Dialect.ZALLET:
        assert wrong[0]["chain"] == "main"
        # It is one chain: the hash of its best block is the same wherever it is asked for.
        assert (
            wrong[0]["bestblockhash"]
            == wrong[1]
            == (wrong[2] if isinstance(wrong[2], str) else wrong[2]["hash"])
        )


def test_a_syncing_node_is_behind_its_headers(node: Node) -> None:
    zcashd, zebra = Port(node, Dialect.ZCASHD), Port(node, Dialect.ZEBRA)
    for port in (zcashd, zebra):
        port("sim_fault", {"kind": "syncing"})

    infos = [port("getblockchaininfo") for port in (zcashd, zebra)]

    assert [info["headers"] - info["blocks"] for info in infos] == [50, 50]
    assert [info.get("initial_block_download_complete") for info in infos] == [False, None]


def test_a_syncing_zallet_is_behind_its_node(node: Node) -> None:
    port = Port(node, Dialect.ZALLET)
    port("sim_fault", {"kind": "syncing"})

    status = port("getwalletstatus")

    assert status["node_tip"]["height"] - status["wallet_tip"]["height"] == 50
    assert status["node_tip"]["blockhash"] != status["wallet_tip"]["blockhash"]


def test_a_node_that_warms_up_refuses_all_but_control_methods(node: Node) -> None:
    port = Port(node, Dialect.ZCASHD)
    port("sim_fault", {"kind": "warming_up"})

    assert (port("getblockcount"), port("generate", 1)) == (-28, -28)
    assert port("sim_fault", None) is None
    assert port("getblockcount") == 0


@pytest.mark.parametrize(
    "condition", [None, [], {"behind": -1}, {"behind": True}, {"locked": 1}, {"nope": True}, {"blank": None}]
)
def test_refuses_a_condition_that_no_wallet_is_in(node: Node, condition: Any) -> None:
    port = Port(node, Dialect.ZALLET)

    assert port("sim_wallet", condition) in (-3, -8)
    assert port("getwalletstatus")["locked"] is False
