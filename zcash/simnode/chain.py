"""The chain: its branches, the mempool, and which output pays and which transaction spends what."""

from collections import Counter, defaultdict
from collections.abc import Iterable

from zcash.addresses import Receiver

from .blocks import GENESIS, MEDIAN_BLOCKS, Block, Place, block_hash, digest
from .transactions import OutPoint, Output, Transaction

# ZIP-203 as wallets apply it: a transaction that is not mined within so many blocks never will be.
EXPIRY_BLOCKS = 40


class Chain:
    """The best chain, the branches beside it, and the transactions that wait."""

    def __init__(self, *, salt: bytes) -> None:
        self.salt = salt
        self.blocks = [GENESIS]
        self.transactions: dict[str, Transaction] = {}
        self.mempool: dict[str, Transaction] = {}
        self.held: set[str] = set()
        self.dropped: set[str] = set()
        self.mined_zat: Counter[str] = Counter()
        self.issued_zat = 0
        # What payments, minings and reorgs have answered, by what whoever asked for them calls them.
        self.references: dict[str, str] = {}
        self._known = {GENESIS.hash: GENESIS}
        self._invalid: set[str] = set()
        self._places: dict[str, Place] = {}
        self._outputs_to: defaultdict[Receiver, list[tuple[str, int]]] = defaultdict(list)
        self._spenders: defaultdict[OutPoint, list[str]] = defaultdict(list)

    @property
    def tip(self) -> Block:
        """The best block."""
        return self.blocks[-1]

    def block(self, hash_: str) -> Block | None:
        """Return a block of any branch."""
        return self._known.get(hash_)

    def is_on_best_chain(self, block: Block) -> bool:
        """Return whether a block is on the best chain."""
        return block.height < len(self.blocks) and self.blocks[block.height].hash == block.hash

    def place(self, txid: str) -> Place | None:
        """Return where a transaction was mined on the best chain, None while it is not."""
        return self._places.get(txid)

    def has_expired(self, txid: str) -> bool:
        """Return whether an unmined transaction can never be mined any more (ZIP-203)."""
        return txid not in self._places and self.transactions[txid].expiry_height <= self.tip.height

    def is_waiting(self, txid: str) -> bool:
        """Return whether a transaction is in the mempool, held back or not."""
        return txid in self.mempool

    def is_alive(self, txid: str) -> bool:
        """Return whether a transaction is mined or in the mempool."""
        return txid in self._places or self.is_waiting(txid)

    def waiting(self) -> list[str]:
        """Return the txids that the next block takes: parents first, none that is held back."""
        taken: dict[str, None] = {}
        for txid, transaction in self.mempool.items():
            if txid in self.held:
                continue
            parents = [spent.txid for spent in transaction.inputs if not spent.is_outside]
            if all(parent in self._places or parent in taken for parent in parents):
                taken[txid] = None
        return list(taken)

    def outputs_to(self, receiver: Receiver) -> list[tuple[str, int]]:
        """Return (txid, output index) of everything ever paid to a receiver, oldest first."""
        return self._outputs_to.get(receiver, [])

    def output(self, point: OutPoint) -> Output:
        """Return an output of a transaction of this chain."""
        return self.transactions[point.txid].outputs[point.index]

    def spenders(self, point: OutPoint) -> list[str]:
        """Return the txids of all that ever spent an output, whatever became of them."""
        return self._spenders.get(point, [])

    def rivals(self, txid: str) -> set[str]:
        """Return the other transactions that spend some of the same money."""
        return {each for spent in self.transactions[txid].inputs for each in self.spenders(spent)} - {txid}

    def fee_zat(self, transaction: Transaction) -> int | None:
        """Return the fee of a transaction of the wallet, None for somebody else's."""
        if any(spent.is_outside for spent in transaction.inputs):
            return None
        return sum(self.output(spent).amount_zat for spent in transaction.inputs) - transaction.paid_zat

    def new_transaction(
        self,
        outputs: tuple[Output, ...],
        *,
        now: int,
        inputs: tuple[OutPoint, ...] = (),
        account: int | None = None,
    ) -> Transaction:
        """Return a transaction that the chain does not have yet, made at `now` (unix seconds).

        Without inputs it spends money from outside that nobody has spent before.
        """
        number = len(self.transactions)
        expiry_height = self.tip.height + EXPIRY_BLOCKS
        return Transaction(number, now, expiry_height, outputs, inputs or (OutPoint("", number),), account)

    def new_block(self, previous: Block, *, time: int, txids: Iterable[str] = ()) -> Block:
        """Return a block upon another one that no branch has yet."""
        nonce, mined = 0, tuple(txids)
        while (block := self.block_upon(previous, time=time, txids=mined, nonce=nonce)).hash in self._known:
            nonce += 1
        return block

    def block_upon(self, previous: Block, *, time: int, txids: Iterable[str], nonce: int = 0) -> Block:
        """Return the block upon another one."""
        mined = tuple(txids)
        hash_ = block_hash(self.salt, previous=previous, time=time, txids=mined, nonce=nonce)
        return Block(previous.height + 1, hash_, previous.hash, time, mined, nonce)

    def recent_times(self, *, height: int) -> list[int]:
        """Return the times that the time of the block upon the one at a height is judged by."""
        return [block.time for block in self.blocks[: height + 1][-MEDIAN_BLOCKS:]]

    def txid(self, transaction: Transaction) -> str:
        """Return the id of a transaction."""
        return digest(transaction.serialized(salt=self.salt))

    def add_transaction(self, transaction: Transaction, *, sent: bool = True) -> None:
        """Take note of a transaction; one that was sent is in the mempool."""
        txid = self.txid(transaction)
        self._issue(transaction)
        self.transactions[txid] = transaction
        if sent:
            self.mempool[txid] = transaction
        for spent in transaction.inputs:
            self._spenders[spent].append(txid)
        for index, output in enumerate(transaction.outputs):
            self._outputs_to[output.receiver].append((txid, index))

    def _issue(self, transaction: Transaction) -> None:
        if not transaction.inputs[0].is_outside:
            return
        earlier = (self.transactions[txid].paid_zat for txid in self.spenders(transaction.inputs[0]))
        self.issued_zat += max(0, transaction.paid_zat - max(earlier, default=0))

    def hold(self, txid: str, *, held: bool) -> None:
        """Make the miners leave a transaction out, or take it again."""
        if held:
            self.held.add(txid)
        else:
            self.held.discard(txid)

    def drop(self, txid: str) -> None:
        """Take a transaction out of the mempool for good, with all that spend its outputs."""
        self.dropped.add(txid)
        if txid not in self._places:
            self._evict(txid)

    def _evict(self, txid: str) -> None:
        self.mempool.pop(txid, None)
        for index in range(len(self.transactions[txid].outputs)):
            for child in self.spenders(OutPoint(txid, index)):
                self._evict(child)

    def add_block(self, block: Block) -> None:
        """Take a block upon any known one; where its branch is the longest now, it becomes the best chain."""
        self._known[block.hash] = block
        if block.previous_hash == self.tip.hash:
            self._connect(block)
        else:
            self._activate_best()

    def invalidate(self, hash_: str) -> None:
        """Leave a block and all upon it; the longest remaining branch becomes the best chain."""
        self._invalid.add(hash_)
        self._activate_best()

    def reconsider(self, hash_: str) -> None:
        """Forget that a block, or any below or upon it, was invalidated."""
        self._invalid -= {each for each in self._invalid if self._are_related(each, hash_)}
        self._activate_best()

    def _are_related(self, one: str, other: str) -> bool:
        lower, upper = sorted((self._known[one], self._known[other]), key=lambda block: block.height)
        while upper.height > lower.height:
            upper = self._known[upper.previous_hash]
        return upper.hash == lower.hash

    def _activate_best(self) -> None:
        best, branch = self._best(), []
        block = best
        while not self.is_on_best_chain(block):
            branch.append(block)
            block = self._known[block.previous_hash]
        if block is not self.tip:
            self._disconnect_above(block.height)
        for each in reversed(branch):
            self._connect(each)

    def _best(self) -> Block:
        valid: dict[str, Block] = {}
        for block in self._known.values():
            if block.hash not in self._invalid and (block is GENESIS or block.previous_hash in valid):
                valid[block.hash] = block
        highest = max(block.height for block in valid.values())
        # Of equals the one that was there first stays.
        if self.tip.hash in valid and self.tip.height == highest:
            return self.tip
        return next(block for block in valid.values() if block.height == highest)

    def _disconnect_above(self, height: int) -> None:
        gone = self.blocks[height + 1 :]
        del self.blocks[height + 1 :]
        returned: dict[str, Transaction] = {}
        for txid in [txid for block in gone for txid in block.txids]:
            del self._places[txid]
            self._count(self.transactions[txid], sign=-1)
            if txid not in self.dropped:
                returned[txid] = self.transactions[txid]
        # What was mined spends nothing that the mempool makes, so it comes first.
        self.mempool = returned | self.mempool

    def _connect(self, block: Block) -> None:
        self.blocks.append(block)
        for index, txid in enumerate(block.txids, start=1):
            self.mempool.pop(txid, None)
            self._places[txid] = Place(block, index)
            self._count(self.transactions[txid], sign=1)
            for rival in self.rivals(txid):
                self._evict(rival)
        for txid in [txid for txid in self.mempool if self.has_expired(txid)]:
            self._evict(txid)

    def _count(self, transaction: Transaction, *, sign: int) -> None:
        for output in transaction.outputs:
            self.mined_zat[output.pool] += sign * output.amount_zat
        for spent in transaction.inputs:
            if not spent.is_outside:
                self.mined_zat[self.output(spent).pool] -= sign * self.output(spent).amount_zat
