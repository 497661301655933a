"""`manage.py openapi FILE`: the OpenAPI document as the service serves it, for the reviewed snapshot."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from paygo.api.schema import document


class Command(BaseCommand):
    help = "Write the OpenAPI document to FILE (docs/openapi.json is the one that tests compare with)."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, file: Path, **options: Any) -> None:
        file.write_text(text_of(document()), encoding="utf-8")
        self.stderr.write(f"wrote {file}")


def text_of(found: Any) -> str:
    """Return a document as the snapshot has it: sorted, so that a review sees what has changed alone."""
    return json.dumps(found, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
