"""Streams over real HTTP: told at once, resumed where they broke, bounded, closed for who may not listen."""

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any
from uuid import uuid4

import pytest
import requests
from django.db import OperationalError
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from core import clock, db, outbox
from paygo import ratelimit
from paygo.api import edge, keys
from paygo.api.hub import database, hub
from paygo.api.models import ApiKey
from paygo.api.streaming import Stream, StreamResponse
from tests.api.world import (
    END,
    PERMISSIONS,
    SESSIONS,
    Api,
    create,
    create_active,
    hours_pass,
    make_api,
    pay,
    start,
)
from zcash.node.rpc import RpcClient

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("node")]

STREAM = "/api/v1/events/stream"


@pytest.fixture(autouse=True)
def _quick(settings: Settings) -> Iterator[None]:
    settings.STREAM_HEARTBEAT_SECONDS = 1
    settings.STREAM_LIMIT, settings.STREAM_LIMIT_PER_CLIENT = 4, 3
    yield
    until = time.monotonic() + 60
    while len(hub) and time.monotonic() < until:
        time.sleep(0.05)
    assert len(hub) == 0, "every place is given back"


@pytest.fixture
def vera(transactional_db: None) -> Api:
    return make_api("vera-tv")


class Listener:
    """What a client of server-sent events reads."""

    def __init__(self, answer: requests.Response) -> None:
        self.answer = answer
        self._lines = answer.iter_lines(chunk_size=1, decode_unicode=True)

    def block(self) -> dict[str, str]:
        """Return the fields of the next block; a comment is under the empty name."""
        found: dict[str, str] = {}
        for line in self._lines:
            if not line and found:
                return found
            name, _, value = line.partition(": ")
            found[name.rstrip(":") if line.startswith(":") else name] = value
        raise EOFError

    def message(self) -> dict[str, Any]:
        """Return the next message, past signs of life."""
        while "data" not in (block := self.block()):
            pass
        return {**block, "data": json.loads(block["data"])}


@contextmanager
def listening(api: Api, server: LiveServer, path: str = STREAM, **headers: str) -> Iterator[Listener]:
    sent = {
        "authorization": f"Bearer {api.key}",
        **{name.replace("_", "-"): text for name, text in headers.items()},
    }
    with requests.get(server.url + path, headers=sent, stream=True, timeout=60) as answer:
        yield Listener(answer)


def happen(api: Api, n: int) -> None:
    with db.operation():
        outbox.emit(
            "session.started", client_id=api.client_id, subject=uuid4(), payload={"n": n}, now=clock.now()
        )


def test_tells_what_happens_when_it_does(vera: Api, live_server: LiveServer) -> None:
    happen(vera, 1)
    now_at = vera.get("/api/v1/events").body["next_after"]
    with listening(vera, live_server) as listener:
        assert listener.answer.headers["content-type"] == "text/event-stream"
        # Who is cut off here goes on from here.
        assert listener.block() == {"retry": "3000", "id": str(now_at)}
        mallory = make_api("mallory")
        happen(mallory, 3)
        happen(vera, 2)

        told = listener.message()

    assert (told["event"], told["data"]["data"]) == ("session.started", {"n": 2})
    assert told["id"] == str(told["data"]["position"])


def test_goes_on_after_the_last_event_that_came(vera: Api, live_server: LiveServer) -> None:
    for n in range(3):
        happen(vera, n)
    with listening(vera, live_server, f"{STREAM}?after=0") as listener:
        first = listener.message()

    with listening(vera, live_server, f"{STREAM}?after=0", last_event_id=first["id"]) as listener:
        rest = [listener.message()["data"]["data"]["n"] for _ in range(2)]

    assert (first["data"]["data"]["n"], rest) == (0, [1, 2])


def test_gives_signs_of_life(vera: Api, live_server: LiveServer) -> None:
    with listening(vera, live_server) as listener:
        listener.block()

        assert listener.block() == {"": "alive"}


def test_a_revoked_key_hears_nothing_more(vera: Api, live_server: LiveServer) -> None:
    with listening(vera, live_server) as listener:
        listener.block()
        keys.revoke([ApiKey.objects.get().pk], now=clock.now())
        happen(vera, 1)

        with pytest.raises(EOFError):
            listener.message()


