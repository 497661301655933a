"""The queues: everything that waits for a person, each kind with what can be done about it.

Every queue is read by an index of its own; how many there are is counted up to a limit.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import F, Model, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse

from billing import account_changes, approvals, resolutions
from billing.models import Refund
from billing.operator_models import OperatorAction
from billing.operator_rules import APPROVERS, Verb
from billing.payout_models import Payout
from billing.rules import RefundStatus
from core import clock
from core.amounts import zec_text
from core.models import WebhookEndpoint
from core.webhooks.rules import DisabledReason
from paygo.backoffice.actions import Button, buttons, page_of
from sessions_app.models import StreamingSession
from sessions_app.rules import SessionStatus
from zcash.models import Deposit, SpendingPermission
from zcash.rules import CLOSED, DepositStatus, PermissionStatus
from zcash.unmatched_models import UnmatchedDeposit

SILENT_FOR = timedelta(hours=2)
FAILING_FOR = timedelta(hours=1)
COUNTED = 1000
_ON_OVERVIEW, _ON_PAGE = 8, 200


@dataclass(frozen=True)
class Queue:
    """One kind of case: its rows, oldest first, and what of them is shown."""

    name: str
    title: str
    why: str
    permission: str
    rows: Callable[[], QuerySet[Any]]
    columns: Sequence[str]
    cells: Callable[[Any], Sequence[str]]
    # What is offered beside a row; whatever else can be done is on the row's own page.
    safe: Sequence[Verb]

    def count(self) -> int:
        """Return how many there are, up to a limit."""
        return self.rows()[: COUNTED + 1].count()


@dataclass(frozen=True)
class Case:
    """One row of a queue as the page shows it; a cell is its column's title, and its text."""

    url: str
    cells: Sequence[tuple[str, str]]
    buttons: Sequence[Button]


def _late_deposits() -> QuerySet[Deposit]:
    """Money that arrived after its permission had ended, and has not gone back."""
    on_closed = Deposit.objects.filter(permission__status__in=CLOSED)
    waiting = on_closed.filter(status=DepositStatus.SEEN)
    left = SpendingPermission.objects.filter(Q(refund_due=True) | Q(below_minimum=True))
    credited = on_closed.filter(
        permission__in=left, status=DepositStatus.CONFIRMED, credited_at__gt=F("permission__closed_at")
    )
    # Two indexes, one question each.
    ids = {*waiting.values_list("pk", flat=True)[:COUNTED], *credited.values_list("pk", flat=True)[:COUNTED]}
    rows = resolutions.deposits_to_look_at(Deposit.objects.filter(pk__in=ids))
    return rows.select_related("permission__client").order_by("id")


def _unmatched_deposits() -> QuerySet[UnmatchedDeposit]:
    return UnmatchedDeposit.objects.waiting()


def _reversed_deposits() -> QuerySet[Deposit]:
    rows = resolutions.deposits_to_look_at(Deposit.objects.filter(status=DepositStatus.REVERSED))
    return rows.select_related("permission__client").order_by("id")


def _stuck_refunds() -> QuerySet[Refund]:
    rows = Refund.objects.filter(status__in=[RefundStatus.FAILED, RefundStatus.UNKNOWN])
    return resolutions.tries_to_look_at(rows).select_related("permission__client").order_by("id")


def _small_refunds() -> QuerySet[SpendingPermission]:
    rows = SpendingPermission.objects.filter(below_minimum=True, refund_due=False)
    return resolutions.rests_to_look_at(rows).select_related("client").order_by("id")


def _large_refunds() -> QuerySet[Refund]:
    return approvals.waiting(Refund.objects.select_related("permission__client")).order_by("id")


def _stuck_payouts() -> QuerySet[Payout]:
    rows = Payout.objects.filter(status__in=[RefundStatus.FAILED, RefundStatus.UNKNOWN])
    return resolutions.tries_to_look_at(rows).select_related("vendor").order_by("id")


def _large_payouts() -> QuerySet[Payout]:
    return approvals.waiting(Payout.objects.select_related("vendor")).order_by("id")


def _silent_sessions() -> QuerySet[StreamingSession]:
    now = clock.now()
    rows = StreamingSession.objects.filter(
        status=SessionStatus.ACTIVE, heartbeat_seconds__isnull=True, started_at__lt=now - SILENT_FOR
    )
    rows = resolutions.sessions_to_look_at(rows, now=now)
    return rows.select_related("client", "vendor").order_by("started_at")


def _suspended() -> QuerySet[SpendingPermission]:
    rows = SpendingPermission.objects.filter(status=PermissionStatus.SUSPENDED)
    return resolutions.holds_to_look_at(rows).select_related("client").order_by("id")


