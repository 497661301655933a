"""`manage.py runzcashnode`: a simulated Zcash node for development, demos and the sandbox."""

import signal
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from zcash.simnode import SimNode
from zcash.simnode.errors import DataDirError

_DEFAULT_DATADIR = Path(settings.BASE_DIR) / ".paygo" / "zcashnode"


class Command(BaseCommand):
    """Runs the simulated node until it is told to stop; needs no database."""

    help = "Runs a simulated Zcash node and wallet on regtest, answering as zcashd or as zallet and zebrad."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--bind", default="127.0.0.1", help="address to listen on (default: %(default)s)")
        parser.add_argument(
            "--port", type=int, default=18232, help="port to listen on (default: %(default)s)"
        )
        parser.add_argument(
            "--dialect", choices=("zcashd", "zallet"), default="zcashd", help="default: %(default)s"
        )
        parser.add_argument(
            "--node-port",
            type=int,
            help="port for zebrad's methods, with a cookie file of its own (default: none)",
        )
        parser.add_argument("--datadir", type=Path, default=_DEFAULT_DATADIR, help="where the chain is kept")
        parser.add_argument(
            "--block-seconds",
            type=_seconds,
            help="mine a block every N seconds (default: only `generate` mines)",
        )
        parser.add_argument("--user", default=settings.ZCASH_RPC_USER, help="default: ZCASH_RPC_USER")
        parser.add_argument(
            "--password",
            default=settings.ZCASH_RPC_PASSWORD,
            help="default: ZCASH_RPC_PASSWORD; with neither, a .cookie file in the data directory",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Run until SIGTERM, SIGINT or the RPC's `stop`."""
        if settings.ZCASH_NETWORK == "main":
            raise CommandError("A simulated node is not run where ZCASH_NETWORK=main.")
        names = (
            "bind", "port", "node_port", "datadir", "dialect", "block_seconds", "user", "password",
        )  # fmt: skip
        node = SimNode(**{name: options[name] for name in names})
        _start(node, address=_addresses(options))
        try:
            for signum in (signal.SIGTERM, signal.SIGINT):
                signal.signal(signum, lambda *_: node.request_stop())
            self.stdout.write(f"Simulated Zcash node on {node.url}, height {node.height}, user {node.user}")
            if node.node_url:
                self.stdout.write(f"zebrad's methods on {node.node_url}, cookie in {node.node_cookie_file}")
            self.stdout.flush()
            node.wait()
        finally:
            node.stop()


def _addresses(options: dict[str, Any]) -> str:
    ports = [options["port"], options["node_port"]]
    return " or ".join(f"{options['bind']}:{port}" for port in ports if port is not None)


def _start(node: SimNode, *, address: str) -> None:
    try:
        node.start()
    except DataDirError as error:
        raise CommandError(str(error)) from error
    except (OSError, OverflowError) as error:
        raise CommandError(f"Cannot listen on {address}: {error}") from error


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds <= 86_400:
        raise ValueError(text)
    return seconds
