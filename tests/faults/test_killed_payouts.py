"""The process that pays vendors is killed by the system: each vendor is paid exactly once all the same."""

import os
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.faults.cut_rounds import cut_everywhere, paying
from tests.faults.cutting import Window
from tests.faults.killing import killing
from tests.faults.money_world import Call, World, payments

# `make soak` kills more often, and at other messages.
KILLS = int(os.environ.get("PAYGO_SOAK_PAYOUTS", "4"))
SEED = int(os.environ.get("PAYGO_SOAK_SEED", "6"))

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(300 + 5 * KILLS)]

ROUNDS = paying("the payouts are", World.earned)


def pick(messages: Sequence[str]) -> list[int]:
    """Pick the last words with the node, what is written down of them, and messages at random."""
    answered = max(at for at, message in enumerate(messages, start=1) if message == "< rest of the answer")
    last_call = [answered - 2, answered - 1, answered, answered + 1, len(messages)]
    return last_call + random.Random(SEED).choices(range(1, len(messages) + 1), k=KILLS)


@pytest.mark.parametrize("world", ["zcashd"], indirect=True)
@pytest.mark.parametrize(
    "name", ["the payouts are journaled and handed in", "the payouts are followed until confirmed"]
)
def test_a_round_whose_process_is_killed_is_finished_by_the_next(
    world: World, tmp_path: Path, name: str
) -> None:
    with killing(world.node.scissors, folder=tmp_path) as kill:

        def attempt(call: Call, *, at: int | None = None) -> Window:
            window = kill(call, at=at)
            if at is not None:
                call()
            # Nobody has said so, and it is too early to tell.
            assert "failed" not in {each.status for each in payments()}, at
            return window

        assert cut_everywhere(world, ROUNDS[name], attempt=attempt, pick=pick) > 40
