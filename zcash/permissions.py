"""Spending permissions: making one, and the steps that change a locked one.

`create` is an operation; every other function is a step on a permission that the caller has locked and,
where it is metered, settled.
"""

import hashlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError
from django.db.models import QuerySet

from core import idempotency, outbox, states
from core.amounts import parse_zec, zec_text
from core.db import constraint, operation, require_transaction
from core.idempotency import Receipt
from zcash import audit, watch
from zcash.errors import LimitExceeded, WrongPermissionState
from zcash.models import SpendingPermission
from zcash.node.port import IndexUnusable, NodeUnavailable, WalletAddress, WalletPort
from zcash.rules import (
    CLOSED,
    ENTERED,
    MOST_SESSIONS,
    PERMISSION_TRANSITIONS,
    AuditAction,
    PermissionStatus,
    SuspensionReason,
)

# About half of all indices have a Sapling address (ZIP-32), so 64 draws never fail together.
_INDEX_DRAWS = 64
_INDEX_BITS = 62
_METER = [
    "open_transactions",
    "meter_rate_zat_per_hour",
    "meter_started_at",
    "next_event_at",
    "settled_at",
]
_ADDRESS_CONSTRAINTS = {"zcash_permission_payment_address_key", "zcash_permission_diversifier_index_key"}


@dataclass(frozen=True)
class Request:
    """What a viewer asks for: zatoshis, at most how many of them an hour, for how many days.

    `max_sessions` is how many sessions may run on it at once, None: as many as a wallet may have.
    """

    wallet_address: str
    requested_zat: int
    rate_zat_per_hour: int
    duration_days: int
    refund_address: str | None = None
    notify_email: str | None = None
    max_sessions: int | None = None


def check_limits(request: Request) -> None:
    """Refuse amounts, durations and numbers of sessions outside of the operator's limits.

    Raises:
        LimitExceeded: which field, and what the limit is.
    """
    low_zat, high_zat = _amount_limits_zat()
    if not low_zat <= request.requested_zat <= high_zat:
        raise LimitExceeded(
            f"must be between {zec_text(low_zat)} and {zec_text(high_zat)} ZEC", field="requested_amount"
        )
    if not 1 <= request.duration_days <= settings.MAX_PERMISSION_DURATION_DAYS:
        raise LimitExceeded(
            f"must be between 1 and {settings.MAX_PERMISSION_DURATION_DAYS}", field="duration_days"
        )
    most_sessions = min(settings.MAX_SESSIONS_PER_WALLET, MOST_SESSIONS)
    if request.max_sessions is not None and not 1 <= request.max_sessions <= most_sessions:
        raise LimitExceeded(f"must be between 1 and {most_sessions}", field="max_sessions")


def create(
    request: Request,
    *,
    client_id: int,
    wallet: WalletPort,
    now: datetime,
    receipt: Receipt | None = None,
) -> SpendingPermission:
    """Ask the wallet for an address of its own and insert the permission, unpaid.

    The address comes first and nothing is written without it. A repetition with the same receipt returns
    the permission of the first call.

    Raises:
        AddressInvalid, LimitExceeded: a field cannot be accepted.
        NodeUnavailable: the wallet is away; nothing was written.
        KeyInFlight, KeyReused: see core.idempotency.
    """
    check_limits(request)
    begun = idempotency.begin(receipt, now=now) if receipt else None
    if begun is not None and begun.result is not None:
        return _of_result(begun.result, client_id=client_id)
    try:
        # An address of another chain would take money that nobody here ever sees.
        status = watch.ready_status(wallet)
        watch.pin(status)
        address = _fresh_address(wallet, seed=begun.seed if begun else None)
        birthday = status.height
        return _insert(request, address, birthday, client_id=client_id, now=now, receipt=receipt)
    except IntegrityError as error:
        if constraint(error) in _ADDRESS_CONSTRAINTS:
            raise NodeUnavailable("the wallet gave an address that it had given before") from error
        raise
    except Exception:
        if receipt and begun:
            idempotency.release(receipt, begun)
        raise


