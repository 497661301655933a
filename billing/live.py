"""Live reads of permissions: what is left at an instant, computed, not written.

A read that finds an event in the past (a depletion, an expiry) lets it happen first.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from billing import expiry, grants, metering, records
from billing.models import Transaction
from billing.projection import next_event_ms
from billing.records import SessionRecord
from billing.rules import TransactionStatus, accrued_zat
from core import db
from core.clock import to_ms
from sessions_app import queries as session_queries
from sessions_app.models import StreamingSession
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
    """A session as it is at an instant; the grants are None while it does not run."""

    record: SessionRecord
    depletes_at: datetime | None
    granted_until: datetime | None


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
    if not running:
        return LivePermission(permission, permission.remaining_zat, 0)
    used_zat = accrued_zat(
        metering.meters(running),
        settled_ms=to_ms(metering.settled_at(permission)),
        at_ms=to_ms(metering.effective_instant(permission, now=now)),
    )
    return LivePermission(permission, permission.remaining_zat - used_zat, len(running))


def of_session(session_code: str, *, client_id: int, now: datetime) -> LiveSession:
    """Return a client's session as it is at `now`, after everything that time alone brings.

    Raises:
        SessionNotFound: it does not exist, or is another client's.
    """
    found = session_queries.of_client(client_id=client_id, code=session_code)
    if found.pause_is_over(now=now):
        expiry.end_pause(found.pk, now=now)
    for transaction in _open_transactions(found):
        read(transaction.permission_id, now=now)
    with db.snapshot():
        session = session_queries.of_client(client_id=client_id, code=session_code)
        record = records.of_session(session, now=now)
        for transaction in _open_transactions(session):
            permission, running = _load(transaction.permission_id)
            granted = grants.of(permission, running)
            return LiveSession(record, granted.depletes_at, granted.until[session.pk])
    return LiveSession(record, None, None)


def _open_transactions(session: StreamingSession) -> list[Transaction]:
    return list(Transaction.objects.filter(session=session, status=TransactionStatus.OPEN))


def _load(permission_id: int) -> tuple[SpendingPermission, list[Transaction]]:
    permission = SpendingPermission.objects.get(pk=permission_id)
    return permission, metering.open_transactions(permission)


def _is_due(permission: SpendingPermission, running: list[Transaction], *, now: datetime) -> bool:
    """Whether something has happened to the permission that no write tells yet."""
    if permission.status == PermissionStatus.PENDING:
        return expiry.is_unpaid(permission, now=now)
    if permission.status in EXPIRING and permission.expires_at <= now:
        return True
    if permission.status == PermissionStatus.QUEUED:
        return _active_ahead_is_due(permission, now=now)
    return bool(running) and _event_is_due(permission, running, now=now)


def _active_ahead_is_due(permission: SpendingPermission, *, now: datetime) -> bool:
    """Whether a queued permission may have become active already."""
    wallet = SpendingPermission.objects.of_wallet(
        client_id=permission.client_id, wallet_address=permission.wallet_address
    )
    active = wallet.active().first()
    if active is None:
        return True
    running = metering.open_transactions(active)
    return active.expires_at <= now or (bool(running) and _event_is_due(active, running, now=now))


def _event_is_due(permission: SpendingPermission, running: list[Transaction], *, now: datetime) -> bool:
    event_ms, _ = next_event_ms(
        metering.meters(running),
        remaining_zat=permission.remaining_zat,
        settled_ms=to_ms(metering.settled_at(permission)),
        expires_ms=to_ms(permission.expires_at),
    )
    return event_ms <= to_ms(now)
