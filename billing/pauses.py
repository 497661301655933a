"""Pausing and resuming: a pause ends a session's transaction, a resumption opens its next one.

A paused session holds no permission, no money and no slot: what happens to permissions leaves it alone. It is
its row's lock that decides between a resumption, an end and the end of the pause by itself.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from django.conf import settings

from billing import admission, covering, ends, expiry, records, stage
from billing.grants import Grants
from core import db, idempotency, jsonrows
from core.idempotency import Receipt
from sessions_app import queries as session_queries
from sessions_app.errors import SessionEnded
from sessions_app.models import StreamingSession
from sessions_app.rules import SessionStatus


@dataclass(frozen=True)
class Paused:
    """A session whose meter stands still, with its total in ZEC and its billable time so far."""

    session: StreamingSession
    amount_zat: int
    duration_ms: int

    def kept(self) -> dict[str, Any]:
        """Return it for a receipt: its repetition tells the same, whatever became of the session."""
        told = {"amount_zat": self.amount_zat, "duration_ms": self.duration_ms}
        return {"session": jsonrows.kept(self.session), **told}

    @classmethod
    def as_kept(cls, result: Mapping[str, Any]) -> "Paused":
        """Return what `kept` was told, not to be saved."""
        return cls(**{**result, "session": jsonrows.as_kept(StreamingSession, result["session"])})


@dataclass(frozen=True)
class Resumed:
    """A session that runs again, or still: when its permission is used up, until when it may stream."""

    session: StreamingSession
    depletes_at: datetime | None
    granted_until: datetime

    def kept(self) -> dict[str, Any]:
        """Return it for a receipt: its repetition tells the same, whatever became of the session."""
        return {
            "session": jsonrows.kept(self.session),
            "depletes_at": self.depletes_at and self.depletes_at.isoformat(),
            "granted_until": self.granted_until.isoformat(),
        }

    @classmethod
    def as_kept(cls, result: Mapping[str, Any]) -> "Resumed":
        """Return what `kept` was told, not to be saved."""
        depletes_at = result["depletes_at"]
        return cls(
            jsonrows.as_kept(StreamingSession, result["session"]),
            depletes_at and datetime.fromisoformat(depletes_at),
            datetime.fromisoformat(result["granted_until"]),
        )


_Told = TypeVar("_Told", Paused, Resumed)


def pause(session_code: str, *, client_id: int, now: datetime, receipt: Receipt | None = None) -> Paused:
    """Stop a session's meter and return what it has cost so far; a paused one returns the same again.

    Raises:
        SessionNotFound: not this client's.
        SessionEnded: it has ended, perhaps at the end of an earlier pause.
        KeyInFlight, KeyReused: see core.idempotency.
    """
    step = partial(_pause, session_code, client_id=client_id, now=now)
    return _once(Paused, step, receipt=receipt, now=now)


def resume(session_code: str, *, client_id: int, now: datetime, receipt: Receipt | None = None) -> Resumed:
    """Let a paused session run again at its frozen price, on what pays for its wallet now.

    A running one is only looked at. What is left of the session's own spending cap is not asked to last for
    any time.

    Raises:
        SessionNotFound: not this client's.
        SessionEnded: it has ended, perhaps because the pause was too long.
        PermissionRequired, PermissionPending, PermissionSuspended, PermissionExhausted, PermissionExpired,
        RateExceedsPermission, InsufficientFunding: nothing pays for it.
        SessionLimitReached, Busy; KeyInFlight, KeyReused: see core.idempotency.
    """
    found = session_queries.of_client(client_id=client_id, code=session_code)
    if found.pause_is_over(now=now):
        expiry.end_pause(found.pk, now=now)
    step = partial(_resume, session_code, client_id=client_id, now=now)
    return _once(Resumed, step, receipt=receipt, now=now)


def _once(told: type[_Told], step: Callable[[], _Told], *, receipt: Receipt | None, now: datetime) -> _Told:
    """Do a step and keep what it tells, again where it lost a race; at a repetition tell what was kept."""

    def once() -> _Told:
        with db.operation():
            if receipt and (earlier := idempotency.claim(receipt, now=now)):
                return told.as_kept(earlier)
            done = step()
            if receipt:
                idempotency.store(receipt, done.kept(), now=now)
            return done

    return covering.again(once, now=now)


def _pause(session_code: str, *, client_id: int, now: datetime) -> Paused:
    running = stage.lock_running(session_code, client_id=client_id, now=now)
    if running is None:
        session = ends.lock_idle_of_client(session_code, client_id=client_id, now=now)
        _refuse_ended(session)
        found = records.of_session(session)
    else:
        on_stage, transaction = running
        settled = on_stage.settle(now=now)
        resume_by = settled.at + timedelta(hours=settings.MAX_PAUSE_HOURS)
        on_stage.pause(transaction, settled, resume_by=resume_by)
        found = records.of_transactions(transaction.session, on_stage.past)
    return Paused(found.session, found.amount_zat, found.duration_ms)


def _resume(session_code: str, *, client_id: int, now: datetime) -> Resumed:
    found = session_queries.of_client(client_id=client_id, code=session_code)
    _refuse_ended(found)
    if found.status == SessionStatus.ACTIVE:
        return _look(session_code, client_id=client_id, now=now)
    return _go_on(found, now=now)


def _look(session_code: str, *, client_id: int, now: datetime) -> Resumed:
    """Answer for a session that was seen active."""
    running = stage.lock_running(session_code, client_id=client_id, now=now)
    if running is None:
        found = session_queries.of_client(client_id=client_id, code=session_code)
        _refuse_ended(found)
        raise db.LostRace
    on_stage, transaction = running
    return _answer(transaction.session, on_stage.grants())


def _go_on(found: StreamingSession, *, now: datetime) -> Resumed:
    """Let a session that was seen paused run again: the permission's lock comes before the session's.

    It goes on no earlier than it was paused, whatever the clock says: that instant is one up to which its
    wallet is settled.
    """
    on_stage = admission.fund(
        found.wallet_address, client_id=found.client_id, now=now, session_code=found.code
    )
    session = ends.lock_idle(found.pk, now=now)
    _refuse_ended(session)
    admission.require_slot(on_stage)
    admission.require_rate(session.rate_zat_per_hour, session.vendor, on_stage.source)
    settled = on_stage.settle(now=now)
    admission.require_funding(on_stage, session)
    admission.require_same_money(session, on_stage.source)
    return _answer(session, on_stage.resume(session, settled))


def _refuse_ended(session: StreamingSession) -> None:
    if session.status == SessionStatus.ENDED:
        raise SessionEnded(f"the session has ended: {session.end_reason}")


def _answer(session: StreamingSession, granted: Grants) -> Resumed:
    return Resumed(session, granted.depletes_at, granted.until[session.pk])
