"""The publisher: gives committed events their place, once, in one order, and makes their deliveries.

A reader that asks for what comes after a position must never miss an event that commits later with a lower
number. So numbers are given after commit, by one transaction at a time: whoever holds the lock is the
publisher, and any process may be. What it has numbered becomes visible as a whole, behind everything before.
"""

from datetime import datetime

from core import db
from core.webhooks import deliveries

_PAGE = 1_000
_PAGES = 100
_LOCK = "SELECT pg_try_advisory_xact_lock(%(number)s)"
_NUMBER = db.advisory_number("publisher")

# A probe of the partial index: most of the time nothing waits.
_WAITING = "SELECT EXISTS (SELECT FROM core_event WHERE position IS NULL)"

# The oldest events without a place get the next positions, in order of insertion; each subject's own count
# goes on without a gap. The trigger of `core_event` lets each be numbered once.
_PUBLISH = """
WITH waiting AS MATERIALIZED (
    SELECT id, subject FROM core_event WHERE position IS NULL ORDER BY id LIMIT %(limit)s
), placed AS MATERIALIZED (
    SELECT id, row_number() OVER (ORDER BY id) AS nth,
           row_number() OVER (PARTITION BY subject ORDER BY id)
           + coalesce((SELECT max(e.sequence) FROM core_event e
                       WHERE e.subject = w.subject AND e.sequence IS NOT NULL), 0) AS sequence
    FROM waiting w
), published AS (
    UPDATE core_event e
    SET position = p.nth + (SELECT coalesce(max(position), 0) FROM core_event), sequence = p.sequence
    FROM placed p WHERE e.id = p.id
    RETURNING e.id, e.client_id, e.kind, e.position
), due AS ({due})
SELECT count(*) FROM published
""".replace("{due}", deliveries.OF_PUBLISHED)


def publish(*, now: datetime, limit: int = _PAGE) -> int:
    """Give up to `limit` events their place and their deliveries; return how many, 0 if another does it."""
    if not db.row(_WAITING)[0]:
        return 0
    with db.operation():
        (held,) = db.row(_LOCK, {"number": _NUMBER})
        if not held:
            return 0
        # A statement of its own, so that its snapshot is younger than the lock.
        (published,) = db.row(_PUBLISH, {"limit": limit, "now": now})
    return int(published)


def publish_all(*, now: datetime) -> int:
    """Give every waiting event its place, a page at a time; return how many."""
    total = 0
    for _ in range(_PAGES):
        published = publish(now=now)
        total += published
        if published < _PAGE:
            break
    return total
