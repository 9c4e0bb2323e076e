"""Where scalars are multiplied in: at the smallest array of what they multiply.

In: arrays; out: the same values. In c A B the scalar may multiply A, B or the product; in c u v^T it multiplies u or v.
A matrix is multiplied in its place only, where nobody else reads it; of a vector a multiple is made. A term of a sum is
such a product, too: 2 (W^T R) .* H is (W^T (2 R)) .* H, and diag(p) - p p^T is diag(p) + (-p) p^T.

Where all that is made of an array is multiplied by the same number, the array itself may be: that comes first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import partial
from math import inf, prod

from mcalc.program.builder import Builder
from mcalc.program.ir import Array, arrays, is_gram, is_linear, linear_operands
from mcalc.program.plan import computed, on_diagonal

GAIN = 0.5
"""A scalar is moved where that takes at most this part of the time."""

DEEPEST = 20
"""A scalar is moved through so many operations."""

MOST_GATHERED = 10
"""So many scalars are taken together."""

Scale = Callable[[Array], Array]


def scalars_placed(b: Builder, roots: Sequence[Array]) -> list[Array]:
    """The roots with their scalars where they cost least."""
    found = list(roots)
    for _ in range(MOST_GATHERED):
        gathered = _Gathering(b, found).roots
        if gathered == found:
            break
        found = gathered
    return _Placing(b, found).roots


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
            cost, made = self.cheapest(a.args[0], lambda x: self.b.node("scale", x, *args[1:], attrs=a.attrs))
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
                cost, made = self.cheapest(x, partial(self._times, factor))
                inplace = factor > 0 and len(pairs) > 1 and x.rank == 2 and x is not a.args[0]
                if cost <= GAIN * self.entries(a) or (inplace and cost <= self.entries(a)):
                    terms.append((made(), sign))
                    negated = negated and factor > 0
                    continue
            terms.append((self.new[x], c))
        if len({x for x, _ in terms}) < len(terms):
            return self.b.array(self.b.sum((c, x) for x, c in terms))
        return self.b.node("sum", *(x for x, _ in terms), attrs=tuple(c for _, c in terms))

    def _times(self, factor: Fraction, a: Array) -> Array:
        return self.b.node("scale", a, attrs=(factor, ()))

    def cheapest(self, a: Array, scale: Scale, depth: int = 0) -> tuple[float, Callable[[], Array]]:
        """How long the scalar takes, and what makes the array multiplied by it."""
        cost: float = self._work(a)
        made: Callable[[], Array] = partial(self._scaled, a, scale)
        if self.uses[a] > 1 or depth > DEEPEST or is_gram(a):
            return cost, made
        for k in linear_operands(a):
            if a.args[k].kind != "float" or not a.args[k].rank:
                continue
            less, inner = self.cheapest(a.args[k], scale, depth + 1)
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
            return self.entries(a)
        return inf if a.rank > 1 else 2 * self.entries(a)

    def entries(self, a: Array) -> float:
        """How many entries the array has."""
        return prod(self.b.lengths(a.shape))


class _Gathering:
    """Finds an array of which every multiple is the same one, and multiplies it instead, where that costs less."""

    def __init__(self, b: Builder, roots: Sequence[Array]) -> None:
        self.b = b
        self.placing = _Placing(b, roots)
        self.outputs = set(roots)
        self.readers: dict[Array, list[Array]] = {}
        order = list(arrays(*roots))
        for a in order:
            for x in a.args:
                self.readers.setdefault(x, []).append(a)
        self.roots = list(roots)
        for a in order:
            if a.rank and computed(a) and len(self.readers.get(a, ())) > 1 and a not in self.outputs:
                factor, multiples = self._multiples(a)
                if multiples and self._at(a) <= GAIN * sum(map(self._now, multiples)):
                    self.roots = self._moved(order, a, factor, set(multiples))
                    return

    def _multiples(self, a: Array) -> tuple[Fraction, list[tuple[Array, Array]]]:
        """The number, and where it is multiplied in: terms and the scales or sums that they are operands of."""
        found: list[tuple[Array, Array]] = []
        factors = set()
        for reader in self.readers[a]:
            term, factor = a, Fraction(1)
            while True:
                if reader.args.count(term) > 1:
                    return factor, []
                if reader.op == "scale" and reader.args[0] is term and len(reader.args) == 1:
                    factor = abs(reader.attrs[0])
                elif reader.op == "sum":
                    factor = abs(reader.attrs[reader.args.index(term)])
                elif is_linear(reader, term) and len(self.readers.get(reader, ())) == 1 and reader not in self.outputs:
                    term, (reader,) = reader, self.readers[reader]
                    continue
                break
            found.append((term, reader))
            factors.add(factor)
        (first, *others) = factors
        merged = len(set(found)) < len(found)  # A^T A is not linear in A
        return first, [] if others or merged or first == 1 else found

    def _at(self, a: Array) -> float:
        """What the scalar takes at the array, or below it."""
        below = [x for x in a.args if is_linear(a, x) and x.rank and x.kind == "float"]
        return min([self.placing.entries(a), *(self.placing.cheapest(x, _same)[0] for x in below)])

    def _now(self, multiple: tuple[Array, Array]) -> float:
        return self.placing.cheapest(multiple[0], _same)[0]

    def _moved(
        self, order: Sequence[Array], a: Array, factor: Fraction, multiples: set[tuple[Array, Array]]
    ) -> list[Array]:
        b = self.b
        new: dict[Array, Array] = {}
        for x in order:
            args = [new[y] for y in x.args]
            attrs = x.attrs
            if x.op == "scale" and (x.args[0], x) in multiples:
                attrs = (x.attrs[0] / factor, ())
            elif x.op == "sum":
                pairs = zip(x.args, x.attrs, strict=True)
                attrs = tuple(c / factor if (y, x) in multiples else c for y, c in pairs)
            unchanged = attrs == x.attrs and all(y is z for y, z in zip(args, x.args, strict=True))
            made = (
                x
                if unchanged
                else args[0]
                if x.op == "scale" and attrs == (1, ())
                else b.node(x.op, *args, attrs=attrs)
            )
            new[x] = b.node("scale", made, attrs=(factor, ())) if x is a else made
        return [new[root] for root in self.roots]


def _same(a: Array) -> Array:
    return a
