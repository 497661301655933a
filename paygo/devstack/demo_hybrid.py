"""A stream that outlives its ZEC: it goes on from a token on the local EVM chain, and ends paid from both."""

import secrets
import time
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import requests

from paygo.devstack.anvil import MISSING
from paygo.devstack.demo import Demo, DemoFailedError, Document, _say, _show
from zcash.addresses import Network, encode_sapling

RATE_UNITS = 3_600_000
LIMIT_UNITS = 10_000_000
_PATIENCE_S = 90.0


@dataclass(frozen=True)
class HybridReceipt:
    """What the demo has shown: what each rail has paid."""

    zec: Decimal
    token_units: int
    symbol: str
    permission_id: str


class HybridDemo(Demo):
    """The same viewer, with a wallet on the EVM chain as well."""

    # Twelve seconds at the demo's rate: a start wants ten.
    amount_zec = Decimal("0.0084")

    def __init__(self, env: Mapping[str, str]) -> None:
        super().__init__(env)
        if not env.get("ETHEREUM_CHAINS_FILE"):
            raise DemoFailedError(MISSING)
        chains = tomllib.loads(Path(env["ETHEREUM_CHAINS_FILE"]).read_text(encoding="utf-8"))
        self._chain = chains["chain"][0]
        self._token = self._chain["token"][0]

    def run_hybrid(self, *, seconds: float) -> HybridReceipt:
        """Stream on the token for `seconds` after the ZEC is used up.

        Raises:
            DemoFailedError: an answer is not what was promised.
        """
        wallet = encode_sapling(secrets.token_bytes(43), network=Network.REGTEST)
        permission = self._create(wallet)
        self._pay(permission)
        self._wait_until_active(permission["permission_id"])
        self._authorize(wallet)
        before = self._treasury()
        session = self._start(wallet)
        self._watch(session["session_code"], seconds=seconds)
        ended = self._end(session["session_code"])
        return self._hold_against_the_chain(permission["permission_id"], ended, before=before)

    def _authorize(self, linked: str) -> None:
        from eth_account import Account

        who = Account.create()
        symbol, address = self._token["symbol"], self._token["address"]
        self._mint(who.address, 2 * LIMIT_UNITS)
        _say(
            f"The viewer agrees to go on from {symbol} on {self._chain['name']}, which is public:"
            f" wallet {who.address}."
        )
        made = self._call(
            "POST",
            "/ethereum/authorizations",
            {
                "chain_id": self._chain["chain_id"],
                "wallet_address": who.address,
                "token": address,
                "limit": str(LIMIT_UNITS),
                "rate_per_hour": str(RATE_UNITS),
                "linked_wallet_address": linked,
                "privacy_consent": True,
            },
            expect=201,
        )
        _say(made["privacy_note"])
        signed = {
            "signature": _signed(who, made["typed_data"]),
            "permit_signature": _signed(who, made["permit_typed_data"]),
        }
        _say("The wallet signs authorisation (EIP-712) and permit (EIP-2612): it needs no gas of its own.")
        self._until_spendable(made["authorization_id"], signed)

    def _until_spendable(self, authorization_id: str, signed: Document) -> None:
        until = time.monotonic() + _PATIENCE_S
        while time.monotonic() < until:
            path = f"/ethereum/authorizations/{authorization_id}/verify"
            state = self._call("POST", path, signed, expect=(200, 202))
            if state["spendable"] != "0":
                _show(status=state["status"], spendable=state["spendable"], bound_by=state["binding"])
                return
            time.sleep(1.0)
        raise DemoFailedError(f"the collector has not handed in the permit: {state}")

    def _watch(self, session_code: str, *, seconds: float) -> None:
        """Show what pays until the token has for some seconds."""
        until, since, shown = time.monotonic() + _PATIENCE_S, None, ""
        while time.monotonic() < until:
            session = self._call("GET", f"/sessions/{session_code}", expect=200)
            last = session["transactions"][-1]
            line = f"{last['asset']:<6} {last['amount_units']} of its smallest unit"
            if last["asset"] != shown:
                _say(f"{last['asset']} pays.")
            shown = last["asset"]
            print(f"    {line}", flush=True)
            if shown != "ZEC":
                since = since or time.monotonic()
                if time.monotonic() - since >= seconds:
                    return
            time.sleep(1.0)
        raise DemoFailedError(f"the stream did not go over to the token: {session}")

    def _hold_against_the_chain(self, permission_id: str, ended: Document, *, before: int) -> HybridReceipt:
        zec, token = (each for each in ended["transactions"])
        for each in (zec, token):
            _show(**{name: each[name] for name in ("asset", "amount_units", "duration_seconds", "status")})
        if zec["ended_at"] != token["started_at"]:
            raise DemoFailedError(f"a gap between {zec['ended_at']} and {token['started_at']}")
        owed = int(token["amount_units"])
        _say(f"The collector collects {owed} units of {self._token['symbol']} ...")
        until = time.monotonic() + _PATIENCE_S
        while time.monotonic() < until:
            (found,) = [
                each
                for each in self._call("GET", f"/sessions/{ended['session_code']}", expect=200)[
                    "transactions"
                ]
                if each["id"] == token["id"]
            ]
            if found["status"] == "confirmed":
                break
            time.sleep(1.0)
        arrived = self._treasury() - before
        if (found["status"], arrived) != ("confirmed", owed):
            raise DemoFailedError(f"{arrived} units arrived of {owed}; the transaction is {found['status']}")
        _show(status="confirmed", treasury_received=arrived)
        paid = Decimal(str(zec["amount"])).quantize(Decimal("0.00000001"))
        if paid != self.amount_zec:
            raise DemoFailedError(f"{paid} of {self.amount_zec} ZEC were used before the token")
        return HybridReceipt(paid, owed, self._token["symbol"], permission_id)

    def _mint(self, receiver: str, units: int) -> None:
        from billing.ethereum import abi

        data = "0x" + abi.call("mint(address,uint256)", receiver, units).hex()
        sender = self._evm("eth_accounts")[0]
        self._evm("eth_sendTransaction", {"from": sender, "to": self._token["address"], "data": data})

    def _treasury(self) -> int:
        from billing.ethereum import abi

        data = "0x" + abi.call(abi.BALANCE_OF, self._chain["treasury"]).hex()
        return int(self._evm("eth_call", {"to": self._token["address"], "data": data}, "latest"), 16)

    def _evm(self, method: str, *params: Any) -> Any:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        try:
            answer = requests.post(self._chain["rpc_url"], json=body, timeout=30).json()
        except (requests.RequestException, ValueError) as error:
            raise DemoFailedError(f"the EVM chain does not answer {method}: {error}") from error
        if "error" in answer:
            raise DemoFailedError(f"the EVM chain refuses {method}: {answer['error']}")
        return answer["result"]


def _signed(who: Any, document: Document) -> str:
    from billing.ethereum import typed_data

    return "0x" + bytes(who.unsafe_sign_hash(typed_data.digest(document)).signature).hex()