def change_status(
    permission: SpendingPermission,
    *,
    to: PermissionStatus,
    effective_at: datetime,
    booked_at: datetime,
    actor: str,
    details: dict[str, Any] | None = None,
    suspended_for: SuspensionReason | None = None,
) -> None:
    """Move a locked permission to another state, with its audit row and event.

    What ends with money left is due for a refund.

    Raises:
        WrongPermissionState: the state machine has no such transition, or somebody was faster.
    """
    changes: dict[str, Any] = {"suspended_for": suspended_for, **_stamps(to, effective_at)}
    if to in CLOSED:
        changes["refund_due"] = permission.remaining_zat > 0
    machine, refusal = PERMISSION_TRANSITIONS, WrongPermissionState
    states.move(permission, to=to, machine=machine, refusal=refusal, changes=changes)
    _note(
        permission, ENTERED[to], effective_at=effective_at, booked_at=booked_at, actor=actor, details=details
    )


def set_meter(
    permission: SpendingPermission,
    *,
    open_transactions: int,
    meter: tuple[int, datetime] | None,
    next_event_at: datetime | None,
    settled_at: datetime,
) -> None:
    """Write what runs on a locked permission settled at an instant.

    `meter` is the rate (zatoshis per hour) and the start of its one open transaction, None where there is
    none or several; before `next_event_at` nothing happens by itself.
    """
    require_transaction()
    permission.open_transactions = open_transactions
    permission.meter_rate_zat_per_hour, permission.meter_started_at = meter or (None, None)
    permission.next_event_at = next_event_at
    permission.settled_at = settled_at
    permission.save(update_fields=_METER)


def set_refund_address(
    permission: SpendingPermission, *, address: str, not_before: datetime | None, now: datetime, actor: str
) -> None:
    """Let refunds of a locked permission go to another canonical address, at the earliest at an instant."""
    require_transaction()
    details = {"before": permission.refunds_to, "after": address}
    permission.refund_address = address
    permission.refund_not_before = not_before
    # What was too little for the fee of the old kind of address can be enough now.
    permission.refund_due |= permission.status in CLOSED and permission.remaining_zat > 0
    permission.save(update_fields=["refund_address", "refund_not_before", "refund_due"])
    _note(
        permission,
        AuditAction.REFUND_ADDRESS_CHANGED,
        effective_at=now,
        booked_at=now,
        actor=actor,
        details=details,
    )


def extend(
    permission: SpendingPermission, *, days: int, now: datetime, actor: str, details: dict[str, Any]
) -> None:
    """Move the last day of a locked permission that has not ended; a step."""
    require_transaction()
    before = permission.expires_at
    permission.duration_days += days
    permission.expires_at += timedelta(days=days)
    permission.save(update_fields=["duration_days", "expires_at"])
    _note(
        permission,
        AuditAction.EXTENDED,
        effective_at=now,
        booked_at=now,
        actor=actor,
        details={**details, "before": before.isoformat(), "after": permission.expires_at.isoformat()},
    )


def hold_for_reversal(
    permission: SpendingPermission, *, now: datetime, actor: str, details: dict[str, Any]
) -> None:
    """Let a locked permission that an operator held wait for its payment instead; a step."""
    require_transaction()
    permission.suspended_for = SuspensionReason.REVERSAL
    permission.save(update_fields=["suspended_for"])
    _note(
        permission,
        AuditAction.SUSPENDED,
        effective_at=now,
        booked_at=now,
        actor=actor,
        details={**details, "suspended_for": SuspensionReason.REVERSAL},
    )


def stop_mails(public_id: str) -> None:
    """Forget who is told of a permission by mail; a repetition, or one that nobody knows, does no harm."""
    SpendingPermission.objects.filter(public_id=public_id).update(notify_email=None)


def forget_mail_addresses(*, now: datetime) -> int:
    """Forget who was told by mail of permissions that ended long ago; return of how many."""
    with operation():
        return _told_long_ago(now=now).update(notify_email=None)


def count_old_mail_addresses(*, now: datetime) -> int:
    """Return how many ended permissions still name somebody although that is kept no longer."""
    return _told_long_ago(now=now).count()


def _told_long_ago(*, now: datetime) -> QuerySet[SpendingPermission]:
    before = now - timedelta(days=settings.NOTIFY_EMAIL_RETENTION_DAYS)
    return SpendingPermission.objects.filter(closed_at__lt=before, notify_email__isnull=False)


