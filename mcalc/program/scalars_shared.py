"""One scalar for all that is made of an array: the array is multiplied, and they are not.

2 Z A^T and 2 B^T Z, which alone read Z, are Z' A^T and B^T Z' with Z' = 2 Z; a term of a sum is such a multiple,
too. In: arrays; out: the same values, with fewer multiplications by numbers. `Prices` says what these take.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import inf, prod
from typing import NamedTuple

from mcalc.program.builder import Builder
from mcalc.program.ir import Array, arrays, is_gram, is_linear, linear_operands
from mcalc.program.operations import ATOMS
from mcalc.program.schedule import base

GAIN = 0.5
"""A scalar is moved where that takes at most this part of the time."""

DEEPEST = 20
"""A scalar is moved through so many operations."""

ROUNDS = 10
"""So often a scalar may move on towards the data."""

Multiple = tuple[Array, Array]
"""An array, and the scaling or the sum that multiplies it."""


class Prices:
    """What it takes to multiply arrays below some roots by a scalar."""

    def __init__(self, b: Builder, roots: Sequence[Array]) -> None:
        self.b = b
        self.order = list(arrays(*roots))
        self.uses: dict[Array, int] = {}
        for x in (*roots, *(x for a in self.order for x in a.args)):
            self.uses[x] = self.uses.get(x, 0) + 1

    def cheapest(self, a: Array, depth: int = 0) -> tuple[float, tuple[int, ...]]:
        """The least time, and the places of the operands on the way down to what is multiplied."""
        cost: float = self.at(a)
        way: tuple[int, ...] = ()
        if self.uses[a] == 1 and depth <= DEEPEST and not is_gram(a):
            for k in linear_operands(a):
                if a.args[k].kind == "float" and a.args[k].rank:
                    less, rest = self.cheapest(a.args[k], depth + 1)
                    if less < cost:
                        cost, way = less, (k, *rest)
        return cost, way

    def at(self, a: Array) -> float:
        """The time at an array: in its place, or as a copy of a vector."""
        if base(a).op not in ATOMS and self.uses[a] == 1:
            return self.entries(a)
        return inf if a.rank > 1 else 2 * self.entries(a)

    def entries(self, a: Array) -> float:
        """How many entries the array has."""
        return prod(self.b.lengths(a.shape))


class _Move(NamedTuple):
    """A number, and the multiples that are made by it."""

    factor: Fraction
    multiples: Sequence[Multiple]


def scalars_shared(b: Builder, roots: Sequence[Array]) -> list[Array]:
    """The roots with one scalar where all that is made of an array has the same."""
    found = [*roots]
    for _ in range(ROUNDS):
        gathering = _Gathering(b, found)
        moves = gathering.moves()
        if not moves:
            break
        found = gathering.moved(moves)
    return found


class _Gathering:
    """Finds arrays of which every multiple is the same one, and multiplies them instead, where that costs less."""

    def __init__(self, b: Builder, roots: Sequence[Array]) -> None:
        self.b = b
        self.roots = roots
        self.prices = Prices(b, roots)
        self.outputs = set(roots)
        self.readers: dict[Array, list[Array]] = {}
        for a in self.prices.order:
            for x in a.args:
                self.readers.setdefault(x, []).append(a)

    def moves(self) -> dict[Array, _Move]:
        """What to multiply instead of its multiples; no multiple is of two arrays."""
        found: dict[Array, _Move] = {}
        taken: set[Multiple] = set()
        for a in self.prices.order:
            if a.rank and base(a).op not in ATOMS and len(self.readers.get(a, ())) > 1 and a not in self.outputs:
                move = self._move(a)
                if move is not None and taken.isdisjoint(move.multiples):
                    found[a] = move
                    taken.update(move.multiples)
        return found

    def _move(self, a: Array) -> _Move | None:
        """The multiples of an array, if all are by one number, and it costs less to multiply the array by it."""
        found: dict[Multiple, None] = {}
        factors = set()
        for reader in self.readers[a]:
            term, factor = a, Fraction(1)
            while self._is_passed(term, reader):
                term, (reader,) = reader, self.readers[reader]
            if reader.args.count(term) > 1:
                return None
            if reader.op == "scale" and reader.args == (term,):
                factor = abs(reader.attrs[0])
            elif reader.op == "sum":
                factor = abs(reader.attrs[reader.args.index(term)])
            found[term, reader] = None
            factors.add(factor)
        (factor, *others) = factors
        if others or factor == 1 or len(found) < len(self.readers[a]):  # A^T A is not linear in A
            return None
        now = sum(self.prices.cheapest(term)[0] for term, _ in found)
        return _Move(factor, [*found]) if self._at(a) <= GAIN * now else None

    def _is_passed(self, x: Array, a: Array) -> bool:
        """Whether an array is as linear in an operand as what reads it is in the array."""
        alone = a.args.count(x) == 1 and len(self.readers.get(a, ())) == 1 and a not in self.outputs
        return alone and is_linear(a, x)

    def _at(self, a: Array) -> float:
        """What the scalar takes at the array, or below it."""
        below = [x for x in a.args if is_linear(a, x) and x.rank and x.kind == "float"]
        return min([self.prices.entries(a), *(self.prices.cheapest(x)[0] for x in below)])

    def moved(self, moves: Mapping[Array, _Move]) -> list[Array]:
        """The roots after the moves."""
        b = self.b
        divisors = {multiple: move.factor for move in moves.values() for multiple in move.multiples}
        new: dict[Array, Array] = {}
        for x in self.prices.order:
            args = [new[y] for y in x.args]
            attrs = x.attrs
            if x.op == "scale" and len(args) == 1:
                attrs = (x.attrs[0] / divisors.get((x.args[0], x), 1), ())
            elif x.op == "sum":
                attrs = tuple(c / divisors.get((y, x), 1) for y, c in zip(x.args, x.attrs, strict=True))
            if x.op == "scale" and attrs == (1, ()):
                made = args[0]
            elif attrs == x.attrs and all(y is z for y, z in zip(args, x.args, strict=True)):
                made = x
            else:
                made = b.node(x.op, *args, attrs=attrs)
            new[x] = b.node("scale", made, attrs=(moves[x].factor, ())) if x in moves else made
        return [new[root] for root in self.roots]
