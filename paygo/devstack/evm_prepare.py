"""`python -m paygo.devstack.evm_prepare URL FOLDER`: a test token and the collector on a local chain.

What the file of chains names and the chain has is left as it is.
"""

import json
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

import requests

from paygo.devstack.anvil import CHAIN_ID

BUILD = Path(__file__).resolve().parents[2] / "contracts" / "build"
_PATIENCE_S = 30.0


def main(url: str, folder: Path) -> None:
    """Prepare the chain and write its file."""
    from eth_account import Account

    service = Account.from_key((folder / "service_key").read_text(encoding="ascii").strip()).address
    treasury = _ask(url, "eth_accounts")[1]
    _ask(url, "anvil_setBalance", service, hex(10**21))
    if _is_there(url, folder / "chains.toml", service=service):
        return
    token = _deploy(url, "TestToken", ["string", "uint8", "uint256"], "tUSD", 6, 0)
    collector = _deploy(url, "PayGoCollector", ["address"] * 3, service, treasury, treasury)
    (folder / "chains.toml").write_text(
        f"""# The local chain of `make run`; its token is for tests: anybody mints it.
[[chain]]
chain_id = {CHAIN_ID}
name = "Local"
rpc_url = "{url}"
confirmations = 2
service = "{service}"
treasury = "{_checksummed(treasury)}"
collector = "{collector}"
max_fee_gwei = 100

[[chain.token]]
symbol = "tUSD"
address = "{token}"
decimals = 6
collect_least = "0.001"
collect_at = "0.50"
first_debt = "2"
most_debt = "50"
""",
        encoding="utf-8",
    )


def _is_there(url: str, file: Path, *, service: str) -> bool:
    try:
        (chain,) = tomllib.loads(file.read_text(encoding="utf-8"))["chain"]
    except (OSError, ValueError, KeyError):
        return False
    places = [chain["collector"], *(token["address"] for token in chain["token"])]
    same = (chain["rpc_url"], chain["service"]) == (url, service)
    same = same and all("collect_least" in token for token in chain["token"])
    return same and all(_ask(url, "eth_getCode", each, "latest") != "0x" for each in places)


def _deploy(url: str, name: str, kinds: list[str], *values: Any) -> str:
    from eth_abi.abi import encode

    built = json.loads((BUILD / f"{name}.json").read_text(encoding="utf-8"))
    data = built["bytecode"] + encode(kinds, list(values)).hex()
    sender = _ask(url, "eth_accounts")[0]
    tx_hash = _ask(url, "eth_sendTransaction", {"from": sender, "data": data, "gas": hex(5_000_000)})
    until = time.monotonic() + _PATIENCE_S
    while time.monotonic() < until:
        if receipt := _ask(url, "eth_getTransactionReceipt", tx_hash):
            return _checksummed(receipt["contractAddress"])
        time.sleep(0.2)
    raise SystemExit(f"{name} is in no block after {_PATIENCE_S:.0f} s")


def _ask(url: str, method: str, *params: Any) -> Any:
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
    answer = requests.post(url, json=body, timeout=10).json()
    if "error" in answer:
        raise SystemExit(f"{method}: {answer['error']}")
    return answer["result"]


def _checksummed(address: str) -> str:
    from eth_utils.address import to_checksum_address

    return str(to_checksum_address(address))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
