"""`manage.py seeddemo`: a plausible past for demonstrations, on the simulated node."""

import sys
import time
from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from core import clock
from core.errors import DomainError
from paygo.demodata import history, plan
from paygo.demodata.history import NotSimulated, PastIsSealed, SimulatedChain
from zcash.addresses import Network
from zcash.models import SpendingPermission

_WIDTH = 30


class Command(BaseCommand):
    """Makes a history of the last days through the operations of production."""

    help = "Make a plausible past of permissions, payments, sessions and refunds, on a simulated node."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--permissions", type=int, default=2000, help="how many (default: 2000)")
        parser.add_argument("--days", type=int, default=60, help="over how many days (default: 60)")

    def handle(self, *args: Any, permissions: int, days: int, **options: Any) -> None:
        """Make the past, and say what was made and how long it took."""
        if settings.ZCASH_NETWORK == Network.MAIN:
            raise CommandError("a past is made up on test networks only, with the simulated node")
        if not 1 <= permissions <= 100_000 or not 1 <= days <= 365:
            raise CommandError("--permissions is 1 to 100000, --days 1 to 365")
        now = clock.now()
        try:
            with history.sealed_at_last(days=days, now=now):
                self._seed(permissions=permissions, days=days, now=now)
        except PastIsSealed as error:
            raise CommandError(str(error)) from error
        except (NotSimulated, DomainError) as error:
            raise CommandError(f"{error} (what was made so far stays)") from error

    def _seed(self, *, permissions: int, days: int, now: datetime) -> None:
        since, chain = time.monotonic(), SimulatedChain()
        chain.mine(1)
        history.prepare(days=days, now=now)
        clients = history.clients()
        # Another run draws other people.
        seed = f"{SpendingPermission.objects.count()}"
        lives = plan.draw(
            permissions=permissions, days=days, now=now, seed=seed, network=Network(settings.ZCASH_NETWORK)
        )
        bar, lived = _Bar(self.stderr, total=permissions), []
        for number, life in enumerate(lives, start=1):
            lived.append(history.live(life, client_id=clients[life.client], chain=chain, now=now))
            bar.show(number, "permissions lived")
        for left in history.send_refunds(chain=chain):
            bar.note(f"{left} refunds are still to be sent")
        history.leave_cases(lived, chain=chain, now=clock.now())
        history.bill(now=clock.now())
        history.count(now=clock.now())
        self.stdout.write(
            f"{permissions} permissions over {days} days in {time.monotonic() - since:.0f} s;"
            f" look at {settings.PAYGO_URL}/admin/"
        )


class _Bar:
    """How far it is: a bar on a terminal, a line for each tenth elsewhere."""

    def __init__(self, stream: Any, *, total: int) -> None:
        self._stream, self._total = stream, total
        self._since = time.monotonic()
        self._is_terminal = sys.stderr.isatty()
        self._tenth = 0

    def show(self, done: int, what: str) -> None:
        left_s = (time.monotonic() - self._since) / done * (self._total - done)
        text = f"{done}/{self._total} {what}, {int(left_s) // 60}:{int(left_s) % 60:02} left"
        if self._is_terminal:
            filled = _WIDTH * done // self._total
            end = "\n" if done == self._total else ""
            self._stream.write(f"\r[{'#' * filled}{'.' * (_WIDTH - filled)}] {text}   ", ending=end)
        elif 10 * done // self._total > self._tenth:
            self._tenth = 10 * done // self._total
            self._stream.write(text)
        self._stream.flush()

    def note(self, text: str) -> None:
        self._stream.write(text)
