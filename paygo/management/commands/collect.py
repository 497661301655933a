"""`manage.py collect`: what streams owe on Ethereum; the one process that loads the service's key."""

import signal
import threading
from argparse import ArgumentParser
from collections.abc import Callable
from functools import partial
from typing import Any

import structlog
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import Error as AnyDatabaseError
from django.db import connection

from billing.ethereum import chains, collector, keys, nonces
from billing.ethereum.keys import Key
from billing.ethereum.rpc import connect
from core import clock
from core.errors import DomainError

log = structlog.get_logger(__name__)


class Command(BaseCommand):
    help = "Follow what was sent on Ethereum, read allowances and balances, collect what is due."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--loop", action="store_true", help="go on until stopped")
        parser.add_argument(
            "--adopt-nonce",
            type=int,
            metavar="CHAIN_ID",
            help="accept what this chain knows of the key and the journal does not; send nothing",
        )
        parser.add_argument("--reason", default="", help="who accepts it, and why it pays nothing twice")

    def handle(self, *args: Any, loop: bool, adopt_nonce: int | None, reason: str, **options: Any) -> None:
        try:
            key = keys.load()
            if adopt_nonce is not None:
                self._adopt(key, chains.chain(adopt_nonce, field="--adopt-nonce"), reason=reason.strip())
            elif loop:
                _loop(key)
            elif wrong := _round(key):
                raise CommandError("; ".join(f"{name}: {reason}" for name, reason in wrong.items()))
        except (AnyDatabaseError, DomainError) as error:
            raise CommandError(str(error)) from error

    def _adopt(self, key: Key, chain: chains.Chain, *, reason: str) -> None:
        if not reason:
            raise CommandError("Say who accepts it and why: --reason TEXT.")
        rpc = connect(chain)
        if rpc.chain_id() != chain.chain_id:
            raise CommandError(f"the node of {chain.name} is of another chain")
        nonce = nonces.adopt(
            chain, key, chain_nonce=rpc.nonce(key.address), reason=reason[:500], now=clock.now()
        )
        self.stdout.write(f"{chain.name}: the journal of {key.address} goes on at nonce {nonce}")


def _round(key: Key) -> dict[str, str]:
    clock.require_no_skew()
    return collector.run(key=key, read_clock=clock.now)


def _loop(key: Key) -> None:
    """Go round until a signal says stop, each chain in its own thread: a slow one holds up no other."""
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())

    def start(name: str, once: Callable[[], object]) -> threading.Thread:
        thread = threading.Thread(target=_repeat, args=(once, stopped), name=name)
        thread.start()
        return thread

    threads = [start(chain.name, partial(_once, chain, key)) for chain in chains.all_chains()]
    threads.append(start("chains", partial(collector.across_chains, read_clock=clock.now)))
    for thread in threads:
        thread.join()


def _once(chain: chains.Chain, key: Key) -> None:
    clock.require_no_skew()
    collector.run_alone(chain, key=key, read_clock=clock.now)


def _repeat(once: Callable[[], object], stopped: threading.Event) -> None:
    """Do something again and again in a thread; an outage of the database is waited out."""
    while not stopped.is_set():
        try:
            once()
        except (AnyDatabaseError, DomainError) as error:
            log.warning("collector_round_failed", error=str(error), advice="it is tried again")
            clock.forget()
            connection.close()
        stopped.wait(settings.ETHEREUM_COLLECT_SECONDS)
    connection.close()
