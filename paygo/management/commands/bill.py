"""`manage.py bill`: one pass of upkeep, or a loop that takes over when nobody else does it."""

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

from billing import rounds
from core import clock
from core import rounds as core_rounds
from core.errors import DomainError
from core.webhooks.courier import courier

log = structlog.get_logger(__name__)


class Command(BaseCommand):
    help = (
        "Settle every running permission that was not settled just now, end what has expired, look for"
        " payments, credit and refund."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--loop", action="store_true", help="go on until stopped, every interval")
        parser.add_argument(
            "--when-late",
            action="store_true",
            help="with --loop: only when the database says that nobody else did (beside a worker)",
        )

    def handle(self, *args: Any, loop: bool, when_late: bool, **options: Any) -> None:
        if when_late and not loop:
            raise CommandError("--when-late goes with --loop")
        if loop:
            _loop(when_late=when_late)
        else:
            self._once()

    def _once(self) -> None:
        try:
            self._all()
        except (AnyDatabaseError, DomainError) as error:
            raise CommandError(str(error)) from error

    def _all(self) -> None:
        run = rounds.interval_round()
        ended = rounds.expiry_round()
        credited = rounds.deposit_round()
        rounds.refund_round()
        rounds.statistics_round()
        rounds.history_round()
        rounds.notice_round()
        core_rounds.event_round()
        courier.wait()
        self.stdout.write(
            f"settled {run.permissions} permissions and {run.events} events, looked at {ended} that were due"
            f" to end, credited {'nothing: the node is away' if credited is None else credited}"
        )
        if run.put_aside:
            raise CommandError(f"could not be billed, see the log: permissions {run.put_aside}")


def _loop(*, when_late: bool) -> None:
    """Run what is due until a signal says stop; an outage of the database is waited out.

    The meters are the main thread's: neither a slow node nor the seal of a large day delays them.
    """
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    period_s = min(15, settings.BILLING_INTERVAL_SECONDS / (4 if when_late else 1))
    _beside(stopped, rounds.history_round, every_s=settings.AUDIT_UPKEEP_SECONDS)
    _beside(stopped, rounds.statistics_round, every_s=settings.STATISTICS_SECONDS)
    # Also while a worker does: events wait for nobody.
    _beside(stopped, core_rounds.event_round, every_s=settings.EVENT_ROUND_SECONDS)
    # Safe twice, and a slow mail server is nothing to wait for.
    _beside(stopped, rounds.notice_round, every_s=settings.NOTICE_ROUND_SECONDS)
    _beside(stopped, _ask_the_node_when_late if when_late else _ask_the_node, every_s=period_s)
    while not stopped.wait(period_s):
        (_bill_when_late if when_late else _bill)()


def _beside(stopped: threading.Event, step: Callable[[], object], *, every_s: float) -> None:
    """Repeat a step in a thread of its own, which ends with the process."""

    def repeat() -> None:
        while not stopped.is_set():
            _guarded(step)
            connection.close()
            stopped.wait(every_s)

    threading.Thread(target=repeat, name="beside", daemon=True).start()


def _bill() -> None:
    _guarded(rounds.interval_round)
    _guarded(rounds.expiry_round)


def _bill_when_late() -> None:
    _guarded(_interval_when_late)
    # Cheap where nothing is due, and nobody notes when it ran last.
    _guarded(rounds.expiry_round)


def _interval_when_late() -> None:
    if rounds.is_my_turn():
        log.warning(
            "interval_taken_over", advice="the Celery worker or beat does not run the interval: look at it"
        )
        rounds.interval_round()


def _ask_the_node() -> None:
    _guarded(rounds.deposit_round)
    _guarded(rounds.refund_round)


def _ask_the_node_when_late() -> None:
    if rounds.scan_is_late():
        _guarded(partial(rounds.deposit_round, insist=True))
        _guarded(rounds.refund_round)


def _guarded(step: Callable[[], object]) -> None:
    """Survive what goes wrong in one step, and say it: neither the other steps nor the next round are lost.

    A dead connection is replaced.
    """
    try:
        step()
    except (AnyDatabaseError, DomainError) as error:
        log.warning("billing_round_failed", error=str(error), advice="it is tried again")
    except Exception:  # a mistake in one part of the program must not stop the meters of everybody
        log.exception("billing_round_broken", advice="it is tried again; the trace is worth a report")
    else:
        return
    connection.close()
    clock.forget()
