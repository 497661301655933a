"""The process that collects is killed by the system, at any moment: each debt arrives exactly once."""

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from pytest_django.fixtures import Settings

from billing.models_ethereum import Collection
from core import db
from core.models import User
from paygo.devstack.process import wait_until
from tests.evm.forked import collecting
from tests.evm.world import RETURNS_NOTHING, SERVICE_KEY, TREASURY, USD, World, viewer

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(600)]
KILLS, SEED = 40, 5


@pytest.fixture
def go_round(world: World, settings: Settings) -> Iterator[Callable[..., dict[str, Any]]]:
    """Return the collector as a process of its own."""
    world.add_token("PLAIN", RETURNS_NOTHING)
    world.configure()
    of = connection.settings_dict
    with collecting(
        DATABASE_URL=f"postgresql://{of['USER']}:{of['PASSWORD']}@{of['HOST']}:{of['PORT']}/{of['NAME']}",
        ETHEREUM_CHAINS_FILE=settings.ETHEREUM_CHAINS_FILE,
        ETHEREUM_KEY=SERVICE_KEY,
        PAYGO_DB_POOL="0",
        PAYGO_LOG_LEVEL="ERROR",
        PAYGO_NO_ENV_FILES="1",
    ) as go_round:
        yield go_round


def is_alone() -> bool:
    """Whether the database has noticed that all others are gone, and given back their locks."""
    (others,) = db.row(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
    )
    return bool(others == 0)


def test_killed_at_any_moment_it_collects_each_debt_once(
    world: World, vera: User, go_round: Callable[..., dict[str, Any]]
) -> None:
    one = world.active(vera, viewer(1), money=90 * USD, limit_units=90 * USD)
    two = world.active(vera, viewer(2), money=90 * USD, limit_units=90 * USD, symbol="PLAIN")
    chance, kills, owed = random.Random(SEED), 0, 0
    whole = go_round(now=world.now, seconds=None)["seconds"]
    while kills < KILLS:
        owed += 1_000
        world.stream(one, 1_000)
        world.stream(two, 1_000)
        lived = go_round(now=world.now, seconds=chance.uniform(0, whole))
        if lived["killed"]:
            kills += 1
        else:
            whole = lived["seconds"]
        world.node.mine(chance.randint(1, 2))

        for authorization, symbol in ((one, "USDT"), (two, "PLAIN")):
            authorization.refresh_from_db()
            assert authorization.collected_units <= world.balance(TREASURY, symbol=symbol) <= owed
    assert wait_until(is_alone, seconds=60)
    world.settle(rounds=3)

    for authorization, symbol in ((one, "USDT"), (two, "PLAIN")):
        authorization.refresh_from_db()
        assert authorization.collected_units == world.balance(TREASURY, symbol=symbol) == owed
    assert set(Collection.objects.values_list("status", flat=True)) == {"confirmed"}
