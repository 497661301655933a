"""What the wallet received, seen from a block of the best chain."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from zcash.addresses import Receiver

from .chain import Chain, Output, Place, Transaction


@dataclass(frozen=True, slots=True)
class Receipt:
    """One output; `confirmations` is 0 and `place` None while it is unmined."""

    txid: str
    transaction: Transaction
    output_index: int
    place: Place | None
    confirmations: int

    @property
    def output(self) -> Output:
        """The output itself."""
        return self.transaction.outputs[self.output_index]


def receipts(
    chain: Chain, receivers: Iterable[Receiver], *, minconf: int, as_of_height: int | None
) -> Iterator[Receipt]:
    """Yield what the receivers got with at least `minconf` confirmations at a height (None: now)."""
    for receiver in receivers:
        for txid, output_index in chain.outputs_to(receiver):
            confirmations = confirmations_of(chain, txid, as_of_height=as_of_height)
            if confirmations is not None and confirmations >= minconf:
                transaction = chain.transactions[txid]
                yield Receipt(txid, transaction, output_index, chain.place(txid), confirmations)


def confirmations_of(chain: Chain, txid: str, *, as_of_height: int | None = None) -> int | None:
    """Return a transaction's confirmations at a height, 0 in today's mempool, None where it is unknown."""
    place = chain.place(txid)
    if place is None:
        return 0 if as_of_height is None and not chain.has_expired(txid) else None
    height = chain.tip.height if as_of_height is None else min(as_of_height, chain.tip.height)
    return None if place.block.height > height else height - place.block.height + 1
