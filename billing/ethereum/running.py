"""What the chain's side needs of the meter: a settled, locked authorisation, and its end moved."""

from datetime import datetime

from django.db.models import Q

from billing import arrears, covering, metering, sweeps
from billing.authorizations import change_status
from billing.ethereum.rules import AuthorizationStatus
from billing.models_ethereum import Authorization
from core.db import operation
from sessions_app.rules import EndReason


def stop_all(authorization: Authorization, *, now: datetime, reason: EndReason) -> datetime:
    """End what runs on a locked, settled authorisation; return the instant that counts; a step."""
    at = metering.effective_instant(authorization, now=now) if authorization.settled_at else now
    metering.stop_all(authorization, at=at, now=now, reason=reason)
    return at


def stop_debtors(*, now: datetime) -> None:
    """End what runs on any authorisation of a viewer of whom another debt could not be collected.

    It is looked for, not done as the collection fails: the locks of two authorisations have no order.
    """
    streaming = Authorization.objects.filter(arrears.any_of_viewer(), open_transactions__gt=0)

    def stop(key: int) -> bool:
        with operation():
            locked = covering.lock_current(key, now=now)
            if not locked.open_transactions or not arrears.of(locked):
                return False
            stop_all(locked, now=now, reason=EndReason.EXHAUSTED)
            return True

    sweeps.each(streaming.order_by("pk").values_list("pk", flat=True), stop, what="stream of a debtor")


def lift(authorization: Authorization, *, now: datetime) -> None:
    """Let a locked authorisation on, which was suspended and owes nothing any more; a step.

    Where its viewer has another active one by now, that has taken its place, and it is closed.
    """
    same_viewer = Q(wallet_address=authorization.wallet_address)
    if authorization.linked_wallet_address is not None:
        same_viewer |= Q(linked_wallet_address=authorization.linked_wallet_address)
    active = Authorization.objects.filter(
        same_viewer, client_id=authorization.client_id, status=AuthorizationStatus.ACTIVE
    )
    if active.exclude(pk=authorization.pk).exists():
        to = AuthorizationStatus.REVOKED
    elif authorization.charged_units == authorization.limit_units:
        to = AuthorizationStatus.EXHAUSTED
    else:
        to = AuthorizationStatus.ACTIVE
    authorization.suspended_for = ""
    authorization.save(update_fields=["suspended_for"])
    change_status(authorization, to=to, effective_at=now, booked_at=now)
