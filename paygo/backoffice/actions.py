"""What operators can do from the back office: each action is one verb of the domain on one row."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.db.models import Model
from django.http import HttpRequest
from django.urls import reverse

from billing import approvals, extensions, holds, interventions, payouts, refunds
from billing.models import Refund
from billing.operator_rules import APPROVERS, LONGEST_REASON, SHORTEST_REASON, Verb
from billing.operators import Word
from billing.payout_models import Payout
from billing.rules import WAITING_REFUND, RefundStatus
from core import clock
from core.amounts import zec_text
from sessions_app.models import StreamingSession
from sessions_app.rules import SessionStatus
from zcash.models import Deposit, SpendingPermission
from zcash.node import connect
from zcash.rules import CLOSED, DepositStatus, PermissionStatus, SuspensionReason


class ReasonForm(forms.Form):
    """Why an operator does something."""

    reason = forms.CharField(
        min_length=SHORTEST_REASON,
        max_length=LONGEST_REASON,
        widget=forms.Textarea(attrs={"rows": 3, "autofocus": True}),
        help_text="It is kept in the log, with your name.",
    )


class ExtendForm(ReasonForm):
    """By how many days, and why."""

    days = forms.IntegerField(min_value=1, max_value=366, initial=7)
    field_order = ["days", "reason"]


@dataclass(frozen=True)
class Action:
    """One thing that can be done to one row; `promise` says what will happen, `call` lets it happen."""

    verb: Verb
    model: type[Model]
    title: str
    promise: str
    permission: str
    call: Callable[[Any, Word, Mapping[str, Any]], str]
    is_possible: Callable[[Any], bool]
    form: type[ReasonForm] = ReasonForm
    is_grave: bool = False

    @property
    def name(self) -> str:
        """Return the action's name in paths."""
        return f"{self.verb}-{self.model._meta.model_name}"

    def is_allowed(self, request: HttpRequest) -> bool:
        """Whether the operator may do it at all."""
        return request.user.has_perm(f"billing.{self.permission}")


def _verify(row: SpendingPermission, word: Word, _: Mapping[str, Any]) -> str:
    credited = interventions.verify(row, word=word, wallet=connect(), read_clock=clock.now)
    return f"The chain was asked. {zec_text(credited)} ZEC were credited."


def _verify_deposit(row: Deposit, word: Word, _: Mapping[str, Any]) -> str:
    credited = interventions.verify(
        row.permission, word=word, wallet=connect(), read_clock=clock.now, deposit=row
    )
    return f"The chain was asked. {zec_text(credited)} ZEC were credited."


def _hold(row: SpendingPermission, word: Word, _: Mapping[str, Any]) -> str:
    holds.hold(row.pk, word=word, now=clock.now())
    return "The permission is on hold, and its sessions have ended."


def _lift(row: SpendingPermission, word: Word, _: Mapping[str, Any]) -> str:
    permission = holds.lift(row.pk, word=word, now=clock.now())
    return f"The hold is lifted: the permission is {permission.status}."


def _extend(row: SpendingPermission, word: Word, data: Mapping[str, Any]) -> str:
    permission = extensions.extend(row.pk, days=data["days"], word=word, now=clock.now())
    return f"The permission now lasts until {permission.expires_at:%Y-%m-%d %H:%M} UTC."


def _revoke(row: SpendingPermission, word: Word, _: Mapping[str, Any]) -> str:
    interventions.revoke(row, word=word, now=clock.now())
    return "The permission is revoked; what is left of it will be refunded."


def _refund(row: SpendingPermission, word: Word, _: Mapping[str, Any]) -> str:
    refund = refunds.give_back(row.pk, word=word, now=clock.now())
    return f"A refund of {zec_text(refund.paid_zat)} ZEC is queued."


def _end_session(row: StreamingSession, word: Word, _: Mapping[str, Any]) -> str:
    interventions.end_session(row, word=word, now=clock.now())
    return f"Session {row.code} has ended."


def _approve_payout(row: Payout, word: Word, _: Mapping[str, Any]) -> str:
    given = payouts.approve(row.pk, word=word, now=clock.now())
    if given < APPROVERS:
        return f"Approved: {given} of {APPROVERS}. Another operator has to approve it too."
    return "Approved: the next round sends it."


def _retry_payout(row: Payout, word: Word, _: Mapping[str, Any]) -> str:
    if not payouts.retry(row.pk, now=clock.now(), word=word):
        return "Nothing was queued: the payout has not failed."
    return "The payout is queued again; the next round sends it."


def _retry(row: Refund, word: Word, _: Mapping[str, Any]) -> str:
    if not interventions.retry(row, word=word, now=clock.now()):
        return "Nothing was queued: the refund has not failed, or another one of its permission is under way."
    return "The refund is queued again; it goes out once nothing of its last try can be mined any more."


def _follow(row: Refund, word: Word, _: Mapping[str, Any]) -> str:
    return (
        f"Wallet and chain were asked: the refund is {interventions.follow(row, word=word, now=clock.now())}."
    )


def _approve(row: Refund, word: Word, _: Mapping[str, Any]) -> str:
    given = approvals.approve(row.pk, word=word, now=clock.now())
    if given < APPROVERS:
        return f"Approved: {given} of {APPROVERS}. Another operator has to approve it too."
    return "Approved: the next round sends it."


def _resolve(row: Any, word: Word, _: Mapping[str, Any]) -> str:
    interventions.resolve(
        row.pk if isinstance(row, SpendingPermission) else row.permission_id,
        word=word,
        now=clock.now(),
        deposit=row if isinstance(row, Deposit) else None,
        refund=row if isinstance(row, Refund) else None,
    )
    return "Marked as resolved."


