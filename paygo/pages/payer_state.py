"""What a payer sees on the page of their own: what is left, what runs, what it was spent on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from billing import funding, grants, linked, live, records, refund_view, session_list
from billing.funding import Payment
from billing.models import Transaction
from billing.models_ethereum import Authorization
from billing.records import TransactionRecord
from billing.refund_view import RefundView
from billing.rules import TransactionStatus
from billing.session_list import ListedSession
from core.amounts import MS_PER_HOUR, div_floor
from paygo.pages.models import PayerLink
from sessions_app.models import Vendor
from zcash.confirmations import credit_seconds
from zcash.models import Deposit, SpendingPermission
from zcash.rules import CLOSED, DepositStatus, PermissionStatus

# More of them than anybody reads on a phone; the client's statement has all.
MOST_LINES = 50
_PAYABLE = (PermissionStatus.ACTIVE, PermissionStatus.QUEUED, PermissionStatus.EXHAUSTED)


@dataclass(frozen=True)
class Stretch:
    """One stretch of a session that this permission paid."""

    vendor: Vendor
    record: TransactionRecord


@dataclass(frozen=True)
class PayerState:
    """A permission as its payer sees it at `now`; `burn_zat_per_hour` is what its running sessions use."""

    permission: SpendingPermission
    may_redirect: bool
    now: datetime
    remaining_zat: int
    burn_zat_per_hour: int
    payment: Payment
    sessions: Sequence[ListedSession]
    deposits: Sequence[Deposit]
    stretches: Sequence[Stretch]
    refund: RefundView | None
    fallback: Authorization | None

    @property
    def is_over(self) -> bool:
        """Whether the permission has ended."""
        return self.permission.status in CLOSED

    @property
    def takes_money(self) -> bool:
        """Whether paying more makes it last longer."""
        return self.permission.status in _PAYABLE

    @property
    def falls_zat_per_hour(self) -> int:
        """By how much the remaining amount grows in an hour: never above 0."""
        return -self.burn_zat_per_hour

    @property
    def lasts_ms(self) -> int:
        """For how long what is left lasts: at what runs now, else at the permission's rate."""
        rate = self.burn_zat_per_hour or self.permission.rate_zat_per_hour
        return div_floor(self.remaining_zat * MS_PER_HOUR, rate)

    @property
    def lasts_seconds(self) -> int:
        """The same in whole seconds."""
        return div_floor(self.lasts_ms, 1000)

    @property
    def is_low(self) -> bool:
        """Whether a top-up that is not paid now would be confirmed too late; one that waits was paid."""
        return bool(self.burn_zat_per_hour) and self.lasts_ms <= self.credit_ms and not self.payment.waits

    @property
    def credit_ms(self) -> int:
        """How long before the money ends a top-up should be paid."""
        return 1000 * credit_seconds(self.payment.required_confirmations)

    @property
    def streamed_zat(self) -> int:
        """What streaming has cost up to now."""
        permission = self.permission
        paid_in = permission.credited_zat - permission.reversed_zat + permission.shortfall_zat
        return paid_in - permission.refunded_zat - self.remaining_zat

    @property
    def hides_stretches(self) -> bool:
        """Whether there may be more stretches than are listed."""
        return len(self.stretches) >= MOST_LINES


def read(link: PayerLink, *, now: datetime) -> PayerState:
    """Return what the payer of a link's permission sees at `now`."""
    found = live.read(link.permission_id, now=now)
    permission = found.permission
    stretches = _stretches(permission, now=now)
    running = [each for each in stretches if each.record.status == TransactionStatus.OPEN]
    return PayerState(
        permission=permission,
        may_redirect=link.may_redirect,
        now=now,
        remaining_zat=found.remaining_zat,
        burn_zat_per_hour=sum(each.record.rate for each in running),
        payment=funding.payment_of(permission),
        sessions=session_list.on_permission(permission, now=now),
        deposits=list(
            Deposit.objects.filter(permission=permission).exclude(status=DepositStatus.GONE).order_by("id")
        ),
        stretches=stretches,
        refund=refund_view.of_permission(permission),
        fallback=_fallback(permission),
    )


def _fallback(permission: SpendingPermission) -> Authorization | None:
    """Return what pays, in public, when the permission is used up: its payer is told so."""
    if permission.status in CLOSED:
        return None
    found = linked.behind(permission)
    return grants.fallback_of(permission, [found] if found else [])


def _stretches(permission: SpendingPermission, *, now: datetime) -> list[Stretch]:
    """Return what the permission pays and the latest of what it has paid, newest first."""
    found = Transaction.objects.filter(permission=permission).select_related("permission", "session__vendor")
    running = found.filter(status=TransactionStatus.OPEN).order_by("-id")
    final = found.exclude(status=TransactionStatus.OPEN).order_by("-id")[:MOST_LINES]
    return [
        Stretch(each.session.vendor, records.of_transaction(each, now=now)) for each in [*running, *final]
    ]
