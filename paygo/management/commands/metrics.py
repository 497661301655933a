"""`manage.py metrics`: what a monitor asks of the money, for Prometheus."""

import os
from argparse import ArgumentParser
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from django.core.management.base import BaseCommand

from core import clock
from paygo import metrics


class Command(BaseCommand):
    """Writes the metrics to stdout, or to a file that a node exporter reads."""

    help = (
        "Writes what books, wallet, sending and billing are like in Prometheus's text format. Nothing serves "
        "it over HTTP: it says what you owe. A node exporter's textfile collector reads it from --output."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--output", type=Path, metavar="FILE.prom", help="replace this file, in one step")

    def handle(self, *_args: Any, output: Path | None, **_options: Any) -> None:
        """Write them."""
        text = metrics.text(now=clock.now())
        if output is None:
            self.stdout.write(text, ending="")
            return
        # Whoever reads it meanwhile sees the old one, or the new one, whole.
        with NamedTemporaryFile("w", dir=output.parent, prefix=f".{output.name}.", delete=False) as file:
            file.write(text)
        os.chmod(file.name, 0o644)  # noqa: PTH101  # the exporter is somebody else
        os.replace(file.name, output)  # noqa: PTH105  # a name of the file that was just written
