"""A program that has met a 402 pays by itself: the agent of docs/agents.md, as it stands there."""

import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from paygo_client import PayGo, PaymentRequired
from pytest_django.live_server_helper import LiveServer

from core import clock
from core.models import User
from paygo.api import keys
from tests.api.world import ALICE
from tests.factories import ZEC, make_client, make_vendor
from zcash.node.rpc import RpcClient
from zcash.simnode import SimNode
from zcash.zip321 import parse_uri

pytestmark = pytest.mark.django_db(transaction=True)
PAGE = Path(django_settings.BASE_DIR, "docs", "agents.md").read_text()


class Wallet:
    """The agent's own wallet on the simulated chain; each payment is mined at once."""

    def __init__(self, rpc: RpcClient) -> None:
        self._rpc = rpc
        self.paid_zat: list[int] = []

    def pay(self, uri: str) -> None:
        (payment,) = parse_uri(uri)
        self.paid_zat.append(payment.amount_zat)
        self._rpc.call("sim_pay", payment.address.canonical, float(Decimal(payment.amount_zat) / ZEC))
        self._rpc.call("generate", 3)


@pytest.fixture
def agent() -> Any:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(code, "docs/agents.md", "exec"), names)
    return names["stream"]


@pytest.fixture
def wallet(settings: Any, tmp_path: Path) -> Iterator[Wallet]:
    with SimNode(datadir=tmp_path, user="paygo", password="secret") as node:
        settings.ZCASH_RPC_URL = node.url
        settings.ZCASH_RPC_USER, settings.ZCASH_RPC_PASSWORD = "paygo", "secret"
        rpc = RpcClient(node.url, user="paygo", password="secret")
        yield Wallet(rpc)
        rpc.close()


@pytest.fixture
def vera() -> User:
    client = make_client()
    make_vendor(client, price=2 * ZEC)
    make_vendor(client, slug="without-a-price")
    return client


@pytest.fixture
def paygo(live_server: LiveServer, vera: User) -> Iterator[PayGo]:
    with PayGo(live_server.url, keys.create(vera, name="agent", now=clock.now())) as client:
        # Else a thread of the test's server waits for more, and holds its connection to the database.
        client._http.headers["Connection"] = "close"
        yield client


def test_an_agent_asks_pays_and_streams(agent: Any, paygo: PayGo, wallet: Wallet) -> None:
    session = agent(paygo, ALICE, "vendor123", pay=wallet.pay, most_zat=3 * ZEC)

    assert wallet.paid_zat == [2 * ZEC]
    assert session["rate_per_hour"] == 2
    assert paygo.end_session(session_code=session["session_code"])["status"] == "confirmed"


def test_an_agent_pays_what_is_missing_of_a_permission(agent: Any, paygo: PayGo, wallet: Wallet) -> None:
    asked = paygo.create_spending_permission(user_wallet_address=ALICE, requested_amount=4, rate_per_hour=2)
    wallet.pay(asked["payment_uri"].replace("amount=4", "amount=1"))
    paygo.verify_payment_of_permission(asked["permission_id"])

    agent(paygo, ALICE, "vendor123", pay=wallet.pay, most_zat=4 * ZEC)

    assert wallet.paid_zat == [ZEC, 3 * ZEC]


def test_an_agent_pays_for_another_hour_when_the_money_is_used_up(
    agent: Any, paygo: PayGo, wallet: Wallet
) -> None:
    agent(paygo, ALICE, "vendor123", pay=wallet.pay, most_zat=3 * ZEC)
    clock.advance(3_600_000)

    agent(paygo, ALICE, "vendor123", pay=wallet.pay, most_zat=3 * ZEC)

    assert wallet.paid_zat == [2 * ZEC, 2 * ZEC]


def test_an_agent_keeps_to_its_own_limit(agent: Any, paygo: PayGo, wallet: Wallet) -> None:
    with pytest.raises(PaymentRequired):
        agent(paygo, ALICE, "vendor123", pay=wallet.pay, most_zat=ZEC)

    assert wallet.paid_zat == []


def test_a_payer_chooses_where_the_vendor_has_no_price(paygo: PayGo, wallet: Wallet) -> None:
    with pytest.raises(PaymentRequired) as caught:
        paygo.start_session(user_wallet_address=ALICE, vendor_id="without-a-price")

    (option,) = caught.value.options
    assert option["extra"]["choose"] == ["requested_amount", "rate_per_hour"]
    assert option["extra"]["create"]["body"] == {"user_wallet_address": ALICE}
