"""What a viewer is told of a refund: the one under way, or why there is none yet."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from billing.models import Refund
from billing.refunds import fee_of, latest_of, minimum_zat
from billing.rules import RefundStatus
from core.amounts import zec_text
from zcash.models import SpendingPermission
from zcash.rules import CLOSED

WAITING, BELOW_MINIMUM = "waiting", "below_minimum"
_BELOW = "what is left, less the fee, is below the minimum"


@dataclass(frozen=True)
class RefundView:
    """A refund, or what is left to refund; amounts in zatoshis.

    `status` is a state of `billing.rules.RefundStatus`, or `waiting` (it is queued by the next sweep), or
    `below_minimum` (what is left stays claimable: it goes out together with whatever else arrives). `reason`
    says why a refund waits or failed, and behind a confirmed one what is left besides.
    """

    status: str
    refund_id: UUID | None
    paid_zat: int
    fee_zat: int
    minimum_zat: int
    address: str
    not_before: datetime | None
    txids: tuple[str, ...]
    reason: str


def of_permission(permission: SpendingPermission) -> RefundView | None:
    """Return the refund of a permission queued last, or what is left to refund; None without either."""
    latest = latest_of(permission)
    # A cancelled one says nothing of what is left since.
    is_over = latest is not None and latest.status == RefundStatus.CANCELLED and permission.remaining_zat > 0
    if latest is not None and not is_over:
        return _of_refund(latest, permission=permission)
    if permission.status in CLOSED and permission.remaining_zat:
        return _of_left_over(permission)
    return None


def _of_refund(refund: Refund, *, permission: SpendingPermission) -> RefundView:
    is_paid = refund.status == RefundStatus.CONFIRMED
    return RefundView(
        status=refund.status,
        refund_id=refund.public_id,
        paid_zat=refund.paid_zat,
        fee_zat=refund.fee_zat,
        minimum_zat=minimum_zat(),
        address=refund.address,
        not_before=refund.not_before,
        txids=tuple(refund.send.txids) if refund.send else (),
        reason=_left_besides(permission) if is_paid else refund.reason,
    )


def _of_left_over(permission: SpendingPermission) -> RefundView:
    address = permission.refunds_to
    fee = fee_of(permission, address=address)
    return RefundView(
        status=WAITING if permission.refund_due else BELOW_MINIMUM,
        refund_id=None,
        paid_zat=max(0, permission.remaining_zat - fee),
        fee_zat=fee,
        minimum_zat=minimum_zat(),
        address=address,
        not_before=permission.refund_not_before,
        txids=(),
        reason="" if permission.refund_due else _BELOW,
    )


def _left_besides(permission: SpendingPermission) -> str:
    """Return what came in after the refund: a late payment."""
    if not permission.remaining_zat:
        return ""
    left = f"{zec_text(permission.remaining_zat)} ZEC came in later"
    return f"{left} and is refunded next" if permission.refund_due else f"{left}: {_BELOW}"
