"""Large refunds: none is sent before two operators have agreed to it."""

from datetime import datetime

from django.conf import settings
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.db.models.lookups import LessThan

from billing import approvers, operators
from billing.models import Refund
from billing.operator_models import RefundApproval
from billing.operator_rules import APPROVERS, Verb
from billing.operators import Word
from billing.rules import WAITING_REFUND
from core import db
from core.amounts import parse_zec
from core.errors import Conflict
from zcash import queries


def above_zat() -> int | None:
    """Return from above which amount a refund needs approval, in zatoshis; None: none does."""
    return parse_zec(settings.REFUND_APPROVAL_ABOVE) if settings.REFUND_APPROVAL_ABOVE else None


def is_large(refund: Refund) -> bool:
    """Whether a refund needs approval."""
    limit_zat = above_zat()
    return limit_zat is not None and refund.amount_zat > limit_zat


def sendable(refunds: QuerySet[Refund]) -> QuerySet[Refund]:
    """Leave out the refunds that still need somebody's approval."""
    limit_zat = above_zat()
    if limit_zat is None:
        return refunds
    short = Q(amount_zat__gt=limit_zat) & LessThan(_given(), APPROVERS)
    return refunds.exclude(short)


def waiting(refunds: QuerySet[Refund]) -> QuerySet[Refund]:
    """Return the refunds that still need somebody's approval, with how many have given theirs."""
    limit_zat = above_zat()
    if limit_zat is None:
        return refunds.none()
    large = refunds.filter(status__in=WAITING_REFUND, amount_zat__gt=limit_zat)
    return large.filter(LessThan(_given(), APPROVERS)).annotate(approvals_given=_given())


def approve(refund_id: int, *, word: Word, now: datetime) -> int:
    """Agree to a refund to the address that it has now; return how many have.

    Raises:
        Conflict: it is under way or over, the same operator has agreed before, or see billing.approvers.
    """
    with db.operation():
        approvers.require_settled(word.operator_id, now=now)
        permission = queries.lock(Refund.objects.values_list("permission_id", flat=True).get(pk=refund_id))
        refund = Refund.objects.select_for_update(no_key=True).get(pk=refund_id)
        if refund.status not in WAITING_REFUND:
            raise Conflict(f"the refund is {refund.status}: there is nothing to approve")
        _, is_new = RefundApproval.objects.get_or_create(
            refund=refund,
            address=refund.address,
            operator_id=word.operator_id,
            defaults={"created_at": now},
        )
        if not is_new:
            raise Conflict("you have approved this refund already: another operator has to")
        details = {"address": refund.address, "amount_zat": refund.amount_zat}
        operators.note(word, Verb.APPROVE, permission=permission, refund=refund, now=now, details=details)
        return RefundApproval.objects.filter(refund=refund, address=refund.address).count()


def _given() -> Coalesce:
    """How many operators have agreed to a refund to the address that it has."""
    given = RefundApproval.objects.filter(refund=OuterRef("pk"), address=OuterRef("address"))
    counted = given.order_by().values("refund").annotate(given=Count("pk")).values("given")
    return Coalesce(Subquery(counted), 0)
