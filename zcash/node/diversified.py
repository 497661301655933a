"""Addresses of an account by `z_getaddressforaccount`, verified, as zcashd and zallet share it."""

from dataclasses import dataclass

from zcash.addresses import AddressError, Kind, Network, parse

from .answers import Record, unexpected
from .port import IndexUnusable, NodeRefused, WalletAddress
from .rpc import RpcClient

_METHOD = "z_getaddressforaccount"
# ZIP-32: a diversifier index has 88 bits.
_MAX_INDEX = 2**88 - 1
_WALLET_ERROR = -4


@dataclass(frozen=True, slots=True)
class Pool:
    """The one shielded receiver that the addresses of a wallet have: its RPC name and typecode (ZIP-316)."""

    name: str
    typecode: int


def address_at(
    rpc: RpcClient, index: int, *, account: int | str, pool: Pool, network: Network
) -> WalletAddress:
    """Return the unified address at a diversifier index, which has a receiver of one pool alone.

    Raises:
        IndexUnusable: no address exists at this index, or one with other receivers was handed out.
        NodeUnavailable: also when the wallet answers with any other address.
    """
    try:
        answer = Record(rpc.call(_METHOD, account, [pool.name], index), what=_METHOD)
    except NodeRefused as refusal:
        _raise_if_index_unusable(refusal)
        raise
    if answer.integer("diversifier_index", high=_MAX_INDEX) != index:
        unexpected(_METHOD, "is for another diversifier index")
    return WalletAddress(_checked(answer.text("address"), pool=pool, network=network), index)


def _checked(address: str, *, pool: Pool, network: Network) -> str:
    what = f"{_METHOD}.address"
    try:
        parsed = parse(address, network=network)
    except AddressError as error:
        unexpected(what, f"is {error}")
    if parsed.kind is not Kind.UNIFIED or [each.typecode for each in parsed.receivers] != [pool.typecode]:
        unexpected(what, f"is no unified address with a receiver for {pool.name} alone")
    return parsed.canonical


def _raise_if_index_unusable(refusal: NodeRefused) -> None:
    # An account that does not exist is -4 too, and no other index would help it.
    if refusal.rpc_code == _WALLET_ERROR and "diversifier index" in refusal.rpc_message:
        raise IndexUnusable(
            refusal.method, rpc_code=refusal.rpc_code, rpc_message=refusal.rpc_message
        ) from refusal
