"""An authorisation as a row, without a chain."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from eth_account import Account

from billing.ethereum import authorizing, typed_data
from billing.models_ethereum import Authorization
from core.models import User
from tests.factories import NOW

TOKEN: str = Account.from_key("0x" + "31" * 32).address
SPENDER: str = Account.from_key("0x" + "32" * 32).address
WALLET: str = Account.from_key("0x" + "33" * 32).address


def make_authorization(client: User, *, now: datetime = NOW, **changes: Any) -> Authorization:
    """Return an authorisation that waits for its signature."""
    values: dict[str, Any] = {
        "public_id": uuid4(),
        "client": client,
        "wallet_address": WALLET,
        "chain_id": 31337,
        "token_address": TOKEN,
        "token_symbol": "USDC",
        "decimals": 6,
        "spender": SPENDER,
        "treasury": SPENDER,
        "limit_units": 10**8,
        "rate_units_per_hour": 10**6,
        "nonce": uuid4().int,
        "consented_at": now,
        "created_at": now,
        "expires_at": now + timedelta(days=30),
        "collectable_until": now + timedelta(days=33),
        **changes,
    }
    made = Authorization(**values)
    made.typed_data = typed_data.of_promise(authorizing.promise_of(made, reference="test"))
    made.save(force_insert=True)
    return made
