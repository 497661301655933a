"""Money coming in: crediting confirmed deposits, activating what is paid, revoking what is withdrawn."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog
from django.conf import settings
from django.db import DatabaseError, IntegrityError, OperationalError
from django.db.models import Max

from billing import expiry, metering
from core import db
from core.amounts import zec_text
from core.clock import to_ms
from core.errors import DomainError
from sessions_app import sessions
from sessions_app.rules import EndReason
from zcash import audit, deposits, permissions, queries, watch
from zcash.errors import PermissionGone
from zcash.models import Deposit, SpendingPermission
from zcash.node.port import WalletPort
from zcash.rules import CLOSED, DepositStatus, PermissionStatus

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Payment:
    """How far a permission's payment is, in zatoshis and confirmations."""

    required_zat: int
    received_zat: int
    confirmed_zat: int
    missing_zat: int
    confirmations: int
    required_confirmations: int


def scan_and_credit(*, wallet: WalletPort, read_clock: Callable[[], datetime]) -> int:
    """Record what the chain shows at the watched addresses, then credit what is confirmed.

    Returns how many permissions were credited. What was recorded before is credited even while the node
    is away. The clock is read again after the node has answered: that may have taken minutes.

    Raises:
        NodeUnavailable: the node is away; nothing new was seen.
    """
    try:
        watch.scan(wallet=wallet, now=read_clock())
    finally:
        credited = credit_confirmed(now=read_clock())
    return credited


def credit_confirmed(*, now: datetime) -> int:
    """Credit every permission that has confirmed deposits; return how many."""
    ready = Deposit.objects.filter(
        status=DepositStatus.SEEN, confirmations__gte=settings.ZCASH_MIN_CONFIRMATIONS
    )
    # In the order of payment: who was paid first becomes active first, however many one pass has found.
    in_order = ready.order_by("height", "first_seen_at", "id").values_list("permission_id", flat=True)
    credited = 0
    for permission_id in dict.fromkeys(in_order):
        try:
            credited += credit(permission_id, now=now) > 0
        except OperationalError:
            raise
        except (DomainError, DatabaseError, AssertionError) as error:
            log.warning("credit_postponed", permission=permission_id, reason=str(error), exc_info=error)
    return credited


def credit(permission_id: int, *, now: datetime) -> int:
    """Credit a permission's confirmed deposits and activate or queue it where it is paid now.

    Returns the zatoshis credited. A repetition credits nothing. A credit takes effect now, never backwards.
    """
    return db.again(lambda: _credit_once(permission_id, now=now))


def verify(
    *, client_id: int, public_id: UUID, wallet: WalletPort, read_clock: Callable[[], datetime]
) -> SpendingPermission:
    """Ask the wallet about one permission's address, credit what is confirmed, return the permission.

    Raises:
        PermissionNotFound: not this client's.
        PermissionGone: it expired, was revoked or lapsed.
        NodeUnavailable: the wallet is away; nothing was credited.
    """
    permission = queries.of_client(client_id=client_id, public_id=public_id)
    _refuse_closed(permission)
    watch.pin(watch.ready_status(wallet))
    watch.look(permission, wallet=wallet, now=read_clock())
    credit(permission.pk, now=read_clock())
    permission.refresh_from_db()
    _refuse_closed(permission)
    return permission


def payment_of(permission: SpendingPermission) -> Payment:
    """Return how far a permission's payment is."""
    found = list(Deposit.objects.filter(permission=permission).order_by("id"))
    received_zat = _sum(found)
    confirmed_zat = _sum([each for each in found if each.status == DepositStatus.CONFIRMED])
    waiting = [each.confirmations for each in found if each.status == DepositStatus.SEEN]
    return Payment(
        required_zat=permission.requested_zat,
        received_zat=received_zat,
        confirmed_zat=confirmed_zat,
        missing_zat=max(0, permission.requested_zat - received_zat),
        confirmations=min(waiting, default=max((each.confirmations for each in found), default=0)),
        required_confirmations=settings.ZCASH_MIN_CONFIRMATIONS,
    )


