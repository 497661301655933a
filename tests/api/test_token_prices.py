"""Vendors' prices in tokens over HTTP."""

from pathlib import Path
from typing import Any

import pytest

from core import clock
from paygo.api.vendor_bodies import TokenPricePage, TokenPriceVersion
from sessions_app.models import VendorTokenPrice
from tests.api.world import SESSIONS, Api, make_api
from tests.factories import ALICE_ETHEREUM, USD, make_authorization
from tests.tokens import CHAIN, USDT, configure_usdt

pytestmark = pytest.mark.django_db(transaction=True)

VENDOR = "/api/v1/vendors/vendor123"
PRICES = f"{VENDOR}/token_prices"
STREAM = {"user_wallet_address": ALICE_ETHEREUM, "vendor_id": "vendor123"}
NO_RATES = ("0", "-1", "01", "1.5", "1e6", "", "NaN", 2_500_000, True, [], str(10**30 + 1), "9" * 99)
NO_CHAINS = (0, -1, "31337", 1, None, 2**60, 1.5)
NO_TOKENS = ("0x" + "44" * 20, "0x22", None, 5, USDT.upper(), "\x00", ALICE_ETHEREUM.lower())


@pytest.fixture(autouse=True)
def _usdt(tmp_path: Path, settings: Any) -> None:
    configure_usdt(tmp_path, settings, CHAIN)


def price_body(**changes: Any) -> dict[str, Any]:
    return {"chain_id": CHAIN, "token": USDT, "rate_per_hour": "2500000", **changes}


def test_sets_a_price_and_lists_the_versions(vera: Api) -> None:
    first = vera.post(PRICES, price_body())
    vera.post(PRICES, price_body(rate_per_hour=None))

    page = vera.get(f"{PRICES}?limit=1")
    rest = vera.get(f"{PRICES}?limit=1&after={page.body['next_after']}")

    assert first.status == 201
    assert first.body.keys() == TokenPriceVersion().fields.keys()
    assert (first.body["version"], first.body["rate_per_hour"]) == (1, "2500000")
    assert page.body.keys() == TokenPricePage().fields.keys()
    assert [(each["version"], each["rate_per_hour"]) for each in page.body["prices"]] == [(2, None)]
    assert (rest.body["prices"], rest.body["next_after"]) == ([first.body], None)
    assert vera.get(VENDOR).body["token_price_version"] == 2
    assert VendorTokenPrice.objects.get(version=1).actor == f"client:{vera.client_id}"


def test_a_session_costs_it_and_names_the_version(vera: Api) -> None:
    make_authorization(vera.user, linked=None, rate=3 * USD, now=clock.now())
    vera.post(PRICES, price_body())

    started = vera.post(SESSIONS, STREAM)
    vera.post(PRICES, price_body(rate_per_hour="1"))

    shown = vera.get(f"{SESSIONS}/{started.body['session_code']}").body
    assert started.body["asset_rate_per_hour"] == "2500000"
    assert shown["token_price_version"] == 1
    assert shown["transactions"][0]["rate_units_per_hour"] == "2500000"


def test_a_dearer_vendor_is_a_402_that_names_it(vera: Api) -> None:
    authorization = make_authorization(vera.user, linked=None, rate=USD, now=clock.now())
    vera.post(PRICES, price_body())

    refused = vera.post(SESSIONS, STREAM)

    assert (refused.status, refused.code) == (402, "rate_exceeds_authorization")
    told = {name: refused.body[name] for name in ("vendor_id", "authorization_id", "asset")}
    assert told == {
        "vendor_id": "vendor123",
        "authorization_id": str(authorization.public_id),
        "asset": "USDT",
    }
    assert refused.body["vendor_rate_per_hour"] == "2500000"
    assert refused.body["authorization_rate_per_hour"] == str(USD)
    # One authorisation of a wallet is active at most: another one would be refused.
    assert refused.body["accepts"] == []


def test_a_refusal_offers_to_sign_for_the_price(vera: Api) -> None:
    vera.post(PRICES, price_body())

    refused = vera.post(SESSIONS, STREAM)

    (offered,) = refused.body["accepts"]
    assert offered["extra"]["create"]["body"]["rate_per_hour"] == "2500000"
    assert offered["extra"]["choose"] == ["limit", "privacy_consent"]


def test_replays_a_price_with_the_same_key(vera: Api) -> None:
    first, again = (vera.post(PRICES, price_body(), idempotency_key="price-1") for _ in range(2))
    other = vera.post(PRICES, price_body(rate_per_hour="3"), idempotency_key="price-1")

    assert (first.status, again.status, again.body) == (201, 201, first.body)
    assert (other.status, other.code) == (422, "idempotency_key_reused")
    assert VendorTokenPrice.objects.count() == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("rate_per_hour", each) for each in NO_RATES),
        *(("chain_id", each) for each in NO_CHAINS),
        *(("token", each) for each in NO_TOKENS),
        ("surprise", 1),
    ],
)
def test_refuses_what_is_no_price(vera: Api, field: str, value: object) -> None:
    refused = vera.post(PRICES, price_body(**{field: value}))

    assert (refused.status, list(refused.fields)) == (400, [field])
    assert not VendorTokenPrice.objects.exists()


@pytest.mark.parametrize("missing", ["chain_id", "token", "rate_per_hour"])
def test_refuses_half_a_price(vera: Api, missing: str) -> None:
    body = price_body()
    del body[missing]

    refused = vera.post(PRICES, body)

    assert (refused.status, list(refused.fields)) == (400, [missing])


def test_knows_no_vendor_of_another_client(vera: Api, mallory: Api) -> None:
    vera.post("/api/v1/vendors", {"vendor_id": "own", "name": "Vera's own"})
    vera.post("/api/v1/vendors/own/token_prices", price_body())

    stranger = [
        mallory.post("/api/v1/vendors/own/token_prices", price_body()),
        mallory.get("/api/v1/vendors/own/token_prices"),
    ]
    mallory.post(PRICES, price_body())

    assert [(each.status, each.code) for each in stranger] == [(404, "vendor_not_found")] * 2
    assert vera.get(PRICES).body["prices"] == []


def test_needs_the_scopes_of_vendors() -> None:
    reader = make_api("reader", scopes=("vendors:read",))

    assert reader.get(PRICES).status == 200
    assert (reader.post(PRICES, price_body()).status, VendorTokenPrice.objects.count()) == (403, 0)
