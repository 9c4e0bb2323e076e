"""Dimensions and shapes.

A dimension is a polynomial with integer coefficients in named dimensions: `n`, `3`, `n+1`, `2*q`, `m*n`
(blocks add dimensions, Kronecker products multiply them). Dimensions are interned, so `is` is equality.
A shape is a pair (rows, columns); a scalar is `(ONE, ONE)`, a column vector `(n, ONE)`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

Monomial: TypeAlias = tuple[str, ...]
"""A product of dimension names, sorted; the empty tuple is 1."""


class Dim:
    """A dimension; make one with `dim`."""

    __slots__ = ("terms", "text")
    terms: tuple[tuple[Monomial, int], ...]
    text: str

    def __add__(self, other: Dim) -> Dim:
        total = dict(self.terms)
        for monomial, coefficient in other.terms:
            total[monomial] = total.get(monomial, 0) + coefficient
        return _intern(total)

    def __mul__(self, other: Dim) -> Dim:
        total: dict[Monomial, int] = {}
        for left, a in self.terms:
            for right, b in other.terms:
                monomial = tuple(sorted(left + right))
                total[monomial] = total.get(monomial, 0) + a * b
        return _intern(total)

    def names(self) -> tuple[str, ...]:
        """The names that occur, in order of first occurrence."""
        return tuple(dict.fromkeys(name for monomial, _ in self.terms for name in monomial))

    def value(self, sizes: Mapping[str, int]) -> int:
        """The number this dimension is when each name has the given size."""
        total = 0
        for monomial, coefficient in self.terms:
            product = coefficient
            for name in monomial:
                product *= sizes[name]
            total += product
        return total

    @property
    def number(self) -> int | None:
        """The integer, where the dimension is one."""
        match self.terms:
            case ():
                return 0
            case (((), coefficient),):
                return coefficient
        return None

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"dim({self.text!r})"

    def __reduce__(self) -> tuple[object, ...]:
        return _intern, (dict(self.terms),)


Shape: TypeAlias = tuple[Dim, Dim]

_DIMS: dict[tuple[tuple[Monomial, int], ...], Dim] = {}


def _intern(total: Mapping[Monomial, int]) -> Dim:
    terms = tuple(sorted(((m, c) for m, c in total.items() if c), key=lambda t: (-len(t[0]), t[0])))
    known = _DIMS.get(terms)
    if known is None:
        known = Dim()
        known.terms = terms
        known.text = _write(terms)
        known = _DIMS.setdefault(terms, known)
    return known


def _write(terms: Iterable[tuple[Monomial, int]]) -> str:
    text = ""
    for monomial, coefficient in terms:
        size = abs(coefficient)
        factors = [str(size)] if size != 1 or not monomial else []
        text += ("-" if coefficient < 0 else "+" if text else "") + "*".join([*factors, *monomial])
    return text or "0"


def dim(value: str | int) -> Dim:
    """The dimension with this name, or this nonnegative integer."""
    if isinstance(value, int):
        return _intern({(): value} if value else {})
    return _intern({(value,): 1})


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
