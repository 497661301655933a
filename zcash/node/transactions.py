"""Asking any server about one transaction: what both wallets and zebrad answer alike."""

from .answers import Record, unexpected
from .port import NodeRefused
from .rpc import RpcClient

STATES = frozenset({"mined", "waiting", "expiringsoon", "expired"})
# "Invalid or non-wallet transaction id" (src/rpc/protocol.h of zcashd); zebrad's is the same.
UNKNOWN_TXID = -5


def find(rpc: RpcClient, method: str, txid: str, *params: object) -> Record | None:
    """Return what a method answers about a transaction, None where the server does not know it."""
    try:
        return Record(rpc.call(method, txid, *params), what=method)
    except NodeRefused as refusal:
        if refusal.rpc_code == UNKNOWN_TXID:
            return None
        raise


def require_about(txid: str, answer: Record, *, method: str) -> None:
    """Refuse an answer about another transaction, or one that does not say which it is about."""
    if answer.hash("txid") != txid:
        unexpected(method, "is about another transaction")
