"""One row that is held, one chain that is slow, a contract that is deployed: what goes on, and what waits."""

import io
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from pytest_django.fixtures import Settings
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from billing.ethereum import chains, deploying
from billing.models_ethereum import ChainSend, Collection
from core import clock, db
from core.db import advisory_number
from core.models import User
from paygo.devstack.process import wait_until
from tests.evm.world import ADMIN, SERVICE_KEY, TREASURY, USD, World, viewer

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def another_connection() -> Iterator[psycopg.Connection[Any]]:
    """Connect to the test's database beside Django; what it holds it gives back."""
    with psycopg.connect(**connection.get_connection_params()) as other:
        yield other
        other.rollback()


def test_a_row_that_somebody_holds_holds_up_no_other(world: World, vera: User) -> None:
    held, free = world.active(vera, viewer(1)), world.active(vera, viewer(2))
    world.stream(held, USD)
    world.stream(free, USD)

    with another_connection() as other:
        other.execute("SELECT 1 FROM billing_authorization WHERE id = %s FOR UPDATE", [held.pk])
        db.execute("SET lock_timeout = '1s'")
        assert world.round() == {}
        db.execute("RESET lock_timeout")
        sent = list(Collection.objects.values_list("authorization_id", flat=True))
    world.settle()
    world.settle()

    assert sent == [free.pk]
    assert world.balance(TREASURY) == 2 * USD


def test_a_chain_that_does_not_answer_holds_up_no_other(
    world: World, vera: User, settings: Settings, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.node.ask("evm_setNextBlockTimestamp", hex(int(clock.now().timestamp())))
    world.node.mine()
    world.now = clock.now()
    world.stream(world.active(vera, viewer(1)), USD)
    answered = threading.Event()

    def keep_waiting(_: Request) -> Response:
        answered.wait(120)
        return Response("no answer at all")

    httpserver.expect_request("/").respond_with_handler(keep_waiting)
    put_first(settings, httpserver.url_for("/"))
    settings.ETHEREUM_RPC_TIMEOUT_SECONDS = 120
    monkeypatch.setenv("ETHEREUM_KEY", SERVICE_KEY)

    sent = looped(until=ChainSend.objects.exists, then=answered.set)

    assert sent


def put_first(settings: Settings, url: str) -> None:
    """Configure a chain before the world's own."""
    slow = f'[[chain]]\nchain_id = 5\nname = "Slow"\nrpc_url = "{url}"\nconfirmations = 1\nmax_fee_gwei = 1\n'
    slow += f'service = "{ADMIN}"\ntreasury = "{TREASURY}"\n'
    old = Path(settings.ETHEREUM_CHAINS_FILE)
    new = old.with_name("two-chains.toml")
    new.write_text(slow + old.read_text())
    settings.ETHEREUM_CHAINS_FILE = str(new)
    assert [each.name for each in chains.all_chains()] == ["Slow", "Local"]


def looped(*, until: Any, then: Any) -> bool:
    """Let the collector go round until something is true, and then stop it as a supervisor does."""
    seen = []

    def watch() -> None:
        seen.append(wait_until(until, seconds=60, every=0.1))
        connection.close()
        then()
        os.kill(os.getpid(), signal.SIGTERM)

    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        call_command("collect", "--loop")
    finally:
        watcher.join()
        for number, handler in handlers.items():
            signal.signal(number, handler)
    return seen == [True]


def test_a_contract_is_deployed_between_the_rounds_of_a_collector(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deploying, "_PATIENCE_S", 1.0)
    monkeypatch.setenv("ETHEREUM_KEY", SERVICE_KEY)
    world.node.ask("evm_setAutomine", True)
    said = io.StringIO()

    with another_connection() as other:
        number = advisory_number("ethereum collector 31337")
        other.execute("SELECT pg_advisory_lock(%s)", [number])
        with pytest.raises(CommandError, match="a collector is busy"):
            call_command("deploycollector", "31337", "--admin", ADMIN)
        waited = int(world.node.ask("eth_getTransactionCount", world.service, "latest"), 16)
        other.execute("SELECT pg_advisory_unlock(%s)", [number])
    monkeypatch.setattr(deploying, "_PATIENCE_S", 60.0)
    call_command("deploycollector", "31337", "--admin", ADMIN, stdout=said)

    assert waited == 0
    assert said.getvalue().startswith('collector = "0x')
