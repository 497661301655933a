"""What operators do by hand is written down with who and why, in the transaction that does it."""

import unicodedata
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from billing.models import Refund
from billing.operator_models import OperatorAction
from billing.operator_rules import LONGEST_REASON, SHORTEST_REASON, Verb
from billing.payout_models import Payout
from core import db
from core.errors import Invalid
from core.models import WebhookEndpoint
from sessions_app.models import StreamingSession
from zcash.models import Deposit, SpendingPermission


@dataclass(frozen=True)
class Word:
    """An operator's word: who does something by hand, and why; without an account, of the machine's user."""

    operator_id: int | None
    name: str
    reason: str

    @property
    def actor(self) -> str:
        """Return who it was, as the audit log names an actor."""
        return f"operator:{self.name}"

    @property
    def details(self) -> dict[str, str]:
        """Return what the audit log says besides."""
        return {"reason": self.reason}


def word(*, operator_id: int | None, name: str, reason: str) -> Word:
    """Return an operator's word.

    Raises:
        Invalid: the reason says nothing, or too much.
    """
    said = " ".join("".join(" " if _is_control(each) else each for each in reason).split())
    if not SHORTEST_REASON <= len(said) <= LONGEST_REASON:
        raise Invalid(f"must have {SHORTEST_REASON} to {LONGEST_REASON} characters", field="reason")
    return Word(operator_id, name, said)


def note(
    said: Word,
    verb: Verb,
    *,
    now: datetime,
    permission: SpendingPermission | None = None,
    deposit: Deposit | None = None,
    session: StreamingSession | None = None,
    refund: Refund | None = None,
    payout: Payout | None = None,
    endpoint: WebhookEndpoint | None = None,
    details: dict[str, Any] | None = None,
) -> OperatorAction:
    """Write down what an operator does; a step of the transaction that does it."""
    db.require_transaction()
    return OperatorAction.objects.create(
        created_at=now,
        operator_id=said.operator_id,
        verb=verb,
        reason=said.reason,
        permission=permission,
        deposit=deposit,
        session=session,
        refund=refund,
        payout=payout,
        endpoint=endpoint,
        details={**(details or {}), **({} if said.operator_id else {"by": said.name})},
    )


def _is_control(letter: str) -> bool:
    return unicodedata.category(letter).startswith("C")
