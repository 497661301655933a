"""The steps that move a permission's money: every one on a permission that the caller has locked and settled.

What streaming takes is drawn by `zcash.sql`; here is what comes in, is taken back, or leaves for a refund.
"""

from datetime import datetime
from typing import Any

from core.db import require_transaction
from zcash import audit
from zcash.models import SpendingPermission
from zcash.rules import CLOSED, AuditAction


def add_money(
    permission: SpendingPermission, *, amount_zat: int, now: datetime, actor: str, details: dict[str, Any]
) -> None:
    """Add credited zatoshis to a locked, settled permission; its state is the caller's next step.

    What a reversal left unpaid is repaid first.
    """
    require_transaction()
    before_zat = permission.remaining_zat
    repaid_zat = min(amount_zat, permission.shortfall_zat)
    permission.credited_zat += amount_zat
    permission.shortfall_zat -= repaid_zat
    permission.remaining_zat += amount_zat - repaid_zat
    permission.refund_due |= permission.status in CLOSED
    permission.save(update_fields=["credited_zat", "shortfall_zat", "remaining_zat", "refund_due"])
    if repaid_zat:
        details = {**details, "shortfall_repaid_zat": repaid_zat}
    audit.record(
        permission,
        action=AuditAction.CREDITED,
        before_zat=before_zat,
        effective_at=now,
        booked_at=now,
        actor=actor,
        details=details,
    )


def take_back(
    permission: SpendingPermission, *, amount_zat: int, now: datetime, details: dict[str, Any]
) -> int:
    """Take a reversed deposit from a locked, settled permission; return the zatoshis no longer there.

    They were streamed or refunded already: the platform's loss, until a later credit repays it.
    """
    require_transaction()
    before_zat = permission.remaining_zat
    shortfall_zat = max(0, amount_zat - before_zat)
    permission.reversed_zat += amount_zat
    permission.shortfall_zat += shortfall_zat
    permission.remaining_zat -= amount_zat - shortfall_zat
    permission.save(update_fields=["reversed_zat", "shortfall_zat", "remaining_zat"])
    audit.record(
        permission,
        action=AuditAction.REVERSED,
        before_zat=before_zat,
        effective_at=now,
        booked_at=now,
        actor=audit.CHAIN,
        details={**details, "shortfall_zat": shortfall_zat},
    )
    return shortfall_zat


def set_aside(
    permission: SpendingPermission, *, amount_zat: int, now: datetime, actor: str, details: dict[str, Any]
) -> None:
    """Move zatoshis of a locked permission that has ended into a refund."""
    require_transaction()
    before_zat = permission.remaining_zat
    permission.refunded_zat += amount_zat
    permission.remaining_zat -= amount_zat
    permission.refund_due = False
    permission.save(update_fields=["refunded_zat", "remaining_zat", "refund_due"])
    audit.record(
        permission,
        action=AuditAction.REFUND_QUEUED,
        before_zat=before_zat,
        effective_at=now,
        booked_at=now,
        actor=actor,
        details=details,
    )


def put_back(
    permission: SpendingPermission, *, amount_zat: int, now: datetime, actor: str, details: dict[str, Any]
) -> None:
    """Move the zatoshis of a refund that was never sent back to its locked permission."""
    require_transaction()
    before_zat = permission.remaining_zat
    permission.refunded_zat -= amount_zat
    permission.remaining_zat += amount_zat
    permission.refund_due = True
    permission.save(update_fields=["refunded_zat", "remaining_zat", "refund_due"])
    audit.record(
        permission,
        action=AuditAction.REFUND_CANCELLED,
        before_zat=before_zat,
        effective_at=now,
        booked_at=now,
        actor=actor,
        details=details,
    )


def cover_shortfall(permission: SpendingPermission, *, now: datetime) -> None:
    """Let what a locked permission that has ended has left cover the loss that a reversal left."""
    require_transaction()
    before_zat = permission.remaining_zat
    covered_zat = min(permission.shortfall_zat, before_zat)
    permission.shortfall_zat -= covered_zat
    permission.remaining_zat -= covered_zat
    permission.save(update_fields=["shortfall_zat", "remaining_zat"])
    audit.record(
        permission,
        action=AuditAction.SHORTFALL_COVERED,
        before_zat=before_zat,
        effective_at=now,
        booked_at=now,
        actor=audit.ENGINE,
    )


def refund_looked_at(permission: SpendingPermission) -> None:
    """Note that what a permission has left cannot be refunded now; new money asks again."""
    require_transaction()
    permission.refund_due = False
    permission.save(update_fields=["refund_due"])
