"""The guard before every send: the account has paid nothing that the database does not know.

A database restored from a backup has forgotten what was sent since. A transaction that pays just what
waiting refunds ask for is theirs; any other stops all sending until a person has explained it
(`manage.py reconcile`).
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import structlog
from django.conf import settings
from django.db.models import F, Q

from billing import sends
from billing.errors import SendsHalted
from billing.matching import asked, is_same, is_same_recipient
from billing.models import ForeignSend, Refund, SendGuard
from billing.payout_models import Payout
from billing.rules import WAITING_REFUND, RefundStatus
from core.db import operation
from core.errors import Conflict
from sessions_app.models import Vendor
from zcash import watch
from zcash.models import SpendingPermission, WatchedChain
from zcash.node.port import NodeStatus, Payment, SentTransaction, WalletPort
from zcash.rules import CLOSED

log = structlog.get_logger(__name__)

# Blocks: two hours.
_LOOK_EVERY = 100


def check(*, wallet: WalletPort, status: NodeStatus, chain: WatchedChain, now: datetime) -> None:
    """Look at what the account has paid since the last look; let nothing unknown pass.

    Raises:
        SendsHalted: there is a transaction without an explanation, or money left by one that is not listed.
        NodeUnavailable: the node is away.
    """
    guard, _ = SendGuard.objects.get_or_create(pk=1, defaults={"checked_height": chain.pinned_height})
    found = sends.paid_since(guard.checked_height, wallet=wallet, not_below=chain.pinned_height)
    known = sends.accounted_for(each.txid for each in found.transactions)
    for transaction in found.transactions:
        if transaction.expired:
            _forget(transaction)
        elif transaction.txid not in known:
            _explain(transaction, status=status, now=now)
    _drop_what_is_known_now(now=now)
    halted = _reason(complete=found.complete)
    SendGuard.objects.filter(pk=1).update(
        halted=halted, checked_height=F("checked_height") if halted else status.height
    )
    if halted:
        log.error("sends_halted", reason=halted, advice="look at it with `manage.py reconcile`")
        raise SendsHalted(halted)


def clear_to_send(wallet: WalletPort, *, waiting: bool, now: datetime) -> NodeStatus | None:
    """Return the node's status where the next transaction may be handed in now, None where it has to wait.

    The caller holds the lock on sending. The account's other payments are checked first, and from time to
    time without anything `waiting`: a restored database is to be noticed before its next payment.

    Raises:
        SendsHalted: the account has paid what the database does not know.
        NodeUnavailable: the node is away.
    """
    if sends.in_flight() or not (waiting or is_due()):
        return None
    if not settings.ZCASH_SERVICE_WALLET:
        if waiting:
            log.error(
                "payments_wait", advice="set ZCASH_SERVICE_WALLET: refunds and payouts are paid from it"
            )
        return None
    status = watch.ready_status(wallet)
    chain = watch.pin(status)
    if status.locked or wallet.is_sending():
        return None
    check(wallet=wallet, status=status, chain=chain, now=now)
    return status


def is_due() -> bool:
    """Return whether the last look is so long ago that there should be one without a refund to send."""
    chain = WatchedChain.objects.filter(pk=1).first()
    if chain is None or chain.tip_height is None:
        return False
    checked = SendGuard.objects.filter(pk=1).values_list("checked_height", flat=True).first()
    return chain.tip_height - (chain.pinned_height if checked is None else checked) > _LOOK_EVERY


def halted() -> str:
    """Return why nothing is sent, empty where sending goes on."""
    return SendGuard.objects.filter(pk=1).values_list("halted", flat=True).first() or ""


def unexplained() -> list[ForeignSend]:
    """Return the transactions that stop all sending."""
    return list(ForeignSend.objects.filter(explanation="").order_by("id"))


def point_out(txid: str, *, wallet: WalletPort, tip_height: int, now: datetime) -> bool:
    """Let a transaction be looked at that the wallet does not list; False where the wallet does not know it.

    Of what gave no change only a person can tell. It may be what a refund of unknown outcome waits for.

    Raises:
        NodeUnavailable: the node is away.
    """
    if sends.accounted_for([txid]) or ForeignSend.objects.filter(txid=txid).exists():
        return True
    if wallet.transaction(txid) is None:
        return False
    with operation():
        ForeignSend.objects.get_or_create(
            txid=txid, defaults={"payments": [], "seen_height": tip_height, "first_seen_at": now}
        )
    return True


def claims(txid: str) -> list[str]:
    """Return whose money an unexplained transaction may have paid, a sentence each.

    An explanation would let it be paid again: a refund or payout that waits for the same recipient, a
    permission that a restored database still takes for alive, or for not refunded, and a vendor who is paid
    there: what he has earned may be what was paid, queued after the backup was made.
    """
    foreign = ForeignSend.objects.filter(txid=txid, explanation="").first()
    if foreign is None:
        return []
    paid = [payment["address"] for payment in foreign.payments]
    if not paid:
        return ["the wallet does not say whom it has paid"]
    found = [
        f"{_noun(each)} {each.public_id} waits for the same recipient"
        for each in _waiting()
        if any(is_same_recipient(address, each.address) for address in paid)
    ]
    target = Q(refund_address__in=paid) | Q(refund_address=None, wallet_address__in=paid)
    # What has ended and has something left is refunded by the next round.
    due = SpendingPermission.objects.filter(target).exclude(status__in=CLOSED, remaining_zat=0)
    found += [
        f"permission {each.public_id} is {each.status} and refunds there" for each in due.order_by("id")[:20]
    ]
    return found + [f"vendor {each.slug} of {each.client} is paid there" for each in _vendors_paid_at(paid)]


def settle(txid: str, *, refund_ids: Sequence[UUID], tip_height: int, now: datetime) -> None:
    """Book waiting refunds and payouts as paid by a transaction, on a person's word.

    Raises:
        Conflict: one of them does not wait.
    """
    with operation():
        refunds = [each for each in _lock_waiting() if each.public_id in set(refund_ids)]
        if len(refunds) != len(set(refund_ids)):
            raise Conflict("one of these refunds or payouts does not exist or does not wait")
        send = sends.adopt([asked(each) for each in refunds], txid, tip_height=tip_height, now=now)
        for refund in refunds:
            sends.carry(refund, to=RefundStatus.SENT, now=now, reason="booked by an operator", send=send)


def explain(txid: str, *, explanation: str, now: datetime) -> bool:
    """Write down a person's explanation of a transaction; False where there is none to explain."""
    waiting = ForeignSend.objects.filter(txid=txid, explanation="")
    with operation():
        return bool(waiting.update(explanation=explanation, explained_at=now))


