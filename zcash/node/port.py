"""The wallet port: what PayGo asks of a Zcash node and wallet, whatever software answers.

Amounts are zatoshis. Every method may raise `NodeUnavailable`; a driver returns nothing unverified.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from core.errors import Unavailable


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """The node's best chain and whether it can be relied on; `reason` is a sentence when it cannot.

    `locked`: the wallet itself says that its view is being repaired (zallet far behind, or recovering from a
    reorg): what it lists is recorded and must not be credited. `end_of_service_height` is where the node's
    software stops by itself, None where it does not say.
    """

    chain: str
    height: int
    tip_hash: str
    genesis_hash: str
    synced: bool
    reason: str
    locked: bool = False
    end_of_service_height: int | None = None


@dataclass(frozen=True, slots=True)
class WalletAddress:
    """A diversified address of the wallet's account, and the diversifier index it was derived from."""

    address: str
    diversifier_index: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """One output received by `address`; `height` and `block_hash` are None while it is unmined.

    (txid, pool, output_index) identifies the output. `confirmations` is 0 exactly when it is unmined.
    `is_own`: the account itself made the transaction, as far as the wallet says; only a list of everything
    received does.
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
    is_own: bool = False


@dataclass(frozen=True, slots=True)
class ChainTransaction:
    """Where a transaction of the wallet stands on the best chain.

    `expired` ones can never be mined any more (ZIP-203); of `conflicted` ones another transaction that
    spends the same money is mined. `height` and `block_hash` are None exactly while it is unmined.
    """

    txid: str
    height: int | None
    block_hash: str | None
    confirmations: int
    expired: bool
    conflicted: bool = False


class PrivacyPolicy(StrEnum):
    """What a payment may reveal; each allows what those before it allow (zcashd's and zallet's names)."""

    FULL = "FullPrivacy"
    AMOUNTS = "AllowRevealedAmounts"
    RECIPIENTS = "AllowRevealedRecipients"


@dataclass(frozen=True, slots=True)
class Payment:
    """One recipient of an outgoing transaction; the memo, at most 512 bytes, only where it is shielded."""

    address: str
    amount_zat: int
    memo: bytes | None = None


class OperationStatus(StrEnum):
    """How far the wallet is with sending."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Operation:
    """What the wallet says of an asynchronous send.

    `broadcast` is False where the transaction was built and never sent out. `error_code` and `error` are the
    wallet's own where it failed.
    """

    id: str
    status: OperationStatus
    txids: tuple[str, ...] = ()
    broadcast: bool = True
    error_code: int | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class SentTransaction:
    """A transaction that the wallet's account paid with: its outputs to others, change left out.

    The address of an output can be a single receiver of the unified address that was paid.
    """

    txid: str
    height: int | None
    expired: bool
    payments: tuple[Payment, ...]


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What the account has paid out since a height, mined, waiting and expired.

    `complete`: nothing can be missing. False where the wallet shows that money left by a transaction which
    it does not list.
    """

    transactions: tuple[SentTransaction, ...]
    complete: bool


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


class ForeignSource(NodeRefused):
    """The address to pay from is none of the configured account's, so the wallet was not asked to pay."""

    def __init__(self) -> None:
        # The code with which either wallet refuses an address that it cannot pay from.
        super().__init__(
            "z_sendmany",
            rpc_code=-5,
            rpc_message="ZCASH_SERVICE_WALLET is not an address of the account in ZCASH_ACCOUNT",
        )

    def __str__(self) -> str:
        return self.rpc_message


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

    def receipts(self, addresses: Sequence[str], *, since_height: int = 0) -> list[Receipt]:
        """Return what the wallet's own addresses received, spent or not, unmined included.

        What was mined below `since_height` may be left out. Change and outputs of no value are left out; an
        address that the wallet does not know is logged and skipped, so that it cannot hold up the others:
        absence from the list is no evidence.
        """

    def all_receipts(self, *, since_height: int) -> list[Receipt] | None:
        """Return what all addresses of the account received since a height, unmined included.

        None: this wallet can only be asked address by address.
        """

    def block_hash(self, height: int) -> str | None:
        """Return the hash of the best chain's block at a height, None above the tip."""

    def transaction(self, txid: str) -> ChainTransaction | None:
        """Return where a transaction stands on the best chain, None when the wallet does not know it."""

    def transparent_balance(self, address: str) -> int | None:
        """Return the public balance of any transparent address, in zatoshis, from mined transactions.

        None: this node keeps no address index.
        """

    def holdings(self) -> int:
        """Return the zatoshis of the configured account, unmined ones and its own change included."""

    def owns(self, address: str) -> bool:
        """Return whether the configured account sees everything that this address receives.

        Another account of the same wallet is a stranger. Once it is True it stays so for this connection.
        """

    def send(self, payments: Sequence[Payment], *, source: str, policy: PrivacyPolicy) -> str:
        """Start one transaction from the service's own address to all recipients; return the operation's id.

        The conventional fee (ZIP-317) comes on top, from the account. Another account of the wallet never
        pays: `source` is checked first.

        Raises:
            ForeignSource: `source` is not an address of the configured account; nothing was sent.
            NodeRefused, NodeNotReady: definitely nothing was sent.
            NodeUnavailable: any other of its kind says nothing about whether it was sent.
        """

    def operation(self, operation_id: str) -> Operation | None:
        """Return how far a send is; None where the wallet has forgotten it, as at every restart."""

    def is_sending(self) -> bool:
        """Return whether the wallet works on any send, whoever asked for it."""

    def outgoing(self, *, since_height: int, known_txids: Sequence[str] = ()) -> Outgoing:
        """Return what the account paid to others in blocks above `since_height`, unmined included.

        `known_txids` are transactions of the account that the caller knows of: a wallet without a list of
        what it sent looks at them too.
        """
