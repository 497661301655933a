"""Money coming in: crediting confirmed deposits, activating what is paid, revoking what is withdrawn."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog
from django.db import DatabaseError, IntegrityError, OperationalError

from billing import covering, expiry, ledger, metering, operators, reversals, succession
from billing.operator_rules import Verb
from billing.operators import Word
from core import db
from core.amounts import zec_text
from core.errors import DomainError
from sessions_app.rules import EndReason
from zcash import audit, deposits, money, permissions, queries, watch
from zcash.confirmations import base_confirmations
from zcash.errors import PermissionGone
from zcash.models import Deposit, SpendingPermission
from zcash.node.port import WalletPort
from zcash.rules import ARRIVED, CLOSED, DepositStatus, PermissionStatus, SuspensionReason

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
    quarantined: bool

    @property
    def waits(self) -> bool:
        """Whether money was seen that is not confirmed yet."""
        return self.received_zat > self.confirmed_zat


def scan_and_credit(*, wallet: WalletPort, read_clock: Callable[[], datetime]) -> int:
    """Record what the chain shows at the watched addresses, take back what it lost, credit what is confirmed.

    Returns how many permissions were credited. What was recorded before is credited even while the node
    is away; only a whole pass upon a wallet that trusts itself takes back, or a node that fails on the way
    would tell of many losses a few at a time. The clock is read again after the node has answered: that may
    have taken minutes.

    Raises:
        NodeUnavailable: the node is away; nothing new was seen.
    """
    try:
        found = watch.scan(wallet=wallet, now=read_clock())
        if not found.locked:
            reversals.reverse_lost(now=read_clock())
    finally:
        credited = credit_confirmed(now=read_clock())
    return credited


def credit_confirmed(*, now: datetime) -> int:
    """Credit every permission that has confirmed deposits; return how many."""
    ready = Deposit.objects.filter(
        status=DepositStatus.SEEN, quarantined=False, confirmations__gte=base_confirmations()
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
    tip_height = queries.tip_height()
    waiting = [each.confirmations for each in found if each.status == DepositStatus.SEEN]
    # A credited deposit keeps what it had then; the chain has grown on it since.
    credited = [
        max(each.confirmations, tip_height + 1 - (each.height or 0))
        for each in found
        if each.status == DepositStatus.CONFIRMED
    ]
    return Payment(
        required_zat=permission.requested_zat,
        received_zat=received_zat,
        confirmed_zat=confirmed_zat,
        missing_zat=max(0, permission.requested_zat - received_zat),
        confirmations=min(waiting, default=min(credited, default=0)),
        required_confirmations=deposits.required_now(permission),
        quarantined=any(each.quarantined for each in found if each.status == DepositStatus.SEEN),
    )


def revoke(
    *, client_id: int, public_id: UUID, now: datetime, actor: str, word: Word | None = None
) -> SpendingPermission:
    """Withdraw a permission for good: its sessions end at this instant and do not roll over.

    The next queued permission of the wallet becomes active. What is left of the revoked one is kept for its
    owner. `word` is an operator's, who does it instead of the client.

    Raises:
        PermissionNotFound: not this client's.
        PermissionGone: it has ended already.
    """
    return db.again(
        lambda: _revoke_once(client_id=client_id, public_id=public_id, now=now, actor=actor, word=word)
    )


def _revoke_once(
    *, client_id: int, public_id: UUID, now: datetime, actor: str, word: Word | None
) -> SpendingPermission:
    with db.operation():
        found = queries.of_client(client_id=client_id, public_id=public_id)
        permission, _ = expiry.lock_current(found.pk, now=now)
        _refuse_closed(permission)
        was_active = permission.status == PermissionStatus.ACTIVE
        at = metering.effective_instant(permission, now=now) if was_active else now
        metering.stop_all(permission, at=at, now=now, reason=EndReason.PERMISSION_REVOKED)
        permissions.change_status(
            permission,
            to=PermissionStatus.REVOKED,
            effective_at=at,
            booked_at=now,
            actor=actor,
            details=word.details if word else None,
        )
        if was_active:
            succession.hand_over(permission, at=at, now=now)
        if word:
            operators.note(word, Verb.REVOKE, permission=permission, now=now)
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
        now = queries.not_before_the_meter(permission, now=now)
        fallback = None if active else covering.lock_behind(permission, now=now)
        if fallback is not None:
            now = metering.settled_at(fallback)
        ready = deposits.lock_creditable(permission)
        for deposit in ready:
            deposits.mark_credited(deposit, permission=permission, now=now)
            repaid_zat = money.add_money(
                permission,
                amount_zat=deposit.amount_zat,
                now=now,
                actor=audit.CHAIN,
                details=deposit.output,
            )
            ledger.deposit(deposit, repaid_zat=repaid_zat, now=now)
        if ready and permission.status == PermissionStatus.ACTIVE:
            metering.note_money(permission)
        if _is_payable(permission):
            _activate_or_queue(permission, behind=active, now=now)
            if fallback is not None:
                covering.take_back(permission, fallback, at=now)
        elif permission.suspended_for == SuspensionReason.REVERSAL and permission.is_paid:
            # What came back has only repaid what had been streamed.
            permissions.change_status(
                permission, to=PermissionStatus.EXHAUSTED, effective_at=now, booked_at=now, actor=audit.ENGINE
            )
    return sum(deposit.amount_zat for deposit in ready)


def _is_payable(permission: SpendingPermission) -> bool:
    """Whether money has made a permission ready to pay for sessions; an operator's hold stays."""
    if permission.remaining_zat == 0:
        return False
    if permission.status == PermissionStatus.EXHAUSTED:
        return True
    waits = permission.status == PermissionStatus.PENDING
    return permission.is_paid and (waits or permission.suspended_for == SuspensionReason.REVERSAL)


def _activate_or_queue(
    permission: SpendingPermission, *, behind: SpendingPermission | None, now: datetime
) -> None:
    permissions.change_status(
        permission,
        to=PermissionStatus.QUEUED if behind else PermissionStatus.ACTIVE,
        effective_at=now,
        booked_at=now,
        actor=audit.ENGINE,
        details={"credited": zec_text(permission.credited_zat), "was": permission.status},
    )


def _refuse_closed(permission: SpendingPermission) -> None:
    if permission.status in CLOSED:
        raise PermissionGone(
            f"the permission is {permission.status}", permission_status=str(permission.status)
        )


def _sum(found: Sequence[Deposit]) -> int:
    return sum(each.amount_zat for each in found if each.status in ARRIVED)
