"""How old a balance may be, and what becomes of it without a node, without Redis, or with somebody else's."""

import json
import pickle
import socket
from contextlib import closing, suppress
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.cache import caches
from django_redis import get_redis_connection

from billing import known_balances
from billing.known_balances import KnownBalance
from core import clock
from core.amounts import MAX_ZAT
from paygo.api.balance import BalanceProblem
from paygo.api.schema import ProblemDocument
from tests.api.world import ALICE, ALICE_T, CAROL_U, Api, create_active, start
from zcash.addresses import Network, encode_p2pkh, parse
from zcash.node.rpc import RpcClient

WALLET = encode_p2pkh(b"wallet".ljust(20, b"\7"), network=Network.REGTEST)
CAROL_T = parse(CAROL_U).transparent_receiver(Network.REGTEST)
KEY = f"transparent-balance:regtest:{ALICE_T}"

pytestmark = pytest.mark.usefixtures("node", "_empty_cache")


@pytest.fixture
def _empty_cache() -> None:
    """Redis outlives a test."""
    caches["quick"].clear()


@pytest.fixture
def node_away(settings: Any) -> Any:
    """Return what takes the node away."""

    def take_away() -> None:
        settings.ZCASH_RPC_URL = "http://127.0.0.1:1"

    return take_away


def of(address: str) -> str:
    return f"/api/v1/zcash/balance/{address}"


def seconds_pass(seconds: float) -> None:
    clock.advance(round(seconds * 1000))


def fund(node: RpcClient, address: Any, zec: float) -> None:
    node.call("sim_fund_address", address, zec)


def zec_of(api: Api, address: str) -> Any:
    return api.get(of(address)).body["transparent_balance"]


def put_redis_at(port: int, settings: Any) -> None:
    quick = {**settings.CACHES["quick"], "LOCATION": f"redis://127.0.0.1:{port}/0"}
    settings.CACHES = {**settings.CACHES, "quick": quick}


def test_asks_the_chain_again_after_15_seconds(vera: Api, node: RpcClient) -> None:
    before = zec_of(vera, WALLET)
    fund(node, WALLET, 1.5)

    seconds_pass(14.5)
    assert zec_of(vera, WALLET) == before

    seconds_pass(0.6)
    assert zec_of(vera, WALLET) == before + 1.5


def test_says_when_the_chain_was_asked(vera: Api) -> None:
    earliest = clock.cut(clock.now())
    first = vera.get(of(WALLET)).body
    seconds_pass(10)
    second = vera.get(of(WALLET)).body

    assert earliest <= datetime.fromisoformat(first["as_of"]) <= clock.now() - timedelta(seconds=10)
    assert second["as_of"] == first["as_of"]
    assert first["stale"] is second["stale"] is False


def test_asks_every_time_where_the_setting_says_so(vera: Api, node: RpcClient, settings: Any) -> None:
    settings.BALANCE_CACHE_SECONDS = 0
    before = zec_of(vera, WALLET)

    fund(node, WALLET, 1.5)

    assert zec_of(vera, WALLET) == before + 1.5


def test_keeps_the_answer_for_each_address(vera: Api, node: RpcClient) -> None:
    other = encode_p2pkh(b"other".ljust(20, b"\7"), network=Network.REGTEST)
    fund(node, WALLET, 2)
    zec_of(vera, WALLET)

    assert zec_of(vera, other) == 0.0


def test_keeps_one_answer_for_a_unified_address_and_its_public_part(vera: Api, node: RpcClient) -> None:
    before = zec_of(vera, CAROL_U)

    fund(node, CAROL_T, 1)

    assert zec_of(vera, str(CAROL_T)) == before


def test_keeps_the_answer_for_each_network(db: None, settings: Any) -> None:
    now = clock.cut(clock.now())
    known_balances.remember(WALLET, KnownBalance(7, now))
    assert known_balances.recall(WALLET, now=now) == KnownBalance(7, now)

    settings.ZCASH_NETWORK = "test"

    assert known_balances.recall(WALLET, now=now) is None


def test_keeps_nothing_of_a_permission(vera: Api, node: RpcClient) -> None:
    create_active(vera, node, user_wallet_address=ALICE_T)
    first = vera.get(of(ALICE_T)).body
    start(vera, user_wallet_address=ALICE_T)
    seconds_pass(10)

    second = vera.get(of(ALICE_T)).body

    assert second["as_of"] == first["as_of"]
    assert second["permission_balance"] < first["permission_balance"] == 10.0
    assert caches["quick"].get(KEY).keys() == {"transparent_zat", "as_of_ms"}


def test_asks_nothing_about_an_address_without_a_public_part(vera: Api) -> None:
    body = vera.get(of(ALICE)).body

    assert (body["as_of"], body["stale"]) == (None, False)
    assert get_redis_connection("quick").keys("*balance*") == []


def test_serves_a_fresh_answer_while_the_node_is_away(vera: Api, node: RpcClient, node_away: Any) -> None:
    fund(node, WALLET, 3)
    found = vera.get(of(WALLET)).body
    node_away()

    seconds_pass(14)

    assert vera.get(of(WALLET)).body == found


