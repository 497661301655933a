"""The journal's events: how each is written, and what it does to chain and wallet."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from zcash.addresses import Receiver

from .blocks import Block
from .chain import Chain
from .journal import Event
from .transactions import OutPoint, Output, Transaction
from .wallet import Wallet


def transaction(made: Transaction, *, sent: bool = True, reference: str | None = None) -> Event:
    """Return the event that a transaction was made, and sent to the mempool or not."""
    return {
        "event": "transaction",
        "number": made.number,
        "time": made.time,
        "expiry": made.expiry_height,
        "outputs": [
            [each.receiver.typecode, each.receiver.data.hex(), each.amount_zat, each.memo.hex(), each.address]
            for each in made.outputs
        ],
        "inputs": [[each.txid, each.index] for each in made.inputs],
        "account": made.account,
        "sent": sent,
        "reference": reference,
    }


def block(mined: Block) -> Event:
    """Return the event that a block was mined upon the tip."""
    return {"event": "block", "time": mined.time, "txids": mined.txids, "nonce": mined.nonce}


def reorg(blocks: Sequence[Block], *, drop: Iterable[str], reference: str | None = None) -> Event:
    """Return the event that empty blocks replaced all but one as many at the tip."""
    rows = [[each.time, each.nonce] for each in blocks]
    return {"event": "reorg", "blocks": rows, "drop": list(drop), "reference": reference}


def apply(event: Event, *, chain: Chain, wallet: Wallet) -> None:
    """Do what an event says."""
    kind = event["event"]
    if kind in _ON_WALLET:
        _ON_WALLET[kind](wallet, event)
    else:
        _ON_CHAIN[kind](chain, event)


def _account(wallet: Wallet, _event: Event) -> None:
    wallet.add_account()


def _address(wallet: Wallet, event: Event) -> None:
    wallet.add_address(event["account"], event["index"], typecodes=event["typecodes"])


def _transaction(chain: Chain, event: Event) -> None:
    outputs = tuple(_output(*fields) for fields in event["outputs"])
    number = event["number"]
    # Journals of the first release know no inputs: all of it was money from outside.
    inputs = tuple(OutPoint(*fields) for fields in event.get("inputs", [["", number]]))
    made = Transaction(number, event["time"], event["expiry"], outputs, inputs, event.get("account"))
    chain.add_transaction(made, sent=event.get("sent", True))
    _refer(chain, event, answer=chain.txid(made))


def _refer(chain: Chain, event: Event, *, answer: str) -> None:
    # Journals of older releases know no references.
    if reference := event.get("reference"):
        chain.references[reference] = answer


def _output(typecode: int, data: str, amount_zat: int, memo: str, address: str = "") -> Output:
    return Output(Receiver(typecode, bytes.fromhex(data)), amount_zat, bytes.fromhex(memo), address)


def _block(chain: Chain, event: Event) -> None:
    nonce: int = event.get("nonce", 0)
    mined = chain.block_upon(chain.tip, time=event["time"], txids=event["txids"], nonce=nonce)
    chain.add_block(mined)
    _refer(chain, event, answer=mined.hash)


def _reorg(chain: Chain, event: Event) -> None:
    rows: list[tuple[int, int]] = event["blocks"]
    previous = chain.blocks[-len(rows)]
    for time, nonce in rows:
        previous = chain.block_upon(previous, time=time, txids=(), nonce=nonce)
        chain.add_block(previous)
    for txid in event["drop"]:
        chain.drop(txid)
    _refer(chain, event, answer=previous.hash)


def _hold(chain: Chain, event: Event) -> None:
    chain.hold(event["txid"], held=event["held"])


def _drop(chain: Chain, event: Event) -> None:
    chain.drop(event["txid"])


def _invalidate(chain: Chain, event: Event) -> None:
    chain.invalidate(event["hash"])


def _reconsider(chain: Chain, event: Event) -> None:
    chain.reconsider(event["hash"])


_ON_WALLET: dict[str, Callable[[Wallet, Any], None]] = {"account": _account, "address": _address}
_ON_CHAIN: dict[str, Callable[[Chain, Any], None]] = {
    "transaction": _transaction,
    "block": _block,
    "reorg": _reorg,
    "hold": _hold,
    "drop": _drop,
    "invalidate": _invalidate,
    "reconsider": _reconsider,
}
