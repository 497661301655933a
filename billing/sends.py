"""Outgoing money: a journal row first, then one call to the wallet, then what came of it.

Nothing is ever sent twice for one row. Where the wallet gave no answer, or has forgotten its operation, the
row is `unknown` until the chain tells: a transaction that pays what the row asks for makes it `sent`; that
none does, once no such transaction could be mined any more (ZIP-203), makes it `failed`. A reorg deeper than
the margin could still let it be mined: its refunds wait until no reorg that credits are checked for could.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db.models import QuerySet

from billing import ledger
from billing.matching import payments_of, pays
from billing.models import ForeignSend, Refund, WalletSend
from billing.payout_models import Payout
from billing.rules import (
    FOLLOWED_SEND,
    IN_FLIGHT_SEND,
    REFUND_TRANSITIONS,
    SEND_TRANSITIONS,
    RefundStatus,
    SendStatus,
)
from core import outbox
from core.amounts import zec_text
from core.db import operation, require_transaction
from zcash import watch
from zcash.node.port import (
    NodeNotReady,
    NodeRefused,
    NodeStatus,
    NodeUnavailable,
    Operation,
    OperationStatus,
    Outgoing,
    Payment,
    PrivacyPolicy,
    SentTransaction,
    WalletPort,
)
from zcash.rules import FINAL_DEPTH, LOOK_BACK

log = structlog.get_logger(__name__)

# Wallets let a transaction expire so many blocks behind the tip it was built on; then a margin for reorgs.
EXPIRY_BLOCKS = 40
MARGIN_BLOCKS = 10
# zcashd's and zallet's codes of an operation that failed before anything was broadcast (src/rpc/protocol.h).
# Not -4: by it fails, too, a transaction that is stored, not taken by the node at once, and sent out later.
_BEFORE_BROADCAST = frozenset({-3, -5, -6, -7, -8, -13, -18})
_RETRY_AFTER = timedelta(minutes=10)
_MAX_DOUBLINGS = 7


def in_flight() -> bool:
    """Return whether there is a send whose outcome is not known: another has to wait.

    Whatever the account is called now: a wallet has a number and a UUID for the same one.
    """
    return WalletSend.objects.filter(status__in=IN_FLIGHT_SEND).exists()


def last_paid_refunds() -> bool:
    """Return whether the last transaction paid refunds: the next one is the payouts' turn."""
    latest = WalletSend.objects.order_by("-id").first()
    return latest is not None and latest.refunds.exists()


def journal(
    payments: Sequence[Payment], *, policy: PrivacyPolicy, tip_height: int, now: datetime
) -> WalletSend:
    """Write down what the wallet is about to be asked for; a step."""
    require_transaction()
    return WalletSend.objects.create(
        account=settings.ZCASH_ACCOUNT,
        policy=policy,
        payments=[_as_json(each) for each in payments],
        intent_height=tip_height,
        busy_height=tip_height,
        created_at=now,
    )


def hand_in(send: WalletSend, *, wallet: WalletPort, read_clock: Callable[[], datetime]) -> None:
    """Ask the wallet to send a journaled row, once, and write down its answer.

    A refusal is definite; no answer leaves the row `unknown`. A process that stood still since it wrote the
    row down finds here that its connection, and with it the lock on sending, is gone, or the row given up.
    """
    if not WalletSend.objects.filter(pk=send.pk, status=SendStatus.SENDING, operation_id=None).exists():
        return
    try:
        operation_id = wallet.send(
            payments_of(send), source=settings.ZCASH_SERVICE_WALLET, policy=PrivacyPolicy(send.policy)
        )
    except (NodeRefused, NodeNotReady) as error:
        move(send, to=SendStatus.FAILED, now=read_clock(), reason=str(error))
    except NodeUnavailable as error:
        move(send, to=SendStatus.UNKNOWN, now=read_clock(), reason=str(error))
    else:
        with operation():
            WalletSend.objects.filter(pk=send.pk, operation_id=None).update(operation_id=operation_id)


def follow_all(*, wallet: WalletPort, now: datetime) -> int:
    """Bring every row that is not final to what wallet and chain say; return how many moved.

    The caller holds the lock on sending, so that no other process of this service is in `hand_in`.

    Raises:
        NodeUnavailable: the node is away; what was not reached stays as it is.
    """
    moved = 0
    for send in WalletSend.objects.filter(status__in=FOLLOWED_SEND).order_by("id"):
        before = send.status
        _FOLLOW[SendStatus(send.status)](send, wallet, now)
        moved += send.status != before
    return moved


