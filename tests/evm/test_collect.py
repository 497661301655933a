"""Collecting on a real chain, by the contract and by plain transferFrom: what was charged arrives, once."""

from datetime import timedelta

import pytest

from billing import engine
from billing.engine import StartRequest
from billing.ethereum import readings
from billing.ethereum.rules import AuthorizationStatus, CollectionStatus
from billing.models_ethereum import ChainSend, Collection
from core.models import User
from sessions_app.models import StreamingSession
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


def test_what_is_streamed_while_a_collection_is_on_its_way_is_owed_on(world: World, vera: User) -> None:
    authorization = world.active(vera, viewer(1), money=10 * USD)
    world.stream(authorization, 600_000)
    world.round()
    world.stream(authorization, 700_000)
    world.node.mine(2)
    world.round()
    authorization.refresh_from_db()
    assert (authorization.collected_units, authorization.debt_units) == (600_000, 700_000)

    world.settle()

    assert world.balance(TREASURY) == 1_300_000


def test_a_reading_moves_the_end_of_the_meter_and_says_what_binds(world: World, vera: User) -> None:
    who = viewer(2)
    authorization = world.active(vera, who, money=10 * USD)
    assert (authorization.cutoff_units, authorization.binding) == (2 * USD, "debt_ceiling")

    world.approve(who.address, USD)
    authorization = readings.refresh(authorization.pk, now=world.now)

    assert (authorization.cutoff_units, authorization.binding) == (USD, "allowance")
    assert authorization.status == AuthorizationStatus.ACTIVE


def test_collects_at_the_threshold_while_the_stream_runs(world: World, vera: User) -> None:
    authorization = world.active(vera, viewer(1), money=10 * USD)
    start = StartRequest(viewer(1).address, "vendor123")
    engine.start(start, client_id=vera.pk, now=world.now)

    # A unit a millisecond; half a dollar is the threshold.
    world.round(seconds=499)
    assert not Collection.objects.exists()
    world.round(seconds=1)
    world.node.mine(2)
    world.round()

    authorization.refresh_from_db()
    assert (authorization.collected_units, authorization.open_transactions) == (USD // 2, 1)
    assert world.balance(TREASURY) == USD // 2


def test_an_unpaid_stream_ends_at_the_exact_instant_at_which_the_ceiling_is_reached(
    world: World, vera: User
) -> None:
    authorization = world.active(vera, viewer(1), money=10 * USD)
    start = StartRequest(viewer(1).address, "vendor123")
    began = world.now
    started = engine.start(start, client_id=vera.pk, now=began)

    # What is sent is in no block meanwhile: the chain takes nothing, and the viewer owes.
    world.round(seconds=600)
    world.round(seconds=3600)

    session = StreamingSession.objects.get(code=started.session_code)
    authorization.refresh_from_db()
    assert (session.end_reason, session.ended_at) == ("exhausted", began + timedelta(seconds=2000))
    assert (authorization.charged_units, authorization.binding) == (2 * USD, "debt_ceiling")


def test_collects_before_the_last_day_ends(world: World, vera: User) -> None:
    authorization = world.active(vera, viewer(1), money=10 * USD, rate_units_per_hour=3_600, duration_days=1)
    start = StartRequest(viewer(1).address, "vendor123")
    world.now = authorization.expires_at - timedelta(hours=3)
    engine.start(start, client_id=vera.pk, now=world.now)

    world.round(seconds=3600)
    assert not Collection.objects.exists()
    world.round(seconds=3601)

    assert Collection.objects.get().amount_units > 0


def test_who_pays_may_owe_more(world: World, vera: User) -> None:
    authorization = world.active(vera, viewer(1), money=50 * USD)
    for _ in range(3):
        world.stream(authorization, 19 * USD // 10)
        world.settle()

    authorization.refresh_from_db()
    assert authorization.ceiling_units == 57 * USD // 10


def test_what_a_resting_wallet_allows_is_seen_within_minutes(world: World, vera: User) -> None:
    who = viewer(1)
    authorization = world.signed(world.asked(vera, who), who)
    world.give(who.address, USD)
    world.approve(who.address, 5 * USD)

    world.round(seconds=301)

    authorization.refresh_from_db()
    assert (authorization.remaining_units, authorization.binding) == (USD, "balance")
