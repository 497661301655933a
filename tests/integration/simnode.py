"""How tests of the simulated node call it over HTTP, and start it as a process of its own."""

import base64
import http.client
import json
import os
import signal
import subprocess
import sys
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from zcash.simnode import SimNode

USER, PASSWORD = "paygo", "p\u00e4ss:word"
ROOT = Path(__file__).parents[2]


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def connection(node: SimNode) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(node.url.removeprefix("http://"), timeout=60)


def post(
    node: SimNode, body: bytes, *, authorization: str | None = None, method: str = "POST", path: str = "/"
) -> tuple[int, dict[str, str], bytes]:
    client = connection(node)
    try:
        client.request(method, path, body, {"Authorization": authorization or basic(USER, PASSWORD)})
        answer = client.getresponse()
        return answer.status, dict(answer.headers), answer.read()
    finally:
        client.close()


def call(node: SimNode, method: str, *params: Any) -> Any:
    status, _, body = post(node, json.dumps({"method": method, "params": params, "id": 1}).encode())
    assert status == 200, body
    return json.loads(body)["result"]


class Process:
    """`manage.py runzcashnode` with a database that cannot be reached."""

    def __init__(self, datadir: Path, *options: str) -> None:
        environment = os.environ | {
            "DATABASE_URL": "postgres://nobody@127.0.0.1:1/none",
            "ZCASH_RPC_USER": USER,
            "ZCASH_RPC_PASSWORD": "secret",
            "ZCASH_NETWORK": "regtest",
        }
        command = [
            sys.executable,
            "manage.py",
            "runzcashnode",
            "--port",
            "0",
            "--datadir",
            str(datadir),
            *options,
        ]
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert self.process.stdout is not None
        self.output = self.process.stdout

    @cached_property
    def line(self) -> str:
        """The first line it writes."""
        return self.output.readline()

    @property
    def url(self) -> str:
        """Where it says that it listens."""
        return self.line.split()[4].rstrip(",") if "node on" in self.line else ""

    def call(self, method: str, *params: Any) -> Any:
        client = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=60)
        body = json.dumps({"method": method, "params": params, "id": 1})
        client.request("POST", "/", body, {"Authorization": basic(USER, "secret")})
        result = json.loads(client.getresponse().read())["result"]
        client.close()
        return result

    def end(self, signum: signal.Signals) -> tuple[int, str]:
        self.process.send_signal(signum)
        rest = self.output.read()
        return self.process.wait(60), rest

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.process.kill()
        self.process.wait(60)
        self.output.close()
