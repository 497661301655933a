"""The guard before every send: the account has paid nothing that the database does not know.

A database restored from a backup has forgotten what was sent since. A transaction that pays just what
waiting refunds ask for is theirs; any other stops all sending until a person has explained it
(`manage.py reconcile`).
"""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

import structlog
from django.conf import settings
from django.db.models import F

from billing import foreign, sends
from billing.errors import SendsHalted
from billing.matching import asked, is_same
from billing.models import ForeignSend, Refund, SendGuard
from billing.payout_models import Payout
from billing.rules import RefundStatus
from core.db import operation
from zcash import watch
from zcash.models import WatchedChain
from zcash.node.port import NodeStatus, Payment, SentTransaction, WalletPort

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


def look(*, wallet: WalletPort, now: datetime) -> bool:
    """Search the chain for what the account has paid; False where money is being sent, or nobody can tell.

    The caller holds the lock on sending; what is found is `halted`.

    Raises:
        NodeUnavailable: the node is away.
    """
    status = watch.ready_status(wallet)
    chain = watch.pin(status)
    if status.locked or sends.in_flight() or wallet.is_sending():
        return False
    with suppress(SendsHalted):
        check(wallet=wallet, status=status, chain=chain, now=now)
    return True


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


def _drop_what_is_known_now(*, now: datetime) -> None:
    """A refund that was queued, or found, later than its transaction was seen explains it."""
    known = sends.accounted_for(each.txid for each in foreign.unexplained())
    with operation():
        for each in ForeignSend.objects.select_for_update().filter(explanation="", txid__in=known):
            foreign.close(each, explanation="it pays refunds or payouts", now=now)


def _reason(*, complete: bool) -> str:
    if not complete:
        return "the wallet does not show all of what the account has paid"
    waiting = foreign.unexplained()
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


def _paid_by(payments: Sequence[Payment]) -> list[Refund | Payout] | None:
    """Return what waits and a transaction pays, one for each payment; None where one is over."""
    waiting = foreign.lock_waiting()
    found = []
    for payment in payments:
        refund = next((each for each in waiting if is_same(payment, asked(each))), None)
        if refund is None:
            return None
        waiting.remove(refund)
        found.append(refund)
    return found or None
