"""Calls to the simulated node without a server."""

import json
from decimal import Decimal
from typing import Any

import pytest

from zcash.addresses import Network, encode_p2pkh, encode_p2sh, encode_sapling, encode_tex
from zcash.simnode.node import Node
from zcash.simnode.rpc import Rpc, zcashd_methods

NOW = 1_800_000_000
FEE_ZAT = 10_000
ZEC = 10**8
STRANGER = encode_sapling(bytes(43), network=Network.REGTEST)
T_ADDRESS = encode_p2pkh(bytes(20), network=Network.REGTEST)
P2SH_ADDRESS = encode_p2sh(bytes(20), network=Network.REGTEST)
TEX_ADDRESS = encode_tex(bytes(20), network=Network.REGTEST)
MAINNET = encode_sapling(bytes(43), network=Network.MAIN)


class RefusedError(Exception):
    """An error object, with the HTTP status that came with it."""

    def __init__(self, status: int, error: dict[str, Any]) -> None:
        super().__init__(error["message"])
        self.status = status
        self.code: int = error["code"]


class Client:
    """Calls the RPC of zcashd's dialect."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.rpc = Rpc(node, methods=zcashd_methods())

    def __call__(self, method: str, *params: Any) -> Any:
        status, text = self.rpc.answer(json.dumps({"method": method, "params": params, "id": 7}).encode())
        reply = json.loads(text, parse_float=Decimal)
        assert reply["id"] == 7
        if reply["error"] is not None:
            assert reply["result"] is None
            raise RefusedError(status, reply["error"])
        assert status == 200
        return reply["result"]

    def refused(self, method: str, *params: Any) -> int:
        with pytest.raises(RefusedError) as refusal:
            self(method, *params)
        return refusal.value.code

    def new_address(self, *receivers: str) -> str:
        address: str = self("z_getaddressforaccount", 0, list(receivers or ["sapling"]))["address"]
        return address

    def balance_zat(self, minconf: int = 1) -> int:
        """Return the balance of account 0 in all pools."""
        pools = self("z_getbalanceforaccount", 0, minconf)["pools"]
        return sum(pool["valueZat"] for pool in pools.values())

    def standing(self, txid: str) -> tuple[str, int]:
        """Return what `gettransaction` says of a transaction: status and confirmations."""
        found = self("gettransaction", txid)
        return found["status"], found["confirmations"]


def send(rpc: Client, service: str, *payments: tuple[str, str], policy: str | None = None) -> Any:
    """Send with one confirmation and return the finished operation."""
    rows = [{"address": address, "amount": amount} for address, amount in payments]
    opid = rpc("z_sendmany", service, rows, 1, None, policy)
    (operation,) = rpc("z_getoperationresult", [opid])
    return operation
