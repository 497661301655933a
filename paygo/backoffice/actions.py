"""What operators can do from the back office: each action is one verb of the domain on one row."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Model
from django.http import HttpRequest
from django.urls import reverse

from billing import approvals, resolutions
from billing.interventions import UNDER_WAY
from billing.models import Refund
from billing.operator_rules import APPROVERS, Verb
from billing.operators import Word
from billing.payout_models import Payout
from billing.rules import RefundStatus
from core.amounts import zec_text
from core.models import WebhookDelivery, WebhookEndpoint
from paygo.api.models import ApiKey
from paygo.backoffice import calls
from paygo.backoffice.reasons import ApproveForm, ExtendForm, ReasonForm
from sessions_app.models import StreamingSession
from sessions_app.rules import SessionStatus
from zcash.models import Deposit, SpendingPermission
from zcash.rules import CLOSED, PermissionStatus, SuspensionReason
from zcash.unmatched_models import UnmatchedDeposit


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


def _status_in(*states: str) -> Callable[[Any], bool]:
    return lambda row: row.status in states


def _waits_for_approval(row: Refund | Payout) -> bool:
    """Whether a row does; those of the queue, of which that is known, are not asked for one by one."""
    return hasattr(row, "approvals_given") or approvals.is_needed(row)


_P = PermissionStatus
_ACTIONS = (
    Action(
        Verb.VERIFY,
        SpendingPermission,
        "Verify now",
        "Asks the node what the permission's address has received, and credits what is confirmed.",
        "verify_payment",
        calls.verify,
        lambda _: True,
    ),
    Action(
        Verb.HOLD,
        SpendingPermission,
        "Put on hold",
        "Ends its sessions now. Nothing is streamed from it before somebody lifts the hold; its money stays.",
        "hold_permission",
        calls.hold,
        _status_in(_P.ACTIVE, _P.QUEUED),
    ),
    Action(
        Verb.LIFT,
        SpendingPermission,
        "Lift the hold",
        "Lets the permission pay for sessions again, or wait behind the one that is active meanwhile.",
        "hold_permission",
        calls.lift,
        lambda row: row.suspended_for == SuspensionReason.HOLD,
    ),
    Action(
        Verb.EXTEND,
        SpendingPermission,
        "Extend",
        "Moves its last day. Sessions that run go on for longer.",
        "extend_permission",
        calls.extend,
        lambda row: row.status not in CLOSED,
        form=ExtendForm,
    ),
    Action(
        Verb.REVOKE,
        SpendingPermission,
        "Revoke",
        "Ends it for good: its sessions end now, and what is left goes back to the viewer.",
        "revoke_permission",
        calls.revoke,
        lambda row: row.status not in CLOSED,
        is_grave=True,
    ),
    Action(
        Verb.REFUND,
        SpendingPermission,
        "Refund what is left",
        "Queues a refund of all that is left, less the network's fee, even below the minimum.",
        "refund_permission",
        calls.refund,
        lambda row: row.status in CLOSED and row.remaining_zat > 0,
    ),
    Action(
        Verb.RESOLVE,
        SpendingPermission,
        "Mark as resolved",
        "Takes the case from its queue. Nothing else changes; it comes back when what is left changes, or it "
        "is held anew.",
        "resolve_case",
        calls.resolve_permission,
        resolutions.is_permission_a_case,
    ),
    Action(
        Verb.VERIFY,
        Deposit,
        "Verify now",
        "Asks the node what the deposit's address has received, and credits what is confirmed.",
        "verify_payment",
        calls.verify_deposit,
        lambda _: True,
    ),
    Action(
        Verb.RESOLVE,
        Deposit,
        "Mark as resolved",
        "Takes the deposit from its queue. Nothing else changes; it comes back if it is credited or reversed "
        "after this.",
        "resolve_case",
        calls.resolve_deposit,
        resolutions.is_deposit_a_case,
    ),
    Action(
        Verb.RESOLVE,
        UnmatchedDeposit,
        "Mark as resolved",
        "Takes the money from its queue. Nothing is sent or credited; say in the reason whose it is.",
        "resolve_case",
        calls.resolve_unmatched,
        lambda row: row.resolved_at is None,
    ),
    Action(
        Verb.END_SESSION,
        StreamingSession,
        "End the session",
        "Stops its meter now. What was streamed until now is charged.",
        "end_session",
        calls.end_session,
        _status_in(SessionStatus.ACTIVE, SessionStatus.PAUSED),
    ),
    Action(
        Verb.RESOLVE,
        StreamingSession,
        "Mark as resolved",
        "Takes the session from its queue. It goes on, and is charged; it is back in a day if it still runs.",
        "resolve_case",
        calls.resolve_session,
        resolutions.is_session_a_case,
    ),
    Action(
        Verb.APPROVE,
        Refund,
        "Approve",
        f"Says that this refund may go to its address. Above the limit {APPROVERS} operators have to.",
        "approve_refund",
        calls.approve,
        _waits_for_approval,
        form=ApproveForm,
    ),
    Action(
        Verb.RETRY,
        Refund,
        "Try again now",
        "Queues it again. It goes out once nothing of its last try can be mined any more: never twice.",
        "refund_permission",
        calls.retry,
        _status_in(RefundStatus.FAILED),
    ),
    Action(
        Verb.APPROVE,
        Payout,
        "Approve",
        f"Says that this payout may go to its address. Above the limit {APPROVERS} operators have to.",
        "approve_refund",
        calls.approve,
        _waits_for_approval,
        form=ApproveForm,
    ),
    Action(
        Verb.RETRY,
        Payout,
        "Try again now",
        "Queues the payout again; the next round sends it. It has definitely not been paid before.",
        "refund_permission",
        calls.retry_payout,
        _status_in(RefundStatus.FAILED),
    ),
    Action(
        Verb.FOLLOW,
        Refund,
        "Ask the chain",
        "Asks wallet and chain what became of it. Nothing is sent twice.",
        "refund_permission",
        calls.follow,
        _status_in(*UNDER_WAY),
    ),
    Action(
        Verb.RESOLVE,
        Refund,
        "Mark as resolved",
        "Takes this try from its queue. It is tried again when its time comes, and is back if that fails.",
        "resolve_case",
        calls.resolve_payment,
        _status_in(RefundStatus.FAILED),
    ),
    Action(
        Verb.FOLLOW,
        Payout,
        "Ask the chain",
        "Asks wallet and chain what became of it. Nothing is sent twice.",
        "refund_permission",
        calls.follow_payout,
        _status_in(*UNDER_WAY),
    ),
    Action(
        Verb.RESOLVE,
        Payout,
        "Mark as resolved",
        "Takes this try from its queue. It is tried again when its time comes, and is back if that fails.",
        "resolve_case",
        calls.resolve_payment,
        _status_in(RefundStatus.FAILED),
    ),
    Action(
        Verb.ENABLE,
        WebhookEndpoint,
        "Let it get events again",
        "Sends events to it from now on, as if it had never failed. What it missed is not sent by itself.",
        "mend_endpoint",
        calls.enable_endpoint,
        lambda row: row.deleted_at is None and not (row.is_enabled and row.failing_since is None),
    ),
    Action(
        Verb.RESOLVE,
        WebhookEndpoint,
        "Mark as resolved",
        "Takes the endpoint from its queue. It is back when it is switched off, or fails anew.",
        "resolve_case",
        calls.resolve_endpoint,
        lambda row: row.deleted_at is None and row.failing_since is not None,
    ),
    Action(
        Verb.REDELIVER,
        WebhookDelivery,
        "Deliver again",
        "Sends the event to its endpoint once more, now.",
        "mend_endpoint",
        calls.redeliver,
        lambda row: row.endpoint.is_enabled,
    ),
    Action(
        Verb.REVOKE_KEY,
        ApiKey,
        "Revoke",
        "Ends the key for good: whoever uses it is refused from now on.",
        "revoke_key",
        calls.revoke_key,
        lambda row: row.revoked_at is None,
        is_grave=True,
    ),
)
ACTIONS: Mapping[str, Action] = {each.name: each for each in _ACTIONS}


@dataclass(frozen=True)
class Button:
    """An action on a row, as a page offers it."""

    action: Action
    url: str


def buttons(
    row: Model, request: HttpRequest, *, verbs: Collection[Verb] = tuple(Verb), back_to: str = ""
) -> list[Button]:
    """Return what this operator can do to a row now, of these verbs."""
    return [
        Button(each, path_of(each, row, back_to=back_to))
        for each in _ACTIONS
        if each.verb in verbs
        and isinstance(row, each.model)
        and each.is_possible(row)
        and each.is_allowed(request)
    ]


def path_of(action: Action, row: Model, *, back_to: str = "") -> str:
    """Return the page on which an action asks for its reason."""
    path = reverse("admin:act", args=[action.name, row.pk])
    return f"{path}?next={back_to}" if back_to else path


def facts(row: Model) -> list[tuple[str, str]]:
    """Return what somebody who decides about a row looks at first: what goes where, until when it lasts."""
    if isinstance(row, Refund | Payout):
        return [("Amount", f"{zec_text(row.amount_zat)} ZEC"), ("To", row.address)]
    if isinstance(row, SpendingPermission):
        return [
            ("Left when settled", f"{zec_text(row.remaining_zat)} ZEC"),
            ("Until", f"{row.expires_at:%Y-%m-%d %H:%M} UTC"),
        ]
    return []


def page_of(row: Model) -> str:
    """Return the page of a row."""
    return page_at(type(row), row.pk)


def page_at(model: type[Model], pk: int) -> str:
    """Return the page of a row of a table, which nobody has to read for that."""
    meta = model._meta
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[pk])
