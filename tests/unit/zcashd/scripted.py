"""A scripted zcashd, and what it answers."""

import json
from collections.abc import Callable
from typing import Any

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from zcash.addresses import SAPLING, Network, Receiver, encode_sapling, encode_unified

ADDRESS = (
    "uregtest1t4gjcxlujyq7kkdh94w6mwjaef9elmar4aw0eglr89v8rmdqku0ctmvdhgw5d7pcafnvcc7k9u2q8u5x4tqp994xwygu5v06"
    "sv4zh0wa"
)
OTHER_ADDRESS = (
    "uregtest19keh0v7nsj0cf9svpgsegwzv97jj8hpzdglmpvavex20c98ur2zyyquxew2pzpzayysejz88psckyy6dudtq4x2p4z4pvzrz"
    "dsf8hnpr"
)
SAPLING_ALONE = encode_unified([Receiver(SAPLING, b"s" * 43)], network=Network.REGTEST)
BARE_SAPLING = encode_sapling(b"s" * 43, network=Network.REGTEST)
TXID = "ab" * 32
HEIGHT = 120


class RefusalError(Exception):
    def __init__(self, code: int, message: str = "refused") -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Node:
    """A scripted zcashd: `answers` maps a method to its result, or to a function of its parameters."""

    def __init__(self, server: HTTPServer) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.branch = "a"
        self.answers: dict[str, Any] = {
            "getblockchaininfo": lambda: chain_info(bestblockhash=self.block_hash(HEIGHT)),
            "getbestblockhash": lambda: self.block_hash(HEIGHT),
            "getblockhash": self.block_hash,
            "z_listaccounts": [
                {"account": 0, "addresses": [{"diversifier": 7, "ua": OTHER_ADDRESS}]},
                {"account": 3, "addresses": [{"diversifier": 7, "ua": ADDRESS}, {"ua": SAPLING_ALONE}]},
            ],
        }
        self.url = server.url_for("/")
        server.expect_request("/").respond_with_handler(self._handle)

    def block_hash(self, height: int) -> str:
        return f"{self.branch}{height:063x}"

    def count(self, method: str) -> int:
        return sum(call[0] == method for call in self.calls)

    def _handle(self, request: Request) -> Response:
        call = json.loads(request.data)
        self.calls.append((call["method"], *call["params"]))
        document: dict[str, Any] = {"id": call["id"], "result": None, "error": None}
        try:
            if call["method"] not in self.answers:
                raise RefusalError(-32601, "Method not found")
            answer = self.answers[call["method"]]
            document["result"] = answer(*call["params"]) if callable(answer) else answer
        except RefusalError as refusal:
            document["error"] = {"code": refusal.code, "message": refusal.message}
        return Response(json.dumps(document), status=500 if document["error"] else 200)


def chain_info(**fields: object) -> dict[str, object]:
    info = {
        "chain": "regtest",
        "initial_block_download_complete": True,
        "blocks": HEIGHT,
        "headers": HEIGHT,
        "bestblockhash": "a" * 64,
    }
    return info | fields


def mined(node: Node, *, txid: str, confirmations: int) -> dict[str, object]:
    block_hash = node.block_hash(HEIGHT - confirmations + 1)
    return {"txid": txid, "status": "mined", "confirmations": confirmations, "blockhash": block_hash}


def refuse(code: int, message: str = "refused") -> Callable[..., object]:
    def answer(*params: object) -> object:
        raise RefusalError(code, message)

    return answer
