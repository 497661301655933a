"""Payouts as callers know them."""

from dataclasses import dataclass
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from billing.payout_models import Payout
from billing.rules import RefundStatus
from sessions_app.models import Vendor


@dataclass(frozen=True)
class PayoutRecord:
    """A payout as callers know it; `paid_zat` arrives, `fee_zat` is the network's."""

    payout_id: str
    vendor_id: str
    number: int
    status: str
    address: str
    amount_zat: int
    fee_zat: int
    earned_from: str | None
    earned_until: str
    created_at: str
    not_before: str
    txids: tuple[str, ...]
    reason: str


def page(vendor: Vendor, *, before: int | None, limit: int) -> list[PayoutRecord]:
    """Return a vendor's payouts, latest first; those before a number, if given."""
    found = _told().filter(vendor=vendor)
    if before is not None:
        found = found.filter(number__lt=before)
    return [_record(each) for each in found.order_by("-number")[:limit]]


def of_payout(payout: Payout) -> PayoutRecord:
    """Return a payout as callers know it."""
    return _record(_told().get(pk=payout.pk))


def of_vendor(vendor: Vendor) -> QuerySet[Any]:
    """Return a vendor's payouts with `earned_from`, and `paid_before_zat`: all that those before it took."""
    before = Payout.objects.filter(vendor=OuterRef("vendor"), number__lt=OuterRef("number"))
    kept = before.exclude(status=RefundStatus.CANCELLED).order_by().values("vendor")
    paid = Coalesce(Subquery(kept.annotate(zat=Sum("amount_zat")).values("zat")), 0)
    told: QuerySet[Any] = _told().filter(vendor=vendor).annotate(paid_before_zat=paid)
    return told


def _told() -> QuerySet[Any]:
    """Payouts with `earned_from`: the end of the one before, leaving out those that were taken back."""
    of_vendor = Payout.objects.filter(vendor=OuterRef("vendor"), number__lt=OuterRef("number"))
    kept = of_vendor.exclude(status=RefundStatus.CANCELLED).order_by("-number")
    told = Payout.objects.select_related("vendor", "send")
    return told.annotate(earned_from=Subquery(kept.values("earned_until")[:1]))


def _record(payout: Any) -> PayoutRecord:
    return PayoutRecord(
        payout_id=str(payout.public_id),
        vendor_id=payout.vendor.slug,
        number=payout.number,
        status=payout.status,
        address=payout.address,
        amount_zat=payout.amount_zat,
        fee_zat=payout.fee_zat,
        earned_from=payout.earned_from.isoformat() if payout.earned_from else None,
        earned_until=payout.earned_until.isoformat(),
        created_at=payout.created_at.isoformat(),
        not_before=payout.not_before.isoformat(),
        txids=tuple(payout.send.txids) if payout.send else (),
        reason=payout.reason,
    )
