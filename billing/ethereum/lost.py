"""Transactions of ours whose nonce is mined while no try of theirs has a receipt.

The receipt may be late, the journal may have forgotten a try (a database was restored), or somebody else
sends with the key. The contract takes no total twice, whatever is thought; without it a second transfer is a
second payment, so that there only the very transaction that has the nonce proves a collection lost.
"""

from datetime import datetime

import structlog
from django.db.models import Q

from billing import covering, operators
from billing.ethereum import outcomes, statuses
from billing.ethereum.chains import Chain
from billing.ethereum.errors import ChainUnavailable, ConfigurationUnfit
from billing.ethereum.keys import Key
from billing.ethereum.rpc import ChainTransaction, Rpc
from billing.ethereum.rules import ChainSendStatus, CollectionStatus
from billing.models_ethereum import Authorization, ChainSend, Collection
from billing.operator_rules import Verb
from billing.operators import Word
from billing.rules import TransactionStatus
from core.db import operation

# The reason of a send whose nonce has gone to what may be a forgotten payment: an operator says which.
NONCE_TAKEN = "nonce_taken"
_ADVICE = "look what has paid it, and say so with `manage.py resolvesend` (docs/operators/ethereum.md)"

log = structlog.get_logger(__name__)


def look(rpc: Rpc, chain: Chain, send: ChainSend, *, now: datetime) -> None:
    """Find out what has a send's nonce, once that is as deep as a confirmation is."""
    deep = rpc.latest_block().number - chain.confirmations + 1
    if deep < 0 or rpc.nonce_at(send.sender, block=deep) <= send.nonce:
        return
    holder = _holder(rpc, send, deep=deep)
    if holder is not None and holder.tx_hash in send.hashes:
        log.warning("chain_receipt_late", nonce=send.nonce, tx_hash=holder.tx_hash)
    elif holder is not None and _is_same_call(holder, send):
        _remember(send, holder.tx_hash)
    elif _is_plain(send) and (holder is None or _may_be_ours(chain, holder)):
        _leave_to_operator(send)
    else:
        lose(send, reason="nonce_lost", now=now)


def require_none(chain: Chain, key: Key) -> None:
    """Refuse to send while an operator has to say what became of an earlier transaction of the key.

    Raises:
        ConfigurationUnfit: which.
    """
    taken = ChainSend.objects.filter(
        chain_id=chain.chain_id, sender=key.address, status__in=statuses.FOLLOWED, reason=NONCE_TAKEN
    )
    if nonces := list(taken.order_by("nonce").values_list("nonce", flat=True)):
        raise ConfigurationUnfit(
            f"{chain.name}: what the key {key.address} was to send under nonce "
            f"{', '.join(map(str, nonces))} is not what the chain has there: {_ADVICE}"
        )


def lose(send: ChainSend, *, reason: str, now: datetime, word: Word | None = None) -> None:
    """Give up a transaction that can never be mined: what it was to collect is owed as before."""
    log.error("chain_send_lost", nonce=send.nonce, reason=reason)
    with operation():
        _free(send, now=now)
        ChainSend.objects.filter(pk=send.pk, status__in=statuses.FOLLOWED).update(
            status=ChainSendStatus.LOST, finished_at=now, reason=reason[:500]
        )
        if word:
            _note(word, send, paid_by=None, now=now)


def let_go(send: ChainSend, *, now: datetime) -> None:
    """Give back what an earlier key's transaction was to do, which waits and can be made no dearer.

    It is followed on, and may still be mined: the contract takes no total twice, and a permit is good once.
    In plain mode it would be a second payment: that waits for its key, which `of_old_keys` tells an operator.
    """
    if _is_plain(send):
        return
    with operation():
        if _free(send, now=now):
            log.warning("chain_send_let_go", nonce=send.nonce, sender=send.sender)


def of_old_keys(chain: Chain, key: Key) -> list[str]:
    """Return what is wrong with plain collections of earlier keys, which nobody else can make dearer."""
    waiting = ChainSend.objects.filter(
        chain_id=chain.chain_id,
        status__in=[ChainSendStatus.SIGNED, ChainSendStatus.SENT],
        collections__status__in=statuses.UNFINISHED,
        collections__authorization__collector=None,
    ).exclude(sender=key.address)
    return [
        f"{chain.name}: nonce {each.nonce} of the earlier key {each.sender} is in no block: go back to that "
        f"key until it is; where another transaction has it, {_ADVICE}"
        for each in waiting.order_by("sender", "nonce")
    ]


def collections(send: ChainSend) -> list[Collection]:
    """Return the unfinished collections of a send in the order of the locks."""
    found = Collection.objects.filter(send=send, status__in=statuses.UNFINISHED)
    return list(found.select_related("authorization").order_by("authorization_id"))


