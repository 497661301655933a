"""Why nothing pays for a wallet, in the terms of the 402 answers, with what to do about it."""

from datetime import datetime
from typing import Any

from billing import expiry
from core.amounts import zec
from core.db import LostRace
from core.errors import PaymentRequired
from zcash.errors import (
    PermissionExhausted,
    PermissionExpired,
    PermissionPending,
    PermissionRequired,
    PermissionSuspended,
)
from zcash.models import SpendingPermission
from zcash.rules import EXPIRING, PermissionStatus, SuspensionReason

_ENDED = (PermissionStatus.REVOKED, PermissionStatus.LAPSED)


def why_unfunded(*, client_id: int, wallet_address: str, now: datetime) -> PaymentRequired:
    """Return the refusal that fits the wallet's latest permission; the caller found none active.

    Raises:
        LostRace: one has become active since.
    """
    wallet = SpendingPermission.objects.of_wallet(client_id=client_id, wallet_address=wallet_address)
    latest = wallet.exclude(status__in=_ENDED).order_by("-id").first()
    if latest is None or expiry.is_unpaid(latest, now=now):
        return PermissionRequired(
            "this wallet has no permission here: create one (POST /api/v1/zcash/permissions) and pay it"
        )
    known: dict[str, Any] = {"permission_id": str(latest.public_id), "expires_at": latest.expires_at}
    if latest.status in EXPIRING and latest.expires_at <= now:
        return _expired(latest, known)
    if latest.status not in _REFUSALS:
        raise LostRace
    return _REFUSALS[PermissionStatus(latest.status)](latest, known)


def _pending(latest: SpendingPermission, known: dict[str, Any]) -> PaymentRequired:
    return PermissionPending(
        "the permission waits for its payment: pay what is missing to the payment address, then verify",
        payment_address=latest.payment_address,
        missing_amount=zec(latest.unpaid_zat),
        pay_before=latest.pay_before,
        **known,
    )


def _suspended(latest: SpendingPermission, known: dict[str, Any]) -> PaymentRequired:
    known["suspended_for"] = latest.suspended_for
    if latest.suspended_for != SuspensionReason.REVERSAL:
        return PermissionSuspended("the permission is on hold: ask the service's operator", **known)
    return PermissionSuspended(
        "its payment has left the chain: it goes on when that is mined again, or as much is paid anew",
        payment_address=latest.payment_address,
        missing_amount=zec(latest.unpaid_zat),
        **known,
    )


def _exhausted(latest: SpendingPermission, known: dict[str, Any]) -> PaymentRequired:
    return PermissionExhausted(
        "the permission is used up: pay more to its address, or create a new permission",
        payment_address=latest.payment_address,
        **known,
    )


def _expired(_: SpendingPermission, known: dict[str, Any]) -> PaymentRequired:
    return PermissionExpired("the permission has expired: create a new one", **known)


_REFUSALS = {
    PermissionStatus.PENDING: _pending,
    PermissionStatus.SUSPENDED: _suspended,
    PermissionStatus.EXHAUSTED: _exhausted,
    PermissionStatus.EXPIRED: _expired,
}
