"""Every wallet on its simulated node, over HTTP."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from tests.unit.wallets.world import PATIENCE_SECONDS, World
from zcash.node import disconnect
from zcash.node.rpc import RpcClient
from zcash.simnode import SimNode


@pytest.fixture(params=["zcashd", "zallet"])
def world(request: pytest.FixtureRequest, tmp_path: Path, settings: Settings) -> Iterator[World]:
    dialect = request.param
    simnode = SimNode(
        datadir=tmp_path / "node", dialect=dialect, node_port=0 if dialect == "zallet" else None
    )
    settings.ZCASH_NETWORK, settings.ZCASH_ACCOUNT = "regtest", "0"
    settings.ZCASH_WALLET_DIALECT, settings.ZCASH_RPC_TIMEOUT_SECONDS = "auto", PATIENCE_SECONDS
    settings.ZCASH_RPC_USER = settings.ZCASH_RPC_PASSWORD = ""
    with ExitStack() as cleanup:
        cleanup.enter_context(simnode)
        settings.ZCASH_RPC_URL = simnode.url
        settings.ZCASH_RPC_COOKIE_FILE = str(simnode.cookie_file)
        settings.ZCASH_NODE_URL = simnode.node_url or ""
        settings.ZCASH_NODE_COOKIE_FILE = str(simnode.node_cookie_file or "")
        control = RpcClient(simnode.url, cookie_file=str(simnode.cookie_file))
        cleanup.enter_context(closing(control))
        cleanup.callback(disconnect)
        yield World(simnode, dialect=dialect, control=control)
