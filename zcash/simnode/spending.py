"""Building the wallet's own transactions: which notes pay, the fee, and the change."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from zcash.addresses import P2PKH, Receiver

from .fees import conventional_fee_zat
from .node import Node
from .receipts import Receipt, is_spent, spendable_notes
from .transactions import OutPoint, Output, Transaction


class InsufficientFundsError(Exception):
    """The notes do not reach; both figures are zatoshis, the fee included in what is needed."""

    def __init__(self, *, have_zat: int, need_zat: int) -> None:
        super().__init__(f"{have_zat} of {need_zat} zatoshis")
        self.have_zat = have_zat
        self.need_zat = need_zat


class SpentMeanwhileError(Exception):
    """Another transaction spends a note that was chosen for this one."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """Who is paid what; `receiver` is the one of `address` that the wallet chose.

    A TEX recipient is paid out of transparent money alone (ZIP-320).
    """

    receiver: Receiver
    address: str
    amount_zat: int
    memo: bytes = b""
    is_tex: bool = False

    @property
    def output(self) -> Output:
        """The output that pays it."""
        return Output(self.receiver, self.amount_zat, self.memo, self.address)


@dataclass(frozen=True, slots=True)
class Source:
    """The notes that may pay: of one account, of these kinds, with so many confirmations."""

    account: int
    typecodes: Collection[int]
    minconf: int
    change_minconf: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """Transactions that pay all recipients, parents first, and what notes they spend."""

    transactions: tuple[Transaction, ...]
    notes: tuple[Receipt, ...]


def plan(node: Node, recipients: Sequence[Recipient], *, source: Source) -> Plan:
    """Return the transactions that pay recipients with the conventional fee (ZIP-317); nothing is changed.

    Recipients of the TEX kind take a second transaction, out of an address of the account that only the first
    one pays (ZIP-320).

    Raises:
        InsufficientFundsError: the notes do not reach.
    """
    outputs = [each.output for each in recipients if not each.is_tex]
    tex = [each.output for each in recipients if each.is_tex]
    if not tex:
        first, notes = _transaction(node, outputs, source=source)
        return Plan((first,), notes)
    fee_zat = conventional_fee_zat(inputs=[P2PKH], outputs=[each.receiver.typecode for each in tex])
    between = node.wallet.internal_receiver(source.account, P2PKH)
    outputs.append(Output(between, sum(each.amount_zat for each in tex) + fee_zat))
    first, notes = _transaction(node, outputs, source=source)
    money = OutPoint(node.chain.txid(first), len(outputs) - 1)
    second = node.chain.new_transaction(tuple(tex), now=node.now(), inputs=(money,), account=source.account)
    return Plan((first, second), notes)


def carry_out(node: Node, made: Plan, *, sent: bool) -> list[str]:
    """Add a plan's transactions to the mempool, or to the wallet alone where not sent; return their txids.

    Raises:
        SpentMeanwhileError: a note is not there any more.
    """
    for note in made.notes:
        if not node.chain.is_alive(note.txid) or is_spent(node.chain, note.point):
            raise SpentMeanwhileError
    return node.add(made.transactions, sent=sent)


def _transaction(
    node: Node, outputs: list[Output], *, source: Source
) -> tuple[Transaction, tuple[Receipt, ...]]:
    candidates = spendable_notes(
        node,
        source.account,
        typecodes=source.typecodes,
        minconf=source.minconf,
        change_minconf=source.change_minconf,
    )
    notes, change = _selected(node, candidates, outputs=outputs, account=source.account)
    made = node.chain.new_transaction(
        (*outputs, *change),
        now=node.now(),
        inputs=tuple(note.point for note in notes),
        account=source.account,
    )
    return made, tuple(notes)


def _selected(
    node: Node, candidates: list[Receipt], *, outputs: list[Output], account: int
) -> tuple[list[Receipt], list[Output]]:
    """Return the fewest of the largest notes that reach, and the change."""
    amount_zat, have_zat, need_zat = sum(each.amount_zat for each in outputs), 0, 0
    paid = [each.receiver.typecode for each in outputs]
    need_zat = amount_zat + conventional_fee_zat(inputs=[], outputs=paid)
    for count, note in enumerate(candidates, start=1):
        have_zat += note.output.amount_zat
        spent = [each.output.receiver.typecode for each in candidates[:count]]
        need_zat = amount_zat + conventional_fee_zat(inputs=spent, outputs=paid)
        if have_zat == need_zat:
            return candidates[:count], []
        change = node.wallet.internal_receiver(account, max(spent))
        need_zat = amount_zat + conventional_fee_zat(inputs=spent, outputs=[*paid, change.typecode])
        if have_zat >= need_zat:
            rest = [Output(change, have_zat - need_zat)] if have_zat > need_zat else []
            return candidates[:count], rest
    raise InsufficientFundsError(have_zat=have_zat, need_zat=need_zat)
