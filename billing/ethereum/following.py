"""Following what was sent until it is final: mined, deep enough, taken away by a reorg, stuck, or lost."""

from dataclasses import replace
from datetime import datetime, timedelta

import structlog
from django.conf import settings

from billing import covering, ledger
from billing.ethereum import abi, debts, failing, fees, journal, lost, outcomes, running, statuses, typed_data
from billing.ethereum.chains import Chain
from billing.ethereum.errors import ChainUnavailable
from billing.ethereum.fees import Fees
from billing.ethereum.keys import Key
from billing.ethereum.outcomes import Outcome
from billing.ethereum.rpc import ChainReceipt, Rpc, is_for_its_fee
from billing.ethereum.rules import KEEPS_FEE, AuthorizationStatus, ChainSendStatus, CollectionStatus
from billing.models_ethereum import ChainSend, Collection
from billing.rules import TransactionStatus
from core.db import operation

log = structlog.get_logger(__name__)


def follow(rpc: Rpc, chain: Chain, key: Key, *, now: datetime) -> int:
    """Ask the chain about everything that is not final; return how many sends became final.

    Raises:
        ChainUnavailable: the node went away; what was found out until then is written.
    """
    finished, tip = 0, rpc.latest_block().number
    for send in journal.unfinished(chain):
        try:
            finished += _follow(rpc, chain, key, send, tip=tip, now=now)
        except ChainUnavailable:
            raise
        except Exception:  # what is wrong with one must not keep the others from being booked
            log.exception("chain_send_put_aside", chain=chain.name, nonce=send.nonce)
    return finished


def _follow(rpc: Rpc, chain: Chain, key: Key, send: ChainSend, *, tip: int, now: datetime) -> bool:
    """Ask the chain about one; whether it became final."""
    receipt = receipt_of(rpc, send)
    if receipt is None:
        _unmined(rpc, chain, key, send, now=now)
        return False
    if tip - receipt.block_number + 1 < chain.confirmations:
        _mined(send, receipt)
        return False
    _finish(rpc, send, receipt, now=now)
    return True


def receipt_of(rpc: Rpc, send: ChainSend) -> ChainReceipt | None:
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
    # What was once seen deep in the chain a node that lags does not undo.
    if send.reason == lost.NONCE_TAKEN or rpc.nonce(send.sender) > send.nonce:
        lost.look(rpc, chain, send, now=now)
        return
    journal.hand_over(rpc, send, now=now)
    if send.tried_at > now - timedelta(seconds=settings.ETHEREUM_REPLACE_SECONDS):
        return
    if send.sender != key.address:
        lost.let_go(send, now=now)
    elif _wants_gas_money(send) and (more := _raised(rpc, chain, send)):
        send = journal.replace(chain, key, send, fees=more, now=now)
        log.info("chain_send_replaced", nonce=send.nonce, max_fee_wei=send.max_fee_wei)
        journal.hand_over(rpc, send, now=now)


def _wants_gas_money(send: ChainSend) -> bool:
    """Whether more of it may help: what a node refuses for anything else it would refuse for any fee."""
    waits = send.status == ChainSendStatus.SENT and not send.reason
    return waits or is_for_its_fee(send.reason)


def _raised(rpc: Rpc, chain: Chain, send: ChainSend) -> Fees | None:
    offered = Fees(send.max_fee_wei, send.priority_fee_wei)
    return fees.raised(offered, now=fees.current(rpc, chain), chain=chain)


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


def _finish(rpc: Rpc, send: ChainSend, receipt: ChainReceipt, *, now: datetime) -> None:
    """Book what a transaction deep enough has done for each of its collections."""
    told = {each.pk: outcome_of(rpc, each, receipt) for each in lost.collections(send)}
    with operation():
        for collection in lost.collections(send):
            _book(collection, told[collection.pk], now=now)
        status = ChainSendStatus.CONFIRMED if receipt.succeeded else ChainSendStatus.REVERTED
        _write_block(send, receipt, status, finished_at=now)


def outcome_of(rpc: Rpc, collection: Collection, receipt: ChainReceipt) -> Outcome:
    """Return what a receipt says of a collection, with what an earlier call has taken of it already.

    The contract takes what is missing to a total: less than a database asks that has forgotten that call.
    """
    outcome, authorization = outcomes.of(collection, receipt), collection.authorization
    missing = collection.amount_units - outcome.received_units
    if not outcome.paid or not missing or authorization.collector is None:
        return outcome
    question = abi.call(abi.COLLECTED_IN_ALL, typed_data.digest(authorization.typed_data))
    try:
        answer = rpc.call(authorization.collector, question, block=receipt.block_number - 1)
    except ChainUnavailable as error:
        log.warning("chain_history_missing", collection=str(collection.public_id), reason=error.detail)
        return outcome
    earlier = max(0, int.from_bytes(answer) - collection.from_units)
    return replace(outcome, received_units=outcome.received_units + min(earlier, missing))


def _book(collection: Collection, outcome: Outcome, *, now: datetime) -> None:
    authorization = covering.lock_current(collection.authorization_id, now=now)
    if _is_undone_with_others(collection, outcome):
        if statuses.finish(
            collection, to=CollectionStatus.FAILED, received_units=None, reason=debts.TRY_ALONE, now=now
        ):
            statuses.note_transactions(collection, TransactionStatus.PENDING)
        return
    to = CollectionStatus.CONFIRMED if outcome.paid else CollectionStatus.FAILED
    received = outcome.received_units if outcome.paid else None
    if not statuses.finish(collection, to=to, received_units=received, reason=outcome.reason, now=now):
        return
    if not outcome.paid:
        failing.book(collection, reason=outcome.reason, now=now)
        return
    ledger.collected(collection, received_units=outcome.received_units, now=now)
    authorization.collected_units = collection.to_units
    authorization.save(update_fields=["collected_units"])
    statuses.confirm_paid([authorization])
    if authorization.status == AuthorizationStatus.SUSPENDED and not authorization.debt_units:
        running.lift(authorization, now=now)
    if outcome.received_units < collection.amount_units:
        # The wallet has paid all of it; the treasury got less than that. No more of such a token.
        failing.suspend(collection, reason=KEEPS_FEE, now=now)
    failing.tell(collection, CollectionStatus.CONFIRMED, reason=outcome.reason, now=now)


def _is_undone_with_others(collection: Collection, outcome: Outcome) -> bool:
    """Whether a collection failed for what its wallet need not be to blame for.

    The contract isolates a wallet that cannot pay: a call that is undone as a whole says nothing of any. Each
    is tried alone then; who is undone alone again is suspended.
    """
    authorization = collection.authorization
    if outcome.reason != outcomes.REVERTED or authorization.collector is None:
        return False
    return not debts.to_try_alone([authorization])


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
