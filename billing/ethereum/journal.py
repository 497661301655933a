"""The journal of the service's key: what is sent is written, signed, with its nonce, before a node sees it.

So a process may die anywhere: what is in the journal is handed to a node again, under the same nonce and
the same hash, until the chain says what became of it. Nothing is ever sent under another nonce instead.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from billing.ethereum import nonces, statuses
from billing.ethereum.chains import Chain
from billing.ethereum.errors import ChainUnavailable
from billing.ethereum.fees import Fees
from billing.ethereum.keys import Key
from billing.ethereum.rpc import Rpc, SendRefused
from billing.ethereum.rules import ChainSendStatus, CollectionStatus
from billing.models_ethereum import Authorization, ChainSend, Collection
from core.db import operation

log = structlog.get_logger(__name__)


class Overtaken(Exception):
    """Somebody has changed meanwhile what was to be collected: nothing was written."""


@dataclass(frozen=True)
class Piece:
    """A stretch of an authorisation's running total that a transaction collects."""

    authorization_id: int
    from_units: int
    to_units: int


@dataclass(frozen=True)
class Draft:
    """A transaction to be: whom it calls, with what, for at most how much gas."""

    to: str
    data: bytes
    gas: int
    pieces: tuple[Piece, ...] = ()
    # The authorisation whose permit it hands in.
    permit_of: int | None = None


def write(chain: Chain, key: Key, draft: Draft, *, fees: Fees, chain_nonce: int, now: datetime) -> ChainSend:
    """Give a transaction the next nonce, sign it and write it with what it collects; no node is asked.

    Raises:
        Overtaken: what it collects is being collected, or was.
        ConfigurationUnfit: somebody else sends with this key, or the journal is older than the chain.
    """
    with operation():
        nonces.hold(chain, key)
        for piece in sorted(draft.pieces, key=lambda each: each.authorization_id):
            _require_due(piece)
        nonce = nonces.following(chain, key, chain_nonce=chain_nonce)
        raw, tx_hash = _signed(chain, key, draft, nonce=nonce, fees=fees)
        send = ChainSend.objects.create(
            chain_id=chain.chain_id,
            sender=key.address,
            nonce=nonce,
            to=draft.to,
            data=draft.data,
            gas=draft.gas,
            max_fee_wei=fees.max_fee_wei,
            priority_fee_wei=fees.priority_fee_wei,
            raw=raw,
            hashes=[tx_hash],
            created_at=now,
            tried_at=now,
        )
        for piece in draft.pieces:
            _collect(piece, send, now=now)
        if draft.permit_of is not None:
            _hand_in(draft.permit_of, send)
    return send


def replace(chain: Chain, key: Key, send: ChainSend, *, fees: Fees, now: datetime) -> ChainSend:
    """Sign a stuck transaction again, for more gas money and under its own nonce, and write that."""
    # Under another key's nonce it would be another transaction, and both could be mined.
    assert send.sender == key.address, "only its own key can replace a transaction"
    draft = Draft(to=send.to, data=bytes(send.data), gas=send.gas)
    raw, tx_hash = _signed(chain, key, draft, nonce=send.nonce, fees=fees)
    changed = ChainSend.objects.filter(pk=send.pk, status__in=[ChainSendStatus.SIGNED, ChainSendStatus.SENT])
    with operation():
        hashes = [*send.hashes, tx_hash] if tx_hash not in send.hashes else send.hashes
        changed.update(
            raw=raw,
            hashes=hashes,
            max_fee_wei=fees.max_fee_wei,
            priority_fee_wei=fees.priority_fee_wei,
            tried_at=now,
        )
    send.refresh_from_db()
    return send


def hand_over(rpc: Rpc, send: ChainSend, *, now: datetime) -> None:
    """Give a node what is in the journal; where none answers, the collections are unknown until one does."""
    try:
        rpc.broadcast(bytes(send.raw))
    except SendRefused as error:
        # Its nonce is mined: the receipt tells. No money for gas: an operator must know.
        log.warning("chain_send_refused", send=str(send.public_id), nonce=send.nonce, reason=str(error))
        _note(send, CollectionStatus.SUBMITTED, taken=False, silent=False, reason=str(error), now=now)
    except ChainUnavailable as error:
        _note(send, CollectionStatus.UNKNOWN, taken=False, silent=True, reason=error.detail, now=now)
        raise
    else:
        _note(send, CollectionStatus.SUBMITTED, taken=True, silent=False, reason="", now=now)
    send.refresh_from_db()


def _note(
    send: ChainSend,
    collections: CollectionStatus,
    *,
    taken: bool,
    silent: bool,
    reason: str,
    now: datetime,
) -> None:
    unmined = [ChainSendStatus.SIGNED, ChainSendStatus.SENT]
    with operation():
        changes: dict[str, object] = {"silent_since": now if silent else None, "reason": reason}
        if taken:
            changes["status"] = ChainSendStatus.SENT
            if send.status == ChainSendStatus.SIGNED:
                # It can only be stuck from when a node has it.
                changes["tried_at"] = now
        if ChainSend.objects.filter(pk=send.pk, status__in=unmined).update(**changes):
            statuses.move_collections(send, to=collections)


def _require_due(piece: Piece) -> None:
    """Refuse to collect what is not due any more, or not yet; the authorisation is locked from here on."""
    found = Authorization.objects.select_for_update(no_key=True).get(pk=piece.authorization_id)
    if found.collected_units != piece.from_units or found.charged_units < piece.to_units:
        raise Overtaken
    if found.collections.filter(status__in=statuses.UNFINISHED).exists():
        raise Overtaken


def _signed(chain: Chain, key: Key, draft: Draft, *, nonce: int, fees: Fees) -> tuple[bytes, str]:
    return key.sign(
        {
            "type": 2,
            "chainId": chain.chain_id,
            "nonce": nonce,
            "to": draft.to,
            "value": 0,
            "data": "0x" + draft.data.hex(),
            "gas": draft.gas,
            "maxFeePerGas": fees.max_fee_wei,
            "maxPriorityFeePerGas": fees.priority_fee_wei,
        }
    )


def _collect(piece: Piece, send: ChainSend, *, now: datetime) -> None:
    Collection.objects.create(
        authorization_id=piece.authorization_id,
        from_units=piece.from_units,
        to_units=piece.to_units,
        send=send,
        created_at=now,
    )


def _hand_in(authorization_id: int, send: ChainSend) -> None:
    waiting = Authorization.objects.filter(pk=authorization_id, permit_send=None)
    if not waiting.update(permit_send=send):
        raise Overtaken


def unfinished(chain: Chain) -> Sequence[ChainSend]:
    """Return what is followed on a chain, in the order of the nonces."""
    return list(
        ChainSend.objects.filter(chain_id=chain.chain_id, status__in=statuses.FOLLOWED).order_by("nonce")
    )
