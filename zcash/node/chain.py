"""The node's best chain, over the calls that zcashd and its successors share."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from core.amounts import MAX_ZAT

from .answers import Record, hash_text
from .port import NodeRefused, NodeStatus, NodeUnavailable
from .rpc import RpcClient

_CHAINS = frozenset({"main", "test", "regtest"})
# A new block's header is known some seconds before the block.
MAX_BLOCKS_BEHIND = 2
_TRIES = 3
# Height out of range: zcashd's code, and the one of newer nodes.
_NO_SUCH_HEIGHT = frozenset({-8, -32602})

Value = TypeVar("Value")


class ChainMovedError(Exception):
    """A block came or went between calls that belong together."""


@dataclass(frozen=True, slots=True)
class Tip:
    """The best block."""

    height: int
    hash: str


def steady(read: Callable[[], Value]) -> Value:
    """Return what `read` returns, calling it again when the chain moved under it.

    Raises:
        NodeUnavailable: it moved every time, or the node contradicts itself.
    """
    for _ in range(_TRIES):
        try:
            return read()
        except ChainMovedError:
            continue
    raise NodeUnavailable("the chain moved each time it was read, or the node contradicts itself")


class Chain:
    """Reads the best chain of one node."""

    def __init__(self, rpc: RpcClient) -> None:
        self._rpc = rpc

    def status(self) -> NodeStatus:
        """Return the best chain and whether the node has caught up with the network."""
        return steady(self._status)

    def _status(self) -> NodeStatus:
        info = self._info()
        reason = _unsynced_reason(info)
        return NodeStatus(
            chain=info.choice("chain", choices=_CHAINS),
            height=info.integer("blocks"),
            tip_hash=info.hash("bestblockhash"),
            genesis_hash=self.block_hash(0),
            synced=not reason,
            reason=reason,
        )

    def tip(self) -> Tip:
        """Return height and hash of the best block, read at one instant."""
        info = self._info()
        return Tip(info.integer("blocks"), info.hash("bestblockhash"))

    def tip_hash(self) -> str:
        """Return the hash of the best block."""
        return hash_text(self._rpc.call("getbestblockhash"), what="getbestblockhash")

    def block_hash(self, height: int) -> str:
        """Return the hash of the best chain's block at a height that was within it a moment ago.

        Raises:
            ChainMovedError: the chain has become shorter.
        """
        found = self.find_block_hash(height)
        if found is None:
            raise ChainMovedError
        return found

    def find_block_hash(self, height: int) -> str | None:
        """Return the hash of the best chain's block at a height, None above the tip."""
        try:
            answer = self._rpc.call("getblockhash", height)
        except NodeRefused as refusal:
            if refusal.rpc_code in _NO_SUCH_HEIGHT:
                return None
            raise
        return hash_text(answer, what="getblockhash")

    def transparent_balance(self, address: str) -> int:
        """Return the public balance of any transparent address, in zatoshis.

        Raises:
            NodeRefused: this node keeps no address index.
        """
        method = "getaddressbalance"
        answer = Record(self._rpc.call(method, {"addresses": [address]}), what=method)
        return answer.integer("balance", high=MAX_ZAT)

    def _info(self) -> Record:
        return Record(self._rpc.call("getblockchaininfo"), what="getblockchaininfo")


def _unsynced_reason(info: Record) -> str:
    height, headers = info.integer("blocks"), info.integer("headers")
    # Only zcashd tells this.
    if "initial_block_download_complete" in info and not info.boolean("initial_block_download_complete"):
        return f"The node is downloading the chain: block {height} of {headers}."
    if headers - height > MAX_BLOCKS_BEHIND:
        return f"The node is {headers - height} blocks behind: block {height} of {headers}."
    return ""
