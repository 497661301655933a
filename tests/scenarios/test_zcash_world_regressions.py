"""Lives that the stateful test has found to go wrong once, in their shortest form."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from billing.models import Refund
from tests.scenarios.zcash_world import WALLETS, World
from zcash.models import Deposit, SpendingPermission
from zcash.permissions import Request
from zcash.rules import LOOK_BACK

pytestmark = pytest.mark.django_db

ZEC = 100_000_000
DEEP = 105


@pytest.fixture(params=["zcashd", "zallet"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    world = World(dialect=request.param, datadir=tmp_path)
    yield world
    world.close()


def paid_permission(world: World, *, blocks: int) -> SpendingPermission:
    world.create(Request(WALLETS[0], ZEC, ZEC, 3, None))
    permission = world.permission(0)
    assert permission is not None
    world.pay((permission, ZEC))
    world.mine(blocks)
    world.scan()
    return permission


def run_refunds(world: World) -> None:
    for _ in range(3):
        world.scan()
        world.refund()
        world.mine(10)
    world.scan()
    world.refund()


def test_pays_a_refund_whose_payment_a_very_deep_reorg_has_moved(world: World) -> None:
    permission = paid_permission(world, blocks=DEEP)
    world.revoke(permission)
    world.fork(DEEP + 1)

    run_refunds(world)

    assert Refund.objects.get().status == "confirmed"


def test_takes_back_what_a_very_deep_reorg_removed_before_it_is_refunded(world: World) -> None:
    permission = paid_permission(world, blocks=DEEP)
    world.revoke(permission)
    world.reorg(DEEP + 1, drop=world.payments)
    world.mine(10)

    run_refunds(world)

    assert Deposit.objects.get().status == "reversed"
    assert Refund.objects.get().status == "cancelled"


def test_credits_a_waiting_payment_that_a_reorg_has_moved_below_the_look_back(world: World) -> None:
    world.mine(LOOK_BACK)
    permission = paid_permission(world, blocks=1)
    world.fork(LOOK_BACK + 30)
    world.scan()
    world.mine(1)

    world.scan()

    permission.refresh_from_db()
    assert (permission.status, permission.credited_zat) == ("active", ZEC)
