"""The order of lines: as few arrays as possible are alive at once.

In: lines in an order in which they can be computed; out: the lines in another such order, where that needs less memory.
Memory that stays in a cache is fast, and so is memory that the program has already: new pages are cleared first.
Among the lines that can be computed next, the one is taken after which the least memory is in use.

Products entry by entry can help: in (W^T R) .* H .* U, the product H .* U may lie where H was before W^T R is there.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from math import prod

from mcalc.program.builder import Builder
from mcalc.program.ir import Array, arrays
from mcalc.program.operations import VIEWS, nominal
from mcalc.program.plan import Line, computed
from mcalc.program.share import substituted

LENGTH = 100.0
"""Dimensions that nobody told are taken to be alike: how large a matrix is cannot be told by its letters."""

MOST_LINES = 400
"""Longer programs keep their order."""


def arranged(
    lines: Sequence[Line], names: Mapping[Array, str], kept: Collection[Array], typical: Mapping[str, float]
) -> tuple[list[Line], float]:
    """The lines in an order that needs less memory, or in their own, and the most entries that are alive at once.

    `kept` are arrays that outlive the lines.
    """
    use = _Use(lines, names, kept, typical)
    peak = use.peak(range(len(lines)))
    if len(lines) <= MOST_LINES:
        order = use.greedy()
        least = use.peak(order)
        if least < peak:
            return [lines[k] for k in order], least
    return list(lines), peak


def paired(b: Builder, roots: Sequence[Array]) -> tuple[list[Array], list[Array]]:
    """The roots, with products of the two factors that are there first among three or more; and these products.

    Both factors are read elsewhere, too: such a product can be made where one of them ends.
    """
    order = {a: k for k, a in enumerate(arrays(*roots))}
    uses: dict[Array, int] = {}
    for x in (x for a in order for x in a.args):
        uses[x] = uses.get(x, 0) + 1
    found: dict[Array, Array] = {}
    pairs: list[Array] = []
    for a in order:
        if a.op != "times" or len(a.args) < 3:
            continue
        whole = [x for x in a.args if x.op not in VIEWS and computed(x) and x.shape == a.shape and x.kind == "float"]
        shared = sorted((x for x in whole if uses[x] > 1), key=order.__getitem__)
        if len(shared) > 1:
            pairs.append(b.node("times", *shared[:2]))
            found[a] = b.node("times", *(x for x in a.args if x not in shared[:2]), pairs[-1])
    memo: dict[Array, Array] = {}
    return (
        [substituted(b, root, found, memo) for root in roots],
        [substituted(b, pair, found, memo) for pair in pairs],
    )


class _Use:
    """What lines read, and how much memory that takes."""

    def __init__(
        self, lines: Sequence[Line], names: Mapping[Array, str], kept: Collection[Array], typical: Mapping[str, float]
    ) -> None:
        own = {line.array: k for k, line in enumerate(lines)}
        alike = {n: LENGTH for line in lines for d in line.array.shape for n in d.names()}
        self.sizes = [prod(nominal(d, {**alike, **typical}) for d in line.array.shape) for line in lines]
        self.reads = [{own[x] for x in _read(line.array, names) if x in own} for line in lines]
        self.readers: list[set[int]] = [set() for _ in lines]
        for k, found in enumerate(self.reads):
            for x in found:
                self.readers[x].add(k)
        self.kept = {own[a] for a in kept if a in own}

    def growth(self, k: int, waiting: Sequence[set[int]]) -> float:
        """How much more memory is in use after line k than before; `waiting` are the readers that are left."""
        ended = [x for x in self.reads[k] if waiting[x] == {k} and x not in self.kept]
        return self.sizes[k] - sum(self.sizes[x] for x in ended)

    def greedy(self) -> list[int]:
        """The lines, always the one next that leaves the least memory in use."""
        waiting = [set(found) for found in self.readers]
        missing = [set(found) for found in self.reads]
        ready = {k for k, found in enumerate(missing) if not found}
        order: list[int] = []
        while ready:
            k = min(ready, key=lambda k: (self.growth(k, waiting), k))
            ready.remove(k)
            order.append(k)
            for x in self.reads[k]:
                waiting[x].discard(k)
            for reader in self.readers[k]:
                missing[reader].discard(k)
                if not missing[reader]:
                    ready.add(reader)
        return order

    def peak(self, order: Sequence[int]) -> float:
        """The most memory in use: an array takes over the memory of one of its size that ends where it is made."""
        waiting = [set(found) for found in self.readers]
        most = used = 0.0
        for k in order:
            ended = [x for x in self.reads[k] if waiting[x] == {k} and x not in self.kept]
            overlap = self.sizes[k] if any(self.sizes[x] == self.sizes[k] for x in ended) else 0.0
            most = max(most, used + self.sizes[k] - overlap)
            used += self.growth(k, waiting)
            for x in self.reads[k]:
                waiting[x].discard(k)
        return most


def _read(a: Array, names: Mapping[Array, str]) -> set[Array]:
    """The arrays with names that a line reads."""
    found: set[Array] = set()
    stack = list(a.args)
    while stack:
        x = stack.pop()
        if x in names:
            found.add(x)
        else:
            stack.extend(x.args)
    return found


__all__ = ["arranged", "paired"]
