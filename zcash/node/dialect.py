"""Which software a wallet is."""

from enum import StrEnum

from .port import NodeRefused
from .rpc import RpcClient
from .zallet_status import METHOD as ONLY_ZALLETS

_METHOD_NOT_FOUND = -32601


class Dialect(StrEnum):
    """The values of ZCASH_WALLET_DIALECT."""

    AUTO = "auto"
    ZCASHD = "zcashd"
    ZALLET = "zallet"


def answering_dialect(rpc: RpcClient) -> Dialect:
    """Return which software answers, by a method that only zallet has.

    Raises:
        NodeNotReady: it is starting; zcashd then says so of every method, those that it does not have too.
        NodeUnavailable: nothing answers that could be understood.
    """
    try:
        rpc.call(ONLY_ZALLETS)
    except NodeRefused as refusal:
        if refusal.rpc_code == _METHOD_NOT_FOUND:
            return Dialect.ZCASHD
        raise
    return Dialect.ZALLET
