"""The simulated node's own calls: payments by others, blocks, reorgs and faults, for the sandbox alone.

They go to the node at ZCASH_RPC_URL by HTTP, as everything does; a real node has none of them, and so cannot
be moved by mistake.
"""

from collections.abc import Mapping
from contextlib import closing
from typing import Any

from django.conf import settings

from core.amounts import zec
from core.errors import Conflict, Forbidden
from zcash.addresses import Network

from .port import NodeRefused, WalletPort
from .rpc import RpcClient

# src/rpc/protocol.h of zcashd.
_METHOD_NOT_FOUND = -32601
FAULT_KINDS = (
    "slow",
    "hang",
    "half",
    "not_json",
    "huge",
    "redirect",
    "wrong_chain",
    "syncing",
    "reset_before",
    "reset_after",
    "server_error",
    "warming_up",
)


class SandboxOff(Forbidden):
    """This service is no sandbox, or its chain is not a test chain."""

    code = "sandbox_off"
    title = "This service is not a sandbox"


class NotSimulated(Conflict):
    """The node is a real one."""

    code = "node_not_simulated"
    title = "The node is not a simulated one"


class SimulationRefused(Conflict):
    """The simulated node cannot do that; `detail` has its words."""

    code = "simulation_refused"
    title = "The simulated node refuses"


def require_sandbox() -> None:
    """Refuse where the operator has not switched the sandbox on, for a test chain.

    Raises:
        SandboxOff.
    """
    if not settings.PAYGO_SANDBOX:
        raise SandboxOff("the operator has not switched the sandbox on (PAYGO_SANDBOX=1)")
    if settings.ZCASH_NETWORK == Network.MAIN:
        raise SandboxOff("ZCASH_NETWORK is main: a sandbox is for test chains only")


def require_test_chain(wallet: WalletPort) -> None:
    """Refuse where the node itself says that its chain is worth something.

    Raises:
        SandboxOff, NodeUnavailable.
    """
    require_sandbox()
    chain = wallet.status().chain
    if chain not in (Network.TEST, Network.REGTEST):
        raise SandboxOff(f"the node says that its chain is {chain}: a sandbox is for test chains only")


def pay(address: str, *, amount_zat: int, reference: str) -> str:
    """Let somebody pay an address, once for each reference, and return the txid of the payment.

    Raises:
        SandboxOff, NotSimulated, SimulationRefused, NodeUnavailable.
    """
    return str(_call("sim_pay", address, float(zec(amount_zat)), None, reference))


def mine(count: int, *, reference: str) -> str:
    """Mine blocks, once for each reference, and return the hash of the last one. Raises as `pay`."""
    return str(_call("sim_mine", count, reference))


def reorganise(depth: int, *, without: str | None, reference: str) -> str:
    """Replace the last blocks by an empty longer branch, once for each reference; return its tip.

    One transaction is never mined again, if it is named. Raises as `pay`.
    """
    return str(_call("sim_reorg", depth, [without] if without else [], reference))


def fault(fields: Mapping[str, Any] | None) -> None:
    """Let the node misbehave, or end that (None). Raises as `pay`."""
    _call("sim_fault", None if fields is None else dict(fields))


def _call(method: str, *parameters: Any) -> object:
    require_sandbox()
    try:
        with closing(_client()) as client:
            return client.call(method, *parameters)
    except NodeRefused as error:
        if error.rpc_code == _METHOD_NOT_FOUND:
            raise NotSimulated(
                "the node is a real one: pay, mine and reorganise there, with its own tools"
            ) from error
        raise SimulationRefused(error.rpc_message[:200]) from error


def _client() -> RpcClient:
    return RpcClient(
        settings.ZCASH_RPC_URL,
        user=settings.ZCASH_RPC_USER,
        password=settings.ZCASH_RPC_PASSWORD,
        cookie_file=settings.ZCASH_RPC_COOKIE_FILE,
        timeout_seconds=settings.ZCASH_RPC_TIMEOUT_SECONDS,
    )
