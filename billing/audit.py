"""The books: the invariants of money as SQL (`audit.sql`), and what violates them."""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from django.db import connection

from core import db

_FILE = Path(__file__).with_name("audit.sql")
_NAME = re.compile(r"^-- name: (.+)$", re.MULTILINE)
# Every row is read, by the set: what the planner has not counted yet must not lead it to a loop in a loop.
PLANNED = "SET LOCAL enable_nestloop = off; SET LOCAL enable_hashjoin = on; SET LOCAL enable_mergejoin = on"
_SETTINGS = f"""
SET LOCAL work_mem = '256MB'; SET LOCAL idle_in_transaction_session_timeout = '10min'; {PLANNED}
"""
_LIMITS = """
SELECT set_config('statement_timeout', %(timeout_ms)s, true), set_config('paygo.audit_late', %(late)s, true)
"""


@dataclass(frozen=True)
class Invariant:
    """Something that is always true of the books; `query` lists, up to a limit, what says otherwise."""

    name: str
    query: str


@dataclass(frozen=True)
class Finding:
    """What violates one invariant, a dict of columns each (none: it holds), and how long it took to find."""

    name: str
    violations: list[dict[str, Any]]
    seconds: float


@cache
def invariants() -> tuple[Invariant, ...]:
    """Return the invariants in the order of the file."""
    _, *parts = _NAME.split(_FILE.read_text(encoding="utf-8"))
    return tuple(Invariant(name, query) for name, query in zip(parts[::2], parts[1::2], strict=True))


def violations(invariant: Invariant) -> list[dict[str, Any]]:
    """Return what violates an invariant now, as the caller's transaction sees it."""
    with connection.cursor() as cursor:
        cursor.execute(invariant.query)
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def run(*, late: datetime | None, timeout_s: int, letter: str = "") -> Iterator[Finding]:
    """Check the invariants of a letter, or all, in one snapshot, each for at most `timeout_s` seconds.

    What runs must have been settled up to `late`, and no event before it still be due; None does not ask.
    """
    with db.snapshot():
        db.execute(_SETTINGS)
        limits = {"timeout_ms": str(timeout_s * 1000), "late": late.isoformat() if late else ""}
        db.row(_LIMITS, limits)
        for invariant in invariants():
            if not invariant.name.startswith(letter):
                continue
            since = time.monotonic()
            found = violations(invariant)
            yield Finding(invariant.name, found, time.monotonic() - since)
