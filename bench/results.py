"""What a row of the benchmark is, and how its figure is judged."""

import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Goal:
    """What a figure must reach and what is aimed at; `most` says that less is better."""

    required: float | None
    aim: float | None
    most: bool = False
    unit: str = ""

    def verdict(self, value: float) -> str:
        """Return whether a figure reaches the aim, what is required, or neither."""
        if self.required is None:
            return "context"
        if self.aim is not None and self._reaches(value, self.aim):
            return "aim reached"
        return "reached" if self._reaches(value, self.required) else "MISSED"

    def _reaches(self, value: float, goal: float) -> bool:
        return value <= goal if self.most else value >= goal

    def text(self, goal: float | None) -> str:
        """Return a goal as it is written (`<= 1.05`)."""
        if goal is None:
            return ""
        return f"{'<=' if self.most else '>='} {goal:,g}{self.unit}"


@dataclass(frozen=True)
class Figure:
    """One measured line."""

    what: str
    goal: Goal
    value: float
    detail: str = ""

    @property
    def verdict(self) -> str:
        return self.goal.verdict(self.value)

    def shown(self) -> str:
        digits = 0 if abs(self.value) >= 1000 else 1 if abs(self.value) >= 100 else 2
        return f"{self.value:,.{digits}f}{self.goal.unit}"


@dataclass
class Report:
    """What a run has found so far; `curves` are rates by number of permissions, for the plot."""

    figures: list[Figure] = field(default_factory=list)
    curves: dict[str, dict[int, float]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def add(self, what: str, goal: Goal, value: float, detail: str = "") -> None:
        figure = Figure(what, goal, value, detail)
        self.figures.append(figure)
        say(f"  {what}: {figure.shown()} ({figure.verdict}) {detail}")


def say(line: str) -> None:
    """Tell the person who waits."""
    print(line, file=sys.stderr, flush=True)


def spread(values: Sequence[float]) -> str:
    """Return the range of what a median stands for."""
    return f"{min(values):.2f} to {max(values):.2f} in {len(values)} rounds"


def median(values: Sequence[float]) -> float:
    """Return the middle value."""
    return statistics.median(values)
