"""A wallet's balance and capacity over HTTP."""

from typing import Any

import pytest
from django.core.cache import caches

from paygo.api.balance import WalletBalance
from tests.api.world import ALICE, ALICE_T, BOB, CAROL_U, Api, create_active, hours_pass, rows, start
from zcash.addresses import Network, encode_p2pkh, parse
from zcash.node.rpc import RpcClient

pytestmark = pytest.mark.usefixtures("node", "_empty_cache")

CAROL_T = parse(CAROL_U).transparent_receiver(Network.REGTEST)


@pytest.fixture
def _empty_cache() -> None:
    """Redis outlives a test."""
    caches["quick"].clear()


def of(address: str, query: str = "") -> str:
    return f"/api/v1/zcash/balance/{address}{query}"


def fresh_t_address(number: int) -> str:
    return encode_p2pkh(number.to_bytes(20), network=Network.REGTEST)


def test_shows_the_public_balance_of_a_transparent_address(vera: Api, node: RpcClient) -> None:
    address = fresh_t_address(1)
    node.call("sim_fund_address", address, 5)

    answer = vera.get(of(address, "?rate_per_hour=2.5"))

    assert answer.status == 200
    assert answer.body == {
        "as_of": answer.body["as_of"],
        "stale": False,
        "wallet_address": address,
        "transparent_balance": 5.0,
        "shielded_balance": 0.0,
        "shielded_visible": True,
        "total_balance": 5.0,
        "total_is_partial": False,
        "permission_balance": None,
        "rate_per_hour": 2.5,
        "can_stream": True,
        "estimated_hours": 2.0,
        "computed_from": ["transparent_balance", "shielded_balance"],
    }
    assert answer.body.keys() == WalletBalance().fields.keys()


def test_cannot_know_the_shielded_balance_of_others(vera: Api) -> None:
    body = vera.get(of(ALICE, "?rate_per_hour=2.5")).body

    assert (body["shielded_balance"], body["shielded_visible"]) == (None, False)
    assert (body["total_balance"], body["total_is_partial"]) == (0.0, True)
    assert (body["can_stream"], body["estimated_hours"]) == (False, 0.0)


def test_shows_the_transparent_part_of_a_unified_address(vera: Api, node: RpcClient) -> None:
    node.call("sim_fund_address", CAROL_T, 1.25)

    body = vera.get(of(CAROL_U.upper())).body

    assert body["wallet_address"] == CAROL_U
    assert (body["transparent_balance"], body["shielded_balance"], body["total_is_partial"]) == (
        1.25,
        None,
        True,
    )
    assert (body["rate_per_hour"], body["estimated_hours"], body["can_stream"]) == (None, None, True)


def test_counts_what_is_left_of_the_active_permission(vera: Api, node: RpcClient) -> None:
    create_active(vera, node)
    start(vera)
    hours_pass(1)

    body = vera.get(of(ALICE)).body

    assert body["rate_per_hour"] == 2.5
    assert body["permission_balance"] == pytest.approx(7.5, abs=0.05)
    assert body["estimated_hours"] == pytest.approx(3.0, abs=0.05)
    assert body["can_stream"]
    assert body["computed_from"] == ["transparent_balance", "active_permission"]


def test_leaves_out_a_permission_that_does_not_cover_the_rate(vera: Api, node: RpcClient) -> None:
    create_active(vera, node)

    body = vera.get(of(ALICE, "?rate_per_hour=2.50000001")).body

    assert (body["permission_balance"], body["can_stream"]) == (None, False)


@pytest.mark.parametrize(("zec", "can_stream"), [(0.00277778, True), (0.00277777, False)])
def test_can_stream_from_the_shortest_session_on(
    vera: Api, node: RpcClient, zec: float, can_stream: bool
) -> None:
    address = fresh_t_address(round(zec * 10**8))
    node.call("sim_fund_address", address, zec)

    body = vera.get(of(address, "?rate_per_hour=1")).body

    assert body["can_stream"] is can_stream


def test_does_not_count_the_permission_of_another_client(vera: Api, mallory: Api, node: RpcClient) -> None:
    create_active(vera, node)

    body = mallory.get(of(ALICE)).body

    assert (body["permission_balance"], body["rate_per_hour"]) == (None, None)


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        *(
            (f"?rate_per_hour={value}", {"rate_per_hour": "amount_invalid"})
            for value in ("", "0", "-1", "x", "1e400", "NaN", "1_0", "0.000000001", "9" * 5000, "%00", "%ff")
        ),
        ("?rate_per_hour=1&rate_per_hour=2", {"rate_per_hour": "invalid"}),
        ("?rate=1", {"rate": "unknown_field"}),
    ],
)
def test_names_the_parameter_that_is_wrong(vera: Api, query: str, fields: dict[str, str]) -> None:
    answer = vera.get(of(ALICE, query))

    assert answer.status == 400
    assert answer.fields == fields


def test_answers_503_while_the_node_is_away(vera: Api, settings: Any) -> None:
    settings.ZCASH_RPC_URL = "http://127.0.0.1:1"
    before = rows()

    answer = vera.get(of(BOB))

    assert (answer.status, answer.code) == (503, "node_unavailable")
    assert rows() == before


def test_needs_no_node_for_an_address_without_a_public_part(vera: Api, settings: Any) -> None:
    settings.ZCASH_RPC_URL = "http://127.0.0.1:1"

    assert vera.get(of(ALICE)).status == 200


def test_needs_a_key(nobody: Api, db: None) -> None:
    assert nobody.get(of(ALICE_T)).code == "authentication_required"


def test_refuses_a_method_that_the_path_does_not_have(vera: Api) -> None:
    assert vera.post(of(ALICE_T)).code == "method_not_allowed"
