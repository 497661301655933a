"""Every operation of the OpenAPI document, with whatever schemathesis makes up: no fault, no surprise.

The real web server on the test's database, with the simulated node behind it. A failure is printed with the
curl command that repeats it.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from urllib.request import urlopen

import pytest
from django.conf import settings as django_settings
from django.db import connection

from paygo.devstack.ports import free_port
from tests.api import matrix
from tests.api.world import make_api
from zcash.node.rpc import RpcClient

ROOT = Path(django_settings.BASE_DIR)
# They end the key that calls, and the node's good behaviour, for all that comes after them.
HARMFUL = ("rotate_the_api_key", "start_a_node_fault")
# A documented 503 is no fault: the node can be away. That good data be accepted cannot be asked of a service
# whose addresses have checksums and whose answers depend on money.
CONFIGURATION = """
[checks]
positive_data_acceptance.enabled = false
not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", "503"]

# A stream goes on for minutes: what comes first is looked at.
[[operations]]
include-path-regex = "/stream$"
request-timeout = 1.0
max-stream-events = 1
"""
# Made up for each operation, beside the examples and the bounds of every field; a night can afford more.
EXAMPLES = int(os.environ.get("PAYGO_FUZZ_EXAMPLES", "15"))

LONGEST_SECONDS = 300 + 30 * EXAMPLES
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(LONGEST_SECONDS + 60),
    pytest.mark.unbalanced,
]


@contextmanager
def server(settings: Any) -> Iterator[str]:
    """Yield the address of a web server on this database."""
    port = free_port()
    url = urlsplit(os.environ["DATABASE_URL"])
    environment = os.environ | {
        "DATABASE_URL": urlunsplit(url._replace(path="/" + str(connection.settings_dict["NAME"]))),
        "ZCASH_RPC_URL": settings.ZCASH_RPC_URL,
        "ZCASH_RPC_USER": settings.ZCASH_RPC_USER,
        "ZCASH_RPC_PASSWORD": settings.ZCASH_RPC_PASSWORD,
        "ZCASH_RPC_TIMEOUT_SECONDS": "1",
        "RATE_LIMIT_CALLS": "off",
        "RATE_LIMIT_NODE_CALLS": "off",
        "PAYGO_LOG_LEVEL": "ERROR",
        "PAYGO_SANDBOX": "1",
        # A stream that nobody reads any more is noticed at its next sign of life.
        "STREAM_HEARTBEAT_SECONDS": "1",
    }
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--http", "1", "--host", "127.0.0.1"]
    command += ["--port", str(port), "--blocking-threads", "8", "--no-log", "paygo.wsgi:application"]
    with subprocess.Popen(command, cwd=ROOT, env=environment) as process:
        try:
            yield _ready(f"http://127.0.0.1:{port}")
        finally:
            process.terminate()


def _ready(url: str) -> str:
    for _ in range(300):
        try:
            urlopen(f"{url}/api/schema/", timeout=5).close()
        except OSError:
            time.sleep(0.1)
        else:
            return url
    raise AssertionError("the web server does not start")


def fuzz(
    url: str, key: str, *arguments: str, folder: Path, known: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run schemathesis; what is `known` stands in the paths of all calls."""
    parameters = [f'"path.{name}" = "{value}"' for name, value in (known or {}).items()]
    configuration = "\n".join(["[parameters]", *parameters, CONFIGURATION])
    (folder / "schemathesis.toml").write_text(configuration)
    command = [str(Path(sys.executable).with_name("schemathesis")), "run", f"{url}/api/schema/"]
    command += ["--header", f"Authorization: Bearer {key}", "--max-examples", str(EXAMPLES), "--no-color"]
    # One worker: in two threads at once Python 3.11 can take the source of a lambda for too deep (gh-106905).
    command += ["--generation-database", "none", "--seed", "7", "--workers", "1", *arguments]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=LONGEST_SECONDS, check=False
    )


@pytest.fixture
def world(node: RpcClient, transactional_db: None) -> matrix.World:
    return matrix.build(make_api("vera-tv"), node)


def test_no_input_surprises_the_service(world: matrix.World, settings: Any, tmp_path: Path) -> None:
    excluded = [part for name in HARMFUL for part in ("--exclude-operation-id", name)]

    with server(settings) as url:
        said = fuzz(url, world.vera.key, *excluded, folder=tmp_path)

    assert said.returncode == 0, said.stdout[-60_000:] + said.stderr[-2_000:]


def test_no_input_surprises_what_is_there(world: matrix.World, settings: Any, tmp_path: Path) -> None:
    """With the ids of what exists: those that are made up lead to a 404."""
    excluded = [part for name in HARMFUL for part in ("--exclude-operation-id", name)]

    with server(settings) as url:
        said = fuzz(
            url, world.vera.key, "--phases", "fuzzing", *excluded, folder=tmp_path, known=world.in_path
        )

    assert said.returncode == 0, said.stdout[-60_000:] + said.stderr[-2_000:]


def test_no_input_surprises_what_ends_the_others(world: matrix.World, settings: Any, tmp_path: Path) -> None:
    included = [part for name in HARMFUL for part in ("--include-operation-id", name)]

    with server(settings) as url:
        said = fuzz(url, world.vera.key, *included, folder=tmp_path)
    settings.PAYGO_SANDBOX = True

    assert said.returncode == 0, said.stdout[-60_000:] + said.stderr[-2_000:]
