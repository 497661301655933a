"""A real EVM node for tests: anvil, which mines when told to, reorgs and travels in time."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from paygo.devstack.anvil import CHAIN_ID, command, find_anvil
from paygo.devstack.ports import free_port
from paygo.devstack.process import wait_until

BASE = Path(__file__).resolve().parents[2]


class Node:
    """One anvil; `ask` raises what it answers as an error."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, method: str, *params: Any) -> Any:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        answer = requests.post(self.url, json=body, timeout=60).json()
        assert "error" not in answer, f"{method}: {answer['error']}"
        return answer["result"]

    def mine(self, blocks: int = 1) -> None:
        self.ask("anvil_mine", hex(blocks))

    def transact(self, sender: str, to: str | None, data: bytes, *, gas: int = 5_000_000) -> dict[str, Any]:
        """Send from any address, mine, return the receipt."""
        request = {"from": sender, "data": "0x" + data.hex(), "gas": hex(gas), **({"to": to} if to else {})}
        tx_hash = self.ask("eth_sendTransaction", request)
        self.mine()
        receipt: dict[str, Any] = self.ask("eth_getTransactionReceipt", tx_hash)
        return receipt

    def fund(self, address: str, *, ether: int = 100) -> None:
        self.ask("anvil_setBalance", address, hex(ether * 10**18))


@contextmanager
def running(*arguments: str, chain_id: int = CHAIN_ID, port: int | None = None) -> Iterator[Node]:
    """Run an anvil until the block ends."""
    program = find_anvil(BASE)
    if program is None:
        pytest.skip("anvil is not installed: npm ci")
    port = port or free_port()
    line = [*command(program, port=port, state=None, block_seconds=None), *arguments]
    line[line.index("--chain-id") + 1] = str(chain_id)
    with subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        node = Node(f"http://127.0.0.1:{port}")
        try:
            assert wait_until(lambda: _answers(node), seconds=60, every=0.05), "anvil did not start"
            node.ask("anvil_autoImpersonateAccount", True)
            yield node
        finally:
            process.terminate()
            process.wait()


def _answers(node: Node) -> bool:
    try:
        return bool(node.ask("eth_chainId"))
    except requests.RequestException:
        return False
