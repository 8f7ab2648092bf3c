"""Draws panels of lines as an SVG."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT, LEFT, TOP, GAP = 760, 120, 70, 50, 46
COLOURS = ("#1f5f99", "#c2410c", "#3f7d20", "#7e22ce")


@dataclass(frozen=True)
class Series:
    name: str
    points: list[tuple[float, float]]


@dataclass(frozen=True)
class Panel:
    title: str
    series: list[Series]


def svg(title: str, unit: str, panels: list[Panel]) -> str:
    """Returns the panels, one below the other, over the same horizontal axis."""
    end = max((point[0] for panel in panels for one in panel.series for point in one.points), default=1.0)
    height = TOP + len(panels) * (HEIGHT + GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 20}" height="{height}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="100%" height="100%" fill="white"/><text x="{LEFT}" y="22" font-size="16">{escape(title)}</text>',
    ]
    for number, panel in enumerate(panels):
        parts.extend(drawn(panel, TOP + number * (HEIGHT + GAP), end, unit))
    return "\n".join([*parts, "</svg>"])


def drawn(panel: Panel, top: float, end: float, unit: str) -> list[str]:
    most = max((point[1] for one in panel.series for point in one.points), default=0.0) or 1.0
    bottom = top + HEIGHT
    parts = [
        f'<text x="{LEFT}" y="{top - 6}">{escape(panel.title)}</text>',
        f'<path d="M{LEFT} {top}V{bottom}H{LEFT + WIDTH}" fill="none" stroke="#888"/>',
        f'<text x="{LEFT - 6}" y="{top + 10}" text-anchor="end">{most:,.0f}</text>',
        f'<text x="{LEFT - 6}" y="{bottom}" text-anchor="end">0</text>',
        f'<text x="{LEFT + WIDTH}" y="{bottom + 14}" text-anchor="end">{end:,.0f} {escape(unit)}</text>',
    ]
    for number, one in enumerate(panel.series):
        colour = COLOURS[number % len(COLOURS)]
        places = " ".join(
            f"{LEFT + at / end * WIDTH:.1f},{bottom - value / most * HEIGHT:.1f}" for at, value in one.points
        )
        parts.append(f'<polyline points="{places}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        parts.append(f'<text x="{LEFT + 180 * (number + 1)}" y="{top - 6}" fill="{colour}">{escape(one.name)}</text>')
    return parts
