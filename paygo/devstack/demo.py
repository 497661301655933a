"""One whole stream through the public API: permission, payment, session, live meter, end, receipt.

Plain HTTP against a running PayGo and its simulated node, as a vendor's and a viewer's software would.
"""

import secrets
import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import requests

from paygo.devstack import VENDOR
from zcash.addresses import Network, encode_sapling

AMOUNT_ZEC = Decimal(10)
RATE_ZEC = Decimal("2.5")
ZAT = Decimal(100_000_000)
ACTIVE_SECONDS = 60.0
# Where nobody watches a terminal, a line a second is enough.
METER_EVERY_SECONDS = 0.25 if sys.stdout.isatty() else 1.0

Document = dict[str, Any]


class DemoFailedError(Exception):
    """Something did not happen as it should; the message says what was asked and what came back."""


@dataclass(frozen=True)
class Receipt:
    """What the demo has shown to be right: the stream's cost and what is left, in ZEC."""

    permission_id: str
    amount: Decimal
    remaining: Decimal


class Demo:
    """A client with its key, a viewer with a wallet, and the node that both trust."""

    amount_zec = AMOUNT_ZEC

    def __init__(self, env: Mapping[str, str]) -> None:
        self._api_url = env["PAYGO_URL"].rstrip("/") + "/api/v1"
        self._rpc_url = env["ZCASH_RPC_URL"]
        self._rpc_auth = (env.get("ZCASH_RPC_USER", ""), env.get("ZCASH_RPC_PASSWORD", ""))
        self._http = requests.Session()
        self._http.headers["Authorization"] = f"Bearer {env['PAYGO_API_KEY']}"

    def run(self, *, seconds: float) -> Receipt:
        """Stream for `seconds`. Raises DemoFailedError where an answer is not what was promised."""
        wallet = encode_sapling(secrets.token_bytes(43), network=Network.REGTEST)
        permission = self._create(wallet)
        self._pay(permission)
        self._wait_until_active(permission["permission_id"])
        session = self._start(wallet)
        self._watch_meter(permission["permission_id"], seconds=seconds)
        ended = self._end(session["session_code"])
        return self._check(permission["permission_id"], ended)

    def _create(self, wallet: str) -> Document:
        _say(
            f"A viewer with the wallet {_short(wallet)} asks for {self.amount_zec} ZEC at"
            f" {RATE_ZEC} ZEC an hour."
        )
        body = {
            "user_wallet_address": wallet,
            "requested_amount": float(self.amount_zec),
            "rate_per_hour": float(RATE_ZEC),
        }
        created = self._call("POST", "/zcash/permissions", body, expect=201)
        _show(
            permission_id=created["permission_id"],
            max_streaming_hours=created["max_streaming_hours"],
            payment_address=_short(created["payment_address"]),
            amount_to_pay=created["amount_to_pay"],
        )
        return created

    def _pay(self, permission: Document) -> None:
        txid = self._rpc("sim_pay", permission["payment_address"], float(permission["amount_to_pay"]))
        _say(f"The viewer pays on the simulated node, transaction {_short(txid)}.")
        seen = self._call(
            "POST", f"/zcash/permissions/{permission['permission_id']}/verify", expect=(200, 202)
        )
        payment = seen["payment"]
        _show(status=seen["status"], received=payment["received"], confirmations=payment["confirmations"])
        missing = payment["required_confirmations"] - payment["confirmations"]
        _say(f"The node mines; {payment['required_confirmations']} confirmations are required.")
        self._rpc("generate", max(1, missing))

    def _wait_until_active(self, permission_id: str) -> None:
        deadline = time.monotonic() + ACTIVE_SECONDS
        while True:
            state = self._call("POST", f"/zcash/permissions/{permission_id}/verify", expect=(200, 202))
            if state["status"] == "active":
                break
            if time.monotonic() > deadline:
                raise DemoFailedError(f"paid and mined, but not active after {ACTIVE_SECONDS:.0f} s: {state}")
            time.sleep(0.5)
        _show(status="active", remaining_amount=state["remaining_amount"], hours=state["remaining_hours"])

    def _start(self, wallet: str) -> Document:
        body = {"user_wallet_address": wallet, "vendor_id": VENDOR}
        session = self._call("POST", "/sessions", body, expect=201)
        _say(f"The stream runs at {VENDOR}, session {session['session_code']}.")
        return session

    def _watch_meter(self, permission_id: str, *, seconds: float) -> None:
        started = time.monotonic()
        while (elapsed := time.monotonic() - started) < seconds:
            state = self._call("GET", f"/zcash/permissions/{permission_id}", expect=200)
            _draw_meter(_zec(state["remaining_amount"]), share=elapsed / seconds)
            time.sleep(METER_EVERY_SECONDS)
        state = self._call("GET", f"/zcash/permissions/{permission_id}", expect=200)
        _draw_meter(_zec(state["remaining_amount"]), share=1.0)
        print(end="\n" if sys.stdout.isatty() else "")

    def _end(self, session_code: str) -> Document:
        ended = self._call("POST", "/sessions/end", {"session_code": session_code}, expect=200)
        _say("The viewer stops. The receipt:")
        _show(**{name: ended[name] for name in ("id", "status", "duration_seconds", "duration_minutes")})
        _show(amount=f"{_zec(ended['amount'])} ZEC")
        return ended

    def _check(self, permission_id: str, ended: Document) -> Receipt:
        """Hold the receipt against the formula and against what is left: to the zatoshi."""
        state = self._call("GET", f"/zcash/permissions/{permission_id}", expect=200)
        remaining, amount = _zec(state["remaining_amount"]), _zec(ended["amount"])
        milliseconds = int(Decimal(str(ended["duration_seconds"])) * 1000)
        due = Decimal(int(RATE_ZEC * ZAT) * milliseconds // 3_600_000) / ZAT
        if amount != due:
            raise DemoFailedError(f"{milliseconds} ms cost {due} ZEC, but the receipt says {amount}")
        if remaining + amount != AMOUNT_ZEC:
            raise DemoFailedError(f"{remaining} left and {amount} spent are not {AMOUNT_ZEC} ZEC")
        if ended["status"] != "confirmed":
            raise DemoFailedError(f"the receipt is {ended['status']}, not confirmed")
        return Receipt(permission_id, amount, remaining)

    def _call(
        self, method: str, path: str, body: Document | None = None, *, expect: int | tuple[int, ...]
    ) -> Document:
        try:
            answer = self._http.request(method, self._api_url + path, json=body, timeout=30)
            document: Document = answer.json(parse_float=Decimal)
        except (requests.RequestException, ValueError) as error:
            raise DemoFailedError(f"{method} {path}: {error}") from error
        if answer.status_code not in (expect if isinstance(expect, tuple) else (expect,)):
            raise DemoFailedError(f"{method} {path} answered {answer.status_code}: {answer.text[:1000]}")
        return document

    def _rpc(self, method: str, *params: Any) -> Any:
        body = {"jsonrpc": "1.0", "id": "demo", "method": method, "params": list(params)}
        try:
            answer = requests.post(self._rpc_url, json=body, auth=self._rpc_auth, timeout=30)
            document = answer.json()
        except (requests.RequestException, ValueError) as error:
            raise DemoFailedError(f"the node does not answer {method}: {error}") from error
        if document.get("error"):
            hint = " (only the simulated node has it)" if document["error"].get("code") == -32601 else ""
            raise DemoFailedError(f"the node refuses {method}{hint}: {document['error']}")
        return document["result"]


def _draw_meter(remaining: Decimal, *, share: float) -> None:
    width = max(10, min(40, shutil.get_terminal_size((100, 24)).columns - 60))
    filled = round(share * width)
    bar = "#" * filled + "." * (width - filled)
    spent = AMOUNT_ZEC - remaining
    line = f"    [{bar}]  left {remaining:.8f} ZEC  spent {spent:.8f} ZEC"
    end = "" if sys.stdout.isatty() else "\n"
    print(f"\r{line}" if not end else line, end=end, flush=True)


def _zec(value: Any) -> Decimal:
    return Decimal(str(value)).quantize(Decimal("0.00000001"))


def _say(text: str) -> None:
    print(f"\n{text}", flush=True)


def _show(**values: Any) -> None:
    for name, value in values.items():
        print(f"    {name:<20} {value}", flush=True)


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:26]}...{text[-8:]}"
