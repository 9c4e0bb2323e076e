"""Layered layout of a directed graph, left to right (Sugiyama, Tagawa & Toda 1981).

In: boxes with their sizes, and edges. Out: where each box stands, and the points that each edge passes.

A box's layer is the longest path to it; a source stands one layer before the first box that reads it, at the right
side of its layer. A long edge passes one point in every layer between. Within a layer, the order follows the
barycentres of the neighbours, and the heights are those nearest to the neighbours' that keep boxes apart (isotonic
regression). Everything is deterministic.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

GAP = 18.0
"""Between boxes of a layer."""
CHANNEL = 48.0
"""Between layers, for the curves."""
_SWEEPS = 12
_PASSING = 14.0
"""Room for an edge that passes a layer."""


class Point(NamedTuple):
    """A place, x to the right, y down."""

    x: float
    y: float


@dataclass(slots=True)
class Box:
    """A box: its size, the heights (from its top) at which its edges arrive and leave, room for labels before it.

    `layer` is "first" or "last" for what has to stand at an end.
    """

    width: float
    height: float
    arrivals: dict[Hashable, float] = field(default_factory=dict)
    departures: dict[Hashable, float] = field(default_factory=dict)
    label: float = 0.0
    end: str = ""


class Link(NamedTuple):
    """An edge from a departure of a box to an arrival of another."""

    source: Hashable
    target: Hashable
    departure: Hashable = None
    arrival: Hashable = None


@dataclass(slots=True)
class Layout:
    """Top left corners of the boxes, the points of every link (where it leaves, passes and arrives), and the size.

    A link's last two points are the ends of the straight piece along which its label is written.
    """

    places: dict[Hashable, Point]
    routes: dict[Link, list[Point]]
    width: float
    height: float


def layered(boxes: Mapping[Hashable, Box], links: Sequence[Link]) -> Layout:
    """The layout; links must not form a cycle."""
    return _Layering(boxes, links).layout()


class _Layering:
    def __init__(self, boxes: Mapping[Hashable, Box], links: Sequence[Link]) -> None:
        self.boxes = dict(boxes)
        self.links = list(dict.fromkeys(links))
        self.layer = self._layers()
        count = max(self.layer.values(), default=0) + 1
        self.rows: list[list[Hashable]] = [[] for _ in range(count)]
        for key in self.boxes:
            self.rows[self.layer[key]].append(key)
        self.passes: dict[Link, list[Hashable]] = {}
        self.segments: list[tuple[Hashable, float, Hashable, float]] = []
        """Neighbours in layers side by side: a box, how far below its top, the other one, how far below its top."""
        self.before: dict[Hashable, list[tuple[Hashable, float, float]]] = {}
        self.after: dict[Hashable, list[tuple[Hashable, float, float]]] = {}
        """Box to its neighbours on one side: the other box, how far below its top, how far below this one's."""
        for link in self.links:
            self._pass(link)
        for a, at_a, b, at_b in self.segments:
            self.before.setdefault(b, []).append((a, at_a, at_b))
            self.after.setdefault(a, []).append((b, at_b, at_a))
        self.top: dict[Hashable, float] = {}

    def _layers(self) -> dict[Hashable, int]:
        before: dict[Hashable, list[Hashable]] = {key: [] for key in self.boxes}
        after: dict[Hashable, list[Hashable]] = {key: [] for key in self.boxes}
        for link in self.links:
            before[link.target].append(link.source)
            after[link.source].append(link.target)
        layer: dict[Hashable, int] = {}
        waiting = {key: len(before[key]) for key in self.boxes}
        ready = [key for key in self.boxes if not waiting[key]]
        while ready:
            key = ready.pop(0)
            layer[key] = max((layer[b] + 1 for b in before[key]), default=0)
            for other in after[key]:
                waiting[other] -= 1
                if not waiting[other]:
                    ready.append(other)
        assert len(layer) == len(self.boxes), "the links form a cycle"
        for key, box in self.boxes.items():
            if not before[key] and after[key] and not box.end:
                layer[key] = min(layer[other] for other in after[key]) - 1
        inside = [layer[key] for key, box in self.boxes.items() if not box.end]
        for key, box in self.boxes.items():
            if box.end:
                layer[key] = min(inside, default=0) - 1 if box.end == "first" else max(inside, default=0) + 1
        low = min(layer.values(), default=0)
        return {key: value - low for key, value in layer.items()}

    def _pass(self, link: Link) -> None:
        """Puts a point of passage into every layer between the ends of a link."""
        source, target = self.boxes[link.source], self.boxes[link.target]
        previous, offset = link.source, source.departures.get(link.departure, source.height / 2)
        self.passes[link] = []
        for level in range(self.layer[link.source] + 1, self.layer[link.target]):
            key = ("pass", link, level)
            self.boxes[key] = Box(0.0, _PASSING)
            self.rows[level].append(key)
            self.passes[link].append(key)
            self.segments.append((previous, offset, key, _PASSING / 2))
            previous, offset = key, _PASSING / 2
        self.segments.append((previous, offset, link.target, target.arrivals.get(link.arrival, target.height / 2)))

    # --- order and heights ----------------------------------------------------------------------------------------

    def layout(self) -> Layout:
        """Orders, stacks, and draws."""
        self._stack()
        best, order = self._crossings(), [list(row) for row in self.rows]
        for sweep in range(_SWEEPS):
            self._sweep(sweep % 2 == 0)
            self._stack()
            crossings = self._crossings()
            if crossings < best:
                best, order = crossings, [list(row) for row in self.rows]
        self.rows = order
        self._stack()
        for sweep in range(2 * _SWEEPS):
            self._settle(sweep % 2 == 0)
        self._settle_sources()
        low = min(self.top.values(), default=0.0)
        self.top = {key: value - low for key, value in self.top.items()}
        return self._drawn()

    def _wish(self, key: Hashable, forward: bool) -> float:
        """The top that a box would have if its edges to the layer before (or after) were level on average."""
        others = (self.before if forward else self.after).get(key)
        if not others:
            return self.top[key]
        return sum(self.top[other] + at_other - own for other, at_other, own in others) / len(others)

    def _sweep(self, forward: bool) -> None:
        """Orders each layer by the barycentres of the layer before (or after)."""
        for row in self.rows if forward else self.rows[::-1]:
            centre = {key: self._wish(key, forward) for key in row}
            row.sort(key=centre.__getitem__)
            self._stack_row(row)

    def _stack(self) -> None:
        for row in self.rows:
            self._stack_row(row)

    def _stack_row(self, row: list[Hashable]) -> None:
        total = sum(self.boxes[key].height for key in row) + GAP * (len(row) - 1)
        y = -total / 2
        for key in row:
            self.top[key] = y
            y += self.boxes[key].height + GAP

    def _crossings(self) -> int:
        """How many segments cross, between neighbouring layers."""
        by_layer: dict[int, list[tuple[float, float]]] = {}
        level = {key: k for k, row in enumerate(self.rows) for key in row}
        for a, at_a, b, at_b in self.segments:
            by_layer.setdefault(level[a], []).append((self.top[a] + at_a, self.top[b] + at_b))
        count = 0
        for lines in by_layer.values():
            for i, (a, b) in enumerate(lines):
                count += sum((a - c) * (b - d) < 0 for c, d in lines[i + 1 :])
        return count

    def _settle(self, forward: bool) -> None:
        """Moves the boxes of each layer towards their neighbours, keeping order and distance."""
        for row in self.rows if forward else self.rows[::-1]:
            self._place(row, [self._wish(key, forward) for key in row])

    def _settle_sources(self) -> None:
        """What nothing leads to stands beside what reads it."""
        for row in self.rows[::-1]:
            self._place(row, [self.top[key] if key in self.before else self._wish(key, False) for key in row])

    def _place(self, row: list[Hashable], wished: list[float]) -> None:
        """The tops nearest to what is wished that keep boxes apart (pool adjacent violators)."""
        offset, offsets = 0.0, []
        for key in row:
            offsets.append(offset)
            offset += self.boxes[key].height + GAP
        pools: list[tuple[float, int]] = []
        for want, below in zip(wished, offsets, strict=True):
            total, count = want - below, 1
            while pools and pools[-1][0] / pools[-1][1] > total / count:
                more, others = pools.pop()
                total, count = total + more, count + others
            pools.append((total, count))
        values = [total / count for total, count in pools for _ in range(count)]
        for key, value, below in zip(row, values, offsets, strict=True):
            self.top[key] = value + below

    # --- drawing --------------------------------------------------------------------------------------------------

    def _drawn(self) -> Layout:
        x = 0.0
        left: list[float] = []
        right: list[float] = []
        label: list[float] = []
        for level, row in enumerate(self.rows):
            room = max((self.boxes[key].label for key in row), default=0.0)
            x += room + (CHANNEL if level else 0.0)
            left.append(x)
            label.append(room)
            x += max((self.boxes[key].width for key in row), default=0.0)
            right.append(x)
        level_of = {key: k for k, row in enumerate(self.rows) for key in row}
        keys = [key for row in self.rows for key in row if not (isinstance(key, tuple) and key and key[0] == "pass")]
        reading = {link.target for link in self.links}
        places = {
            key: Point(left[k] if key in reading else right[k] - self.boxes[key].width, self.top[key])
            for key in keys
            for k in (level_of[key],)
        }
        routes: dict[Link, list[Point]] = {}
        for link in self.links:
            source, target = self.boxes[link.source], self.boxes[link.target]
            start = level_of[link.source]
            y = self.top[link.source] + source.departures.get(link.departure, source.height / 2)
            edge = places[link.source].x + source.width
            points = [Point(edge, y)]
            if edge < right[start]:
                points.append(Point(right[start], y))
            for key in self.passes[link]:
                k, y = level_of[key], self.top[key] + _PASSING / 2
                points += [Point(left[k] - label[k], y), Point(right[k], y)]
            k = level_of[link.target]
            y = self.top[link.target] + target.arrivals.get(link.arrival, target.height / 2)
            points += [Point(left[k] - label[k], y), Point(left[k], y)]
            routes[link] = points
        height = max((self.top[key] + self.boxes[key].height for key in self.boxes), default=0.0)
        return Layout(places, routes, x, height)
