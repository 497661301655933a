"""The audit log of spending permissions: one row for every change, in the transaction of the change."""

from datetime import datetime
from typing import Any

from core.db import require_transaction
from zcash.models import PermissionAudit, SpendingPermission
from zcash.rules import AuditAction

# Who changed a permission, where it was not a person or a client.
ENGINE = "engine"
CHAIN = "chain"


def record(
    permission: SpendingPermission,
    *,
    action: AuditAction,
    before_zat: int,
    effective_at: datetime,
    booked_at: datetime,
    actor: str,
    details: dict[str, Any] | None = None,
) -> None:
    """Write one row; the amount after is the permission's `remaining_zat`."""
    require_transaction()
    PermissionAudit.objects.create(
        permission_id=permission.pk,
        created_at=booked_at,
        effective_at=effective_at,
        amount_before_zat=before_zat,
        amount_after_zat=permission.remaining_zat,
        action=action,
        actor=actor,
        details=details,
    )
