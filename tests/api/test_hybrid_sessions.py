"""Sessions that a token pays for, over the API."""

from pathlib import Path
from typing import Any

import pytest

from billing import privacy
from core import clock
from tests.api.world import Api
from tests.factories import ALICE, ALICE_ETHEREUM, USD, make_active_permission, make_authorization
from tests.tokens import OTHER_CHAIN, configure_usdt

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_session_of_an_ethereum_wallet_is_told_in_its_token(vera: Api) -> None:
    make_authorization(vera.user, linked=None, now=clock.now())

    started = vera.post("/api/v1/sessions", {"user_wallet_address": ALICE_ETHEREUM, "vendor_id": "vendor123"})
    ended = vera.post("/api/v1/sessions/end", {"session_code": started.body["session_code"]})

    assert started.status == 201
    assert (started.body["rate_per_hour"], started.body["asset"]) == (None, "USDT")
    assert started.body["asset_rate_per_hour"] == str(USD)
    (stretch,) = ended.body["transactions"]
    assert (stretch["asset"], stretch["permission_id"], stretch["decimals"]) == ("USDT", None, 6)
    assert ended.body["totals"] == [{"asset": "USDT", "amount_units": stretch["amount_units"], "decimals": 6}]
    assert ended.body["amount"] == 0.0


def test_an_ethereum_wallet_without_an_authorisation_is_told_what_to_do(vera: Api) -> None:
    refused = vera.post("/api/v1/sessions", {"user_wallet_address": ALICE_ETHEREUM, "vendor_id": "vendor123"})

    assert (refused.status, refused.code) == (402, "authorization_required")


@pytest.fixture
def _usdt(tmp_path: Path, settings: Any) -> None:
    """A chain with one token, which nobody asks here."""
    configure_usdt(tmp_path, settings, OTHER_CHAIN)


@pytest.mark.usefixtures("_usdt")
@pytest.mark.parametrize(
    ("wallet", "field"), [(ALICE, "linked_wallet_address"), (ALICE_ETHEREUM, "wallet_address")]
)
def test_a_refusal_offers_the_public_rail_with_what_it_makes_public(
    vera: Api, wallet: str, field: str
) -> None:
    refused = vera.post("/api/v1/sessions", {"user_wallet_address": wallet, "vendor_id": "vendor123"})

    offered = [each for each in refused.body["accepts"] if each["scheme"] == "paygo-authorization"]
    assert [(each["network"], each["asset"], each["amount"]) for each in offered] == [
        ("eip155:8453", "0x" + "22" * 20, "0")
    ]
    extra = offered[0]["extra"]
    assert extra["privacy_note"] == privacy.NOTE
    assert extra["create"]["body"] == {"chain_id": 8453, "token": "0x" + "22" * 20, field: wallet}
    assert "privacy_consent" in extra["choose"]


@pytest.mark.usefixtures("_usdt")
def test_a_session_with_a_cap_in_zec_is_offered_no_token(vera: Api) -> None:
    body = {"user_wallet_address": ALICE, "vendor_id": "vendor123", "max_amount": 1}

    refused = vera.post("/api/v1/sessions", body)

    assert {each["scheme"] for each in refused.body["accepts"]} == {"paygo-permission"}


def test_chains_that_are_misconfigured_keep_nobody_from_paying_in_zec(vera: Api, settings: Any) -> None:
    settings.ETHEREUM_CHAINS_FILE = "/nothing/here.toml"

    refused = vera.post("/api/v1/sessions", {"user_wallet_address": ALICE, "vendor_id": "vendor123"})

    assert (refused.status, len(refused.body["accepts"])) == (402, 1)


def test_the_fallback_of_a_session_says_what_it_makes_public(vera: Api) -> None:
    make_active_permission(vera.user, now=clock.now())
    make_authorization(vera.user, now=clock.now())

    started = vera.post("/api/v1/sessions", {"user_wallet_address": ALICE, "vendor_id": "vendor123"})
    shown = vera.get(f"/api/v1/sessions/{started.body['session_code']}")

    told = {"asset": "USDT", "privacy_note": privacy.NOTE}
    assert (started.body["fallback"], shown.body["fallback"]) == (told, told)


@pytest.mark.parametrize("address", [ALICE_ETHEREUM.lower(), ALICE_ETHEREUM[:-1], "0x" + "0" * 40])
def test_refuses_an_ethereum_address_without_its_checksum(vera: Api, address: str) -> None:
    refused = vera.post("/api/v1/sessions", {"user_wallet_address": address, "vendor_id": "vendor123"})

    assert refused.status == 400
    assert refused.fields == {"user_wallet_address": "ethereum_address_invalid"}
