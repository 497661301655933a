"""The wallet port on zcashd's RPC dialect: node and wallet behind one URL, Sapling addresses.

zcashd has no call that lists everything received, so each address is asked for.
"""

from collections.abc import Sequence

import structlog

from zcash.addresses import SAPLING, Network

from . import holdings
from .account import AccountWallet
from .chain import Chain, steady
from .diversified import Pool
from .port import ChainTransaction, NodeRefused, NodeStatus, Outgoing, Receipt
from .rpc import RpcClient
from .zcashd_outgoing import OutgoingScan
from .zcashd_receipts import Scan
from .zcashd_transaction import placed_transaction

log = structlog.get_logger(__name__)

# src/rpc/protocol.h of zcashd.
_MISC_ERROR = -1
_UNKNOWN_ADDRESS_OR_TXID = -5
_METHOD_NOT_FOUND = -32601


class ZcashdWallet(AccountWallet):
    """A `WalletPort` on zcashd; `account` is the number of the service's account in the wallet."""

    # Since network upgrade 6.3 an Orchard receiver is paid with notes that zcashd's wallet cannot see.
    pool = Pool("sapling", SAPLING)
    # As deep as zcashd's anchor lies by default: younger notes it cannot spend anyway. How deep the deposits
    # behind a payment must be is the caller's affair.
    minconf = 3

    def __init__(self, rpc: RpcClient, *, network: Network, account: int) -> None:
        super().__init__(rpc, chain=Chain(rpc), network=network, account=account)
        self._account_number = account

    def status(self) -> NodeStatus:
        """Return the node's best chain and whether it is synced."""
        return self._chain.status()

    def receipts(
        self,
        addresses: Sequence[str],
        *,
        since_height: int = 0,  # noqa: ARG002  # zcashd cannot be asked for a part
    ) -> list[Receipt]:
        """Return what the wallet's own addresses received, spent or not, unmined included, of any height."""
        scan = Scan(self._rpc, chain=self._chain)
        found: list[Receipt] = []
        for address in addresses:
            try:
                found += scan.receipts(address)
            except NodeRefused as refusal:
                if refusal.rpc_code != _UNKNOWN_ADDRESS_OR_TXID:
                    raise
                log.warning("wallet_does_not_know_address", address=address)
        return found

    def all_receipts(self, *, since_height: int) -> list[Receipt] | None:  # noqa: ARG002
        """Return None: zcashd has no list of everything received."""
        return None

    def transaction(self, txid: str) -> ChainTransaction | None:
        """Return where a transaction stands on the best chain, None when the wallet does not know it."""
        return steady(
            lambda: placed_transaction(self._rpc, chain=self._chain, txid=txid, tip=self._chain.tip())
        )

    def transparent_balance(self, address: str) -> int | None:
        """Return a transparent address's balance in zatoshis; None without zcashd's address index."""
        try:
            return self._chain.transparent_balance(address)
        except NodeRefused as refusal:
            # Without -insightexplorer or -lightwalletd zcashd answers with the help text.
            if refusal.rpc_code in (_MISC_ERROR, _METHOD_NOT_FOUND):
                return None
            raise

    def holdings(self) -> int:
        """Return the zatoshis of the account, unmined ones and its own change included."""
        return holdings.of_number(self._rpc, account=self._account_number)

    def outgoing(self, *, since_height: int, known_txids: Sequence[str] = ()) -> Outgoing:
        """Return what the account paid to others since a height, as far as its notes show."""

        def look() -> Outgoing:
            scan = OutgoingScan(
                self._rpc,
                chain=self._chain,
                account=self._account_number,
                since_height=since_height,
                known_txids=known_txids,
            )
            return scan.outgoing()

        return steady(look)
