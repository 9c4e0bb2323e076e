"""Where scalars are multiplied in: at the smallest array of what they multiply.

In: arrays; out: the same values. In c A B the scalar may multiply A, B or the product; in c u v^T it multiplies u or v.
A matrix is multiplied in its place only, where nobody else reads it; of a vector a multiple is made. A term of a sum is
such a product, too: 2 (W^T R) .* H is (W^T (2 R)) .* H, and diag(p) - p p^T is diag(p) + (-p) p^T.

Where all that is made of an array is multiplied by the same number, the array itself may be (`scalars_shared`): that
comes first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import partial

from mcalc.program.builder import Builder
from mcalc.program.ir import Array
from mcalc.program.plan import computed, on_diagonal
from mcalc.program.scalars_shared import GAIN, Prices, scalars_shared

Scale = Callable[[Array], Array]


def scalars_placed(b: Builder, roots: Sequence[Array]) -> list[Array]:
    """The roots with their scalars where they cost least."""
    return _Placing(b, scalars_shared(b, roots)).roots


class _Placing(Prices):
    """Rebuilds arrays, operands first."""

    def __init__(self, b: Builder, roots: Sequence[Array]) -> None:
        super().__init__(b, roots)
        self.new: dict[Array, Array] = {}
        for a in self.order:
            self.new[a] = self._placed(a)
        self.roots = [self.new[root] for root in roots]

    def _placed(self, a: Array) -> Array:
        args = [self.new[x] for x in a.args]
        if a.op == "scale" and a.rank:
            cost, way = self.cheapest(a.args[0])
            if cost <= GAIN * self.at(a.args[0]):
                return self._multiplied(a.args[0], way, lambda x: self.b.node("scale", x, *args[1:], attrs=a.attrs))
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
                cost, way = self.cheapest(x)
                inplace = factor > 0 and len(pairs) > 1 and x.rank == 2 and x is not a.args[0]
                if cost <= GAIN * self.entries(a) or (inplace and cost <= self.entries(a)):
                    terms.append((self._multiplied(x, way, partial(self._times, factor)), sign))
                    negated = negated and factor > 0
                    continue
            terms.append((self.new[x], c))
        if len({x for x, _ in terms}) < len(terms):
            return self.b.array(self.b.sum((c, x) for x, c in terms))
        return self.b.node("sum", *(x for x, _ in terms), attrs=tuple(c for _, c in terms))

    def _times(self, factor: Fraction, a: Array) -> Array:
        return self.b.node("scale", a, attrs=(factor, ()))

    def _multiplied(self, a: Array, way: Sequence[int], scale: Scale) -> Array:
        """An array times the scalar, which is multiplied in at the end of a way down."""
        if not way:
            return self._scaled(a, scale)
        args = [self.new[x] for x in a.args]
        args[way[0]] = self._multiplied(a.args[way[0]], way[1:], scale)
        return self.b.node(a.op, *args, attrs=a.attrs)

    def _scaled(self, a: Array, scale: Scale) -> Array:
        """An array times the scalar; of a multiple, another multiple."""
        new = self.new[a]
        outer = scale(new)
        if new.op == "scale" and len(new.args) == len(outer.args) == 1:
            factor = new.attrs[0] * outer.attrs[0]
            return new.args[0] if factor == 1 else self._times(factor, new.args[0])
        return outer
