"""Fixtures of the API's tests; the node is the simulated one, asked over HTTP by the real driver."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from paygo import health
from tests.api.world import MIN_CONFIRMATIONS, Api, make_api
from zcash.node import disconnect
from zcash.node.rpc import RpcClient
from zcash.simnode import SimNode

_USER, _PASSWORD = "paygo", "only-for-tests"


@pytest.fixture(scope="session")
def simnode(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimNode]:
    with SimNode(datadir=tmp_path_factory.mktemp("node"), user=_USER, password=_PASSWORD) as running:
        yield running


@pytest.fixture
def node(simnode: SimNode, settings: Any) -> Iterator[RpcClient]:
    """The node that the service is configured for, to be moved by the test."""
    settings.ZCASH_RPC_URL = simnode.url
    settings.ZCASH_RPC_USER, settings.ZCASH_RPC_PASSWORD = _USER, _PASSWORD
    settings.ZCASH_RPC_COOKIE_FILE, settings.ZCASH_SERVICE_WALLET = "", ""
    settings.ZCASH_MIN_CONFIRMATIONS = MIN_CONFIRMATIONS
    settings.PAYGO_SANDBOX = True
    health.forget()
    with closing(RpcClient(simnode.url, user=_USER, password=_PASSWORD)) as client:
        yield client
        client.call("sim_fault", None)
    disconnect()


@pytest.fixture
def vera(db: None) -> Api:
    """A client with a vendor and a key with every scope."""
    return make_api("vera-tv")


@pytest.fixture
def mallory(db: None) -> Api:
    """Another client."""
    return make_api("mallory")


@pytest.fixture
def nobody() -> Api:
    """A caller without a key."""
    return Api()
