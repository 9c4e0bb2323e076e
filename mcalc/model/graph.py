"""The computation graph of a model: what reads what, and which cotangent goes back along each edge.

In: what `reverse.trace` found of a prepared model. Out: a `Graph` of nodes (arguments, definitions, the loss) and
edges; the nodes of a loop are a group, in which an edge that comes from the iteration before is `carried`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Sequence as Listed
from typing import NamedTuple

from mcalc.algebra.expr import Expr, symbols
from mcalc.algebra.shape import Dim, Shape
from mcalc.model.elements import extent
from mcalc.model.ir import Define, Loop, Range, Statement, Total
from mcalc.model.library import load
from mcalc.model.prepare import prepare, split
from mcalc.model.reverse import Trace, trace
from mcalc.model.split import FineSplitter
from mcalc.model.uses import readers


class Node(NamedTuple):
    """A box: `kind` is "input", "parameter", "definition" or "loss"; `group` the number of its loop, -1 outside.

    `over` is the range of a sum, or of an argument that is a sequence (then there is no `target`).
    """

    key: str
    kind: str
    target: Expr | None
    value: Expr | None
    shape: Shape
    group: int = -1
    over: Range | None = None


class Edge(NamedTuple):
    """`source` is read by `target` as `read`; `back` is what the target hands back, None where there is no cotangent.

    `carried` where it is read by a later iteration of the loop that defines it; `first` where it is defined before the
    loop, and is what the first iteration reads of a carried sequence.
    """

    source: str
    target: str
    read: Expr
    back: Expr | None
    carried: bool = False
    first: bool = False


class Graph(NamedTuple):
    """Nodes in the order of the model, edges, and the range of each group."""

    name: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    groups: tuple[Range, ...]


def drawn(model: str, wrt: Listed[str] | None = None, sizes: Mapping[str, int] | None = None) -> Graph:
    """The graph of a shipped model, or of a model file, with every part that a drawing tells apart."""
    return graph_of(trace(split(prepare(load(model, sizes)), FineSplitter), wrt))


def graph_of(found: Trace) -> Graph:
    """The graph of a prepared model."""
    return _Grapher(found).graph()


class _Grapher:
    def __init__(self, found: Trace) -> None:
        self.model = found.adjoint.forward
        self.elements = found.adjoint.elements
        uses = found.gathering.uses
        self.backs = {(id(use.reader), use.symbol): use.part for several in uses.of.values() for use in several}
        self.rows = list(readers(self.model))
        told = [d.target.name for _, _, d in self.rows if uses.has_cotangent(d) or d.target in uses.constant]
        self.without = {d.target.name for _, _, d in self.rows} - set(told)
        """What has no cotangent."""
        self.loops: dict[str, list[tuple[Statement, str]]] = {}
        """Sequence to the loops that define it, each with the key of the definition."""
        self.starts: dict[str, list[Expr]] = {}
        """Sequence to the elements that are defined outside loops."""
        for _, statement, define in self.rows:
            element = self.elements.get(define.target)
            if element is not None and isinstance(statement, Loop):
                self.loops.setdefault(element.sequence, []).append((statement, define.target.name))
            elif element is not None:
                self.starts.setdefault(element.sequence, []).append(define.target)

    def graph(self) -> Graph:
        """The graph."""
        nodes = list(self._arguments())
        groups: dict[int, Range] = {}
        edges: list[Edge] = []
        for position, statement, define in self.rows:
            group, over = -1, None
            if isinstance(statement, Loop):
                groups.setdefault(position, statement.range)
                group = list(groups).index(position)
            elif isinstance(statement, Total):
                over = statement.range
            kind = "loss" if define.target is self.model.loss else "definition"
            target = define.target
            nodes.append(Node(target.name, kind, target, define.value, target.shape, group, over))
            for read in symbols(define.value):
                back = self.backs.get((id(define), read))
                for source, *how in self._sources(read, statement):
                    edges.append(Edge(source, target.name, read, None if source in self.without else back, *how))
        return Graph(self.model.name, tuple(nodes), tuple(dict.fromkeys(edges)), tuple(groups.values()))

    def _arguments(self) -> Iterator[Node]:
        for argument in self.model.arguments:
            kind = "parameter" if argument.kind == "param" else "input"
            for node in argument.symbols:
                yield Node(node.name, kind, node, None, node.shape)
            if not argument.symbols:
                row = self.model.sequences[argument.name]
                yield Node(argument.name, kind, None, None, row.shape, over=Range("", row.first, row.last))

    def _sources(self, read: Expr, statement: Statement) -> Iterator[tuple[str, bool, bool]]:
        """The nodes that a symbol may come from, whether it is carried, whether it is a first value."""
        element = self.elements.get(read)
        if element is None:
            yield read.name, False, False
            return
        name, index = element.sequence, element.index
        starts, loops = self.starts.get(name, []), self.loops.get(name, [])
        if not starts and not loops:
            yield name, False, False
            return
        if read in starts:
            yield read.name, False, False
            return
        for loop, key in loops:
            yield key, loop is statement and isinstance(loop, Loop) and str(index) != loop.index, False
        own = next((loop for loop, _ in loops if loop is statement), None)
        for start in starts:
            if isinstance(own, Loop) and str(index) != own.index:
                yield start.name, False, True
            elif own is None and self._reads(statement, index, self.elements[start].index):
                yield start.name, False, False

    def _reads(self, statement: Statement, index: Dim, place: Dim) -> bool:
        """Whether a statement outside the loop that defines a sequence reads its element at `place`."""
        if isinstance(statement, Define):
            return False
        low, high = extent(index, statement.range)
        return low.at_most(place) and place.at_most(high)
