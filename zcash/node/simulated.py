"""The simulated node's own methods, over HTTP like everything else: payments by others, blocks on demand.

Real software knows none of these methods; on the main network nothing is asked.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings

from core.amounts import zec
from zcash.addresses import Network

from .port import NodeRefused
from .rpc import RpcClient

_METHOD_NOT_FOUND = -32601


class SimulatedNode:
    """A simulated node that is told what happens in its world."""

    def __init__(self, rpc: RpcClient) -> None:
        self._rpc = rpc

    def is_there(self) -> bool:
        """Whether the node that answers is a simulated one."""
        try:
            # It switches what is named; here nothing is.
            self._rpc.call("sim_operations", {})
        except NodeRefused as refusal:
            if refusal.rpc_code == _METHOD_NOT_FOUND:
                return False
            raise
        return True

    def pay(self, address: str, *, amount_zat: int) -> str:
        """Let somebody else pay an amount to an address; return the txid, which waits in the mempool."""
        return str(self._rpc.call("sim_pay", address, float(zec(amount_zat))))

    def mine(self, blocks: int) -> None:
        """Mine so many blocks at once."""
        self._rpc.call("generate", blocks)


@contextmanager
def simulated_node() -> Iterator[SimulatedNode | None]:
    """Yield the configured node where it is a simulated one, None where it is not.

    Raises:
        NodeUnavailable: it does not answer.
    """
    if settings.ZCASH_NETWORK == Network.MAIN:
        yield None
        return
    rpc = RpcClient(
        settings.ZCASH_RPC_URL,
        user=settings.ZCASH_RPC_USER,
        password=settings.ZCASH_RPC_PASSWORD,
        cookie_file=settings.ZCASH_RPC_COOKIE_FILE,
        timeout_seconds=settings.ZCASH_RPC_TIMEOUT_SECONDS,
    )
    try:
        node = SimulatedNode(rpc)
        yield node if node.is_there() else None
    finally:
        rpc.close()