def _drop_what_is_known_now(*, now: datetime) -> None:
    """A refund that was queued, or found, later than its transaction was seen explains it."""
    waiting = ForeignSend.objects.filter(explanation="")
    known = sends.accounted_for(waiting.values_list("txid", flat=True))
    with operation():
        waiting.filter(txid__in=known).update(explanation="it pays refunds or payouts", explained_at=now)


def _reason(*, complete: bool) -> str:
    if not complete:
        return "the wallet does not show all of what the account has paid"
    waiting = unexplained()
    if not waiting:
        return ""
    return f"the account has paid what this database does not know: {', '.join(w.txid for w in waiting[:3])}"


def _forget(transaction: SentTransaction) -> None:
    """What expired was never paid."""
    with operation():
        ForeignSend.objects.filter(txid=transaction.txid, explanation="").delete()


def _explain(transaction: SentTransaction, *, status: NodeStatus, now: datetime) -> None:
    with operation():
        refunds = _paid_by(transaction.payments)
        if refunds is not None:
            send = sends.adopt(transaction.payments, transaction.txid, tip_height=status.height, now=now)
            for refund in refunds:
                sends.carry(refund, to=RefundStatus.SENT, now=now, reason="found on the chain", send=send)
            log.warning("refund_found_on_chain", txid=transaction.txid, refunds=len(refunds))
            return
        payments = sends.describe(transaction)
        defaults = {"payments": payments, "seen_height": status.height, "first_seen_at": now}
        _, is_new = ForeignSend.objects.get_or_create(txid=transaction.txid, defaults=defaults)
        if not is_new:
            # One that was pointed out by its txid alone: only now is it known whom it paid.
            ForeignSend.objects.filter(txid=transaction.txid, payments=[]).update(payments=payments)


def _vendors_paid_at(paid: Sequence[str]) -> list[Vendor]:
    """Return the vendors who are paid where something was, or were once."""
    once = Payout.objects.exclude(status=RefundStatus.CANCELLED).values_list("vendor_id", "address")
    now = Vendor.objects.exclude(payout_address=None).values_list("id", "payout_address")
    where = {*once.distinct(), *now}
    found = {pk for pk, address in where if any(is_same_recipient(one, address or "") for one in paid)}
    return list(Vendor.objects.filter(pk__in=found).select_related("client").order_by("id"))


def _noun(row: Refund | Payout) -> str:
    return "payout" if isinstance(row, Payout) else "refund"


def _waiting() -> list[Refund | Payout]:
    refunds = Refund.objects.filter(status__in=WAITING_REFUND).order_by("id")
    return [*refunds, *Payout.objects.filter(status__in=WAITING_REFUND).order_by("id")]


def _lock_waiting() -> list[Refund | Payout]:
    refunds = Refund.objects.filter(status__in=WAITING_REFUND).select_for_update(no_key=True)
    payouts = Payout.objects.filter(status__in=WAITING_REFUND).select_for_update(no_key=True)
    return [*refunds.order_by("id"), *payouts.order_by("id")]


def _paid_by(payments: Sequence[Payment]) -> list[Refund | Payout] | None:
    """Return what waits and a transaction pays, one for each payment; None where one is over."""
    waiting = _lock_waiting()
    found = []
    for payment in payments:
        refund = next((each for each in waiting if is_same(payment, asked(each))), None)
        if refund is None:
            return None
        waiting.remove(refund)
        found.append(refund)
    return found or None
