"""zallet's view of the chain and of itself."""

from .blocks import Block
from .errors import Code, RpcError
from .history import AccountTransaction
from .jsontext import Json
from .node import Node
from .openrpc import OpenRegistry
from .params import Params

methods = OpenRegistry()

# zallet's `sync.lock_threshold`.
_MOST_BEHIND = 100


@methods.method("getwalletstatus", "Returns how far the wallet has seen the node's chain.")
def getwalletstatus(node: Node, _params: Params) -> Json:
    """Answer with both tips and whether the wallet has locked itself."""
    seen = wallet_tip(node)
    blank = node.condition.blank
    status: dict[str, Json] = {
        "node_tip": _tip(node.chain.tip),
        "wallet_tip": _tip(seen),
        "fully_synced_height": 0 if blank else seen.height,
        "birthday_height": 0,
        "locked": _lock(node) is not None,
    }
    missing = node.chain.tip.height - (0 if blank else seen.height)
    if missing:
        progress: Json = {"numerator": node.chain.tip.height - missing, "denominator": node.chain.tip.height}
        status["sync_work_remaining"] = {"unscanned_blocks": missing, "progress": progress}
    return status


def _tip(block: Block) -> Json:
    return {"blockhash": block.hash, "height": block.height}


def wallet_tip(node: Node) -> Block:
    """Return the last block that the wallet has seen."""
    return node.chain.blocks[max(0, node.chain.tip.height - node.condition.behind)]


def check_unlocked(node: Node) -> None:
    """Refuse a call about balances or spending while the wallet cannot trust its own view.

    Raises:
        RpcError: -10 more than 100 blocks behind the node, -2 while recovering from a reorg.
    """
    if lock := _lock(node):
        raise lock


def _lock(node: Node) -> RpcError | None:
    # Even of a chain that is shorter: what counts is what the wallet says.
    behind = node.condition.behind
    if behind > _MOST_BEHIND:
        return RpcError(Code.INITIAL_DOWNLOAD, f"The wallet is {behind} blocks behind the chain tip")
    if node.condition.recovering or node.condition.locked:
        return RpcError(Code.SAFE_MODE, "The wallet is locked while it recovers from a chain reorganization")
    return None


def is_seen(node: Node, found: AccountTransaction) -> bool:
    """Return whether the wallet has seen a transaction: not in a block that it has yet to come to."""
    return found.place is None or found.place.block.height <= wallet_tip(node).height
