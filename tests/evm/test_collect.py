"""Collecting on a real chain, by the contract and by plain transferFrom: what was charged arrives, once."""

import pytest

from billing.ethereum import readings
from billing.ethereum.rules import AuthorizationStatus, CollectionStatus
from billing.models_ethereum import ChainSend, Collection
from core.models import User
from tests.evm.world import TREASURY, USD, World, viewer

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("by_collector", [True, False])
def test_collects_what_was_charged_and_no_more(world: World, vera: User, by_collector: bool) -> None:
    world.configure(by_collector=by_collector)
    authorization = world.active(vera, viewer(1), money=10 * USD)
    world.stream(authorization, 1_234_567)

    world.settle()

    authorization.refresh_from_db()
    assert authorization.collected_units == 1_234_567
    assert world.balance(TREASURY) == 1_234_567
    assert world.balance(viewer(1).address) == 10 * USD - 1_234_567
    assert Collection.objects.get().status == CollectionStatus.CONFIRMED
    assert ChainSend.objects.count() == 1


@pytest.mark.parametrize("by_collector", [True, False])
def test_a_second_debt_is_collected_from_where_the_first_ended(
    world: World, vera: User, by_collector: bool
) -> None:
    world.configure(by_collector=by_collector)
    authorization = world.active(vera, viewer(1), money=10 * USD)
    world.stream(authorization, 600_000)
    world.settle()
    world.stream(authorization, 700_000)

    world.settle()

    assert world.balance(TREASURY) == 1_300_000
    assert list(Collection.objects.order_by("id").values_list("from_units", "to_units")) == [
        (0, 600_000),
        (600_000, 1_300_000),
    ]


def test_a_reading_moves_the_end_of_the_meter_and_says_what_binds(world: World, vera: User) -> None:
    who = viewer(2)
    authorization = world.active(vera, who, money=10 * USD)
    assert (authorization.cutoff_units, authorization.binding) == (2 * USD, "debt_ceiling")

    world.approve(who.address, USD)
    authorization = readings.refresh(authorization.pk, now=world.now)

    assert (authorization.cutoff_units, authorization.binding) == (USD, "allowance")
    assert authorization.status == AuthorizationStatus.ACTIVE
