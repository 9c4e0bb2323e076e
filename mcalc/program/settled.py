"""What is computed in any case: the arrays of a first lowering, and which of them hang on which.

In: the outputs of a first lowering; out: `Settled`. While the lowering of an expression is reconsidered, an array
counts as computed only if something else than that expression's own result needs it: if the result does not dominate
it in the graph from the outputs to the leaves (immediate dominators, as Lengauer & Tarjan define them; in an acyclic
graph the dominator of a node is the nearest common dominator of its readers).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mcalc.program.ir import Array, arrays


class Settled:
    """The arrays below some outputs and the tree of their dominators."""

    def __init__(self, outputs: Sequence[Array] = ()) -> None:
        order = list(arrays(*outputs))
        parent: dict[Array, Array | None] = dict.fromkeys(outputs)
        depth: dict[Array, int] = dict.fromkeys(outputs, 0)
        for a in reversed(order):
            for x in a.args:
                parent[x] = _meet(parent, depth, parent[x], a) if x in parent else a
                above = parent[x]
                depth[x] = 0 if above is None else depth[above] + 1
        self._span = dict(sorted(_spans(order, parent).items(), key=lambda item: item[1]))

    def __iter__(self) -> Iterator[Array]:
        return iter(self._span)

    def __len__(self) -> int:
        return len(self._span)

    def __contains__(self, a: Array) -> bool:
        return a in self._span

    def hangs_on(self, a: Array, top: Array) -> bool:
        """Whether every way from an output to `a` leads through `top`."""
        if top not in self._span:
            return False
        first, last = self.span(top)
        return first <= self._span[a][0] < last

    def span(self, top: Array) -> tuple[int, int]:
        """The places, in the order of iteration, of what hangs on an array; none where it is not there."""
        return self._span.get(top, (0, 0))


def _meet(parent: dict[Array, Array | None], depth: dict[Array, int], x: Array | None, y: Array | None) -> Array | None:
    """The nearest common ancestor."""
    while x is not y:
        if x is None or y is None:
            return None
        if depth[x] >= depth[y]:
            x = parent[x]
        else:
            y = parent[y]
    return x


def _spans(order: Sequence[Array], parent: dict[Array, Array | None]) -> dict[Array, tuple[int, int]]:
    """An interval for each node of the tree; that of a child lies in that of its parent."""
    children: dict[Array | None, list[Array]] = {}
    for a in order:
        children.setdefault(parent[a], []).append(a)
    first: dict[Array, int] = {}
    spans: dict[Array, tuple[int, int]] = {}
    count = 0
    stack = [(a, False) for a in children.get(None, ())]
    while stack:
        a, left = stack.pop()
        if left:
            spans[a] = first[a], count
            continue
        first[a] = count
        count += 1
        stack.append((a, True))
        stack.extend((x, False) for x in children.get(a, ()))
    return spans
