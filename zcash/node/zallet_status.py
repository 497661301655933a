"""How far zallet has followed the chain, and what that makes of the node's state."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from .answers import Record
from .chain import MAX_BLOCKS_BEHIND, Chain, ChainMovedError, Tip, steady
from .port import NodeNotReady, NodeRefused, NodeStatus
from .rpc import RpcClient

METHOD = "getwalletstatus"
_METHOD_NOT_FOUND = -32601
# zebrad calls every chain but the main one `test`, regtest's too: the genesis block tells them apart.
_TESTNET_GENESIS_HASH = "05a60a92d99d85997cce3b87616c089f6124d7342af37106edc76126334a2c38"

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class WalletView:
    """What the wallet has seen: its best block, and below it the block up to which nothing is unread."""

    tip: Tip
    complete_height: int
    locked: bool

    @property
    def is_complete(self) -> bool:
        """Whether the wallet has read every block up to its own tip, and does not repair what it read."""
        return self.complete_height >= self.tip.height and not self.locked


def wallet_view(rpc: RpcClient) -> WalletView:
    """Return what the wallet has seen of the chain.

    Raises:
        NodeNotReady: it has not begun to follow the chain.
    """
    answer = Record(rpc.call(METHOD), what=METHOD)
    if "wallet_tip" not in answer:
        raise NodeNotReady("the wallet has not begun to follow the chain")
    tip = answer.record("wallet_tip")
    # Absent where not even the wallet's first block is read.
    complete_height = answer.integer("fully_synced_height") if "fully_synced_height" in answer else 0
    return WalletView(
        tip=Tip(tip.integer("height"), tip.hash("blockhash")),
        complete_height=complete_height,
        locked="locked" in answer and answer.boolean("locked"),
    )


def consistent(rpc: RpcClient, *, chain: Chain, read: Callable[[WalletView], Value]) -> Value:
    """Return what `read` finds while the wallet stands on one block of the node's best chain.

    Raises:
        NodeUnavailable: it moved at every try, or stands on a branch that the node has left.
    """

    def attempt() -> Value:
        view = wallet_view(rpc)
        value = read(view)
        if chain.block_hash(view.tip.height) != view.tip.hash or wallet_view(rpc).tip != view.tip:
            raise ChainMovedError
        return value

    return steady(attempt)


def status(rpc: RpcClient, *, node_rpc: RpcClient, chain: Chain) -> NodeStatus:
    """Return the best chain as the wallet sees it, and what the node adds to that."""
    view = wallet_view(rpc)
    node = chain.status()
    reason = node.reason or _unsynced_reason(view, node=node, chain=chain)
    return replace(
        node,
        chain=_chain_name(node),
        height=view.tip.height,
        tip_hash=view.tip.hash,
        synced=not reason,
        reason=reason,
        locked=view.locked,
        end_of_service_height=_end_of_service_height(node_rpc),
    )


def _unsynced_reason(view: WalletView, *, node: NodeStatus, chain: Chain) -> str:
    height = min(view.tip.height, view.complete_height)
    behind = node.height - height
    if behind > MAX_BLOCKS_BEHIND:
        return f"The wallet is {behind} blocks behind the node: block {height} of {node.height}."
    if chain.find_block_hash(view.tip.height) != view.tip.hash:
        return f"The wallet stands on a block {view.tip.height} that is not on the node's best chain."
    return ""


def _chain_name(node: NodeStatus) -> str:
    is_private = node.chain == "test" and node.genesis_hash != _TESTNET_GENESIS_HASH
    return "regtest" if is_private else node.chain


def _end_of_service_height(node_rpc: RpcClient) -> int | None:
    method = "getdeprecationinfo"
    try:
        answer = Record(node_rpc.call(method), what=method)
    except NodeRefused as refusal:
        if refusal.rpc_code == _METHOD_NOT_FOUND:
            return None
        raise
    # Only on the main network does zebrad stop.
    return answer.record("end_of_service").integer("block_height") if "end_of_service" in answer else None
