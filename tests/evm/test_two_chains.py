"""Two chains at once, one of which dies and comes back: the other's debts do not wait, all arrive once."""

from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from billing.models_ethereum import Authorization, ChainSend
from core.models import User
from paygo.devstack.ports import free_port
from tests.evm.node import running
from tests.evm.world import NOW, TREASURY, USD, World, viewer

pytestmark = pytest.mark.django_db(transaction=True)
SECOND = 31338


def configure_both(one: World, two: World, settings: Settings) -> None:
    files = []
    for world in (one, two):
        world.configure(name=f"Chain {world.chain_id}")
        files.append(Path(settings.ETHEREUM_CHAINS_FILE))
    together = files[0].with_name("both.toml")
    together.write_text("".join(each.read_text() for each in files))
    settings.ETHEREUM_CHAINS_FILE = str(together)


def collected(*authorizations: Authorization) -> list[int]:
    for each in authorizations:
        each.refresh_from_db()
    return [each.collected_units for each in authorizations]


def test_a_chain_that_dies_holds_up_no_other_and_its_debts_arrive_once_when_it_is_back(
    world: World, vera: User, settings: Settings, tmp_path: Path
) -> None:
    port, state = free_port(), str(tmp_path / "state.json")
    (tmp_path / "second").mkdir()
    began = int(NOW.timestamp())
    with running("--state", state, "--timestamp", str(began), chain_id=SECOND, port=port) as node:
        other = World(node, tmp_path / "second", settings, chain_id=SECOND)
        configure_both(world, other, settings)
        here, there = world.active(vera, viewer(1)), other.active(vera, viewer(2))
        for each in (here, there):
            world.stream(each, USD)
        assert world.round() == {}
        assert set(ChainSend.objects.values_list("chain_id", "status")) == {(31337, "sent"), (SECOND, "sent")}

    # What its node was given is gone with it.
    world.node.mine(2)
    wrong = world.round()
    assert list(wrong) == [f"Chain {SECOND}"]
    world.stream(here, USD)
    for _ in range(2):
        assert list(world.round(seconds=1)) == [f"Chain {SECOND}"]
        world.node.mine(2)
    world.round()
    assert collected(here, there) == [2 * USD, 0]
    with running("--state", state, "--timestamp", str(began + 3600), chain_id=SECOND, port=port) as node:
        other.node = node
        assert world.round() == {}
        node.mine(2)
        assert world.round() == {}

        assert collected(here, there) == [2 * USD, USD]
        assert (world.balance(TREASURY), other.balance(TREASURY)) == (2 * USD, USD)
