"""Terms: an array with what multiplies it kept apart, so that scalars end up on the smallest operand."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from mcalc.program.ir import Array

Scalars = tuple[tuple[Array, int], ...]
_ONE = Fraction(1)


class Term(NamedTuple):
    """coefficient · product of scalars^exponent · core."""

    core: Array
    coefficient: Fraction = _ONE
    scalars: Scalars = ()

    @property
    def plain(self) -> bool:
        """Whether the term is its core."""
        return not self.scalars and (self.coefficient is _ONE or self.coefficient == 1)


def merged(*parts: Scalars) -> Scalars:
    """Scalars multiplied together: exponents add."""
    exponents: dict[Array, int] = {}
    for part in parts:
        for scalar, exponent in part:
            exponents[scalar] = exponents.get(scalar, 0) + exponent
    return tuple((s, e) for s, e in exponents.items() if e)