def would_pay(rpc: Rpc, chain: Chain, send: ChainSend, tx_hash: str) -> int:
    """Return what another transaction has paid of what a send was to collect.

    Raises:
        ConfigurationUnfit: it is no final transaction that has paid the treasury from the wallet, or it is in
            the journal already.
    """
    receipt = rpc.receipt(tx_hash)
    tip = rpc.latest_block().number
    if receipt is None or not receipt.succeeded or tip - receipt.block_number + 1 < chain.confirmations:
        raise ConfigurationUnfit(f"{tx_hash} is no final, successful transaction of {chain.name}")
    if ChainSend.objects.filter(chain_id=chain.chain_id, hashes__contains=[tx_hash]).exists():
        raise ConfigurationUnfit(f"{tx_hash} is in the journal already")
    (collection,) = collections(send)
    paid = min(outcomes.received_units(collection, receipt), collection.amount_units)
    if paid == 0:
        raise ConfigurationUnfit(f"{tx_hash} has paid nothing from the wallet to the treasury")
    return paid


def paid_by(rpc: Rpc, chain: Chain, send: ChainSend, tx_hash: str, *, word: Word, now: datetime) -> int:
    """Let another transaction, which an operator names, count as the one of a send; return what it has paid.

    Its receipt is followed from now on as any. Where it has paid less than the send was to collect, the rest
    is owed as before.

    Raises:
        ConfigurationUnfit: see `would_pay`.
    """
    paid = would_pay(rpc, chain, send, tx_hash)
    (collection,) = collections(send)
    with operation():
        statuses.note_transactions(collection, TransactionStatus.PENDING)
        Collection.objects.filter(pk=collection.pk, status__in=statuses.UNFINISHED).update(
            to_units=collection.from_units + paid
        )
        _remember(send, tx_hash, reason=word.reason)
        _note(word, send, paid_by=tx_hash, now=now)
    return paid


def _note(word: Word, send: ChainSend, *, paid_by: str | None, now: datetime) -> None:
    details = {"chain_id": send.chain_id, "key": send.sender, "nonce": send.nonce, "paid_by": paid_by}
    operators.note(word, Verb.RESOLVE_SEND, now=now, details=details)


def _free(send: ChainSend, *, now: datetime) -> int:
    """Let what a transaction was to do be done by another; return how much that was; a step."""
    unfinished = collections(send)
    for collection in unfinished:
        covering.lock_current(collection.authorization_id, now=now)
        if statuses.finish(
            collection, to=CollectionStatus.FAILED, received_units=None, reason="nonce_lost", now=now
        ):
            statuses.note_transactions(collection, TransactionStatus.PENDING)
    # A permit is handed in anew.
    return len(unfinished) + Authorization.objects.filter(permit_send=send).update(permit_send=None)


def _holder(rpc: Rpc, send: ChainSend, *, deep: int) -> ChainTransaction | None:
    """Return the transaction that has a send's nonce; None where the node does not tell.

    The first block that counts it is found by halves; a node that keeps no such old states does not answer.
    """
    low, high, step = deep - 1, deep, 1
    try:
        while low >= 0 and rpc.nonce_at(send.sender, block=low) > send.nonce:
            low, high, step = low - step, low, 2 * step
        low = max(low, -1)
        while high - low > 1:
            middle = (low + high) // 2
            if rpc.nonce_at(send.sender, block=middle) > send.nonce:
                high = middle
            else:
                low = middle
        return rpc.transaction_of(send.sender, send.nonce, block=high)
    except ChainUnavailable as error:
        log.warning("chain_history_missing", nonce=send.nonce, reason=error.detail)
        return None


def _is_same_call(holder: ChainTransaction, send: ChainSend) -> bool:
    return holder.to == send.to.lower() and holder.data == bytes(send.data)


def _is_plain(send: ChainSend) -> bool:
    return any(each.authorization.collector is None for each in collections(send))


def _may_be_ours(chain: Chain, holder: ChainTransaction) -> bool:
    """Whether a transaction may be one that the database has forgotten: it calls a token or the collector."""
    if holder.to is None:
        # It has made a contract.
        return False
    known = {each.address.lower() for each in chain.tokens} | {str(chain.collector).lower()}
    called = Q(token_address__iexact=holder.to) | Q(collector__iexact=holder.to)
    return holder.to in known or Authorization.objects.filter(called, chain_id=chain.chain_id).exists()


def _remember(send: ChainSend, tx_hash: str, *, reason: str = "") -> None:
    """Write a try that the journal has forgotten; its receipt is looked for from now on."""
    log.warning("chain_send_remembered", nonce=send.nonce, tx_hash=tx_hash)
    ChainSend.objects.filter(pk=send.pk, status__in=statuses.FOLLOWED).update(
        hashes=[*send.hashes, tx_hash], reason=reason[:500]
    )


def _leave_to_operator(send: ChainSend) -> None:
    log.error("chain_nonce_taken", chain=send.chain_id, nonce=send.nonce, advice=_ADVICE)
    with operation():
        if ChainSend.objects.filter(pk=send.pk, status__in=statuses.FOLLOWED).update(reason=NONCE_TAKEN):
            statuses.move_collections(send, to=CollectionStatus.UNKNOWN)
