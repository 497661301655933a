"""The simulated node over HTTP, and as a process of its own."""

import base64
import http.client
import json
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from zcash.addresses import Network, encode_sapling
from zcash.simnode import SimNode

from .simnode import PASSWORD, USER, Process, basic, call, connection, post

STRANGER = encode_sapling(bytes(43), network=Network.REGTEST)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[SimNode]:
    with SimNode(datadir=tmp_path, user=USER, password=PASSWORD) as running:
        yield running


def ask(client: http.client.HTTPConnection, request: tuple[str, str, bytes, dict[str, str]]) -> bytes:
    client.request(*request)
    return client.getresponse().read()


def raw(node: SimNode, *pieces: bytes) -> bytes:
    host, port = node.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as client:
        for piece in pieces:
            client.sendall(piece)
        client.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: client.recv(65536), b""))


def test_answers_over_one_connection_many_times(node: SimNode) -> None:
    client = connection(node)
    client.connect()
    sock = client.sock

    for height in range(3):
        client.request(
            "POST", "/", b'{"method":"getblockcount","id":"x"}', {"Authorization": basic(USER, PASSWORD)}
        )
        assert json.loads(client.getresponse().read()) == {"result": height, "error": None, "id": "x"}
        call(node, "generate", 1)

    assert client.sock is sock
    client.close()


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b'{"method":"nope","id":1}', 404, -32601),
        (b'{"id":1}', 400, -32600),
        (b'{"method":5,"id":1}', 400, -32600),
        (b'{"method":"getblockcount","params":{},"id":1}', 400, -32600),
        (b'{"method":"getblockcount","params":5,"id":1}', 400, -32600),
        (b'{"method":"getblockcount","params":[1],"id":1}', 500, -1),
        (b'{"jsonrpc":"2.0","method":"getblockhash","params":[9],"id":1}', 500, -8),
        (b"", 500, -32700),
        (b"{", 500, -32700),
        (b"5", 500, -32700),
        (b'"text"', 500, -32700),
        (b"null", 500, -32700),
        (b"\xff\xfe", 500, -32700),
        (b'{"method":"generate","params":[NaN]}', 500, -32700),
        (b'{"method":"generate","params":[1e99999999999999999999]}', 500, -32700),
        (b'{"method":"generate","params":[' + b"9" * 5000 + b"]}", 500, -32700),
        (b"[" * 100 + b"]" * 100, 500, -32700),
        (b'{"a":' * 100_000, 500, -32700),
        (b'{"method":"generate","params":[' + b"[" * 65 + b"]" * 65 + b"]}", 500, -32700),
    ],
    ids=lambda value: str(value)[:40],
)
def test_answers_errors_with_zcashds_status_and_a_json_body(
    node: SimNode, body: bytes, status: int, code: int
) -> None:
    answered, headers, text = post(node, body)

    reply = json.loads(text)
    assert (answered, reply["error"]["code"], reply["result"]) == (status, code, None)
    assert headers["Content-Type"] == "application/json"
    assert call(node, "getblockcount") == 0


def test_brackets_in_strings_are_no_depth(node: SimNode) -> None:
    body = json.dumps({"method": "z_validateaddress", "params": ['[{\\"' * 500], "id": 1})

    status, _, _ = post(node, body.encode())

    assert status == 200


def test_answers_a_batch_in_its_order(node: SimNode) -> None:
    requests = [
        {"method": "getblockcount", "id": 1},
        5,
        {"method": "nope", "id": 3},
        {"method": "generate", "params": [1], "id": None},
    ]

    status, _, text = post(node, json.dumps(requests).encode())

    replies = json.loads(text)
    assert status == 200
    assert [reply["id"] for reply in replies] == [1, None, 3, None]
    assert [reply["error"] and reply["error"]["code"] for reply in replies] == [None, -32600, -32601, None]
    assert post(node, b"[]")[2] == b"[]\n"


@pytest.mark.parametrize(
    "authorization",
    [
        basic(USER, "wrong"),
        basic("other", PASSWORD),
        basic(USER, ""),
        "Basic !!!",
        "Basic",
        "Bearer " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode(),
    ],
)
def test_refuses_wrong_credentials_after_a_moment(node: SimNode, authorization: str) -> None:
    started = time.perf_counter()

    status, headers, body = post(node, b'{"method":"getblockcount"}', authorization=authorization)

    assert (status, body) == (401, b"")
    assert headers["WWW-Authenticate"].startswith("Basic")
    assert time.perf_counter() - started >= 0.25


