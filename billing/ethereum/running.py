"""What the chain's side needs of the meter: a settled, locked authorisation, and its end moved."""

from datetime import datetime

from django.db.models import Q

from billing.authorizations import change_status
from billing.ethereum.rules import LIVING_AUTHORIZATION, AuthorizationStatus
from billing.models_ethereum import Authorization
from core.db import require_transaction
from sessions_app.rules import EndReason

_EXPIRING = (AuthorizationStatus.PENDING, *LIVING_AUTHORIZATION)


def lock_current(authorization_id: int, *, now: datetime) -> Authorization:
    """Lock an authorisation, settled up to now and expired where its time is over; a step."""
    require_transaction()
    found = Authorization.objects.select_for_update(no_key=True).get(pk=authorization_id)
    if found.status in _EXPIRING and found.expires_at <= now:
        to = AuthorizationStatus.EXPIRED
        change_status(found, to=to, effective_at=found.expires_at, booked_at=now)
    return found


def note_cutoff(authorization: Authorization, *, now: datetime) -> None:
    """Write on a locked, settled authorisation what its new cutoff means for what runs on it; a step."""
    assert not authorization.open_transactions, f"nothing is metered on authorisations yet ({now})"


def stop_all(authorization: Authorization, *, now: datetime, reason: EndReason) -> datetime:
    """End what runs on a locked, settled authorisation; return the instant that counts; a step."""
    assert not authorization.open_transactions, f"nothing is metered on authorisations yet ({reason})"
    return max(now, authorization.settled_at or now)


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