def _status_in(*states: str) -> Callable[[Any], bool]:
    return lambda row: row.status in states


_P = PermissionStatus
_ACTIONS = (
    Action(
        Verb.VERIFY,
        SpendingPermission,
        "Verify now",
        "Asks the node what the permission's address has received, and credits what is confirmed.",
        "verify_payment",
        _verify,
        lambda _: True,
    ),
    Action(
        Verb.HOLD,
        SpendingPermission,
        "Put on hold",
        "Ends its sessions now. Nothing is streamed from it before somebody lifts the hold; its money stays.",
        "hold_permission",
        _hold,
        _status_in(_P.ACTIVE, _P.QUEUED),
    ),
    Action(
        Verb.LIFT,
        SpendingPermission,
        "Lift the hold",
        "Lets the permission pay for sessions again, or wait behind the one that is active meanwhile.",
        "hold_permission",
        _lift,
        lambda row: row.suspended_for == SuspensionReason.HOLD,
    ),
    Action(
        Verb.EXTEND,
        SpendingPermission,
        "Extend",
        "Moves its last day. Sessions that run go on for longer.",
        "extend_permission",
        _extend,
        lambda row: row.status not in CLOSED,
        form=ExtendForm,
    ),
    Action(
        Verb.REVOKE,
        SpendingPermission,
        "Revoke",
        "Ends it for good: its sessions end now, and what is left goes back to the viewer.",
        "revoke_permission",
        _revoke,
        lambda row: row.status not in CLOSED,
        is_grave=True,
    ),
    Action(
        Verb.REFUND,
        SpendingPermission,
        "Refund what is left",
        "Queues a refund of all that is left, less the network's fee, even below the minimum.",
        "refund_permission",
        _refund,
        lambda row: row.status in CLOSED and row.remaining_zat > 0,
    ),
    Action(
        Verb.RESOLVE,
        SpendingPermission,
        "Mark as resolved",
        "Takes the case from its queue. Nothing else changes; it comes back when the permission changes.",
        "resolve_case",
        _resolve,
        lambda row: row.below_minimum,
    ),
    Action(
        Verb.VERIFY,
        Deposit,
        "Verify now",
        "Asks the node what the deposit's address has received, and credits what is confirmed.",
        "verify_payment",
        _verify_deposit,
        lambda _: True,
    ),
    Action(
        Verb.RESOLVE,
        Deposit,
        "Mark as resolved",
        "Takes the deposit from its queue. Nothing else changes; it comes back if it is reversed again.",
        "resolve_case",
        _resolve,
        _status_in(DepositStatus.REVERSED),
    ),
    Action(
        Verb.END_SESSION,
        StreamingSession,
        "End the session",
        "Stops its meter now. What was streamed until now is charged.",
        "end_session",
        _end_session,
        _status_in(SessionStatus.ACTIVE, SessionStatus.PAUSED),
    ),
    Action(
        Verb.APPROVE,
        Refund,
        "Approve",
        f"Says that this refund may go to its address. Above the limit {APPROVERS} operators have to.",
        "approve_refund",
        _approve,
        lambda row: (
            row.status in WAITING_REFUND and row.amount_zat > (approvals.above_zat() or row.amount_zat)
        ),
    ),
    Action(
        Verb.RETRY,
        Refund,
        "Try again now",
        "Queues it again. It goes out once nothing of its last try can be mined any more: never twice.",
        "refund_permission",
        _retry,
        _status_in(RefundStatus.FAILED),
    ),
    Action(
        Verb.APPROVE,
        Payout,
        "Approve",
        f"Says that this payout may go to its address. Above the limit {APPROVERS} operators have to.",
        "approve_refund",
        _approve_payout,
        payouts.needs_approval,
    ),
    Action(
        Verb.RETRY,
        Payout,
        "Try again now",
        "Queues the payout again; the next round sends it. It has definitely not been paid before.",
        "refund_permission",
        _retry_payout,
        _status_in(RefundStatus.FAILED),
    ),
    Action(
        Verb.FOLLOW,
        Refund,
        "Ask the chain",
        "Asks wallet and chain what became of it. Nothing is sent twice.",
        "refund_permission",
        _follow,
        _status_in(RefundStatus.UNKNOWN, RefundStatus.SENDING, RefundStatus.SENT),
    ),
    Action(
        Verb.RESOLVE,
        Refund,
        "Mark as resolved",
        "Takes the refund from its queue. Nothing else changes; it is tried again when its time comes.",
        "resolve_case",
        _resolve,
        _status_in(RefundStatus.FAILED),
    ),
)
ACTIONS: Mapping[str, Action] = {each.name: each for each in _ACTIONS}


@dataclass(frozen=True)
class Button:
    """An action on a row, as a page offers it."""

    action: Action
    url: str


def buttons(row: Model, request: HttpRequest, *, back_to: str = "") -> list[Button]:
    """Return what this operator can do to a row now."""
    return [
        Button(each, path_of(each, row, back_to=back_to))
        for each in _ACTIONS
        if isinstance(row, each.model) and each.is_possible(row) and each.is_allowed(request)
    ]


def path_of(action: Action, row: Model, *, back_to: str = "") -> str:
    """Return the page on which an action asks for its reason."""
    path = reverse("admin:act", args=[action.name, row.pk])
    return f"{path}?next={back_to}" if back_to else path


def page_of(row: Model) -> str:
    """Return the page of a row."""
    meta = row._meta
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[row.pk])
