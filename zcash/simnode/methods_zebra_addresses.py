"""zebrad's index of transparent addresses: any of the world, mined transactions only."""

from zcash.addresses import P2PKH, AddressError, Receiver, parse

from .blocks import Place
from .errors import Code, RpcError
from .jsontext import Json
from .methods_transactions import t_address
from .node import Node
from .openrpc import OpenRegistry
from .params import Params
from .transactions import OutPoint
from .wallet import NETWORK

methods = OpenRegistry()

_MAX_ADDRESSES = 1000
_SCRIPTS = {True: ("76a914", "88ac"), False: ("a914", "87")}


@methods.method(
    "getaddressbalance address_strings", "Returns the balance of t-addresses, in zatoshis.", fewest=1
)
def getaddressbalance(node: Node, params: Params) -> Json:
    """Answer with what is unspent and with all that ever came in."""
    mined = [point for receiver in _receivers(params) for point in _mined(node, receiver)]
    zat = {point: node.chain.output(point).amount_zat for point in mined}
    return {
        "balance": sum(zat[point] for point in mined if _spender(node, point) is None),
        "received": sum(zat.values()),
    }


@methods.method("getaddresstxids request", "Returns the transactions of t-addresses, oldest first.", fewest=1)
def getaddresstxids(node: Node, params: Params) -> Json:
    """Answer with the txids of all that pay or spend, within heights where these are given."""
    found: set[str] = set()
    for point in [point for receiver in _receivers(params) for point in _mined(node, receiver)]:
        found |= {txid for txid in (point.txid, _spender(node, point)) if txid}
    low, high = _heights(node, params)
    places = {txid: _place(node, txid) for txid in found}
    kept = [txid for txid in found if low <= places[txid].block.height <= high]
    return [*sorted(kept, key=lambda txid: (places[txid].block.height, places[txid].index))]


@methods.method("getaddressutxos request", "Returns the unspent outputs of t-addresses.", fewest=1)
def getaddressutxos(node: Node, params: Params) -> Json:
    """Answer with one row for each, and with the tip where `chainInfo` asks for it."""
    rows: list[Json] = [
        _utxo(node, point)
        for receiver in _receivers(params)
        for point in _mined(node, receiver)
        if _spender(node, point) is None
    ]
    if not _request(params).get("chainInfo"):
        return rows
    return {"utxos": rows, "hash": node.chain.tip.hash, "height": node.chain.tip.height}


def _utxo(node: Node, point: OutPoint) -> Json:
    output = node.chain.output(point)
    head, tail = _SCRIPTS[output.receiver.typecode == P2PKH]
    return {
        "address": t_address(output.receiver),
        "txid": point.txid,
        "outputIndex": node.chain.transactions[point.txid].pool_index(point.index),
        "script": head + output.receiver.data.hex() + tail,
        "satoshis": output.amount_zat,
        "height": _place(node, point.txid).block.height,
    }


def _request(params: Params) -> dict[str, Json]:
    request = params.get(0)
    if not isinstance(request, dict):
        raise RpcError(Code.INVALID_PARAMS, "Invalid params: expected an object with addresses")
    return request


def _receivers(params: Params) -> list[Receiver]:
    addresses = _request(params).get("addresses")
    if not isinstance(addresses, list) or len(addresses) > _MAX_ADDRESSES:
        raise RpcError(Code.INVALID_PARAMS, "Invalid params: expected an array of addresses")
    # Whoever names an address twice does not own twice as much.
    return list(dict.fromkeys(map(_receiver, addresses)))


def _receiver(text: Json) -> Receiver:
    try:
        address = parse(text if isinstance(text, str) else "", network=NETWORK)
    except AddressError as error:
        raise RpcError(Code.ADDRESS, f"invalid address: {error}") from error
    if not address.is_transparent:
        raise RpcError(Code.ADDRESS, "invalid address: only transparent addresses are public")
    return address.receivers[0]


def _mined(node: Node, receiver: Receiver) -> list[OutPoint]:
    points = [OutPoint(*each) for each in node.chain.outputs_to(receiver)]
    return [point for point in points if node.chain.place(point.txid)]


def _spender(node: Node, point: OutPoint) -> str | None:
    return next((txid for txid in node.chain.spenders(point) if node.chain.place(txid)), None)


def _place(node: Node, txid: str) -> Place:
    place = node.chain.place(txid)
    assert place is not None
    return place


def _heights(node: Node, params: Params) -> tuple[int, int]:
    request = _request(params)
    given = [request.get("start"), request.get("end")]
    low, high = (each if isinstance(each, int) else None for each in given)
    return low or 0, high or node.chain.tip.height
