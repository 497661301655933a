"""Every command of upkeep can be tried without effect, writes one document, and fails by its exit code.

A command that is added is named here: it is one of upkeep, or it is said why it is none.
"""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection
from pytest_django.fixtures import Settings

import paygo
from billing import expiry
from core import clock, db, outbox, publisher
from core.models import ReceiptRow, WebhookDelivery, WebhookEndpoint
from core.webhooks import endpoints
from paygo.api import keys
from paygo.api.models import ApiKey
from tests import refunding
from tests.factories import make_permission
from tests.refunding import World
from zcash.models import AuditSeal

COMMANDS = Path(paygo.__file__).with_name("management") / "commands"
# What keeps nothing up.
OTHERS = {
    "bill": "the engine itself",
    "collect": "the engine of Ethereum",
    "reversals": "lists, and takes back only with --apply; it has both options all the same",
    "archive_audit_log": "a part of retention, without a limit of time",
    "metrics": "reads, for a monitor",
    "exportledger": "writes the ledger in formats of its own",
    "createapikey": "makes a row",
    "createvendor": "makes a row",
    "revokepermission": "one act of an operator",
    "setvendorpayouts": "one act of an operator; it has both options all the same",
    "pardondebt": "one act of an operator; it has both options all the same",
    "resolvesend": "one act of an operator; it has both options all the same",
    "recordtokenpayout": "one act of an operator; it has both options all the same",
    "deploycollector": "sets up a chain",
    "seeddemo": "makes a demonstration",
    "demo": "a demonstration",
    "demo_hybrid": "a demonstration",
    "runzcashnode": "a server",
    "drawstates": "writes documentation",
    "openapi": "writes documentation",
}


@dataclass(frozen=True)
class Upkeep:
    """How a command is called, what makes it fail, and what shows that it has done something."""

    arguments: Callable[[], list[str]] = list
    breaks: Callable[[pytest.MonkeyPatch], object] = lambda _: None
    wrong: Callable[[], list[str]] | None = None
    code: int = 1
    done: Callable[[], object] = lambda: None


def set_the_clock_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    wall = time.time
    monkeypatch.setattr("core.clock.time.time", lambda: wall() + 60)
    clock.forget()


def damage_a_deposit(_: pytest.MonkeyPatch) -> None:
    db.execute("UPDATE zcash_deposit SET amount_zat = amount_zat + 1")


def forge_a_seal(_: pytest.MonkeyPatch) -> None:
    since = clock.now() + timedelta(days=40)
    AuditSeal.objects.create(
        partition="zcash_permission_audit_other_209912",
        covers_from=since,
        covers_to=since + timedelta(days=1),
        sealed_at=since,
        rows=0,
        last_id=0,
        previous_digest="12" * 32,
        digest="34" * 32,
    )


def stop_the_node(_: pytest.MonkeyPatch) -> None:
    settings.ZCASH_RPC_URL = settings.ZCASH_NODE_URL = "http://127.0.0.1:9"


def key() -> list[str]:
    return [ApiKey.objects.earliest("id").prefix]


def endpoint() -> list[str]:
    return [str(WebhookEndpoint.objects.get().public_id)]


UPKEEP = {
    "expire": Upkeep(breaks=set_the_clock_wrong, done=lambda: not expiry.due(now=clock.now()).all),
    "retention": Upkeep(breaks=set_the_clock_wrong, done=lambda: not ReceiptRow.objects.exists()),
    "reconcile": Upkeep(breaks=stop_the_node, code=2),
    "audit": Upkeep(lambda: ["--at-rest"], breaks=damage_a_deposit),
    "verify_audit_log": Upkeep(breaks=forge_a_seal),
    "rotateapikey": Upkeep(key, wrong=lambda: ["pg_nobody"], done=lambda: ApiKey.objects.count() == 2),
    "replay_webhooks": Upkeep(
        endpoint,
        wrong=lambda: [str(UUID(int=0))],
        done=lambda: WebhookDelivery.objects.filter(is_redelivery=True).exists(),
    ),
}


@pytest.fixture
def world(tmp_path: Path, settings: Settings, db: None) -> Iterator[World]:
    """A node, and something to do for every command: it is due, old, missed, or to be looked at."""
    settings.WEBHOOK_ALLOW_LOOPBACK = True
    with refunding.in_world(tmp_path / "node", dialect="zallet", settings=settings) as world:
        world.paid()
        long_ago = clock.now() - timedelta(days=40)
        make_permission(world.vera, now=long_ago, expires_at=long_ago + timedelta(days=30))
        ReceiptRow.objects.create(
            client=world.vera, endpoint="POST /x", key="old", body_digest=b"", created_at=long_ago, result={}
        )
        keys.create(world.vera, name="old", now=clock.now())
        listens = endpoints.create("http://127.0.0.1:9/hook", client_id=world.vera.pk, now=clock.now())
        happen(world)
        endpoints.disable(listens.public_id, client_id=world.vera.pk, now=clock.now())
        endpoints.enable(listens.public_id, now=clock.now())
        publisher.publish_all(now=clock.now())
        WebhookDelivery.objects.filter(status="pending").delete()
        yield world


def happen(world: World) -> None:
    with db.operation():
        outbox.emit("session.started", client_id=world.vera.pk, subject=uuid4(), payload={}, now=clock.now())
    publisher.publish_all(now=clock.now())


def told(command: str, *options: str) -> dict[str, Any]:
    out = StringIO()
    call_command(command, *options, "--json", stdout=out, stderr=StringIO())
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


def everything() -> dict[str, str]:
    """Return a digest of each table as it is."""
    found = {}
    for table in connection.introspection.table_names():
        digest = f"SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM {table} t"
        (found[table],) = db.row(digest)
    return found


def test_every_command_is_known() -> None:
    there = {path.stem for path in COMMANDS.glob("*.py")} - {"__init__"}

    assert there == UPKEEP.keys() | OTHERS.keys()


@pytest.mark.parametrize("command", UPKEEP)
def test_changes_nothing_in_a_dry_run(world: World, command: str) -> None:
    upkeep = UPKEEP[command]
    before = everything()

    told(command, *upkeep.arguments(), "--dry-run")

    assert everything() == before


@pytest.mark.parametrize("command", UPKEEP)
def test_writes_one_document_of_the_same_form_and_does_it(world: World, command: str) -> None:
    upkeep = UPKEEP[command]
    tried = told(command, *upkeep.arguments(), "--dry-run")

    found = told(command, *upkeep.arguments())

    assert found.keys() == tried.keys()
    assert upkeep.done() is not False
    call_command(command, *upkeep.arguments(), "--dry-run", stdout=StringIO(), stderr=StringIO())


@pytest.mark.unbalanced
@pytest.mark.parametrize("dry", [["--dry-run"], []], ids=["dry run", "for real"])
@pytest.mark.parametrize("command", UPKEEP)
def test_fails_by_its_code(
    world: World, command: str, dry: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    upkeep = UPKEEP[command]
    upkeep.breaks(monkeypatch)

    with pytest.raises(CommandError) as failed:
        told(command, *(upkeep.wrong or upkeep.arguments)(), *dry)

    assert failed.value.returncode == upkeep.code
