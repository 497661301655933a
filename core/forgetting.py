"""Forgetting: rows that nothing needs any more, the oldest first, some thousands in each transaction."""

from datetime import datetime

from core.db import operation, row

_AT_ONCE = 5_000

# Rows are as old as their keys: the oldest are found without an index of their own.
_FORGET = """
WITH gone AS (
    DELETE FROM {table} r USING (SELECT id FROM {table} ORDER BY id LIMIT %(most)s) oldest
    WHERE r.id = oldest.id AND r.{since} < %(before)s RETURNING r.id
)
SELECT count(*) FROM gone
"""


def forget(table: str, since: str, *, before: datetime) -> int:
    """Delete the rows of a table whose instant `since` is before another; return how many."""
    statement = _FORGET.format(table=table, since=since)
    total = 0
    while True:
        with operation():
            (count,) = row(statement, {"most": _AT_ONCE, "before": before})
        total += count
        if count < _AT_ONCE:
            return int(total)
