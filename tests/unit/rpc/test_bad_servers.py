"""The RPC client with servers that hang, flood, break off and redirect."""

import gzip
import socket
import threading
from contextlib import closing

import pytest
from pytest_httpserver import HTTPServer

from tests.unit.rpc.servers import (
    TIMEOUT_SECONDS,
    answer,
    client,
    closing_client,
    failure_of,
    head,
    raw_server,
    sends,
    serve,
)
from zcash.node import rpc as rpc_module
from zcash.node.port import NodeUnavailable
from zcash.node.rpc import AnswerTooLarge

# Room for a busy machine; far below what a trickling server would take: 20 s.
SLACK_SECONDS = 9.0


def test_gives_up_on_a_server_that_never_answers() -> None:
    with raw_server(sends(b"", pause_seconds=TIMEOUT_SECONDS * 2)) as url:
        failure, seconds = failure_of(url, timeout_seconds=TIMEOUT_SECONDS)

    assert "did not answer in time" in str(failure)
    assert seconds < TIMEOUT_SECONDS + SLACK_SECONDS


@pytest.mark.parametrize("prefix", [b"", b"HTTP/1.1 200 OK\r\nX-Slow: ", head(length=10_000)])
def test_gives_up_on_a_server_that_trickles(prefix: bytes) -> None:
    script = sends(prefix, *[b"H"] * 400, pause_seconds=0.05)

    with raw_server(script) as url:
        failure, seconds = failure_of(url, timeout_seconds=TIMEOUT_SECONDS)

    assert "did not answer in time" in str(failure)
    assert seconds < TIMEOUT_SECONDS + SLACK_SECONDS


def test_gives_up_on_a_server_that_keeps_promising() -> None:
    script = sends(*[b"HTTP/1.1 100 Continue\r\n\r\n"] * 400, pause_seconds=0.05)

    with raw_server(script) as url:
        failure, seconds = failure_of(url, timeout_seconds=TIMEOUT_SECONDS)

    assert "did not answer in time" in str(failure)
    assert seconds < TIMEOUT_SECONDS + SLACK_SECONDS


@pytest.mark.parametrize(
    "chunks",
    [
        [],
        [b"\x15\x03\x01\x00\x02"],
        [b"HTTP/1.1 200 OK\r\nContent-Le"],
        [head(length=-5), b"{}"],
        [b"HTTP/1.1 200 OK\r\nContent-Length: 3, 5\r\n\r\n", b"{}"],
        [head(length=100), b'{"id": "1", "result": 5}'],
        [b"HTTP/1.1 200 OK\r\n\r\n", b'{"id": "1", "res'],
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b'5\r\n{"id"\r\n'],
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"zz\r\n{}\r\n0\r\n\r\n"],
        [b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n", b"{}"],
        [b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n", b"{}"],
    ],
    ids=range(11),
)
def test_takes_no_half_answer(chunks: list[bytes]) -> None:
    with raw_server(sends(*chunks)) as url:
        failure, _ = failure_of(url)

    assert failure.code == "node_unavailable"


def test_reports_a_node_that_is_down() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]

    failure, _ = failure_of(f"http://127.0.0.1:{port}")

    assert str(failure) == f"the node at http://127.0.0.1:{port} cannot be reached, or cut the answer short"
    assert failure.detail == "The Zcash node cannot be asked at the moment"
    assert failure.retry_after_seconds == 5


def test_connects_again_after_the_node_was_restarted() -> None:
    body = b'{"id": "1", "result": 7}'
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with closing_client(url) as node:
            for number in (b"1", b"2"):
                script = sends(head(length=len(body)) + body.replace(b"1", number))
                thread = threading.Thread(target=serve, args=(listener, script))
                thread.start()
                assert node.call("getblockcount") == 7
                thread.join()


def test_stops_reading_a_flood(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rpc_module, "MAX_BODY_BYTES", 100_000)
    sent = 0

    def flood(connection: socket.socket) -> None:
        nonlocal sent
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            sent += connection.send(b"x" * 65536)

    with raw_server(flood) as url:
        failure, _ = failure_of(url)

    assert isinstance(failure, AnswerTooLarge)
    assert "more than 100000 bytes" in str(failure)
    assert sent < 20_000_000


def test_unpacks_no_compressed_answer(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/").respond_with_data(
        gzip.compress(b'{"id": "1", "result": 5}'), headers={"Content-Encoding": "gzip"}
    )

    with closing(client(httpserver)) as node, pytest.raises(NodeUnavailable, match="no JSON"):
        node.call("getblockcount")


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_follows_no_redirect(httpserver: HTTPServer, status: int) -> None:
    httpserver.expect_request("/").respond_with_data("", status=status, headers={"Location": "/elsewhere"})
    httpserver.expect_request("/elsewhere").respond_with_handler(answer(result=5))

    with closing(client(httpserver)) as node, pytest.raises(NodeUnavailable, match="redirect"):
        node.call("getblockcount")

    assert [request.path for request, _ in httpserver.log] == ["/"]


def test_stops_reading_a_flood_behind_a_redirect(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rpc_module, "MAX_BODY_BYTES", 100_000)
    sent = 0

    def flood(connection: socket.socket) -> None:
        nonlocal sent
        connection.sendall(b"HTTP/1.1 307 Away\r\nLocation: /elsewhere\r\n\r\n")
        while sent < 64_000_000:
            sent += connection.send(b"x" * 65536)

    with raw_server(flood) as url:
        failure_of(url)

    assert sent < 20_000_000


def test_ignores_the_proxy_of_the_environment(
    httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    httpserver.expect_request("/").respond_with_handler(answer(result=5))

    with closing(client(httpserver)) as node:
        assert node.call("getblockcount") == 5
