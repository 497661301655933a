"""Where a transaction of zallet's wallet stands on the best chain."""

from .chain import Chain, ChainMovedError
from .port import ChainTransaction
from .rpc import RpcClient
from .transactions import STATES, find, require_about

_METHOD = "z_viewtransaction"
# What zebrad tells of a transaction in a block that the best chain has left.
_SIDE_CHAIN = -1


def placed_transaction(
    rpc: RpcClient, *, node_rpc: RpcClient, chain: Chain, txid: str
) -> ChainTransaction | None:
    """Return where a transaction stands, None when the wallet does not know it.

    Whether it is mined is the node's to say, so that a wallet that lags behind takes nothing back. Which
    unmined one has lost its money to another transaction neither of them tells.

    Raises:
        ChainMovedError: the chain moved, or the wallet has yet to see that it did.
    """
    known = state(rpc, txid=txid)
    if known is None:
        return None
    if mined := _mined(node_rpc, chain=chain, txid=txid):
        return mined
    if known == "mined":
        raise ChainMovedError
    # zallet's confirmations say nothing here: they are -1 for whatever is unmined.
    return ChainTransaction(txid, None, None, 0, expired=known == "expired")


def state(rpc: RpcClient, *, txid: str) -> str | None:
    """Return what the wallet says of a transaction, None when it does not know it."""
    answer = find(rpc, _METHOD, txid)
    if answer is None:
        return None
    require_about(txid, answer, method=_METHOD)
    return answer.choice("status", choices=STATES)


def _mined(node_rpc: RpcClient, *, chain: Chain, txid: str) -> ChainTransaction | None:
    method = "getrawtransaction"
    tip = chain.tip()
    answer = find(node_rpc, method, txid, 1)
    if answer is None:
        return None
    if "txid" in answer:
        require_about(txid, answer, method=method)
    # Absent while it waits in the mempool.
    height = answer.integer("height", low=_SIDE_CHAIN) if "height" in answer else _SIDE_CHAIN
    if height == _SIDE_CHAIN:
        return None
    block_hash = answer.hash("blockhash")
    if height > tip.height or chain.block_hash(height) != block_hash:
        raise ChainMovedError
    return ChainTransaction(txid, height, block_hash, tip.height - height + 1, expired=False)
