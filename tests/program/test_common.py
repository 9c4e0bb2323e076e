"""Common factors of the terms of a sum."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

from mcalc.algebra.shape import dim
from mcalc.program.builder import Builder
from mcalc.program.common import factors_taken_out
from mcalc.program.ir import Array, arrays

N, K = dim("n"), dim("k")


def matrices(b: Builder) -> list[Array]:
    return [b.node("arg", attrs=(name, (N, K))) for name in "ABCD"]


def minus(b: Builder, *terms: Array) -> Array:
    return b.node("sum", *terms, attrs=(Fraction(1), *[Fraction(-1)] * (len(terms) - 1)))


def operations(*roots: Array) -> Counter[str]:
    return Counter(x.op for x in arrays(*roots) if x.op != "arg")


def test_a_common_factor_is_taken_out() -> None:
    b = Builder()
    A, B, C, _ = matrices(b)
    (found,) = factors_taken_out(b, [minus(b, b.times(A, B), b.times(A, C))])
    assert found is b.times(minus(b, B, C), A)


def test_rows_are_scaled_and_subtracted_once() -> None:
    """A .* B - diag(v) A, the adjoint of a softmax."""
    b = Builder()
    A, B, *_ = matrices(b)
    v = b.column(b.node("arg", attrs=("v", (N,))))
    (found,) = factors_taken_out(b, [minus(b, b.times(B, A), b.times(v, A))])
    assert found is b.times(minus(b, B, v), A)


def test_other_terms_stay() -> None:
    b = Builder()
    A, B, C, D = matrices(b)
    (found,) = factors_taken_out(b, [minus(b, D, b.times(A, B), b.times(A, C))])
    assert operations(found) == {"sum": 2, "times": 1}
    assert found.shape == (N, K)


def test_products_that_are_read_elsewhere_stay() -> None:
    b = Builder()
    A, B, C, _ = matrices(b)
    product = b.times(A, B)
    roots = [minus(b, product, b.times(A, C)), product]
    assert factors_taken_out(b, roots) == roots


def test_a_sum_that_becomes_smaller_is_left() -> None:
    """diag(u) A - diag(v) A: an n x 1 array would be made, which is no vector."""
    b = Builder()
    A, *_ = matrices(b)
    u, v = (b.column(b.node("arg", attrs=(name, (N,)))) for name in "uv")
    roots = [minus(b, b.times(u, A), b.times(v, A))]
    assert factors_taken_out(b, roots) == roots
