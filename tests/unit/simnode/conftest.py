"""A simulated node with a client in the dialect of zcashd, or of zallet."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.unit.simnode.client import NOW, Client
from tests.unit.simnode.zallet import Wallet
from zcash.simnode.node import Node


@pytest.fixture
def rpc(tmp_path: Path) -> Iterator[Client]:
    with closing(Node(tmp_path, clock=lambda: NOW)) as node:
        yield Client(node)


@pytest.fixture
def wallet(tmp_path: Path) -> Iterator[Wallet]:
    with closing(Node(tmp_path, clock=lambda: NOW)) as node:
        yield Wallet(node)


@pytest.fixture
def service(rpc: Client) -> str:
    """The service's address, with one note of 1 ZEC that has ten confirmations."""
    address = rpc.new_address()
    rpc("sim_pay", address, 1)
    rpc("generate", 10)
    return address
