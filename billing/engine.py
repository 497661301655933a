"""The engine's verbs: start and end of sessions. The interval lives in `billing.interval`."""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from django.conf import settings

from billing import admission, records, stage
from billing.grants import Grants
from billing.records import SessionRecord
from billing.rules import longest_ms
from billing.stage import Stage
from core import db, idempotency
from core.amounts import zec_text
from core.clock import cut
from core.idempotency import Receipt
from sessions_app import sessions
from sessions_app.errors import SessionEnded, SessionPaused, VendorNotFound
from sessions_app.models import StreamingSession, Vendor
from sessions_app.rules import EndReason, SessionStatus
from zcash.errors import LimitExceeded
from zcash.models import SpendingPermission


@dataclass(frozen=True)
class StartRequest:
    """Who wants to stream where; `client_ref` tells a retry from a second session.

    `max_amount_zat` is the most that the session may cost, None: as much as is there.
    """

    wallet_address: str
    vendor_slug: str
    client_ref: str = ""
    heartbeat_seconds: int | None = None
    max_amount_zat: int | None = None


@dataclass(frozen=True)
class Started:
    """A running session; instants are ISO 8601 texts, so that a stored answer is repeated to the letter."""

    session_code: str
    session_id: str
    rate_zat_per_hour: int
    depletes_at: str | None
    granted_until: str
    created: bool
    max_amount_zat: int | None = None


@dataclass(frozen=True)
class Alive:
    """A session that runs: until when it may stream, and by when the next heartbeat must come."""

    session: StreamingSession
    granted_until: datetime
    next_heartbeat_by: datetime | None


def start(request: StartRequest, *, client_id: int, now: datetime, receipt: Receipt | None = None) -> Started:
    """Start a session on the wallet's active permission, or return the open one of the same `client_ref`.

    Raises:
        PermissionRequired, PermissionPending, PermissionSuspended, PermissionExhausted, PermissionExpired,
        RateExceedsPermission, InsufficientFunding: nothing pays for it.
        SessionPaused: the open one of the same `client_ref` is paused: it is to be resumed.
        LimitExceeded: the spending cap does not pay for the shortest session.
        VendorNotFound, SessionLimitReached, KeyInFlight, KeyReused, Busy.
    """
    return db.again(lambda: _start_once(request, client_id=client_id, now=now, receipt=receipt))


def end(session_code: str, *, client_id: int, now: datetime) -> SessionRecord:
    """End a session, paused or not, now and return its record; an ended one returns the same record again.

    Raises:
        SessionNotFound: not this client's.
    """
    return db.again(lambda: _end_once(session_code, client_id=client_id, now=now))


def heartbeat(session_code: str, *, client_id: int, now: datetime) -> Alive:
    """Renew a session's heartbeat lease; one that asked for no heartbeats is only looked at.

    Raises:
        SessionNotFound: not this client's.
        SessionPaused: it is to be resumed.
        SessionEnded: it has ended, perhaps at the end of its lease: a late heartbeat revives nothing.
    """
    return db.again(lambda: _heartbeat_once(session_code, client_id=client_id, now=now))


def _start_once(request: StartRequest, *, client_id: int, now: datetime, receipt: Receipt | None) -> Started:
    with db.operation():
        if receipt and (earlier := idempotency.claim(receipt, now=now)):
            return Started(**earlier)
        started = _start(request, client_id=client_id, now=now)
        if receipt:
            idempotency.store(receipt, asdict(started), now=now)
    return started


def _start(request: StartRequest, *, client_id: int, now: datetime) -> Started:
    found = admission.fund(
        request.wallet_address, client_id=client_id, now=now, vendor_slug=request.vendor_slug
    )
    vendor = _vendor(request, found)
    for session in found.sessions:
        if (session.vendor_id, session.client_ref) == (vendor.pk, request.client_ref):
            if session.status == SessionStatus.ACTIVE:
                return _answer(session, found.grants(), created=False)
            _refuse_paused(sessions.lock_idle(session.pk, now=now))
    admission.require_slot(found)
    rate = admission.price(vendor, found.permission)
    _require_cap(request.max_amount_zat, rate=rate)
    settled = found.settle(now=now)
    admission.require_funding(found, rate=rate)
    session = _new_session(request, vendor, found.permission, rate=rate, at=settled.at)
    return _answer(session, found.start(session, settled), created=True)


