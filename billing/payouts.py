"""Payouts: what vendors have earned goes to them, by their schedule or when they ask.

Queuing moves the money from the vendor's account into a payout; the journal of `billing.sends` pays it out,
many at once, by the rules of refunds: never twice, and `unknown` until the chain has told.
"""

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timedelta
from uuid import NAMESPACE_URL, UUID, uuid5

import structlog
from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet

from billing import (
    approvals,
    batches,
    earnings,
    ledger,
    operators,
    outgoing,
    payout_records,
    reconciliation,
    sends,
    sweeps,
)
from billing.batches import parsed
from billing.errors import PayoutNotPossible, PayoutUnderWay
from billing.matching import asked
from billing.models import WalletSend
from billing.operator_rules import Verb
from billing.operators import Word
from billing.payout_models import Payout
from billing.payout_records import PayoutRecord
from billing.rules import UNFINISHED_REFUND, WAITING_REFUND, RefundStatus
from core import db, idempotency, jsonrows, outbox
from core.amounts import parse_zec, zec_text
from core.idempotency import Receipt
from sessions_app import queries as session_queries
from sessions_app import vendors
from sessions_app.models import Vendor
from sessions_app.rules import PayoutSchedule
from zcash import queries
from zcash.fees import fee_zat
from zcash.models import SpendingPermission
from zcash.node.port import WalletPort

log = structlog.get_logger(__name__)

_PAGE = 500
_OPEN = (*UNFINISHED_REFUND, RefundStatus.FAILED)


def queue_due(*, now: datetime) -> int:
    """Queue the payout of every vendor whose turn it is by his schedule; return how many were queued."""

    def queue(vendor_id: int) -> bool:
        with db.operation():
            _queue(_lock_vendor(vendor_id), now=now, by_schedule=True)
        return True

    due = _due(now=now).order_by("pk").values_list("pk", flat=True)
    return sweeps.each(due, queue, what="payout", waits=(PayoutNotPossible, PayoutUnderWay))


def request(slug: str, *, client_id: int, now: datetime, receipt: Receipt | None = None) -> PayoutRecord:
    """Queue the payout of all that is available to a vendor, whatever his schedule and minimum say.

    Raises:
        VendorNotFound: it does not exist, or is another client's.
        PayoutNotPossible: it has no address, a new one whose delay is not over, or there is too little.
        PayoutUnderWay: an earlier one is not over.
        KeyInFlight, KeyReused: see core.idempotency.
    """
    with db.operation():
        if receipt and (earlier := idempotency.claim(receipt, now=now)):
            return PayoutRecord(**{**earlier, "txids": tuple(earlier["txids"])})
        found = session_queries.find_vendor(client_id=client_id, slug=slug)
        payout = _queue(_lock_vendor(found.pk), now=now, by_schedule=False)
        told = payout_records.of_payout(payout)
        if receipt:
            idempotency.store(receipt, asdict(told), now=now)
    return told


def set_terms(
    slug: str,
    *,
    client_id: int,
    address: str | None,
    schedule: PayoutSchedule,
    minimum_zat: int | None,
    now: datetime,
    fee_bps: int | None = None,
    word: Word | None = None,
    receipt: Receipt | None = None,
) -> Vendor:
    """Say where a vendor's earnings go to, when, and from which amount on; an operator: his share, too.

    No new address is paid before `REFUND_ADDRESS_DELAY_HOURS` have passed, a vendor's first one neither: who
    has stolen a key must not empty accounts before anybody notices, and an event tells. Taking an address
    away shortens nothing. What waited for the old one goes back to the vendor's account.

    Raises:
        VendorNotFound: it does not exist, or is another client's.
        PayoutUnderWay: the wallet has been asked to pay the old address.
        Invalid: it is no share.
        KeyInFlight, KeyReused: see core.idempotency.
    """
    with db.operation():
        if receipt and (earlier := idempotency.claim(receipt, now=now)):
            return jsonrows.as_kept(Vendor, earlier)
        vendor = _lock_vendor(session_queries.find_vendor(client_id=client_id, slug=slug).pk)
        before, not_before = vendor.payout_address, vendor.payout_not_before
        if address != before:
            _cancel_waiting(vendor, now=now)
            if address is not None:
                delayed = now + timedelta(hours=settings.REFUND_ADDRESS_DELAY_HOURS)
                not_before = max(delayed, not_before or delayed)
        vendors.set_payout_terms(
            vendor, address=address, schedule=schedule, minimum_zat=minimum_zat, not_before=not_before
        )
        if fee_bps is not None:
            vendors.set_fee(vendor, fee_bps=fee_bps)
        if address != before:
            _announce_address(vendor, before=before, now=now)
        if word:
            note_terms(vendor, word=word, now=now)
        if receipt:
            idempotency.store(receipt, jsonrows.kept(vendor), now=now)
    return vendor


