"""Cases of which an operator says that nothing more is to be done: they leave their queue as they are.

A resolution is about what it was given for, which its row names: this try of a refund, this much left of a
permission. Whatever changes of that afterwards makes it a case again.
"""

from datetime import datetime, timedelta
from typing import Any

from django.db.models import BigIntegerField, Exists, Model, OuterRef, QuerySet, Subquery, Value
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, Coalesce, Greatest

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
from sessions_app.models import StreamingSession
from sessions_app.rules import SessionStatus
from zcash import queries, unmatched
from zcash.models import Deposit, SpendingPermission
from zcash.rules import CLOSED, DepositStatus, PermissionStatus

# A session of which nobody hears spends its viewer's money: what is said of it is asked again the next day.
SESSION_LEFT_FOR = timedelta(days=1)
_OF_A_TRY = ("attempts", "send_id")
_OF_WHAT_IS_LEFT = ("remaining_zat",)
# Said of a permission, and of nothing that belongs to it.
_OF_IT_ALONE = {"deposit": None, "session": None, "refund": None}


def resolve_payment(row: Refund | Payout, *, word: Word, now: datetime) -> None:
    """Leave a failed refund or payout to its next try.

    Raises:
        Conflict: it has not failed, or not any more.
    """
    with db.operation():
        permission = queries.lock(row.permission_id) if isinstance(row, Refund) else None
        locked = type(row).objects.select_for_update(no_key=True).get(pk=row.pk)
        _require(locked.status == RefundStatus.FAILED, f"it is {locked.status}")
        operators.note(
            word,
            Verb.RESOLVE,
            permission=permission,
            refund=locked if isinstance(locked, Refund) else None,
            payout=locked if isinstance(locked, Payout) else None,
            now=now,
            details=_said_of(locked, _OF_A_TRY),
        )


def resolve_deposit(deposit_id: int, *, word: Word, now: datetime) -> None:
    """Leave a reversed or late deposit; it is a case again when it is credited or reversed after that.

    Raises:
        Conflict: it is neither, or not any more.
    """
    with db.operation():
        permission = queries.lock(Deposit.objects.values_list("permission_id", flat=True).get(pk=deposit_id))
        deposit = Deposit.objects.select_for_update(no_key=True).get(pk=deposit_id)
        deposit.permission = permission
        _require(is_deposit_a_case(deposit), f"the deposit is {deposit.status}")
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
    """Leave what is too little to be refunded by itself, or a suspended permission as it is.

    Raises:
        Conflict: it is neither, or not any more.
    """
    with db.operation():
        permission = queries.lock(permission_id)
        _require(is_permission_a_case(permission), "it is not on hold, and has no rest below the minimum")
        details = _said_of(permission, _OF_WHAT_IS_LEFT) if permission.below_minimum else {}
        operators.note(word, Verb.RESOLVE, permission=permission, now=now, details=details)


def resolve_session(session_id: int, *, word: Word, now: datetime) -> None:
    """Leave a session without a heartbeat for `SESSION_LEFT_FOR`.

    Raises:
        Conflict: it has heartbeats, or does not run any more.
    """
    with db.operation():
        session = StreamingSession.objects.select_for_update(no_key=True).get(pk=session_id)
        _require(is_session_a_case(session), "the session has a heartbeat, or does not run")
        operators.note(word, Verb.RESOLVE, session=session, now=now)


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
    return permissions.exclude(_is_said("permission", _OF_WHAT_IS_LEFT, **_OF_IT_ALONE))


def holds_to_look_at(permissions: QuerySet[SpendingPermission]) -> QuerySet[SpendingPermission]:
    """Leave out suspended permissions of which an operator has said so since they were."""
    by_hand = OperatorAction.objects.filter(permission=OuterRef("pk"), verb__in=[Verb.HOLD, Verb.LIFT])
    reversals = Deposit.objects.filter(permission=OuterRef("pk"), reversed_at__isnull=False)
    held_at = Subquery(by_hand.order_by("-created_at").values("created_at")[:1])
    reversed_at = Subquery(reversals.order_by("-reversed_at").values("reversed_at")[:1])
    # PostgreSQL's GREATEST leaves out what is null.
    rows = permissions.annotate(changed_at=Greatest(held_at, reversed_at, "created_at"))
    return _unresolved_since("permission", "changed_at", rows, **_OF_IT_ALONE)


def deposits_to_look_at(rows: QuerySet[Deposit]) -> QuerySet[Deposit]:
    """Leave out the deposits of which an operator has said so since they were credited or reversed."""
    rows = rows.annotate(changed_at=Greatest("first_seen_at", "credited_at", "reversed_at"))
    return _unresolved_since("deposit", "changed_at", rows)


def sessions_to_look_at(rows: QuerySet[StreamingSession], *, now: datetime) -> QuerySet[StreamingSession]:
    """Leave out the sessions of which an operator has said so lately."""
    return _unresolved_since("session", "lately", rows.annotate(lately=Value(now - SESSION_LEFT_FOR)))


def endpoints_to_look_at(rows: QuerySet[WebhookEndpoint]) -> QuerySet[WebhookEndpoint]:
    """Leave out the endpoints of which an operator has said so since they fail, or were switched off."""
    rows = rows.annotate(changed_at=Coalesce("disabled_at", "failing_since"))
    return _unresolved_since("endpoint", "changed_at", rows)


def is_deposit_a_case(deposit: Deposit) -> bool:
    """Whether a deposit is reversed, or came after its permission's end and has not gone back."""
    permission = deposit.permission
    if deposit.status == DepositStatus.REVERSED or permission.status not in CLOSED:
        return deposit.status == DepositStatus.REVERSED
    if deposit.status == DepositStatus.SEEN:
        return True
    is_left = permission.refund_due or permission.below_minimum
    # Every closed one has its end, and every credited one its time.
    return is_left and deposit.credited_at > permission.closed_at  # type: ignore[operator]


def is_permission_a_case(permission: SpendingPermission) -> bool:
    """Whether a permission is suspended, or what is left of it too little to be refunded by itself."""
    return permission.below_minimum or permission.status == PermissionStatus.SUSPENDED


def is_session_a_case(session: StreamingSession) -> bool:
    """Whether a session runs without a heartbeat."""
    return session.status == SessionStatus.ACTIVE and session.heartbeat_seconds is None


def _unresolved_since(subject: str, since: str, rows: QuerySet[Any], **besides: Any) -> QuerySet[Any]:
    """Leave out rows of which an operator has said so after they became a case, at the time in a column."""
    said = OperatorAction.objects.filter(verb=Verb.RESOLVE, created_at__gte=OuterRef(since), **besides)
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