def test_refuses_more_streams_than_there_may_be(vera: Api, live_server: LiveServer) -> None:
    other, third = make_api("other"), make_api("third")
    with (
        listening(vera, live_server) as one,
        listening(vera, live_server) as two,
        listening(vera, live_server) as three,
    ):
        for each in (one, two, three):
            each.block()
        with listening(vera, live_server) as fourth:
            assert fourth.answer.status_code == 503
            assert fourth.answer.json()["code"] == "streams_full"
            assert fourth.answer.headers["retry-after"] == "15"
        with listening(other, live_server) as fifth, listening(third, live_server) as sixth:
            assert fifth.answer.status_code == 200
            assert sixth.answer.status_code == 503


@pytest.mark.parametrize("query", ["after=x", "after=-1", "other=1"])
def test_refuses_what_it_does_not_know(vera: Api, query: str) -> None:
    assert vera.get(f"{STREAM}?{query}").status == 400
    assert vera.get(STREAM, last_event_id="x").fields == {"Last-Event-ID": "invalid"}
    assert vera.get(f"{PERMISSIONS}/{uuid4()}/stream").code == "permission_not_found"
    assert vera.get(f"{SESSIONS}/ABC123XYZ789/stream").code == "session_not_found"
    assert vera.call("HEAD", STREAM).status == 200


def test_a_permissions_stream_follows_its_payment(
    vera: Api, node: RpcClient, live_server: LiveServer
) -> None:
    created = create(vera)
    path = f"{PERMISSIONS}/{created['permission_id']}"
    with listening(vera, live_server, f"{path}/stream") as listener:
        before = listener.message()["data"]
        pay(node, created, blocks=0)
        vera.post(f"{path}/verify")
        seen = listener.message()["data"]
        node.call("generate", 3)
        vera.post(f"{path}/verify")
        states = [seen]
        while states[-1]["status"] == "pending":
            states.append(listener.message()["data"])
        vera.post(f"{path}/revoke")
        while (last := listener.message())["event"] == "state":
            states.append(last["data"])

    assert (before["status"], before["payment"]["received"]) == ("pending", 0.0)
    assert seen["payment"]["received"] == 10.0
    assert {"pending", "active", "revoked"} >= {each["status"] for each in states}
    assert states[-1]["status"] == "revoked"
    assert last["event"] == "end"


def test_a_sessions_stream_shows_its_meter_until_it_ends(
    vera: Api, node: RpcClient, live_server: LiveServer
) -> None:
    create_active(vera, node)
    code = start(vera)["session_code"]
    with listening(vera, live_server, f"{SESSIONS}/{code}/stream?every=1") as listener:
        first = listener.message()["data"]
        hours_pass(1)
        second = listener.message()["data"]
        vera.post(END, {"session_code": code})
        told = [listener.message()]
        while told[-1]["event"] != "end":
            told.append(listener.message())

    assert second["amount"] > first["amount"] + 2
    assert told[-2]["data"]["status"] == "ended"


def test_looks_of_a_stream_count_as_calls_of_its_key(
    vera: Api, live_server: LiveServer, settings: Settings
) -> None:
    path = f"{PERMISSIONS}/{create(vera)['permission_id']}"
    ratelimit.forget()
    settings.RATE_LIMIT_CALLS = "3/h"
    with listening(vera, live_server, f"{path}/stream?every=1") as listener:
        states = 0
        while (block := listener.block()) != {"": "alive"}:
            states += "data" in block
        # The opening was the first call; a state that has not changed was the last.
        assert states == 1
        assert vera.get(path).status == 429
        assert listener.block() == {"": "alive"}


def test_so_many_streams_look_at_once_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge, "looks", threading.BoundedSemaphore(2))
    inside, most, lock = 0, 0, threading.Lock()

    def look(_: int) -> None:
        nonlocal inside, most
        with database():
            with lock:
                inside += 1
                most = max(most, inside)
            time.sleep(0.02)
            with lock:
                inside -= 1

    with ThreadPoolExecutor(8) as crowd:
        list(crowd.map(look, range(8)))

    assert most == 2


def test_a_stream_ends_quietly_while_the_database_is_away(
    vera: Api, caplog: pytest.LogCaptureFixture
) -> None:
    stream = Stream(hub.join(client_id=vera.client_id), ApiKey.objects.get())

    def away() -> Iterator[bytes]:
        yield b": alive"
        raise OperationalError("no connection")

    with closing(StreamResponse(stream, away())) as response:
        assert list(response) == [b": alive"]
    assert "stream_without_database" in caplog.text
