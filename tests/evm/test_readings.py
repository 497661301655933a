"""Readings that come late, and what a viewer may owe by several authorisations together."""

import pytest

from billing import covering, engine
from billing.engine import StartRequest
from billing.ethereum import authorizing, collector, readings
from billing.models_ethereum import Authorization, Collection
from core.db import operation
from core.models import User
from tests.evm.world import USD, World, later, viewer
from tests.factories import ALICE, make_client, make_vendor

pytestmark = pytest.mark.django_db(transaction=True)
WHO = viewer(1)


def note(world: World, authorization: Authorization, seen: readings.Seen, *, seconds: int) -> Authorization:
    """Write a reading that was taken a while ago."""
    with operation():
        locked = covering.lock_current(authorization.pk, now=world.now)
        readings.note(locked, seen, now=later(world.now, seconds=seconds))
    return Authorization.objects.get(pk=authorization.pk)


def test_an_older_block_does_not_take_back_what_a_newer_one_said(world: World, vera: User) -> None:
    authorization = world.active(vera, WHO)
    old = readings.look(readings.connect(world.chain), authorization)
    world.approve(WHO.address, USD)
    readings.refresh(authorization.pk, now=world.now)

    late = note(world, authorization, old, seconds=1)

    assert (late.allowance_units, late.cutoff_units, late.binding) == (USD, USD, "allowance")
    assert late.chain_read_at == world.now


def test_a_chain_that_stays_behind_is_believed_in_the_end(world: World, vera: User) -> None:
    authorization = world.active(vera, WHO)
    old = readings.look(readings.connect(world.chain), authorization)
    world.approve(WHO.address, USD)
    readings.refresh(authorization.pk, now=world.now)

    assert note(world, authorization, old, seconds=120).allowance_units == 100 * USD


def test_a_debt_by_an_earlier_authorisation_counts_against_the_ceiling(world: World, vera: User) -> None:
    first = world.active(vera, WHO)
    world.stream(first, 3 * USD // 2)
    authorizing.revoke(client_id=vera.pk, public_id=first.public_id, now=world.now)
    second = world.signed(world.asked(vera, WHO), WHO)
    assert (second.cutoff_units, second.ceiling_units) == (USD // 2, USD // 2)
    assert second.binding == "debt_ceiling"

    world.settle()

    second.refresh_from_db()
    first.refresh_from_db()
    assert first.collected_units == 3 * USD // 2
    assert readings.refresh(second.pk, now=later(world.now, minutes=1)).cutoff_units == 2 * USD


@pytest.mark.parametrize("how", ["at another client", "by another wallet", "another viewer's"])
def test_neither_clients_nor_linked_wallets_make_the_ceiling_more(world: World, vera: User, how: str) -> None:
    first = world.active(vera, WHO, linked_wallet_address=ALICE)
    world.stream(first, 2 * USD)
    if how == "at another client":
        other = make_client("other")
        make_vendor(other)
        second = world.active(other, WHO)
    else:
        authorizing.revoke(client_id=vera.pk, public_id=first.public_id, now=world.now)
        linked = ALICE if how == "by another wallet" else None
        second = world.active(vera, viewer(2), linked_wallet_address=linked)

    assert second.cutoff_units == (2 * USD if how == "another viewer's" else 0)


def test_what_is_owed_elsewhere_ends_what_runs_beyond_the_ceiling(world: World, vera: User) -> None:
    other = make_client("other")
    make_vendor(other)
    here, there = world.active(vera, WHO), world.active(other, WHO)
    engine.start(StartRequest(WHO.address, "vendor123"), client_id=other.pk, now=world.now)
    world.stream(here, 3 * USD // 2)

    world.round()

    there.refresh_from_db()
    assert (there.charged_units, there.cutoff_units, there.open_transactions) == (3 * USD // 2, USD // 2, 0)


def test_what_was_collected_by_another_authorisation_is_not_reckoned_twice(world: World, vera: User) -> None:
    first = world.active(vera, WHO, money=2 * USD)
    world.stream(first, USD)
    other = make_client("other")
    make_vendor(other)
    second = world.signed(world.asked(other, WHO), WHO)
    engine.start(StartRequest(WHO.address, "vendor123"), client_id=other.pk, now=world.now)

    world.round(seconds=300)
    world.node.mine(1)
    # In a block, and not deep enough: what the wallet had for the first has gone.
    world.round(seconds=10)

    second.refresh_from_db()
    assert Collection.objects.get(authorization=first).status == "submitted"
    assert (world.balance(WHO.address), second.balance_units) == (USD, USD)
    assert (second.open_transactions, second.cutoff_units) == (1, USD)


def test_what_another_authorisation_paid_after_a_reading_is_not_counted_as_money_left(
    world: World, vera: User
) -> None:
    first = world.active(vera, WHO, money=2 * USD)
    world.stream(first, USD)
    other = make_client("other")
    make_vendor(other)
    second = world.signed(world.asked(other, WHO), WHO)
    early = readings.look(readings.connect(world.chain), second)

    world.settle()

    assert Authorization.objects.get(pk=first.pk).collected_units == USD
    assert (early.reading.balance_units, world.balance(WHO.address)) == (2 * USD, USD)
    Authorization.objects.filter(pk=second.pk).update(chain_read_block=early.reading.block_number)
    assert note(world, second, early, seconds=1).cutoff_units == USD


def test_a_token_that_cannot_be_read_keeps_no_other_from_being_read(
    world: World, vera: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collector, "_MOST_OLD", 1)
    world.add_token("GONE", 0)
    world.add_token("BROKEN", 0)
    world.configure()
    for number, symbol in ((2, "GONE"), (3, "BROKEN")):
        world.active(vera, viewer(number), symbol=symbol)
    authorization = world.active(vera, WHO, money=USD)
    world.stream(authorization, USD)
    world.approve(WHO.address, 0)
    world.round()
    assert Authorization.objects.get(pk=authorization.pk).status == "suspended"

    world.node.ask("anvil_setCode", world.tokens["BROKEN"], "0x00")
    del world.tokens["GONE"]
    world.configure()
    world.approve(WHO.address, USD)
    world.round(seconds=301)
    world.node.mine(2)
    world.round(seconds=1)

    authorization.refresh_from_db()
    assert (authorization.status, authorization.collected_units) == ("active", USD)
