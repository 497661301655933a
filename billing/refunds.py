"""Refunds: what an ended permission has left goes back to its viewer.

Queuing moves the money from the permission into a refund; the journal of `billing.sends` pays it out.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

import structlog
from django.conf import settings
from django.db import IntegrityError
from django.db.models import Exists, OuterRef, Q, QuerySet

from billing import approvals, batches, ledger, operators, outgoing, sends, sweeps
from billing.batches import parsed
from billing.errors import RefundUnderWay
from billing.matching import asked
from billing.models import Refund, Transaction, WalletSend
from billing.operator_rules import Verb
from billing.operators import Word
from billing.rules import (
    UNDER_WAY_REFUND,
    UNFINISHED_REFUND,
    WAITING_REFUND,
    RefundCause,
    RefundStatus,
)
from core import db, idempotency
from core.amounts import parse_zec, zec_text
from core.clock import to_ms
from core.errors import Conflict, Invalid
from core.idempotency import Receipt
from zcash import audit, money, permissions, queries, reorgs, wallets
from zcash.errors import WrongPermissionState
from zcash.fees import fee_zat
from zcash.models import Deposit, SpendingPermission
from zcash.node.port import WalletPort
from zcash.rules import CLOSED, DepositStatus, PermissionStatus

log = structlog.get_logger(__name__)

# How many of those that wait are looked at for the next transaction.
_PAGE = 500
_MANY_ATTEMPTS = 3


def queue_left_over(permission: SpendingPermission, *, now: datetime, actor: str) -> Refund | None:
    """Move what a locked, ended permission has left into a refund; a step.

    None where there is nothing, where it is below the minimum (it stays claimable), or where an earlier
    refund is still under way: the next sweep asks again then.
    """
    db.require_transaction()
    if permission.status not in CLOSED or not permission.refund_due or _has_unfinished(permission):
        return None
    address = permission.refunds_to
    if wallets.is_own(address):
        log.error("refund_to_ourselves", permission=permission.pk, advice="set another refund address")
        money.refund_looked_at(permission)
        return None
    fee = fee_of(permission, address=address)
    if permission.remaining_zat - fee < minimum_zat():
        money.refund_looked_at(permission)
        return None
    return _queue(permission, address=address, fee=fee, now=now, actor=actor)


def give_back(permission_id: int, *, word: Word, now: datetime) -> Refund:
    """Queue the refund of what an ended permission has left, on an operator's word: however little it is.

    Raises:
        WrongPermissionState: it has not ended.
        RefundUnderWay: an earlier refund is not over.
        Conflict: nothing is left, or less than the fee; or it would go to the service itself.
    """
    with db.operation():
        permission = queries.lock(permission_id)
        if permission.status not in CLOSED:
            raise WrongPermissionState(f"the permission is {permission.status}: revoke it first")
        if _has_unfinished(permission):
            raise RefundUnderWay("an earlier refund of this permission is still under way")
        address = permission.refunds_to
        fee = fee_of(permission, address=address)
        if wallets.is_own(address) or permission.remaining_zat <= fee:
            raise Conflict("what is left does not pay for its fee, or would go to the service itself")
        refund = _queue(permission, address=address, fee=fee, now=now, actor=word.actor, reason=word.reason)
        operators.note(word, Verb.REFUND, permission=permission, refund=refund, now=now)
    return refund


def _queue(
    permission: SpendingPermission, *, address: str, fee: int, now: datetime, actor: str, reason: str = ""
) -> Refund:
    refund = _insert(permission, address=address, fee=fee, now=now)
    details = {"refund_id": str(refund.public_id), "fee_zat": fee, "address": address}
    if reason:
        details["reason"] = reason
    money.set_aside(permission, amount_zat=refund.amount_zat, now=now, actor=actor, details=details)
    ledger.refund_queued(refund, now=now)
    sends.announce(refund, now=now)
    return refund


def cancel_waiting(permission: SpendingPermission, *, now: datetime) -> None:
    """Put what waits in refunds of a locked permission back, before a reversal takes from it; a step."""
    db.require_transaction()
    waiting = Refund.objects.filter(permission=permission, status__in=WAITING_REFUND)
    for refund in waiting.select_for_update(no_key=True).order_by("id"):
        sends.carry(refund, to=RefundStatus.CANCELLED, now=now, reason="its payment has left the chain")
        details = {"refund_id": str(refund.public_id)}
        money.put_back(permission, amount_zat=refund.amount_zat, now=now, actor=audit.CHAIN, details=details)


def queue_due(*, now: datetime) -> int:
    """Queue the refund of every permission that ended with money left; return how many were queued."""

    def queue(permission_id: int) -> bool:
        with db.operation():
            permission = queries.lock(permission_id)
            return queue_left_over(permission, now=now, actor=audit.ENGINE) is not None

    # All ids at once: a cursor of the server would have to outlive the transactions in between.
    due = SpendingPermission.objects.filter(refund_due=True).order_by("id").values_list("pk", flat=True)
    return sweeps.each(due, queue, what="refund")


def requeue_failed(*, now: datetime) -> int:
    """Queue failed refunds again whose time for another try has come; return how many."""
    failed = Refund.objects.filter(status=RefundStatus.FAILED, not_before__lte=now)
    failed = failed.exclude(_may_be_paid_yet(tip=queries.tip_height()))
    requeued = 0
    for refund_id in failed.order_by("id").values_list("pk", flat=True)[:_PAGE]:
        requeued += retry(refund_id, now=now)
    return requeued


def retry(refund_id: int, *, now: datetime, word: Word | None = None) -> bool:
    """Queue a failed refund again; False: it has not failed, or another of its permission is under way.

    Where a reorg took its payment while it was under way, its money covers that loss first. On an operator's
    word it does not wait for its next try.
    """
    try:
        with db.operation():
            permission = queries.lock(
                Refund.objects.values_list("permission_id", flat=True).get(pk=refund_id)
            )
            refund = Refund.objects.select_for_update(no_key=True).get(pk=refund_id)
            if refund.status != RefundStatus.FAILED:
                return False
            if permission.shortfall_zat:
                cancel_waiting(permission, now=now)
                covered_zat = money.cover_shortfall(permission, now=now)
                ledger.loss_covered(permission, covered_zat=covered_zat, now=now)
                return False
            if word:
                refund.not_before = max(now, permission.refund_not_before or now)
                operators.note(word, Verb.RETRY, permission=permission, refund=refund, now=now)
            sends.carry(refund, to=RefundStatus.QUEUED, now=now, reason=refund.reason)
    except IntegrityError as error:
        if db.constraint(error) == "billing_refund_one_unfinished":
            return False
        raise
    return True


def send_next(*, wallet: WalletPort, read_clock: Callable[[], datetime]) -> WalletSend | None:
    """Send the refunds whose turn it is, at most 40 in one transaction; None where there is nothing to do.

    The caller holds the lock on sending. The wallet's other payments are checked first, and from time to time
    without a refund: a restored database is to be noticed before its next one.

    Raises:
        SendsHalted: the account has paid what the database does not know.
        NodeUnavailable: the node is away; nothing was sent.
    """
    now = read_clock()
    status = outgoing.clear_to_send(wallet, waiting=_ready(now=now).exists(), now=now)
    if status is None:
        return None
    moved = _whose_payment_moved(wallet, now=now)
    send = _journal_batch(tip_height=status.height, moved=moved, now=read_clock())
    if send is not None:
        sends.hand_in(send, wallet=wallet, read_clock=read_clock)
    return send


def waiting_too_long(*, now: datetime) -> int:
    """Return how many refunds have been due for an hour, or have failed again and again."""
    due = Q(status=RefundStatus.QUEUED, not_before__lte=now - timedelta(hours=1))
    failing = Q(status__in=WAITING_REFUND, attempts__gte=_MANY_ATTEMPTS)
    return Refund.objects.filter(due | failing).count()


def set_address(
    *,
    client_id: int,
    public_id: UUID,
    address: str,
    now: datetime,
    actor: str,
    only_unpaid: bool = False,
) -> SpendingPermission:
    """Let the refund of a client's permission go to another canonical address.

    Where money has been seen already it is held back for a day (`REFUND_ADDRESS_DELAY_HOURS`): who has stolen
    a key must not empty permissions before anybody notices. The same address again changes nothing.
    `only_unpaid`: who asks may not speak for money that is there.

    Raises:
        PermissionNotFound: not this client's.
        WrongPermissionState: a payment has been seen, or is not waited for, and `only_unpaid` is asked for.
        RefundUnderWay: the wallet has been asked to pay it.
        Invalid: the fee of paying to this kind of address is more than the refund.
    """
    with db.operation():
        permission = queries.lock(queries.of_client(client_id=client_id, public_id=public_id).pk)
        _direct(permission, address=address, now=now, actor=actor, only_unpaid=only_unpaid)
    return permission


def set_address_once(
    receipt: Receipt | None,
    *,
    client_id: int,
    public_id: UUID,
    address: str,
    now: datetime,
    actor: str,
    show: Callable[[SpendingPermission], dict[str, Any]],
) -> dict[str, Any]:
    """Do what `set_address` does, once for a receipt, and return what `show` says of it, at a repetition too.

    Raises:
        As `set_address`; KeyInFlight, KeyReused: see core.idempotency.
    """
    with db.operation():
        if receipt and (earlier := idempotency.claim(receipt, now=now)):
            return earlier
        permission = queries.lock(queries.of_client(client_id=client_id, public_id=public_id).pk)
        _direct(permission, address=address, now=now, actor=actor)
        answer = show(permission)
        if receipt:
            idempotency.store(receipt, answer, now=now)
    return answer


def _direct(
    permission: SpendingPermission, *, address: str, now: datetime, actor: str, only_unpaid: bool = False
) -> None:
    is_paid = Deposit.objects.filter(permission=permission).exists()
    if only_unpaid and (is_paid or permission.status != PermissionStatus.PENDING):
        raise WrongPermissionState("a payment was seen: this page cannot change the address any more")
    refunds = _lock_unpaid(permission)
    if address == permission.refunds_to:
        return
    if any(each.status in UNDER_WAY_REFUND for each in refunds):
        raise RefundUnderWay
    not_before = None
    if is_paid:
        not_before = now + timedelta(hours=settings.REFUND_ADDRESS_DELAY_HOURS)
    permissions.set_refund_address(permission, address=address, not_before=not_before, now=now, actor=actor)
    for refund in refunds:
        _redirect(refund, permission=permission, address=address, not_before=not_before or now)


def latest_of(permission: SpendingPermission) -> Refund | None:
    """Return the refund of a permission that was queued last."""
    return Refund.objects.filter(permission=permission).select_related("send").order_by("-id").first()


def fee_of(permission: SpendingPermission, *, address: str) -> int:
    """Return the conventional fee (ZIP-317), in zatoshis, of refunding a permission to an address."""
    return fee_zat(parsed(address), source=parsed(permission.payment_address))


def minimum_zat() -> int:
    """Return the least that is worth a transaction, after its fee, in zatoshis."""
    return parse_zec(settings.REFUND_MINIMUM)


def _has_unfinished(permission: SpendingPermission) -> bool:
    return Refund.objects.filter(permission=permission, status__in=UNFINISHED_REFUND).exists()


def _insert(permission: SpendingPermission, *, address: str, fee: int, now: datetime) -> Refund:
    number = Refund.objects.filter(permission=permission).count() + 1
    not_before = max(now, permission.refund_not_before or now)
    return Refund.objects.create(
        # The same in a database that was restored and queues it again: the chain may have paid it already.
        public_id=uuid5(permission.public_id, f"refund {number}"),
        permission=permission,
        cause=RefundCause(permission.status),
        address=address,
        amount_zat=permission.remaining_zat,
        fee_zat=fee,
        memo=_receipt(permission, paid_zat=permission.remaining_zat - fee),
        created_at=now,
        not_before=not_before,
    )


def _receipt(permission: SpendingPermission, *, paid_zat: int) -> str:
    """Return what the viewer reads in the memo, far below the 512 bytes of ZIP-302."""
    streamed = Transaction.objects.filter(permission=permission, ended_at__isnull=False)
    stretches = streamed.values_list("started_at", "ended_at")
    used_ms = sum(to_ms(end) - to_ms(start) for start, end in stretches if end is not None)
    return (
        f"PayGo refund\npermission {permission.public_id}\nstreamed {used_ms // 1000} s\n"
        f"rate {zec_text(permission.rate_zat_per_hour)} ZEC/h\nrefund {zec_text(paid_zat)} ZEC"
    )


def _lock_unpaid(permission: SpendingPermission) -> list[Refund]:
    """Lock the refunds of a locked permission that are not final; several can have failed."""
    unpaid = Refund.objects.filter(permission=permission, status__in=(*WAITING_REFUND, *UNDER_WAY_REFUND))
    return list(unpaid.select_for_update(no_key=True).order_by("id"))


def _redirect(refund: Refund, *, permission: SpendingPermission, address: str, not_before: datetime) -> None:
    fee = fee_of(permission, address=address)
    if refund.amount_zat <= fee:
        raise Invalid("paying to this kind of address costs more than the refund", field="refund_address")
    refund.address = address
    refund.fee_zat = fee
    refund.memo = _receipt(permission, paid_zat=refund.amount_zat - fee)
    refund.not_before = max(refund.not_before, not_before)
    # What the old address could not take says nothing of the new one.
    refund.attempts = 0
    refund.reason = ""
    refund.save(update_fields=["address", "fee_zat", "memo", "not_before", "attempts", "reason"])


def _ready(*, now: datetime) -> QuerySet[Refund]:
    """The refunds whose turn it is: what was paid in for them lies deep enough not to be taken back."""
    tip = queries.tip_height()
    credited = Deposit.objects.filter(permission=OuterRef("permission"), status=DepositStatus.CONFIRMED)
    shallow = credited.filter(
        Q(lost_at__isnull=False) | Q(height__gt=tip + 1 - settings.REFUND_CONFIRMATIONS)
    )
    # Where a reorg took what a refund was queued from, it waits until the money has come back.
    queued = Refund.objects.filter(
        status=RefundStatus.QUEUED, not_before__lte=now, permission__shortfall_zat=0
    )
    waiting = queued.exclude(Exists(shallow)).exclude(_may_be_paid_yet(tip=tip))
    return approvals.sendable(waiting).select_related("permission").order_by("id")


def _may_be_paid_yet(*, tip: int) -> Exists:
    """Whether a reorg could let a transaction be mined that was given up and paid the same permission."""
    of_permission = WalletSend.objects.filter(refunds__permission=OuterRef("permission"))
    return Exists(of_permission.filter(mineable_below__gt=tip))


def _whose_payment_moved(wallet: WalletPort, *, now: datetime) -> set[int]:
    """Return the permissions with a payment that is not in the block any more in which it was found.

    A reversal needs evidence that it is gone, a refund that it is there. The watcher may not have looked
    since a reorg, or the wallet may not know the transaction.
    """
    waiting = list(_ready(now=now).values_list("permission", flat=True)[:_PAGE])
    credited = Deposit.objects.filter(permission__in=waiting, status=DepositStatus.CONFIRMED)
    moved = set()
    for height, block_hash in credited.values_list("height", "block_hash").distinct():
        if height is None or wallet.block_hash(height) != block_hash:
            # However deep it was: the watcher looks at the last blocks alone, and it would wait for good.
            for deposit in credited.filter(height=height, block_hash=block_hash).order_by("pk"):
                reorgs.check(deposit, wallet=wallet, now=now)
                moved.add(deposit.permission_id)
    return moved


def _journal_batch(*, tip_height: int, moved: set[int], now: datetime) -> WalletSend | None:
    """Write down the next transaction and its refunds, locked, in one transaction."""
    with db.operation():
        waiting = list(_ready(now=now).select_for_update(no_key=True, of=("self",))[:_PAGE])
        paying = [refund for refund in waiting if refund.permission_id not in moved]
        batch = batches.together(paying, source=_source)
        if not batch:
            return None
        policy = batches.policy(batch[0], source=_source)
        send = sends.journal(
            [asked(refund) for refund in batch], policy=policy, tip_height=tip_height, now=now
        )
        for refund in batch:
            sends.carry(refund, to=RefundStatus.SENDING, now=now, send=send)
    return send


def _source(refund: Refund) -> str:
    return refund.permission.payment_address