def _failing_endpoints() -> QuerySet[WebhookEndpoint]:
    """What has taken nothing for a while, switched off for that or not yet; what its client does is his."""
    failing = WebhookEndpoint.objects.filter(deleted_at=None, failing_since__lt=clock.now() - FAILING_FOR)
    rows = failing.filter(Q(disabled_at=None) | Q(disabled_reason=DisabledReason.FAILING))
    return resolutions.endpoints_to_look_at(rows).select_related("client").order_by("id")


def _account_changes() -> QuerySet[OperatorAction]:
    return account_changes.recent(now=clock.now())


def _deposit_cells(row: Deposit) -> Sequence[str]:
    return (row.txid, f"{zec_text(row.amount_zat)} ZEC", row.status, str(row.permission.client))


def _unmatched_cells(row: UnmatchedDeposit) -> Sequence[str]:
    block = "not mined yet" if row.height is None else str(row.height)
    return (row.txid, f"{zec_text(row.amount_zat)} ZEC", block, row.address)


def _refund_cells(row: Refund) -> Sequence[str]:
    return (str(row.public_id), f"{zec_text(row.amount_zat)} ZEC", row.status, row.reason)


def _approval_cells(row: Any) -> Sequence[str]:
    given = f"{row.approvals_given} of {APPROVERS}"
    return (str(row.public_id), f"{zec_text(row.amount_zat)} ZEC", given, row.address)


def _payout_cells(row: Payout) -> Sequence[str]:
    return (str(row.public_id), str(row.vendor), f"{zec_text(row.amount_zat)} ZEC", row.status, row.reason)


def _payout_approval_cells(row: Any) -> Sequence[str]:
    given = f"{row.approvals_given} of {APPROVERS}"
    return (str(row.public_id), str(row.vendor), f"{zec_text(row.amount_zat)} ZEC", given, row.address)


def _left_cells(row: SpendingPermission) -> Sequence[str]:
    return (str(row.public_id), f"{zec_text(row.remaining_zat)} ZEC", row.status, str(row.client))


def _suspended_cells(row: SpendingPermission) -> Sequence[str]:
    return (
        str(row.public_id),
        f"{zec_text(row.remaining_zat)} ZEC",
        row.suspended_for or "",
        str(row.client),
    )


def _session_cells(row: StreamingSession) -> Sequence[str]:
    rate = f"{zec_text(row.rate_zat_per_hour)} ZEC/h" if row.rate_zat_per_hour else "in tokens"
    return (row.code, f"{row.started_at:%Y-%m-%d %H:%M}", rate, f"{row.client}/{row.vendor}")


def _endpoint_cells(row: WebhookEndpoint) -> Sequence[str]:
    since = f"{row.failing_since:%Y-%m-%d %H:%M}" if row.failing_since else ""
    return (
        row.url,
        str(row.client),
        since,
        "switched off" if row.disabled_at else f"{row.failures} failures",
    )


def _change_cells(row: OperatorAction) -> Sequence[str]:
    by = str(row.operator or row.details["by"])
    return (", ".join(row.details["names"]), by, f"{row.created_at:%Y-%m-%d %H:%M}", row.reason)


