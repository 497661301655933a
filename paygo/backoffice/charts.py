"""Charts as geometry: the templates draw them as SVG, without a script."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import floor, log10

# In pixels: a chart beside another one, and one that has two thirds of a page. Texts keep their size in both.
NARROW, WIDE = 560, 760
HEIGHT = 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 18, 12, 26
_GAP = 0.28
_THICKEST = 36
_TICKS = 4
_LABELS = 7


@dataclass(frozen=True)
class Bar:
    """One bar, and what it says when somebody points at it."""

    x: float
    y: float
    width: float
    height: float
    text: str
    is_last: bool


@dataclass(frozen=True)
class Tick:
    """A mark on an axis."""

    at: float
    text: str


@dataclass(frozen=True)
class Chart:
    """What a template needs to draw a chart; `line` and `area` are SVG paths, empty in a chart of bars."""

    title: str
    summary: str
    bars: list[Bar]
    points: list[Bar]
    line: str
    area: str
    y_ticks: list[Tick]
    x_ticks: list[Tick]
    width: int
    right: int
    height: int = HEIGHT
    left: int = _LEFT
    is_empty: bool = False


def of_bars(
    title: str,
    values: Sequence[float],
    labels: Sequence[str],
    *,
    text: Callable[[float], str],
    width: int = NARROW,
    is_growing: bool = True,
) -> Chart:
    """Return a chart of bars, one for each value; `is_growing`: the last one's time is not over."""
    top, ticks = _scale(max(values, default=0))
    step = _step(len(values), width=width)
    thick = min(max(step * (1 - _GAP), 1), _THICKEST)
    bars = [
        Bar(
            x=round(_LEFT + step * (number + 0.5) - thick / 2, 2),
            y=round(_y(value, top), 2),
            width=round(thick, 2),
            height=round(_y(0, top) - _y(value, top), 2),
            text=f"{label}: {text(value)}",
            is_last=is_growing and number == len(values) - 1,
        )
        for number, (value, label) in enumerate(zip(values, labels, strict=True))
    ]
    return _chart(title, values, labels, bars=bars, top=top, ticks=ticks, text=text, width=width)


def of_line(
    title: str,
    values: Sequence[float],
    labels: Sequence[str],
    *,
    text: Callable[[float], str],
    width: int = NARROW,
) -> Chart:
    """Return a chart of a line over its area."""
    top, ticks = _scale(max(values, default=0))
    step = _step(len(values), width=width)
    places = [(_LEFT + step * (number + 0.5), _y(value, top)) for number, value in enumerate(values)]
    drawn = " ".join(f"{'M' if not number else 'L'}{x:.1f} {y:.1f}" for number, (x, y) in enumerate(places))
    base = _y(0, top)
    area = f"{drawn} L{places[-1][0]:.1f} {base:.1f} L{places[0][0]:.1f} {base:.1f} Z" if places else ""
    points = [
        Bar(
            x=round(x - step / 2, 2),
            y=round(y, 2),
            width=round(step, 2),
            height=round(base - _TOP, 2),
            text=f"{label}: {text(value)}",
            is_last=False,
        )
        for (x, y), value, label in zip(places, values, labels, strict=True)
    ]
    return _chart(
        title,
        values,
        labels,
        points=points,
        line=drawn,
        area=area,
        top=top,
        ticks=ticks,
        text=text,
        width=width,
    )


def sparkline(values: Sequence[float], *, width: int = 120, height: int = 32) -> str:
    """Return the path of a small line without axes."""
    top = max([*values, 0]) or 1
    step = width / max(len(values) - 1, 1)
    return " ".join(
        f"{'M' if not number else 'L'}{step * number:.1f} {height - 2 - (height - 4) * value / top:.1f}"
        for number, value in enumerate(values)
    )


def labels_of(buckets: Sequence[datetime], *, unit: str) -> list[str]:
    """Return how hours or days are called on an axis."""
    return [f"{each:%H:%M}" if unit == "hour" else f"{each.day} {each:%b}" for each in buckets]


def _chart(
    title: str,
    values: Sequence[float],
    labels: Sequence[str],
    *,
    top: float,
    ticks: Sequence[float],
    text: Callable[[float], str],
    width: int,
    bars: list[Bar] | None = None,
    points: list[Bar] | None = None,
    line: str = "",
    area: str = "",
) -> Chart:
    step = _step(len(values), width=width)
    every = max(1, -(-len(labels) // _LABELS))
    # Counted from the end: today is always named.
    named = [number for number in range(len(labels)) if (len(labels) - 1 - number) % every == 0]
    return Chart(
        title=title,
        summary=_summary(values, labels, text=text),
        bars=bars or [],
        points=points or [],
        line=line,
        area=area,
        y_ticks=[Tick(round(_y(each, top), 2), short(each)) for each in ticks],
        x_ticks=[Tick(round(_LEFT + step * (number + 0.5), 2), labels[number]) for number in named],
        width=width,
        right=width - _RIGHT,
        is_empty=not any(values),
    )


def _summary(values: Sequence[float], labels: Sequence[str], *, text: Callable[[float], str]) -> str:
    """Return what the chart says to who cannot see it."""
    if not any(values):
        return "Nothing in this time range."
    most = max(range(len(values)), key=lambda number: values[number])
    return (
        f"The most: {text(values[most])} at {labels[most]}. The latest: {text(values[-1])} at {labels[-1]}."
    )


def short(value: float) -> str:
    """Return a number as an axis has room for it."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def _scale(highest: float) -> tuple[float, list[float]]:
    """Return the top of an axis and its round ticks."""
    if highest <= 0:
        return 1.0, [0.0]
    raw = highest / _TICKS
    size = 10 ** floor(log10(raw))
    step = next(size * round_one for round_one in (1, 2, 2.5, 5, 10) if size * round_one >= raw)
    count = -(-highest // step)
    return step * count, [step * number for number in range(int(count) + 1)]


def _step(count: int, *, width: int) -> float:
    return (width - _LEFT - _RIGHT) / max(count, 1)


def _y(value: float, top: float) -> float:
    return _TOP + (HEIGHT - _TOP - _BOTTOM) * (1 - value / top)
