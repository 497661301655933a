"""Chains with one token, which nobody asks: what a service accepts, without a node."""

import json
from pathlib import Path
from typing import Any

from billing import token_prices
from billing.token_prices import TokenPrice, TokenPriceRecord
from core.models import User
from tests.factories import NOW

# That of `factories.make_authorization`, and the same on another chain.
CHAIN, OTHER_CHAIN = 31337, 8453
USDT = "0x" + "22" * 20


def configure_usdt(folder: Path, settings: Any, *chain_ids: int) -> None:
    """Write the service's file of chains."""
    address = "0x" + "11" * 20
    token = {"symbol": "USDT", "address": USDT, "decimals": 6}
    token |= {"collect_least": "0.1", "collect_at": "0.5", "first_debt": "2", "most_debt": "50"}
    lines = []
    for chain_id in chain_ids:
        chain = {"chain_id": chain_id, "name": f"Chain {chain_id}", "rpc_url": "http://127.0.0.1:9"}
        chain |= {"confirmations": 2, "service": address, "treasury": address, "max_fee_gwei": 9}
        lines += ["[[chain]]", *_assigned(chain), "[[chain.token]]", *_assigned(token)]
    path = folder / "chains.toml"
    path.write_text("\n".join(lines))
    settings.ETHEREUM_CHAINS_FILE = str(path)


def set_token_price(
    client: User, units: int | None, *, vendor: str = "vendor123", chain_id: int = CHAIN, token: str = USDT
) -> TokenPriceRecord:
    """Add the next version of a vendor's prices in tokens."""
    price = TokenPrice(chain_id, token, units)
    return token_prices.set_price(vendor, price, client_id=client.pk, actor="tests", now=NOW)


def _assigned(values: dict[str, Any]) -> list[str]:
    return [f"{name} = {json.dumps(value)}" for name, value in values.items()]
