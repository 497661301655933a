"""The steps that move a permission's money: every one on a permission that the caller has locked and settled.

What streaming takes is drawn by `zcash.sql`; here is what comes in, is taken back, or leaves for a refund.
"""

from datetime import datetime
from typing import Any

from core.db import require_transaction
from zcash import audit
from zcash.models import SpendingPermission
from zcash.rules import CLOSED, AuditAction

# The caller's lock is on the row: what it did not change is written as it stands.
_AMOUNTS = [
    "credited_zat",
    "reversed_zat",
    "refunded_zat",
    "shortfall_zat",
    "remaining_zat",
    "refund_due",
    "below_minimum",
]


def add_money(
    permission: SpendingPermission, *, amount_zat: int, now: datetime, actor: str, details: dict[str, Any]
) -> int:
    """Add credited zatoshis to a locked, settled permission; its state is the caller's next step.

    What a reversal left unpaid is repaid first; returns how much of it was, in zatoshis.
    """
    before_zat = permission.remaining_zat
    repaid_zat = min(amount_zat, permission.shortfall_zat)
    permission.credited_zat += amount_zat
    permission.shortfall_zat -= repaid_zat
    permission.remaining_zat += amount_zat - repaid_zat
    permission.refund_due |= permission.status in CLOSED
    if repaid_zat:
        details = {**details, "shortfall_repaid_zat": repaid_zat}
    _book(permission, AuditAction.CREDITED, before_zat=before_zat, now=now, actor=actor, details=details)
    return repaid_zat


def take_back(
    permission: SpendingPermission, *, amount_zat: int, now: datetime, details: dict[str, Any]
) -> int:
    """Take a reversed deposit from a locked, settled permission; return the zatoshis no longer there.

    They were streamed or refunded already: the platform's loss, until a later credit repays it.
    """
    before_zat = permission.remaining_zat
    shortfall_zat = max(0, amount_zat - before_zat)
    permission.reversed_zat += amount_zat
    permission.shortfall_zat += shortfall_zat
    permission.remaining_zat -= amount_zat - shortfall_zat
    details = {**details, "shortfall_zat": shortfall_zat}
    _book(
        permission, AuditAction.REVERSED, before_zat=before_zat, now=now, actor=audit.CHAIN, details=details
    )
    return shortfall_zat


def set_aside(
    permission: SpendingPermission, *, amount_zat: int, now: datetime, actor: str, details: dict[str, Any]
) -> None:
    """Move zatoshis of a locked permission that has ended into a refund."""
    before_zat = permission.remaining_zat
    permission.refunded_zat += amount_zat
    permission.remaining_zat -= amount_zat
    permission.refund_due = False
    _book(permission, AuditAction.REFUND_QUEUED, before_zat=before_zat, now=now, actor=actor, details=details)


def put_back(
    permission: SpendingPermission, *, amount_zat: int, now: datetime, actor: str, details: dict[str, Any]
) -> None:
    """Move the zatoshis of a refund that was never sent back to its locked permission."""
    before_zat = permission.remaining_zat
    permission.refunded_zat -= amount_zat
    permission.remaining_zat += amount_zat
    permission.refund_due = True
    _book(
        permission, AuditAction.REFUND_CANCELLED, before_zat=before_zat, now=now, actor=actor, details=details
    )


def cover_shortfall(permission: SpendingPermission, *, now: datetime) -> int:
    """Let what a locked, ended permission has left cover the loss of a reversal; return the zatoshis."""
    before_zat = permission.remaining_zat
    covered_zat = min(permission.shortfall_zat, before_zat)
    permission.shortfall_zat -= covered_zat
    permission.remaining_zat -= covered_zat
    _book(permission, AuditAction.SHORTFALL_COVERED, before_zat=before_zat, now=now, actor=audit.ENGINE)
    return covered_zat


def refund_looked_at(permission: SpendingPermission) -> None:
    """Note that what a permission has left cannot be refunded now; new money asks again."""
    require_transaction()
    permission.refund_due, permission.below_minimum = False, permission.remaining_zat > 0
    permission.save(update_fields=["refund_due", "below_minimum"])


def _book(
    permission: SpendingPermission,
    action: AuditAction,
    *,
    before_zat: int,
    now: datetime,
    actor: str,
    details: dict[str, Any] | None = None,
) -> None:
    """Write a permission's amounts as they are now, with the audit row of what changed them."""
    require_transaction()
    # Whoever has new money is looked at again.
    permission.below_minimum &= permission.remaining_zat > 0 and not permission.refund_due
    permission.save(update_fields=_AMOUNTS)
    audit.record(
        permission,
        action=action,
        before_zat=before_zat,
        effective_at=now,
        booked_at=now,
        actor=actor,
        details=details,
    )
