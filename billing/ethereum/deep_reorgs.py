"""Reorgs deeper than a chain's `confirmations`: what was final is looked for again, and what differs told."""

import structlog

from billing.ethereum import following, outcomes
from billing.ethereum.chains import Chain
from billing.ethereum.errors import ConfigurationUnfit
from billing.ethereum.keys import Key
from billing.ethereum.rpc import ChainReceipt, Rpc
from billing.ethereum.rules import UNDONE_BY_REORG, CollectionStatus
from billing.models_ethereum import ChainSend, Collection
from core.db import operation

log = structlog.get_logger(__name__)


def look(rpc: Rpc, chain: Chain, key: Key) -> None:
    """Look whether the blocks of what was final are the chain's still, and else where it is now.

    Raises:
        ConfigurationUnfit: it is in no block, or in none that is deep enough: nothing can be sent after it.
        ChainUnavailable: the node is away.
    """
    undone = _undone(rpc, chain, key)
    if not undone:
        return
    tip, waiting = rpc.latest_block().number, list[int]()
    for send in undone:
        receipt = following.receipt_of(rpc, send)
        if receipt is None or tip - receipt.block_number + 1 < chain.confirmations:
            waiting.append(send.nonce)
        else:
            _found_again(rpc, send, receipt)
    if waiting:
        raise ConfigurationUnfit(
            f"{chain.name}: a reorg deeper than its {chain.confirmations} confirmations has undone what was "
            f"final, nonce {waiting[0]} to {waiting[-1]}: it waits for their blocks. Where they do not come, "
            "hand the journal's transactions to the node again (docs/operators/ethereum.md)"
        )


def _undone(rpc: Rpc, chain: Chain, key: Key) -> list[ChainSend]:
    """Return what was final in blocks that others have replaced; before one that stands all do."""
    final = ChainSend.objects.filter(
        chain_id=chain.chain_id, sender=key.address, finished_at__isnull=False, block_number__isnull=False
    ).order_by("nonce")
    undone, send = list[ChainSend](), final.last()
    while send is not None and _is_replaced(rpc, send):
        undone.append(send)
        send = final.filter(nonce__lt=send.nonce).last()
    return undone[::-1]


def _is_replaced(rpc: Rpc, send: ChainSend) -> bool:
    """Whether another block has the place; where there is none the node is behind."""
    assert send.block_number is not None, "what was final was in a block"
    return rpc.block_hash(send.block_number) not in (None, send.block_hash)


def _found_again(rpc: Rpc, send: ChainSend, receipt: ChainReceipt) -> None:
    """Write in which block a send is now. The books stay as they are; what is not true any more is told."""
    booked = list(send.collections.select_related("authorization").order_by("id"))
    lacking = [each for each in booked if _lacks(rpc, each, receipt)]
    with operation():
        Collection.objects.filter(pk__in=[each.pk for each in lacking]).update(reason=UNDONE_BY_REORG)
        ChainSend.objects.filter(pk=send.pk).update(
            mined_hash=receipt.tx_hash, block_number=receipt.block_number, block_hash=receipt.block_hash
        )
    log.error("chain_send_mined_anew", nonce=send.nonce, block=receipt.block_number, undone=len(lacking))
    for each in lacking:
        _tell("collection_undone", each, "the books say collected, and the treasury has not got it")
    for each in booked:
        if _pays_after_all(each, receipt):
            _tell(
                "collection_paid_after_all",
                each,
                "the books say failed, and the wallet has paid: pay it back",
            )


def _lacks(rpc: Rpc, collection: Collection, receipt: ChainReceipt) -> bool:
    """Whether a transaction brings the treasury less, where it is now, than is booked."""
    if collection.status != CollectionStatus.CONFIRMED:
        return False
    return following.outcome_of(rpc, collection, receipt).received_units < (collection.received_units or 0)


def _pays_after_all(collection: Collection, receipt: ChainReceipt) -> bool:
    """Whether a transfer that had failed has not; without the contract its debt may be taken twice then."""
    is_plain = collection.authorization.collector is None
    failed = collection.status == CollectionStatus.FAILED
    return is_plain and failed and outcomes.of(collection, receipt).paid


def _tell(event: str, collection: Collection, what: str) -> None:
    log.error(
        event,
        collection=str(collection.public_id),
        authorization=str(collection.authorization.public_id),
        units=collection.amount_units,
        advice=f"{what} (docs/operators/ethereum.md)",
    )
