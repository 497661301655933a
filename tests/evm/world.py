"""A chain with tokens, a collector and viewers, as the service is configured for it."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount
from pytest_django.fixtures import Settings

from billing import engine
from billing.engine import StartRequest
from billing.ethereum import abi, authorizing, chains, collector, keys, typed_data
from billing.models_ethereum import Authorization
from core.models import User
from paygo.devstack.anvil import CHAIN_ID
from tests.evm.node import BASE, Node, running
from tests.factories import NOW

USD = 10**6
# No smaller debt is collected.
LEAST = USD // 1000
SERVICE_KEY = "0x" + "51" * 32
TREASURY: str = Account.from_key("0x" + "71" * 32).address
ADMIN: str = Account.from_key("0x" + "72" * 32).address
RETURNS_NOTHING, RETURNS_FALSE, TAKES_FEE, BLOCKS, BURNS = 1, 2, 4, 8, 16


def artifact(name: str) -> dict[str, Any]:
    """Return a compiled contract."""
    found: dict[str, Any] = json.loads((BASE / "contracts" / "build" / f"{name}.json").read_text())
    return found


def deploy(node: Node, name: str, kinds: list[str], *values: Any, sender: str) -> str:
    """Deploy a contract; return its address."""
    code = bytes.fromhex(artifact(name)["bytecode"][2:]) + abi.encode(kinds, *values)
    receipt = node.transact(sender, None, code)
    assert receipt["status"] == "0x1"
    return chains.addresses.checksummed(receipt["contractAddress"])


def viewer(number: int) -> LocalAccount:
    """Return one viewer's wallet."""
    return Account.from_key(f"0x{number + 1000:064x}")


