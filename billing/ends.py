"""The end of a session that no longer runs: its record is final, and its event says what it cost."""

from datetime import datetime

from billing import records, sql
from sessions_app import endings, queries, sessions
from sessions_app.models import StreamingSession
from sessions_app.rules import EndReason


def end(session: StreamingSession, *, at: datetime, reason: EndReason, now: datetime) -> None:
    """End an open session whose transactions are final; a step.

    Raises:
        Conflict: somebody has ended it already.
    """
    cost = records.cost(records.of_session(session))
    sessions.end_session(session, at=at, reason=reason, booked_at=now, cost=cost)


def end_pauses(*, limit: int, now: datetime) -> int:
    """End paused sessions that were not resumed in time; return how many; a step. A busy one is left."""
    return endings.end_pauses(limit=limit, now=now, cost=sql.COST)


def lock_idle(session_id: int, *, now: datetime) -> StreamingSession:
    """Lock a session that was seen not to run and return it, paused or ended; a step.

    A pause that is over by now has ended the session at that pause's last instant.

    Raises:
        LostRace: somebody has resumed it meanwhile.
    """
    session = sessions.lock_idle(session_id)
    if session.resume_by and session.pause_is_over(now=now):
        end(session, at=session.resume_by, reason=EndReason.PAUSE_EXPIRED, now=now)
    return session


def lock_idle_of_client(code: str, *, client_id: int, now: datetime) -> StreamingSession:
    """Lock a client's session that was seen without a running transaction, as `lock_idle` does; a step.

    Raises:
        SessionNotFound: not this client's.
        LostRace: somebody has resumed it meanwhile.
    """
    return lock_idle(queries.of_client(client_id=client_id, code=code).pk, now=now)
