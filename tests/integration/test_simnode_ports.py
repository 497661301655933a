"""The simulated node's two ports over HTTP: dialects, cookies, and faults on the wire."""

import http.client
import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from zcash.simnode import SimNode

from .simnode import PASSWORD, USER, Process, basic, call, connection, post


@pytest.fixture
def node(tmp_path: Path) -> Iterator[SimNode]:
    with SimNode(datadir=tmp_path, user=USER, password=PASSWORD) as running:
        yield running


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[SimNode]:
    with SimNode(datadir=tmp_path, dialect="zallet", node_port=0) as running:
        yield running


def exchange(url: str | None, body: dict[str, Any], *, credentials: str) -> tuple[int, dict[str, Any]]:
    assert url is not None
    client = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
    user, _, password = credentials.partition(":")
    try:
        client.request("POST", "/", json.dumps(body), {"Authorization": basic(user, password)})
        answer = client.getresponse()
        return answer.status, json.loads(answer.read() or "{}")
    finally:
        client.close()


def ask_wallet(node: SimNode, method: str, *params: Any, **more: Any) -> tuple[int, dict[str, Any]]:
    body = {"method": method, "params": params, "id": 1, **more}
    return exchange(node.url, body, credentials=node.cookie_file.read_text())


def ask_node(node: SimNode, method: str, *params: Any, **more: Any) -> tuple[int, dict[str, Any]]:
    assert node.node_cookie_file is not None
    body = {"method": method, "params": params, "id": 1, **more}
    return exchange(node.node_url, body, credentials=node.node_cookie_file.read_text())


def test_the_statuses_of_zallet_depend_on_the_version(pair: SimNode) -> None:
    new = [ask_wallet(pair, *call, jsonrpc="2.0") for call in (("nope",), ("z_viewtransaction", "00"))]
    old = [ask_wallet(pair, *call) for call in (("nope",), ("z_viewtransaction", "00"))]

    assert [(status, reply["error"]["code"]) for status, reply in new] == [(200, -32601), (200, -8)]
    assert [(status, reply["error"]["code"]) for status, reply in old] == [(404, -32601), (500, -8)]
    assert set(new[0][1]) == {"jsonrpc", "error", "id"}
    assert set(old[0][1]) == {"result", "error", "id"}
    assert ask_wallet(pair, "z_listoperationids", jsonrpc="2.0") == (
        200, {"jsonrpc": "2.0", "result": [], "id": 1},
    )  # fmt: skip


def test_zebra_always_answers_200(pair: SimNode) -> None:
    for version in ({}, {"jsonrpc": "2.0"}):
        status, reply = ask_node(pair, "nope", **version)
        assert (status, reply["error"]["code"]) == (200, -32601)


def test_both_ports_show_the_same_chain(pair: SimNode) -> None:
    (tip,) = ask_wallet(pair, "generate", 1)[1]["result"]

    assert ask_node(pair, "getbestblockhash")[1]["result"] == tip
    assert ask_node(pair, "generate", 1)[0] == 200
    assert ask_wallet(pair, "getwalletstatus")[1]["result"]["node_tip"]["height"] == pair.height == 2


def test_zcashd_can_have_zebras_port_beside_it(tmp_path: Path) -> None:
    with SimNode(datadir=tmp_path, user=USER, password=PASSWORD, node_port=0) as node:
        call(node, "generate", 3)

        assert ask_node(node, "getbestblockheightandhash")[1]["result"]["height"] == 3


def test_zebra_looks_at_the_password_alone_and_ends_the_connection_without_it(pair: SimNode) -> None:
    assert pair.node_cookie_file is not None
    _, _, password = pair.node_cookie_file.read_text().partition(":")
    body = {"method": "getblockcount", "id": 1}

    assert exchange(pair.node_url, body, credentials=f"anybody:{password}")[0] == 200
    for credentials in ("__cookie__:wrong", "__cookie__:", pair.cookie_file.read_text()):
        with pytest.raises(http.client.RemoteDisconnected):
            exchange(pair.node_url, body, credentials=credentials)


def test_zallet_takes_its_cookie_beside_a_user(tmp_path: Path) -> None:
    body = {"method": "getwalletstatus", "id": 1}
    with SimNode(datadir=tmp_path, dialect="zallet", user=USER, password=PASSWORD) as node:
        assert exchange(node.url, body, credentials=f"{USER}:{PASSWORD}")[0] == 200
        assert exchange(node.url, body, credentials=node.cookie_file.read_text())[0] == 200
        assert exchange(node.url, body, credentials="__cookie__:wrong")[0] == 401


def test_a_restart_renews_both_cookies(pair: SimNode) -> None:
    assert pair.node_cookie_file is not None
    old, old_of_node = pair.cookie_file.read_text(), pair.node_cookie_file.read_text()

    ask_wallet(pair, "sim_restart")

    body = {"method": "getblockcount", "id": 1}
    assert exchange(pair.url, body, credentials=old)[0] == 401
    with pytest.raises(http.client.RemoteDisconnected):
        exchange(pair.node_url, body, credentials=old_of_node)
    assert ask_wallet(pair, "getwalletstatus")[0] == ask_node(pair, "getblockcount")[0] == 200
    modes = {path.stat().st_mode & 0o777 for path in (pair.cookie_file, pair.node_cookie_file)}
    assert modes == {0o600}


