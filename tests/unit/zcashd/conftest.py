"""A driver on a scripted zcashd: what it asks, concludes and refuses."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from pytest_httpserver import HTTPServer

from tests.unit.zcashd.scripted import Node
from zcash.addresses import Network
from zcash.node.rpc import RpcClient
from zcash.node.zcashd import ZcashdWallet


@pytest.fixture
def node(httpserver: HTTPServer) -> Node:
    return Node(httpserver)


@pytest.fixture
def wallet(node: Node) -> Iterator[ZcashdWallet]:
    with closing(RpcClient(node.url, timeout_seconds=2)) as rpc:
        yield ZcashdWallet(rpc, network=Network.REGTEST, account=3)
