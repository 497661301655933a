"""What the stateful tests share."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine


class _EveryRule:
    """What Hypothesis asks which rules a life may use; it would leave out half of them."""

    def is_enabled(self, name: str) -> bool:
        """Answer yes: few lives are long enough to get far with half of what can happen."""
        return True


def use_every_rule(machine: RuleBasedStateMachine) -> None:
    """Let one life use all of its rules; called as it begins."""
    machine._rules_strategy.enabled_rules_strategy = st.just(_EveryRule())  # type: ignore[attr-defined]
