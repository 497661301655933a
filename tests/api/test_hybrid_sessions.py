"""Sessions that a token pays for, over the API."""

import pytest

from core import clock
from tests.api.world import Api
from tests.factories import ALICE_ETHEREUM, USD, make_authorization

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


@pytest.mark.parametrize("address", [ALICE_ETHEREUM.lower(), ALICE_ETHEREUM[:-1], "0x" + "0" * 40])
def test_refuses_an_ethereum_address_without_its_checksum(vera: Api, address: str) -> None:
    refused = vera.post("/api/v1/sessions", {"user_wallet_address": address, "vendor_id": "vendor123"})

    assert refused.status == 400
    assert refused.fields == {"user_wallet_address": "ethereum_address_invalid"}