def revoke(*, client_id: int, public_id: UUID, now: datetime, actor: str) -> SpendingPermission:
    """Withdraw a permission for good: its sessions end at this instant and do not roll over.

    The next queued permission of the wallet becomes active. What is left of the revoked one is kept for its
    owner.

    Raises:
        PermissionNotFound: not this client's.
        PermissionGone: it has ended already.
    """
    return db.again(lambda: _revoke_once(client_id=client_id, public_id=public_id, now=now, actor=actor))


def _revoke_once(*, client_id: int, public_id: UUID, now: datetime, actor: str) -> SpendingPermission:
    with db.operation():
        found = queries.of_client(client_id=client_id, public_id=public_id)
        permission, _ = expiry.lock_current(found.pk, now=now)
        _refuse_closed(permission)
        was_active = permission.status == PermissionStatus.ACTIVE
        at = metering.effective_instant(permission, now=now) if was_active else now
        _end_sessions(permission, at=at, now=now)
        permissions.change_status(
            permission, to=PermissionStatus.REVOKED, effective_at=at, booked_at=now, actor=actor
        )
        if was_active:
            metering.hand_over(permission, at=at, now=now)
    return permission


def _credit_once(permission_id: int, *, now: datetime) -> int:
    try:
        return _credit(permission_id, now=now)
    except IntegrityError as error:
        # Two permissions of one wallet were paid at the same moment: the index lets one become active, and
        # the other finds it on the second try.
        if db.constraint(error) == "zcash_permission_one_active":
            raise db.LostRace from error
        raise


def _credit(permission_id: int, *, now: datetime) -> int:
    with db.operation():
        # What is over does not come back to life by the credit that is made now.
        permission, active = expiry.lock_current(permission_id, now=now)
        now = _not_before_the_meter(permission, now=now)
        ready = deposits.lock_creditable(permission, min_confirmations=settings.ZCASH_MIN_CONFIRMATIONS)
        for deposit in ready:
            deposits.mark_credited(deposit, permission=permission, now=now)
            permissions.add_money(
                permission,
                amount_zat=deposit.amount_zat,
                now=now,
                actor=audit.CHAIN,
                details={"txid": deposit.txid, "pool": deposit.pool, "output_index": deposit.output_index},
            )
        if _is_payable(permission):
            _activate_or_queue(permission, behind=active, now=now)
    return sum(deposit.amount_zat for deposit in ready)


def _not_before_the_meter(permission: SpendingPermission, *, now: datetime) -> datetime:
    """Return the instant at which a credit takes effect: never before what the wallet is settled up to."""
    wallet = SpendingPermission.objects.of_wallet(
        client_id=permission.client_id, wallet_address=permission.wallet_address
    )
    settled_at: datetime | None = wallet.aggregate(latest=Max("settled_at"))["latest"]
    return now if settled_at is None else max(now, settled_at)


def _is_payable(permission: SpendingPermission) -> bool:
    """Whether money has made a permission ready to pay for sessions."""
    if permission.status == PermissionStatus.PENDING:
        return permission.credited_zat - permission.reversed_zat >= permission.requested_zat
    return permission.status == PermissionStatus.EXHAUSTED and permission.remaining_zat > 0


def _activate_or_queue(
    permission: SpendingPermission, *, behind: SpendingPermission | None, now: datetime
) -> None:
    permissions.change_status(
        permission,
        to=PermissionStatus.QUEUED if behind else PermissionStatus.ACTIVE,
        effective_at=now,
        booked_at=now,
        actor=audit.ENGINE,
        details={"credited": zec_text(permission.credited_zat)},
    )


def _end_sessions(permission: SpendingPermission, *, at: datetime, now: datetime) -> None:
    running = metering.open_transactions(permission)
    for transaction in running:
        amount_zat = metering.meter(transaction).amount(to_ms(at))
        metering.close_transaction(transaction, at=at, amount_zat=amount_zat)
        sessions.end_session(transaction.session, at=at, reason=EndReason.PERMISSION_REVOKED, booked_at=now)
    if running:
        permissions.count_open(permission, change=-len(running), settled_at=at)


def _refuse_closed(permission: SpendingPermission) -> None:
    if permission.status in CLOSED:
        raise PermissionGone(
            f"the permission is {permission.status}", permission_status=str(permission.status)
        )


def _sum(found: Sequence[Deposit]) -> int:
    return sum(each.amount_zat for each in found if each.status != DepositStatus.REVERSED)
