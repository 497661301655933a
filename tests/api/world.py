"""A small world to call the API in: clients with keys, wallets, the simulated node over HTTP."""

import itertools
import json
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any

from django.conf import settings
from django.test import Client, override_settings

from billing.models import Transaction
from core import clock
from core.models import Event, ReceiptRow, User
from paygo.api import keys
from sessions_app import vendors
from sessions_app.models import StreamingSession
from zcash.addresses import (
    P2PKH,
    SAPLING,
    Network,
    Receiver,
    base58,
    encode_p2pkh,
    encode_sapling,
    encode_unified,
)
from zcash.models import Deposit, PermissionAudit, SpendingPermission
from zcash.node.rpc import RpcClient

REGTEST = Network.REGTEST
ALICE = encode_sapling(b"alice".ljust(43, b"\1"), network=REGTEST)
ALICE_T = encode_p2pkh(b"alice".ljust(20, b"\1"), network=REGTEST)
BOB = encode_p2pkh(b"bob".ljust(20, b"\2"), network=REGTEST)
CAROL_U = encode_unified(
    [Receiver(P2PKH, b"carol".ljust(20, b"\3")), Receiver(SAPLING, b"carol".ljust(43, b"\3"))],
    network=REGTEST,
)
MAINNET = encode_sapling(bytes(43), network=Network.MAIN)
SPROUT = base58.encode_check(b"\x16\xb6" + bytes(64))
UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"
MIN_CONFIRMATIONS = 3

PERMISSIONS = "/api/v1/zcash/permissions"
SESSIONS = "/api/v1/sessions"
END = "/api/v1/sessions/end"

_TABLES = (SpendingPermission, Deposit, PermissionAudit, StreamingSession, Transaction, Event, ReceiptRow)


@dataclass
class Answer:
    """What a call answered."""

    status: int
    body: Any
    headers: Any

    @property
    def code(self) -> Any:
        return self.body["code"]

    @property
    def fields(self) -> dict[str, str]:
        """The code of the problem with each field."""
        return {each["field"]: each["code"] for each in self.body.get("errors", [])}


@dataclass
class Api:
    """Calls the API as one client, or as nobody."""

    user: User | None = None
    key: str = ""

    @property
    def client_id(self) -> int:
        assert self.user is not None
        return self.user.pk

    def get(self, path: str, **headers: str) -> Answer:
        return self.call("GET", path, headers=headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Answer:
        content = "" if body is None else json.dumps(body)
        return self.call("POST", path, content, headers=headers)

    def call(
        self,
        method: str,
        path: str,
        content: str | bytes = "",
        *,
        content_type: str = "application/json",
        headers: dict[str, str] | None = None,
    ) -> Answer:
        sent = {name.replace("_", "-"): value for name, value in (headers or {}).items()}
        if self.key:
            sent.setdefault("authorization", f"Bearer {self.key}")
        found = browser().generic(method, path, content, content_type=content_type, headers=sent)
        text = (_first(found) if found.streaming else found.content).decode()
        body = json.loads(text) if text and "json" in found["content-type"] else text
        return Answer(found.status_code, body, found.headers)


def _first(streaming: Any) -> bytes:
    """Return the beginning of a stream, and close it."""
    beginning = b"".join(itertools.islice(streaming.streaming_content, 2))
    # The test client's own wrapper: it keeps the test's connection open.
    streaming._iterator.close()
    return beginning


def dynamic_middleware() -> list[str]:
    """Return the middleware without that for static files."""
    return [name for name in settings.MIDDLEWARE if "whitenoise" not in name]


@cache
def browser() -> Client:
    """Return the one HTTP client; it serves no static files, whose look-up takes a second."""
    client = Client()
    with override_settings(MIDDLEWARE=dynamic_middleware()):
        client.handler.load_middleware()
    return client


def make_api(name: str = "vera-tv", *, scopes: tuple[str, ...] = keys.SCOPES) -> Api:
    """Return a new client with a vendor and a key of its own."""
    user = User.objects.create_user(username=name)
    vendors.create("vendor123", client_id=user.pk, name="Vera", actor="tests", now=clock.now())
    return Api(user, keys.create(user, name="test", now=clock.now(), scopes=scopes))


def permission_body(**changes: Any) -> dict[str, Any]:
    """Return the seed's request for a permission."""
    return {"user_wallet_address": ALICE, "requested_amount": 10.0, "rate_per_hour": 2.5, **changes}


def session_body(**changes: Any) -> dict[str, Any]:
    """Return the seed's request for a session."""
    return {"user_wallet_address": ALICE, "vendor_id": "vendor123", **changes}


def create(api: Api, **changes: Any) -> dict[str, Any]:
    """Create a permission and return the answer's body."""
    answer = api.post(PERMISSIONS, permission_body(**changes))
    assert answer.status == 201, answer.body
    return dict(answer.body)


def pay(
    node: RpcClient, created: dict[str, Any], amount: str = "", *, blocks: int = MIN_CONFIRMATIONS
) -> None:
    """Pay a permission on the simulated node, and mine."""
    zec = Decimal(amount or str(created["amount_to_pay"]))
    node.call("sim_pay", created["payment_address"], float(zec))
    node.call("generate", blocks)


def create_active(api: Api, node: RpcClient, **changes: Any) -> dict[str, Any]:
    """Create, pay, confirm and verify a permission; return the creation's answer."""
    created = create(api, **changes)
    pay(node, created)
    verified = api.post(f"{PERMISSIONS}/{created['permission_id']}/verify")
    assert verified.status == 200, verified.body
    return created


def start(api: Api, **changes: Any) -> dict[str, Any]:
    """Start a session and return the answer's body."""
    answer = api.post(SESSIONS, session_body(**changes))
    assert answer.status == 201, answer.body
    return dict(answer.body)


def hours_pass(hours: float) -> None:
    """Move the sandbox's clock."""
    clock.advance(round(hours * 3_600_000))


def rows() -> dict[str, int]:
    """Return how many rows there are of everything that a call may write."""
    return {kind.__name__: kind.objects.count() for kind in _TABLES}
