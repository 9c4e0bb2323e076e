"""Sizes are distinct, small, and what the expression needs."""

from __future__ import annotations

from itertools import islice

import pytest

from mcalc.algebra.operators import add, symbol
from mcalc.algebra.shape import ONE, dim
from mcalc.verify.sizes import Requirements
from tests.verify.reading import e


def needs(*texts: str) -> Requirements:
    requirements = Requirements()
    requirements.include(*(e(text) for text in texts))
    return requirements


@pytest.mark.parametrize("text", ["X", "A X Z W", "kron(X, Z)", "x^T A x", "logdet(X^T X)", "K(n,m)"])
def test_a_proof_gets_two_maps_that_differ_in_every_size_and_parity(text: str) -> None:
    first, second = islice(needs(text).choices(), 2)
    assert first.keys() == second.keys() == needs(text).names.keys()
    for sizes in (first, second):
        assert len(set(sizes.values())) == len(sizes) and all(3 <= size <= 8 for size in sizes.values())
    assert all((first[name] - second[name]) % 2 for name in first)
    assert sorted(first.values()) != sorted(second.values())


@pytest.mark.parametrize(
    ("text", "narrow", "wide"),
    [
        ("inv(X^T X)", "m", "n"), ("inv(X X^T)", "n", "m"), ("logdet(X^T A X)", "m", "n"), ("det(X^T X)", "m", "n"),
        ("(X^T X)^-2", "m", "n"), ("adj(X X^T)", "n", "m"), ("logdet(s X^T (A X))", "m", "n"),
        ("inv(-(X^T X)^T)", "m", "n"),
        ("logdet(Z^T X^T X Z)", "k", "m"), ("inv((X^T X)^2)", "m", "n"), ("logdet(X^T X / s)", "m", "n"),
    ],
)  # fmt: skip
def test_a_product_that_is_inverted_has_full_rank(text: str, narrow: str, wide: str) -> None:
    requirements = needs(text)
    for sizes in (*requirements.choices(), *islice(requirements.rotations(), 6), *requirements.smallest()):
        assert sizes[narrow] <= sizes[wide] and requirements.met_by(sizes)


def test_contradictory_needs_make_sizes_equal() -> None:
    for sizes in needs("inv(X^T X)", "inv(X X^T)").choices():
        assert sizes["n"] == sizes["m"]


def test_indices_fit() -> None:
    assert all(s["n"] >= 7 and s["m"] >= 4 for s in needs("X[7,4]").choices())
    assert all(s["n"] >= 9 for s in needs("e(9,n)").choices())
    assert all(s["n"] + s["m"] >= 9 for s in needs("[A, X][1,9]").choices())


def test_skew_matrices_have_even_order_first() -> None:
    first, second, third = islice(needs("N").choices(), 3)
    assert first["n"] % 2 == 0 and second["n"] % 2 == 1 and third["n"] % 2 == 0 and third["n"] != first["n"]


def test_literals_are_avoided_and_many_names_share_sizes() -> None:
    where = "X: n x 3; Y: 4 x m"
    requirements = Requirements()
    requirements.include(e("X", where), e("Y", where))
    assert not set(next(requirements.choices()).values()) & {3, 4}
    many = Requirements()
    many.include(*(symbol("x", (dim(f"d{k}"), ONE)) for k in range(300)))
    for sizes in islice(many.choices(), 4):
        assert max(sizes.values()) <= 12
    assert not next(Requirements().choices())


def test_requirements_grow() -> None:
    requirements = needs("X")
    sizes = next(requirements.choices())
    assert requirements.met_by(sizes)
    requirements.include(e("inv(X X^T)"))
    assert not requirements.met_by(sizes)
    requirements.include(add(e("Z"), e("Z")))
    assert "k" in next(requirements.choices())
