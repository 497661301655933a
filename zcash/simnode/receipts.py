"""What the wallet received and has not spent, seen from a block of the best chain."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from zcash.addresses import P2PKH, Receiver

from .blocks import Place
from .chain import Chain
from .node import Node
from .transactions import OutPoint, Output, Transaction


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

    @property
    def point(self) -> OutPoint:
        """How a transaction that spends it names it."""
        return OutPoint(self.txid, self.output_index)

    @property
    def pool_index(self) -> int:
        """Its number among the transaction's outputs of the same pool, by which wallets name it."""
        return self.transaction.pool_index(self.output_index)


def receipts(
    node: Node, receivers: Iterable[Receiver], *, minconf: int, as_of_height: int | None = None
) -> Iterator[Receipt]:
    """Yield what receivers got, spent or not, with `minconf` confirmations at a height (None: now).

    Expired, conflicted and unsent transactions are left out, and everything while the wallet is blank.
    """
    chain = node.chain
    for receiver in () if node.condition.blank else receivers:
        for txid, output_index in chain.outputs_to(receiver):
            confirmations = confirmations_of(chain, txid, as_of_height=as_of_height)
            if confirmations is not None and confirmations >= minconf:
                transaction = chain.transactions[txid]
                yield Receipt(txid, transaction, output_index, chain.place(txid), confirmations)


def unspent(
    node: Node, receivers: Iterable[Receiver], *, minconf: int, as_of_height: int | None = None
) -> Iterator[Receipt]:
    """Yield what receivers got and nothing mined, by that height, or waiting spends.

    What a transaction in the mempool spends is spent, as long as it has not expired.
    """
    for receipt in receipts(node, receivers, minconf=minconf, as_of_height=as_of_height):
        if not is_spent(node.chain, receipt.point, as_of_height=as_of_height):
            yield receipt


def is_spent(chain: Chain, point: OutPoint, *, as_of_height: int | None = None) -> bool:
    """Return whether a transaction that is mined by a height (None: now, or waits) spends an output."""
    spenders = chain.spenders(point)
    return any(confirmations_of(chain, txid, as_of_height=as_of_height) is not None for txid in spenders)


def spendable_notes(
    node: Node, account: int, *, typecodes: Collection[int], minconf: int, change_minconf: int | None = None
) -> list[Receipt]:
    """Return an account's unspent mined outputs of some kinds, the largest first.

    `change_minconf` is what the account's own change needs instead (ZIP-315 trusts it more). What a unified
    address's transparent receiver got is never spent along with its notes.
    """
    receivers = [each for each in node.wallet.receivers(account) if each.typecode in set(typecodes) - {P2PKH}]
    needed = minconf if change_minconf is None else change_minconf
    found = [
        each
        for each in unspent(node, receivers, minconf=max(1, min(minconf, needed)))
        if each.confirmations >= (needed if node.wallet.is_internal(each.output.receiver) else minconf)
    ]
    return sorted(found, key=lambda each: (-each.output.amount_zat, each.txid, each.output_index))


def confirmations_of(chain: Chain, txid: str, *, as_of_height: int | None = None) -> int | None:
    """Return a transaction's confirmations at a height, 0 in today's mempool, None where it is in neither."""
    place = chain.place(txid)
    if place is None:
        return 0 if as_of_height is None and chain.is_waiting(txid) else None
    height = chain.tip.height if as_of_height is None else min(as_of_height, chain.tip.height)
    return None if place.block.height > height else height - place.block.height + 1
