"""Readings that come late, and what a viewer may owe by several authorisations together."""

import pytest

from billing import covering, engine
from billing.engine import StartRequest
from billing.ethereum import authorizing, readings
from billing.models_ethereum import Authorization
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
