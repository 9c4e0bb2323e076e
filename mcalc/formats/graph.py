"""A computation graph as an SVG picture: what is read to the right, cotangents back to the left.

In: a `Graph` (mcalc/model/graph.py). Out: the text of an SVG file without any dependency, for light and dark pages.
A loop is one box with the graph of its body (mcalc/formats/layered.py lays out both); what an iteration takes from the
one before it runs below.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from html import escape

from mcalc.algebra.printing import unicode_text
from mcalc.formats.layered import Box, Layout, Link, Point, layered
from mcalc.formats.notation import Unicode
from mcalc.formats.svg import arrowhead, bent, curve, number, rectangle, style, written
from mcalc.model.graph import Edge, Graph, Node

_CHARACTER, _SMALL = 7.3, 6.1
"""Widths of a character of a title and of a label."""
_ROW = 24.0
_LEAST_HEIGHT = 40.0
_LONGEST_TITLE, _LONGEST_LABEL = 46, 36
_PAD, _HEAD, _LANE = 16.0, 30.0, 26.0
_MARGIN = 24.0


def svg(graph: Graph) -> str:
    """The picture, with a line feed at its end."""
    return _Drawing(graph).text()


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


class _Group:
    """A loop's box: its body laid out, and where edges cross its border."""

    def __init__(self, layout: Layout, lanes: list[str]) -> None:
        self.layout = layout
        self.lanes = lanes
        self.width = layout.width + 2 * _PAD
        self.height = layout.height + _HEAD + _PAD + _LANE * len(lanes)

    def lane(self, sequence: str) -> float:
        """The height, from the top of the box, at which a carried sequence runs."""
        return self.layout.height + _HEAD + _LANE * (self.lanes.index(sequence) + 0.6)


