"""What both wallets do alike for one account: addresses, sends, and what the chain says of a block."""

from collections.abc import Sequence

from zcash.addresses import Network

from . import operations
from .chain import Chain
from .diversified import Pool, address_at
from .ownership import Ownership
from .port import Operation, Payment, PrivacyPolicy, WalletAddress
from .rpc import RpcClient


class AccountWallet:
    """The common half of the drivers, of zcashd by the account's number and of zallet by its UUID.

    `minconf` is how deep notes lie before they are spent; None leaves that to the wallet.
    """

    pool: Pool
    minconf: int | None

    def __init__(self, rpc: RpcClient, *, chain: Chain, network: Network, account: int | str) -> None:
        self._rpc = rpc
        self._chain = chain
        self._network = network
        self._account = account
        self._ownership = Ownership(rpc, account=account, network=network)

    def new_address(self, index: int) -> WalletAddress:
        """Return the unified address with the pool's receiver alone, at a diversifier index."""
        return address_at(self._rpc, index, account=self._account, pool=self.pool, network=self._network)

    def block_hash(self, height: int) -> str | None:
        """Return the hash of the best chain's block at a height, None above the tip."""
        return self._chain.find_block_hash(height)

    def owns(self, address: str) -> bool:
        """Return whether the account sees everything that this address receives."""
        return self._ownership.owns(address)

    def send(self, payments: Sequence[Payment], *, source: str, policy: PrivacyPolicy) -> str:
        """Start one transaction to all recipients; return the operation's id."""
        self._ownership.require(source)
        return operations.send(self._rpc, payments, source=source, policy=policy, minconf=self.minconf)

    def operation(self, operation_id: str) -> Operation | None:
        """Return how far a send is; None where the wallet has forgotten it, as at every restart."""
        return operations.operation(self._rpc, operation_id)

    def is_sending(self) -> bool:
        """Return whether the wallet works on any send, whoever asked for it."""
        return operations.is_sending(self._rpc)
