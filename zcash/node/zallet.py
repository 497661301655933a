"""The wallet port on zallet and zebrad: wallet and chain behind two URLs, Orchard addresses.

zallet lists what its account received and paid; zebrad knows the best chain and every transparent address.
"""

from collections.abc import Sequence

from zcash.addresses import ORCHARD, Network

from . import holdings, zallet_outgoing, zallet_status
from .account import AccountWallet
from .chain import Chain, steady
from .diversified import Pool
from .port import ChainTransaction, NodeStatus, Outgoing, Receipt
from .rpc import RpcClient
from .zallet_receipts import Receipts
from .zallet_transaction import placed_transaction


class ZalletWallet(AccountWallet):
    """A `WalletPort` on zallet, for one account; `node_rpc` leads to the zebrad that it reads."""

    # A transparent receiver would run into the wallet's limit of ten unpaid addresses.
    pool = Pool("orchard", ORCHARD)
    # zallet itself asks for 3 confirmations of its own change and for 10 of others' money (ZIP-315).
    minconf = None

    def __init__(self, rpc: RpcClient, *, node_rpc: RpcClient, network: Network, account_uuid: str) -> None:
        super().__init__(rpc, chain=Chain(node_rpc), network=network, account=account_uuid)
        self._node_rpc = node_rpc
        self._account_uuid = account_uuid
        self._receipts = Receipts(rpc, chain=self._chain, account_uuid=account_uuid, network=network)

    def status(self) -> NodeStatus:
        """Return the best chain as far as the wallet has followed it."""
        return zallet_status.status(self._rpc, node_rpc=self._node_rpc, chain=self._chain)

    def receipts(self, addresses: Sequence[str], *, since_height: int = 0) -> list[Receipt]:
        """Return what the account's addresses received from a height on, spent or not, unmined included."""
        return self._receipts.of(addresses, since_height=since_height) if addresses else []

    def all_receipts(self, *, since_height: int) -> list[Receipt] | None:
        """Return what all addresses of the account received since a height, unmined included."""
        return self._receipts.since(since_height)

    def transaction(self, txid: str) -> ChainTransaction | None:
        """Return where a transaction stands on the best chain, None when the wallet does not know it."""
        return steady(
            lambda: placed_transaction(self._rpc, node_rpc=self._node_rpc, chain=self._chain, txid=txid)
        )

    def transparent_balance(self, address: str) -> int | None:
        """Return the public balance of any transparent address, in zatoshis, from mined transactions."""
        return self._chain.transparent_balance(address)

    def holdings(self) -> int:
        """Return the zatoshis of the account, unmined ones and its own change included."""
        return holdings.of_uuid(self._rpc, account_uuid=self._account_uuid)

    def outgoing(self, *, since_height: int, known_txids: Sequence[str] = ()) -> Outgoing:
        """Return what the account paid to others in blocks above a height, unmined and expired included."""
        return zallet_outgoing.outgoing(
            self._rpc,
            chain=self._chain,
            account_uuid=self._account_uuid,
            since_height=since_height,
            known_txids=known_txids,
        )
