"""The engine's verbs: start and end of sessions. The interval lives in `billing.interval`."""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from django.conf import settings

from billing import grants, metering, records, refusals
from billing.errors import InsufficientFunding, RateExceedsPermission
from billing.grants import Grants
from billing.models import Transaction
from billing.records import SessionRecord
from billing.rules import TransactionStatus
from core import db, idempotency
from core.amounts import div_ceil, zec, zec_text
from core.clock import to_ms
from core.idempotency import Receipt
from sessions_app import queries as session_queries
from sessions_app import sessions
from sessions_app.errors import SessionEnded, SessionLimitReached
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
    vendor = session_queries.vendor_of_client(client_id=client_id, slug=request.vendor_slug)
    permission = _lock_funding(request.wallet_address, client_id=client_id, now=now)
    running = metering.open_transactions(permission)
    sessions_open = session_queries.open_of_wallet(client_id=client_id, wallet_address=request.wallet_address)
    for session in sessions_open:
        if (session.vendor_id, session.client_ref) == (vendor.pk, request.client_ref):
            return _answer(session, grants.of(permission, running), created=False)
    if len(sessions_open) >= settings.MAX_SESSIONS_PER_WALLET:
        raise SessionLimitReached(f"the wallet has {len(sessions_open)} open sessions; end one first")
    rate = _price(vendor, permission)
    return _start_new(request, vendor, permission, running, rate=rate, now=now)


def _start_new(
    request: StartRequest,
    vendor: Vendor,
    permission: SpendingPermission,
    running: list[Transaction],
    *,
    rate: int,
    now: datetime,
) -> Started:
    at = metering.effective_instant(permission, now=now)
    _require_funding(permission, running, rate=rate, at=at)
    before = grants.of(permission, running)
    heartbeat_seconds = _least(request.heartbeat_seconds, vendor.heartbeat_seconds)
    session = sessions.open_session(
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
    opened = metering.open_transaction(session, permission, at=at)
    metering.note_meters(permission, [*running, opened], at=at)
    after = grants.of(permission, [*running, opened])
    for transaction in running:
        granted_until = after.until[transaction.session_id]
        if granted_until < before.until[transaction.session_id]:
            sessions.announce_grant_changed(transaction.session, granted_until=granted_until, now=now)
    return _answer(session, after, created=True)


def _lock_funding(wallet_address: str, *, client_id: int, now: datetime) -> SpendingPermission:
    """Lock and settle the permission that pays for this wallet now.

    Raises:
        PaymentRequired: of the kind that says why nothing does.
    """
    active = queries.lock_active(client_id=client_id, wallet_address=wallet_address)
    permission = metering.settle(active, now=now) if active else None
    if permission is None:
        raise refusals.why_unfunded(client_id=client_id, wallet_address=wallet_address, now=now)
    return permission


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


def _require_funding(
    permission: SpendingPermission, running: list[Transaction], *, rate: int, at: datetime
) -> None:
    """Refuse a start that the wallet's money cannot carry for the shortest time."""
    funded_ms = grants.funded_ms(permission, running, rate=rate, at=at)
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
        found = session_queries.of_client(client_id=client_id, code=session_code)
        running = _lock_running(found, now=now)
        if running is None:
            return records.of_session(session_queries.lock(found.pk))
        permission, session, transaction = running
        at = metering.effective_instant(permission, now=now)
        amount_zat = metering.meter(transaction).amount(to_ms(at))
        sessions.end_session(session, at=at, reason=EndReason.ENDED_BY_CLIENT, booked_at=now)
        metering.close_transaction(transaction, at=at, amount_zat=amount_zat)
        others = metering.open_transactions(permission) if permission.open_transactions > 1 else []
        metering.note_meters(permission, others, at=at)
        return records.of_session(session)


def _heartbeat_once(session_code: str, *, client_id: int, now: datetime) -> Alive:
    with db.operation():
        found = session_queries.of_client(client_id=client_id, code=session_code)
        locked = _lock_running(found, now=now)
        if locked is None:
            raise SessionEnded(f"the session has ended: {session_queries.lock(found.pk).end_reason}")
        permission, session, transaction = locked
        at = metering.effective_instant(permission, now=now)
        if session.heartbeat_seconds:
            sessions.renew_lease(session, until=at + timedelta(seconds=session.heartbeat_seconds))
            metering.move_bound(transaction, until=session.billable_until)
        running = metering.open_transactions(permission)
        metering.note_meters(permission, running, at=at)
        granted = grants.of(permission, running)
        return Alive(session, granted.until[session.pk], session.lease_until)


def _lock_running(
    session: StreamingSession, *, now: datetime
) -> tuple[SpendingPermission, StreamingSession, Transaction] | None:
    """Lock what a running session runs on, settled at `now`, and the session; None if it has ended by then.

    Raises:
        LostRace: it moved to another permission while the lock was waited for.
    """
    transaction = _open_transaction(session)
    if transaction is None:
        return None
    permission = metering.settle(queries.lock(transaction.permission_id), now=now)
    session = session_queries.lock(session.pk)
    transaction = _open_transaction(session)
    if transaction is None:
        return None
    if permission is None or transaction.permission_id != permission.pk:
        raise db.LostRace
    return permission, session, transaction


def _open_transaction(session: StreamingSession) -> Transaction | None:
    return Transaction.objects.filter(session=session, status=TransactionStatus.OPEN).first()


def _least(*seconds: int | None) -> int | None:
    return min((each for each in seconds if each is not None), default=None)