def _new_session(
    request: StartRequest, vendor: Vendor, permission: SpendingPermission, *, rate: int, at: datetime
) -> StreamingSession:
    heartbeat_seconds = _least(request.heartbeat_seconds, vendor.heartbeat_seconds)
    return sessions.new_session(
        client_id=permission.client_id,
        wallet_address=permission.wallet_address,
        vendor=vendor,
        client_ref=request.client_ref,
        rate_zat_per_hour=rate,
        price_version=vendor.price_version,
        max_amount_zat=request.max_amount_zat,
        heartbeat_seconds=heartbeat_seconds,
        lease_until=at + timedelta(seconds=heartbeat_seconds) if heartbeat_seconds else None,
        capped_at=at + timedelta(hours=settings.MAX_SESSION_HOURS),
        at=at,
    )


def _vendor(request: StartRequest, found: Stage) -> Vendor:
    for vendor in found.vendors:
        if vendor.slug == request.vendor_slug and vendor.is_active:
            return vendor
    raise VendorNotFound


def _require_cap(max_amount_zat: int | None, *, rate: int) -> None:
    """Refuse a spending cap that does not pay for the shortest time."""
    shortest_ms = max(1, settings.MIN_START_SECONDS * 1000)
    if max_amount_zat is not None and longest_ms(rate, amount_zat=max_amount_zat) < shortest_ms:
        raise LimitExceeded(
            f"does not pay for {settings.MIN_START_SECONDS} s at {zec_text(rate)} ZEC per hour",
            field="max_amount",
        )


def _answer(session: StreamingSession, granted: Grants, *, created: bool) -> Started:
    return Started(
        session_code=session.code,
        session_id=str(session.public_id),
        rate_zat_per_hour=session.rate_zat_per_hour,
        depletes_at=granted.depletes_at.isoformat() if granted.depletes_at else None,
        granted_until=granted.until[session.pk].isoformat(),
        created=created,
        max_amount_zat=session.max_amount_zat,
    )


def _end_once(session_code: str, *, client_id: int, now: datetime) -> SessionRecord:
    with db.operation():
        running = stage.lock_running(session_code, client_id=client_id, now=now)
        if running is None:
            session = sessions.lock_idle_of_client(session_code, client_id=client_id, now=now)
            if session.paused_at and session.status == SessionStatus.PAUSED:
                at = max(cut(now), session.paused_at)
                sessions.end_session(session, at=at, reason=EndReason.ENDED_BY_CLIENT, booked_at=now)
            return records.of_session(session)
        found, transaction = running
        found.end(transaction, found.settle(now=now), reason=EndReason.ENDED_BY_CLIENT)
        return records.of_transactions(transaction.session, found.past)


def _heartbeat_once(session_code: str, *, client_id: int, now: datetime) -> Alive:
    with db.operation():
        running = stage.lock_running(session_code, client_id=client_id, now=now)
        if running is None:
            session = sessions.lock_idle_of_client(session_code, client_id=client_id, now=now)
            _refuse_paused(session)
            raise SessionEnded(f"the session has ended: {session.end_reason}")
        found, transaction = running
        session = transaction.session
        if session.heartbeat_seconds:
            settled = found.settle(now=now)
            lease_until = settled.at + timedelta(seconds=session.heartbeat_seconds)
            found.renew(transaction, settled, lease_until=lease_until)
        return Alive(session, found.grants().until[session.pk], session.lease_until)


def _refuse_paused(session: StreamingSession) -> None:
    if session.status == SessionStatus.PAUSED:
        raise SessionPaused(f"session {session.code} is paused: resume it (POST /api/v1/sessions/resume)")


def _least(*seconds: int | None) -> int | None:
    return min((each for each in seconds if each is not None), default=None)