class World:
    """The node, the contracts, and the verbs of those who are not PayGo."""

    def __init__(self, node: Node, folder: Path, settings: Settings, *, chain_id: int = CHAIN_ID) -> None:
        self.node, self.now, self.chain_id = node, NOW, chain_id
        self._folder, self._settings = folder, settings
        self.key = keys.Key(SERVICE_KEY)
        self.service = self.key.address
        for address in (self.service, ADMIN):
            node.fund(address)
        self.tokens: dict[str, str] = {}
        self.add_token("USDT", RETURNS_NOTHING | BLOCKS)
        self.collector = deploy(
            node,
            "PayGoCollector",
            ["address", "address", "address"],
            *(self.service, TREASURY, ADMIN),
            sender=ADMIN,
        )
        self.configure()

    def add_token(self, symbol: str, ways: int, *, decimals: int = 6) -> str:
        kinds = ["string", "uint8", "uint256"]
        self.tokens[symbol] = deploy(self.node, "TestToken", kinds, symbol, decimals, ways, sender=ADMIN)
        return self.tokens[symbol]

    def configure(
        self, *, by_collector: bool = True, url: str = "", confirmations: int = 2, **changes: Any
    ) -> None:
        """Write the service's file of chains, and have it read."""
        lines = {
            "chain_id": self.chain_id,
            "name": "Local",
            "rpc_url": url or self.node.url,
            "confirmations": confirmations,
            "service": self.service,
            "treasury": TREASURY,
            "max_fee_gwei": 100,
            **({"collector": self.collector} if by_collector else {}),
            **changes,
        }
        text = "[[chain]]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in lines.items())
        for symbol, address in self.tokens.items():
            text += f'[[chain.token]]\nsymbol = "{symbol}"\naddress = "{address}"\ndecimals = 6\n'
            text += 'collect_least = "0.001"\ncollect_at = "0.5"\nfirst_debt = "2"\nmost_debt = "50"\n'
            # By the service's key itself, whatever the chain has.
            text += "collector = false\n" if symbol.startswith("PLAIN") else ""
        path = self._folder / f"chains-{len(list(self._folder.iterdir()))}.toml"
        path.write_text(text)
        self._settings.ETHEREUM_CHAINS_FILE = str(path)

    @property
    def chain(self) -> chains.Chain:
        return chains.chain(self.chain_id)

    def call(self, to: str, signature: str, *values: Any) -> int:
        data = "0x" + abi.call(signature, *values).hex()
        return int(self.node.ask("eth_call", {"to": to, "data": data}, "latest"), 16)

    def do(self, sender: str, to: str, signature: str, *values: Any) -> dict[str, Any]:
        self.node.fund(sender)
        return self.node.transact(sender, to, abi.call(signature, *values))

    def balance(self, address: str, *, symbol: str = "USDT") -> int:
        return self.call(self.tokens[symbol], abi.BALANCE_OF, address)

    def give(self, wallet: str, units: int, *, symbol: str = "USDT") -> None:
        self.do(ADMIN, self.tokens[symbol], "mint(address,uint256)", wallet, units)

    def approve(self, wallet: str, units: int, *, symbol: str = "USDT", spender: str | None = None) -> None:
        to = spender or self.spender(symbol)
        self.do(wallet, self.tokens[symbol], abi.APPROVE, to, units)

    def spender(self, symbol: str = "USDT") -> str:
        chain = self.chain
        return chain.collector_of(chain.token(self.tokens[symbol])) or self.service

    def asked(self, client: User, who: LocalAccount, **changes: Any) -> Authorization:
        """Return an authorisation that waits for its signature."""
        values: dict[str, Any] = {
            "chain_id": self.chain_id,
            "token": self.tokens[changes.pop("symbol", "USDT")],
            "wallet_address": who.address,
            "limit_units": 100 * USD,
            "rate_units_per_hour": 3_600_000,
            "duration_days": 30,
            "consent": True,
            **changes,
        }
        return authorizing.create(authorizing.Request(**values), client_id=client.pk, now=self.now)

    def signed(
        self, authorization: Authorization, who: LocalAccount, *, permit: bool = False
    ) -> Authorization:
        """Let the viewer sign an authorisation, and its permit."""
        return authorizing.verify(
            client_id=authorization.client_id,
            public_id=authorization.public_id,
            signature=sign(authorization.typed_data, who),
            permit_signature=sign(authorization.permit or {}, who) if permit else None,
            read_clock=lambda: self.now,
        )

    def active(
        self, client: User, who: LocalAccount, *, money: int = 100 * USD, **changes: Any
    ) -> Authorization:
        """Return an authorisation of a wallet that has the money and allows it."""
        symbol = changes.get("symbol", "USDT")
        self.give(who.address, money, symbol=symbol)
        self.approve(who.address, money, symbol=symbol)
        return self.signed(self.asked(client, who, **changes), who)

    def active_contract(
        self, client: User, who: LocalAccount, *, money: int = 5 * USD, symbol: str = "USDT"
    ) -> Authorization:
        """Return an authorisation of a contract wallet that says yes (EIP-1271) to whatever it is asked."""
        self.node.ask("anvil_setCode", who.address, "0x631626ba7e60e01b5f5260205ff3")
        self.give(who.address, money, symbol=symbol)
        self.approve(who.address, money, symbol=symbol)
        return authorizing.verify(
            client_id=client.pk,
            public_id=self.asked(client, who, symbol=symbol).public_id,
            signature=b"\1",
            permit_signature=None,
            read_clock=lambda: self.now,
        )

    def stream(self, authorization: Authorization, units: int) -> None:
        """Let its wallet stream until that has cost so much: a unit a millisecond."""
        assert authorization.rate_units_per_hour == 3_600_000
        wallet, client_id = authorization.wallet_address, authorization.client_id
        started = engine.start(StartRequest(wallet, "vendor123"), client_id=client_id, now=self.now)
        self.now += timedelta(milliseconds=units)
        engine.end(started.session_code, client_id=client_id, now=self.now)
        authorization.refresh_from_db()

    def round(self, *, seconds: float = 0) -> dict[str, str]:
        """Let the collector go round once."""
        self.now += timedelta(seconds=seconds)
        return collector.run(key=self.key, read_clock=lambda: self.now)

    def send_as_service(self, *, nonce: int, to: str | None, data: bytes = b"", value: int = 0) -> str:
        """Send with the service's key what no journal knows, dearer than anything of the collector's."""
        raw, tx_hash = self.key.sign(
            {
                "type": 2,
                "chainId": self.chain_id,
                "nonce": nonce,
                **({"to": to} if to else {}),
                "value": value,
                "data": "0x" + data.hex(),
                "gas": 1_000_000,
                "maxFeePerGas": 99 * 10**9,
                "maxPriorityFeePerGas": 50 * 10**9,
            }
        )
        self.node.ask("eth_sendRawTransaction", "0x" + raw.hex())
        return tx_hash

    def overtake(self, sender: str, to: str, signature: str, *values: Any) -> None:
        """Send something that is mined in the same block as what waits, and before it."""
        request = {
            "from": sender,
            "to": to,
            "data": "0x" + abi.call(signature, *values).hex(),
            "maxPriorityFeePerGas": hex(90 * 10**9),
            "maxFeePerGas": hex(99 * 10**9),
        }
        self.node.ask("eth_sendTransaction", request)

    def settle(self, *, rounds: int = 2) -> None:
        """Let the collector send, the chain mine to the depth that counts, and the collector see it."""
        for _ in range(rounds):
            assert self.round() == {}
            self.node.mine(2)
        assert self.round() == {}


def sign(document: dict[str, Any], who: LocalAccount) -> bytes:
    """Return a wallet's signature of an EIP-712 document."""
    return bytes(who.unsafe_sign_hash(typed_data.digest(document)).signature)


@contextmanager
def in_world(folder: Path, settings: Settings) -> Iterator[World]:
    """Run a chain until the block ends."""
    folder.mkdir()
    os.environ.pop("ETHEREUM_KEY", None)
    with running("--timestamp", str(int(NOW.timestamp()))) as node:
        yield World(node, folder, settings)


def later(moment: datetime, **delta: float) -> datetime:
    """Return an instant after another."""
    return moment + timedelta(**delta)
