"""Rounds of upkeep in processes of their own, which are killed at a message to the database or the node."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue

from django.conf import settings
from django.db import connection

from tests.faults.cutting import PostgresProxy, Scissors, Window, running
from tests.faults.fleet import Fleet

_PATIENCE_S = 60.0
_NODE = (
    "ZCASH_ACCOUNT",
    "ZCASH_NODE_COOKIE_FILE",
    "ZCASH_NODE_URL",
    "ZCASH_RPC_COOKIE_FILE",
    "ZCASH_RPC_PASSWORD",
    "ZCASH_RPC_URL",
    "ZCASH_RPC_USER",
    "ZCASH_SERVICE_WALLET",
    "ZCASH_WALLET_DIALECT",
)


@contextmanager
def killing(scissors: Scissors, *, folder: Path) -> Iterator[Callable[..., Window]]:
    """Give what makes a round in another process and kills that at a message, before it is passed on.

    The node's messages count as well as the database's where its proxies share the scissors.
    """
    of = connection.settings_dict
    with running(proxy := PostgresProxy(scissors, upstream=(of["HOST"], int(of["PORT"])))):
        host, port = proxy.address
        url = f"postgresql://{of['USER']}:{of['PASSWORD']}@{host}:{port}/{of['NAME']}"
        environment = {name: str(getattr(settings, name)) for name in _NODE}
        # The proxy reads what passes.
        environment |= {"PGSSLMODE": "disable", "PGGSSENCMODE": "disable"}
        with Fleet(url, folder=folder, environment=environment) as fleet:

            def attempt(call: Callable[[], object], *, at: int | None = None) -> Window:
                begun: Queue[int] = Queue()

                def kill() -> None:
                    os.kill(begun.get(timeout=_PATIENCE_S), signal.SIGKILL)

                with scissors.open(at=at, strike=kill) as window:
                    result = folder / "result.json"
                    finished = fleet.finishes(call.__name__, {}, result=result, begun=begun.put)
                    # With the locks of who was killed.
                    proxy.wait()
                assert finished == (at is None), fleet.log()[-3000:]
                return window

            yield attempt
