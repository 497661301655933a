"""`manage.py bill`: one pass of upkeep, or a loop that takes over when nobody else does it."""

import signal
import threading
from argparse import ArgumentParser
from collections.abc import Callable
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
    help = "Settle every running permission, end what has expired, look for payments, credit and refund."

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
    """Run what is due until a signal says stop; an outage of the database is waited out."""
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    threading.Thread(target=_keep_history, args=(stopped,), daemon=True).start()
    threading.Thread(target=_keep_events, args=(stopped,), daemon=True).start()
    period_s = settings.BILLING_INTERVAL_SECONDS / (4 if when_late else 1)
    while not stopped.wait(min(period_s, 15)):
        _guarded(_take_over if when_late else _all_rounds)


def _keep_history(stopped: threading.Event) -> None:
    """Keep the audit log's partitions beside the rounds: to seal a day of many rows takes minutes."""
    while not stopped.is_set():
        _guarded(rounds.history_round)
        connection.close()
        stopped.wait(settings.AUDIT_UPKEEP_SECONDS)


def _keep_events(stopped: threading.Event) -> None:
    """Publish and deliver beside the rounds, also while a worker does: events wait for no late interval."""
    while not stopped.wait(settings.EVENT_ROUND_SECONDS):
        _guarded(core_rounds.event_round)


def _take_over() -> None:
    if rounds.is_my_turn():
        log.warning(
            "interval_taken_over", advice="the Celery worker or beat does not run the interval: look at it"
        )
        rounds.interval_round()
        rounds.notice_round()
    # Cheap where nothing is due, and nobody notes when it ran last.
    rounds.expiry_round()
    rounds.statistics_round()
    if rounds.scan_is_late():
        rounds.deposit_round(insist=True)
        rounds.refund_round()


def _all_rounds() -> None:
    rounds.interval_round()
    rounds.expiry_round()
    rounds.deposit_round()
    rounds.refund_round()
    rounds.statistics_round()
    rounds.notice_round()


def _guarded(step: Callable[[], object]) -> None:
    """Survive what a later round can survive, and say it; a dead connection is replaced."""
    try:
        step()
    except (AnyDatabaseError, DomainError) as error:
        log.warning("billing_round_failed", error=str(error), advice="it is tried again")
        connection.close()
        clock.forget()
