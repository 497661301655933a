"""Steps that open and end sessions; the caller holds the permission's lock and runs the meter."""

import secrets
import string
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from core import outbox
from core.amounts import zec_text
from core.clock import MS
from core.db import LostRace, require_transaction
from core.errors import Conflict
from core.outbox import Happened
from sessions_app import queries
from sessions_app.models import StreamingSession, Vendor
from sessions_app.rules import SESSION_TRANSITIONS, EndReason, SessionStatus

# 36^12 is 62 bits: nobody guesses a code, and a code grants nothing without the client's key.
_CODE_ALPHABET = string.ascii_uppercase + string.digits
_CODE_LENGTH = 12


def new_code() -> str:
    """Return a fresh random session code (`ABC123XYZ789`)."""
    number, letters = secrets.randbelow(len(_CODE_ALPHABET) ** _CODE_LENGTH), []
    for _ in range(_CODE_LENGTH):
        number, letter = divmod(number, len(_CODE_ALPHABET))
        letters.append(_CODE_ALPHABET[letter])
    return "".join(letters)


def new_session(
    *,
    client_id: int,
    wallet_address: str,
    vendor: Vendor,
    client_ref: str,
    rate_zat_per_hour: int | None,
    max_amount_zat: int | None,
    heartbeat_seconds: int | None,
    lease_until: datetime | None,
    capped_at: datetime,
    at: datetime,
) -> StreamingSession:
    """Return an active session that starts at an instant; `sql.OPENED` writes it."""
    return StreamingSession(
        code=new_code(),
        client_id=client_id,
        wallet_address=wallet_address,
        vendor=vendor,
        client_ref=client_ref,
        rate_zat_per_hour=rate_zat_per_hour,
        price_version=vendor.price_version,
        token_price_version=vendor.token_price_version,
        fee_bps=vendor.fee_bps,
        max_amount_zat=max_amount_zat,
        started_at=at,
        capped_at=capped_at,
        heartbeat_seconds=heartbeat_seconds,
        lease_until=lease_until,
    )


def go_on(session: StreamingSession, *, at: datetime) -> None:
    """Let a paused session be active from an instant; `sql.RESUMED` writes it.

    Its longest life is carried net: the pause does not count. Its heartbeat lease begins anew.
    """
    assert session.paused_at is not None, "only a paused session goes on"
    session.capped_at += at - session.paused_at
    session.paused_ms += (at - session.paused_at) // MS
    if session.heartbeat_seconds:
        session.lease_until = at + timedelta(seconds=session.heartbeat_seconds)
    session.status, session.paused_at, session.resume_by = SessionStatus.ACTIVE, None, None


def freeze_rate(session: StreamingSession, *, rate_zat_per_hour: int) -> None:
    """Give a session that began on a token its price in ZEC, for the rest of its life; a step."""
    require_transaction()
    session.rate_zat_per_hour = rate_zat_per_hour
    session.save(update_fields=["rate_zat_per_hour"])


def lock_idle(session_id: int) -> StreamingSession:
    """Lock a session that was seen not to run and return it, paused or ended; a step.

    Raises:
        LostRace: somebody has resumed it meanwhile.
    """
    session = queries.lock(session_id)
    if session.status == SessionStatus.ACTIVE:
        raise LostRace
    return session


def end_session(
    session: StreamingSession,
    *,
    at: datetime,
    reason: EndReason,
    booked_at: datetime,
    cost: Mapping[str, Any],
) -> None:
    """End an open session at an instant, with its event, which says what it cost.

    Raises:
        Conflict: somebody has ended it already.
    """
    require_transaction()
    from_states = [old for old, new in SESSION_TRANSITIONS.items() if SessionStatus.ENDED in new]
    changes = {"status": SessionStatus.ENDED, "ended_at": at, "end_reason": reason}
    if not StreamingSession.objects.filter(pk=session.pk, status__in=from_states).update(**changes):
        raise Conflict("the session has ended already")
    for field, value in changes.items():
        setattr(session, field, value)
    event = ended(session, cost=cost)
    outbox.emit(**event._asdict(), client_id=session.client_id, now=booked_at)


def started(session: StreamingSession) -> Happened:
    """Return the event that a session streams."""
    return Happened("session.started", session.public_id, _told(session))


def ended(session: StreamingSession, *, cost: Mapping[str, Any]) -> Happened:
    """Return the event that a session has ended, with what it cost."""
    return Happened("session.ended", session.public_id, {**_told(session), **cost})


def paused(session: StreamingSession) -> Happened:
    """Return the event that a session has been paused."""
    assert session.paused_at is not None, "it is paused"
    assert session.resume_by is not None, "a paused session says until when"
    payload = {
        "session_id": str(session.public_id),
        "session_code": session.code,
        "paused_at": session.paused_at.isoformat(),
        "resume_by": session.resume_by.isoformat(),
    }
    return Happened("session.paused", session.public_id, payload)


def resumed(session: StreamingSession, *, at: datetime) -> Happened:
    """Return the event that a paused session has gone on from an instant."""
    payload = {
        "session_id": str(session.public_id),
        "session_code": session.code,
        "resumed_at": at.isoformat(),
    }
    return Happened("session.resumed", session.public_id, payload)


def grant_changed(session: StreamingSession, *, granted_until: datetime) -> Happened:
    """Return the event that a running session may stream for less time than was said before."""
    payload = {
        "session_id": str(session.public_id),
        "session_code": session.code,
        "granted_until": granted_until.isoformat(),
    }
    return Happened("session.grant_changed", session.public_id, payload)


def _told(session: StreamingSession) -> dict[str, Any]:
    return {
        "session_id": str(session.public_id),
        "session_code": session.code,
        "user_wallet_address": session.wallet_address,
        "vendor_id": session.vendor.slug,
        "rate_per_hour": zec_text(session.rate_zat_per_hour) if session.rate_zat_per_hour else None,
        "started_at": session.started_at.isoformat(),
        "ended_at": session.ended_at.isoformat() if session.ended_at else None,
        "end_reason": session.end_reason,
    }
