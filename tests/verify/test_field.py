"""Arithmetic modulo the chain of primes against Python integers."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import sympy

from mcalc.verify.field import FIELDS, Field, key_of, words

LEVELS = pytest.mark.parametrize("field", FIELDS, ids=lambda f: f"level{f.level}")


def test_chain() -> None:
    assert FIELDS[0].p == 19099919 and FIELDS[-1].p == 2444789759
    for low, high in pairwise(FIELDS):
        assert high.p == 2 * low.p + 1 and high.order == low.p
    for field in FIELDS:
        assert sympy.isprime(field.p) and field.p % 8 == 7
        assert all(pow(q, field.order, field.p) == 1 for q in (2, 3, 5, 7))
        assert field.terms * (field.p - 1) ** 2 < 2**63 <= (field.terms + 1) * (field.p - 1) ** 2


@LEVELS
def test_generator_generates_the_residues(field: Field) -> None:
    divisors = sympy.factorint(field.order)
    assert pow(field.generator, field.order, field.p) == 1
    assert all(pow(field.generator, field.order // q, field.p) != 1 for q in divisors)


@LEVELS
@pytest.mark.parametrize("inner", [1, 2, 3, 7, 40])
def test_products_do_not_overflow(field: Field, inner: int) -> None:
    largest = np.full((2, 3, inner), field.p - 1)
    a, b = np.concatenate([largest, field.draw(1, (1, 3, inner))]), field.draw(2, (3, inner, 4))
    expected = np.matmul(a.astype(object), b.astype(object)) % field.p
    assert (field.matmul(a, b) == expected).all()


@LEVELS
@pytest.mark.parametrize("count", [1, 7, 600])
def test_entrywise(field: Field, count: int) -> None:
    x = field.draw(3, (count, 1, 1))
    flat = [int(v) for v in x.ravel()]
    assert field.power(x, 12345678901).ravel().tolist() == [pow(v, 12345678901, field.p) for v in flat]
    assert (field.power(x, 0) == 1).all()
    assert (field.inverse(x) * x % field.p == 1).all()
    assert (field.inverse(x * 0) == 0).all()
    k = x[::-1] % field.order
    assert field.powers(x, k).ravel().tolist() == [
        pow(v, int(j), field.p) for v, j in zip(flat, k.ravel(), strict=True)
    ]
    root, positive = field.root(x)
    assert (positive == [[[pow(v, field.order, field.p) == 1]] for v in flat]).all()
    assert (root * root % field.p == np.where(positive, x, field.p - x)).all()
    assert field.root(root)[1].all()
    cube_root, _ = field.rational_power(x, 1, 3)
    assert (field.power(cube_root, 3) == np.where(positive, x, field.p - x)).all()


@pytest.mark.parametrize("level", range(1, 8))
def test_logarithm_inverts_the_exponential(level: int) -> None:
    low, high = FIELDS[level - 1], FIELDS[level]
    x = np.concatenate([low.draw(4, (30, 1, 1)), [[[0]], [[1]], [[low.p - 1]]]])
    value = high.exp(x)
    assert value.ravel().tolist() == [pow(high.generator, int(v), high.p) for v in x.ravel()]
    logarithm, positive, zero = high.log(value)
    assert (logarithm == x).all() and positive.all() and not zero.any()
    opposite, positive, _ = high.log(high.p - value)
    assert (opposite == x).all() and not positive.any()
    assert high.log(value * 0)[2].all()


@LEVELS
@pytest.mark.parametrize("n", [1, 2, 3, 6])
def test_adjugate(field: Field, n: int) -> None:
    a = field.draw(5, (3, n, n))
    if n > 1:
        a[2, 0] = a[2, 1]
    adjugate, determinant = field.adjugate(a)
    for k in range(3):
        assert int(determinant[k, 0, 0]) == int(sympy.Matrix(a[k].tolist()).det(method="berkowitz")) % field.p
    eye = determinant * np.eye(n, dtype=np.int64) % field.p
    assert (field.matmul(a, adjugate) == eye).all() and (field.matmul(adjugate, a) == eye).all()


@LEVELS
@pytest.mark.parametrize(("rows", "columns", "rank"), [(4, 3, 3), (3, 5, 3), (4, 4, 2), (3, 4, 1), (3, 3, 0)])
def test_pseudo_inverse(field: Field, rows: int, columns: int, rank: int) -> None:
    a = (
        field.matmul(field.draw(6, (3, rows, rank)), field.draw(7, (3, rank, columns)))
        if rank
        else np.zeros((3, 3, 3), int)
    )
    g = field.pseudo_inverse(a)
    ag, ga = field.matmul(a, g), field.matmul(g, a)
    assert (field.matmul(ag, a) == a).all() and (field.matmul(ga, g) == g).all()
    assert (ag == ag.swapaxes(1, 2)).all() and (ga == ga.swapaxes(1, 2)).all()


@LEVELS
def test_matrix_power(field: Field) -> None:
    a = field.draw(8, (2, 3, 3))
    expected = np.eye(3, dtype=np.int64)
    for k in range(9):
        assert (field.matrix_power(a, k) == expected).all()
        expected = field.matmul(a, np.broadcast_to(expected, a.shape))


def test_draws_are_the_same_in_every_process() -> None:
    assert key_of("x", 1) == 4638884480381533203
    assert words(1, (2,)).tolist() == [10451216379200822465, 13757245211066428519]
    assert FIELDS[0].draw(1, (100_000, 1, 1)).mean() == pytest.approx(FIELDS[0].p / 2, rel=0.01)
