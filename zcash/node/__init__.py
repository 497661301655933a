"""The wallet port and its drivers: `connect()` gives the one for the configured node.

A driver for another wallet is a module beside `zcashd`; `_open` is where it is chosen.
"""

import os
import threading
from dataclasses import dataclass, field

from django.conf import settings

from zcash.addresses import Network

from .port import (
    ChainTransaction,
    IndexUnusable,
    NodeNotReady,
    NodeRefused,
    NodeStatus,
    NodeUnavailable,
    Receipt,
    WalletAddress,
    WalletPort,
    WrongChain,
)
from .rpc import RpcClient
from .zcashd import ZcashdWallet

__all__ = [
    "ChainTransaction",
    "IndexUnusable",
    "NodeNotReady",
    "NodeRefused",
    "NodeStatus",
    "NodeUnavailable",
    "Receipt",
    "WalletAddress",
    "WalletPort",
    "WrongChain",
    "connect",
    "disconnect",
    "verify_chain",
]


@dataclass(frozen=True, slots=True)
class _Config:
    # A forked worker must not share its parent's socket: two would read each other's answers.
    process_id: int
    url: str = field(repr=False)
    user: str
    password: str = field(repr=False)
    cookie_file: str
    timeout_seconds: float
    network: str
    account: int


class _Kept(threading.local):
    config: _Config | None = None
    rpc: RpcClient | None = None
    wallet: WalletPort | None = None


_kept = _Kept()


def connect() -> WalletPort:
    """Return this thread's connection to the configured wallet, kept alive between calls.

    Raises:
        NodeUnavailable: ZCASH_RPC_URL is not an http or https URL.
        ValueError: ZCASH_NETWORK is not the name of a network.
    """
    config = _configured()
    if _kept.wallet is None or _kept.config != config:
        disconnect()
        _kept.rpc = _open_rpc(config)
        _kept.wallet = _open(_kept.rpc, config=config)
        _kept.config = config
    return _kept.wallet


def disconnect() -> None:
    """Close this thread's connection, if there is one; the next `connect()` opens another."""
    if _kept.rpc is not None:
        _kept.rpc.close()
    _kept.config = _kept.rpc = _kept.wallet = None


def verify_chain(status: NodeStatus, *, network: str, genesis_hash: str | None) -> None:
    """Check that the node follows the configured network and the chain pinned at the first start.

    Args:
        status: what the node says.
        network: `main`, `test` or `regtest`.
        genesis_hash: the pinned hash of block 0, None before there is one.

    Raises:
        WrongChain: it follows another one.
    """
    if status.chain != network:
        raise WrongChain(f"the node is on {status.chain}, but ZCASH_NETWORK is {network}")
    if genesis_hash is not None and status.genesis_hash != genesis_hash:
        raise WrongChain(
            f"the node's chain begins with block {status.genesis_hash}, "
            f"but this database belongs to the chain that begins with {genesis_hash}"
        )


def _configured() -> _Config:
    return _Config(
        process_id=os.getpid(),
        url=settings.ZCASH_RPC_URL,
        user=settings.ZCASH_RPC_USER,
        password=settings.ZCASH_RPC_PASSWORD,
        cookie_file=settings.ZCASH_RPC_COOKIE_FILE,
        timeout_seconds=settings.ZCASH_RPC_TIMEOUT_SECONDS,
        network=settings.ZCASH_NETWORK,
        account=settings.ZCASH_ACCOUNT,
    )


def _open_rpc(config: _Config) -> RpcClient:
    return RpcClient(
        config.url,
        user=config.user,
        password=config.password,
        cookie_file=config.cookie_file,
        timeout_seconds=config.timeout_seconds,
    )


def _open(rpc: RpcClient, *, config: _Config) -> WalletPort:
    return ZcashdWallet(rpc, network=Network(config.network), account=config.account)