class _Drawing:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.nodes = {node.key: node for node in graph.nodes}
        self.edges = list(graph.edges)
        self.read: dict[str, list[int]] = {}
        """Node to the edges that arrive at it."""
        for k, edge in enumerate(self.edges):
            if not edge.first:
                self.read.setdefault(edge.target, []).append(k)
        self.below: dict[str, None] = {}
        """What is drawn first, each piece once; then `above`."""
        self.above: dict[str, None] = {}
        self.groups = [self._group(k) for k in range(len(graph.groups))]
        self.outer = self._twice(self._outer_boxes, self._outer_links())

    # --- what stands where ----------------------------------------------------------------------------------------

    def _title(self, node: Node) -> str:
        if node.target is None or node.value is None:
            text = (
                node.key
                if node.target is not None or node.over is None
                else f"{node.key}[{node.over.first}..{node.over.last}]"
            )
            return Unicode().name(text)
        value = unicode_text(node.value)
        if node.over is not None:
            value = f"Σ({node.over}) {value}"
        return f"{unicode_text(node.target)} = {value}"

    def _shape(self, node: Node) -> str:
        return Unicode().shape([str(size) for size in node.shape])

    def _label(self, edge: Edge) -> str:
        return "" if edge.back is None else unicode_text(edge.back)

    def _box(self, key: str) -> Box:
        node, arriving = self.nodes[key], self.read.get(key, [])
        height = max(_LEAST_HEIGHT, _ROW * len(arriving) + 6)
        start = (height - _ROW * len(arriving)) / 2 + _ROW / 2 + 3
        arrivals: dict[Hashable, float] = {k: start + _ROW * i for i, k in enumerate(arriving)}
        labels = [len(_cut(self._label(self.edges[k]), _LONGEST_LABEL)) for k in arriving]
        room = max(labels, default=0) * _SMALL + 16 if any(labels) else (12.0 if arriving else 0.0)
        words = len(_cut(self._title(node), _LONGEST_TITLE)) * _CHARACTER, len(self._shape(node)) * _SMALL
        width = max(words) + 22
        return Box(width, height, arrivals, {}, room)

    def _members(self, group: int) -> list[str]:
        return [node.key for node in self.graph.nodes if node.group == group]

    def _lanes(self, group: int) -> list[str]:
        """The nodes of a loop that later iterations read."""
        return list(dict.fromkeys(e.source for e in self.edges if e.carried and self.nodes[e.source].group == group))

    def _inner_links(self, group: int) -> list[Link]:
        links: list[Link] = []
        for k, edge in enumerate(self.edges):
            source, target = self.nodes[edge.source].group, self.nodes[edge.target].group
            if edge.first or edge.carried:
                continue
            if source == group and target == group:
                links.append(Link(edge.source, edge.target, None, k))
            elif target == group:
                links.append(Link(("in", edge.source), edge.target, None, k))
            elif source == group:
                links.append(Link(edge.source, ("out", edge.source)))
        return list(dict.fromkeys(links))

    def _group(self, group: int) -> _Group:
        links = self._inner_links(group)

        def boxes() -> dict[Hashable, Box]:
            found: dict[Hashable, Box] = {key: self._box(key) for key in self._members(group)}
            for link in links:
                if isinstance(link.source, tuple):
                    found.setdefault(link.source, Box(0.0, _ROW, end="first"))
                if isinstance(link.target, tuple):
                    found.setdefault(link.target, Box(0.0, _ROW, end="last"))
            return found

        return _Group(self._twice(boxes, links), self._lanes(group))

    def _twice(self, boxes: Callable[[], dict[Hashable, Box]], links: list[Link]) -> Layout:
        """Lays out, lets the edges of each box arrive in the order of their heights, and lays out again."""
        first = layered(boxes(), links)
        height = {link.arrival: route[-3].y if len(route) > 2 else route[0].y for link, route in first.routes.items()}
        for arriving in self.read.values():
            if all(k in height or self.edges[k].carried for k in arriving):
                arriving.sort(key=lambda k: (self.edges[k].carried, height.get(k, 0.0)))
        return layered(boxes(), links)

    def _outer_boxes(self) -> dict[Hashable, Box]:
        boxes: dict[Hashable, Box] = {}
        for node in self.graph.nodes:
            if node.group < 0:
                boxes[node.key] = self._box(node.key)
                continue
            if ("loop", node.group) in boxes:
                continue
            group = self.groups[node.group]
            box = Box(group.width, group.height)
            for key, place in group.layout.places.items():
                if isinstance(key, tuple):
                    side = box.arrivals if key[0] == "in" else box.departures
                    side[key] = place.y + _HEAD + _ROW / 2
            for lane in group.lanes:
                box.arrivals["lane", lane] = group.lane(lane)
            boxes["loop", node.group] = box
        return boxes

    def _outer_links(self) -> list[Link]:
        links: list[Link] = []
        for k, edge in enumerate(self.edges):
            source, target = self.nodes[edge.source].group, self.nodes[edge.target].group
            if source == target >= 0:
                continue
            start: Hashable = edge.source if source < 0 else ("loop", source)
            departure: Hashable = None if source < 0 else ("out", edge.source)
            if target < 0:
                links.append(Link(start, edge.target, departure, k))
            elif edge.first:
                links.append(Link(start, ("loop", target), departure, ("lane", self._lane_of(edge))))
            else:
                links.append(Link(start, ("loop", target), departure, ("in", edge.source)))
        return list(dict.fromkeys(links))

    def _lane_of(self, edge: Edge) -> str:
        """The node of the loop whose value of the iteration before an edge reads."""
        return next(e.source for e in self.edges if e.carried and e.target == edge.target and e.read is edge.read)

    # --- drawing --------------------------------------------------------------------------------------------------

    def text(self) -> str:
        """The file."""
        for k, group in enumerate(self.groups):
            self._loop(k, group, self.outer.places["loop", k])
        for link in self.outer.routes:
            self._link(self.outer, link, Point(0.0, 0.0))
        for node in self.graph.nodes:
            if node.group < 0:
                self._node(node, self.outer.places[node.key])
        width = max(self.outer.width, 560.0) + 2 * _MARGIN
        height = self.outer.height + 2 * _MARGIN + 44
        body = [*self.below, *self.above, *self._legend(self.outer.height + 24)]
        size = f"{number(width)} {number(height)}"
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" width="{number(width)}" '
            f'height="{number(height)}" role="img">'
        )
        lines = [
            head,
            f"<title>{escape(self.graph.name)}: computation graph</title>",
            f"<style>{style()}</style>",
            '<rect class="page" width="100%" height="100%"/>',
            f'<g transform="translate({number(_MARGIN)} {number(_MARGIN)})">',
            *body,
            "</g>",
            "</svg>",
        ]
        return "\n".join(lines) + "\n"

    def _node(self, node: Node, at: Point) -> None:
        box = self._box(node.key)
        title = self._title(node)
        middle, y = at.x + box.width / 2, at.y + box.height / 2
        rounded = 14 if node.kind in ("input", "parameter") else 5
        self.above[
            "\n".join(
                [
                    f'<g class="node {node.kind}"><title>{escape(title)}</title>',
                    rectangle(at, box.width, box.height, rounded),
                    written(_cut(title, _LONGEST_TITLE), Point(middle, y - 2)),
                    f"{written(self._shape(node), Point(middle, y + 12), 'small')}</g>",
                ]
            )
        ] = None

    def _loop(self, which: int, group: _Group, corner: Point) -> None:
        self.below[rectangle(corner, group.width, group.height, 8, "loop")] = None
        self.above[
            f'<text class="small" x="{number(corner.x + 10)}" y="{number(corner.y + 16)}">'
            f"for {escape(str(self.graph.groups[which]))}</text>"
        ] = None
        inside = Point(corner.x + _PAD, corner.y + _HEAD)
        for link in group.layout.routes:
            self._link(group.layout, link, inside, corner, group)
        for key in self._members(which):
            place = group.layout.places[key]
            self._node(self.nodes[key], Point(place.x + inside.x, place.y + inside.y))
        for k, edge in enumerate(self.edges):
            if edge.carried and self.nodes[edge.target].group == which:
                self._carried(k, edge, group, corner, inside)

    def _link(
        self, layout: Layout, link: Link, at: Point, corner: Point | None = None, group: _Group | None = None
    ) -> None:
        """One piece of one or more edges."""
        points = [Point(p.x + at.x, p.y + at.y) for p in layout.routes[link]]
        if corner is not None and group is not None:
            if isinstance(link.source, tuple):
                points.insert(0, Point(corner.x, points[0].y))
            if isinstance(link.target, tuple):
                points.append(Point(corner.x + group.width, points[-1].y))
        edges = list(self._through(link))
        last = isinstance(link.target, str)
        self._path(curve(points), "edge")
        if last:
            self._tip(points[-1], 1.0, "tip")
        if any(edge.back is not None for edge in edges):
            lower = [Point(p.x, p.y + 5) for p in points]
            self._path(curve(lower), "back")
            if isinstance(link.source, str):
                self._tip(lower[0], -1.0, "backtip")
            if last and isinstance(link.arrival, int):
                self._write(self.edges[link.arrival], points[-1])

    def _through(self, link: Link) -> Iterable[Edge]:
        """The edges of which a link is a piece."""
        if isinstance(link.arrival, int):
            yield self.edges[link.arrival]
            return
        for edge in self.edges:
            source, target = self.nodes[edge.source].group, self.nodes[edge.target].group
            if edge.carried or source == target:
                continue
            if link.target == ("loop", target):
                start = link.source in (edge.source, ("loop", source)) and link.departure in (
                    None,
                    ("out", edge.source),
                )
                arrival = ("lane", self._lane_of(edge)) if edge.first else ("in", edge.source)
                if start and link.arrival == arrival:
                    yield edge
            elif (link.source, link.target) == (edge.source, ("out", edge.source)):
                yield edge

    def _carried(self, k: int, edge: Edge, group: _Group, corner: Point, inside: Point) -> None:
        """From a node to the right, down to its lane, back to the left and up to what reads it."""
        lane = group.lanes.index(edge.source)
        source, target = group.layout.places[edge.source], group.layout.places[edge.target]
        from_, to = self._box(edge.source), self._box(edge.target)
        start = Point(source.x + inside.x + from_.width, source.y + inside.y + from_.height - 8)
        right = start.x + 12 + 7 * lane
        y = corner.y + group.lane(edge.source)
        end = Point(target.x + inside.x, target.y + inside.y + to.arrivals[k])
        stub = end.x - self._room(edge.target, group)
        left = stub - 8 - 7 * lane
        for shift, kind in ((0.0, "edge"), (5.0, "back")):
            if kind == "back" and edge.back is None:
                continue
            corners = [
                Point(start.x, start.y - shift), Point(right + shift, start.y - shift), Point(right + shift, y + shift),
                Point(left - shift, y + shift), Point(left - shift, end.y + shift), Point(end.x, end.y + shift),
            ]  # fmt: skip
            self._path(bent(corners), kind)
        self._tip(end, 1.0, "tip")
        if edge.back is not None:
            self._tip(Point(start.x, start.y - 5), -1.0, "backtip")
            self._write(edge, end)
        middle = (left + right) / 2
        text = written(unicode_text(edge.read), Point(middle, y - 4), "small")
        self.above[text] = None
        for first in self.edges:
            if first.first and first.read is edge.read and first.target == edge.target:
                self._path(bent([Point(corner.x, y), Point(left, y)]), "edge")
                if first.back is not None:
                    self._path(bent([Point(corner.x, y + 5), Point(left, y + 5)]), "back")

    def _room(self, key: str, group: _Group) -> float:
        """The room for labels before the layer of a node."""
        x = group.layout.places[key].x
        return max(self._box(str(k)).label for k, p in group.layout.places.items() if p.x == x and isinstance(k, str))

    def _write(self, edge: Edge, end: Point) -> None:
        """The label of an edge, above its last straight piece."""
        label = self._label(edge)
        self.above[
            f'<text class="label" x="{number(end.x - 9)}" y="{number(end.y - 4)}" text-anchor="end">'
            f"<title>{escape(label)}</title>{escape(_cut(label, _LONGEST_LABEL))}</text>"
        ] = None

    def _path(self, text: str, kind: str) -> None:
        path = f'<path class="{kind}" d="{text}"/>'
        self.below[path] = None

    def _tip(self, at: Point, direction: float, kind: str) -> None:
        """An arrowhead that ends at a point."""
        tip = f'<path class="{kind}" d="{arrowhead(at, direction)}"/>'
        self.above[tip] = None

    def _legend(self, y: float) -> list[str]:
        parts: list[str] = []
        x = 0.0
        for kind in ("input", "parameter", "definition", "loss"):
            parts.append(
                f'<g class="node {kind}"><rect x="{number(x)}" y="{number(y)}" width="16" height="12" rx="3"/></g>'
                f'<text class="small" x="{number(x + 22)}" y="{number(y + 10)}">{kind}</text>'
            )
            x += 36 + len(kind) * _SMALL
        for kind, words in (("edge", "is read by"), ("back", "cotangent handed back")):
            parts.append(
                f'<path class="{kind}" d="M{number(x)} {number(y + 6)} L{number(x + 26)} {number(y + 6)}"/>'
                f'<text class="small" x="{number(x + 32)}" y="{number(y + 10)}">{words}</text>'
            )
            x += 48 + len(words) * _SMALL
        return parts
