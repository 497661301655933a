"""`manage.py demo`: one whole stream, on the running stack or on one started for it."""

import os
import subprocess
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import requests
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection

from paygo.devstack.demo import Demo, DemoFailedError, Receipt
from paygo.devstack.errors import StackError
from paygo.devstack.own_stack import own_stack

_NEEDED = ("PAYGO_URL", "PAYGO_API_KEY", "ZCASH_RPC_URL")


class Command(BaseCommand):
    """Exits 0 when the whole stream went as promised, else 1 with the reason."""

    name = "demo"
    help = "Pays, streams, shows the live meter, ends, and prints the receipt and the audit trail."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--seconds", type=float, default=8.0, help="how long to stream (default: 8)")

    def handle(self, *_args: Any, seconds: float, **_options: Any) -> None:
        """Run the demo here, or in a process of its own against a stack of its own."""
        try:
            if _is_running():
                self._run(seconds=seconds)
            else:
                self._run_on_own_stack(seconds=seconds)
        except KeyboardInterrupt:
            raise CommandError("The demo was interrupted.") from None

    def _run(self, *, seconds: float) -> None:
        try:
            receipt = Demo(os.environ).run(seconds=seconds)
            self._print_audit_trail(receipt)
        except DemoFailedError as error:
            raise CommandError(f"The demo failed: {error}") from error
        except DatabaseError as error:
            raise CommandError(f"The demo failed: the audit trail cannot be read: {error}") from error
        self.stdout.write(
            f"\nDone: {receipt.amount} ZEC streamed, {receipt.remaining} ZEC left, to the zatoshi."
        )

    def _run_on_own_stack(self, *, seconds: float) -> None:
        self.stdout.write("No PayGo is running here: starting one for the demo (some 20 seconds).")
        self.stdout.flush()
        base_dir = Path(settings.BASE_DIR)
        command = [sys.executable, "manage.py", self.name, "--seconds", str(seconds)]
        try:
            with own_stack(base_dir, data_dir=base_dir / ".paygo" / "demo") as env:
                code = subprocess.run(command, cwd=base_dir, env=env, check=False).returncode  # noqa: S603
        except StackError as error:
            raise CommandError(str(error)) from error
        if code != 0:
            sys.exit(code)

    def _print_audit_trail(self, receipt: Receipt) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT created_at, action, amount_before, amount_after, actor FROM permission_audit_log"
                " WHERE permission_id = %s ORDER BY id",
                [receipt.permission_id],
            )
            rows = cursor.fetchall()
        if not rows:
            raise DemoFailedError(f"permission_audit_log has no line for {receipt.permission_id}")
        self.stdout.write("\nThe audit trail (permission_audit_log), in ZEC:")
        for created_at, action, before, after, actor in rows:
            self.stdout.write(
                f"    {created_at:%H:%M:%S}  {action:<12} {before:>14.8f} -> {after:>14.8f}  {actor}"
            )


def _is_running() -> bool:
    if any(not os.environ.get(name) for name in _NEEDED):
        return False
    try:
        requests.get(f"{os.environ['PAYGO_URL']}/api/v1/health", timeout=10)
    except requests.RequestException:
        return False
    return True
