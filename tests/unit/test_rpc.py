"""The JSON-RPC client towards servers that lie, stall, flood and die."""

import base64
import gzip
import json
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from core.errors import Unavailable
from zcash.node import rpc as rpc_module
from zcash.node.port import NodeNotReady, NodeRefused, NodeUnavailable
from zcash.node.rpc import NODE, AnswerTooLarge, RpcClient

TIMEOUT_SECONDS = 0.4
# Room for a busy machine; far below what a trickling server would take.
SLACK_SECONDS = 1.5

Script = Callable[[socket.socket], None]


def answer(**fields: object) -> Callable[[Request], Response]:
    """A handler that echoes the request's id."""

    def handle(request: Request) -> Response:
        document = {"id": json.loads(request.data)["id"], **fields}
        return Response(json.dumps(document), content_type="application/json")

    return handle


def client(server: HTTPServer, **options: Any) -> RpcClient:
    return RpcClient(server.url_for("/"), **{"timeout_seconds": TIMEOUT_SECONDS, **options})


@contextmanager
def raw_server(script: Script) -> Iterator[str]:
    """A server that reads one request and then does to the connection what the script says."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        thread = threading.Thread(target=_serve, args=(listener, script), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join(timeout=5)


def _serve(listener: socket.socket, script: Script) -> None:
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
    with closing(RpcClient(url, **{"timeout_seconds": TIMEOUT_SECONDS, **options})) as node:
        yield node


def test_sends_one_json_rpc_2_object_with_an_array_of_parameters(httpserver: HTTPServer) -> None:
    seen: list[dict[str, object]] = []

    def handle(request: Request) -> Response:
        seen.append(json.loads(request.data))
        return answer(result=None)(request)

    httpserver.expect_request("/", method="POST").respond_with_handler(handle)
    with closing(client(httpserver)) as node:
        node.call("getblockcount")
        node.call("z_listreceivedbyaddress", "zs1", 0)

    assert [(call["jsonrpc"], call["method"], call["params"]) for call in seen] == [
        ("2.0", "getblockcount", []),
        ("2.0", "z_listreceivedbyaddress", ["zs1", 0]),
    ]
    assert seen[0]["id"] != seen[1]["id"]


def test_keeps_one_connection_for_several_calls() -> None:
    body = b'{"id": "%d", "result": 7}'

    def two_answers(connection: socket.socket) -> None:
        connection.sendall(head(length=len(body % 1)) + body % 1)
        read_request(connection)
        connection.sendall(head(length=len(body % 2)) + body % 2)

    # The server takes one connection only.
    with raw_server(two_answers) as url, closing_client(url) as node:
        results = [node.call("getblockcount"), node.call("getblockcount")]

    assert results == [7, 7]


def test_reads_fractions_as_decimals_and_whole_numbers_as_integers(httpserver: HTTPServer) -> None:
    def handle(request: Request) -> Response:
        call_id = json.loads(request.data)["id"]
        return Response(f'{{"id": "{call_id}", "result": [0.10000000, 2100000000000000]}}')

    httpserver.expect_request("/").respond_with_handler(handle)
    with closing(client(httpserver)) as node:
        result = node.call("x")

    assert result == [Decimal("0.1"), 2_100_000_000_000_000]
    assert isinstance(result, list)
    assert [type(number) for number in result] == [Decimal, int]


@pytest.mark.parametrize("error", [None, "absent"])
def test_takes_a_result_with_or_without_a_null_error(httpserver: HTTPServer, error: str | None) -> None:
    fields: dict[str, object] = {"result": 5} if error else {"result": 5, "error": None}
    httpserver.expect_request("/").respond_with_handler(answer(**fields))

    with closing(client(httpserver)) as node:
        assert node.call("getblockcount") == 5


@pytest.mark.parametrize(("status", "code"), [(500, -5), (404, -32601), (400, -32600), (200, -8)], ids=str)
def test_reads_a_refusal_from_the_body_whatever_the_status(
    httpserver: HTTPServer, status: int, code: int
) -> None:
    def handle(request: Request) -> Response:
        response = answer(result=None, error={"code": code, "message": "no such thing"})(request)
        response.status_code = status
        return response

    httpserver.expect_request("/").respond_with_handler(handle)
    with closing(client(httpserver)) as node, pytest.raises(NodeRefused) as caught:
        node.call("gettransaction")

    assert caught.value.rpc_code == code
    assert str(caught.value) == f"the node refused gettransaction: no such thing ({code})"
    assert caught.value.detail == "The Zcash node cannot be asked at the moment"
    assert not isinstance(caught.value, NodeUnavailable)
    assert isinstance(caught.value, Unavailable)


@pytest.mark.parametrize("code", [-28, -10, -2])
def test_calls_a_node_that_warms_up_or_syncs_not_ready(httpserver: HTTPServer, code: int) -> None:
    httpserver.expect_request("/").respond_with_handler(
        answer(result=None, error={"code": code, "message": "Loading block index..."})
    )

    with closing(client(httpserver)) as node, pytest.raises(NodeNotReady, match="Loading block index"):
        node.call("getblockcount")


@pytest.mark.parametrize(
    "body",
    [
        "",
        "Work queue depth exceeded",
        "<html>502 Bad Gateway</html>",
        "[]",
        "7",
        "null",
        '{"id": ID}',
        '{"id": ID, "result": 5',
        '{"id": ID, "result": NaN}',
        '{"id": ID, "result": -Infinity}',
        '{"id": ID, "result": 1e99999999999999999999}',
        '{"id": ID, "result": ' + "9" * 5000 + "}",
        '{"id": ID, "result": ' + "[" * 100_000 + "]" * 100_000 + "}",
        '{"id": "another", "result": 5}',
        '{"id": true, "result": 5}',
        '{"id": 1, "result": 5}',
        '{"result": 5}',
        '{"id": null, "result": 5}',
        '{"id": ID, "error": "broken"}',
        '{"id": ID, "error": {"code": "-5", "message": "x"}}',
        '{"id": ID, "error": {"code": true, "message": "x"}}',
        '{"id": ID, "error": {"code": -5}}',
        '{"id": "another", "error": {"code": -5, "message": "x"}}',
        "\ufeff{}",
    ],
    ids=lambda body: body[:40],
)
def test_takes_no_garbage_for_an_answer(httpserver: HTTPServer, body: str) -> None:
    httpserver.expect_request("/").respond_with_handler(
        lambda request: Response(body.replace("ID", json.dumps(json.loads(request.data)["id"])))
    )

    with closing(client(httpserver, timeout_seconds=2)) as node, pytest.raises(NodeUnavailable) as caught:
        node.call("getblockcount")

    assert caught.value.code == "node_unavailable"


def test_takes_no_text_in_another_encoding(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/").respond_with_data(b'{"id": "1", "result": "\xff\xfe"}')

    with closing(client(httpserver)) as node, pytest.raises(NodeUnavailable, match="no JSON"):
        node.call("getblockcount")


@pytest.mark.parametrize("status", [500, 503, 405, 404, 201])
def test_takes_no_result_with_a_status_other_than_200(httpserver: HTTPServer, status: int) -> None:
    def handle(request: Request) -> Response:
        response = answer(result=5)(request)
        response.status_code = status
        return response

    httpserver.expect_request("/").respond_with_handler(handle)

    with closing(client(httpserver)) as node, pytest.raises(NodeUnavailable, match=f"HTTP status {status}"):
        node.call("getblockcount")


def test_names_the_status_of_a_plain_text_error(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/").respond_with_data("Work queue depth exceeded", status=500)

    with closing(client(httpserver)) as node, pytest.raises(NodeUnavailable, match="HTTP status 500"):
        node.call("getblockcount")


def test_gives_up_on_a_server_that_never_answers() -> None:
    with raw_server(sends(b"", pause_seconds=TIMEOUT_SECONDS * 2)) as url:
        failure, seconds = failure_of(url)

    assert "did not answer in time" in str(failure)
    assert seconds < TIMEOUT_SECONDS + SLACK_SECONDS


@pytest.mark.parametrize("prefix", [b"", b"HTTP/1.1 200 OK\r\nX-Slow: ", head(length=10_000)])
def test_gives_up_on_a_server_that_trickles(prefix: bytes) -> None:
    script = sends(prefix, *[b"H"] * 60, pause_seconds=0.05)

    with raw_server(script) as url:
        failure, seconds = failure_of(url)

    assert "did not answer in time" in str(failure)
    assert seconds < TIMEOUT_SECONDS + SLACK_SECONDS


def test_gives_up_on_a_server_that_keeps_promising() -> None:
    script = sends(*[b"HTTP/1.1 100 Continue\r\n\r\n"] * 60, pause_seconds=0.05)

    with raw_server(script) as url:
        failure, seconds = failure_of(url)

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
                thread = threading.Thread(target=_serve, args=(listener, script))
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
        failure, _ = failure_of(url, timeout_seconds=5)

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
        failure_of(url, timeout_seconds=5)

    assert sent < 20_000_000


def test_ignores_the_proxy_of_the_environment(
    httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    httpserver.expect_request("/").respond_with_handler(answer(result=5))

    with closing(client(httpserver)) as node:
        assert node.call("getblockcount") == 5


def basic(credentials: str) -> str:
    return "Basic " + base64.b64encode(credentials.encode()).decode()


def test_sends_user_and_password(httpserver: HTTPServer) -> None:
    httpserver.expect_request(
        "/", headers={"Authorization": basic("paygo:pässwörd:/@")}
    ).respond_with_handler(answer(result=5))

    with closing(client(httpserver, user="paygo", password="pässwörd:/@")) as node:
        assert node.call("getblockcount") == 5


def test_sends_no_credentials_when_there_are_none(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/").respond_with_handler(answer(result=5))

    with closing(client(httpserver)) as node:
        node.call("getblockcount")

    assert "Authorization" not in httpserver.log[0][0].headers


def test_takes_credentials_from_the_url_and_never_shows_them(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/").respond_with_data("", status=401)
    url = httpserver.url_for("/").replace("http://", "http://paygo:s%2Fcret@")

    failure, _ = failure_of(url)

    shown = "".join(traceback.format_exception(failure))
    assert "refused the credentials" in shown
    assert httpserver.log[0][0].headers["Authorization"] == basic("paygo:s/cret")
    assert "s%2Fcret" not in shown
    assert "s/cret" not in shown


def test_does_not_show_the_path_of_the_url(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/key-7f3a").respond_with_data("", status=500)

    failure, _ = failure_of(httpserver.url_for("/key-7f3a"))
    refused, _ = failure_of("http://127.0.0.1:1/key-7f3a")

    assert "key-7f3a" not in str(failure) + str(refused)


def test_names_the_settings_of_refused_credentials(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/").respond_with_data("", status=401)

    failure, _ = failure_of(httpserver.url_for("/"), user="paygo", password="s3cret")

    assert "ZCASH_RPC_USER and ZCASH_RPC_PASSWORD" in str(failure)
    assert "s3cret" not in "".join(traceback.format_exception(failure))
    assert "ZCASH" not in failure.detail
    assert len(httpserver.log) == 1


def test_names_the_nodes_setting_when_the_machine_is_not_admitted(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/").respond_with_data("", status=403)

    failure, _ = failure_of(httpserver.url_for("/"))

    assert "rpcallowip" in str(failure)


def test_reads_the_cookie_again_after_the_node_was_restarted(httpserver: HTTPServer, tmp_path: Path) -> None:
    cookie = tmp_path / ".cookie"
    cookie.write_text("__cookie__:first\n")
    valid = "first"

    def handle(request: Request) -> Response:
        if request.headers.get("Authorization") != basic(f"__cookie__:{valid}"):
            return Response("", status=401)
        return answer(result=5)(request)

    httpserver.expect_request("/").respond_with_handler(handle)
    with closing(client(httpserver, cookie_file=str(cookie), user="ignored", password="x")) as node:
        assert node.call("getblockcount") == 5
        valid = "second"
        cookie.write_text("__cookie__:second")
        assert node.call("getblockcount") == 5
        assert node.call("getblockcount") == 5

    assert len(httpserver.log) == 4


def test_names_the_setting_of_a_refused_cookie(httpserver: HTTPServer, tmp_path: Path) -> None:
    cookie = tmp_path / ".cookie"
    cookie.write_text("__cookie__:stale")
    httpserver.expect_request("/").respond_with_data("", status=401)

    failure, _ = failure_of(httpserver.url_for("/"), cookie_file=str(cookie))

    assert "ZCASH_RPC_COOKIE_FILE" in str(failure)
    assert len(httpserver.log) == 2


@pytest.mark.parametrize("content", [None, b"", b"no separator", b"\xff\xfe:"])
def test_names_the_setting_of_an_unusable_cookie_file(content: bytes | None, tmp_path: Path) -> None:
    cookie = tmp_path / ".cookie"
    if content is not None:
        cookie.write_bytes(content)

    failure, _ = failure_of("http://127.0.0.1:1", cookie_file=str(cookie))

    assert "ZCASH_RPC_COOKIE_FILE" in str(failure)


@pytest.mark.parametrize(
    "url",
    ["", "127.0.0.1:8232", "ftp://127.0.0.1", "http://", "http://host:99999", "http://[::1", "file:///x"],
)
def test_refuses_a_url_that_is_none(url: str) -> None:
    with pytest.raises(NodeUnavailable, match="ZCASH_RPC_URL"):
        RpcClient(url)


@pytest.mark.parametrize("url", ["http://.example", "http://a b", "http://127.0.0.1:1/\x00"])
def test_reports_a_url_that_cannot_be_called(url: str) -> None:
    failure, _ = failure_of(url)

    assert failure.code == "node_unavailable"


def hangs_up_on_an_old_cookie(server: HTTPServer, cookie: Path) -> list[str]:
    """zebrad's manner: no status, no body; returns the list of the calls that it carried out."""
    carried_out: list[str] = []

    def handle(request: Request) -> Response:
        if request.headers.get("Authorization") != basic(cookie.read_text().strip()):
            # Nothing of it reaches the client but the end of the connection.
            request.environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            return Response("")
        carried_out.append(json.loads(request.data)["method"])
        return answer(result=5)(request)

    server.expect_request("/").respond_with_handler(handle)
    return carried_out


