"""Servers that answer well or badly, and a client of them."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from zcash.node.port import NodeUnavailable
from zcash.node.rpc import RpcClient

# What answers, badly too, has time to on a busy machine; where nothing comes in time a test waits less.
PATIENCE_SECONDS = 60.0
TIMEOUT_SECONDS = 0.4
Script = Callable[[socket.socket], None]


def answer(**fields: object) -> Callable[[Request], Response]:
    """A handler that echoes the request's id."""

    def handle(request: Request) -> Response:
        document = {"id": json.loads(request.data)["id"], **fields}
        return Response(json.dumps(document), content_type="application/json")

    return handle


def client(server: HTTPServer, **options: Any) -> RpcClient:
    return RpcClient(server.url_for("/"), **{"timeout_seconds": PATIENCE_SECONDS, **options})


@contextmanager
def raw_server(script: Script) -> Iterator[str]:
    """A server that reads one request and then does to the connection what the script says."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        thread = threading.Thread(target=serve, args=(listener, script), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join(timeout=60)


def serve(listener: socket.socket, script: Script) -> None:
    connection, _ = listener.accept()
    with connection:
        read_request(connection)
        try:
            script(connection)
        except OSError:
            return  # The client has hung up, as it should.


def read_request(connection: socket.socket) -> None:
    """Read to the end of the JSON object, which comes in a packet behind the headers."""
    while (packet := connection.recv(65536)) and not packet.endswith(b"}"):
        pass


def sends(*chunks: bytes, pause_seconds: float = 0.0) -> Script:
    def script(connection: socket.socket) -> None:
        for chunk in chunks:
            connection.sendall(chunk)
            time.sleep(pause_seconds)

    return script


def head(*, length: int, status: str = "200 OK", extra: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{extra}\r\n".encode()


def failure_of(url: str, **options: Any) -> tuple[NodeUnavailable, float]:
    started = time.monotonic()
    with closing_client(url, **options) as node, pytest.raises(NodeUnavailable) as caught:
        node.call("getblockcount")
    return caught.value, time.monotonic() - started


@contextmanager
def closing_client(url: str, **options: Any) -> Iterator[RpcClient]:
    with closing(RpcClient(url, **{"timeout_seconds": PATIENCE_SECONDS, **options})) as node:
        yield node
