"""What the chain's side needs of the meter: a settled, locked authorisation, and its end moved."""

from datetime import datetime

from django.db.models import Q

from billing import metering
from billing.authorizations import change_status
from billing.ethereum.rules import AuthorizationStatus
from billing.models_ethereum import Authorization
from sessions_app.rules import EndReason


def stop_all(authorization: Authorization, *, now: datetime, reason: EndReason) -> datetime:
    """End what runs on a locked, settled authorisation; return the instant that counts; a step."""
    at = metering.effective_instant(authorization, now=now) if authorization.settled_at else now
    metering.stop_all(authorization, at=at, now=now, reason=reason)
    return at


def lift(authorization: Authorization, *, now: datetime) -> None:
    """Let a locked authorisation on, which was suspended and owes nothing any more; a step.

    Where the wallet has another active one by now, it stays where it is.
    """
    same_wallet = Q(wallet_address=authorization.wallet_address)
    if authorization.linked_wallet_address is not None:
        same_wallet |= Q(linked_wallet_address=authorization.linked_wallet_address)
    active = Authorization.objects.filter(
        same_wallet, client_id=authorization.client_id, status=AuthorizationStatus.ACTIVE
    )
    if active.exclude(pk=authorization.pk).exists():
        return
    authorization.suspended_for = ""
    authorization.save(update_fields=["suspended_for"])
    spent = authorization.charged_units == authorization.limit_units
    to = AuthorizationStatus.EXHAUSTED if spent else AuthorizationStatus.ACTIVE
    change_status(authorization, to=to, effective_at=now, booked_at=now)