def test_asks_a_node_that_hangs_up_once_more_with_its_new_cookie(
    httpserver: HTTPServer, tmp_path: Path
) -> None:
    cookie = tmp_path / ".cookie"
    cookie.write_text("__cookie__:first")
    carried_out = hangs_up_on_an_old_cookie(httpserver, cookie)

    with closing(client(httpserver, cookie_file=str(cookie), names=NODE, timeout_seconds=2)) as node:
        node.call("getblockcount")
        cookie.write_text("__cookie__:second")
        node.call("getbestblockhash")

    assert carried_out == ["getblockcount", "getbestblockhash"]


def test_repeats_nothing_to_a_wallet_that_hung_up(httpserver: HTTPServer, tmp_path: Path) -> None:
    """The wallet may have carried it out; but the next call has the new cookie."""
    cookie = tmp_path / ".cookie"
    cookie.write_text("__cookie__:first")
    carried_out = hangs_up_on_an_old_cookie(httpserver, cookie)

    with closing(client(httpserver, cookie_file=str(cookie), timeout_seconds=2)) as node:
        node.call("getblockcount")
        cookie.write_text("__cookie__:second")
        with pytest.raises(NodeUnavailable):
            node.call("z_sendmany")
        node.call("getblockcount")

    assert carried_out == ["getblockcount", "getblockcount"]


def test_asks_a_node_only_once_that_hangs_up_on_the_same_cookie(tmp_path: Path) -> None:
    cookie = tmp_path / ".cookie"
    cookie.write_text("__cookie__:same")

    with raw_server(sends()) as url:
        failure, _ = failure_of(url, cookie_file=str(cookie), names=NODE)

    assert "cannot be reached, or cut the answer short" in str(failure)


@pytest.mark.parametrize(
    ("options", "setting"),
    [
        ({"cookie_file": "/nowhere/.cookie"}, "ZCASH_NODE_COOKIE_FILE"),
        ({}, "ZCASH_NODE_URL"),
    ],
)
def test_names_the_settings_of_the_node(
    httpserver: HTTPServer, options: dict[str, str], setting: str
) -> None:
    httpserver.expect_request("/").respond_with_data("", status=401)

    failure, _ = failure_of(httpserver.url_for("/"), names=NODE, **options)

    assert setting in str(failure)
    assert "ZCASH_RPC" not in str(failure)


def test_names_the_setting_of_a_url_of_the_node_that_is_none() -> None:
    with pytest.raises(NodeUnavailable, match="ZCASH_NODE_URL"):
        RpcClient("nonsense", names=NODE)