def note_terms(vendor: Vendor, *, word: Word, now: datetime) -> None:
    """Write down that an operator has set a vendor's terms; a step of that."""
    details = {
        "vendor": vendor.pk,
        "vendor_id": vendor.slug,
        "name": vendor.name,
        "is_active": vendor.is_active,
        "heartbeat_seconds": vendor.heartbeat_seconds,
        "fee_bps": vendor.fee_bps,
        "price_zat_per_hour": vendor.price_zat_per_hour,
        "payout_address": vendor.payout_address,
        "payout_schedule": vendor.payout_schedule,
        "payout_minimum_zat": vendor.payout_minimum_zat,
    }
    operators.note(word, Verb.SET_TERMS, now=now, details=details)


def requeue_failed(*, now: datetime) -> int:
    """Queue failed payouts again whose time for another try has come; return how many."""
    requeued = 0
    failed = Payout.objects.filter(status=RefundStatus.FAILED, not_before__lte=now)
    for payout_id in failed.exclude(_may_be_paid_yet()).order_by("id").values_list("pk", flat=True)[:_PAGE]:
        requeued += retry(payout_id, now=now)
    return requeued


def retry(payout_id: int, *, now: datetime, word: Word | None = None) -> bool:
    """Queue a failed payout again; False: it has not failed. On an operator's word it does not wait."""
    with db.operation():
        payout = Payout.objects.select_for_update(no_key=True, of=("self",)).get(pk=payout_id)
        if payout.status != RefundStatus.FAILED:
            return False
        if word:
            payout.not_before = now
            details = {"payout_id": str(payout.public_id)}
            operators.note(word, Verb.RETRY, payout=payout, now=now, details=details)
        sends.carry(payout, to=RefundStatus.QUEUED, now=now, reason=payout.reason)
    return True


def send_next(*, wallet: WalletPort, read_clock: Callable[[], datetime]) -> WalletSend | None:
    """Send the payouts whose turn it is, at most 40 in one transaction; None where there is nothing to do.

    The caller holds the lock on sending. While the last comparison of books and wallet has found something
    wrong, nobody is paid out.

    Raises:
        SendsHalted: the account has paid what the database does not know.
        NodeUnavailable: the node is away; nothing was sent.
    """
    now = read_clock()
    if not _ready(now=now).exists():
        return None
    if (latest := reconciliation.latest()) and not latest.is_right:
        log.error("payouts_wait", reason="the books are wrong", advice="manage.py reconcile")
        return None
    status = outgoing.clear_to_send(wallet, waiting=True, now=now)
    if status is None:
        return None
    send = _journal_batch(tip_height=status.height, now=read_clock())
    if send is not None:
        sends.hand_in(send, wallet=wallet, read_clock=read_clock)
    return send


def minimum_zat(vendor: Vendor) -> int:
    """Return the least that is paid out to a vendor by his schedule, fee included, in zatoshis."""
    return vendor.payout_minimum_zat or parse_zec(settings.PAYOUT_MINIMUM)


def period_start(schedule: PayoutSchedule, *, now: datetime) -> datetime | None:
    """Return when the period began in which a schedule pays once (UTC), None: it never pays by itself."""
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    starts: dict[PayoutSchedule, datetime | None] = {
        PayoutSchedule.MANUAL: None,
        PayoutSchedule.DAILY: day,
        PayoutSchedule.WEEKLY: day - timedelta(days=day.weekday()),
        PayoutSchedule.MONTHLY: day.replace(day=1),
    }
    return starts[schedule]


def _due(*, now: datetime) -> QuerySet[Vendor]:
    """The vendors who were not paid yet in the period of their schedule and have nothing under way."""
    in_period = Q()
    for schedule in PayoutSchedule:
        since = period_start(schedule, now=now)
        if since is not None:
            in_period |= Q(vendor__payout_schedule=schedule, created_at__gte=since)
    of_vendor = Payout.objects.filter(vendor=OuterRef("pk"))
    paid = of_vendor.filter(in_period).exclude(status=RefundStatus.CANCELLED)
    under_way = of_vendor.filter(status__in=_OPEN)
    ready = Q(payout_not_before=None) | Q(payout_not_before__lte=now)
    due = Vendor.objects.exclude(payout_schedule=PayoutSchedule.MANUAL).exclude(payout_address=None)
    return due.filter(ready).exclude(Exists(paid)).exclude(Exists(under_way))


def _lock_vendor(vendor_id: int) -> Vendor:
    return Vendor.objects.select_for_update(no_key=True).get(pk=vendor_id)


