"""Following what was sent until it is final: mined, deep enough, taken away by a reorg, stuck, or lost."""

from datetime import datetime, timedelta

import structlog
from django.conf import settings

from billing import covering, ledger
from billing.authorizations import change_status
from billing.ethereum import fees, journal, outcomes, running, statuses
from billing.ethereum.chains import Chain
from billing.ethereum.fees import Fees
from billing.ethereum.keys import Key
from billing.ethereum.outcomes import Outcome
from billing.ethereum.rpc import ChainReceipt, Rpc
from billing.ethereum.rules import AuthorizationStatus, ChainSendStatus, CollectionStatus
from billing.models_ethereum import ChainSend, Collection
from billing.rules import TransactionStatus
from core import outbox
from core.db import operation
from sessions_app.rules import EndReason

log = structlog.get_logger(__name__)


def follow(rpc: Rpc, chain: Chain, key: Key, *, now: datetime) -> int:
    """Ask the chain about everything that is not final; return how many sends became final.

    Raises:
        ChainUnavailable: the node went away; what was found out until then is written.
    """
    finished, tip = 0, rpc.latest_block().number
    for send in journal.unfinished(chain):
        receipt = _receipt(rpc, send)
        if receipt is None:
            _unmined(rpc, chain, key, send, now=now)
        elif tip - receipt.block_number + 1 >= chain.confirmations:
            _finish(send, receipt, now=now)
            finished += 1
        else:
            _mined(send, receipt)
    return finished


def _receipt(rpc: Rpc, send: ChainSend) -> ChainReceipt | None:
    """Return the receipt of whichever try was mined: they share a nonce, so one at most was.

    A node may still know the receipt of a block that a reorg has taken away: then it is in no block.
    """
    for tx_hash in reversed(send.hashes):
        found = rpc.receipt(tx_hash)
        if found is not None and rpc.block_hash(found.block_number) == found.block_hash:
            return found
    return None


def _unmined(rpc: Rpc, chain: Chain, key: Key, send: ChainSend, *, now: datetime) -> None:
    if send.status == ChainSendStatus.MINED:
        _give_back(send)
    if rpc.nonce(send.sender) > send.nonce:
        _nonce_used(rpc, chain, send, now=now)
        return
    stuck_since = now - timedelta(seconds=settings.ETHEREUM_REPLACE_SECONDS)
    if send.tried_at <= stuck_since and (more := _raised(rpc, chain, send)):
        send = journal.replace(chain, key, send, fees=more, now=now)
        log.info("chain_send_replaced", nonce=send.nonce, max_fee_wei=send.max_fee_wei)
    journal.hand_over(rpc, send, now=now)


def _raised(rpc: Rpc, chain: Chain, send: ChainSend) -> Fees | None:
    offered = Fees(send.max_fee_wei, send.priority_fee_wei)
    return fees.raised(offered, now=fees.current(rpc, chain), chain=chain)


def _nonce_used(rpc: Rpc, chain: Chain, send: ChainSend, *, now: datetime) -> None:
    """The nonce is mined and no try of ours was seen: the receipt may be late, or somebody else has used it.

    Only once the nonce is as deep as a confirmation is, and there is still no receipt, is it lost.
    """
    deep = rpc.latest_block().number - chain.confirmations + 1
    if deep < 0 or rpc.nonce_at(send.sender, block=deep) <= send.nonce:
        return
    if _receipt(rpc, send) is not None:
        return
    log.error("chain_send_lost", nonce=send.nonce, advice="somebody else sends with the service's key")
    with operation():
        for collection in _collections(send):
            covering.lock_current(collection.authorization_id, now=now)
            if statuses.finish(
                collection, to=CollectionStatus.FAILED, received_units=None, reason="nonce_lost", now=now
            ):
                statuses.note_transactions(collection, TransactionStatus.PENDING)
        ChainSend.objects.filter(pk=send.pk, status__in=statuses.FOLLOWED).update(
            status=ChainSendStatus.LOST, finished_at=now
        )