def test_never_passes_an_old_answer_off_as_the_balance(vera: Api, node: RpcClient, node_away: Any) -> None:
    fund(node, WALLET, 3)
    found = vera.get(of(WALLET)).body
    node_away()
    seconds_pass(16)

    answer = vera.get(of(WALLET))

    assert (answer.status, answer.code) == (503, "node_unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.body["cached"] == {
        "transparent_balance": found["transparent_balance"],
        "as_of": found["as_of"],
        "stale": True,
    }
    assert answer.body.keys() <= BalanceProblem().fields.keys()
    assert "transparent_balance" not in answer.body


def test_forgets_after_an_hour(vera: Api, node_away: Any) -> None:
    vera.get(of(WALLET))
    node_away()
    seconds_pass(3601)

    answer = vera.get(of(WALLET))

    assert answer.status == 503
    assert "cached" not in answer.body


def test_tells_no_last_balance_where_there_is_none(vera: Api, node_away: Any) -> None:
    node_away()

    answer = vera.get(of(WALLET))

    assert answer.body.keys() <= ProblemDocument().fields.keys()


def test_counts_a_node_that_refuses_the_password_as_away(vera: Api, settings: Any) -> None:
    vera.get(of(WALLET))
    seconds_pass(16)
    settings.ZCASH_RPC_PASSWORD = "wrong"

    answer = vera.get(of(WALLET))

    assert (answer.status, answer.code) == (503, "node_unavailable")
    assert answer.body["cached"]["stale"] is True


def test_works_while_redis_is_away(vera: Api, node: RpcClient, settings: Any) -> None:
    fund(node, WALLET, 1)
    put_redis_at(1, settings)

    answers = [vera.get(of(WALLET)) for _ in range(2)]

    assert [each.status for each in answers] == [200, 200]
    assert answers[0].body["as_of"] < answers[1].body["as_of"]


def test_waits_less_than_a_second_for_a_redis_that_hangs(vera: Api, settings: Any) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as deaf:
        put_redis_at(deaf.getsockname()[1], settings)

        answer = vera.get(of(WALLET))

        assert answer.status == 200
        # Each try is a connection that waits for as long as it may.
        assert 0 < tries(deaf) * settings.CACHES["quick"]["OPTIONS"]["SOCKET_TIMEOUT"] < 1.0


def tries(server: socket.socket) -> int:
    """Return how many connections a server has that accepted none."""
    server.setblocking(False)
    count = 0
    with suppress(BlockingIOError):
        while True:
            server.accept()[0].close()
            count += 1
    return count


def test_answers_503_without_node_and_redis(vera: Api, settings: Any, node_away: Any) -> None:
    put_redis_at(1, settings)
    node_away()

    answer = vera.get(of(WALLET))

    assert (answer.status, answer.code) == (503, "node_unavailable")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"not json",
        b"null",
        b"[]",
        b'"5"',
        b"5",
        b"{}",
        b'{"transparent_zat": 5}',
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param(b'{"transparent_zat": ' + b"9" * 5000 + b"}", id="many digits"),
        pytest.param(pickle.dumps({"transparent_zat": 5, "as_of_ms": 0}), id="pickle"),
    ],
)
def test_ignores_what_is_not_its_own(vera: Api, content: bytes) -> None:
    get_redis_connection("quick").set(caches["quick"].make_key(KEY), content)

    answer = vera.get(of(ALICE_T))

    assert (answer.status, answer.body["transparent_balance"]) == (200, 0.0)


@pytest.mark.parametrize("amount", [-1, MAX_ZAT + 1, 5.0, "5", True, None, [5]])
def test_ignores_an_amount_that_cannot_be(vera: Api, amount: Any) -> None:
    kept = {"transparent_zat": amount, "as_of_ms": clock.to_ms(clock.now()) - 1}
    get_redis_connection("quick").set(caches["quick"].make_key(KEY), json.dumps(kept))

    assert zec_of(vera, ALICE_T) == 0.0


@pytest.mark.parametrize("offset_ms", [60_000, -3_601_000, 10**15, -(10**15)])
def test_ignores_an_instant_that_cannot_be(vera: Api, node_away: Any, offset_ms: int) -> None:
    kept = {"transparent_zat": 5, "as_of_ms": clock.to_ms(clock.now()) + offset_ms}
    get_redis_connection("quick").set(caches["quick"].make_key(KEY), json.dumps(kept))
    node_away()

    answer = vera.get(of(ALICE_T))

    assert answer.status == 503
    assert "cached" not in answer.body


@pytest.mark.parametrize("as_of_ms", ["x", 1.5, True, None])
def test_ignores_an_instant_that_is_none(vera: Api, as_of_ms: Any) -> None:
    kept = {"transparent_zat": 5, "as_of_ms": as_of_ms}
    get_redis_connection("quick").set(caches["quick"].make_key(KEY), json.dumps(kept))

    assert zec_of(vera, ALICE_T) == 0.0


def test_documents_the_last_known_balance(nobody: Api, db: None) -> None:
    document = nobody.get("/api/schema/").body
    call = document["paths"]["/api/v1/zcash/balance/{address}"]["get"]

    schema = call["responses"]["503"]["content"]["application/problem+json"]["schema"]

    assert schema["$ref"].endswith("/BalanceProblem")
    assert "cached" in document["components"]["schemas"]["BalanceProblem"]["properties"]