def test_refuses_a_call_without_credentials(node: SimNode) -> None:
    answer = raw(node, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")

    assert answer.startswith(b"HTTP/1.1 401 ")
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_takes_post_only(node: SimNode, method: str) -> None:
    assert post(node, b"", method=method)[0] == 405


def test_knows_one_path(node: SimNode) -> None:
    assert post(node, b'{"method":"getblockcount"}', path="/wallet")[0] == 404


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (b"", 411),
        (b"Transfer-Encoding: chunked\r\n", 411),
        (b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", 411),
        (b"Content-Length: -1\r\n", 400),
        (b"Content-Length: 0x10\r\n", 400),
        (b"Content-Length: \xb2\r\n", 400),
        (b"Content-Length: 2\r\nContent-Length: 3\r\n", 400),
        (b"Content-Length: 1048577\r\n", 413),
        (b"Content-Length: 1" + b"0" * 5000 + b"\r\n", 413),
    ],
    ids=lambda value: str(value)[:40],
)
def test_refuses_a_body_of_unknown_or_excessive_length(node: SimNode, headers: bytes, status: int) -> None:
    # Read on, the body would be a request of its own.
    body = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"

    answer = raw(node, b"POST / HTTP/1.1\r\nHost: x\r\n" + headers + b"\r\n" + body)

    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert answer.count(b"HTTP/1.1") == 1
    assert call(node, "getblockcount") == 0


def test_takes_a_body_up_to_the_limit(node: SimNode) -> None:
    request = b'{"method":"getblockcount","id":1}'

    assert post(node, request + b" " * (2**20 - len(request)))[0] == 200


def test_half_a_body_does_nothing(node: SimNode) -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n"
    authorization = b"Authorization: " + basic(USER, PASSWORD).encode() + b"\r\n\r\n"

    answer = raw(node, head, authorization, b'{"method":"generate","params":[1]}')

    assert answer == b""
    assert call(node, "getblockcount") == 0


def test_concurrent_clients_corrupt_nothing(tmp_path: Path) -> None:
    with SimNode(datadir=tmp_path, user=USER, password=PASSWORD) as node:
        address = call(node, "z_getaddressforaccount", 0, ["sapling"])["address"]
        together = threading.Barrier(8)

        def work(worker: int) -> list[str]:
            together.wait()
            txids = []
            for number in range(10):
                txids.append(call(node, "sim_pay", address, f"0.0000{worker}{number:02d}1"))
                call(node, "generate", 1)
                call(node, "z_getaddressforaccount", 0, ["orchard"])
            return txids

        with ThreadPoolExecutor(8) as pool:
            paid = sorted(txid for txids in pool.map(work, range(8)) for txid in txids)
        rows = call(node, "z_listreceivedbyaddress", address)
        addresses = call(node, "z_listaccounts")[0]["addresses"]

    assert sorted(row["txid"] for row in rows) == paid
    assert len(set(paid)) == 80
    assert len({each["diversifier"] for each in addresses}) == len({each["ua"] for each in addresses}) == 81
    with SimNode(datadir=tmp_path, user=USER, password=PASSWORD) as again:
        assert call(again, "getblockcount") == 80
        assert call(again, "z_listreceivedbyaddress", address) == rows


def test_remembers_everything_over_a_restart(tmp_path: Path) -> None:
    with SimNode(datadir=tmp_path, user=USER, password=PASSWORD) as node:
        address = call(node, "z_getaddressforaccount", 0, ["sapling"])["address"]
        call(node, "sim_pay", address, 1)
        call(node, "generate", 2)
        rows, tip = call(node, "z_listreceivedbyaddress", address, 0), call(node, "getbestblockhash")

    with SimNode(datadir=tmp_path, user=USER, password=PASSWORD) as again:
        assert call(again, "z_listreceivedbyaddress", address, 0) == rows
        assert call(again, "getbestblockhash") == tip


def test_pays_a_reference_once_over_a_restart_too(tmp_path: Path) -> None:
    with SimNode(datadir=tmp_path, user=USER, password=PASSWORD) as node:
        txids = [call(node, "sim_pay", STRANGER, amount, None, "one") for amount in (1, 2)]
    with SimNode(datadir=tmp_path, user=USER, password=PASSWORD) as node:
        txids.append(call(node, "sim_pay", STRANGER, 1, None, "one"))
        other = call(node, "sim_pay", STRANGER, 1, None, "two")

        assert len(set(txids)) == 1
        assert sorted(call(node, "getrawmempool")) == sorted([txids[0], other])


def test_mines_by_itself(tmp_path: Path) -> None:
    with SimNode(datadir=tmp_path, user=USER, password=PASSWORD, block_seconds=0.05) as node:
        call(node, "sim_pay", STRANGER, 1)
        deadline = time.monotonic() + 60
        while node.height < 3 and time.monotonic() < deadline:
            time.sleep(0.02)

        assert node.height >= 3
        assert call(node, "getblockchaininfo")["chainSupply"]["chainValueZat"] == 10**8


def test_an_open_connection_gets_no_answer_after_the_stop(tmp_path: Path) -> None:
    node = SimNode(datadir=tmp_path, user=USER, password=PASSWORD)
    node.start()
    client = connection(node)
    request = ("POST", "/", b'{"method":"getblockcount"}', {"Authorization": basic(USER, PASSWORD)})
    assert ask(client, request)
    client.auto_open = 0

    started = time.perf_counter()
    node.stop()
    node.stop()

    assert time.perf_counter() - started < 10
    with pytest.raises((http.client.HTTPException, OSError)):
        ask(client, request)
    client.close()


