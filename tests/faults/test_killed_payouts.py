"""The process that pays vendors is killed by the system: each vendor is paid exactly once all the same."""

import os
import random
from pathlib import Path

import pytest

from tests.faults.cut_rounds import cut_everywhere, paying
from tests.faults.killing import killing
from tests.faults.money_world import World

# `make soak` kills more often, and at other messages.
KILLS = int(os.environ.get("PAYGO_SOAK_PAYOUTS", "10"))
SEED = int(os.environ.get("PAYGO_SOAK_SEED", "6"))

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(300 + 5 * KILLS)]

ROUNDS = paying("the payouts are", World.earned)


def pick(count: int) -> list[int]:
    """Pick messages at random."""
    return random.Random(SEED).choices(range(1, count + 1), k=KILLS)


@pytest.mark.parametrize("world", ["zcashd"], indirect=True)
@pytest.mark.parametrize(
    "name", ["the payouts are journaled and handed in", "the payouts are followed until confirmed"]
)
def test_a_round_whose_process_is_killed_is_finished_by_the_next(
    world: World, tmp_path: Path, name: str
) -> None:
    with killing(world.node.scissors, folder=tmp_path) as attempt:
        assert cut_everywhere(world, ROUNDS[name], attempt=attempt, pick=pick) > 40
