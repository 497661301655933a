"""The node fails in every way a server can: nothing is credited from it, and billing goes on."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from threading import Event as Signal
from typing import Any

import pytest
import requests
from pytest_django.fixtures import Settings
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from billing import funding, rounds
from core import clock
from core.errors import Unavailable
from core.models import User
from tests.factories import (
    ZEC,
    make_active_permission,
    make_client,
    make_permission,
    make_vendor,
    see_deposit,
    stream,
)
from zcash import permissions
from zcash.models import Deposit, SpendingPermission, WatchedChain
from zcash.node import connect, disconnect
from zcash.node.rpc import RpcClient
from zcash.simnode import SimNode

pytestmark = pytest.mark.django_db

USER, PASSWORD = "paygo", "only-for-tests"
Answer = Callable[[Request], Response]


@pytest.fixture(scope="module")
def simnode(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimNode]:
    with SimNode(datadir=tmp_path_factory.mktemp("node"), user=USER, password=PASSWORD) as running:
        yield running


@pytest.fixture
def chain(simnode: SimNode) -> Iterator[RpcClient]:
    """The sound node behind the faults, as the rest of the world moves it."""
    with closing(RpcClient(simnode.url, user=USER, password=PASSWORD)) as client:
        client.call("generate", 1)
        yield client


@pytest.fixture(autouse=True)
def _configured(httpserver: HTTPServer, settings: Settings) -> Iterator[None]:
    settings.ZCASH_RPC_URL = httpserver.url_for("/")
    settings.ZCASH_RPC_USER, settings.ZCASH_RPC_PASSWORD = USER, PASSWORD
    settings.ZCASH_RPC_COOKIE_FILE, settings.ZCASH_RPC_TIMEOUT_SECONDS = "", 30.0
    settings.ZCASH_MIN_CONFIRMATIONS, settings.PAYGO_SANDBOX = 3, True
    yield
    disconnect()


@pytest.fixture
def vera() -> User:
    client = make_client()
    make_vendor(client)
    return client


def always(content: bytes | str, *, status: int = 200) -> Answer:
    return lambda _: Response(content, status, content_type="application/json")


def result(value: object) -> Answer:
    """Answer every call with this result, as a well-behaved server would."""
    return lambda request: Response(
        json.dumps({"result": value, "error": None, "id": json.loads(request.data)["id"]})
    )


def refusal(code: int, message: str) -> Answer:
    def answer(request: Request) -> Response:
        error = {"code": code, "message": message}
        return Response(
            json.dumps({"result": None, "error": error, "id": json.loads(request.data)["id"]}), 500
        )

    return answer


FAULTS: dict[str, Answer] = {
    "nothing": always(b""),
    "garbage": always(b"\xff\xfe\x00garbage"),
    "half a document": always(b'{"result": {"chain": "regtest", "blo'),
    "a page for people": always("<html>502 Bad Gateway</html>", status=502),
    "a list": always("[]"),
    "no result": always('{"id": null}'),
    "another call's answer": always('{"result": 1, "error": null, "id": "none of ours"}'),
    "null": result(None),
    "a number": result(7),
    "an empty object": result({}),
    "a wrong password": always("", status=401),
    "a redirect": lambda _: Response("", 302, headers={"Location": "http://127.0.0.1:9/"}),
    "warming up": refusal(-28, "Loading block index..."),
    "an unknown method": refusal(-32601, "Method not found"),
    "an error that is none": always('{"result": null, "error": "oops", "id": null}', status=500),
    "nested a thousand times": always("[" * 5000 + "]" * 5000),
    "a number without end": always('{"result": 1e999999999, "error": null, "id": "1"}'),
}


class World:
    """One permission that waits for money, one with recorded money, one that is streaming for an hour."""

    def __init__(self, client: User) -> None:
        now = clock.now()
        self.client = client
        self.unpaid = make_permission(client, wallet="unpaid", now=now)
        self.recorded = make_permission(client, wallet="recorded", now=now)
        see_deposit(self.recorded, amount=10 * ZEC, now=now)
        self.streaming = make_active_permission(client, wallet="streaming", rate=1 * ZEC, now=now)
        stream(client, wallet="streaming", now=now)
        clock.advance(3_600_000)

    def assert_only_billing_goes_on(self) -> None:
        """Make all three rounds and a verify against the failing node."""
        deposits = Deposit.objects.count()

        assert rounds.deposit_round() is None
        run = rounds.interval_round()
        rounds.expiry_round()
        with pytest.raises(Unavailable) as refused:
            funding.verify(
                client_id=self.client.pk,
                public_id=self.unpaid.public_id,
                wallet=connect(),
                read_clock=clock.now,
            )

        for permission in (self.unpaid, self.recorded, self.streaming):
            permission.refresh_from_db()
        assert refused.value.code == "node_unavailable"
        assert (run.permissions, run.put_aside) == (1, [])
        assert 8 * ZEC < self.streaming.remaining_zat <= 9 * ZEC
        assert (self.unpaid.status, self.unpaid.credited_zat) == ("pending", 0)
        assert (self.recorded.status, self.recorded.credited_zat) == ("active", 10 * ZEC)
        assert Deposit.objects.count() == deposits
        assert not WatchedChain.objects.exclude(asked_at=None).exists()


@pytest.mark.parametrize("fault", FAULTS)
def test_nothing_is_credited_from_a_node_that_answers(vera: User, httpserver: HTTPServer, fault: str) -> None:
    httpserver.expect_request("/").respond_with_handler(FAULTS[fault])

    World(vera).assert_only_billing_goes_on()


def test_a_node_that_hangs_holds_nothing_up(vera: User, httpserver: HTTPServer, settings: Settings) -> None:
    settings.ZCASH_RPC_TIMEOUT_SECONDS = 0.2
    over = Signal()

    def hang(_: Request) -> Response:
        over.wait(30)
        return Response("")

    httpserver.expect_request("/").respond_with_handler(hang)
    try:
        World(vera).assert_only_billing_goes_on()
    finally:
        over.set()


def test_a_node_that_is_gone_holds_nothing_up(vera: User, settings: Settings, tmp_path: Path) -> None:
    with SimNode(datadir=tmp_path, user=USER, password=PASSWORD) as gone:
        settings.ZCASH_RPC_URL = gone.url

    World(vera).assert_only_billing_goes_on()


@pytest.mark.parametrize("fault", FAULTS)
def test_no_permission_is_made_without_a_sound_address(
    vera: User, httpserver: HTTPServer, fault: str
) -> None:
    httpserver.expect_request("/").respond_with_handler(FAULTS[fault])
    request = permissions.Request("tmWallet", 10 * ZEC, 1 * ZEC, 30)

    with pytest.raises(Unavailable) as refused:
        permissions.create(request, client_id=vera.pk, wallet=connect(), now=clock.now())

    assert refused.value.code == "node_unavailable"
    assert not SpendingPermission.objects.exists()


def tampering(sound: SimNode, method: str, tamper: Callable[[Any], Any]) -> Answer:
    """Pass calls on to a sound node, and spoil what it answers to one method."""

    def answer(request: Request) -> Response:
        passed_on = requests.post(
            sound.url, request.data, headers={"Authorization": request.headers["Authorization"]}, timeout=60
        )
        document = passed_on.json()
        if json.loads(request.data)["method"] == method:
            document["result"] = tamper(document["result"])
        return Response(json.dumps(document), passed_on.status_code)

    return answer


def every_row(**changes: Any) -> Callable[[Any], Any]:
    return lambda rows: [{**row, **changes} for row in rows]


LIES: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "another network": ("getblockchaininfo", lambda info: {**info, "chain": "main"}),
    "a height that is text": ("getblockchaininfo", lambda info: {**info, "blocks": "7"}),
    "no tip": (
        "getblockchaininfo",
        lambda info: {key: value for key, value in info.items() if key != "bestblockhash"},
    ),
    "a negative amount": ("z_listreceivedbyaddress", every_row(amountZat=-1_000_000_000, amount=-10)),
    "more than all money": ("z_listreceivedbyaddress", every_row(amountZat=21 * 10**14 + 1)),
    "an amount with a fraction": ("z_listreceivedbyaddress", every_row(amountZat=1.5)),
    "confirmations that are text": ("z_listreceivedbyaddress", every_row(confirmations="99")),
    "more confirmations than blocks": ("z_listreceivedbyaddress", every_row(confirmations=10**6)),
    "a txid that is none": ("z_listreceivedbyaddress", every_row(txid="ff")),
    "receipts that are no list": ("z_listreceivedbyaddress", lambda _: {"rows": []}),
    "half of a receipt": ("z_listreceivedbyaddress", lambda rows: [{"txid": row["txid"]} for row in rows]),
}


@pytest.mark.parametrize("lie", LIES)
def test_nothing_is_credited_from_an_answer_that_cannot_be_true(
    vera: User, simnode: SimNode, chain: RpcClient, httpserver: HTTPServer, lie: str
) -> None:
    answers: list[Answer] = [tampering(simnode, "", lambda same: same)]
    httpserver.expect_request("/").respond_with_handler(lambda request: answers[0](request))
    request = permissions.Request("tmWallet", 10 * ZEC, 1 * ZEC, 30)
    made = permissions.create(request, client_id=vera.pk, wallet=connect(), now=clock.now())
    chain.call("sim_pay", made.payment_address, 10)
    chain.call("generate", 3)
    method, tamper = LIES[lie]
    answers[0] = tampering(simnode, method, tamper)

    assert not rounds.deposit_round()
    assert not Deposit.objects.exists()
    answers[0] = tampering(simnode, "", lambda same: same)
    chain.call("generate", 1)

    assert rounds.deposit_round() == 1
    made.refresh_from_db()
    assert made.status == "active"
