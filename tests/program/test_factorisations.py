"""Sharing factorisations on arrays: what reads what, and what stays as it is."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import pytest

from mcalc.algebra.shape import dim
from mcalc.program.builder import Builder, Term
from mcalc.program.factorisations import share_factorisations
from mcalc.program.ir import Array, arrays

N, K = dim("n"), dim("k")


class Case:
    """A matrix A (n x n), a vector v, a wide and a narrow right side."""

    def __init__(self, symmetric: bool = False) -> None:
        self.b = Builder()
        self.a = self.b.node("arg", attrs=("A", (N, N)))
        self.v = self.b.node("arg", attrs=("v", (N,)))
        self.wide = self.b.node("arg", attrs=("W", (N, N)))
        self.narrow = self.b.node("arg", attrs=("R", (N, K)))
        if symmetric:
            self.b.symmetric.add(self.a)

    def of(self, op: str, *others: Array) -> Array:
        return self.b.node(op, self.a, *others)

    def half_logdet(self) -> Array:
        return self.b.node("log_diagonal", self.of("cholesky"))

    def shared(self, *roots: Array) -> Counter[str]:
        """How often each operation is computed."""
        found = share_factorisations(self.b, roots)
        assert [r.shape for r in found] == [r.shape for r in roots]
        return Counter(x.op for x in arrays(*found) if x.op != "arg")


def test_one_factor_for_everything() -> None:
    c = Case(symmetric=True)
    found = c.shared(c.half_logdet(), c.of("solve", c.v), c.of("inv"), c.of("solve", c.narrow))
    assert found["cholesky"] == found["lower_inverse"] == found["lower_gram"] == 1
    assert not found["solve"]
    assert not found["inv"]


def test_solves_of_few_columns_form_no_inverse() -> None:
    c = Case(symmetric=True)
    assert c.shared(c.half_logdet(), c.of("solve", c.v))["lower_gram"] == 0
    assert c.shared(c.half_logdet(), c.of("solve", c.narrow))["lower_gram"] == 0
    assert c.shared(c.half_logdet(), c.of("solve", c.wide), c.of("solve", c.b.transpose(c.wide)))["lower_gram"] == 1


def test_the_factor_is_read_once() -> None:
    """So that its inverse may take over its memory."""
    c = Case(symmetric=True)
    half = c.half_logdet()
    total = c.b.array(c.b.sum([(Fraction(2), half), (Fraction(1), c.b.node("dot", c.v, c.of("solve", c.v)))]))
    half_of_it = c.b.array(Term(c.b.one, Fraction(1, 2), ((half, 1),)))
    found = share_factorisations(c.b, [total, half_of_it, c.b.node("exp", half), c.b.node("times", half, half)])
    factor = c.of("cholesky")
    assert [x.op for x in arrays(*found) if factor in x.args] == ["lower_inverse"]
    signs = {x.op: x.attrs for x in arrays(*found) if any(y.op == "log_diagonal" for y in x.args)}
    assert signs["sum"] in ((Fraction(1), Fraction(-2)), (Fraction(-2), Fraction(1)))


def test_symmetric_matrices_are_tried() -> None:
    c = Case(symmetric=True)
    found = c.shared(c.of("logdet"), c.of("solve", c.v), c.of("inv"))
    assert found == {"try_cholesky": 1, "inv_from": 1, "logdet_from": 1, "matmul": 1}


@pytest.mark.parametrize("symmetric", [False, True])
def test_what_has_nothing_to_share_stays(symmetric: bool) -> None:
    c = Case(symmetric)
    for roots in ([c.of("solve", c.v)], [c.of("inv")], [c.half_logdet()], [c.of("det")]):
        assert share_factorisations(c.b, roots) == roots
    assert c.shared(c.of("logdet"), c.of("solve", c.v)) == {"logdet": 1, "solve": 1}


def test_general_matrices_stay() -> None:
    c = Case()
    assert c.shared(c.of("logdet"), c.of("solve", c.v), c.of("inv")) == {"logdet": 1, "solve": 1, "inv": 1}
