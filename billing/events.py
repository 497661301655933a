"""What happens to permissions by itself, by the set: a bound, depletion, the last day, and the roll-over.

The same as `billing.succession` does to one permission, for those with one meter; the others go there one by
one. An event takes effect at its own instant, however late it is noticed, and so does what follows from it
on the permissions that sessions roll over to.
"""

from collections.abc import Sequence
from datetime import datetime

from billing import sql
from core import db
from sessions_app import endings as session_endings
from zcash import audit, endings
from zcash.sql import draw, lock_due


def settle_events(ids: Sequence[int], *, to: datetime, booked_at: datetime) -> tuple[int, int]:
    """Let everything happen to permissions with one meter up to an instant, in one transaction.

    What somebody holds, or has another form, is left as it is. Returns (events, heirs settled without one).

    Raises:
        Busy: somebody holds a queue; nothing was changed.
    """
    events = settled = 0
    with db.operation():
        db.execute(sql.EVENT_SETTINGS)
        due = _without_fallback(lock_due(ids, to=to))
        endings.lock_queues(due)
        while due:
            closed = _close(due, to=to, booked_at=booked_at)
            heirs = _succeed(closed, booked_at=booked_at)
            events += len(closed)
            settled += draw(
                sql.USED_BY_METERS, {"ids": heirs}, to=to, booked_at=booked_at, actor=audit.ENGINE
            )
            due = lock_due(heirs, to=to)
    return events, settled


def _without_fallback(ids: Sequence[int]) -> list[int]:
    """Return those whose sessions have no authorisation to go on with: the others go one by one."""
    return [free for (free,) in db.rows(sql.WITHOUT_FALLBACK, {"ids": list(ids)})]


def _close(ids: Sequence[int], *, to: datetime, booked_at: datetime) -> list[int]:
    """Make the transactions final that end up to an instant; return their primary keys."""
    parameters = {"ids": list(ids), "to": to, "booked_at": booked_at}
    return [closed for (closed,) in db.rows(sql.CLOSE_AT_EVENT, parameters)]


def _succeed(closed: Sequence[int], *, booked_at: datetime) -> list[int]:
    """Let permissions leave, sessions end or roll over; return the permissions that are metered now."""
    parameters = {"closed": list(closed)}
    succession = endings.leave(sql.LEAVING, parameters, booked_at=booked_at)
    parameters |= {"left": succession.left, "heirs": succession.heirs}
    session_endings.end(sql.ENDING_SESSIONS, parameters, booked_at=booked_at, cost=sql.COST)
    opened = [key for (key,) in db.rows(sql.ROLL_OVER, parameters)]
    endings.start_meters(sql.STARTED_METERS, {"opened": opened})
    return succession.heirs
