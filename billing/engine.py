"""The engine's verbs: start and end of sessions. The interval lives in `billing.interval`."""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from django.conf import settings

from billing import grants, metering, records, refusals, stage
from billing.errors import InsufficientFunding, RateExceedsPermission
from billing.grants import Grants
from billing.models import Transaction
from billing.records import SessionRecord
from billing.stage import Stage
from core import db, idempotency
from core.amounts import div_ceil, zec, zec_text
from core.idempotency import Receipt
from sessions_app import queries as session_queries
from sessions_app import sessions
from sessions_app.errors import SessionEnded, SessionLimitReached, VendorNotFound
from sessions_app.models import StreamingSession, Vendor
from sessions_app.rules import EndReason
from zcash import queries
from zcash.models import SpendingPermission


@dataclass(frozen=True)
class StartRequest:
    """Who wants to stream where; `client_ref` tells a retry from a second session."""

    wallet_address: str
    vendor_slug: str
    client_ref: str = ""
    heartbeat_seconds: int | None = None


@dataclass(frozen=True)
class Started:
    """A running session; instants are ISO 8601 texts, so that a stored answer is repeated to the letter."""

    session_code: str
    session_id: str
    rate_zat_per_hour: int
    depletes_at: str | None
    granted_until: str
    created: bool


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
        VendorNotFound, SessionLimitReached, KeyInFlight, KeyReused, Busy.
    """
    return db.again(lambda: _start_once(request, client_id=client_id, now=now, receipt=receipt))


def end(session_code: str, *, client_id: int, now: datetime) -> SessionRecord:
    """End a session now and return its record; an ended one returns the same record again.

    Raises:
        SessionNotFound: not this client's.
    """
    return db.again(lambda: _end_once(session_code, client_id=client_id, now=now))


def heartbeat(session_code: str, *, client_id: int, now: datetime) -> Alive:
    """Renew a session's heartbeat lease; one that asked for no heartbeats is only looked at.

    Raises:
        SessionNotFound: not this client's.
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
    found = _funding(request, client_id=client_id, now=now)
    vendor = _vendor(request, found)
    for session in found.sessions:
        if (session.vendor_id, session.client_ref) == (vendor.pk, request.client_ref):
            return _answer(session, found.grants(), created=False)
    if len(found.sessions) >= settings.MAX_SESSIONS_PER_WALLET:
        raise SessionLimitReached(f"the wallet has {len(found.sessions)} open sessions; end one first")
    rate = _price(vendor, found.permission)
    settled = found.settle(now=now)
    _require_funding(found, rate=rate)
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


def _funding(request: StartRequest, *, client_id: int, now: datetime) -> Stage:
    """Lock the permission that pays for this wallet now, and read what runs on it.

    Raises:
        VendorNotFound: who asked for an unknown vendor learns that first.
        PaymentRequired: of the kind that says why nothing pays.
    """
    wallet = request.wallet_address
    permission = queries.lock_active(client_id=client_id, wallet_address=wallet)
    if permission is not None:
        found = stage.load(permission, vendor_slug=request.vendor_slug)
        if not found.event_is_due(now=now):
            return found
        permission = metering.settle(permission, now=now)
    if permission is None:
        session_queries.vendor_of_client(client_id=client_id, slug=request.vendor_slug)
        raise refusals.why_unfunded(client_id=client_id, wallet_address=wallet, now=now)
    return stage.load(permission, vendor_slug=request.vendor_slug)


def _price(vendor: Vendor, permission: SpendingPermission) -> int:
    """Return the session's rate: the vendor's price if it has one, else what the permission allows."""
    price = vendor.price_zat_per_hour or permission.rate_zat_per_hour
    if price > permission.rate_zat_per_hour:
        raise RateExceedsPermission(
            f"{vendor.slug} costs {zec_text(price)} ZEC per hour, the permission allows"
            f" {zec_text(permission.rate_zat_per_hour)}: ask the viewer for a permission with a higher rate",
            vendor_rate_per_hour=zec(price),
            permission_rate_per_hour=zec(permission.rate_zat_per_hour),
        )
    return price


def _require_funding(found: Stage, *, rate: int) -> None:
    """Refuse a start that the wallet's money cannot carry for the shortest time."""
    permission = found.permission
    at = metering.settled_at(permission)
    funded_ms = grants.funded_ms(permission, found.running, rate=rate, at=at, queue=found.queue)
    if funded_ms < settings.MIN_START_SECONDS * 1000:
        shortest_zat = div_ceil(rate * settings.MIN_START_SECONDS, 3600)
        raise InsufficientFunding(
            f"what remains pays for {funded_ms / 1000:.1f} s at this price; a start needs"
            f" {settings.MIN_START_SECONDS} s: pay more into the permission or make a new one",
            permission_id=str(permission.public_id),
            payment_address=permission.payment_address,
            remaining_amount=zec(permission.remaining_zat),
            missing_amount=zec(max(1, shortest_zat - permission.remaining_zat)),
        )


def _answer(session: StreamingSession, granted: Grants, *, created: bool) -> Started:
    return Started(
        session_code=session.code,
        session_id=str(session.public_id),
        rate_zat_per_hour=session.rate_zat_per_hour,
        depletes_at=granted.depletes_at.isoformat() if granted.depletes_at else None,
        granted_until=granted.until[session.pk].isoformat(),
        created=created,
    )


def _end_once(session_code: str, *, client_id: int, now: datetime) -> SessionRecord:
    with db.operation():
        running = _lock_running(session_code, client_id=client_id, now=now)
        if running is None:
            ended = session_queries.of_client(client_id=client_id, code=session_code)
            return records.of_session(session_queries.lock(ended.pk))
        found, transaction = running
        found.end(transaction, found.settle(now=now), reason=EndReason.ENDED_BY_CLIENT)
        return records.of_transactions(transaction.session, found.past)


def _heartbeat_once(session_code: str, *, client_id: int, now: datetime) -> Alive:
    with db.operation():
        running = _lock_running(session_code, client_id=client_id, now=now)
        if running is None:
            ended = session_queries.of_client(client_id=client_id, code=session_code)
            raise SessionEnded(f"the session has ended: {session_queries.lock(ended.pk).end_reason}")
        found, transaction = running
        session = transaction.session
        if session.heartbeat_seconds:
            settled = found.settle(now=now)
            lease_until = settled.at + timedelta(seconds=session.heartbeat_seconds)
            found.renew(transaction, settled, lease_until=lease_until)
        return Alive(session, found.grants().until[session.pk], session.lease_until)


def _lock_running(session_code: str, *, client_id: int, now: datetime) -> tuple[Stage, Transaction] | None:
    """Lock what a session runs on and read what else does; None if it does not run at `now` (any more).

    Raises:
        LostRace: it moved to another permission while the lock was waited for.
    """
    permission = stage.lock_payer(session_code, client_id=client_id)
    if permission is None:
        return None
    found = stage.load(permission, session_code=session_code)
    if found.event_is_due(now=now):
        permission = metering.settle(permission, now=now)
        if permission is None:
            return None
        found = stage.load(permission, session_code=session_code)
    elif found.of_session(session_code) is None:
        raise db.LostRace
    transaction = found.of_session(session_code)
    return transaction and (found, transaction)


def _least(*seconds: int | None) -> int | None:
    return min((each for each in seconds if each is not None), default=None)
