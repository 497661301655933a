"""The picture of a run: settlements a second by number of running sessions, as SVG."""

import math
from collections.abc import Mapping

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 640, 320, 70, 40, 30
_COLOURS = {"product": "#1f6feb", "floor": "#8c959f"}


def svg(curves: Mapping[str, Mapping[int, float]]) -> str:
    """Return the curves over a logarithmic axis of sizes."""
    sizes = sorted({size for curve in curves.values() for size in curve})
    highest = 1.15 * max(rate for curve in curves.values() for rate in curve.values())
    low, high = math.log10(sizes[0]) - 0.1, math.log10(sizes[-1]) + 0.1

    def x(size: float) -> float:
        return _LEFT + (math.log10(size) - low) / (high - low) * (_WIDTH - _LEFT - 110)

    def y(rate: float) -> float:
        return _HEIGHT - _BOTTOM - rate / highest * (_HEIGHT - _BOTTOM - _TOP)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif"'
        ' font-size="12">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        f'<text x="{_LEFT}" y="18" font-weight="bold">Settlements a second, by running sessions</text>',
    ]
    for step in range(5):
        rate = highest * step / 4.6
        parts.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH - 110}" y1="{y(rate):.0f}" y2="{y(rate):.0f}" stroke="#d0d7de"/>'
            f'<text x="{_LEFT - 8}" y="{y(rate) + 4:.0f}" text-anchor="end">{rate:,.0f}</text>'
        )
    parts += [
        f'<text x="{x(size):.0f}" y="{_HEIGHT - 16}" text-anchor="middle">{size:,}</text>' for size in sizes
    ]
    for name, curve in curves.items():
        points = [(x(size), y(rate)) for size, rate in sorted(curve.items())]
        path = " ".join(f"{px:.1f},{py:.1f}" for px, py in points)
        colour = _COLOURS[name]
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2.5"/>')
        parts += [f'<circle cx="{px:.1f}" cy="{py:.1f}" r="4" fill="{colour}"/>' for px, py in points]
        parts.append(
            f'<text x="{points[-1][0] + 10:.0f}" y="{points[-1][1] + 4:.0f}" fill="{colour}">{name}</text>'
        )
    return "\n".join([*parts, "</svg>"]) + "\n"
