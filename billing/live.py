"""Live reads of permissions, authorisations and sessions: what is left at an instant, computed, not written.

A read that finds an event in the past (a depletion, an expiry) lets it happen first.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from billing import covering, expiry, linked, metering, records, sources, stage, transactions
from billing.models import Transaction
from billing.models_ethereum import Authorization
from billing.records import SessionRecord
from billing.rules import TransactionStatus
from core import db
from sessions_app.errors import SessionNotFound
from sessions_app.models import StreamingSession
from sessions_app.rules import SessionStatus
from zcash import queries
from zcash.models import SpendingPermission
from zcash.rules import EXPIRING, PermissionStatus


@dataclass(frozen=True)
class LivePermission:
    """A permission as it is at an instant; `remaining_zat` counts what its open transactions used."""

    permission: SpendingPermission
    remaining_zat: int
    open_sessions: int


@dataclass(frozen=True)
class LiveSession:
    """A session as it is at an instant; the grants are None while it does not run.

    `fallback` is the asset that it may go over to, None where nothing is behind what pays now.
    """

    record: SessionRecord
    depletes_at: datetime | None
    granted_until: datetime | None
    fallback: str | None = None


def of_client(*, client_id: int, public_id: UUID, now: datetime) -> LivePermission:
    """Return a client's permission as it is now.

    Raises:
        PermissionNotFound: it does not exist, or is another client's.
    """
    return read(queries.of_client(client_id=client_id, public_id=public_id).pk, now=now)


def of_wallet(*, client_id: int, wallet_address: str, now: datetime) -> LivePermission:
    """Return the wallet's active permission at this client, as it is now.

    Raises:
        NoActivePermission: it has none.
    """
    while True:
        found = queries.active_of_wallet(client_id=client_id, wallet_address=wallet_address)
        live = read(found.pk, now=now)
        if live.permission.status == PermissionStatus.ACTIVE:
            return live


def read(permission_id: int, *, now: datetime) -> LivePermission:
    """Return a permission as it is at `now`, after everything that time alone brings."""
    with db.snapshot():
        permission, running = _load(permission_id)
        due = _is_due(permission, running, now=now)
    if due:
        expiry.bring_current(permission_id, now=now)
        with db.snapshot():
            permission, running = _load(permission_id)
    return _live(permission, running, now=now)


def read_within(permission_id: int, *, now: datetime) -> LivePermission:
    """Return a permission as this transaction leaves it, whatever time alone brings to it later; a step."""
    db.require_transaction()
    permission, running = _load(permission_id)
    return _live(permission, running, now=now)


def _live(permission: SpendingPermission, running: list[Transaction], *, now: datetime) -> LivePermission:
    if not running:
        return LivePermission(permission, permission.remaining_zat, 0)
    used_zat = metering.used(permission, running, until=metering.effective_instant(permission, now=now))
    return LivePermission(permission, permission.remaining_zat - used_zat, len(running))


def read_authorization(authorization_id: int, *, now: datetime) -> Authorization:
    """Return an authorisation as it is at `now`, after everything that time alone brings; not to be saved.

    Its charges count what its open transactions have used.
    """
    with db.snapshot():
        found = linked.payer(authorization_id, now=now)
        running = transactions.running_on(found) if found else []
    if found is None or _is_over(found, running, now=now):
        return covering.bring_current(authorization_id, now=now)
    if running:
        at = metering.effective_instant(found, now=now)
        sources.use(found, metering.used(found, running, until=at), to=at)
    return found


def of_session(session_code: str, *, client_id: int, now: datetime) -> LiveSession:
    """Return a client's session as it is at `now`, after everything that time alone brings.

    Raises:
        SessionNotFound: it does not exist, or is another client's.
    """
    if live := _running(session_code, client_id=client_id, now=now):
        return live
    found, stretches = _with_transactions(session_code, client_id=client_id)
    if found.status != SessionStatus.ENDED:
        _bring_current(found, stretches, now=now)
        if live := _running(session_code, client_id=client_id, now=now):
            return live
        found, stretches = _with_transactions(session_code, client_id=client_id)
    return LiveSession(records.of_transactions(found, stretches, now=now), None, None)


def _running(session_code: str, *, client_id: int, now: datetime) -> LiveSession | None:
    """Return a session that runs and to which nothing happens up to `now`, by one statement."""
    running = stage.read_running(session_code, client_id=client_id, now=now)
    if running is None or running[0].event_is_due(now=now):
        return None
    found, transaction = running
    granted = found.grants()
    record = records.of_transactions(transaction.session, [*found.past, transaction], now=now)
    until = granted.until[transaction.session_id]
    return LiveSession(record, granted.depletes_at, until, found.fallback_of(transaction.session))


def _with_transactions(session_code: str, *, client_id: int) -> tuple[StreamingSession, list[Transaction]]:
    of_session = Transaction.objects.filter(session__client=client_id, session__code=session_code)
    stretches = list(of_session.select_related("session__vendor", *records.PAYERS).order_by("id"))
    if not stretches:
        raise SessionNotFound
    return stretches[0].session, stretches


def _bring_current(session: StreamingSession, stretches: Iterable[Transaction], *, now: datetime) -> None:
    if session.pause_is_over(now=now):
        expiry.end_pause(session.pk, now=now)
    for transaction in stretches:
        if transaction.status != TransactionStatus.OPEN:
            continue
        if transaction.permission_id is not None:
            read(transaction.permission_id, now=now)
        if transaction.authorization_id is not None:
            covering.bring_current(transaction.authorization_id, now=now)


def _load(permission_id: int) -> tuple[SpendingPermission, list[Transaction]]:
    permission = SpendingPermission.objects.get(pk=permission_id)
    return permission, transactions.running_on(permission)


def _is_due(permission: SpendingPermission, running: list[Transaction], *, now: datetime) -> bool:
    """Whether something has happened to the permission that no write tells yet."""
    if permission.status == PermissionStatus.PENDING:
        return expiry.is_unpaid(permission, now=now)
    if permission.status in EXPIRING and permission.expires_at <= now:
        return True
    if permission.status == PermissionStatus.QUEUED:
        return _active_ahead_is_due(permission, now=now)
    return bool(running) and metering.event_is_due(permission, running, now=now)


def _is_over(authorization: Authorization, running: list[Transaction], *, now: datetime) -> bool:
    """Whether something has happened to an authorisation that no write tells yet."""
    if authorization.status in linked.EXPIRING and authorization.expires_at <= now:
        return True
    return bool(running) and metering.event_is_due(authorization, running, now=now)


def _active_ahead_is_due(permission: SpendingPermission, *, now: datetime) -> bool:
    """Whether a queued permission may have become active already."""
    wallet = SpendingPermission.objects.of_wallet(
        client_id=permission.client_id, wallet_address=permission.wallet_address
    )
    active = wallet.active().first()
    if active is None:
        return True
    running = transactions.running_on(active)
    return active.expires_at <= now or (bool(running) and metering.event_is_due(active, running, now=now))
