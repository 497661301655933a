"""The chain: blocks, the mempool, and which output pays which receiver."""

import hashlib
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from zcash.addresses import ORCHARD, P2PKH, P2SH, SAPLING, Receiver

# Regtest's real first block (zcashd, src/chainparams.cpp); a salt makes the blocks above it this chain's own.
GENESIS_HASH = "029f11d80ef9765602235e1bc9727e3eb6ba20839319f761fee920d63401e327"
GENESIS_TIME = 1296688602
# ZIP-203 as wallets apply it: a transaction that is not mined within so many blocks never will be.
EXPIRY_BLOCKS = 40
MEDIAN_BLOCKS = 11

_POOLS = {P2PKH: "transparent", P2SH: "transparent", SAPLING: "sapling", ORCHARD: "orchard"}

POOLS = ("transparent", "sapling", "orchard")


@dataclass(frozen=True, slots=True)
class Output:
    """An amount paid to one receiver; an empty memo is none."""

    receiver: Receiver
    amount_zat: int
    memo: bytes

    @property
    def pool(self) -> str:
        """The value pool that the amount is in."""
        return _POOLS[self.receiver.typecode]


@dataclass(frozen=True, slots=True)
class Transaction:
    """A payment; `number` counts the chain's transactions and makes equal payments different."""

    number: int
    time: int
    expiry_height: int
    outputs: tuple[Output, ...]

    def serialized(self, *, salt: bytes) -> bytes:
        """Return the bytes that its id is the digest of."""
        fields = [salt, *map(_u64, (self.number, self.time, self.expiry_height))]
        for output in self.outputs:
            receiver = output.receiver
            fields += [_u64(output.amount_zat), _u64(receiver.typecode), receiver.data, output.memo]
        return b"".join(_u64(len(field)) + field for field in fields)


@dataclass(frozen=True, slots=True)
class Block:
    """A block; `time` is in unix seconds."""

    height: int
    hash: str
    previous_hash: str
    time: int
    txids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a mined transaction is; the coinbase transaction has index 0 of every block."""

    block: Block
    index: int


GENESIS = Block(0, GENESIS_HASH, "0" * 64, GENESIS_TIME, ())


class Chain:
    """The best chain and the transactions that wait for it."""

    def __init__(self, *, salt: bytes) -> None:
        self.salt = salt
        self.blocks = [GENESIS]
        self.transactions: dict[str, Transaction] = {}
        self.mempool: dict[str, Transaction] = {}
        self.mined_zat: Counter[str] = Counter()
        self.issued_zat = 0
        self._places: dict[str, Place] = {}
        self._outputs_to: defaultdict[Receiver, list[tuple[str, int]]] = defaultdict(list)

    @property
    def tip(self) -> Block:
        """The best block."""
        return self.blocks[-1]

    def place(self, txid: str) -> Place | None:
        """Return where a transaction was mined, None while it is in the mempool."""
        return self._places.get(txid)

    def has_expired(self, txid: str) -> bool:
        """Return whether an unmined transaction can never be mined any more (ZIP-203)."""
        return txid in self.mempool and self.mempool[txid].expiry_height <= self.tip.height

    def waiting(self) -> list[str]:
        """Return the txids that the next block takes, oldest first."""
        return [txid for txid in self.mempool if not self.has_expired(txid)]

    def outputs_to(self, receiver: Receiver) -> list[tuple[str, int]]:
        """Return (txid, output index) of everything paid to a receiver, oldest first."""
        return self._outputs_to.get(receiver, [])

    def new_transaction(self, outputs: tuple[Output, ...], *, now: int) -> Transaction:
        """Return a transaction that the chain does not have yet, made at `now` (unix seconds)."""
        return Transaction(len(self.transactions), now, self.tip.height + EXPIRY_BLOCKS, outputs)

    def block_upon(self, previous: Block, *, time: int, txids: Iterable[str]) -> Block:
        """Return the block upon another one."""
        height, mined = previous.height + 1, tuple(txids)
        header = self.salt + bytes.fromhex(previous.hash) + _u64(height) + _u64(time)
        return Block(height, digest(header + bytes.fromhex("".join(mined))), previous.hash, time, mined)

    def recent_times(self) -> list[int]:
        """Return the times that the next block's time is judged by."""
        return [block.time for block in self.blocks[-MEDIAN_BLOCKS:]]

    def txid(self, transaction: Transaction) -> str:
        """Return the id of a transaction."""
        return digest(transaction.serialized(salt=self.salt))

    def add_transaction(self, transaction: Transaction) -> None:
        """Put a transaction into the mempool."""
        txid = self.txid(transaction)
        self.transactions[txid] = self.mempool[txid] = transaction
        self.issued_zat += sum(output.amount_zat for output in transaction.outputs)
        for index, output in enumerate(transaction.outputs):
            self._outputs_to[output.receiver].append((txid, index))

    def add_block(self, block: Block) -> None:
        """Make a block the tip; its transactions leave the mempool."""
        self.blocks.append(block)
        for index, txid in enumerate(block.txids, start=1):
            self._places[txid] = Place(block, index)
            for output in self.mempool.pop(txid).outputs:
                self.mined_zat[output.pool] += output.amount_zat


def next_time(times: list[int], *, now: int) -> int:
    """Return the time of the block behind blocks of these times: later than the median of the last eleven."""
    return max(now, statistics.median_low(times[-MEDIAN_BLOCKS:]) + 1)


def digest(data: bytes) -> str:
    """Return a double SHA-256 in hex."""
    return hashlib.sha256(hashlib.sha256(data).digest()).hexdigest()


def _u64(number: int) -> bytes:
    return number.to_bytes(8, "big")
