"""Every operator: residues, floating point and high precision say the same of it.

`SAMPLES` has one row or more for each operator of the language; a test walks the table of operators and names what is
missing. The residues of rational values are turned back into fractions and compared with floating point: at small
integers, where the model's "positive" (a quadratic residue) and the real one are the same thing.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from mcalc.algebra.expr import Expr, postorder, symbols
from mcalc.algebra.functions import CODE_FUNCTIONS
from mcalc.algebra.operators import SHAPES, app
from mcalc.verify.field import FIELDS
from mcalc.verify.layout import LAYOUT
from mcalc.verify.numeric import NUMERIC, evaluate
from mcalc.verify.points import Points
from mcalc.verify.precise import PRECISE, evaluate_mp
from mcalc.verify.residues import RESIDUES
from mcalc.verify.sampling import floats
from tests.verify.reading import e

SIZES = {"n": 3, "m": 2, "k": 4}
RATIONAL = [
    "A + B", "x + s", "s + x + y", "-A", "A B", "s A x", "A / 2", "x / s", "A .* B .* C", "A ./ B", "s ./ B", "A^-1",
    "A^3", "A^0", "A^-2", "s^-3", "A.^2", "B.^-2", "s^2", "X^T", "kron(X, Z)", "x == y", "A >= B", "A > B", "A <= B",
    "A < B", "A > 1", "abs(A)", "sign(A)", "relu(A)", "max(A, B)", "min(A, B)", "max(A, 0)", "max(A)", "min(A)",
    "tr(A)", "det(A)", "adj(A)", "norm1(A)", "sum(A)", "sum(X, axis=0)", "sum(X, axis=1)", "mean(A)",
    "mean(X, axis=0)", "mean(X, axis=1)", "pinv(X)", "pinv(X^T)", "pinv(A)", "vec(X)", "tril(A)", "triu(A)", "diag(x)",
    "diag(A)", "[A, X; X^T, I(m)]", "A[1,2]", "A[:,3]", "A[2,:]", "A - A^T", "I(n) A", "ones(n,m)^T A",
    "zeros(n,n) + A", "e(2,n)^T A", "K(n,m) vec(X)", "K(m,n)", "dup(n)", "elim(n) vec(A)", "n A", "(n + m) s", "2.5 A", "S x", "D A", "L x",
    "U x", "x y^T / s",
]  # fmt: skip
SMOOTH = [
    "exp(A)", "log(p)", "log(r)", "log1p(p)", "sqrt(p)", "sqrt(r)", "sin(A)", "cos(A)", "tan(A)", "arcsin(A / 9)",
    "arccos(A / 9)", "arctan(A)", "sinh(A)", "cosh(A)", "tanh(A)", "erf(A)", "sigmoid(A)", "softplus(A)", "logdet(A)",
    "norm(x)", "norm(A)", "logsumexp(x)", "logsumexp(X, axis=0)", "logsumexp(X, axis=1)", "softmax(x)", "softmax(X)",
    "softmax(X, axis=0)", "softmax(X, axis=all)", "expm(A)", "expm(3 A)", "r^s", "p.^s", "p.^(1/3)", "r^(5/2)",
    "p.^(-1/2)", "pi A", "det(P)", "adj(x x^T)", "Q x", "P^-1 x", "N x",
]  # fmt: skip


def test_every_operator_has_a_meaning() -> None:
    leaves = {"sym", "num", "pi", "dim", "eye", "ones", "zeros", "unit", "K", "dup", "elim"}
    for op in leaves | SHAPES.keys():
        assert op in RESIDUES or op in LAYOUT, f"{op} has no residues"
        if op not in ("sym", "d"):
            assert op in NUMERIC or op in LAYOUT, f"{op} has no floating-point value"
            assert op in PRECISE or op in LAYOUT or op == "dim", f"{op} has no value at high precision"
    sampled = {node.op for text in RATIONAL + SMOOTH for node in postorder(e(text))}
    assert leaves | SHAPES.keys() <= sampled | {"d"}, "an operator has no sample"
    evaluated = RESIDUES.keys() | NUMERIC.keys() | PRECISE.keys() | LAYOUT.keys()
    # functions that generated code alone has are no operators of the language
    assert evaluated - leaves - SHAPES.keys() == CODE_FUNCTIONS.keys() <= NUMERIC.keys()


def fraction(residue: int, p: int) -> Fraction:
    """The fraction a/b with small a, b that has this residue (Wang 1981)."""
    low, high, t_low, t_high = residue, p, 1, 0
    while low * low * 2 > p:
        quotient = high // low
        low, high, t_low, t_high = high - quotient * low, low, t_high - quotient * t_low, t_low
    return Fraction(low, t_low)


def integers(root: Expr, seed: int) -> dict[Expr, np.ndarray]:
    """Small integer matrices for the free residues of every symbol."""
    rng = np.random.default_rng(seed)
    values = {}
    for symbol in symbols(root):
        shape = (4, symbol.shape[0].value(SIZES), symbol.shape[1].value(SIZES))
        values[symbol] = rng.choice([-3, -2, -1, 1, 2, 3], shape)
    return values


@pytest.mark.parametrize("text", RATIONAL)
def test_residues_are_those_of_the_rational_value(text: str) -> None:
    root = e(text)
    for seed in range(3):
        given = integers(root, seed)
        field = FIELDS[7]
        points = Points(4, SIZES, 0, frozenset(), {(s, 7): v % field.p for s, v in given.items()})
        residues = points.value(root, 7)
        values = {
            s: np.where(points.value(s, 7) > field.order, points.value(s, 7) - field.p, points.value(s, 7))
            for s in given
        }
        expected = evaluate(root, values, SIZES) if values else evaluate(root, {}, SIZES)[None]
        dead = points.dead.get((root, 7), np.zeros(4, dtype=bool))
        assert (~dead).any()
        for k in np.flatnonzero(~dead[: residues.shape[0]]):
            exact = np.array([[float(fraction(int(v), FIELDS[7].p)) for v in row] for row in residues[k]])
            np.testing.assert_allclose(expected[k if len(expected) > 1 else 0], exact, rtol=1e-9, atol=1e-9)


def test_where_a_rational_value_does_not_exist_the_point_is_dead() -> None:
    for text, given in [("A^-1", np.ones((1, 3, 3))), ("A ./ B", np.zeros((1, 3, 3))), ("1/s", np.zeros((1, 1, 1)))]:
        root = e(text)
        free = {(s, 0): given.astype(np.int64) for s in symbols(root)}
        points = Points(1, SIZES, 0, frozenset(), free)
        points.value(root, 0)
        assert points.dead[root, 0].all()


@pytest.mark.parametrize("text", RATIONAL + SMOOTH)
@pytest.mark.parametrize("seed", range(2))
def test_floating_point_agrees_with_high_precision(text: str, seed: int) -> None:
    root = e(text)
    values = {s: v[0] for s, v in floats(symbols(root), SIZES, 1, seed, strategies=(0,)).items()}
    got = evaluate(root, values, SIZES)
    expected = evaluate_mp(root, values, SIZES)
    assert got.shape == expected.shape == (root.shape[0].value(SIZES), root.shape[1].value(SIZES))
    scale = max(1e-3, float(max(abs(v) for v in expected.ravel())))
    error = max(abs(float(g - w)) for g, w in zip(got.ravel(), expected.ravel(), strict=True))
    assert error <= 2e-12 * scale


@pytest.mark.parametrize("text", RATIONAL + SMOOTH)
def test_a_stack_is_evaluated_point_by_point(text: str) -> None:
    root = e(text)
    values = floats(symbols(root), SIZES, 5, 0, strategies=(0,))
    if not values:
        return
    stack = evaluate(root, values, SIZES)
    for k in range(5):
        np.testing.assert_allclose(
            stack[k if len(stack) > 1 else 0],
            evaluate(root, {s: v[k] for s, v in values.items()}, SIZES),
            rtol=1e-12,
            atol=1e-13,
        )


@pytest.mark.parametrize(
    "text", ["sqrt(4 s.^2)", "norm(3 e(1,n) + 4 e(2,n))", "9^(1/2)", "sqrt(9)", "8^(2/3)", "4^(-3/2)"]
)
def test_roots_of_squares_are_the_positive_roots(text: str) -> None:
    root = e(text)
    points = Points(1, SIZES, 0, frozenset(), {(e("s"), 3): np.array([[[FIELDS[3].p - 3]]])})
    value = evaluate(root, {e("s"): [[-3.0]]}, SIZES)
    assert float(fraction(int(points.value(root, 3)[0, 0, 0]), FIELDS[3].p)) == pytest.approx(value.item())


def test_the_operand_of_an_unknown_operator_is_a_bug_not_a_value() -> None:
    from mcalc.algebra.expr import make
    from mcalc.errors import InternalError

    with pytest.raises(InternalError):
        Points(1, SIZES, 0, frozenset()).value(make("nonsense", (), (), app("tr", e("A")).shape), 0)
