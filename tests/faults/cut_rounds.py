"""Rounds of upkeep that are cut off, each time from the same start, and lived on after to the same end."""

from collections.abc import Callable, Iterable, Sequence

import structlog

from billing import rounds
from tests import books
from tests.faults.cutting import Window
from tests.faults.money_world import Round, Step, World

log = structlog.get_logger(__name__)


def paying(what: str, due: Step) -> dict[str, Round]:
    """Return the rounds that pay what is due, from the journal to the confirmation."""
    return {
        f"{what} journaled and handed in": Round((due,), rounds.refund_round),
        f"{what} followed until sent": Round((due,), rounds.refund_round, World.handed_in),
        f"{what} followed until confirmed": Round((due, World.mined), rounds.refund_round),
        f"{what} noticed to have failed": Round((due,), rounds.refund_round, World.refused),
        f"{what} found without an answer": Round((due, World.unanswered), rounds.refund_round),
    }


def every(messages: Sequence[str]) -> Iterable[int]:
    """Pick every message."""
    return range(1, len(messages) + 1)


def cut_everywhere(
    world: World,
    this: Round,
    *,
    attempt: Callable[..., Window],
    pick: Callable[[Sequence[str]], Iterable[int]] = every,
) -> int:
    """Cut a round at each message, or at those picked, each time from the same start; return how many it has.

    Whatever state a cut leaves, the rounds after it lead to the same end as without a cut. A state that was
    met before is not lived through again: nothing else decides what follows.
    """
    world.begin(this)
    world.start(this)
    undisturbed = attempt(this.call)
    expected = world.live_on()
    proven: set[tuple[object, ...]] = set()
    for number in pick(undisturbed.messages):
        world.start(this)
        assert attempt(this.call, at=number).has_cut, number
        if (state := world.state()) not in proven:
            assert books.violations() == [], number
            assert world.live_on() == expected, (number, undisturbed.messages[number - 1])
            proven.add(state)
    log.info("cuts", cuts=len(undisturbed.messages), states=len(proven), end=expected)
    return len(undisturbed.messages)
