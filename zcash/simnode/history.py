"""An account's transactions: what it received and spent, and what became of each."""

from dataclasses import dataclass

from .blocks import Place
from .node import Node
from .transactions import OutPoint, Transaction


@dataclass(frozen=True, slots=True)
class AccountTransaction:
    """A transaction that pays an account or spends its money, in whatever state.

    `received` are the indices of the outputs to the account, change included; `spent` its own money that the
    transaction spends. `fee_zat` is known where the wallet made it. `confirmations` is 0 in the mempool and
    below 0 where the transaction is neither mined nor waiting: -n where a rival has n confirmations, else -1.
    """

    txid: str
    transaction: Transaction
    place: Place | None
    confirmations: int
    is_expired: bool
    fee_zat: int | None
    received: tuple[int, ...]
    spent: tuple[OutPoint, ...]
    delta_zat: int

    @property
    def is_own(self) -> bool:
        """Whether the wallet made it."""
        return self.transaction.account is not None


def account_transactions(node: Node, account: int) -> list[AccountTransaction]:
    """Return all transactions of an account in the order of the chain, unmined ones last."""
    found = [account_transaction(node, txid, account=account) for txid in node.chain.transactions]
    return sorted((each for each in found if each), key=_order)


def _order(each: AccountTransaction) -> tuple[bool, int, int, int]:
    number = each.transaction.number
    if each.place is None:
        return True, 0, 0, number
    return False, each.place.block.height, each.place.index, number


def account_transaction(node: Node, txid: str, *, account: int | None = None) -> AccountTransaction | None:
    """Return one transaction as an account (None: the whole wallet) sees it, None where it is not its own.

    A blank wallet knows no transaction.
    """
    chain, transaction = node.chain, node.chain.transactions.get(txid)
    if transaction is None or node.condition.blank:
        return None
    received = tuple(
        index
        for index, output in enumerate(transaction.outputs)
        if _is_ours(node.wallet.account_of(output.receiver), account)
    )
    spent = transaction.inputs if _is_ours(transaction.account, account) else ()
    if not received and not spent:
        return None
    delta_zat = sum(transaction.outputs[index].amount_zat for index in received)
    delta_zat -= sum(chain.output(point).amount_zat for point in spent)
    return AccountTransaction(
        txid,
        transaction,
        chain.place(txid),
        depth(node, txid),
        chain.has_expired(txid),
        chain.fee_zat(transaction),
        received,
        spent,
        delta_zat,
    )


def _is_ours(owner: int | None, account: int | None) -> bool:
    return owner is not None and account in (None, owner)


def depth(node: Node, txid: str) -> int:
    """Return a transaction's confirmations, negative ones as `AccountTransaction` has them."""
    chain = node.chain
    if place := chain.place(txid):
        return chain.tip.height - place.block.height + 1
    if chain.is_waiting(txid):
        return 0
    rivals = [place.block.height for rival in chain.rivals(txid) if (place := chain.place(rival))]
    return min((height - chain.tip.height - 1 for height in rivals), default=-1)
