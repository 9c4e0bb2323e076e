"""Pieces of SVG: numbers, shapes, lines, text, and a style sheet for light and dark pages."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import pairwise

from mcalc.formats.layered import Point

_COLOURS: dict[str, tuple[str, str, str]] = {
    # selector: property, on a light page, on a dark one
    "text": ("fill", "#1f2328", "#f0f6fc"),
    ".small": ("fill", "#59636e", "#9198a1"),
    ".label, .backtip": ("fill", "#a04a00", "#f0a35e"),
    ".page": ("fill", "#ffffff", "#0d1117"),
    ".loop": ("fill", "#f6f8fa", "#151b23"),
    ".loop, .edge, .node rect": ("stroke", "#818b98", "#6e7681"),
    ".tip": ("fill", "#818b98", "#6e7681"),
    ".back": ("stroke", "#b35900", "#f0a35e"),
    ".input rect": ("fill", "#ddf4ff", "#12314d"),
    ".parameter rect": ("fill", "#fff8c5", "#3d3216"),
    ".definition rect": ("fill", "#ffffff", "#1f2630"),
    ".loss rect": ("fill", "#ffebe9", "#4a1f24"),
}


def style() -> str:
    """The style sheet; dark pages change colours only."""
    light = [f"{selector} {{ {name}: {colour}; }}" for selector, (name, colour, _) in _COLOURS.items()]
    dark = [f"  {selector} {{ {name}: {colour}; }}" for selector, (name, _, colour) in _COLOURS.items()]
    return "\n".join([
        "",
        'text { font: 12px ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; }',
        ".small, .label { font-size: 10px; }",
        ".node rect { stroke-width: 1.2; } .loss rect { stroke-width: 2; } .loop { stroke-dasharray: 2 3; }",
        ".edge, .back { fill: none; stroke-width: 1.3; } .back { stroke-dasharray: 5 3; }",
        *light,
        "@media (prefers-color-scheme: dark) {",
        *dark,
        "}",
        "",
    ])  # fmt: skip


def number(value: float) -> str:
    """A coordinate."""
    return f"{value:.1f}".removesuffix(".0")


def rectangle(at: Point, width: float, height: float, rounded: float, kind: str = "") -> str:
    """A rectangle with round corners, from its top left corner."""
    word = f' class="{kind}"' if kind else ""
    place = f'x="{number(at.x)}" y="{number(at.y)}"'
    return f'<rect{word} {place} width="{number(width)}" height="{number(height)}" rx="{number(rounded)}"/>'


def written(text: str, at: Point, kind: str = "", anchor: str = "middle") -> str:
    """A text whose middle (start, end) is at a point of its base line."""
    word = f' class="{kind}"' if kind else ""
    return f'<text{word} x="{number(at.x)}" y="{number(at.y)}" text-anchor="{anchor}">{escape(text)}</text>'


def curve(points: Sequence[Point]) -> str:
    """A path through points, level at each of them."""
    text = f"M{number(points[0].x)} {number(points[0].y)}"
    for a, b in pairwise(points):
        if abs(a.y - b.y) < 0.05:
            text += f" L{number(b.x)} {number(b.y)}"
        else:
            middle = number((a.x + b.x) / 2)
            text += f" C{middle} {number(a.y)} {middle} {number(b.y)} {number(b.x)} {number(b.y)}"
    return text


def bent(points: Sequence[Point], radius: float = 6.0) -> str:
    """A path of straight pieces with round corners."""
    text = f"M{number(points[0].x)} {number(points[0].y)}"
    for before, here, after in zip(points, points[1:], points[2:], strict=False):
        near, far = _towards(here, before, radius), _towards(here, after, radius)
        text += f" L{number(near.x)} {number(near.y)}"
        text += f" Q{number(here.x)} {number(here.y)} {number(far.x)} {number(far.y)}"
    return f"{text} L{number(points[-1].x)} {number(points[-1].y)}"


def arrowhead(at: Point, direction: float) -> str:
    """A triangle that ends at a point and points to the right (1) or the left (-1)."""
    back = number(at.x - 7 * direction)
    return f"M{number(at.x)} {number(at.y)} L{back} {number(at.y - 3.5)} L{back} {number(at.y + 3.5)} Z"


def _towards(a: Point, b: Point, most: float) -> Point:
    """The point on the way from a to b, at most so far."""
    length = max(abs(b.x - a.x) + abs(b.y - a.y), 1e-9)
    share = min(most, length / 2) / length
    return Point(a.x + (b.x - a.x) * share, a.y + (b.y - a.y) * share)