def test_a_start_renews_the_cookies_and_a_stop_removes_them(tmp_path: Path) -> None:
    found = []
    for _ in range(2):
        with SimNode(datadir=tmp_path, dialect="zallet", node_port=0) as node:
            paths = [path for path in (node.cookie_file, node.node_cookie_file) if path]
            found.append([path.read_text() for path in paths])
        assert not [path for path in paths if path.exists()]

    assert len({text for texts in found for text in texts}) == 4


def test_an_occupied_second_port_leaves_nothing_behind(pair: SimNode, tmp_path: Path) -> None:
    assert pair.node_url is not None
    taken = int(pair.node_url.rsplit(":", 1)[1])

    with pytest.raises(OSError, match="in use"):
        SimNode(datadir=tmp_path / "late", node_port=taken).start()

    with SimNode(datadir=tmp_path / "late") as other:
        assert other.height == 0


def test_knows_no_other_wallet(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="zebra"):
        SimNode(datadir=tmp_path, dialect="zebra")


def fault(node: SimNode, kind: str, **more: Any) -> None:
    call(node, "sim_fault", {"kind": kind, **more})


GENERATE = b'{"method":"generate","params":[1],"id":1}'


def test_a_reset_comes_before_or_after_the_call_was_carried_out(node: SimNode) -> None:
    heights = []
    for kind in ("reset_before", "reset_after"):
        fault(node, kind, times=1)
        with pytest.raises(ConnectionResetError):
            post(node, GENERATE)
        heights.append(node.height)

    assert heights == [0, 1]
    assert post(node, GENERATE)[0] == 200


def test_half_a_document_falls_short_of_its_length(node: SimNode) -> None:
    fault(node, "half", times=1)

    with pytest.raises(http.client.IncompleteRead) as cut:
        post(node, GENERATE)

    assert cut.value.partial.startswith(b'{"result":')
    assert node.height == 1


@pytest.mark.parametrize(
    ("kind", "status", "content_type", "text"),
    [
        ("not_json", 200, "text/html", b"<html>"),
        ("server_error", 500, "text/plain", b"Work queue depth exceeded"),
    ],
)
def test_answers_what_is_no_json(
    node: SimNode, kind: str, status: int, content_type: str, text: bytes
) -> None:
    fault(node, kind, times=1)

    answered, headers, body = post(node, GENERATE)

    assert (answered, headers["Content-Type"], body[: len(text)]) == (status, content_type, text)
    assert node.height == 0


def test_redirects_elsewhere(node: SimNode) -> None:
    fault(node, "redirect", times=1)

    status, headers, body = post(node, GENERATE)

    assert (status, headers["Location"], body) == (302, "http://127.0.0.2:1/", b"")


def test_is_slow_and_answers(node: SimNode) -> None:
    fault(node, "slow", times=1, seconds=0.3)
    started = time.perf_counter()

    assert post(node, GENERATE)[0] == 200
    assert time.perf_counter() - started >= 0.3


def test_an_endless_body_is_a_stream_that_ends_with_the_client(node: SimNode) -> None:
    fault(node, "huge", times=1)
    client = connection(node)
    client.request("POST", "/", GENERATE, {"Authorization": basic(USER, PASSWORD)})

    answer = client.getresponse()

    assert answer.getheader("Content-Length") == str(2**30)
    assert answer.read(1 << 20) == b'{"result":"' + b"x" * ((1 << 20) - 11)
    answer.close()
    client.close()
    assert call(node, "getblockcount") == 0


@pytest.mark.parametrize("kind", ["hang", "slow", "huge"])
def test_a_stop_does_not_wait_for_a_fault(tmp_path: Path, kind: str) -> None:
    node = SimNode(datadir=tmp_path, user=USER, password=PASSWORD)
    node.start()
    fault(node, kind, seconds=60)
    client = connection(node)
    client.request("POST", "/", GENERATE, {"Authorization": basic(USER, PASSWORD)})
    time.sleep(0.3)

    started = time.perf_counter()
    node.stop()

    assert time.perf_counter() - started < 10
    client.close()


def test_control_methods_work_through_a_fault_of_either_port(pair: SimNode) -> None:
    ask_wallet(pair, "sim_fault", {"kind": "server_error"})

    body = {"method": "getblockcount", "id": 1}
    assert pair.node_cookie_file is not None
    with pytest.raises(json.JSONDecodeError):
        exchange(pair.node_url, body, credentials=pair.node_cookie_file.read_text())
    assert ask_node(pair, "sim_fault", None)[0] == 200
    assert ask_node(pair, "getblockcount")[1]["result"] == 0


def test_the_command_serves_zallet_and_zebra(tmp_path: Path) -> None:
    with Process(tmp_path, "--dialect", "zallet", "--node-port", "0") as process:
        assert process.call("getwalletstatus")["locked"] is False
        second = process.output.readline()

        assert second.startswith("zebrad's methods on http://127.0.0.1:")
        assert second.endswith(f"cookie in {tmp_path / 'zebrad' / '.cookie'}\n")
        assert process.end(signal.SIGTERM) == (0, "")
