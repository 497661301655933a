"""The simulated node's own methods through PayGo: told apart from real software, in both dialects."""

from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from zcash.addresses import Network, encode_sapling
from zcash.node.port import NodeUnavailable
from zcash.node.simulated import simulated_node
from zcash.simnode import SimNode

ADDRESS = encode_sapling(b"alice".ljust(43, b"\1"), network=Network.REGTEST)


@pytest.mark.parametrize("dialect", ["zcashd", "zallet"])
def test_pays_and_mines_in_either_dialect(tmp_path: Path, settings: Any, dialect: str):
    with SimNode(datadir=tmp_path, user="paygo", password="secret", dialect=dialect) as running:
        settings.ZCASH_RPC_URL = running.url
        settings.ZCASH_RPC_USER, settings.ZCASH_RPC_PASSWORD = "paygo", "secret"
        settings.ZCASH_RPC_COOKIE_FILE = ""
        before = running.height

        with simulated_node() as node:
            assert node is not None
            txid = node.pay(ADDRESS, amount_zat=2_100_000_000_000_000 // 10**4 + 1)
            node.mine(2)

        assert len(txid) == 64
        assert running.height == before + 2


def test_takes_real_software_for_what_it_is(httpserver: HTTPServer, settings: Any):
    refusal = {"result": None, "error": {"code": -32601, "message": "Method not found"}, "id": "1"}
    httpserver.expect_request("/").respond_with_json(refusal)
    settings.ZCASH_RPC_URL = httpserver.url_for("/")

    with simulated_node() as node:
        assert node is None


def test_asks_nothing_on_the_main_network(httpserver: HTTPServer, settings: Any):
    settings.ZCASH_NETWORK, settings.ZCASH_RPC_URL = "main", httpserver.url_for("/")

    with simulated_node() as node:
        assert node is None
    assert httpserver.log == []


def test_says_so_where_no_node_answers(settings: Any):
    settings.ZCASH_RPC_URL = "http://127.0.0.1:1"

    with pytest.raises(NodeUnavailable), simulated_node():
        pass