def _queue(vendor: Vendor, *, now: datetime, by_schedule: bool) -> Payout:
    """Move what is available to a locked vendor into a payout; a step.

    Raises:
        PayoutNotPossible, PayoutUnderWay.
    """
    if vendor.payout_address is None:
        raise PayoutNotPossible("the vendor has no payout address")
    if vendor.payout_not_before and vendor.payout_not_before > now:
        raise PayoutNotPossible(
            f"the payout address is new: nothing is paid before {vendor.payout_not_before.isoformat()}"
        )
    amount_zat = earnings.of_vendor(vendor, now=now).available_zat
    fee = fee_zat(parsed(vendor.payout_address), source=parsed(_source_address()))
    least_zat = max(minimum_zat(vendor) if by_schedule else 0, fee + 1)
    if amount_zat < least_zat:
        raise PayoutNotPossible(f"{zec_text(amount_zat)} ZEC are available: less than {zec_text(least_zat)}")
    payout = _insert(vendor, amount_zat=amount_zat, fee=fee, now=now)
    ledger.payout_queued(payout, now=now)
    sends.announce(payout, now=now)
    return payout


def _insert(vendor: Vendor, *, amount_zat: int, fee: int, now: datetime) -> Payout:
    if Payout.objects.filter(vendor=vendor, status__in=_OPEN).exists():
        raise PayoutUnderWay
    number = Payout.objects.filter(vendor=vendor).count() + 1
    # The same in a database that was restored and queues it again: the chain may have paid it already.
    public_id = uuid5(NAMESPACE_URL, f"{_name(vendor)}:payout {number}")
    return Payout.objects.create(
        public_id=public_id,
        vendor=vendor,
        number=number,
        address=vendor.payout_address or "",
        amount_zat=amount_zat,
        fee_zat=fee,
        memo=_memo(vendor, public_id=public_id, number=number, paid_zat=amount_zat - fee),
        earned_until=earnings.held_since(now=now),
        created_at=now,
        not_before=now,
    )


def _memo(vendor: Vendor, *, public_id: UUID, number: int, paid_zat: int) -> str:
    """Return what the vendor reads in the memo, far below the 512 bytes of ZIP-302."""
    return f"PayGo payout {number}\npayout {public_id}\nvendor {vendor.slug}\npaid {zec_text(paid_zat)} ZEC"


def _announce_address(vendor: Vendor, *, before: str | None, now: datetime) -> None:
    not_before = vendor.payout_not_before
    payload = {
        "vendor_id": vendor.slug,
        "payout_address": vendor.payout_address,
        "previous_address": before,
        "not_before": not_before.isoformat() if not_before else None,
    }
    # A vendor has no public id of its own: callers know it by its client and its slug.
    subject = uuid5(NAMESPACE_URL, _name(vendor))
    outbox.emit(
        "vendor.payout_address_changed",
        client_id=vendor.client_id,
        subject=subject,
        payload=payload,
        now=now,
    )


def _name(vendor: Vendor) -> str:
    return f"paygo:client {vendor.client_id}:vendor {vendor.slug}"


def _cancel_waiting(vendor: Vendor, *, now: datetime) -> None:
    """Put back what waits for a locked vendor's old address."""
    unfinished = Payout.objects.filter(vendor=vendor, status__in=_OPEN).select_related("vendor")
    for payout in unfinished.select_for_update(no_key=True, of=("self",)):
        if payout.status not in WAITING_REFUND or _given_up(payout):
            raise PayoutUnderWay
        sends.carry(payout, to=RefundStatus.CANCELLED, now=now, reason="the payout address was changed")


def _given_up(payout: Payout) -> bool:
    """Whether a reorg could still let its given up transaction be mined."""
    return Payout.objects.filter(pk=payout.pk).filter(_may_be_paid_yet()).exists()


def _ready(*, now: datetime) -> QuerySet[Payout]:
    """The payouts whose turn it is."""
    queued = Payout.objects.filter(status=RefundStatus.QUEUED, not_before__lte=now)
    ready = approvals.sendable(queued.exclude(_may_be_paid_yet()))
    return ready.select_related("vendor").order_by("id")


def _may_be_paid_yet() -> Exists:
    """Whether a reorg could let a transaction be mined that was given up and paid the same vendor."""
    of_vendor = WalletSend.objects.filter(payouts__vendor=OuterRef("vendor"))
    return Exists(of_vendor.filter(mineable_below__gt=queries.tip_height()))


def _journal_batch(*, tip_height: int, now: datetime) -> WalletSend | None:
    """Write down the next transaction and its payouts, locked, in one transaction."""
    source = _source_address()

    def pays(_: Payout) -> str:
        return source

    with db.operation():
        waiting = list(_ready(now=now).select_for_update(no_key=True, of=("self",))[:_PAGE])
        batch = batches.together(waiting, source=pays)
        if not batch:
            return None
        policy = batches.policy(batch[0], source=pays)
        send = sends.journal([asked(each) for each in batch], policy=policy, tip_height=tip_height, now=now)
        for payout in batch:
            sends.carry(payout, to=RefundStatus.SENDING, now=now, send=send)
    return send


def _source_address() -> str:
    """Return an address that received what is paid out: its pool is the one that the money lies in."""
    latest = SpendingPermission.objects.order_by("-id").values_list("payment_address", flat=True).first()
    return latest or settings.ZCASH_SERVICE_WALLET
