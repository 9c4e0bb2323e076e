"""Where scalars are multiplied in."""

from __future__ import annotations

from fractions import Fraction

import pytest

from mcalc.algebra.shape import dim
from mcalc.program.builder import Builder
from mcalc.program.ir import Array, arrays
from mcalc.program.scalars import scalars_placed

N, K, P = dim("n"), dim("k"), dim("p")


class Case:
    """R (n x k), computed; W (k x p); M = R W, of which every use is multiplied by a number; A and B (n x p)."""

    def __init__(self) -> None:
        self.b = b = Builder()
        self.r = b.node("exp", self.leaf("R", N, K))
        self.m = b.node("matmul", self.r, self.leaf("W", K, P))
        self.a, self.c, self.e = (self.leaf(name, N, P) for name in "ACE")

    def leaf(self, name: str, *axes: object) -> Array:
        return self.b.node("arg", attrs=(name, axes))

    def times(self, factor: int, x: Array) -> Array:
        return self.b.node("scale", x, attrs=(Fraction(factor), ()))

    def multiples(self, *roots: Array) -> set[Array]:
        """What is multiplied by a number."""
        found: set[Array] = set()
        for x in arrays(*scalars_placed(self.b, roots)):
            if x.op == "scale":
                found.add(x.args[0])
            if x.op == "sum":
                found |= {y for y, c in zip(x.args, x.attrs, strict=True) if abs(c) != 1}
        return found


def test_an_array_whose_multiples_are_all_the_same_is_multiplied() -> None:
    c = Case()
    first = c.times(2, c.b.times(c.m, c.a))
    product = c.b.node("matmul", c.b.times(c.m, c.c), c.leaf("V", P, N))
    second = c.b.node("sum", c.leaf("S", N, N), product, attrs=(Fraction(1), Fraction(-2)))
    assert c.multiples(first, second) == {c.r}


@pytest.mark.parametrize("factors", [(2, 3), (2, 1)])
def test_different_multiples_stay_apart(factors: tuple[int, int]) -> None:
    c = Case()
    roots = [c.times(f, c.b.times(c.m, x)) for f, x in zip(factors, (c.a, c.c), strict=True)]
    assert c.r not in c.multiples(*roots)


def test_what_is_given_back_is_not_multiplied() -> None:
    c = Case()
    roots = [c.times(2, c.b.times(c.m, c.a)), c.times(2, c.b.times(c.m, c.c)), c.m]
    assert c.r not in c.multiples(*roots)


def test_a_gram_matrix_is_not_linear() -> None:
    c = Case()
    gram = c.times(2, c.b.node("matmul", c.b.view(c.m), c.m))
    assert c.multiples(gram) == {gram.args[0]}


def test_an_array_that_is_multiplied_as_it_stands() -> None:
    """By a scale and in a sum."""
    c = Case()
    first = c.b.node("exp", c.times(2, c.m))
    second = c.b.node("sum", c.a, c.m, attrs=(Fraction(1), Fraction(2)))
    found = scalars_placed(c.b, [first, second])
    assert {x.args[0] for x in arrays(*found) if x.op == "scale"} == {c.r}
    assert found[0].args[0] is found[1].args[1]
    assert found[1].attrs == (1, 1)
