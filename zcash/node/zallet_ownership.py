"""Which addresses are those of zallet's account."""

from collections.abc import Iterator

from zcash.addresses import Address, AddressError, Network, parse

from .answers import Record, records
from .rpc import RpcClient

_METHOD = "z_listaccounts"
_WITH_ADDRESSES = True
_KINDS = ("ua", "sapling", "transparent")


def owns(rpc: RpcClient, address: str, *, account_uuid: str, network: Network) -> bool:
    """Return whether each receiver of an address is the account's, so that it sees all that is paid there."""
    wanted = _parsed(address, network=network)
    if wanted is None:
        return False
    listed = list(_addresses(rpc, account_uuid=account_uuid))
    return wanted.canonical in listed or _holds(listed, wanted=wanted, network=network)


def _addresses(rpc: RpcClient, *, account_uuid: str) -> Iterator[str]:
    for account in records(rpc.call(_METHOD, _WITH_ADDRESSES), what=_METHOD):
        if account.text("account_uuid") == account_uuid:
            for entry in account.records("addresses"):
                yield from _texts(entry)


def _texts(entry: Record) -> list[str]:
    return [entry.text(kind) for kind in _KINDS if kind in entry]


def _holds(listed: list[str], *, wanted: Address, network: Network) -> bool:
    missing = set(wanted.receivers)
    for text in listed:
        own = _parsed(text, network=network)
        missing -= set(own.receivers) if own else set()
        if not missing:
            return True
    return False


def _parsed(address: str, *, network: Network) -> Address | None:
    # One of a kind that PayGo does not know is never the one that is looked for.
    try:
        return parse(address, network=network)
    except AddressError:
        return None