def adopt(payments: Sequence[Payment], txid: str, *, tip_height: int, now: datetime) -> WalletSend:
    """Write a row for a transaction that is on the chain already; a step."""
    require_transaction()
    return WalletSend.objects.create(
        account=settings.ZCASH_ACCOUNT,
        status=SendStatus.SENT,
        policy="",
        payments=[_as_json(each) for each in payments],
        intent_height=tip_height,
        busy_height=tip_height,
        txids=[txid],
        reason="found on the chain",
        created_at=now,
    )


def accounted_for(txids: Iterable[str]) -> set[str]:
    """Return which of some transactions the journal, or a person, accounts for.

    One that was given up as expired is none of them: were it mined after all, it would have to be found.
    """
    asked = list(txids)
    paid = WalletSend.objects.exclude(status=SendStatus.FAILED).filter(txids__overlap=asked)
    explained = ForeignSend.objects.exclude(explanation="").filter(txid__in=asked)
    return {*_all_txids(paid), *explained.values_list("txid", flat=True)} & set(asked)


def _known_txids(*, since_height: int) -> list[str]:
    """Return the transactions known here that can have been mined above a height, in order."""
    built_after = since_height - EXPIRY_BLOCKS - MARGIN_BLOCKS
    paid = WalletSend.objects.exclude(status=SendStatus.FAILED).filter(busy_height__gt=built_after)
    foreign = ForeignSend.objects.filter(seen_height__gt=built_after).values_list("txid", flat=True)
    return sorted({*_all_txids(paid), *foreign})


def paid_since(height: int, *, wallet: WalletPort, not_below: int = 0) -> Outgoing:
    """Return what the account has paid since the tip was at a height, on whichever branch.

    A reorg can mine a transaction in a lower block than the tip that it was built on.

    Raises:
        NodeUnavailable: the node is away.
    """
    since_height = max(not_below, height - LOOK_BACK)
    return wallet.outgoing(since_height=since_height, known_txids=_known_txids(since_height=since_height))


def move(
    send: WalletSend,
    *,
    to: SendStatus,
    now: datetime,
    reason: str = "",
    txids: Sequence[str] = (),
    mineable_below: int | None = None,
) -> bool:
    """Move a row and what it pays to another state, in one transaction; False: somebody was faster."""
    before = [old for old, new in SEND_TRANSITIONS.items() if to in new]
    changes: dict[str, Any] = {"status": to, "reason": reason[:500], "mineable_below": mineable_below}
    if txids:
        changes["txids"] = list(txids)
    if not SEND_TRANSITIONS[to]:
        changes["finished_at"] = now
    with operation():
        if not WalletSend.objects.filter(pk=send.pk, status__in=before).update(**changes):
            return False
        paid = _lock_paid_by(send)
        for each in paid:
            if to is SendStatus.FAILED:
                _plan_retry(each, now=now, in_batch=len(paid) > 1)
            carry(each, to=RefundStatus(to), now=now, reason=reason)
    for field, value in changes.items():
        setattr(send, field, value)
    log.info("wallet_send", send=str(send.public_id), status=str(to), reason=reason, txids=send.txids)
    return True


def _lock_paid_by(send: WalletSend) -> list[Refund | Payout]:
    refunds = Refund.objects.filter(send=send).select_for_update(no_key=True).order_by("id")
    payouts = Payout.objects.filter(send=send).select_for_update(no_key=True).order_by("id")
    return [*refunds, *payouts]


def carry(
    refund: Refund | Payout,
    *,
    to: RefundStatus,
    now: datetime,
    reason: str = "",
    send: WalletSend | None = None,
) -> None:
    """Move a locked refund or payout to another state, with its transfers and its event; a step."""
    require_transaction()
    before = RefundStatus(refund.status)
    assert to in REFUND_TRANSITIONS[before], "the journal's states are the refund's"
    refund.status = to
    refund.reason = reason[:500]
    if send is not None:
        refund.send = send
    if to is RefundStatus.CONFIRMED:
        refund.finished_at = now
    refund.save(update_fields=["status", "reason", "send", "not_before", "attempts", "alone", "finished_at"])
    ledger.outgoing_moved(refund, before=before, now=now)
    announce(refund, now=now)


def _plan_retry(refund: Refund | Payout, *, now: datetime, in_batch: bool) -> None:
    """Say when a refund or payout that failed is tried again: later and later, each time by itself.

    In a batch it may have failed for another's sake: it goes alone at once, and that was no try of its own.
    """
    if in_batch:
        refund.alone = True
        refund.not_before = now
    else:
        refund.not_before = now + _RETRY_AFTER * 2 ** min(refund.attempts, _MAX_DOUBLINGS)
        refund.attempts += 1


