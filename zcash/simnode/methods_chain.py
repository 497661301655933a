"""Methods about the node and its chain."""

from collections.abc import Mapping

from zcash.addresses import Address, AddressError, parse

from .amounts import Zec
from .chain import Chain
from .errors import Code, RpcError
from .jsontext import Json
from .methods import Registry
from .node import Node
from .params import Params
from .receipts import is_spent
from .transactions import POOLS, OutPoint
from .wallet import NETWORK

methods = Registry()

# zcashd 6.20.0 and the protocol it speaks.
_VERSION = 6_20_00_50
_PROTOCOL_VERSION = 170_140
_SUBVERSION = "/MagicBean:6.20.0(simulated)/"
_WALLET_VERSION = 60_000
RELAY_FEE = Zec(100)
_DIFFICULTY = 1
_BRANCHES = {
    "5ba81b19": "Overwinter",
    "76b809bb": "Sapling",
    "2bb40e60": "Blossom",
    "f5b9230b": "Heartwood",
    "e9ff75a6": "Canopy",
    "c2d6d0b4": "NU5",
    "c8e71055": "NU6",
}
_MAX_ADDRESSES = 1000


@methods.method("getblockchaininfo", "Returns the state of the best chain.")
def getblockchaininfo(node: Node, _params: Params) -> Json:
    """Answer with the state of the best chain."""
    chain = node.chain
    height = chain.tip.height
    return {
        "chain": NETWORK.value,
        "blocks": height,
        "initial_block_download_complete": True,
        "headers": height,
        "bestblockhash": chain.tip.hash,
        "difficulty": _DIFFICULTY,
        "verificationprogress": 1,
        "chainwork": f"{height + 1:064x}",
        "pruned": False,
        "estimatedheight": height,
        "chainSupply": _supply(sum(chain.mined_zat.values())),
        "valuePools": [{"id": pool, **_supply(chain.mined_zat[pool])} for pool in POOLS],
        **upgrades(_BRANCHES, height=height),
    }


def upgrades(branches: Mapping[str, str], *, height: int) -> dict[str, Json]:
    """Return what a node says of network upgrades, all of them active from block 1 on."""
    branch = list(branches)[-1]
    return {
        "upgrades": {
            each: {"name": name, "activationheight": 1, "status": "active" if height else "pending"}
            for each, name in branches.items()
        },
        "consensus": {"chaintip": branch if height else "00000000", "nextblock": branch},
    }


def _supply(zat: int) -> dict[str, Json]:
    return {"monitored": True, "chainValue": Zec(zat), "chainValueZat": zat}


@methods.method("getnetworkinfo", "Returns the state of the peer-to-peer network: none, in a simulated node.")
def getnetworkinfo(_node: Node, _params: Params) -> Json:
    """Answer with versions and connections."""
    return network_info(
        {"version": _VERSION, "subversion": _SUBVERSION, "protocolversion": _PROTOCOL_VERSION},
        services="0000000000000005",
    )


def network_info(software: dict[str, Json], *, services: str) -> Json:
    """Return what a node without any peers says of its network."""
    return {
        **software,
        "localservices": services,
        "timeoffset": 0,
        "connections": 0,
        "networks": [],
        "relayfee": RELAY_FEE,
        "localaddresses": [],
        "warnings": "",
    }


@methods.method("getinfo", "Returns a summary of the node and its wallet.")
def getinfo(node: Node, _params: Params) -> Json:
    """Answer with a summary."""
    return {
        "version": _VERSION,
        "build": "v6.20.0-simulated",
        "subversion": _SUBVERSION,
        "protocolversion": _PROTOCOL_VERSION,
        "walletversion": _WALLET_VERSION,
        "blocks": node.chain.tip.height,
        "timeoffset": 0,
        "connections": 0,
        "proxy": "",
        "difficulty": _DIFFICULTY,
        "testnet": False,
        "relayfee": RELAY_FEE,
        "errors": "",
    }


@methods.method("getblockcount", "Returns the height of the best block.")
def getblockcount(node: Node, _params: Params) -> Json:
    """Answer with the height of the tip."""
    return node.chain.tip.height


@methods.method("getbestblockhash", "Returns the hash of the best block.")
def getbestblockhash(node: Node, _params: Params) -> Json:
    """Answer with the hash of the tip."""
    return node.chain.tip.hash


@methods.method(
    "getblockhash index",
    "Returns the hash of the best chain's block at a height; -1 is the best block, -2 the one before.",
    fewest=1,
    most=1,
)
def getblockhash(node: Node, params: Params) -> Json:
    """Answer with the hash at a height."""
    return hash_at(node, params.integer(0), refusal=RpcError(Code.PARAMETER, "Block height out of range"))


def hash_at(node: Node, height: int, *, refusal: RpcError) -> str:
    """Return the hash of the best chain's block at a height, counted from the tip where it is negative."""
    tip = node.chain.tip.height
    if height < 0:
        height += tip + 1
    if not 0 <= height <= tip:
        raise refusal
    return node.chain.blocks[height].hash


@methods.method(
    'getaddressbalance {"addresses": ["taddr", ...]}',
    "Returns the balance of transparent addresses, in zatoshis, from mined transactions.",
    fewest=1,
    most=1,
)
def getaddressbalance(node: Node, params: Params) -> Json:
    """Answer with the public balance of any transparent addresses."""
    # Whoever names an address twice does not own twice as much.
    addresses = {_transparent(text).canonical: _transparent(text) for text in _address_list(params)}
    mined = [point for address in addresses.values() for point in _mined(node.chain, address)]
    left = [point for point in mined if not _is_spent_in_a_block(node.chain, point)]
    return {"balance": _sum_zat(node.chain, left), "received": _sum_zat(node.chain, mined)}


def _address_list(params: Params) -> list[str]:
    value = params.get(0)
    if isinstance(value, str):
        return [value]
    if not isinstance(value, dict):
        raise RpcError(Code.ADDRESS, "Invalid address")
    addresses = value.get("addresses")
    if not isinstance(addresses, list):
        raise RpcError(Code.ADDRESS, "Addresses is expected to be an array")
    if len(addresses) > _MAX_ADDRESSES:
        raise RpcError(Code.PARAMETER, "Too many addresses")
    return Params([addresses]).texts(0)


def _transparent(text: str) -> Address:
    try:
        address = parse(text, network=NETWORK)
    except AddressError as error:
        raise RpcError(Code.ADDRESS, "Invalid address") from error
    if not address.is_transparent:
        raise RpcError(Code.ADDRESS, "Invalid address")
    return address


def _mined(chain: Chain, address: Address) -> list[OutPoint]:
    points = [OutPoint(*each) for receiver in address.receivers for each in chain.outputs_to(receiver)]
    return [point for point in points if chain.place(point.txid)]


def _is_spent_in_a_block(chain: Chain, point: OutPoint) -> bool:
    return is_spent(chain, point, as_of_height=chain.tip.height)


def _sum_zat(chain: Chain, points: list[OutPoint]) -> int:
    return sum(chain.output(point).amount_zat for point in points)
