"""The wallet port and its drivers: `connect()` gives the one for the configured node.

A driver for another wallet is a module beside `zcashd` and `zallet`; `_Opening` is where it is chosen.
"""

import os
import threading
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, cast

from django.conf import settings

from zcash.addresses import Network

from . import zallet_capabilities
from .accounts import zallet_account, zcashd_account
from .dialect import Dialect, answering_dialect
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
from .rpc import NODE, WALLET, RpcClient
from .zallet import ZalletWallet
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
    dialect: str
    url: str = field(repr=False)
    user: str
    password: str = field(repr=False)
    cookie_file: str
    node_url: str = field(repr=False)
    node_cookie_file: str
    timeout_seconds: float
    network: str
    account: str


class _Kept(threading.local):
    config: _Config | None = None
    wallet: WalletPort | None = None
    clients: ExitStack | None = None


_kept = _Kept()


def connect() -> WalletPort:
    """Return this thread's connection to the configured wallet, kept alive between calls.

    Connecting asks nothing. The first call through it asks the wallet which software it is, unless
    ZCASH_WALLET_DIALECT says so, and whether it can do what is needed; until that succeeds every call does.

    Raises:
        NodeUnavailable: ZCASH_RPC_URL is not an http or https URL.
        ValueError: ZCASH_NETWORK or ZCASH_WALLET_DIALECT has an unknown value.
    """
    config = _configured()
    if _kept.wallet is None or _kept.config != config:
        disconnect()
        clients = ExitStack()
        _kept.wallet = cast("WalletPort", _Opening(config, clients=clients))
        _kept.clients, _kept.config = clients, config
    return _kept.wallet


def disconnect() -> None:
    """Close this thread's connections, if there are any; the next `connect()` opens others."""
    if _kept.clients is not None:
        _kept.clients.close()
    _kept.config = _kept.clients = _kept.wallet = None


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
        dialect=settings.ZCASH_WALLET_DIALECT,
        url=settings.ZCASH_RPC_URL,
        user=settings.ZCASH_RPC_USER,
        password=settings.ZCASH_RPC_PASSWORD,
        cookie_file=settings.ZCASH_RPC_COOKIE_FILE,
        node_url=settings.ZCASH_NODE_URL,
        node_cookie_file=settings.ZCASH_NODE_COOKIE_FILE,
        timeout_seconds=settings.ZCASH_RPC_TIMEOUT_SECONDS,
        network=settings.ZCASH_NETWORK,
        account=settings.ZCASH_ACCOUNT,
    )


class _Opening:
    """The driver of the wallet that answers, chosen at the first call.

    Not when it is connected: what needs no node, such as crediting what was seen already, gets a connection
    while the node is away.
    """

    def __init__(self, config: _Config, *, clients: ExitStack) -> None:
        self._config = config
        self._clients = clients
        self._dialect, self._network = Dialect(config.dialect), Network(config.network)
        self._rpc = RpcClient(
            config.url,
            user=config.user,
            password=config.password,
            cookie_file=config.cookie_file,
            timeout_seconds=config.timeout_seconds,
            names=WALLET,
        )
        clients.callback(self._rpc.close)
        self._driver: WalletPort | None = None

    def __getattr__(self, name: str) -> Any:
        if self._driver is None:
            self._driver = self._open()
        return getattr(self._driver, name)

    def _open(self) -> WalletPort:
        dialect = answering_dialect(self._rpc) if self._dialect is Dialect.AUTO else self._dialect
        if dialect is Dialect.ZCASHD:
            account = zcashd_account(self._config.account)
            return ZcashdWallet(self._rpc, network=self._network, account=account)
        with ExitStack() as opened:
            driver = self._open_zallet(opened)
            self._clients.callback(opened.pop_all().close)
        return driver

    def _open_zallet(self, opened: ExitStack) -> WalletPort:
        if not self._config.node_url:
            raise NodeUnavailable(
                "the wallet at ZCASH_RPC_URL is zallet, which answers no questions about the chain: "
                "set ZCASH_NODE_URL to the JSON-RPC of the zebrad that it reads"
            )
        node_rpc = RpcClient(
            self._config.node_url,
            cookie_file=self._config.node_cookie_file,
            timeout_seconds=self._config.timeout_seconds,
            names=NODE,
        )
        opened.callback(node_rpc.close)
        zallet_capabilities.check(self._rpc)
        uuid = zallet_account(self._config.account, rpc=self._rpc)
        return ZalletWallet(self._rpc, node_rpc=node_rpc, network=self._network, account_uuid=uuid)
