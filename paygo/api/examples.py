"""Examples of the OpenAPI document: real requests and answers, kept by `make api`."""

import json
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("examples.json")


@cache
def kept() -> dict[str, dict[str, Any]]:
    """Return what is kept by operation (`POST /api/v1/sessions`): request, status and answer."""
    found: dict[str, dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))
    return found
