"""Where scalars are multiplied in: at the smallest array of what they multiply.

In: arrays; out: the same values. In c A B the scalar may multiply A, B or the product; in c u v^T it multiplies u or v.
A matrix is multiplied in its place only, where nobody else reads it; of a vector a multiple is made. A term of a sum is
such a product, too: 2 (W^T R) .* H is (W^T (2 R)) .* H, and diag(p) - p p^T is diag(p) + (-p) p^T.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import partial
from math import inf, prod
from types import MappingProxyType

from mcalc.program.builder import Builder
from mcalc.program.ir import Array, arrays, is_gram
from mcalc.program.operations import nominal
from mcalc.program.plan import computed, on_diagonal

LINEAR: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {"matmul": (0, 1), "outer": (0, 1), "quotient": (0,), "T": (0,), "column": (0,), "row": (0,), "flat": (0,)}
)
"""Operations to the operands in which they are linear; a product entry by entry is so in each."""

GAIN = 0.5
"""A scalar is moved where that takes at most this part of the time."""

DEEPEST = 20
"""A scalar is moved through so many operations."""

Scale = Callable[[Array], Array]


def scalars_placed(b: Builder, roots: Sequence[Array]) -> list[Array]:
    """The roots with their scalars where they cost least."""
    return _Placing(b, roots).roots


class _Placing:
    """Rebuilds arrays, operands first."""

    def __init__(self, b: Builder, roots: Sequence[Array]) -> None:
        self.b = b
        self.uses: dict[Array, int] = {}
        order = list(arrays(*roots))
        for x in (*roots, *(x for a in order for x in a.args)):
            self.uses[x] = self.uses.get(x, 0) + 1
        self.new: dict[Array, Array] = {}
        for a in order:
            self.new[a] = self._placed(a)
        self.roots = [self.new[root] for root in roots]

    def _placed(self, a: Array) -> Array:
        args = [self.new[x] for x in a.args]
        if a.op == "scale" and a.rank:
            cost, made = self._cheapest(a.args[0], lambda x: self.b.node("scale", x, *args[1:], attrs=a.attrs))
            if cost <= GAIN * self._work(a.args[0]):
                return made()
        if a.op == "sum" and a.rank:
            return self._sum(a)
        if all(x is y for x, y in zip(args, a.args, strict=True)):
            return a
        return self.b.node(a.op, *args, attrs=a.attrs)

    def _sum(self, a: Array) -> Array:
        pairs = list(zip(a.args, a.attrs, strict=True))
        dense = [c for x, c in pairs if not on_diagonal(x)]
        negated = all(c < 0 for c in dense)
        terms = []
        for x, c in pairs:
            factor = abs(c) * (-1 if negated and not on_diagonal(x) else 1)
            sign = Fraction(-1 if (c < 0) != (factor < 0) else 1)
            if factor != 1 and x.rank and computed(x) and self.uses[x] == 1 and not on_diagonal(x):
                cost, made = self._cheapest(x, partial(self._times, factor))
                inplace = factor > 0 and len(pairs) > 1 and x.rank == 2 and x is not a.args[0]
                if cost <= GAIN * self._entries(a) or (inplace and cost <= self._entries(a)):
                    terms.append((made(), sign))
                    negated = negated and factor > 0
                    continue
            terms.append((self.new[x], c))
        if len({x for x, _ in terms}) < len(terms):
            return self.b.array(self.b.sum((c, x) for x, c in terms))
        return self.b.node("sum", *(x for x, _ in terms), attrs=tuple(c for _, c in terms))

    def _times(self, factor: Fraction, a: Array) -> Array:
        return self.b.node("scale", a, attrs=(factor, ()))

    def _cheapest(self, a: Array, scale: Scale, depth: int = 0) -> tuple[float, Callable[[], Array]]:
        """How long the scalar takes, and what makes the array multiplied by it."""
        cost: float = self._work(a)
        made: Callable[[], Array] = partial(self._scaled, a, scale)
        if self.uses[a] > 1 or depth > DEEPEST or is_gram(a):
            return cost, made
        for k in range(len(a.args)) if a.op == "times" else LINEAR.get(a.op, ()):
            if a.args[k].kind != "float" or not a.args[k].rank:
                continue
            less, inner = self._cheapest(a.args[k], scale, depth + 1)
            if less < cost:
                cost, made = less, partial(self._with, a, k, inner)
        return cost, made

    def _scaled(self, a: Array, scale: Scale) -> Array:
        """An array times the scalar; of a multiple, another multiple."""
        new = self.new[a]
        outer = scale(new)
        if new.op == "scale" and len(new.args) == len(outer.args) == 1:
            factor = new.attrs[0] * outer.attrs[0]
            return new.args[0] if factor == 1 else self._times(factor, new.args[0])
        return outer

    def _with(self, a: Array, k: int, operand: Callable[[], Array]) -> Array:
        args = [operand() if place == k else self.new[x] for place, x in enumerate(a.args)]
        return self.b.node(a.op, *args, attrs=a.attrs)

    def _work(self, a: Array) -> float:
        """The time that a scalar takes at an array: in its place, or as a copy of a vector."""
        if computed(a) and self.uses[a] == 1:
            return self._entries(a)
        return inf if a.rank > 1 else 2 * self._entries(a)

    def _entries(self, a: Array) -> float:
        return prod(nominal(d, self.b.typical) for d in a.shape)
