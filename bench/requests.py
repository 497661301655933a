"""Starts and ends by HTTP: the product against bare DRF views and pgbench that send the same statements."""

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench import captured, world
from bench.intervals import Scale
from bench.results import Goal, Report, median, say, spread

_CLIENTS = 8
_WALLETS_PER_CLIENT = 50
_SECONDS = 4.0
# The limiter counts every call and lets all of them through.
_UNREACHED = {"RATE_LIMIT_CALLS": "999999999/s"}
_ROOT = Path(__file__).resolve().parent.parent


def pairs(scale: Scale, report: Report) -> None:
    """Start and end sessions as fast as it goes, in turns of a few seconds."""
    from core import clock
    from core.models import User
    from paygo.api import keys

    world.build(0, permissions=_CLIENTS * _WALLETS_PER_CLIENT, start=clock.now())
    wallets = world.give_addresses()
    key = keys.create(User.objects.get(pk=1), name="bench", now=clock.now())
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        sent = captured.capture(wallets[0])
        captured.save(sent, folder / "statements")
        script = folder / "pairs.sql"
        script.write_text(captured.pgbench_script(sent, wallets_per_client=_WALLETS_PER_CLIENT))
        product = stack.enter_context(_server("paygo.wsgi:application", _UNREACHED))
        bare = stack.enter_context(
            _server("bench.bare:application", {"PAYGO_BENCH_STATEMENTS": str(folder / "statements")})
        )
        rates: dict[str, list[float]] = {"product": [], "bare": [], "pgbench": []}
        for number in range(scale.rounds + 1):
            turn = {
                "product": lambda: _by_http(product, key, wallets),
                "bare": lambda: _by_http(bare, key, wallets),
                "pgbench": lambda: _by_pgbench(script),
            }
            for name in turn if number % 2 else reversed(turn):
                world.settle_down()
                rate = turn[name]()
                if number:
                    rates[name].append(rate)
            if number:
                shown = ", ".join(f"{name} {each[-1]:,.0f}/s" for name, each in rates.items())
                say(f"  round {number}/{scale.rounds}: {shown}")
    for rung, goal in (("bare", Goal(0.8, 1.0)), ("pgbench", Goal(0.15, 0.25))):
        ratios = [mine / other for mine, other in zip(rates["product"], rates[rung], strict=True)]
        what = "bare DRF views" if rung == "bare" else "pgbench"
        detail = f"{median(rates['product']):,.0f}/s / {median(rates[rung]):,.0f}/s; {spread(ratios)}"
        report.add(f"start + end pairs: product / {what}, same statements", goal, median(ratios), detail)
    report.add("start + end pairs a second, by HTTP", Goal(None, None, unit="/s"), median(rates["product"]))


@contextmanager
def _server(application: str, env: dict[str, str]) -> Iterator[int]:
    """Run an application as `make run` does: two processes, sixteen threads, a pool of connections each."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "granian",
        "--interface",
        "wsgi",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    command += ["--workers", "2", "--blocking-threads", "16", "--workers-kill-timeout", "2", application]
    command += ["--log-level", "error"]
    process = subprocess.Popen(command, cwd=_ROOT, env={**os.environ, "PAYGO_DB_POOL": "16", **env})
    try:
        _wait_for(port, process)
        yield port
    finally:
        process.terminate()
        process.wait(15)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        if process.poll() is not None:
            raise RuntimeError("the server ended")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("the server did not start")


def _by_http(port: int, key: str, wallets: Sequence[str]) -> float:
    """Return pairs a second of so many clients, each with a connection and wallets of its own."""
    done: list[int] = []
    failures: list[str] = []
    until = time.perf_counter() + _SECONDS
    threads = [
        threading.Thread(target=_client, args=(port, key, wallets[number::_CLIENTS], until, done, failures))
        for number in range(_CLIENTS)
    ]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise RuntimeError(failures[0])
    return sum(done) / (time.perf_counter() - began)


def _client(
    port: int, key: str, wallets: Sequence[str], until: float, done: list[int], failures: list[str]
) -> None:
    pairs = 0
    try:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while time.perf_counter() < until:
                body = {"user_wallet_address": wallets[pairs % len(wallets)], "vendor_id": "vendor123"}
                started = _call(connection, "/api/v1/sessions", key, body)
                _call(connection, "/api/v1/sessions/end", key, {"session_code": started["session_code"]})
                pairs += 1
    except (OSError, RuntimeError) as error:
        failures.append(str(error))
    done.append(pairs)


def _call(connection: socket.socket, path: str, key: str, body: dict[str, str]) -> dict[str, str]:
    content = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    connection.sendall(head.encode() + content)
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(65536) or _closed()
    headers, _, answer = received.partition(b"\r\n\r\n")
    length = int(re.search(rb"(?i)content-length: *(\d+)", headers)[1])  # type: ignore[index]
    while len(answer) < length:
        answer += connection.recv(65536) or _closed()
    if not headers.startswith((b"HTTP/1.1 200", b"HTTP/1.1 201")):
        raise RuntimeError(f"{headers[9:12]!r}: {answer[-500:]!r}")
    found: dict[str, str] = json.loads(answer)
    return found


def _closed() -> bytes:
    raise RuntimeError("the server closed the connection")


def _by_pgbench(script: Path) -> float:
    from paygo.devstack import pgbinaries

    command = [
        str(pgbinaries.find().directory / "pgbench"),
        "-n",
        "-M",
        "prepared",
        "-c",
        str(_CLIENTS),
        "-j",
        "2",
        "-T",
        str(int(_SECONDS)),
    ]
    command += ["-f", str(script), os.environ["DATABASE_URL"]]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"tps = ([\d.]+)", ran.stdout)
    if ran.returncode or not found:
        raise RuntimeError(ran.stderr[-2000:])
    return float(found[1])
