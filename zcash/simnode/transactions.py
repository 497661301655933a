"""Transactions: what they spend, what they pay, and until when they can be mined."""

from dataclasses import dataclass

from zcash.addresses import ORCHARD, P2PKH, P2SH, SAPLING, Receiver

POOL_NAMES = {P2PKH: "transparent", P2SH: "transparent", SAPLING: "sapling", ORCHARD: "orchard"}
POOLS = ("transparent", "sapling", "orchard")


@dataclass(frozen=True, slots=True)
class OutPoint:
    """An output of a transaction; an empty `txid` stands for money of somebody outside the wallet."""

    txid: str
    index: int

    @property
    def is_outside(self) -> bool:
        """Whether the money came from nowhere on this chain."""
        return not self.txid


@dataclass(frozen=True, slots=True)
class Output:
    """An amount paid to one receiver; an empty memo is none.

    `address` is what the wallet that paid remembers as its recipient, empty for somebody else's payment.
    """

    receiver: Receiver
    amount_zat: int
    memo: bytes = b""
    address: str = ""

    @property
    def pool(self) -> str:
        """The value pool that the amount is in."""
        return POOL_NAMES[self.receiver.typecode]


@dataclass(frozen=True, slots=True)
class Transaction:
    """A payment; `number` counts the chain's transactions and makes equal payments different.

    `account` is the wallet's account that pays, None for somebody else; `expiry_height` is the last block
    that may have it (ZIP-203).
    """

    number: int
    time: int
    expiry_height: int
    outputs: tuple[Output, ...]
    inputs: tuple[OutPoint, ...]
    account: int | None = None

    @property
    def paid_zat(self) -> int:
        """All that it pays, without its fee."""
        return sum(output.amount_zat for output in self.outputs)

    def pool_index(self, index: int) -> int:
        """Return an output's number within its pool, by which wallets name it."""
        pool = self.outputs[index].pool
        return sum(output.pool == pool for output in self.outputs[:index])

    def serialized(self, *, salt: bytes) -> bytes:
        """Return the bytes that its id is the digest of."""
        fields = [salt, *map(_u64, (self.number, self.time, self.expiry_height))]
        for output in self.outputs:
            receiver = output.receiver
            fields += [_u64(output.amount_zat), _u64(receiver.typecode), receiver.data, output.memo]
        # Money from outside is numbered by the first transaction that spends it, whose number is in already.
        for spent in self.inputs:
            if spent != OutPoint("", self.number):
                fields += [bytes.fromhex(spent.txid), _u64(spent.index)]
        return b"".join(_u64(len(field)) + field for field in fields)


def _u64(number: int) -> bytes:
    return number.to_bytes(8, "big")
