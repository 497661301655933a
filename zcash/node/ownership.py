"""Which addresses are those of the configured account, by `z_listaccounts`, as zcashd and zallet share it."""

from collections.abc import Iterator

from zcash.addresses import Address, AddressError, Network, parse

from .answers import Record, records
from .port import ForeignSource, NodeNotReady, NodeUnavailable
from .rpc import RpcClient

_METHOD = "z_listaccounts"
_WITH_ADDRESSES = True
_KINDS = ("ua", "sapling", "transparent")


class Ownership:
    """Knows the addresses of one account, of zcashd by its number and of zallet by its UUID.

    The wallet can only be asked for all addresses at once, and an account never loses one: so what was found
    to be its own is not asked for again.
    """

    def __init__(self, rpc: RpcClient, *, account: int | str, network: Network) -> None:
        self._rpc = rpc
        self._account = account
        self._network = network
        self._own: set[str] = set()

    def owns(self, address: str) -> bool:
        """Return whether each receiver of an address is the account's: it sees all that is paid there."""
        if address not in self._own:
            if not self._is_listed(address):
                return False
            self._own.add(address)
        return True

    def require(self, source: str) -> None:
        """Check, before the wallet is asked to pay, that it would pay from the account.

        Raises:
            ForeignSource: it would pay from another one, or not at all.
            NodeRefused, NodeNotReady: the wallet did not say; nothing was sent in this case either.
        """
        try:
            is_own = self.owns(source)
        except NodeUnavailable as error:
            # Of a payment it would leave open whether it was made.
            raise NodeNotReady(str(error)) from error
        if not is_own:
            raise ForeignSource

    def _is_listed(self, address: str) -> bool:
        wanted = _parsed(address, network=self._network)
        if wanted is None:
            return False
        listed = list(self._listed())
        return wanted.canonical in listed or _holds(listed, wanted=wanted, network=self._network)

    def _listed(self) -> Iterator[str]:
        # zcashd's takes no parameter.
        options = [_WITH_ADDRESSES] if isinstance(self._account, str) else []
        for account in records(self._rpc.call(_METHOD, *options), what=_METHOD):
            if self._is_ours(account):
                for entry in account.records("addresses"):
                    yield from _texts(entry)

    def _is_ours(self, account: Record) -> bool:
        if isinstance(self._account, str):
            return account.text("account_uuid") == self._account
        return account.integer("account") == self._account


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
