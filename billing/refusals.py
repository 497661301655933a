"""Why nothing pays for a wallet, in the terms of the 402 answers, with what to do about it."""

from datetime import datetime
from typing import Any

from billing import arrears, expiry, linked
from billing.errors import (
    AuthorizationExhausted,
    AuthorizationExpired,
    AuthorizationRequired,
    AuthorizationSuspended,
)
from billing.ethereum.rules import AuthorizationStatus, Binding
from billing.models_ethereum import Authorization
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
    """Return the refusal that fits the wallet's latest permission, or authorisation; none was found active.

    Raises:
        LostRace: one has become active since.
    """
    if linked.is_ethereum(wallet_address):
        return _why_unauthorized(client_id=client_id, wallet_address=wallet_address, now=now)
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


def _why_unauthorized(*, client_id: int, wallet_address: str, now: datetime) -> PaymentRequired:
    wallet = linked.of_wallet(client_id=client_id, wallet_address=wallet_address)
    active = wallet.filter(status=AuthorizationStatus.ACTIVE).first()
    of_viewer = active.wallets if active else [wallet_address]
    if owing := arrears.of_wallets(of_viewer, client_id=client_id).order_by("id").first():
        return _owes(owing, now=now)
    latest = wallet.exclude(status=AuthorizationStatus.REVOKED).order_by("-id").first()
    if latest is None or latest.status == AuthorizationStatus.PENDING:
        return AuthorizationRequired(
            "this wallet has no authorisation here: create one (POST /api/v1/ethereum/authorizations), let"
            " the viewer sign it, then verify it"
        )
    known: dict[str, Any] = {"authorization_id": str(latest.public_id), "expires_at": latest.expires_at}
    if latest.expires_at <= now:
        return AuthorizationExpired("the authorisation has expired: create a new one", **known)
    if latest.status == AuthorizationStatus.SUSPENDED:
        return AuthorizationSuspended(
            f"the authorisation is suspended ({latest.suspended_for}): create a new one",
            debt=str(latest.debt_units),
            asset=latest.asset,
            **known,
        )
    if latest.status == AuthorizationStatus.EXHAUSTED:
        return AuthorizationExhausted(TO_DO[Binding.LIMIT], binding=Binding.LIMIT, **known)
    raise LostRace


def _owes(owing: Authorization, *, now: datetime) -> PaymentRequired:
    return AuthorizationSuspended(
        f"a collection failed: {arrears.to_do(owing, now=now)}",
        authorization_id=str(owing.public_id),
        expires_at=owing.expires_at,
        debt=str(owing.debt_units),
        asset=owing.asset,
    )


# What lets an authorisation go on, by what binds it.
TO_DO: dict[str, str] = {
    Binding.LIMIT: "its limit is used up: let the viewer sign a new one",
    Binding.ALLOWANCE: "the token's allowance is used up: let the viewer approve more",
    Binding.BALANCE: "the wallet's tokens are used up: let the viewer add some",
    Binding.CEILING: "as much is owed as may be: it goes on when that is collected",
}

_REFUSALS = {
    PermissionStatus.PENDING: _pending,
    PermissionStatus.SUSPENDED: _suspended,
    PermissionStatus.EXHAUSTED: _exhausted,
    PermissionStatus.EXPIRED: _expired,
}
