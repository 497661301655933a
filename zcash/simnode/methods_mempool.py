"""Methods about transactions of anybody, and blocks that the node is told to leave."""

from .amounts import Zec
from .blocks import GENESIS, Block
from .errors import Code, RpcError
from .jsontext import Json
from .methods import Registry
from .methods_transactions import t_address, txid_param
from .node import Node
from .params import Params
from .transactions import Output, Transaction

methods = Registry()

_TRANSACTION_VERSION = 5


@methods.method("getrawmempool ( verbose )", "Returns the transactions that wait to be mined.", most=1)
def getrawmempool(node: Node, params: Params) -> Json:
    """Answer with their txids, or with a little about each."""
    chain = node.chain
    waiting = list(chain.mempool)
    if not params.boolean(0, default=False):
        return list[Json](waiting)
    return {
        txid: {
            "fee": Zec(chain.fee_zat(chain.transactions[txid]) or 0),
            "time": chain.transactions[txid].time,
            "depends": [each.txid for each in chain.transactions[txid].inputs if each.txid in waiting],
        }
        for txid in waiting
    }


@methods.method(
    "getrawtransaction txid ( verbose blockhash )",
    "Returns a transaction of the mempool, of the best chain, or of the named block.",
    fewest=1,
    most=3,
)
def getrawtransaction(node: Node, params: Params) -> Json:
    """Answer with its bytes in hex, or with its transparent parts."""
    txid, verbose = txid_param(params, at=0), _verbose(params)
    block = None if params.get(2) is None else _block(node, params, at=2)
    if block is None and not node.chain.is_alive(txid):
        message = "No such mempool or blockchain transaction. Use gettransaction for wallet transactions."
        raise RpcError(Code.ADDRESS, message)
    if block is not None and txid not in block.txids:
        raise RpcError(Code.ADDRESS, "No such transaction found in the provided block")
    transaction = node.chain.transactions[txid]
    encoded = transaction.serialized(salt=node.chain.salt).hex()
    if not verbose:
        return encoded
    return {"hex": encoded, **_decoded(transaction, txid=txid), **_mined(node, txid, block=block)}


def _verbose(params: Params) -> bool:
    value = params.get(1)
    return value if isinstance(value, bool) else params.integer(1, default=0) != 0


def _decoded(transaction: Transaction, *, txid: str) -> dict[str, Json]:
    transparent = [each for each in transaction.outputs if each.pool == "transparent"]
    return {
        "txid": txid,
        "version": _TRANSACTION_VERSION,
        "overwintered": True,
        "locktime": 0,
        "expiryheight": transaction.expiry_height,
        "vin": [],
        "vout": [_vout(output, number=number) for number, output in enumerate(transparent)],
    }


def _vout(output: Output, *, number: int) -> Json:
    return {
        "value": Zec(output.amount_zat),
        "valueZat": output.amount_zat,
        "valueSat": output.amount_zat,
        "n": number,
        "scriptPubKey": {"addresses": [t_address(output.receiver)]},
    }


def _mined(node: Node, txid: str, *, block: Block | None) -> dict[str, Json]:
    if block is None:
        place = node.chain.place(txid)
        if place is None:
            return {}
        block = place.block
    is_best = node.chain.is_on_best_chain(block)
    return {
        "blockhash": block.hash,
        "height": block.height if is_best else -1,
        "confirmations": node.chain.tip.height - block.height + 1 if is_best else 0,
        "time": block.time,
        "blocktime": block.time,
    }


def _block(node: Node, params: Params, *, at: int) -> Block:
    block = node.chain.block(txid_param(params, at=at))
    if block is None:
        raise RpcError(Code.ADDRESS, "Block not found")
    return block


@methods.method(
    "invalidateblock hash",
    "Leaves a block and all upon it; their transactions go back to the mempool.",
    fewest=1,
    most=1,
)
def invalidateblock(node: Node, params: Params) -> Json:
    """Move to the best branch without this block."""
    block = _block(node, params, at=0)
    if block == GENESIS:
        raise RpcError(Code.PARAMETER, "the genesis block cannot be left")
    node.invalidate(block)
    return None


@methods.method(
    "reconsiderblock hash",
    "Forgets that a block, or any below or upon it, was invalidated.",
    fewest=1,
    most=1,
)
def reconsiderblock(node: Node, params: Params) -> Json:
    """Move back to its branch where that is the longest."""
    node.reconsider(_block(node, params, at=0))
    return None
