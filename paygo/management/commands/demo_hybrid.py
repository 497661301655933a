"""`manage.py demo_hybrid`: a stream that outlives its ZEC, on the running stack or on one started for it."""

import os

from django.core.management.base import CommandError

from paygo.devstack.demo import DemoFailedError
from paygo.devstack.demo_hybrid import HybridDemo
from paygo.management.commands.demo import Command as Demo


class Command(Demo):
    """Exits 0 when both rails have paid what the stream has used, else 1 with the reason."""

    name = "demo_hybrid"
    help = "Pays a little ZEC, authorises a token, streams until the token pays, and awaits its collection."

    def _run(self, *, seconds: float) -> None:
        try:
            receipt = HybridDemo(os.environ).run_hybrid(seconds=seconds)
        except DemoFailedError as error:
            raise CommandError(f"The demo failed: {error}") from error
        self.stdout.write(
            f"\nDone: one stream, {receipt.zec} ZEC and then {receipt.token_units} units of {receipt.symbol}."
        )
