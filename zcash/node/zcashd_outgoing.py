"""What zcashd's account paid to others, found by evidence: zcashd lists no outgoing shielded payments.

A note that was unspent at a height, or at one since then, and is not any more was spent. The transactions
that can have spent it are those that the caller knows of, those that gave change since then, those that an
operation names, and those whose outputs any of them spent in turn; each is looked at. Only when their spends
explain every note that vanished is nothing missing: an unknown transaction that gave no change leaves its
notes unexplained. Where no note is listed and no transaction known there is no evidence: a wallet that has
lost its notes shows the same.

Transactions that expired, or whose money went elsewhere, spent nothing and are left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain as concatenated

from core.amounts import MAX_ZAT

from . import operations
from .answers import MAX_HEIGHT, Record, records
from .chain import Chain, ChainMovedError, Tip
from .port import ChainTransaction, Outgoing, Payment, SentTransaction
from .rpc import RpcClient
from .transactions import find, require_about
from .zcashd_transaction import POOLS, placed_transaction

_MAX_CONF = 9_999_999
_MAX_CANDIDATES = 1000
# No note is spent with fewer confirmations, so that it is unspent at one of so many blocks in a row. Over a
# time that asks for more samples than these, what came in and went out between two of them is not noticed.
_SPEND_MINCONF = 3
_MAX_SAMPLES = 60

Note = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class _Unspent:
    """A note that the wallet listed as unspent."""

    note: Note
    is_change: bool
    confirmations: int


@dataclass(frozen=True, slots=True)
class _View:
    """What `z_viewtransaction` and its block say of a transaction."""

    place: ChainTransaction
    spends: frozenset[Note]
    payments: tuple[Payment, ...]


class OutgoingScan:
    """One look at what an account paid since a height, consistent with one best chain."""

    def __init__(
        self,
        rpc: RpcClient,
        *,
        chain: Chain,
        account: int,
        since_height: int,
        known_txids: Sequence[str],
    ) -> None:
        self._rpc = rpc
        self._chain = chain
        self._account = account
        self._since_height = since_height
        self._known_txids = known_txids
        self._views: dict[str, _View] = {}

    def outgoing(self) -> Outgoing:
        """Return what was found.

        Raises:
            ChainMovedError: the chain moved meanwhile.
        """
        tip = self._chain.tip()
        before, now = self._unspent_at(self._since_height), self._unspent_now()
        gave_change = [each.note[0] for each in now if each.is_change and self._is_newer(each, tip=tip)]
        vanished = (before | self._unspent_between(tip)) - {each.note for each in now}
        all_seen = self._view_all([*self._known_txids, *gave_change], before=before, tip=tip)
        if not self._explains(vanished):
            # What gave no change is named by its operation, until the wallet restarts.
            all_seen &= self._view_all(operations.sent_txids(self._rpc), before=before, tip=tip)
        if self._chain.tip_hash() != tip.hash:
            raise ChainMovedError
        is_blank = not (before or now or self._views)
        complete = all_seen and not is_blank and self._explains(vanished)
        return Outgoing(self._transactions(), complete)

    def _explains(self, vanished: set[Note]) -> bool:
        return vanished <= set(concatenated.from_iterable(view.spends for view in self._views.values()))

    def _unspent_at(self, height: int) -> set[Note]:
        # Nothing is unspent at the genesis block, and zcashd refuses to be asked of it.
        return {each.note for each in self._list_unspent(1, height)} if height >= 1 else set()

    def _unspent_between(self, tip: Tip) -> set[Note]:
        """Return what came in and was unspent at some of the blocks since: a full refund gives no change."""
        step = max(_SPEND_MINCONF, (tip.height - self._since_height) // _MAX_SAMPLES)
        heights = [*range(self._since_height + step, tip.height, step), tip.height]
        return set(concatenated.from_iterable(self._unspent_at(height) for height in heights))

    def _unspent_now(self) -> list[_Unspent]:
        return self._list_unspent(0)

    def _list_unspent(self, minconf: int, *as_of_height: int) -> list[_Unspent]:
        method = "z_listunspent"
        # An empty list of addresses means all of them.
        params = [minconf, _MAX_CONF, False, *([[], *as_of_height] if as_of_height else [])]
        rows = records(self._rpc.call(method, *params), what=method)
        return [_unspent(row) for row in rows if self._is_ours(row)]

    def _is_ours(self, row: Record) -> bool:
        # Notes of addresses from before zcashd had accounts carry none.
        return "account" in row and row.integer("account") == self._account

    def _is_newer(self, unspent: _Unspent, *, tip: Tip) -> bool:
        return unspent.confirmations < 1 or tip.height - unspent.confirmations + 1 > self._since_height

    def _view_all(self, txids: list[str], *, before: set[Note], tip: Tip) -> bool:
        """Look at transactions and at those they spend from, back to the height; return whether at all."""
        waiting = list(txids)
        while waiting:
            txid = waiting.pop()
            if txid in self._views:
                continue
            if len(self._views) == _MAX_CANDIDATES:
                return False
            place = placed_transaction(self._rpc, chain=self._chain, txid=txid, tip=tip)
            if place is None or place.expired or place.conflicted:
                continue
            view = self._views[txid] = self._view(place)
            if self._is_within(view):
                waiting += [note[0] for note in view.spends if note not in before]
        return True

    def _is_within(self, view: _View) -> bool:
        return view.place.height is None or view.place.height > self._since_height

    def _view(self, place: ChainTransaction) -> _View:
        method = "z_viewtransaction"
        answer = Record(self._rpc.call(method, place.txid), what=method)
        require_about(place.txid, answer, method=method)
        spends = frozenset(_spend(row) for row in answer.records("spends"))
        # Without a spend of ours it was paid by somebody else.
        return _View(place, spends, self._payments(answer, place=place) if spends else ())

    def _payments(self, answer: Record, *, place: ChainTransaction) -> tuple[Payment, ...]:
        outputs = answer.records("outputs")
        shielded = [_shielded_payment(row) for row in outputs if row.boolean("outgoing")]
        return (*shielded, *self._transparent_payments(place))

    def _transparent_payments(self, place: ChainTransaction) -> list[Payment]:
        """Return the public outputs, which zcashd's `z_viewtransaction` leaves out; none is change."""
        method = "getrawtransaction"
        # Without an index of all transactions zcashd finds a mined one only in the block it is told.
        block = [] if place.block_hash is None else [place.block_hash]
        answer = find(self._rpc, method, place.txid, 1, *block)
        if answer is None:
            raise ChainMovedError
        return [_transparent_payment(row) for row in answer.records("vout")]

    def _transactions(self) -> tuple[SentTransaction, ...]:
        found = [view for view in self._views.values() if view.payments and self._is_within(view)]
        found.sort(key=lambda view: (view.place.height or MAX_HEIGHT, view.place.txid))
        return tuple(
            SentTransaction(view.place.txid, view.place.height, expired=False, payments=view.payments)
            for view in found
        )


def _unspent(row: Record) -> _Unspent:
    note = (row.hash("txid"), row.choice("pool", choices=POOLS), row.integer("outindex"))
    is_change = "change" in row and row.boolean("change")
    return _Unspent(note, is_change, row.integer("confirmations"))


def _spend(row: Record) -> Note:
    index = "outputPrev" if "outputPrev" in row else "actionPrev"
    return row.hash("txidPrev"), row.choice("pool", choices=POOLS), row.integer(index)


def _shielded_payment(row: Record) -> Payment:
    amount_zat = row.amount_zat(zat="valueZat", zec="value")
    return Payment(row.text("address"), amount_zat, row.memo("memo"))


def _transparent_payment(row: Record) -> Payment:
    script = row.record("scriptPubKey")
    addresses = script.texts("addresses") if "addresses" in script else []
    amount_zat = row.integer("valueZat", high=MAX_ZAT)
    # Whoever reads it must see that the money left, even where it went to no address.
    return Payment(addresses[0] if len(addresses) == 1 else "", amount_zat)