def _of_result(result: dict[str, Any], *, client_id: int) -> SpendingPermission:
    """Return the permission of an earlier call, with the last day that was answered then; not to be saved."""
    found = SpendingPermission.objects.get(client_id=client_id, public_id=result["permission_id"])
    if expires_at := result.get("expires_at"):
        found.expires_at = datetime.fromisoformat(expires_at)
    return found


def _insert(
    request: Request,
    address: WalletAddress,
    birthday_height: int,
    *,
    client_id: int,
    now: datetime,
    receipt: Receipt | None,
) -> SpendingPermission:
    expires_at = now + timedelta(days=request.duration_days)
    window_ends_at = now + timedelta(hours=settings.PERMISSION_PAYMENT_WINDOW_HOURS)
    with operation():
        if receipt and (result := idempotency.finished(receipt)):
            return _of_result(result, client_id=client_id)
        permission = SpendingPermission.objects.create(
            client_id=client_id,
            wallet_address=request.wallet_address,
            requested_zat=request.requested_zat,
            rate_zat_per_hour=request.rate_zat_per_hour,
            duration_days=request.duration_days,
            max_sessions=request.max_sessions,
            payment_address=address.address,
            diversifier_index=address.diversifier_index,
            birthday_height=birthday_height,
            refund_address=request.refund_address,
            notify_email=request.notify_email,
            created_at=now,
            expires_at=expires_at,
            pay_before=min(expires_at, window_ends_at),
        )
        _note(
            permission,
            AuditAction.CREATED,
            effective_at=now,
            booked_at=now,
            actor=f"client:{client_id}",
            details={"requested_zat": request.requested_zat},
        )
        if receipt:
            kept = {"permission_id": str(permission.public_id), "expires_at": expires_at.isoformat()}
            idempotency.store(receipt, kept, now=now)
    return permission


def _note(
    permission: SpendingPermission,
    action: AuditAction,
    *,
    effective_at: datetime,
    booked_at: datetime,
    actor: str,
    details: dict[str, Any] | None = None,
) -> None:
    """Write the audit row and the event of a change that moved no money."""
    audit.record(
        permission,
        action=action,
        before_zat=permission.remaining_zat,
        effective_at=effective_at,
        booked_at=booked_at,
        actor=actor,
        details=details,
    )
    outbox.emit(
        f"permission.{action}",
        client_id=permission.client_id,
        subject=permission.public_id,
        payload={
            "permission_id": str(permission.public_id),
            "user_wallet_address": permission.wallet_address,
            "status": permission.status,
            "remaining_zat": permission.remaining_zat,
            "effective_at": effective_at.isoformat(),
        },
        now=booked_at,
    )


def _stamps(to: PermissionStatus, effective_at: datetime) -> dict[str, datetime]:
    if to is PermissionStatus.ACTIVE:
        # A meter starts at the hand-over: nothing ran on it before.
        return {"activated_at": effective_at, "settled_at": effective_at}
    if to is PermissionStatus.QUEUED:
        return {"queued_at": effective_at}
    if not PERMISSION_TRANSITIONS[to]:
        return {"closed_at": effective_at}
    return {}


def _fresh_address(wallet: WalletPort, *, seed: UUID | None) -> WalletAddress:
    """Return a wallet address at a random index, drawn again where the index has none."""
    for index in _indices(seed):
        try:
            return wallet.new_address(index)
        except IndexUnusable:
            continue
    raise NodeUnavailable("the wallet has no address at any of 64 random indices: that cannot be chance")


def _indices(seed: UUID | None) -> Iterator[int]:
    """Yield random 62-bit indices: a database restored from yesterday meets no address of today again."""
    source = seed.bytes if seed else secrets.token_bytes(16)
    for draw in range(_INDEX_DRAWS):
        digest = hashlib.sha256(source + bytes([draw])).digest()
        yield int.from_bytes(digest[:8]) >> (64 - _INDEX_BITS)


def _amount_limits_zat() -> tuple[int, int]:
    return parse_zec(settings.MIN_PERMISSION_AMOUNT), parse_zec(settings.MAX_PERMISSION_AMOUNT)
