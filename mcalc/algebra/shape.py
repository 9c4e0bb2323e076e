"""Dimensions and shapes.

A dimension is a polynomial in named dimensions whose values are integers: `n`, `3`, `n+1`, `2*q`, `m*n`
(blocks add dimensions, Kronecker products multiply them), and `n*(n+1)/2`, the independent entries of a symmetric
matrix. Its coefficients are rational. Dimensions are interned, so `is` is equality.
A shape is a pair (rows, columns); a scalar is `(ONE, ONE)`, a column vector `(n, ONE)`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from fractions import Fraction
from functools import cache
from typing import TypeAlias

Monomial: TypeAlias = tuple[str, ...]
"""A product of dimension names, sorted; the empty tuple is 1."""
Coefficient: TypeAlias = int | Fraction

_MOST_CASES = 4096


class Dim:
    """A dimension; make one with `dim`."""

    __slots__ = ("_names", "terms", "text")
    terms: tuple[tuple[Monomial, Coefficient], ...]
    text: str
    _names: tuple[str, ...]

    def __add__(self, other: Dim) -> Dim:
        total = dict(self.terms)
        for monomial, coefficient in other.terms:
            total[monomial] = total.get(monomial, 0) + coefficient
        return _intern(total)

    def __sub__(self, other: Dim) -> Dim:
        return self + dim(-1) * other

    def __mul__(self, other: Dim) -> Dim:
        total: dict[Monomial, Coefficient] = {}
        for left, a in self.terms:
            for right, b in other.terms:
                monomial = tuple(sorted(left + right))
                total[monomial] = total.get(monomial, 0) + a * b
        return _intern(total)

    def names(self) -> tuple[str, ...]:
        """The names that occur, in order of first occurrence."""
        return self._names

    def put(self, values: Mapping[str, Dim | int]) -> Dim:
        """The dimension with others, or numbers, in the place of names."""
        if self._names == (self.text,):
            named = values.get(self.text, self)
            return named if isinstance(named, Dim) else dim(named)
        if not any(name in values for name in self._names):
            return self
        total = dim(0)
        for monomial, coefficient in self.terms:
            product = dim(coefficient)
            for name in monomial:
                value = values.get(name, name)
                product = product * (value if isinstance(value, Dim) else dim(value))
            total = total + product
        return total

    def at_most(self, other: Dim) -> bool:
        """Whether this is at most the other whatever the names are, each at least 1."""
        terms = (other - self).terms
        return all(c > 0 for monomial, c in terms if monomial) and sum(c for _, c in terms) >= 0

    def below(self, other: Dim) -> bool:
        """Whether this is less than the other whatever the names are, each at least 1."""
        return (self + dim(1)).at_most(other)

    def value(self, sizes: Mapping[str, int]) -> int:
        """The number this dimension is when each name has the given size."""
        if self.text in sizes:
            return sizes[self.text]
        total: Coefficient = 0
        for monomial, coefficient in self.terms:
            product = coefficient
            for name in monomial:
                product *= sizes[name]
            total += product
        return int(total)

    def over(self, divisor: int) -> Dim | None:
        """The dimension divided by a positive integer; None where that is not an integer at every size."""
        if divisor == 1:
            return self
        names, period = self.names(), divisor * self.denominator
        cases = itertools.islice(itertools.product(range(period), repeat=len(names)), _MOST_CASES + 1)
        for count, sizes in enumerate(cases):
            if count == _MOST_CASES or self.value(dict(zip(names, sizes, strict=True))) % divisor:
                return None
        return _intern({monomial: Fraction(c) / divisor for monomial, c in self.terms})

    @property
    def denominator(self) -> int:
        """What all coefficients have in common as a denominator."""
        return math.lcm(*(c.denominator for _, c in self.terms))

    @property
    def number(self) -> int | None:
        """The integer, where the dimension is one."""
        match self.terms:
            case ():
                return 0
            case (((), coefficient),):
                return int(coefficient)
        return None

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"dim({self.text!r})"

    def __reduce__(self) -> tuple[object, ...]:
        return _intern, (dict(self.terms),)


Shape: TypeAlias = tuple[Dim, Dim]

_DIMS: dict[tuple[tuple[Monomial, Coefficient], ...], Dim] = {}


def _intern(total: Mapping[Monomial, Coefficient]) -> Dim:
    whole = ((m, int(c) if c.denominator == 1 else c) for m, c in total.items() if c)
    terms = tuple(sorted(whole, key=lambda t: (-len(t[0]), t[0])))
    known = _DIMS.get(terms)
    if known is None:
        known = Dim()
        known.terms = terms
        known.text = _write(terms)
        known._names = tuple(dict.fromkeys(name for monomial, _ in terms for name in monomial))
        known = _DIMS.setdefault(terms, known)
    return known


def _write(terms: tuple[tuple[Monomial, Coefficient], ...]) -> str:
    divisor = math.lcm(*(c.denominator for _, c in terms))
    if divisor == 1:
        return _sum(terms)
    whole = tuple((m, int(c * divisor)) for m, c in terms)
    name = whole[-1][0][0] if whole[-1][0] else ""
    product = f"{name}*({name}+1)" if whole == (((name, name), 1), ((name,), 1)) else f"({_sum(whole)})"
    return f"{product}/{divisor}"


def _sum(terms: Iterable[tuple[Monomial, Coefficient]]) -> str:
    text = ""
    for monomial, coefficient in terms:
        size = abs(coefficient)
        factors = [str(size)] if size != 1 or not monomial else []
        text += ("-" if coefficient < 0 else "+" if text else "") + "*".join([*factors, *monomial])
    return text or "0"


@cache
def dim(value: str | Coefficient) -> Dim:
    """The dimension with this name, or this nonnegative number (a fraction as a factor of others)."""
    if isinstance(value, str):
        return _intern({(value,): 1})
    return _intern({(): value} if value else {})


def triangular(n: Dim) -> Dim:
    """n (n + 1) / 2, the number of entries on and below the diagonal."""
    return n * (n + ONE) * dim(Fraction(1, 2))


ONE = dim(1)
SCALAR: Shape = (ONE, ONE)


def shape_text(shape: Shape, times: str = " x ") -> str:
    """A shape as a declaration writes it: `scalar`, `n`, `n x m`."""
    rows, columns = shape
    if rows is ONE and columns is ONE:
        return "scalar"
    if columns is ONE:
        return str(rows)
    return f"{rows}{times}{columns}"
