"""Authorisations from their signature to their end: the one place that changes their state."""

from datetime import datetime

from billing.ethereum.rules import AUTHORIZATION_TRANSITIONS, AuthorizationStatus
from billing.models_ethereum import Authorization
from core import outbox, states
from core.errors import Conflict

_CLOSED = (AuthorizationStatus.EXPIRED, AuthorizationStatus.REVOKED)


def change_status(
    authorization: Authorization, *, to: AuthorizationStatus, effective_at: datetime, booked_at: datetime
) -> None:
    """Move a locked authorisation, without running sessions, to another state, with its event; a step.

    Raises:
        Conflict: the state machine has no such transition, or somebody was faster.
    """
    changes = {"closed_at": effective_at} if to in _CLOSED else {}
    states.move(authorization, to=to, machine=AUTHORIZATION_TRANSITIONS, refusal=Conflict, changes=changes)
    outbox.emit(
        f"authorization.{to}",
        client_id=authorization.client_id,
        subject=authorization.public_id,
        payload={
            "authorization_id": str(authorization.public_id),
            "wallet_address": authorization.wallet_address,
            "status": to,
            "effective_at": effective_at.isoformat(),
        },
        now=booked_at,
    )
