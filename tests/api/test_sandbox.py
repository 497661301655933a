"""The sandbox: a life in a second, by the usual code; and nowhere where money is worth something."""

import json
import time
from contextlib import nullcontext
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
from django.db import OperationalError
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from billing import rounds
from core import clock
from tests.api import world
from tests.api.world import ALICE, PERMISSIONS, SESSIONS, Answer, Api, create, make_api, start
from tests.faults.cutting import HttpProxy, Scissors, running
from zcash.addresses import Network
from zcash.node import simulation
from zcash.node.rpc import RpcClient
from zcash.simnode import SimNode
from zcash.simnode.faults import Kind

pytestmark = pytest.mark.usefixtures("node")

SANDBOX = "/api/v1/sandbox"
CALLS = {
    "clock": {"advance_seconds": 60},
    "payments": {"permission_id": world.UNKNOWN_ID},
    "blocks": {"count": 1},
    "reorgs": {"depth": 1},
    "faults": {"kind": "slow"},
    "faults/end": {},
}
DAY = 24 * 3600


def sandbox(api: Api, call: str, **body: Any) -> Answer:
    return api.post(f"{SANDBOX}/{call}", body)


def pay(api: Api, created: dict[str, Any], **body: Any) -> Answer:
    return sandbox(api, "payments", permission_id=created["permission_id"], **body)


def state(api: Api, created: dict[str, Any]) -> dict[str, Any]:
    return dict(api.get(f"{PERMISSIONS}/{created['permission_id']}").body)


def verify(api: Api, created: dict[str, Any]) -> Answer:
    return api.post(f"{PERMISSIONS}/{created['permission_id']}/verify")


def active(api: Api, **changes: Any) -> dict[str, Any]:
    created = create(api, **changes)
    assert pay(api, created, blocks=3).status == 201
    assert verify(api, created).body["status"] == "active"
    return created


def test_lives_thirty_days_in_a_second_by_the_usual_code(vera: Api) -> None:
    began = time.monotonic()
    created = active(vera)
    session = start(vera)
    sandbox(vera, "clock", advance_seconds=2 * 3600)
    ended = vera.post(f"{SESSIONS}/end", {"session_code": session["session_code"]}).body
    sandbox(vera, "clock", advance_seconds=30 * DAY)

    assert 5.0 <= ended["amount"] < 5.05
    assert state(vera, created)["status"] == "expired"
    assert time.monotonic() - began < 60


def test_ends_a_session_at_the_instant_at_which_the_money_ends(vera: Api) -> None:
    active(vera)
    session = start(vera)
    sandbox(vera, "clock", advance_seconds=DAY)

    found = vera.get(f"{SESSIONS}/{session['session_code']}").body

    assert (found["end_reason"], found["amount"]) == ("exhausted", 10.0)
    assert found["ended_at"] == session["depletes_at"]


def test_passes_every_reminder_at_its_instant_in_order(vera: Api) -> None:
    created = active(vera)
    expires_at = datetime.fromisoformat(created["expires_at"])
    sandbox(vera, "clock", advance_seconds=40 * DAY)

    found = vera.get("/api/v1/events?limit=100").body["events"]
    told = [each for each in found if each["type"] == "permission.expiring"]
    ended = [each["type"] for each in found if each["type"] in ("permission.expiring", "permission.expired")]

    assert [each["data"]["rule"] for each in told] == ["expires_in_72h", "expires_in_24h", "expires_in_1h"]
    for each, hours in zip(told, (72, 24, 1), strict=True):
        late = datetime.fromisoformat(each["timestamp"]) - (expires_at - timedelta(hours=hours))
        assert timedelta(0) <= late < timedelta(minutes=1)
    assert ended == ["permission.expiring"] * 3 + ["permission.expired"]


def test_books_the_end_of_an_idle_permission_at_its_last_instant(vera: Api) -> None:
    created = active(vera)
    sandbox(vera, "clock", advance_seconds=40 * DAY)

    found = vera.get("/api/v1/events?limit=100").body["events"]
    (ended,) = [each for each in found if each["type"] == "permission.expired"]
    late = datetime.fromisoformat(ended["timestamp"]) - datetime.fromisoformat(created["expires_at"])

    assert timedelta(0) <= late < timedelta(minutes=1)


