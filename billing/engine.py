"""The engine's verbs: start and end of sessions. The interval lives in `billing.interval`."""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from django.conf import settings

from billing import admission, covering, ends, operators, records, stage
from billing.grants import Grants
from billing.models import ZEC, Transaction
from billing.models_ethereum import Authorization
from billing.operator_rules import Verb
from billing.operators import Word
from billing.records import SessionRecord
from billing.rules import longest_ms
from billing.sources import Source
from billing.stage import Stage
from core import db, idempotency
from core.amounts import zec_text
from core.clock import cut
from core.errors import Invalid
from core.idempotency import Receipt
from sessions_app import sessions
from sessions_app.errors import SessionEnded, SessionPaused, VendorNotFound
from sessions_app.models import StreamingSession, Vendor
from sessions_app.rules import EndReason, SessionStatus
from zcash.errors import LimitExceeded


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
    """A running session; instants are ISO 8601 texts, so that a stored answer is repeated to the letter.

    `rate_zat_per_hour` is None where it began on a token and has no price in ZEC; `asset_rate` is what an
    hour costs now, in the smallest unit of the asset. `fallback` is the asset that it may go over to.
    """

    session_code: str
    session_id: str
    rate_zat_per_hour: int | None
    depletes_at: str | None
    granted_until: str
    created: bool
    max_amount_zat: int | None = None
    asset: str = ZEC
    asset_rate: int | None = None
    fallback: str | None = None


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
        RateExceedsPermission, RateExceedsAuthorization, InsufficientFunding: nothing pays for it.
        SessionPaused: the open one of the same `client_ref` is paused: it is to be resumed.
        LimitExceeded: the spending cap does not pay for the shortest session.
        VendorNotFound, SessionLimitReached, KeyInFlight, KeyReused, Busy.
    """
    return covering.again(
        lambda: _start_once(request, client_id=client_id, now=now, receipt=receipt), now=now
    )


def end(session_code: str, *, client_id: int, now: datetime, word: Word | None = None) -> SessionRecord:
    """End a session, paused or not, now and return its record; an ended one returns the same record again.

    `word` is an operator's, who ends it instead of its client.

    Raises:
        SessionNotFound: not this client's.
    """
    return covering.again(lambda: _end_once(session_code, client_id=client_id, now=now, word=word), now=now)


def heartbeat(session_code: str, *, client_id: int, now: datetime) -> Alive:
    """Renew a session's heartbeat lease; one that asked for no heartbeats is only looked at.

    Raises:
        SessionNotFound: not this client's.
        SessionPaused: it is to be resumed.
        SessionEnded: it has ended, perhaps at the end of its lease: a late heartbeat revives nothing.
    """
    return covering.again(lambda: _heartbeat_once(session_code, client_id=client_id, now=now), now=now)


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
        if _is_same(session, request, vendor):
            if session.status == SessionStatus.ACTIVE:
                return _answer_running(session, found, now=now)
            _refuse_paused(ends.lock_idle(session.pk, now=now))
    admission.require_slot(found)
    rate = admission.price(vendor, found.source)
    _require_cap(request.max_amount_zat, rate=rate, source=found.source)
    settled = found.settle(now=now)
    session = _new_session(request, vendor, client_id=client_id, rate=rate, at=settled.at)
    admission.require_funding(found, session)
    granted = found.start(session, settled)
    return _answer(session, found, granted, created=True)


def _is_same(session: StreamingSession, request: StartRequest, vendor: Vendor) -> bool:
    started = (session.wallet_address, session.vendor_id, session.client_ref)
    return started == (request.wallet_address, vendor.pk, request.client_ref)


def _answer_running(session: StreamingSession, found: Stage, *, now: datetime) -> Started:
    """Answer for a session that was started before; it may run on another source than a new one would."""
    if found.of_session(session.code) is None:
        running = stage.lock_running(session.code, client_id=session.client_id, now=now)
        if running is None:
            raise db.LostRace
        found, _ = running
    return _answer(session, found, found.grants(), created=False)


def _new_session(
    request: StartRequest, vendor: Vendor, *, client_id: int, rate: int | None, at: datetime
) -> StreamingSession:
    heartbeat_seconds = _least(request.heartbeat_seconds, vendor.heartbeat_seconds)
    return sessions.new_session(
        client_id=client_id,
        wallet_address=request.wallet_address,
        vendor=vendor,
        client_ref=request.client_ref,
        rate_zat_per_hour=rate,
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


def _require_cap(max_amount_zat: int | None, *, rate: int | None, source: Source) -> None:
    """Refuse a spending cap that does not pay for the shortest time, or is in ZEC where a token pays."""
    if max_amount_zat is None:
        return
    if isinstance(source, Authorization):
        raise Invalid(f"must be left out: the stream costs {source.asset}, not ZEC", field="max_amount")
    assert rate is not None, "a permission says what an hour costs"
    shortest_ms = max(1, settings.MIN_START_SECONDS * 1000)
    if longest_ms(rate, amount=max_amount_zat) < shortest_ms:
        raise LimitExceeded(
            f"does not pay for {settings.MIN_START_SECONDS} s at {zec_text(rate)} ZEC per hour",
            field="max_amount",
        )


def _answer(session: StreamingSession, found: Stage, granted: Grants, *, created: bool) -> Started:
    running = found.of_session(session.code)
    assert running is not None, "it runs on this source"
    return Started(
        session_code=session.code,
        session_id=str(session.public_id),
        rate_zat_per_hour=session.rate_zat_per_hour,
        depletes_at=granted.depletes_at.isoformat() if granted.depletes_at else None,
        granted_until=granted.until[session.pk].isoformat(),
        created=created,
        max_amount_zat=session.max_amount_zat,
        asset=running.asset,
        asset_rate=running.rate,
        fallback=found.fallback_of(session),
    )


def _end_once(session_code: str, *, client_id: int, now: datetime, word: Word | None) -> SessionRecord:
    reason = EndReason.ENDED_BY_OPERATOR if word else EndReason.ENDED_BY_CLIENT
    with db.operation():
        running = stage.lock_running(session_code, client_id=client_id, now=now)
        if running is None:
            session = ends.lock_idle_of_client(session_code, client_id=client_id, now=now)
            if session.paused_at and session.status == SessionStatus.PAUSED:
                at = max(cut(now), session.paused_at)
                ends.end(session, at=at, reason=reason, now=now)
                _note_end(session, word, now=now)
            return records.of_session(session)
        found, transaction = running
        found.end(transaction, found.settle(now=now), reason=reason)
        _note_end(transaction.session, word, now=now)
        return records.of_transactions(transaction.session, found.past)


def _note_end(session: StreamingSession, word: Word | None, *, now: datetime) -> None:
    if word:
        latest = Transaction.objects.filter(session=session).select_related("permission").latest("id")
        operators.note(word, Verb.END_SESSION, permission=latest.permission, session=session, now=now)


def _heartbeat_once(session_code: str, *, client_id: int, now: datetime) -> Alive:
    with db.operation():
        running = stage.lock_running(session_code, client_id=client_id, now=now)
        if running is None:
            session = ends.lock_idle_of_client(session_code, client_id=client_id, now=now)
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
