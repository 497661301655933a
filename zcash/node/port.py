"""The wallet port: what PayGo asks of a Zcash node and wallet, whatever software answers.

Amounts are zatoshis. Every method may raise `NodeUnavailable`; a driver returns nothing unverified.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from core.errors import Unavailable


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """The node's best chain and whether it can be relied on; `reason` is a sentence when it cannot."""

    chain: str
    height: int
    tip_hash: str
    genesis_hash: str
    synced: bool
    reason: str


@dataclass(frozen=True, slots=True)
class WalletAddress:
    """A diversified address of the wallet's account, and the diversifier index it was derived from."""

    address: str
    diversifier_index: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """One output received by `address`; `height` and `block_hash` are None while it is unmined.

    (txid, pool, output_index) identifies the output. `confirmations` is 0 exactly when it is unmined.
    """

    address: str
    txid: str
    pool: str
    output_index: int
    amount_zat: int
    height: int | None
    block_hash: str | None
    confirmations: int
    memo: bytes | None


@dataclass(frozen=True, slots=True)
class ChainTransaction:
    """Where a transaction of the wallet stands; `expired` ones can never be mined any more (ZIP-203)."""

    txid: str
    height: int | None
    block_hash: str | None
    confirmations: int
    expired: bool


class NodeUnavailable(Unavailable):
    """The node is down, slow, or answered what no node answers; the same call may succeed later.

    `str()` is for the operator and may name settings; `detail`, which callers of the API see, does not.
    """

    code = "node_unavailable"
    title = "The Zcash node cannot be asked at the moment"

    def __init__(self, reason: str = "") -> None:
        super().__init__()
        self.reason = reason or self.title

    def __str__(self) -> str:
        return self.reason


class NodeNotReady(NodeUnavailable):
    """The node works and is warming up, downloading, or recovering from a reorg."""

    retry_after_seconds = 30


class WrongChain(NodeUnavailable):
    """The node follows another chain than the one PayGo was set up for."""

    retry_after_seconds = 60


class NodeRefused(Unavailable):
    """The node understood the call and refused it; `rpc_code` and `rpc_message` are its own.

    A refusal that no caller expects is a fault of the set-up, so it leaves the API as `node_unavailable`.
    """

    code = "node_unavailable"
    title = "The Zcash node cannot be asked at the moment"
    retry_after_seconds = 60

    def __init__(self, method: str, *, rpc_code: int, rpc_message: str) -> None:
        super().__init__()
        self.method = method
        self.rpc_code = rpc_code
        self.rpc_message = rpc_message

    def __str__(self) -> str:
        return f"the node refused {self.method}: {self.rpc_message} ({self.rpc_code})"


class IndexUnusable(NodeRefused):
    """No address exists at this diversifier index (about half have none, ZIP-32); draw another."""


class WalletPort(Protocol):
    """A connection of one thread to the node and wallet."""

    def status(self) -> NodeStatus:
        """Return the node's best chain and whether it is synced.

        Raises:
            NodeNotReady: the node is warming up.
        """

    def new_address(self, index: int) -> WalletAddress:
        """Return the shielded address at a diversifier index; the same index gives the same address.

        Raises:
            IndexUnusable: no address exists at this index.
        """

    def receipts(self, addresses: Sequence[str]) -> list[Receipt]:
        """Return what the wallet's own addresses received, spent or not, unmined included.

        Change and outputs of no value are left out; an address that the wallet does not know is logged
        and skipped, so that it cannot hold up the others: absence from the list is no evidence.
        """

    def transaction(self, txid: str) -> ChainTransaction | None:
        """Return where a transaction stands on the best chain, None when the wallet does not know it."""

    def transparent_balance(self, address: str) -> int | None:
        """Return the public balance of any transparent address, in zatoshis, from mined transactions.

        None: this node keeps no address index.
        """

    def owns(self, address: str) -> bool:
        """Return whether the wallet can see what this address receives."""