def test_passes_the_warnings_of_little_money_before_it_ends(vera: Api) -> None:
    active(vera)
    start(vera)
    sandbox(vera, "clock", advance_seconds=DAY)

    found = vera.get("/api/v1/events?limit=100").body["events"]
    told = [
        each["data"].get("rule", each["type"])
        for each in found
        if each["type"] in ("permission.low_balance", "permission.exhausted")
    ]

    assert told == ["remaining_20_percent", "time_to_top_up", "permission.exhausted"]


def test_a_clock_that_stopped_on_its_way_goes_on_at_a_repetition(
    vera: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    active(vera)
    body, before = {"advance_seconds": 40 * DAY}, clock.now()
    with monkeypatch.context() as broken:
        broken.setattr(rounds, "notice_round", _no_database)
        assert vera.post(f"{SANDBOX}/clock", body, idempotency_key="one").status == 503
    assert clock.now() - before < timedelta(days=28)

    again = vera.post(f"{SANDBOX}/clock", body, idempotency_key="one")

    assert again.status == 200
    assert timedelta(0) <= clock.now() - before - timedelta(days=40) < timedelta(minutes=1)
    assert datetime.fromisoformat(again.body["now"]) <= clock.now()


def _no_database() -> None:
    raise OperationalError("the connection is lost")


def test_advances_once_for_each_idempotency_key(vera: Api) -> None:
    body = {"advance_seconds": DAY}
    first = vera.post(f"{SANDBOX}/clock", body, idempotency_key="one")
    again = vera.post(f"{SANDBOX}/clock", body, idempotency_key="one")
    other = vera.post(f"{SANDBOX}/clock", {"advance_seconds": 1}, idempotency_key="one")

    assert first.body == again.body
    assert other.code == "idempotency_key_reused"


def test_stops_at_the_end_of_its_time(vera: Api) -> None:
    answers = [sandbox(vera, "clock", advance_seconds=366 * DAY) for _ in range(101)]

    assert answers[-1].code == "clock_too_far"
    assert answers[0].status == 200


@pytest.mark.parametrize("seconds", [0, -1, 366 * DAY + 1, 1.5, "60", None, True])
def test_refuses_a_step_out_of_bounds(vera: Api, seconds: Any) -> None:
    before = clock.now()

    answer = sandbox(vera, "clock", advance_seconds=seconds)

    assert (answer.status, list(answer.fields)) == (400, ["advance_seconds"])
    assert (clock.now() - before).total_seconds() < 30


class TestSimulatedPayments:
    def test_pay_what_is_missing(self, vera: Api) -> None:
        created = create(vera)

        paid = pay(vera, created)

        assert paid.body["amount"] == 10.0
        assert verify(vera, created).body["payment"]["received"] == 10.0

    def test_pay_a_part_and_more(self, vera: Api) -> None:
        created = create(vera)
        pay(vera, created, amount=4)

        assert verify(vera, created).body["payment"]["missing"] == 6.0

    def test_top_up_a_permission_that_is_paid(self, vera: Api) -> None:
        created = active(vera)
        assert pay(vera, created).status == 409

        pay(vera, created, amount=2.5, blocks=3)

        assert verify(vera, created).body["remaining_amount"] == 12.5

    def test_are_for_ones_own_permissions(self, vera: Api, mallory: Api) -> None:
        created = create(vera)

        assert pay(mallory, created).code == "permission_not_found"


def test_takes_a_payment_back_by_a_reorg(vera: Api, node: RpcClient) -> None:
    created = create(vera)
    txid = pay(vera, created, blocks=3).body["txid"]
    verify(vera, created)

    tip = sandbox(vera, "reorgs", depth=3, without_txid=txid)

    assert tip.body["tip_hash"] == node.call("getbestblockhash")
    assert node.call("getrawmempool") == []


def test_mines_blocks(vera: Api, node: RpcClient) -> None:
    before: Any = node.call("getblockcount")

    sandbox(vera, "blocks", count=5)

    assert node.call("getblockcount") == before + 5


def test_lets_the_node_fail_and_recover(vera: Api) -> None:
    created = create(vera)
    assert sandbox(vera, "faults", kind="server_error").status == 200
    failing = verify(vera, created)
    sandbox(vera, "faults/end")

    assert failing.code == "node_unavailable"
    assert verify(vera, created).status == 202


def test_names_the_faults_that_the_node_has() -> None:
    assert set(simulation.FAULT_KINDS) == set(Kind)


def test_repeats_the_words_of_the_node(vera: Api) -> None:
    answer = sandbox(vera, "reorgs", depth=200)

    assert answer.code == "simulation_refused"
    assert "depth must be from 1" in answer.body["detail"]


@pytest.mark.parametrize("call", CALLS)
class TestIsRefused:
    def test_where_the_operator_has_not_switched_it_on(self, call: str, vera: Api, settings: Any) -> None:
        settings.PAYGO_SANDBOX = False

        assert sandbox(vera, call, **CALLS[call]).code == "sandbox_off"

    def test_on_the_main_network(self, call: str, vera: Api, settings: Any) -> None:
        settings.ZCASH_NETWORK = Network.MAIN

        assert sandbox(vera, call, **CALLS[call]).code == "sandbox_off"

    def test_to_a_key_without_the_scope(self, call: str, db: None) -> None:
        plain = make_api("plain", scopes=("permissions:write", "keys:write"))

        assert sandbox(plain, call, **CALLS[call]).code == "insufficient_scope"


def test_moves_no_clock_where_the_node_is_on_the_main_chain(vera: Api, node: RpcClient) -> None:
    before = clock.now()
    node.call("sim_fault", {"kind": "wrong_chain"})

    answer = sandbox(vera, "clock", advance_seconds=DAY)
    node.call("sim_fault", None)

    assert answer.code == "sandbox_off"
    assert (clock.now() - before).total_seconds() < 30


@pytest.mark.parametrize("call", CALLS)
def test_moves_nothing_where_tokens_of_a_real_evm_chain_are_collected(
    call: str, vera: Api, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ETHEREUM_RPC_URL", "https://ethereum.example/key")
    monkeypatch.setenv("BASE_RPC_URL", "https://base.example/key")
    example = settings.BASE_DIR / "docs" / "operators" / "ethereum-chains.example.toml"
    settings.ETHEREUM_CHAINS_FILE = str(example)

    answer = sandbox(vera, call, **CALLS[call])

    assert answer.code == "sandbox_off"
    assert "(1) is no test chain" in answer.body["detail"]


@pytest.mark.parametrize("call", CALLS)
def test_moves_nothing_where_an_evm_node_says_that_its_chain_is_a_real_one(
    call: str, vera: Api, settings: Any, httpserver: HTTPServer, tmp_path: Path
) -> None:
    answer = {"jsonrpc": "2.0", "id": 1, "result": "0x1"}
    httpserver.expect_request("/").respond_with_handler(
        lambda request: Response(
            json.dumps({**answer, "id": json.loads(request.data)["id"]}), content_type="application/json"
        )
    )
    example = (settings.BASE_DIR / "docs" / "operators" / "ethereum-chains.example.toml").read_text()
    first = example[: example.index("[[chain]]", example.index("[[chain]]") + 1)]
    file = tmp_path / "chains.toml"
    url = httpserver.url_for("/")
    file.write_text(first.replace("chain_id = 1", "chain_id = 31337").replace("env:ETHEREUM_RPC_URL", url))
    settings.ETHEREUM_CHAINS_FILE = str(file)

    answered = sandbox(vera, call, **CALLS[call])

    assert answered.code == "sandbox_off"
    assert "(1) is no test chain" in answered.body["detail"]


def test_moves_no_clock_where_the_node_cannot_be_asked(vera: Api, settings: Any) -> None:
    settings.ZCASH_RPC_URL = "http://127.0.0.1:9"

    assert sandbox(vera, "clock", advance_seconds=DAY).code == "node_unavailable"


def test_moves_no_real_node(vera: Api, httpserver: HTTPServer, settings: Any) -> None:
    """A real one answers, as JSON-RPC has it, that it does not know the calls of the simulation."""
    asked: list[str] = []

    def refuse(request: Request) -> Response:
        assert request.json is not None
        asked.append(request.json["method"])
        error = {"code": -32601, "message": "Method not found"}
        body = {"result": None, "error": error, "id": request.json["id"]}
        return Response(json.dumps(body), 404, content_type="application/json")

    httpserver.expect_request("/").respond_with_handler(refuse)
    settings.ZCASH_RPC_URL = httpserver.url_for("/")

    assert sandbox(vera, "blocks", count=1).code == "node_not_simulated"
    assert set(asked) <= {"sim_mine"}


def test_starts_no_session_by_a_payment_of_another_wallet(vera: Api) -> None:
    active(vera, user_wallet_address=world.BOB)

    assert vera.post(SESSIONS, world.session_body(user_wallet_address=ALICE)).code == "permission_required"


@pytest.mark.parametrize("lost", [1, 2, 3], ids=["request", "answer", "half an answer"])
def test_a_payment_whose_answer_was_lost_is_made_once(
    lost: int, vera: Api, node: RpcClient, simnode: SimNode, settings: Any
) -> None:
    created, scissors = create(vera), Scissors()
    verify_url = f"{PERMISSIONS}/{created['permission_id']}/verify"
    with running(proxy := HttpProxy(scissors, upstream=("127.0.0.1", int(simnode.url.rpartition(":")[2])))):
        pay_once = partial(_pay_through, proxy, vera, created, settings=settings)
        assert pay_once(cut=scissors.open(at=lost)).status == 503
        # What is missing is another amount by now, where the node has taken the payment.
        settings.ZCASH_RPC_URL = simnode.url
        verified = vera.post(verify_url).body["payment"]["received"]
        again = pay_once(cut=nullcontext())
        settings.ZCASH_RPC_URL = simnode.url

    assert verified == (0 if lost == 1 else 10.0)
    assert (again.status, again.body["amount"]) == (201, 10.0)
    assert vera.post(verify_url).body["payment"]["received"] == 10.0


@pytest.mark.parametrize("lost", [1, 2, 3], ids=["request", "answer", "half an answer"])
@pytest.mark.parametrize(
    ("call", "body", "grows"), [("blocks", {"count": 2}, 2), ("reorgs", {"depth": 3}, 1)]
)
def test_what_moves_the_chain_and_whose_answer_was_lost_is_done_once(
    call: str,
    body: dict[str, int],
    grows: int,
    lost: int,
    vera: Api,
    node: RpcClient,
    simnode: SimNode,
    settings: Any,
) -> None:
    node.call("generate", 5)
    before: Any = node.call("getblockcount")
    scissors = Scissors()
    with running(proxy := HttpProxy(scissors, upstream=("127.0.0.1", int(simnode.url.rpartition(":")[2])))):
        settings.ZCASH_RPC_URL = f"http://127.0.0.1:{proxy.address[1]}"
        with scissors.open(at=lost):
            assert vera.post(f"{SANDBOX}/{call}", body, idempotency_key="one").status == 503
        settings.ZCASH_RPC_URL = simnode.url
    again = vera.post(f"{SANDBOX}/{call}", body, idempotency_key="one")
    other = vera.post(f"{SANDBOX}/{call}", body, idempotency_key="two")

    assert (again.status, other.status) == (201, 201)
    assert other.body["tip_hash"] == node.call("getbestblockhash") != again.body["tip_hash"]
    assert node.call("getblockcount") == before + 2 * grows


def _pay_through(proxy: HttpProxy, api: Api, created: Any, *, cut: Any, settings: Any) -> Answer:
    """Pay over a connection that is cut; what the sandbox asks before is not."""
    settings.ZCASH_RPC_URL = f"http://127.0.0.1:{proxy.address[1]}"
    with cut:
        body = {"permission_id": created["permission_id"]}
        return api.post(f"{SANDBOX}/payments", body, idempotency_key="one")


@pytest.mark.parametrize("lost", [4, 5, 6], ids=["request", "answer", "half an answer"])
def test_a_payment_whose_blocks_got_lost_is_not_made_again(
    lost: int, vera: Api, node: RpcClient, simnode: SimNode, settings: Any
) -> None:
    created, scissors, before = create(vera), Scissors(), cast("int", node.call("getblockcount"))
    body = {"permission_id": created["permission_id"], "blocks": 3}
    with running(proxy := HttpProxy(scissors, upstream=("127.0.0.1", int(simnode.url.rpartition(":")[2])))):
        settings.ZCASH_RPC_URL = f"http://127.0.0.1:{proxy.address[1]}"
        with scissors.open(at=lost):
            refused = vera.post("/api/v1/sandbox/payments", body, idempotency_key="one")
        settings.ZCASH_RPC_URL = simnode.url

    again = vera.post("/api/v1/sandbox/payments", body, idempotency_key="one")
    verified = vera.post(f"{PERMISSIONS}/{created['permission_id']}/verify")

    assert (refused.status, again.status) == (503, 201)
    assert verified.body["payment"]["confirmed"] == 10.0
    assert node.call("getblockcount") == before + 3
