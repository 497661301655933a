"""A client of the simulated zallet, without HTTP, and what its tests say over and over."""

import json
from decimal import Decimal
from typing import Any

from zcash.simnode.dialects import Dialect
from zcash.simnode.faults import Faults
from zcash.simnode.node import Node
from zcash.simnode.rpc import Rpc
from zcash.simnode.tables import Switches, methods_of


class Wallet:
    """Calls the RPC without a server, in JSON-RPC 2.0."""

    def __init__(self, node: Node) -> None:
        self.node = node
        switches = Switches(Faults(), stop=lambda: None)
        methods = methods_of(Dialect.ZALLET, switches=switches)
        self.rpc = Rpc(node, methods=methods, dialect=Dialect.ZALLET)

    def answer(self, method: str, *params: Any) -> dict[str, Any]:
        body = {"jsonrpc": "2.0", "method": method, "params": params, "id": 7}
        status, text = self.rpc.answer(json.dumps(body).encode())
        assert status == 200
        reply: dict[str, Any] = json.loads(text, parse_float=Decimal)
        return reply

    def __call__(self, method: str, *params: Any) -> Any:
        reply = self.answer(method, *params)
        assert "error" not in reply, reply
        return reply["result"]

    def refused(self, method: str, *params: Any) -> int:
        reply = self.answer(method, *params)
        assert "result" not in reply
        code: int = reply["error"]["code"]
        return code

    @property
    def uuid(self) -> str:
        text: str = self("z_listaccounts")[0]["account_uuid"]
        return text

    def new_address(self, *receivers: str, index: int | None = None) -> str:
        names = list(receivers or ["orchard"])
        address: str = self("z_getaddressforaccount", 0, names, index)["address"]
        return address

    def funded_address(self, *amounts: str, receivers: tuple[str, ...] = ("orchard",)) -> str:
        address = self.new_address(*receivers)
        for amount in amounts:
            self("sim_pay", address, amount)
        self("generate", 10)
        return address

    def send(self, source: str, *recipients: dict[str, Any], policy: str | None = "FullPrivacy") -> Any:
        opid = self("z_sendmany", source, list(recipients), None, None, policy)
        (operation,) = self("z_getoperationstatus", [opid])
        return operation

    def row(self, txid: str) -> dict[str, Any]:
        (found,) = [row for row in self("z_listtransactions") if row["txid"] == txid]
        row: dict[str, Any] = found
        return row

    def balance_zat(self) -> int:
        zat: int = self("z_getbalances")["accounts"][0]["total"]["spendable"]["valueZat"]
        return zat


def to(address: str, amount: str = "1", **more: Any) -> dict[str, Any]:
    return {"address": address, "amount": amount, **more}
