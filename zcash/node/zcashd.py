"""The wallet port on zcashd's RPC dialect: node and wallet behind one URL, Sapling addresses.

zcashd has no call that lists everything received, so each address is asked for.
"""

from collections.abc import Sequence

import structlog

from core.amounts import MAX_ZAT
from zcash.addresses import SAPLING, AddressError, Kind, Network, parse

from .answers import MAX_HEIGHT, Record, unexpected
from .chain import Chain, ChainMovedError, steady
from .port import ChainTransaction, IndexUnusable, NodeRefused, NodeStatus, Receipt, WalletAddress
from .rpc import RpcClient
from .zcashd_receipts import METHOD as LIST_RECEIVED
from .zcashd_receipts import Scan

log = structlog.get_logger(__name__)

# Since network upgrade 6.3 an Orchard receiver is paid with notes that zcashd's wallet cannot see.
_RECEIVERS = ["sapling"]
_STATES = frozenset({"mined", "waiting", "expiringsoon", "expired"})
# ZIP-32: a diversifier index has 88 bits.
_MAX_INDEX = 2**88 - 1
# More confirmations than any output has: zcashd checks the address and lists nothing.
_NO_ROWS_MINCONF = 1_000_000_000

# src/rpc/protocol.h of zcashd.
_MISC_ERROR = -1
_WALLET_ERROR = -4
_UNKNOWN_ADDRESS_OR_TXID = -5
_INVALID_PARAMETER = -8
_METHOD_NOT_FOUND = -32601


class ZcashdWallet:
    """A `WalletPort` on zcashd; `account` is the number of the service's account in the wallet."""

    def __init__(self, rpc: RpcClient, *, network: Network, account: int) -> None:
        self._rpc = rpc
        self._chain = Chain(rpc)
        self._network = network
        self._account = account

    def status(self) -> NodeStatus:
        """Return the node's best chain and whether it is synced."""
        return self._chain.status()

    def new_address(self, index: int) -> WalletAddress:
        """Return the Sapling-only unified address at a diversifier index."""
        method = "z_getaddressforaccount"
        try:
            answer = Record(self._rpc.call(method, self._account, _RECEIVERS, index), what=method)
        except NodeRefused as refusal:
            _raise_if_index_unusable(refusal)
            raise
        if answer.integer("diversifier_index", high=_MAX_INDEX) != index:
            unexpected(method, "is for another diversifier index")
        return WalletAddress(self._checked(answer.text("address")), index)

    def _checked(self, address: str) -> str:
        what = "z_getaddressforaccount.address"
        try:
            parsed = parse(address, network=self._network)
        except AddressError as error:
            unexpected(what, f"is {error}")
        if parsed.kind is not Kind.UNIFIED or [each.typecode for each in parsed.receivers] != [SAPLING]:
            unexpected(what, "is no unified address with a Sapling receiver alone")
        return parsed.canonical

    def receipts(self, addresses: Sequence[str]) -> list[Receipt]:
        """Return what the wallet's own addresses received, spent or not, unmined included."""
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

    def transaction(self, txid: str) -> ChainTransaction | None:
        """Return where a transaction stands on the best chain, None when the wallet does not know it."""
        return steady(lambda: self._transaction(txid))

    def _transaction(self, txid: str) -> ChainTransaction | None:
        tip = self._chain.tip()
        try:
            answer = Record(self._rpc.call("gettransaction", txid), what="gettransaction")
        except NodeRefused as refusal:
            if refusal.rpc_code == _UNKNOWN_ADDRESS_OR_TXID:
                return None
            raise
        if answer.hash("txid") != txid:
            unexpected("gettransaction", "is about another transaction")
        return self._placed(answer, txid=txid, tip_height=tip.height)

    def _placed(self, answer: Record, *, txid: str, tip_height: int) -> ChainTransaction:
        # Below 0: a conflicting transaction is mined.
        confirmations = answer.integer("confirmations", low=-MAX_HEIGHT)
        if confirmations < 1:
            expired = answer.choice("status", choices=_STATES) == "expired"
            return ChainTransaction(txid, None, None, 0, expired)
        # zcashd does not tell the height; the hash of the block at the computed one proves it.
        height, block_hash = tip_height - confirmations + 1, answer.hash("blockhash")
        if height < 0 or self._chain.block_hash(height) != block_hash:
            raise ChainMovedError
        return ChainTransaction(txid, height, block_hash, confirmations, expired=False)

    def transparent_balance(self, address: str) -> int | None:
        """Return a transparent address's balance in zatoshis; None without zcashd's address index."""
        method = "getaddressbalance"
        try:
            answer = Record(self._rpc.call(method, {"addresses": [address]}), what=method)
        except NodeRefused as refusal:
            # Without -insightexplorer or -lightwalletd zcashd answers with the help text.
            if refusal.rpc_code in (_MISC_ERROR, _METHOD_NOT_FOUND):
                return None
            raise
        return answer.integer("balance", high=MAX_ZAT)

    def owns(self, address: str) -> bool:
        """Return whether the wallet can see what this address receives."""
        # z_validateaddress tells nothing about the ownership of unified addresses.
        try:
            self._rpc.call(LIST_RECEIVED, address, _NO_ROWS_MINCONF)
        except NodeRefused as refusal:
            if refusal.rpc_code == _UNKNOWN_ADDRESS_OR_TXID:
                return False
            # The parameter it does not like can only be a lone receiver out of one of its unified addresses.
            if refusal.rpc_code != _INVALID_PARAMETER:
                raise
        return True


def _raise_if_index_unusable(refusal: NodeRefused) -> None:
    # An account that does not exist is -4 too, and no other index would help it.
    if refusal.rpc_code == _WALLET_ERROR and "diversifier index" in refusal.rpc_message:
        raise IndexUnusable(
            refusal.method, rpc_code=refusal.rpc_code, rpc_message=refusal.rpc_message
        ) from refusal