def _give_back(send: ChainSend) -> None:
    """A reorg took the block: the transaction waits again, under the same nonce."""
    log.warning("chain_send_reorged", nonce=send.nonce, block=send.block_number)
    with operation():
        given_back = ChainSend.objects.filter(pk=send.pk, status=ChainSendStatus.MINED)
        if given_back.update(
            status=ChainSendStatus.SENT, mined_hash=None, block_number=None, block_hash=None
        ):
            statuses.move_collections(send, to=CollectionStatus.PENDING)


def _mined(send: ChainSend, receipt: ChainReceipt) -> None:
    if send.status == ChainSendStatus.MINED and send.block_hash == receipt.block_hash:
        return
    with operation():
        _write_block(send, receipt, ChainSendStatus.MINED)
        statuses.move_collections(send, to=CollectionStatus.SUBMITTED)


def _finish(send: ChainSend, receipt: ChainReceipt, *, now: datetime) -> None:
    """Book what a transaction deep enough has done for each of its collections."""
    with operation():
        for collection in _collections(send):
            _book(collection, outcomes.of(collection, receipt), now=now)
        status = ChainSendStatus.CONFIRMED if receipt.succeeded else ChainSendStatus.REVERTED
        _write_block(send, receipt, status, finished_at=now)


def _book(collection: Collection, outcome: Outcome, *, now: datetime) -> None:
    authorization = covering.lock_current(collection.authorization_id, now=now)
    to = CollectionStatus.CONFIRMED if outcome.paid else CollectionStatus.FAILED
    received = outcome.received_units if outcome.paid else None
    if not statuses.finish(collection, to=to, received_units=received, reason=outcome.reason, now=now):
        return
    if outcome.paid:
        ledger.collected(collection, received_units=outcome.received_units, now=now)
        authorization.collected_units = collection.to_units
        authorization.save(update_fields=["collected_units"])
        statuses.confirm_paid([authorization])
        if authorization.status == AuthorizationStatus.SUSPENDED and not authorization.debt_units:
            running.lift(authorization, now=now)
    else:
        statuses.note_transactions(collection, TransactionStatus.FAILED)
    if not outcome.paid:
        suspend(collection, reason=outcome.reason, now=now)
    elif outcome.received_units < collection.amount_units:
        # The wallet has paid all of it; the treasury got less than that. No more of such a token.
        suspend(collection, reason="token_keeps_fee", now=now)
    _tell(collection, to, outcome, now=now)


def suspend(collection: Collection, *, reason: str, now: datetime) -> None:
    """Suspend the authorisation of a failed collection: its sessions end `exhausted`, its debt is kept."""
    authorization = covering.lock_current(collection.authorization_id, now=now)
    if authorization.status != AuthorizationStatus.ACTIVE:
        return
    at = running.stop_all(authorization, now=now, reason=EndReason.EXHAUSTED)
    to = AuthorizationStatus.SUSPENDED
    change_status(authorization, to=to, effective_at=at, booked_at=now)
    authorization.suspended_for = reason
    authorization.save(update_fields=["suspended_for"])


def _tell(collection: Collection, to: CollectionStatus, outcome: Outcome, *, now: datetime) -> None:
    authorization = collection.authorization
    outbox.emit(
        f"collection.{to}",
        client_id=authorization.client_id,
        subject=authorization.public_id,
        payload={
            "authorization_id": str(authorization.public_id),
            "collection_id": str(collection.public_id),
            "asset": authorization.asset,
            "amount": str(collection.amount_units),
            "reason": outcome.reason,
        },
        now=now,
    )


def _collections(send: ChainSend) -> list[Collection]:
    """Return the unfinished collections of a send in the order of the locks."""
    found = Collection.objects.filter(send=send, status__in=statuses.UNFINISHED)
    return list(found.select_related("authorization").order_by("authorization_id"))


def _write_block(
    send: ChainSend, receipt: ChainReceipt, status: ChainSendStatus, *, finished_at: datetime | None = None
) -> None:
    ChainSend.objects.filter(pk=send.pk, status__in=statuses.FOLLOWED).update(
        status=status,
        mined_hash=receipt.tx_hash,
        block_number=receipt.block_number,
        block_hash=receipt.block_hash,
        silent_since=None,
        finished_at=finished_at,
    )
