"""A driver on scripted servers, a wallet and a node: what it asks, concludes and refuses."""

from collections.abc import Iterator

import pytest
from pytest_httpserver import HTTPServer

from tests.unit.zallet.stack import (
    Stack,
    driver_on,
)
from zcash.node.zallet import ZalletWallet


@pytest.fixture
def stack(httpserver: HTTPServer) -> Stack:
    return Stack(httpserver)


@pytest.fixture
def wallet(stack: Stack) -> Iterator[ZalletWallet]:
    with driver_on(stack) as wallet:
        yield wallet
