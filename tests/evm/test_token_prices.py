"""Vendors' prices in tokens on a real chain: what arrives is what each of them costs."""

from datetime import timedelta

import pytest

from billing import engine, token_prices
from billing.engine import StartRequest
from billing.errors import RateExceedsAuthorization
from billing.token_prices import TokenPrice
from core.models import User
from tests.evm.world import TREASURY, USD, World, viewer
from tests.factories import ALICE, ZEC, make_active_permission, make_vendor

pytestmark = pytest.mark.django_db(transaction=True)


def set_price(world: World, client: User, vendor: str, units: int) -> None:
    price = TokenPrice(world.chain_id, world.tokens["USDT"], units)
    token_prices.set_price(vendor, price, client_id=client.pk, actor="tests", now=world.now)


def start(world: World, client: User, wallet: str, vendor: str) -> str:
    return engine.start(StartRequest(wallet, vendor), client_id=client.pk, now=world.now).session_code


def end_all(world: World, client: User, codes: list[str]) -> list[list[tuple[str, int, int]]]:
    records = [engine.end(code, client_id=client.pk, now=world.now) for code in codes]
    return [[(each.asset, each.rate, each.amount) for each in record.transactions] for record in records]


def test_two_vendors_are_collected_at_their_prices_whatever_changes_meanwhile(
    world: World, vera: User
) -> None:
    make_vendor(vera, slug="cheap")
    authorization = world.active(vera, viewer(1), money=10 * USD)
    set_price(world, vera, "vendor123", 1_200_000)
    set_price(world, vera, "cheap", 300_000)
    codes = [start(world, vera, viewer(1).address, each) for each in ("vendor123", "cheap")]
    set_price(world, vera, "cheap", 3_000_000)

    world.now += timedelta(hours=1)
    stretches = end_all(world, vera, codes)
    world.settle()

    assert stretches == [[("USDT", 1_200_000, 1_200_000)], [("USDT", 300_000, 300_000)]]
    authorization.refresh_from_db()
    assert authorization.collected_units == world.balance(TREASURY) == 1_500_000
    assert world.balance(viewer(1).address) == 8_500_000


def test_a_stream_falls_over_at_its_vendors_price_and_a_dearer_one_ends(world: World, vera: User) -> None:
    make_vendor(vera, slug="dear")
    make_active_permission(vera, requested=2 * ZEC, rate=1 * ZEC, now=world.now)
    authorization = world.active(vera, viewer(1), money=10 * USD, linked_wallet_address=ALICE)
    set_price(world, vera, "vendor123", 900_000)
    set_price(world, vera, "dear", authorization.rate_units_per_hour + 1)
    codes = [start(world, vera, ALICE, each) for each in ("vendor123", "dear")]

    world.now += timedelta(hours=2)
    stretches = end_all(world, vera, codes)
    world.settle()

    assert stretches == [[("ZEC", ZEC, ZEC), ("USDT", 900_000, 900_000)], [("ZEC", ZEC, ZEC)]]
    assert world.balance(TREASURY) == 900_000
    with pytest.raises(RateExceedsAuthorization):
        start(world, vera, ALICE, "dear")
