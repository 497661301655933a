"""`paygo-cli`, installed by pip as an integrator does, against the service."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pytest_django.live_server_helper import LiveServer

from core import clock
from paygo.api import keys
from tests.api.world import ALICE
from tests.client.conftest import CLIENT
from tests.factories import make_client, make_vendor
from zcash.simnode import SimNode

pytestmark = [pytest.mark.django_db(transaction=True)]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the client alone, installed from its source; what it needs is here already."""
    source, target = tmp_path_factory.mktemp("source") / "python", tmp_path_factory.mktemp("site")
    shutil.copytree(CLIENT, source, ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__"))
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--no-deps", "--no-build-isolation", "--target", target, source], check=True)
    return target


@pytest.fixture
def key(live_server: LiveServer, settings: Any, tmp_path: Path) -> Iterator[str]:
    """A key with everything, on a service with a simulated node."""
    vera = make_client()
    make_vendor(vera)
    with SimNode(datadir=tmp_path, user="paygo", password="secret") as node:
        settings.ZCASH_RPC_URL = node.url
        settings.ZCASH_RPC_USER, settings.ZCASH_RPC_PASSWORD = "paygo", "secret"
        settings.PAYGO_SANDBOX = True
        yield keys.create(vera, name="cli", now=clock.now())


class Cli:
    """Runs the installed command in a folder of its own, without this project on the path."""

    def __init__(self, installed: Path, url: str, key: str, *, folder: Path) -> None:
        self._command = [sys.executable, installed / "bin" / "paygo-cli"]
        self._env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(installed)}
        self._env |= {"PAYGO_URL": url, "PAYGO_API_KEY": key}
        self._folder = folder

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self._command, *arguments],
            env=self._env,
            cwd=self._folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*self._command, *arguments],
            env=self._env,
            cwd=self._folder,
            stdout=subprocess.PIPE,
            text=True,
            # In the background of a script a process is born deaf to Ctrl-C, and so are its children.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )


@pytest.fixture
def cli(installed: Path, live_server: LiveServer, key: str, tmp_path: Path) -> Cli:
    return Cli(installed, live_server.url, key, folder=tmp_path)


def said(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stderr
    return done.stdout


def word(text: str, after: str) -> str:
    return next(line.split()[1] for line in text.splitlines() if line.startswith(after))


def pay(live_server: LiveServer, key: str, permission: str) -> None:
    from paygo_client import PayGo

    with PayGo(live_server.url, key) as paygo:
        paygo.simulate_payment(permission_id=permission, blocks=3)


def test_lives_a_whole_stream(cli: Cli, live_server: LiveServer, key: str) -> None:
    created = said(cli("create", ALICE, "10", "2.5"))
    permission = word(created, "permission")
    assert f"zcash:{created.partition('zcash:')[2].split()[0]}" in said(cli("uri", permission))
    assert "█" in created or "▀" in created

    pay(live_server, key, permission)
    watched = said(cli("watch", permission, "--every", "0.1"))
    assert watched.splitlines()[-1].startswith("[##############################] active")

    streamed = said(cli("stream", ALICE, "vendor123", "--seconds", "1.2"))
    paid = Decimal(word(streamed, "paid"))
    assert Decimal("0.0008") < paid < Decimal("0.01")

    statement = said(cli("statement", permission))
    assert word(statement, "left") == f"{10 - paid:.8f}"
    assert said(cli("uri", permission)).startswith("nothing is to be paid")


def test_watches_what_is_used_up_until_it_is_topped_up_or_revoked(
    cli: Cli, live_server: LiveServer, key: str
) -> None:
    from paygo_client import PayGo

    permission = word(said(cli("create", ALICE, "10", "2.5")), "permission")
    pay(live_server, key, permission)
    said(cli("watch", permission))
    with PayGo(live_server.url, key) as paygo:
        paygo.start_session(user_wallet_address=ALICE, vendor_id="vendor123")
        paygo.advance_clock(advance_seconds=5 * 3600)
        watching = cli.start("watch", permission, "--every", "0.1")
        assert watching.stdout is not None
        assert "used up" in watching.stdout.readline()

        paygo.simulate_payment(permission_id=permission, amount=Decimal("2.5"), blocks=3)
        watched, _ = watching.communicate(timeout=90)
        assert (watching.returncode, watched.splitlines()[-1].split()[1]) == (0, "active:")

        paygo.revoke_permission(permission)
    done = cli("watch", permission)
    assert (done.returncode, "revoked" in done.stderr) == (1, True)


def test_ends_the_session_when_interrupted(cli: Cli, live_server: LiveServer, key: str) -> None:
    permission = word(said(cli("create", ALICE, "10", "2.5")), "permission")
    pay(live_server, key, permission)
    said(cli("watch", permission))
    streaming = cli.start("stream", ALICE, "vendor123")
    assert streaming.stdout is not None
    code = streaming.stdout.readline().split()[1]

    streaming.send_signal(signal.SIGINT)
    try:
        rest, _ = streaming.communicate(timeout=90)
    finally:
        streaming.kill()

    assert "receipt" in rest
    assert word(rest, "paid") == word(said(cli("end", code)), "paid")


def test_says_why_the_service_refuses(cli: Cli) -> None:
    done = cli("stream", ALICE, "vendor123")

    assert done.returncode == 1
    assert "402 permission_required" in done.stderr
    assert "Traceback" not in done.stderr


def test_says_what_to_do_about_a_key_that_is_none(cli: Cli) -> None:
    done = cli("--key", "pg_wrong", "statement", "550e8400-e29b-41d4-a716-446655440000")

    assert done.returncode == 1
    assert "401 invalid_api_key" in done.stderr
    assert "PAYGO_API_KEY" in done.stderr


def test_says_which_field_is_wrong(cli: Cli) -> None:
    done = cli("create", "t1-not-an-address", "10", "2.5")

    assert done.returncode == 1
    assert done.stderr.count("user_wallet_address: ") == 1


def test_says_that_nobody_is_there(installed: Path, tmp_path: Path) -> None:
    done = Cli(installed, "http://127.0.0.1:9", "pg_key", folder=tmp_path)("watch", "any")

    assert done.returncode == 3
    assert "nobody answers at http://127.0.0.1:9" in done.stderr
    assert "PAYGO_URL" in done.stderr


@pytest.mark.parametrize("url", ["127.0.0.1:8080", "ftp://paygo.example", ""])
def test_refuses_an_address_that_is_none(installed: Path, tmp_path: Path, url: str) -> None:
    done = Cli(installed, url, "pg_key", folder=tmp_path)("watch", "any")

    assert done.returncode == 2
    assert "no address of a service" in done.stderr


@pytest.mark.parametrize("amount", ["0", "-1", "NaN", "inf", "a lot"])
def test_refuses_an_amount_that_is_none(cli: Cli, amount: str) -> None:
    done = cli("create", ALICE, "--", amount, "1")

    assert done.returncode == 2
    assert "amount" in done.stderr


def test_tells_no_key_in_its_help(cli: Cli, key: str) -> None:
    assert key not in said(cli("--help"))
