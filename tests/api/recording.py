"""Keeps real requests and answers as the examples of the OpenAPI document, when asked to (`make api`).

What is kept already stays as it is while it has the same fields: ids and instants differ in each run.
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
        found |= {"status": answer.status, "answer": _without_secrets(answer.body)}
    if _outline(kept.get(_name(route), {})) != _outline(found):
        kept[_name(route)] = found
        examples.FILE.write_text(json.dumps(kept, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def _name(route: Route) -> str:
    return f"{route.method} {route.template}"


def _outline(call: Mapping[str, Any]) -> list[list[str]]:
    return [sorted(call.get(part, {})) for part in ("request", "answer")]


def _without_secrets(answer: dict[str, Any]) -> dict[str, Any]:
    """Return an answer without what must never be in a repository, even of a client that is gone."""
    secrets = ("key", "secret", "payer_url")
    return {name: value[:12] + "..." if name in secrets else value for name, value in answer.items()}