def test_a_flood_of_requests_does_not_hold_up_the_stop(tmp_path: Path) -> None:
    node = SimNode(datadir=tmp_path, user=USER, password=PASSWORD)
    node.start()
    request = (
        b"POST / HTTP/1.1\r\nHost: x\r\nAuthorization: %b\r\nContent-Length: 26\r\n\r\n"
        b'{"method":"getblockcount"}' % basic(USER, PASSWORD).encode()
    )
    host, port = node.url.removeprefix("http://").split(":")

    with socket.create_connection((host, int(port)), timeout=60) as client, ThreadPoolExecutor(2) as pool:
        pool.submit(flood, client, request * 100_000)
        assert client.recv(1)
        pool.submit(drain, client)
        started = time.perf_counter()
        node.stop()
        assert time.perf_counter() - started < 10


def flood(client: socket.socket, data: bytes) -> None:
    with suppress(OSError):
        client.sendall(data)


def drain(client: socket.socket) -> None:
    with suppress(OSError):
        while client.recv(65536):
            pass


def test_starts_again_on_the_same_port(tmp_path: Path) -> None:
    with SimNode(datadir=tmp_path, user=USER, password=PASSWORD) as first:
        port = int(first.url.rsplit(":", 1)[1])
        call(first, "generate", 1)

    with SimNode(datadir=tmp_path, user=USER, password=PASSWORD, port=port) as second:
        assert second.url == first.url
        assert call(second, "getblockcount") == 1


def test_an_occupied_port_leaves_the_data_directory_free(node: SimNode, tmp_path: Path) -> None:
    port = int(node.url.rsplit(":", 1)[1])
    late = SimNode(datadir=tmp_path / "late", user=USER, password=PASSWORD, port=port)

    with pytest.raises(OSError, match="in use"):
        late.start()

    with SimNode(datadir=tmp_path / "late", user=USER, password=PASSWORD) as other:
        assert other.height == 0


def test_writes_a_cookie_when_it_has_no_password(tmp_path: Path) -> None:
    cookie = tmp_path / ".cookie"
    with SimNode(datadir=tmp_path) as node:
        user, password = cookie.read_text().split(":")

        assert cookie.stat().st_mode & 0o777 == 0o600
        assert (user, node.user) == ("__cookie__", "__cookie__")
        assert post(node, b'{"method":"getblockcount"}', authorization=basic(user, password))[0] == 200
        assert post(node, b'{"method":"getblockcount"}', authorization=basic(user, ""))[0] == 401
    assert not cookie.exists()


def test_helps(node: SimNode) -> None:
    everything = call(node, "help")

    assert {"getblockcount", "help ( command )", "sim_pay address amount ( memo reference )", "stop"} <= set(
        everything.splitlines()
    )
    assert call(node, "help", "generate").startswith("generate numblocks\n")
    assert call(node, "help", "nope") == "help: unknown command: nope"


def test_the_command_survives_a_kill_and_stops_on_a_signal(tmp_path: Path) -> None:
    with Process(tmp_path) as first:
        address = first.call("z_getaddressforaccount", 0, ["sapling"])["address"]
        txid = first.call("sim_pay", address, 1)
        tip = first.call("generate", 1)[0]
        first.end(signal.SIGKILL)

    with Process(tmp_path) as second:
        assert second.line == f"Simulated Zcash node on {second.url}, height 1, user {USER}\n"
        assert second.call("getbestblockhash") == tip
        assert [row["txid"] for row in second.call("z_listreceivedbyaddress", address)] == [txid]
        assert second.end(signal.SIGTERM) == (0, "")

    with Process(tmp_path) as third:
        assert third.url
        assert third.end(signal.SIGINT) == (0, "")


def test_the_command_refuses_mainnet(settings: Any, tmp_path: Path) -> None:
    settings.ZCASH_NETWORK = "main"

    with pytest.raises(CommandError, match="main"):
        call_command("runzcashnode", datadir=tmp_path)


def test_the_command_says_that_its_port_or_directory_is_taken(node: SimNode, tmp_path: Path) -> None:
    port = int(node.url.rsplit(":", 1)[1])

    with pytest.raises(CommandError, match=f"Cannot listen on 127.0.0.1:{port}: .*in use"):
        call_command("runzcashnode", datadir=tmp_path / "free", port=port)
    with pytest.raises(CommandError, match="another simulated node is using"):
        call_command("runzcashnode", datadir=tmp_path, port=0)
    with pytest.raises(CommandError, match="Cannot listen"):
        call_command("runzcashnode", datadir=tmp_path / "free", port=70_000)


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "x"])
def test_the_command_refuses_to_mine_at_an_impossible_pace(tmp_path: Path, seconds: str) -> None:
    with pytest.raises(CommandError, match="block-seconds"):
        call_command("runzcashnode", "--datadir", str(tmp_path), "--block-seconds", seconds)
