"""The database and the simulated node behind proxies that cut, and back at their starting state at once."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.apps import apps
from django.db import InterfaceError, OperationalError, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from pytest_django.fixtures import Settings

from core import clock, db
from tests.faults.cutting import HttpProxy, PostgresProxy, Scissors, Window, running
from zcash.node import disconnect
from zcash.node.rpc import RpcClient
from zcash.simnode import SimNode

USER, PASSWORD = "paygo", "only-for-tests"

_APPS = ("core", "zcash", "sessions_app", "billing")
# What is no part of what money does.
_UNCOMPARED = {"core_user", "core_clock", "billing_intervalrun"}
_IDS = (
    "ARRAY['id', 'public_id', 'send_id', 'permission_id', 'session_id', 'send',"
    " 'debit_of', 'credit_of', 'cause_id']"
)
# What differs from one run to the next that does the same.
_DRAWN = re.compile(r"opid-[0-9a-f-]+|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{64}")
_TIME = re.compile(r'"[0-9]{4}-[0-9]{2}-[0-9]{2}T[^"]+"')


class Rows:
    """Every row of the project's tables: kept under a name, put back, and compared."""

    def __init__(self) -> None:
        models = [model for label in _APPS for model in apps.get_app_config(label).get_models()]
        self._tables = sorted(model._meta.db_table for model in models if model._meta.managed)

    def keep(self, name: str) -> None:
        """Keep the rows as they are now, as long as this connection lasts."""
        for table in self._tables:
            db.execute(f"DROP TABLE IF EXISTS pg_temp.{name}_{table}")
            db.execute(f"CREATE TEMPORARY TABLE {name}_{table} AS SELECT * FROM {table}")

    def put_back(self, name: str) -> None:
        """Let the tables hold what was kept, whatever the triggers of the audit log say."""
        back = "".join(
            f"DELETE FROM {table}; INSERT INTO {table} SELECT * FROM {name}_{table};"
            for table in self._tables
        )
        db.execute(
            "BEGIN; SET LOCAL session_replication_role = replica; SET LOCAL synchronous_commit = off;"
            f" {back} COMMIT"
        )
        clock.forget()

    def state(self, *, timeless: bool) -> tuple[str, ...]:
        """Return all rows that tell of money, without what is drawn at random, and without times if told."""
        selects = [
            f"SELECT '{table} ' || (to_jsonb(x) - {_IDS})::text FROM {table} x"
            for table in self._tables
            if table not in _UNCOMPARED
        ]
        found = [_DRAWN.sub("*", text) for (text,) in db.rows(" UNION ALL ".join(selects))]
        return tuple(sorted(_TIME.sub("*", text) for text in found) if timeless else sorted(found))


class CutDatabase:
    """The database as it is reached through a proxy that cuts."""

    def __init__(self, scissors: Scissors) -> None:
        settings = connection.settings_dict
        self._scissors = scissors
        self.proxy = PostgresProxy(scissors, upstream=(settings["HOST"], int(settings["PORT"])))
        self._wrapper: BaseDatabaseWrapper = connection.copy()
        options = settings["OPTIONS"] | {"sslmode": "disable", "gssencmode": "disable"}
        host, port = self.proxy.address
        self._wrapper.settings_dict |= {"HOST": host, "PORT": port, "OPTIONS": options}

    def attempt(self, call: Callable[[], object], *, at: int | None = None) -> tuple[Window, bool]:
        """Make a call with a cut at a message; return what passed and whether the call was told of it.

        The connection, as Django leaves it for the next task, works again.
        """
        direct = connections["default"]
        connections["default"] = self._wrapper
        try:
            self._wrapper.ensure_connection()
            with self._scissors.open(at=at) as window:
                failed = _fails(call)
            connection.close_if_unusable_or_obsolete()
            assert db.row("SELECT 1") == (1,)
        finally:
            connections["default"] = direct
        return window, failed

    def close(self) -> None:
        """Close the connection."""
        self._wrapper.close()


@contextmanager
def cut_database() -> Iterator[CutDatabase]:
    """Run the database's proxy during the block."""
    found = CutDatabase(Scissors())
    with running(found.proxy):
        yield found
        found.close()


class CutNode:
    """A simulated node reached through proxies that cut; its chain can be put back."""

    def __init__(self, folder: Path, *, dialect: str, settings: Settings) -> None:
        self.scissors = Scissors()
        self._journal = folder / "journal.jsonl"
        self._node = SimNode(datadir=folder, user=USER, password=PASSWORD, dialect=dialect, node_port=0)
        self._kept = b""
        self._node.start()
        self._proxies = [HttpProxy(self.scissors, upstream=each) for each in self._upstreams()]
        wallet, chain = (f"http://127.0.0.1:{proxy.address[1]}" for proxy in self._proxies)
        settings.ZCASH_WALLET_DIALECT, settings.ZCASH_NETWORK, settings.ZCASH_ACCOUNT = (
            dialect,
            "regtest",
            "0",
        )
        settings.ZCASH_RPC_URL, settings.ZCASH_RPC_COOKIE_FILE = wallet, ""
        settings.ZCASH_RPC_USER, settings.ZCASH_RPC_PASSWORD = USER, PASSWORD
        settings.ZCASH_NODE_URL = chain
        settings.ZCASH_NODE_COOKIE_FILE = str(self._node.node_cookie_file)
        settings.ZCASH_RPC_TIMEOUT_SECONDS = 30

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run the proxies during the block; the node stops at its end."""
        with ExitStack() as stack:
            stack.callback(self._node.stop)
            stack.enter_context(running(*self._proxies))
            stack.callback(disconnect)
            self._open_control()
            stack.callback(lambda: self._control.close())
            yield

    def do(self, method: str, *params: object) -> Any:
        """Call the node as the rest of the world moves it, past the proxies."""
        return self._control.call(method, *params)

    def keep(self) -> None:
        """Keep the chain as it is now."""
        self._kept = self._journal.read_bytes()

    def put_back(self) -> None:
        """Let the chain be what was kept; as after any restart, the wallet's operations are forgotten."""
        self._control.close()
        disconnect()
        self._node.stop()
        self._journal.write_bytes(self._kept)
        self._node.start()
        for proxy, upstream in zip(self._proxies, self._upstreams(), strict=True):
            proxy.upstream = upstream
        self._open_control()

    def length(self) -> int:
        """Return how much has happened to the chain so far."""
        return self._journal.stat().st_size

    def attempt(self, call: Callable[[], object], *, at: int | None = None) -> Window:
        """Make a call with a cut at a message; return what passed."""
        with self.scissors.open(at=at) as window:
            call()
        return window

    def _open_control(self) -> None:
        self._control = RpcClient(self._node.url, user=USER, password=PASSWORD)

    def _upstreams(self) -> list[tuple[str, int]]:
        urls = [urlsplit(url) for url in (self._node.url, self._node.node_url or "")]
        return [(url.hostname or "", url.port or 0) for url in urls]


def _fails(call: Callable[[], object]) -> bool:
    """Make a call as a worker does: what the database breaks is left to the next round."""
    try:
        call()
    except (OperationalError, InterfaceError):
        return True
    return False
