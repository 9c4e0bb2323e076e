"""Random values have the declared properties, as residues and in floating point."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from mcalc.algebra.expr import Expr
from mcalc.algebra.operators import d, symbol
from mcalc.algebra.shape import ONE, dim
from mcalc.errors import VerificationError
from mcalc.verify.field import FIELDS
from mcalc.verify.layout import transpose
from mcalc.verify.sampling import floats, is_symbol_differential, residue_differential, residues, size_of

n = dim("n")
WORDS = ("symmetric", "skew", "spd", "psd", "diagonal", "lower", "upper", "orthogonal", "invertible", "positive")
SETS = [frozenset(c) for k in (0, 1, 2) for c in itertools.combinations(WORDS, k)] + [
    frozenset({"lower", "invertible", "positive"})
]
IMPOSSIBLE = (frozenset({"orthogonal", "positive"}), frozenset({"skew", "positive"}))


def matrix(properties: frozenset[str]) -> Expr:
    return symbol("X", (n, n), properties)


def holds(word: str, a: np.ndarray, p: int = 0, masked: bool = False, singular: bool = False) -> bool:
    """Whether every matrix of the stack has the property; modulo p if p is given."""
    size = a.shape[-1]
    zero = (lambda x: (x % p == 0).all()) if p else (lambda x: np.abs(x).max() < 1e-9)
    match word:
        case "symmetric":
            return bool(zero(a - transpose(a)))
        case "skew":
            return bool(zero(a + transpose(a)))
        case "diagonal":
            return bool(zero(a * (1 - np.eye(size, dtype=a.dtype))))
        case "lower":
            return bool(zero(np.triu(a, 1)))
        case "upper":
            return bool(zero(np.tril(a, -1)))
        case "orthogonal":
            product = FIELDS[0].matmul(a, transpose(a)) if p else a @ transpose(a)
            return bool(zero(product - np.eye(size, dtype=a.dtype)))
        case "spd" | "psd" if p:
            minors = [FIELDS[0].adjugate(a[:, :k, :k])[1] for k in range(1, size + 1)]
            return all(FIELDS[0].root(m)[1].all() for m in (minors if not masked else minors[-1:]))
        case "spd" | "psd":
            return bool((np.linalg.eigvalsh(a) > 0).all())
        case "invertible":
            return singular or bool(
                (FIELDS[0].adjugate(a)[1] != 0).all() if p else (np.abs(np.linalg.det(a)) > 1e-9).all()
            )
        case "positive":
            entries = a[a != 0]
            return bool(FIELDS[0].root(entries)[1].all() if p else (entries > 0).all())
    raise AssertionError(word)


@pytest.mark.parametrize("properties", SETS, ids=lambda s: "+".join(sorted(s)) or "free")
@pytest.mark.parametrize("order", [4, 6])
def test_values_have_the_properties(properties: frozenset[str], order: int) -> None:
    x, sizes, field = matrix(properties), {"n": order}, FIELDS[0]
    raw = field.draw(1, (20, order, order))
    if properties in IMPOSSIBLE:
        with pytest.raises(VerificationError):
            residues(x, sizes, field, raw)
        return
    exact = residues(x, sizes, field, raw)
    real = floats([x], sizes, 40, 0)[x]
    assert ((exact >= 0) & (exact < field.p)).all()
    zero = "skew" in properties and properties & {"symmetric", "spd", "psd", "diagonal", "lower", "upper"}
    if zero:
        assert not exact.any() and not real.any()
        return
    schur = {"spd", "positive"} <= properties or {"psd", "positive"} <= properties
    for word in properties:
        if schur and word in ("spd", "psd"):
            assert holds(word, real)
            continue
        assert holds(word, exact, field.p), word
        assert holds(word, real), word


def test_orthogonal_matrices_have_both_signs() -> None:
    for properties in ({"orthogonal"}, {"orthogonal", "symmetric"}, {"orthogonal", "diagonal"}):
        x = matrix(frozenset(properties))
        exact = residues(x, {"n": 3}, FIELDS[0], FIELDS[0].draw(1, (64, 3, 3)))
        signs = set(FIELDS[0].adjugate(exact)[1].ravel().tolist())
        assert signs == {1, FIELDS[0].p - 1}
        assert set(np.sign(np.linalg.det(floats([x], {"n": 3}, 64, 0)[x]))) == {1.0, -1.0}


def test_a_skew_orthogonal_matrix_has_even_order() -> None:
    with pytest.raises(VerificationError):
        residues(matrix(frozenset({"skew", "orthogonal"})), {"n": 3}, FIELDS[0], FIELDS[0].draw(1, (2, 3, 3)))


@pytest.mark.parametrize("properties", [{w} for w in WORDS], ids=lambda s: next(iter(s)))
def test_differentials_lie_in_the_subspace(properties: set[str]) -> None:
    x = matrix(frozenset(properties))
    kept = {"symmetric", "skew", "diagonal", "lower", "upper"}
    expected = {"spd": "symmetric", "psd": "symmetric", **{w: w for w in kept}}.get(next(iter(properties)))
    exact = residue_differential(x, FIELDS[0], FIELDS[0].draw(2, (5, 4, 4)))
    real = floats([d(x)], {"n": 4}, 5, 0)[d(x)]
    assert is_symbol_differential(d(x))
    if expected is None:
        assert (exact != 0).all() and (real != 0).all()
    else:
        assert holds(expected, exact, FIELDS[0].p) and holds(expected, real)


def test_scalars_and_vectors() -> None:
    positive = symbol("s", properties=frozenset({"positive"}))
    assert (floats([positive], {}, 30, 0)[positive] > 0).all()
    vector = symbol("x", (n, ONE))
    values = floats([vector], {"n": 3}, 200, 0)[vector]
    assert values.shape == (200, 3, 1) and size_of(vector, {"n": 3}) == (3, 1)
    assert (values > 0).all(axis=(1, 2)).any() and (values < 0).all(axis=(1, 2)).any()
    assert (np.abs(values).max(axis=(1, 2)) < 0.2).any() and (np.abs(values).min(axis=(1, 2)) > 2).any()


def test_draws_are_reproducible_and_differ_between_symbols() -> None:
    x, y = symbol("x", (n, ONE)), symbol("y", (n, ONE))
    first, again = (floats([x, y], {"n": 3}, 4, 7) for _ in range(2))
    assert all((first[s] == again[s]).all() for s in (x, y)) and (first[x] != first[y]).all()
    assert (floats([x], {"n": 3}, 4, 8)[x] != first[x]).all()