def announce(refund: Refund | Payout, *, now: datetime) -> None:
    """Write the event of a refund's or payout's state; a step."""
    payload = {
        "status": refund.status,
        "amount": zec_text(refund.paid_zat),
        "fee": zec_text(refund.fee_zat),
        "txids": refund.send.txids if refund.send else [],
    }
    if isinstance(refund, Payout):
        noun, client_id, subject = "payout", refund.vendor.client_id, refund.public_id
        payload |= {"vendor_id": refund.vendor.slug, "payout_id": str(refund.public_id)}
    else:
        noun, client_id, subject = "refund", refund.permission.client_id, refund.permission.public_id
        payload |= {"permission_id": str(subject), "refund_id": str(refund.public_id)}
    outbox.emit(f"{noun}.{refund.status}", client_id=client_id, subject=subject, payload=payload, now=now)


def _follow_sending(send: WalletSend, wallet: WalletPort, now: datetime) -> None:
    if send.operation_id is None:
        # Its process died between the journal and the answer.
        move(send, to=SendStatus.UNKNOWN, now=now, reason="the wallet's answer was lost")
        return
    found = wallet.operation(send.operation_id)
    if found is None:
        move(send, to=SendStatus.UNKNOWN, now=now, reason="the wallet has forgotten the operation")
    elif found.status is OperationStatus.SUCCEEDED:
        _take_success(send, found, now=now)
    elif found.status is OperationStatus.FAILED:
        definite = found.error_code in _BEFORE_BROADCAST
        reason = f"{found.error} ({found.error_code})"
        move(send, to=SendStatus.FAILED if definite else SendStatus.UNKNOWN, now=now, reason=reason)


def _take_success(send: WalletSend, found: Operation, *, now: datetime) -> None:
    if found.broadcast and found.txids:
        move(send, to=SendStatus.SENT, now=now, txids=found.txids)
    else:
        move(send, to=SendStatus.UNKNOWN, now=now, reason="the wallet built it and did not send it out")


def _follow_unknown(send: WalletSend, wallet: WalletPort, now: datetime) -> None:
    status = watch.ready_status(wallet)
    watch.pin(status)
    if status.locked:
        return
    if wallet.is_sending():
        WalletSend.objects.filter(pk=send.pk).update(busy_height=status.height)
        return
    found = paid_since(send.intent_height, wallet=wallet)
    others = accounted_for(each.txid for each in found.transactions)
    for transaction in found.transactions:
        if transaction.txid in others or transaction.expired:
            continue
        if pays(transaction, payments_of(send)):
            move(send, to=SendStatus.SENT, now=now, txids=[transaction.txid], reason="found on the chain")
            return
    if found.complete and _is_past_expiry(send, status):
        _give_up(send, now=now, reason="no transaction paid it before its expiry height")


def _is_past_expiry(send: WalletSend, status: NodeStatus) -> bool:
    """Whether nothing that the wallet built for this row could be mined any more on this branch."""
    return status.height >= _expiry_height(send) + MARGIN_BLOCKS


def _expiry_height(send: WalletSend) -> int:
    """Return the last block that can hold what the wallet may have built for a row."""
    return max(send.intent_height, send.busy_height) + EXPIRY_BLOCKS


def _give_up(send: WalletSend, *, now: datetime, reason: str) -> None:
    mineable_below = _expiry_height(send) + FINAL_DEPTH
    move(send, to=SendStatus.FAILED, now=now, reason=reason, mineable_below=mineable_below)


def _follow_sent(send: WalletSend, wallet: WalletPort, now: datetime) -> None:
    status = watch.ready_status(wallet)
    watch.pin(status)
    places = [wallet.transaction(txid) for txid in send.txids]
    known = [place for place in places if place is not None]
    if status.locked or len(known) < len(places):
        # A wallet that does not know its own transaction is rescanning; that is no evidence.
        return
    if all(place.confirmations >= settings.REFUND_CONFIRMATIONS for place in known):
        move(send, to=SendStatus.CONFIRMED, now=now)
    elif any(place.expired for place in known) and _is_past_expiry(send, status):
        _give_up(send, now=now, reason="its transaction expired unmined")


_FOLLOW: dict[SendStatus, Callable[[WalletSend, WalletPort, datetime], None]] = {
    SendStatus.SENDING: _follow_sending,
    SendStatus.UNKNOWN: _follow_unknown,
    SendStatus.SENT: _follow_sent,
}


def _all_txids(found: QuerySet[WalletSend]) -> set[str]:
    return {txid for txids in found.values_list("txids", flat=True) for txid in txids}


def _as_json(payment: Payment) -> dict[str, Any]:
    memo = payment.memo.hex() if payment.memo is not None else None
    return {"address": payment.address, "amount_zat": payment.amount_zat, "memo": memo}


def describe(transaction: SentTransaction) -> list[dict[str, Any]]:
    """Return what a transaction paid, as the journal writes payments."""
    return [_as_json(each) for each in transaction.payments]
