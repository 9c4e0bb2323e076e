"""What arrays cost: the time of what is not computed yet, at nominal sizes of the dimensions."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import accumulate
from types import MappingProxyType

from mcalc.algebra.shape import Dim
from mcalc.program.ir import Array, Graph, arrays, is_gram
from mcalc.program.operations import OPERATIONS, Axes, Lengths, nominal
from mcalc.program.settled import Settled


class Scale:
    """Sizes of dimensions, and what arrays cost at these; each is found out once."""

    def __init__(self, usual: Mapping[str, float], others: Mapping[str, float] = MappingProxyType({})) -> None:
        self.others = others
        """Sizes that are not the nominal ones, but where they are known."""
        self._sizes = {**others, **usual}
        self._known: dict[Dim, float] = {}
        self._lengths: dict[Axes, Lengths] = {}
        self._works: dict[Array, float] = {}

    def lengths(self, axes: Axes) -> Lengths:
        """The lengths of axes."""
        found = self._lengths.get(axes)
        if found is None:
            known = self._known
            for d in axes:
                if d not in known:
                    known[d] = nominal(d, self._sizes)
            found = self._lengths[axes] = tuple([known[d] for d in axes])
        return found

    def work(self, a: Array) -> float:
        """The time of one operation, in ns; of A^T A, half that of a product."""
        found = self._works.get(a)
        if found is None:
            operands = [self.lengths(x.shape) for x in a.args]
            found = OPERATIONS[a.op].work(operands, self.lengths(a.shape)) * (0.5 if is_gram(a) else 1)
            self._works[a] = found
        return found


class Costed(Graph):
    """A graph that knows what is computed, and what the rest would cost."""

    def __init__(self, typical: Mapping[str, float] = MappingProxyType({})) -> None:
        super().__init__()
        self.typical = dict(typical)
        """Sizes of dimensions that are known to be about so large."""
        self.settled = Settled()
        """What an earlier lowering found necessary."""
        self.own: Array | None = None
        """What the earlier lowering made of the expression that is lowered now."""
        self._works: _Works | None = None
        self._paid: set[Array] = set()
        self._scale = Scale(self.typical)
        self._scales: dict[tuple[tuple[str, float], ...], Scale] = {(): self._scale}

    def pay(self, *roots: Array) -> None:
        """Count everything below the roots as computed."""
        for _ in arrays(*roots, seen=self._paid):
            pass

    def settle(self, outputs: Sequence[Array]) -> None:
        """Begin again, knowing that these outputs were chosen."""
        self._paid = set()
        self.settled = Settled(outputs)
        self._works = None

    def paid(self, a: Array) -> bool:
        """Whether the array is computed in any case."""
        if a in self._paid:
            return True
        return a in self.settled and (self.own is None or not self.settled.hangs_on(a, self.own))

    def own_cost(self, a: Array) -> float:
        """The time of one operation, in ns at nominal sizes; nothing for what is computed already."""
        return 0.0 if self.paid(a) else self.work(a)

    def work(self, a: Array) -> float:
        """The time of one operation, in ns at nominal sizes."""
        return self._scale.work(a)

    def elsewhere(self, scales: Sequence[Scale]) -> list[float]:
        """The time of what was settled, but for what hangs on what is lowered now, at each of some sizes."""
        works = self._works
        if works is None:
            works = self._works = _Works(self.settled, self._scale)
        first, last = (0, 0) if self.own is None else self.settled.span(self.own)
        usual = works.outside(first, last)
        return [usual + sum([works.beyond(name, s, first, last) for name in s.others]) for s in scales]

    def cost(self, root: Array, given: frozenset[Array] = frozenset()) -> float:
        """The time of everything below an array that is not computed yet, nor given."""
        return sum(self.own_cost(a) for a in self.unpaid([root], given))

    def cheaper(self, a: Array, b: Array, share: float) -> bool:
        """Whether what only `a` needs takes less than this share of the time of what only `b` needs."""
        first, second = self.unpaid([a]), self.unpaid([b])
        left, right = list(first - second), list(second - first)
        for x in [x for x in left if x.op == "solve"]:
            other = next((y for y in right if y.op == "solve" and y.args[0] is x.args[0] and y.shape == x.shape), None)
            if other is not None:
                left.remove(x)
                right.remove(other)
        return sum(map(self.own_cost, left)) < share * sum(map(self.own_cost, right))

    def multiplies(self, a: Array) -> bool:
        """Whether a product or a solve below the array is not computed yet."""
        return any(x.op in ("matmul", "solve", "inv") for x in self.unpaid([a]))

    def unpaid(self, roots: Iterable[Array], given: frozenset[Array] = frozenset()) -> set[Array]:
        """What is below arrays and not computed yet, nor given."""
        seen: set[Array] = set()
        pending = list(roots)
        while pending:
            a = pending.pop()
            if a not in seen and a not in given and not self.paid(a):
                seen.add(a)
                pending.extend(a.args)
        return seen

    def lengths(self, axes: Axes) -> Lengths:
        """The nominal lengths of axes."""
        return self._scale.lengths(axes)

    def scale(self, others: Mapping[str, float]) -> Scale:
        """What arrays cost at other sizes of some dimensions."""
        if not others:
            return self._scales[()]
        key = tuple(others.items())
        if key not in self._scales:
            self._scales[key] = Scale(self.typical, others)
        return self._scales[key]

    @contextmanager
    def sizes(self, others: Mapping[str, float]) -> Iterator[None]:
        """Costs at other sizes of some dimensions."""
        usual, self._scale = self._scale, self.scale(others)
        yield
        self._scale = usual


class _Works:
    """The times of settled arrays: of all outside an interval at nominal sizes, and what a dimension adds at others."""

    def __init__(self, settled: Settled, usual: Scale) -> None:
        self.sums = [0.0]
        self._by_name: dict[str, list[tuple[int, Array, float]]] = {}
        self._beyond: dict[tuple[str, Scale], tuple[list[int], list[float]]] = {}
        for place, a in enumerate(settled):
            work = usual.work(a)
            self.sums.append(self.sums[-1] + work)
            if work:
                dims = {d for x in (a, *a.args) for d in x.shape}
                for name in {n for d in dims for n in d.names()}:
                    self._by_name.setdefault(name, []).append((place, a, work))

    def beyond(self, name: str, scale: Scale, first: int, last: int) -> float:
        """What arrays with a dimension take at other sizes beyond nominal ones, but for those between two places."""
        found = self._beyond.get((name, scale))
        if found is None:
            arrays = self._by_name.get(name, ())
            more = accumulate([scale.work(a) - known for _, a, known in arrays], initial=0.0)
            found = self._beyond[name, scale] = [place for place, _, _ in arrays], list(more)
        places, sums = found
        if first == last:
            return sums[-1]
        return sums[-1] - (sums[bisect_left(places, last)] - sums[bisect_left(places, first)])

    def outside(self, first: int, last: int) -> float:
        """The time of all but those from the place `first` to before the place `last`."""
        return self.sums[-1] - (self.sums[last] - self.sums[first])
