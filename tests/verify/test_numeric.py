"""Floating-point values: stable forms, kinks, domains, stacks, messages."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mcalc.algebra.operators import app
from mcalc.errors import ShapeError, UsageError
from mcalc.verify.numeric import Evaluation, evaluate, infer_sizes
from mcalc.verify.precise import evaluate_mp
from tests.verify.reading import e


def at(text: str, **values: object) -> np.ndarray:
    return evaluate(e(text), {e(name): np.asarray(value, dtype=float) for name, value in values.items()})


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        ("softmax(x)", [1000.0, 1000.0], [0.5, 0.5]),
        ("softmax(x)", [-1000.0, 1000.0], [0.0, 1.0]),
        ("logsumexp(x)", [1000.0, 1000.0], [1000 + math.log(2)]),
        ("logsumexp(x)", [-1000.0, -1000.0], [-1000 + math.log(2)]),
        ("softplus(x)", [1000.0, -40.0], [1000.0, 4.248354255291589e-18]),
        ("sigmoid(x)", [1000.0, -1000.0, -40.0], [1.0, 0.0, 4.248354255291589e-18]),
        ("norm(x)", [3e200, 4e200], [5e200]),
        ("norm(x)", [3e-200, 4e-200], [5e-200]),
        ("norm(x)", [0.0, 0.0], [0.0]),
        ("log1p(x)", [1e-20, 0.0], [1e-20, 0.0]),
    ],
)
def test_stable_forms(text: str, values: list[float], expected: list[float]) -> None:
    with np.errstate(all="raise", under="ignore"):
        np.testing.assert_allclose(at(text, x=values).ravel(), expected, rtol=1e-14)


def test_a_log_determinant_that_would_overflow() -> None:
    p = 1e3 * np.eye(400)
    assert at("logdet(P)", P=p).item() == pytest.approx(400 * math.log(1e3))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sign(x)", [-1, 0, 1]), ("relu(x)", [0, 0, 2]), ("abs(x)", [2, 0, 2]), ("x >= 0", [0, 1, 1]),
        ("x > 0", [0, 0, 1]), ("x == 0", [0, 1, 0]), ("x <= 0", [1, 1, 0]), ("max(x, 0)", [0, 0, 2]),
        ("min(x, 0)", [-2, 0, 0]),
    ],
)  # fmt: skip
def test_kinks(text: str, expected: list[float]) -> None:
    assert at(text, x=[-2, 0, 2]).ravel().tolist() == expected


@pytest.mark.parametrize(
    "text", ["log(s)", "sqrt(s)", "s^(1/2)", "s^(1/3)", "arcsin(2 s)", "arccos(2 s)", "log1p(s)", "s^t"]
)
def test_outside_the_domain_the_value_is_nan(text: str) -> None:
    assert np.isnan(at(text, s=-2.0, t=0.5)).all()
    assert str(evaluate_mp(e(text), {e("s"): -2.0, e("t"): 0.5})[0, 0]) == "nan"


@pytest.mark.parametrize(
    "text", ["relu(s)", "abs(s)", "sign(s)", "s > 1", "max(s, 1)", "max(1, s)", "s + 1", "sigmoid(s)", "s == s"]
)
def test_nan_stays_nan(text: str) -> None:
    assert np.isnan(at(text, s=math.nan)).all()


@pytest.mark.parametrize(
    "text", ["det(A)", "logdet(A)", "adj(A)", "pinv(A)", "expm(A)", "inv(A)", "norm(A)", "softmax(A)"]
)
def test_one_bad_matrix_does_not_spoil_its_neighbours(text: str) -> None:
    good = np.arange(9.0).reshape(3, 3) + 4 * np.eye(3)
    bad = good.copy()
    bad[1, 1] = math.nan
    value = at(text, A=np.stack([good, bad, good]))
    assert np.isnan(value[1]).any() and np.isfinite(value[0]).all() and (value[0] == value[2]).all()


def test_a_singular_matrix_has_no_inverse_and_its_neighbours_have() -> None:
    value = at("inv(A)", A=np.stack([np.eye(3), np.zeros((3, 3)), 2 * np.eye(3)]))
    assert np.isnan(value[1]).all() and (value[0] == np.eye(3)).all() and (value[2] == np.eye(3) / 2).all()
    assert np.isnan(at("inv(A)", A=np.zeros((3, 3)))).all()


def test_adjugate_of_a_singular_matrix() -> None:
    a = np.outer([1.0, 2.0, 3.0], [1.0, -1.0, 2.0]) + np.outer([0.0, 1.0, 1.0], [2.0, 0.0, 1.0])
    np.testing.assert_allclose(at("adj(A)", A=a), evaluate_mp(e("adj(A)"), {e("A"): a}).astype(float), atol=1e-13)


@pytest.mark.parametrize("scale", [1e-8, 1.0, 30.0])
def test_expm(scale: float) -> None:
    a = scale * np.array([[0.1, 2.0, -1.0], [0.0, -0.5, 1.0], [1.0, 0.3, 0.2]])
    expected = evaluate_mp(e("expm(A)"), {e("A"): a}).astype(float)
    np.testing.assert_allclose(at("expm(A)", A=a), expected, rtol=1e-10, atol=1e-12 * np.abs(expected).max())


def test_shapes_of_values() -> None:
    assert at("x^T y", x=[1, 2, 3], y=[[4], [5], [6]]).item() == 32
    assert at("s x", s=2, x=[1, 2]).shape == (2, 1)
    stack = at("A x", A=np.ones((5, 3, 3)), x=np.ones((3, 1)))
    assert stack.shape == (5, 3, 1)
    results = evaluate([e("A"), e("tr(A)")], {e("A"): np.eye(4)})
    assert results[0].shape == (4, 4) and results[1].item() == 4
    assert infer_sizes({e("X"): np.ones((4, 2))}) == {"n": 4, "m": 2}


def test_sizes_that_no_symbol_shows_are_given() -> None:
    assert evaluate(e("sum(ones(n,m))"), {}, {"n": 3, "m": 5}).item() == 15
    assert evaluate(e("n x"), {e("x"): [1.0, 2.0]}).ravel().tolist() == [2, 4]


def test_errors() -> None:
    with pytest.raises(UsageError, match="no value is given for B"):
        at("A B", A=np.eye(2))
    with pytest.raises(UsageError, match="no value is given for B"):
        evaluate_mp(e("A B"), {e("A"): np.eye(2)})
    with pytest.raises(ShapeError):
        at("A B", A=np.eye(2), B=np.eye(3))


def test_long_sums_and_deep_networks() -> None:
    deep = e("x")
    for _ in range(5000):
        deep = app("tanh", deep)
    assert np.isfinite(evaluate(deep, {e("x"): [0.5, -0.5]})).all()


def test_a_node_is_evaluated_once() -> None:
    evaluation = Evaluation({e("A"): np.eye(3)[None]}, {"n": 3})
    first = evaluation.value(e("expm(A)"))
    assert evaluation.value(e("expm(A)")) is first and evaluation.value(e("tr(expm(A))")).shape == (1, 1, 1)
