"""Cases of which an operator says that nothing more is to be done: they leave their queue as they are.

A resolution is about what it was given for, which its row names: this try of a refund, this much left of a
permission. Whatever changes of that afterwards makes it a case again.
"""

from datetime import datetime
from typing import Any

from django.db.models import BigIntegerField, Exists, Model, OuterRef, QuerySet
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, Coalesce

from billing import operators
from billing.models import Refund
from billing.operator_models import OperatorAction
from billing.operator_rules import Verb
from billing.operators import Word
from billing.payout_models import Payout
from billing.rules import RefundStatus
from core import db
from core.errors import Conflict
from core.models import WebhookEndpoint
from core.webhooks import endpoints
from zcash import queries, unmatched
from zcash.models import Deposit, SpendingPermission
from zcash.rules import DepositStatus

_OF_A_TRY = ("attempts", "send_id")
_OF_WHAT_IS_LEFT = ("remaining_zat",)


def resolve_refund(refund_id: int, *, word: Word, now: datetime) -> None:
    """Leave a failed refund to its next try.

    Raises:
        Conflict: it has not failed, or not any more.
    """
    with db.operation():
        permission = queries.lock(Refund.objects.values_list("permission_id", flat=True).get(pk=refund_id))
        refund = Refund.objects.select_for_update(no_key=True).get(pk=refund_id)
        _require(refund.status == RefundStatus.FAILED, f"the refund is {refund.status}")
        details = _said_of(refund, _OF_A_TRY)
        operators.note(word, Verb.RESOLVE, permission=permission, refund=refund, now=now, details=details)


def resolve_payout(payout_id: int, *, word: Word, now: datetime) -> None:
    """Leave a failed payout to its next try.

    Raises:
        Conflict: it has not failed, or not any more.
    """
    with db.operation():
        payout = Payout.objects.select_for_update(no_key=True).get(pk=payout_id)
        _require(payout.status == RefundStatus.FAILED, f"the payout is {payout.status}")
        operators.note(word, Verb.RESOLVE, payout=payout, now=now, details=_said_of(payout, _OF_A_TRY))


def resolve_deposit(deposit_id: int, *, word: Word, now: datetime) -> None:
    """Leave a reversed deposit; it is a case again when it is reversed again.

    Raises:
        Conflict: it is not reversed, or not any more.
    """
    with db.operation():
        permission = queries.lock(Deposit.objects.values_list("permission_id", flat=True).get(pk=deposit_id))
        deposit = Deposit.objects.select_for_update(no_key=True).get(pk=deposit_id)
        _require(deposit.status == DepositStatus.REVERSED, f"the deposit is {deposit.status}")
        operators.note(word, Verb.RESOLVE, permission=permission, deposit=deposit, now=now)


def resolve_unmatched(unmatched_id: int, *, word: Word, now: datetime) -> None:
    """Leave money that is no permission's; what is paid anew is another case.

    Raises:
        Conflict: it does not wait, or not any more.
    """
    with db.operation():
        row = unmatched.mark_resolved(unmatched_id, now=now)
        if row is None:
            raise Conflict("it is resolved, gone, or a permission's by now: there is nothing to resolve")
        # Its row goes if it can never be mined any more; what was said of it stays.
        operators.note(word, Verb.RESOLVE, now=now, details=row.details)


def resolve_permission(permission_id: int, *, word: Word, now: datetime) -> None:
    """Leave what is too little to be refunded by itself.

    Raises:
        Conflict: there is no such rest, or not any more.
    """
    with db.operation():
        permission = queries.lock(permission_id)
        _require(permission.below_minimum, "nothing of it is too little to be refunded")
        details = _said_of(permission, _OF_WHAT_IS_LEFT)
        operators.note(word, Verb.RESOLVE, permission=permission, now=now, details=details)


def resolve_endpoint(endpoint_id: int, *, word: Word, now: datetime) -> None:
    """Leave a failing endpoint to its client; it is a case again when it is switched off, or fails anew.

    Raises:
        EndpointNotFound: it was deleted.
        Conflict: it does not fail, or not any more.
    """
    with db.operation():
        locked = endpoints.lock(
            WebhookEndpoint.objects.values_list("public_id", flat=True).get(pk=endpoint_id)
        )
        _require(locked.failing_since is not None, "the endpoint does not fail")
        operators.note(word, Verb.RESOLVE, endpoint=locked, now=now)


def tries_to_look_at(rows: QuerySet[Any]) -> QuerySet[Any]:
    """Leave out the refunds, or payouts, of whose last try an operator has said so."""
    subject = "payout" if rows.model is Payout else "refund"
    return rows.exclude(_is_said(subject, _OF_A_TRY))


def rests_to_look_at(permissions: QuerySet[SpendingPermission]) -> QuerySet[SpendingPermission]:
    """Leave out the permissions of whose rest, as it is, an operator has said so."""
    of_it_alone = {"deposit": None, "session": None, "refund": None}
    return permissions.exclude(_is_said("permission", _OF_WHAT_IS_LEFT, **of_it_alone))


def unresolved_since(subject: str, since: str, rows: QuerySet[Any]) -> QuerySet[Any]:
    """Leave out rows of which an operator has said so after they became a case, at the time in a column."""
    said = OperatorAction.objects.filter(verb=Verb.RESOLVE, created_at__gte=OuterRef(since))
    return rows.exclude(Exists(said.filter(**{subject: OuterRef("pk")})))


def _require(is_case: bool, otherwise: str) -> None:  # noqa: FBT001  # what is required
    if not is_case:
        raise Conflict(f"{otherwise}: there is nothing to resolve")


def _said_of(row: Model, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}


def _is_said(subject: str, names: tuple[str, ...], **besides: Any) -> Exists:
    """Whether a resolution names a row's present values of these columns, null counted as 0."""
    said = OperatorAction.objects.filter(verb=Verb.RESOLVE, **besides, **{subject: OuterRef("pk")})
    for name in names:
        number = Cast(KeyTextTransform(name, "details"), BigIntegerField())
        said = said.alias(**{f"said_{name}": Coalesce(number, 0)})
        said = said.filter(**{f"said_{name}": Coalesce(OuterRef(name), 0)})
    return Exists(said)
