"""zebrad's methods: the chain, the mempool, and any transparent address (zebra, zebra-rpc/src/methods.rs)."""

from zcash.addresses import Address, AddressError, Kind, parse

from . import methods_addresses, methods_chain, methods_mempool
from .amounts import Zec
from .errors import Code, RpcError
from .jsontext import Json
from .node import Node
from .openrpc import OpenRegistry
from .params import Params
from .pools import POOLS, pool_name
from .wallet import NETWORK

methods = OpenRegistry()

# A regtest zebrad of late 2026 says that its chain is a test one: only its genesis block tells regtest.
_CHAIN_NAME = "test"
_VERSION = 6_03_00
_BUILD = "v6.3.0-simulated"
_SUBVERSION = "/Zebra:6.3.0(simulated)/"
_PROTOCOL_VERSION = 170_160
_MARGINAL_FEE_ZAT = 5000
_BRANCHES = {
    "5ba81b19": "Overwinter",
    "76b809bb": "Sapling",
    "2bb40e60": "Blossom",
    "f5b9230b": "Heartwood",
    "e9ff75a6": "Canopy",
    "c2d6d0b4": "NU5",
    "c8e71055": "NU6",
    "4dec4df0": "NU6.1",
    "37a5165b": "NU6.3",
}


@methods.method("getblockchaininfo", "Returns the state of the best chain.")
def getblockchaininfo(node: Node, _params: Params) -> Json:
    """Answer with the state of the best chain."""
    tip = node.chain.tip
    mined_zat = dict.fromkeys(POOLS, 0)
    for pool, zat in node.chain.mined_zat.items():
        mined_zat[pool_name(pool)] += zat
    return {
        "chain": _CHAIN_NAME,
        "blocks": tip.height,
        "headers": tip.height,
        "difficulty": 1,
        "verificationprogress": 1,
        "chainwork": 0,
        "pruned": False,
        "size_on_disk": 0,
        "commitments": 0,
        "bestblockhash": tip.hash,
        "estimatedheight": tip.height,
        "chainSupply": _supply("", sum(mined_zat.values())),
        "valuePools": [_supply(pool, zat) for pool, zat in mined_zat.items()],
        **methods_chain.upgrades(_BRANCHES, height=tip.height),
    }


def _supply(pool: str, zat: int) -> Json:
    return {"id": pool, "monitored": zat > 0, "chainValue": Zec(zat), "chainValueZat": zat}


@methods.method("getinfo", "Returns a summary of the node.")
def getinfo(node: Node, _params: Params) -> Json:
    """Answer with a summary."""
    return {
        "version": _VERSION,
        "build": _BUILD,
        "subversion": _SUBVERSION,
        "protocolversion": _PROTOCOL_VERSION,
        "blocks": node.chain.tip.height,
        "connections": 0,
        "proxy": None,
        "difficulty": 1,
        "testnet": True,
        "paytxfee": 0,
        "relayfee": methods_chain.RELAY_FEE,
        "errors": "no errors",
        "errorstimestamp": "",
    }


@methods.method("getnetworkinfo", "Returns the state of the peer-to-peer network: none, in a simulated node.")
def getnetworkinfo(_node: Node, _params: Params) -> Json:
    """Answer with versions and connections."""
    return methods_chain.network_info(
        {"version": _VERSION, "subversion": _SUBVERSION, "protocolversion": _PROTOCOL_VERSION},
        services="0000000000000001",
    )


methods.method("getblockcount", "Returns the height of the best block.")(methods_chain.getblockcount)
methods.method("getbestblockhash", "Returns the hash of the best block.")(methods_chain.getbestblockhash)
methods.method("getrawmempool ( verbose )", "Returns the transactions that wait to be mined.")(
    methods_mempool.getrawmempool
)
methods.method("getrawtransaction txid ( verbose blockhash )", "Returns a transaction.", fewest=1)(
    methods_mempool.getrawtransaction
)


@methods.method("getbestblockheightandhash", "Returns the height and hash of the best block.")
def getbestblockheightandhash(node: Node, _params: Params) -> Json:
    """Answer with both about the same tip."""
    return {"height": node.chain.tip.height, "hash": node.chain.tip.hash}


@methods.method("getblockhash index", "Returns the hash of the best chain's block at a height.", fewest=1)
def getblockhash(node: Node, params: Params) -> Json:
    """Answer with the hash at a height; -1 is the best block."""
    refusal = RpcError(Code.INVALID_PARAMS, "Provided index is greater than the current tip")
    return methods_chain.hash_at(node, params.integer(0), refusal=refusal)


@methods.method("getdeprecationinfo", "Returns when this software stops by itself: only mainnet's does.")
def getdeprecationinfo(_node: Node, _params: Params) -> Json:
    """Answer with nothing, as off mainnet."""
    return {}


@methods.method("getstandardfee", "Returns the marginal fee of ZIP-317 in zatoshis.")
def getstandardfee(_node: Node, _params: Params) -> Json:
    """Answer with the fee for one logical action."""
    return {"standard_fee": _MARGINAL_FEE_ZAT, "version": 0}


@methods.method("validateaddress address", "Returns whether a transparent address is valid.", fewest=1)
def validateaddress(_node: Node, params: Params) -> Json:
    """Answer about a t-address or TEX address."""
    address = _parse(params.text(0))
    if address is None or not address.is_transparent:
        return {"isvalid": False}
    return {"isvalid": True, "address": address.canonical, "isscript": address.kind is Kind.P2SH}


@methods.method("z_validateaddress address", "Returns whether an address is valid.", fewest=1)
def z_validateaddress(_node: Node, params: Params) -> Json:
    """Answer about an address; a node without a wallet owns none."""
    address = _parse(params.text(0))
    if address is None or address.kind is Kind.TEX:
        return {"isvalid": False}
    return {
        "isvalid": True,
        "address": address.canonical,
        "address_type": address.kind.value,
        "ismine": False,
    }


def _parse(text: str) -> Address | None:
    try:
        return parse(text, network=NETWORK)
    except AddressError:
        return None


@methods.method("z_listunifiedreceivers address", "Returns a unified address's receivers.", fewest=1)
def z_listunifiedreceivers(node: Node, params: Params) -> Json:
    """Answer with each receiver as an address of its own."""
    return methods_addresses.z_listunifiedreceivers(node, params)