QUEUES: tuple[Queue, ...] = (
    Queue(
        "stuck-refunds",
        "Refunds failed or of unknown outcome",
        "A failed one was definitely not paid and may be tried again. An unknown one waits for the chain.",
        "billing.view_refund",
        _stuck_refunds,
        ("refund", "amount", "status", "reason"),
        _refund_cells,
        (Verb.RETRY, Verb.FOLLOW, Verb.RESOLVE),
    ),
    Queue(
        "large-refunds",
        "Refunds waiting for approval",
        "They are above REFUND_APPROVAL_ABOVE: nobody sends so much alone.",
        "billing.view_refund",
        _large_refunds,
        ("refund", "amount", "approved", "to"),
        _approval_cells,
        (Verb.APPROVE,),
    ),
    Queue(
        "stuck-payouts",
        "Payouts failed or of unknown outcome",
        "A failed one was definitely not paid and may be tried again. An unknown one waits for the chain.",
        "billing.view_payout",
        _stuck_payouts,
        ("payout", "vendor", "amount", "status", "reason"),
        _payout_cells,
        (Verb.RETRY, Verb.FOLLOW, Verb.RESOLVE),
    ),
    Queue(
        "large-payouts",
        "Payouts waiting for approval",
        "They are above PAYOUT_APPROVAL_ABOVE: nobody sends so much alone.",
        "billing.view_payout",
        _large_payouts,
        ("payout", "vendor", "amount", "approved", "to"),
        _payout_approval_cells,
        (Verb.APPROVE,),
    ),
    Queue(
        "account-changes",
        "Operators' accounts made or changed this week",
        "Whoever makes accounts must not approve twice. Switch off what you do not know, and ask.",
        "core.view_user",
        _account_changes,
        ("accounts", "by", "when", "what"),
        _change_cells,
        (),
    ),
    Queue(
        "late-deposits",
        "Late deposits",
        "Paid to a permission that had ended. The money is kept for its payer, and goes back.",
        "zcash.view_deposit",
        _late_deposits,
        ("transaction", "amount", "status", "client"),
        _deposit_cells,
        (Verb.VERIFY, Verb.RESOLVE),
    ),
    Queue(
        "unmatched-deposits",
        "Unmatched deposits",
        "Received at an address that no permission has. zcashd lists none: there the books show a surplus.",
        "zcash.view_unmatcheddeposit",
        _unmatched_deposits,
        ("transaction", "amount", "block", "address"),
        _unmatched_cells,
        (Verb.RESOLVE,),
    ),
    Queue(
        "reversed-deposits",
        "Reversed deposits",
        "Credited, then removed from the chain by a reorg. Mined again, they are credited again.",
        "zcash.view_deposit",
        _reversed_deposits,
        ("transaction", "amount", "status", "client"),
        _deposit_cells,
        (Verb.VERIFY, Verb.RESOLVE),
    ),
    Queue(
        "small-refunds",
        "Too little to refund by itself",
        "What is left is below REFUND_MINIMUM. It stays the viewer's, and can be refunded by hand.",
        "zcash.view_spendingpermission",
        _small_refunds,
        ("permission", "left", "status", "client"),
        _left_cells,
        (Verb.REFUND, Verb.RESOLVE),
    ),
    Queue(
        "suspended",
        "Permissions on hold",
        "Held by an operator, or suspended because their payment has left the chain.",
        "zcash.view_spendingpermission",
        _suspended,
        ("permission", "left", "held for", "client"),
        _suspended_cells,
        (Verb.LIFT, Verb.VERIFY, Verb.RESOLVE),
    ),
    Queue(
        "silent-sessions",
        "Sessions without a heartbeat",
        "Running for two hours, and nobody says that they are alive.",
        "sessions_app.view_streamingsession",
        _silent_sessions,
        ("session", "since", "rate", "vendor"),
        _session_cells,
        (Verb.END_SESSION, Verb.RESOLVE),
    ),
    Queue(
        "failing-endpoints",
        "Webhook endpoints that fail",
        "They have taken nothing for an hour. After three days nothing more is sent to them.",
        "core.view_webhookendpoint",
        _failing_endpoints,
        ("endpoint", "client", "since", "state"),
        _endpoint_cells,
        (Verb.ENABLE, Verb.RESOLVE),
    ),
)


def counts(request: HttpRequest) -> list[tuple[Queue, int]]:
    """Return how many cases wait in each queue that this operator may see."""
    return [(queue, queue.count()) for queue in _visible(request)]


def may_see_any(request: HttpRequest) -> bool:
    """Whether there is a queue for this operator."""
    return bool(_visible(request))


def overview(request: HttpRequest) -> HttpResponse:
    """Show the head of every queue that this operator may see."""
    shown = _visible(request)
    if not shown:
        raise PermissionDenied
    found = [(queue, queue.count(), _cases(queue, request, limit=_ON_OVERVIEW)) for queue in shown]
    context = {
        **admin.site.each_context(request),
        "title": "Queues",
        "waiting": [each for each in found if each[1]],
        "empty": [queue for queue, count, _ in found if not count],
        "counted": COUNTED,
        "on_overview": _ON_OVERVIEW,
    }
    return TemplateResponse(request, "backoffice/queues.html", context)


def one(request: HttpRequest, name: str) -> HttpResponse:
    """Show one queue in full."""
    queue = next((each for each in QUEUES if each.name == name), None)
    if queue is None:
        raise Http404
    if not request.user.has_perm(queue.permission):
        raise PermissionDenied
    found = (queue, queue.count(), _cases(queue, request, limit=_ON_PAGE))
    context = {
        **admin.site.each_context(request),
        "title": queue.title,
        "waiting": [found] if found[1] else [],
        "empty": [] if found[1] else [queue],
        "counted": COUNTED,
        "on_overview": _ON_PAGE,
    }
    return TemplateResponse(request, "backoffice/queues.html", context)


def _visible(request: HttpRequest) -> list[Queue]:
    return [each for each in QUEUES if request.user.has_perm(each.permission)]


def _cases(queue: Queue, request: HttpRequest, *, limit: int) -> list[Case]:
    rows: Iterable[Model] = queue.rows()[:limit]
    back_to = reverse("admin:queues")
    return [
        Case(
            page_of(row),
            [*zip(queue.columns, queue.cells(row), strict=True)],
            _safe(queue, row, request, back_to=back_to),
        )
        for row in rows
    ]


def _safe(queue: Queue, row: Model, request: HttpRequest, *, back_to: str) -> list[Button]:
    """Return what can be done to a case, what is most likely right first."""
    offered = buttons(row, request, verbs=queue.safe, back_to=back_to)
    found = {each.action.verb: each for each in offered}
    return [found[verb] for verb in queue.safe if verb in found]
