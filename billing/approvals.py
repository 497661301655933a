"""Large refunds and payouts: none is sent before two operators have agreed to it.

What goes to one recipient within a day counts together: many small ones are no way around the limit. An
approval counts for as long as whoever gave it may give one (`billing.approvers`).
"""

from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.conf import settings
from django.db.models import Count, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from billing import approvers, operators
from billing.models import Refund
from billing.operator_models import Approval
from billing.operator_rules import APPROVERS, Verb
from billing.operators import Word
from billing.payout_models import Payout
from billing.rules import WAITING_REFUND, RefundStatus
from core import db
from core.amounts import parse_zec
from core.errors import Conflict
from zcash import queries

Row = TypeVar("Row", Refund, Payout)

_TOGETHER_FOR = timedelta(days=1)


def above_zat(model: type[Refund | Payout]) -> int | None:
    """Return from above which amount a refund, or payout, needs approval, in zatoshis; None: none does."""
    said = settings.PAYOUT_APPROVAL_ABOVE if model is Payout else settings.REFUND_APPROVAL_ABOVE
    return parse_zec(said) if said else None


def waiting(rows: QuerySet[Row]) -> QuerySet[Row]:
    """Return the refunds, or payouts, that still need approval, with how many have given theirs."""
    limit_zat = above_zat(rows.model)
    if limit_zat is None:
        return rows.none()
    asked = rows.filter(status__in=WAITING_REFUND).alias(together_zat=_together(rows.model))
    asked = asked.annotate(approvals_given=_given(rows.model))
    return asked.filter(approvals_given__lt=APPROVERS, together_zat__gt=limit_zat)


def sendable(rows: QuerySet[Row]) -> QuerySet[Row]:
    """Leave out the refunds, or payouts, that still need somebody's approval."""
    return rows.exclude(pk__in=waiting(rows.model.objects.all()).values("pk"))


def is_needed(row: Refund | Payout) -> bool:
    """Whether an operator has to agree to a refund or payout yet."""
    rows: QuerySet[Any] = type(row).objects.filter(pk=row.pk)
    return waiting(rows).exists()


def given(row: Refund | Payout) -> QuerySet[Approval]:
    """Return the approvals that count of a refund or payout to the address that it has now."""
    of_row = Approval.objects.filter(**{_noun(type(row)): row}, address=row.address)
    return of_row.filter(operator__in=approvers.entitled()).select_related("operator").order_by("id")


def approve(row: Refund | Payout, *, address: str, word: Word, now: datetime) -> int:
    """Agree to a refund or payout to an address, the one that the operator has seen; return how many have.

    Raises:
        Conflict: it goes to another address by now, is under way or over, the same person has agreed before,
            or see billing.approvers.
    """
    noun = _noun(type(row))
    with db.operation():
        operator = approvers.require_settled(word.operator_id, now=now)
        permission = queries.lock(row.permission_id) if isinstance(row, Refund) else None
        locked = type(row).objects.select_for_update(no_key=True).get(pk=row.pk)
        if locked.status not in WAITING_REFUND:
            raise Conflict(f"the {noun} is {locked.status}: there is nothing to approve")
        if locked.address != address:
            raise Conflict(f"it goes to {locked.address} by now: open the page again, and decide then")
        agreed = given(locked)
        if agreed.filter(operator=operator).exists():
            raise Conflict(f"you have approved this {noun} already: another operator has to")
        approvers.require_other_person(operator, [each.operator_id for each in agreed], now=now)
        Approval.objects.get_or_create(
            **{noun: locked}, address=locked.address, operator=operator, defaults={"created_at": now}
        )
        details = {"address": locked.address, "amount_zat": locked.amount_zat}
        operators.note(
            word,
            Verb.APPROVE,
            permission=permission,
            refund=locked if isinstance(locked, Refund) else None,
            payout=locked if isinstance(locked, Payout) else None,
            now=now,
            details=details,
        )
        return given(locked).count()


def _noun(model: type[Refund | Payout]) -> str:
    return "payout" if model is Payout else "refund"


def _given(model: type[Refund | Payout]) -> Coalesce:
    """How many operators have agreed to a row's going to the address that it has."""
    noun = _noun(model)
    agreed = Approval.objects.filter(
        **{noun: OuterRef("pk")}, address=OuterRef("address"), operator__in=approvers.entitled()
    )
    counted = agreed.order_by().values(noun).annotate(given=Count("pk")).values("given")
    return Coalesce(Subquery(counted), 0)


def _together(model: type[Refund | Payout]) -> Subquery:
    """What a row's recipient gets with it and within a day before it, as far as nobody has agreed to that."""
    whose = "vendor" if model is Payout else "address"
    recent = model.objects.filter(
        **{whose: OuterRef(whose)},
        pk__lte=OuterRef("pk"),
        created_at__gt=OuterRef("created_at") - _TOGETHER_FOR,
    )
    unapproved = recent.exclude(status=RefundStatus.CANCELLED).alias(agreed=_given(model))
    unapproved = unapproved.filter(agreed__lt=APPROVERS)
    return Subquery(unapproved.order_by().values(whose).annotate(zat=Sum("amount_zat")).values("zat"))
