"""Bodies at the edge: one that comes slowly takes no turn of a call, and not every thread."""

import io
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from paygo.api import edge
from paygo.places import Places

HELLO = b"hello"


class Slow(io.BytesIO):
    """A body that has begun, and comes to its end when the test says so."""

    def __init__(self) -> None:
        super().__init__(HELLO)
        self.begun, self.rest = threading.Event(), threading.Event()

    def read(self, size: int | None = -1) -> bytes:
        self.begun.set()
        assert self.rest.wait(30)
        return super().read(size)


@pytest.fixture(autouse=True)
def _one_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge, "calls", threading.BoundedSemaphore(1))
    monkeypatch.setattr(edge, "bodies", Places(2, each=1))
    monkeypatch.setattr(edge, "most_bytes", 10)


@pytest.fixture
def slow() -> Iterator[Slow]:
    """A body that is on its way, and its call."""
    body, answers = Slow(), []
    call = threading.Thread(target=lambda: answers.append(asked(body)))
    call.start()
    assert body.begun.wait(30)
    yield body
    body.rest.set()
    call.join(30)
    assert answers == [("200 OK", HELLO)]


def asked(
    body: io.BytesIO | None = None, *, length: int = len(HELLO), sender: str = "192.0.2.1"
) -> tuple[str, bytes]:
    """Return status and body of an answer that repeats the question's body."""
    statuses: list[str] = []

    def application(environ: dict[str, Any], start: Any) -> list[bytes]:
        start("200 OK", [])
        return [environ["wsgi.input"].read()]

    environ: dict[str, Any] = {
        "wsgi.input": body or io.BytesIO(),
        "REMOTE_ADDR": sender,
        "PATH_INFO": "/api/v1/sessions/end",
        "HTTP_X_REQUEST_ID": "order-4711",
    }
    if body:
        environ["CONTENT_LENGTH"] = str(length)
    answer = edge.guarded(application)(environ, lambda status, _: statuses.append(status))
    return statuses[0], b"".join(answer)


def test_a_slow_body_takes_no_turn(slow: Slow) -> None:
    assert asked() == ("200 OK", b"")


def test_no_more_bodies_are_awaited_from_an_address_than_its_share(slow: Slow) -> None:
    status, answer = asked(io.BytesIO(HELLO))

    assert (status, json.loads(answer)["code"]) == ("503 Service Unavailable", "busy")
    assert asked(io.BytesIO(HELLO), sender="192.0.2.2") == ("200 OK", HELLO)


def test_no_more_bodies_are_awaited_than_have_threads(slow: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge, "bodies", Places(0, each=1))

    assert asked(io.BytesIO(HELLO), sender="192.0.2.2")[0] == "503 Service Unavailable"


def test_no_address_has_more_than_a_quarter_of_the_bodies() -> None:
    edge.limit_bodies(8, longest=10)

    assert [edge.bodies.take("one") for _ in range(3)] == [True, True, False]
    assert edge.bodies.take("another")


def test_what_is_refused_is_a_problem_as_every_other(slow: Slow) -> None:
    problem = json.loads(asked(io.BytesIO(HELLO))[1])

    assert problem["type"].startswith("http")
    assert problem["type"].endswith("/problems/busy")
    assert (problem["instance"], problem["request_id"]) == ("/api/v1/sessions/end", "order-4711")


def test_a_body_that_is_read_makes_room_for_the_next() -> None:
    assert [asked(io.BytesIO(HELLO)) for _ in range(2)] == [("200 OK", HELLO)] * 2


def test_a_body_that_is_too_long_is_not_read() -> None:
    assert asked(Slow(), length=11) == ("200 OK", b"")
