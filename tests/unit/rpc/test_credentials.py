"""The RPC client's URL, credentials and cookie."""

import base64
import json
import socket
import traceback
from contextlib import closing
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.unit.rpc.servers import answer, client, failure_of, raw_server, sends
from zcash.node.port import NodeUnavailable
from zcash.node.rpc import NODE, RpcClient


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

    with closing(client(httpserver, cookie_file=str(cookie), names=NODE)) as node:
        node.call("getblockcount")
        cookie.write_text("__cookie__:second")
        node.call("getbestblockhash")

    assert carried_out == ["getblockcount", "getbestblockhash"]


def test_repeats_nothing_to_a_wallet_that_hung_up(httpserver: HTTPServer, tmp_path: Path) -> None:
    """The wallet may have carried it out; but the next call has the new cookie."""
    cookie = tmp_path / ".cookie"
    cookie.write_text("__cookie__:first")
    carried_out = hangs_up_on_an_old_cookie(httpserver, cookie)

    with closing(client(httpserver, cookie_file=str(cookie))) as node:
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
