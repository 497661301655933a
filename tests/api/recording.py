"""Keeps real requests and answers as the examples of the OpenAPI document, when asked to (`make api`).

What is kept already stays as it is while it has the same shape: ids and instants differ in each run.
"""

import json
import os
from collections.abc import Mapping
from typing import Any

from paygo.api import examples
from tests.api.matrix import Route
from tests.api.world import Answer

WANTED = os.environ.get("PAYGO_RECORD_EXAMPLES") == "1"


def note(route: Route, *, body: Mapping[str, Any] | None, answer: Answer) -> None:
    """Keep a call as the example of its operation."""
    if not WANTED or not isinstance(answer.body, dict):
        return
    kept = json.loads(examples.FILE.read_text()) if examples.FILE.exists() else {}
    found = {"request": dict(body)} if body else {}
    if answer.status < 300:
        found |= {"status": answer.status, "answer": answer.body}
    if _shape(kept.get(_name(route))) != _shape(found):
        kept[_name(route)] = found
        examples.FILE.write_text(json.dumps(kept, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def _name(route: Route) -> str:
    return f"{route.method} {route.template}"


def _shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _shape(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_shape(each) for each in value[:1]]
    return type(value).__name__
