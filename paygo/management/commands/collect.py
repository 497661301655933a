"""`manage.py collect`: what streams owe on Ethereum; the one process that loads the service's key."""

import signal
import threading
from argparse import ArgumentParser
from typing import Any

import structlog
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import Error as AnyDatabaseError
from django.db import connection

from billing.ethereum import collector, keys
from billing.ethereum.keys import Key
from core import clock
from core.errors import DomainError

log = structlog.get_logger(__name__)


class Command(BaseCommand):
    help = "Follow what was sent on Ethereum, read allowances and balances, collect what is due."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--loop", action="store_true", help="go on until stopped")

    def handle(self, *args: Any, loop: bool, **options: Any) -> None:
        try:
            key = keys.load()
            if loop:
                _loop(key)
            elif wrong := _round(key):
                raise CommandError("; ".join(f"{name}: {reason}" for name, reason in wrong.items()))
        except (AnyDatabaseError, DomainError) as error:
            raise CommandError(str(error)) from error


def _round(key: Key) -> dict[str, str]:
    clock.require_no_skew()
    return collector.run(key=key, read_clock=clock.now)


def _loop(key: Key) -> None:
    """Go round until a signal says stop; an outage of the database or of a chain is waited out."""
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    while not stopped.is_set():
        try:
            _round(key)
        except (AnyDatabaseError, DomainError) as error:
            log.warning("collector_round_failed", error=str(error), advice="it is tried again")
            connection.close()
            clock.forget()
        stopped.wait(settings.ETHEREUM_COLLECT_SECONDS)
