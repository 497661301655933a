"""Where a transaction of zcashd's wallet stands on the best chain."""

from .answers import MAX_HEIGHT, Record
from .chain import Chain, ChainMovedError, Tip
from .port import ChainTransaction
from .rpc import RpcClient
from .transactions import STATES, find, require_about

POOLS = frozenset({"transparent", "sapling", "orchard"})
_METHOD = "gettransaction"


def placed_transaction(rpc: RpcClient, *, chain: Chain, txid: str, tip: Tip) -> ChainTransaction | None:
    """Return where a transaction stands on the chain up to `tip`, None when the wallet does not know it.

    Raises:
        ChainMovedError: the chain moved meanwhile.
    """
    answer = find(rpc, _METHOD, txid)
    if answer is None:
        return None
    require_about(txid, answer, method=_METHOD)
    confirmations = answer.integer("confirmations", low=-MAX_HEIGHT)
    if confirmations < 1:
        return _unmined(answer, txid=txid, confirmations=confirmations)
    # zcashd does not tell the height; the hash of the block at the computed one proves it.
    height, block_hash = tip.height - confirmations + 1, answer.hash("blockhash")
    if height < 0 or chain.block_hash(height) != block_hash:
        raise ChainMovedError
    return ChainTransaction(txid, height, block_hash, confirmations, expired=False)


def _unmined(answer: Record, *, txid: str, confirmations: int) -> ChainTransaction:
    expired = answer.choice("status", choices=STATES) == "expired"
    # Below 0 it is in no block of the best chain and the mempool does not want it: its money went elsewhere,
    # or, more rarely, the node has dropped it. It is no proof that it will never be mined; the expiry is.
    return ChainTransaction(txid, None, None, 0, expired, conflicted=confirmations < 0 and not expired)
