"""Blocks, and what their hashes and times are made of."""

import hashlib
import statistics
from dataclasses import dataclass

# Regtest's real first block (zcashd, src/chainparams.cpp); a salt makes the blocks above it this chain's own.
GENESIS_HASH = "029f11d80ef9765602235e1bc9727e3eb6ba20839319f761fee920d63401e327"
GENESIS_TIME = 1296688602
MEDIAN_BLOCKS = 11


@dataclass(frozen=True, slots=True)
class Block:
    """A block; `time` is in unix seconds, `nonce` sets it apart from an equal one upon the same block."""

    height: int
    hash: str
    previous_hash: str
    time: int
    txids: tuple[str, ...]
    nonce: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """Where a mined transaction is; the coinbase transaction has index 0 of every block."""

    block: Block
    index: int


GENESIS = Block(0, GENESIS_HASH, "0" * 64, GENESIS_TIME, ())


def next_time(times: list[int], *, now: int) -> int:
    """Return the time of the block behind blocks of these times: later than the median of the last eleven."""
    return max(now, statistics.median_low(times[-MEDIAN_BLOCKS:]) + 1)


def digest(data: bytes) -> str:
    """Return a double SHA-256 in hex."""
    return hashlib.sha256(hashlib.sha256(data).digest()).hexdigest()


def block_hash(salt: bytes, *, previous: Block, time: int, txids: tuple[str, ...], nonce: int) -> str:
    """Return the hash of a block upon another one; a nonce of 0 leaves no trace."""
    numbers = [previous.height + 1, time, *([nonce] if nonce else [])]
    header = salt + bytes.fromhex(previous.hash) + b"".join(each.to_bytes(8, "big") for each in numbers)
    return digest(header + bytes.fromhex("".join(txids)))
