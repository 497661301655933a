"""What the RPC client sends, and what it takes for an answer."""

import json
import socket
from contextlib import closing
from decimal import Decimal

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from core.errors import Unavailable
from tests.unit.rpc.servers import answer, client, closing_client, head, raw_server, read_request
from zcash.node.port import NodeNotReady, NodeRefused, NodeUnavailable


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

    with closing(client(httpserver)) as node, pytest.raises(NodeUnavailable) as caught:
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
