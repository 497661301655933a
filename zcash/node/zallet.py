"""The wallet port on zallet and zebrad: wallet and chain behind two URLs, Orchard addresses.

zallet lists what its account received and paid; zebrad knows the best chain and every transparent address.
"""

from collections.abc import Sequence

from zcash.addresses import ORCHARD, Network

from . import operations, zallet_outgoing, zallet_status
from .chain import Chain, steady
from .diversified import Pool, address_at
from .ownership import Ownership
from .port import (
    ChainTransaction,
    NodeStatus,
    Operation,
    Outgoing,
    Payment,
    PrivacyPolicy,
    Receipt,
    WalletAddress,
)
from .rpc import RpcClient
from .zallet_receipts import Receipts
from .zallet_transaction import placed_transaction

# A transparent receiver would run into the wallet's limit of ten unpaid addresses.
_POOL = Pool("orchard", ORCHARD)


class ZalletWallet:
    """A `WalletPort` on zallet, for one account; `node_rpc` leads to the zebrad that it reads."""

    def __init__(self, rpc: RpcClient, *, node_rpc: RpcClient, network: Network, account_uuid: str) -> None:
        self._rpc = rpc
        self._node_rpc = node_rpc
        self._chain = Chain(node_rpc)
        self._network = network
        self._account_uuid = account_uuid
        self._ownership = Ownership(rpc, account=account_uuid, network=network)
        self._receipts = Receipts(rpc, chain=self._chain, account_uuid=account_uuid, network=network)

    def status(self) -> NodeStatus:
        """Return the best chain as far as the wallet has followed it."""
        return zallet_status.status(self._rpc, node_rpc=self._node_rpc, chain=self._chain)

    def new_address(self, index: int) -> WalletAddress:
        """Return the Orchard-only unified address at a diversifier index."""
        return address_at(self._rpc, index, account=self._account_uuid, pool=_POOL, network=self._network)

    def receipts(self, addresses: Sequence[str], *, since_height: int = 0) -> list[Receipt]:
        """Return what the account's addresses received from a height on, spent or not, unmined included."""
        return self._receipts.of(addresses, since_height=since_height) if addresses else []

    def all_receipts(self, *, since_height: int) -> list[Receipt] | None:
        """Return what all addresses of the account received since a height, unmined included."""
        return self._receipts.since(since_height)

    def block_hash(self, height: int) -> str | None:
        """Return the hash of the best chain's block at a height, None above the tip."""
        return self._chain.find_block_hash(height)

    def transaction(self, txid: str) -> ChainTransaction | None:
        """Return where a transaction stands on the best chain, None when the wallet does not know it."""
        return steady(
            lambda: placed_transaction(self._rpc, node_rpc=self._node_rpc, chain=self._chain, txid=txid)
        )

    def transparent_balance(self, address: str) -> int | None:
        """Return the public balance of any transparent address, in zatoshis, from mined transactions."""
        return self._chain.transparent_balance(address)

    def owns(self, address: str) -> bool:
        """Return whether the account sees everything that this address receives."""
        return self._ownership.owns(address)

    def send(self, payments: Sequence[Payment], *, source: str, policy: PrivacyPolicy) -> str:
        """Start one transaction to all recipients; return the operation's id."""
        self._ownership.require(source)
        # zallet itself asks for 3 confirmations of its own change and for 10 of others' money (ZIP-315).
        return operations.send(self._rpc, payments, source=source, policy=policy, minconf=None)

    def operation(self, operation_id: str) -> Operation | None:
        """Return how far a send is; None where the wallet has forgotten it, as at every restart."""
        return operations.operation(self._rpc, operation_id)

    def is_sending(self) -> bool:
        """Return whether the wallet works on any send, whoever asked for it."""
        return operations.is_sending(self._rpc)

    def outgoing(self, *, since_height: int, known_txids: Sequence[str] = ()) -> Outgoing:
        """Return what the account paid to others in blocks above a height, unmined and expired included."""
        return zallet_outgoing.outgoing(
            self._rpc,
            chain=self._chain,
            account_uuid=self._account_uuid,
            since_height=since_height,
            known_txids=known_txids,
        )
