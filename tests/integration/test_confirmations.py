"""How deep a payment lies before it counts: by what its permission received lately, not by each alone."""

import pytest
from pytest_django.fixtures import Settings

from billing import funding
from core.models import User
from tests.factories import ZEC
from tests.integration.nodes import DEPTH, World, state
from zcash.rules import FINAL_DEPTH, LOOK_BACK

pytestmark = pytest.mark.django_db

HIGH = 8


@pytest.fixture(autouse=True)
def _tiers(settings: Settings) -> None:
    settings.ZCASH_CONFIRMATION_TIERS = f"10:{HIGH}"


def credited_after(node: World, *, blocks: int) -> list[int]:
    """Return after which new blocks something was credited."""
    found = []
    for number in range(1, blocks + 1):
        node.mine()
        if node.scan():
            found.append(number)
    return found


def test_a_small_payment_needs_few_and_a_large_one_many(vera: User, node: World) -> None:
    small = node.create(vera, requested=9 * ZEC)
    large = node.create(vera, wallet="tmBob")
    node.pay(small, 9 * ZEC)
    node.pay(large, 10 * ZEC)

    assert credited_after(node, blocks=HIGH) == [DEPTH, HIGH]

    assert (state(small)[0], state(large)[0]) == ("active", "active")


def test_splitting_a_payment_does_not_help(vera: User, node: World) -> None:
    permission = node.create(vera)
    for _ in range(5):
        node.pay(permission, 2 * ZEC)

    assert credited_after(node, blocks=HIGH) == [HIGH]

    assert state(permission) == ("active", 10 * ZEC)


def test_splitting_it_over_blocks_does_not_help_either(vera: User, node: World) -> None:
    permission = node.create(vera, requested=18 * ZEC)
    node.pay(permission, 9 * ZEC)
    node.mine(DEPTH)
    node.scan()
    node.pay(permission, 9 * ZEC)
    node.mine(DEPTH)
    node.scan()

    payment = funding.payment_of(permission)

    assert state(permission) == ("pending", 9 * ZEC)
    assert (payment.confirmations, payment.required_confirmations) == (DEPTH, HIGH)
    assert credited_after(node, blocks=HIGH - DEPTH) == [HIGH - DEPTH]


@pytest.mark.parametrize(("age", "needed"), [(FINAL_DEPTH - 1, HIGH), (FINAL_DEPTH, DEPTH)])
def test_money_older_than_a_hundred_blocks_does_not_count(
    vera: User, node: World, age: int, needed: int
) -> None:
    permission = node.create(vera, requested=18 * ZEC)
    node.pay(permission, 9 * ZEC)
    node.mine(age - DEPTH + 1)
    node.scan()
    node.pay(permission, 9 * ZEC)

    node.mine(DEPTH)
    node.scan()

    assert funding.payment_of(permission).required_confirmations == needed
    assert state(permission)[1] == (18 * ZEC if needed == DEPTH else 9 * ZEC)


def test_shows_how_many_of_how_many(vera: User, node: World) -> None:
    permission = node.create(vera)
    node.pay(permission, 10 * ZEC)
    node.mine(DEPTH)

    node.verify(permission)

    payment = funding.payment_of(permission)
    assert (payment.confirmations, payment.required_confirmations) == (DEPTH, HIGH)
    assert (payment.received_zat, payment.confirmed_zat, payment.missing_zat) == (10 * ZEC, 0, 0)


def test_a_payment_that_needs_more_than_the_look_back_is_followed_to_the_end(
    vera: User, node: World, settings: Settings
) -> None:
    settings.ZCASH_MIN_CONFIRMATIONS = LOOK_BACK + 10
    permission = node.create(vera)
    node.pay(permission, 10 * ZEC)
    node.mine(LOOK_BACK + 5)
    node.scan()

    assert credited_after(node, blocks=5) == [5]

    assert state(permission) == ("active", 10 * ZEC)
