"""A scripted zallet and zebrad: each method's answer is what a test says it is."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from zcash.addresses import ORCHARD, P2PKH, Network, Receiver, encode_p2pkh, encode_sapling, encode_unified
from zcash.node.rpc import NODE, RpcClient
from zcash.node.zallet import ZalletWallet

ACCOUNT = "3f2b6c1e-8d4a-4e0b-9c57-1a2b3c4d5e6f"
OTHER_ACCOUNT = "11111111-2222-4333-8444-555555555555"
OURS_T = encode_p2pkh(b"t" * 20, network=Network.REGTEST)
OURS_SAPLING = encode_sapling(b"s" * 43, network=Network.REGTEST)


def unified(*receivers: Receiver, network: Network = Network.REGTEST) -> str:
    return encode_unified(receivers, network=network)


ADDRESS = unified(Receiver(ORCHARD, b"o" * 43))
OTHER_ADDRESS = unified(Receiver(ORCHARD, b"p" * 43))
WITH_T = unified(Receiver(ORCHARD, b"q" * 43), Receiver(P2PKH, b"t" * 20))
STRANGERS = encode_sapling(b"x" * 43, network=Network.REGTEST)
TXID, OTHER_TXID = "ab" * 32, "cd" * 32
HEIGHT = 120
TESTNET_GENESIS = "05a60a92d99d85997cce3b87616c089f6124d7342af37106edc76126334a2c38"


class RefusalError(Exception):
    def __init__(self, code: int, message: str = "refused") -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Server:
    """A scripted server: `answers` maps a method to its result, or to a function of its parameters."""

    def __init__(self, server: HTTPServer, *, path: str) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.answers: dict[str, Any] = {}
        self.url = server.url_for(path)
        server.expect_request(path).respond_with_handler(self._handle)

    def count(self, method: str) -> int:
        return sum(call[0] == method for call in self.calls)

    def _handle(self, request: Request) -> Response:
        call = json.loads(request.data)
        self.calls.append((call["method"], *call["params"]))
        document: dict[str, Any] = {"jsonrpc": "2.0", "id": call["id"]}
        try:
            if call["method"] not in self.answers:
                raise RefusalError(-32601, "Method not found")
            answer = self.answers[call["method"]]
            document["result"] = answer(*call["params"]) if callable(answer) else answer
        except RefusalError as refusal:
            document["error"] = {"code": refusal.code, "message": refusal.message}
        return Response(json.dumps(document))


class Stack:
    """A zebrad and the zallet that follows it."""

    def __init__(self, server: HTTPServer) -> None:
        self.branch = "a"
        self.genesis_hash = "0" * 64
        self.wallet = Server(server, path="/wallet")
        self.node = Server(server, path="/node")
        self.status: dict[str, Any] = {"height": HEIGHT, "locked": False}
        self.rows: list[dict[str, Any]] = []
        self.wallet.answers |= {
            "getwalletstatus": lambda: wallet_status(self, **self.status),
            "z_listtransactions": lambda uuid, start, end, offset, limit: self.rows[offset : offset + limit],
            "z_listaccounts": [{"account_uuid": ACCOUNT, "zip32_account_index": 0, "account": 0}],
        }
        self.node.answers |= {
            "getblockchaininfo": lambda: chain_info(bestblockhash=self.block_hash(HEIGHT)),
            "getblockhash": self.block_hash,
        }

    def block_hash(self, height: int) -> str:
        if height > HEIGHT:
            raise RefusalError(-32602, "Provided index is greater than the current tip")
        return f"{self.branch}{height:063x}" if height else self.genesis_hash

    def mined(self, height: int) -> dict[str, object]:
        return {"txid": TXID, "height": height, "confirmations": 1, "blockhash": self.block_hash(height)}


def chain_info(**fields: object) -> dict[str, object]:
    # A regtest zebrad calls its chain so.
    info = {"chain": "test", "blocks": HEIGHT, "headers": HEIGHT, "bestblockhash": "a" * 64}
    return info | fields


def wallet_status(stack: Stack, *, height: int, **fields: object) -> dict[str, object]:
    tip = {"height": height, "blockhash": stack.block_hash(height)}
    status = {"node_tip": tip, "wallet_tip": tip, "fully_synced_height": height} | fields
    return {name: value for name, value in status.items() if value is not None}


def row(*outputs: dict[str, object], **fields: object) -> dict[str, object]:
    return {
        "account_uuid": ACCOUNT,
        "mined_height": HEIGHT - 2,
        "txid": TXID,
        "expired_unmined": False,
        "outputs": list(outputs),
    } | fields


def received(**fields: object) -> dict[str, object]:
    return {
        "pool": "orchard",
        "output_index": 1,
        "from_account": None,
        "to_account": ACCOUNT,
        "to_address": ADDRESS,
        "value": 250_000_000,
        "is_change": False,
        "memo": None,
    } | fields


def sent(**fields: object) -> dict[str, object]:
    return received(from_account=ACCOUNT, to_account=None, to_address=STRANGERS) | fields


def refuse(code: int, message: str = "refused") -> Callable[..., object]:
    def answer(*params: object) -> object:
        raise RefusalError(code, message)

    return answer


@contextmanager
def driver_on(stack: Stack) -> Iterator[ZalletWallet]:
    """Connect the driver to the scripted servers."""
    with (
        closing(RpcClient(stack.wallet.url, timeout_seconds=2)) as rpc,
        closing(RpcClient(stack.node.url, timeout_seconds=2, names=NODE)) as node_rpc,
    ):
        yield ZalletWallet(rpc, node_rpc=node_rpc, network=Network.REGTEST, account_uuid=ACCOUNT)
