"""Stable forms: finite and right where the formula as it is written overflows, cancels or divides by zero."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mcalc.backends.numpy import compile_value_and_grad, emit_function
from mcalc.frontend import parse

LARGE = [-1000.0, -40.0, -1e-9, 0.0, 1e-9, 40.0, 1000.0]


def build(f: str, gradient: str, wrt: str, where: str) -> Callable[..., Any]:
    parsed, g = _parsed(f, gradient, wrt, where)
    return compile_value_and_grad(parsed.expression, {parsed.wrt[0]: g}, arguments=_arguments(parsed))


def text(f: str, gradient: str, wrt: str, where: str) -> str:
    parsed, g = _parsed(f, gradient, wrt, where)
    return emit_function(parsed.expression, {parsed.wrt[0]: g}, arguments=_arguments(parsed))


def _parsed(f: str, gradient: str, wrt: str, where: str) -> tuple[Any, Any]:
    parsed = parse(f, where=where, wrt=wrt)
    return parsed, parse(gradient, where=where, shape=parsed.wrt[0].shape).expression


def _arguments(parsed: Any) -> list[Any]:
    return [s.expr for s in parsed.symbols.values()]


def quiet(function: Callable[..., Any], *args: Any) -> Any:
    with np.errstate(all="raise", under="ignore"):
        return function(*args)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    ("f", "gradient"),
    [
        ("sum(softplus(x))", "sigmoid(x)"),
        ("sum(log(1 + exp(x)))", "sigmoid(x)"),
        ("sum(log(exp(x) + 1))", "exp(x) ./ (1 + exp(x))"),
        ("sum(log1p(exp(x)))", "1 ./ (1 + exp(-x))"),
        ("-sum(log(sigmoid(-x)))", "exp(x) .* (1 + exp(x)).^-1"),
        ("-sum(log(1 - sigmoid(x)))", "sigmoid(x)"),
        ("-sum(log(1 ./ (1 + exp(x))))", "1 - sigmoid(-x)"),
    ],
)
def test_softplus_and_sigmoid(f: str, gradient: str, dtype: Any) -> None:
    function = build(f, gradient, "x", "x: n")
    x = np.array(LARGE, dtype=dtype)
    value, grad = quiet(function, x)
    exact = sum(max(float(t), 0.0) + math.log1p(math.exp(-abs(float(t)))) for t in x)
    logistic = [1 / (1 + math.exp(-t)) if t > 0 else math.exp(t) / (1 + math.exp(t)) for t in map(float, x)]
    tolerance = 1e-14 if dtype is np.float64 else 1e-5
    assert value == pytest.approx(exact, rel=tolerance)
    assert grad == pytest.approx(logistic, rel=tolerance, abs=0)
    assert grad.dtype == dtype


@pytest.mark.parametrize(
    ("f", "gradient", "exact"),
    [
        ("sum(sigmoid(x))", "sigmoid(x) .* (1 - sigmoid(x))", lambda s: s * (1 - s)),
        ("sum(1 ./ (1 + exp(-x)))", "exp(-x) ./ (1 + exp(-x)).^2", lambda s: s * (1 - s)),
        ("sum(exp(x) ./ (exp(x) + 1))", "exp(x) ./ (1 + exp(x)).^2", lambda s: s * (1 - s)),
    ],
)
def test_logistic_function(f: str, gradient: str, exact: Callable[[float], float]) -> None:
    value, grad = quiet(build(f, gradient, "x", "x: n"), np.array(LARGE))
    logistic = [1 / (1 + math.exp(-t)) if t > 0 else math.exp(t) / (1 + math.exp(t)) for t in LARGE]
    assert value == pytest.approx(sum(logistic))
    assert grad == pytest.approx([exact(s) for s in logistic], abs=1e-15)


@pytest.mark.parametrize(
    ("f", "gradient"),
    [
        ("logsumexp(x)", "softmax(x)"),
        ("log(sum(exp(x)))", "exp(x) / sum(exp(x))"),
        ("log(sum(exp(x)))", "softmax(x)"),
    ],
)
@pytest.mark.parametrize("shift", [-1000.0, 0.0, 1000.0])
def test_log_sum_exp_of_a_vector(f: str, gradient: str, shift: float) -> None:
    x = np.array([0.0, 1.0, -2.0]) + shift
    value, grad = quiet(build(f, gradient, "x", "x: n"), x)
    weights = np.exp(x - shift)
    assert value == pytest.approx(shift + math.log(weights.sum()))
    assert grad == pytest.approx(weights / weights.sum())


def test_log_sum_exp_of_rows() -> None:
    where = "Z: n x k; Y: n x k"
    function = build(
        "sum(log(sum(exp(Z), axis=1))) - sum(Y .* Z)", "exp(Z) ./ (sum(exp(Z), axis=1) ones(1,k)) - Y", "Z", where
    )
    Z = np.array([[1000.0, 0.0, -1000.0], [3.0, 3.0, 3.0]])
    Y = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    value, grad = quiet(function, Z, Y)
    assert value == pytest.approx(1000.0 + math.log(3.0))
    assert grad == pytest.approx(np.array([[1.0, -1.0, 0.0], [-2 / 3, 1 / 3, 1 / 3]]))


def test_log_softmax() -> None:
    function = build("-sum(Y .* log(softmax(Z)))", "softmax(Z) - Y", "Z", "Z: n x k; Y: n x k")
    value, grad = quiet(function, np.array([[0.0, 1.0, 0.0]]), np.array([[1000.0, 0.0, -1000.0]]))
    assert value == pytest.approx(1000.0)
    assert grad == pytest.approx(np.array([[1.0, -1.0, 0.0]]))


def test_logistic_cross_entropy() -> None:
    f = "-y^T log(sigmoid(X w)) - (1 - y)^T log(1 - sigmoid(X w))"
    function = build(f, "X^T (sigmoid(X w) - y)", "w", "X: n x d; w: d; y: n")
    value, grad = quiet(function, np.array([0.0, 1.0]), np.array([[1000.0], [-1000.0]]), np.array([1.0]))
    assert value == pytest.approx(2000.0)
    assert grad == pytest.approx([2000.0])


def test_logdet_of_a_large_covariance() -> None:
    rng = np.random.default_rng(0)
    A = rng.normal(size=(1000, 1100))
    S = A @ A.T
    truth = np.linalg.slogdet(S)[1]
    for where in ("S: n x n spd", "S: n x n"):
        function = build("log(det(S))" if where.endswith("n") else "logdet(S)", "S^-1", "S", where)
        value, grad = function(S)
        assert value == pytest.approx(truth, rel=1e-12)
        assert np.isfinite(grad).all()


def test_quotients_of_norms_at_zero() -> None:
    value, grad = quiet(build("norm(x - a)", "(x - a) / norm(x - a)", "x", "x, a: n"), np.ones(3), np.ones(3))
    assert value == 0
    assert grad.tolist() == [0.0, 0.0, 0.0]
    value, grad = quiet(build("norm(A X - B)", "A^T (A X - B) / norm(A X - B)", "X", "A: p x n; X: n x m; B: p x m"),
                        np.zeros((2, 3)), np.ones((3, 2)), np.zeros((2, 2)))  # fmt: skip
    assert value == 0
    assert not grad.any()


def test_a_norm_that_is_not_a_number_is_not_hidden() -> None:
    _, grad = build("norm(x)", "x / norm(x)", "x", "x: n")(np.array([np.nan, 1.0]))
    assert np.isnan(grad).all()


def test_kinks() -> None:
    x = np.array([-1.0, 0.0, 2.0])
    assert quiet(build("sum(relu(x))", "x > 0", "x", "x: n"), x)[1].tolist() == [0.0, 0.0, 1.0]
    assert quiet(build("norm1(x)", "sign(x)", "x", "x: n"), x)[1].tolist() == [-1.0, 0.0, 1.0]
    assert quiet(build("sum(max(x, y))", "x >= y", "x", "x, y: n"), x, x)[1].tolist() == [1.0, 1.0, 1.0]


def test_of_several_largest_entries_the_first_in_column_order_counts() -> None:
    X = np.array([[1.0, 7.0, 7.0], [7.0, 0.0, 7.0]])
    _, grad = quiet(build("max(X)", "X == max(X)", "X", "X: n x m"), X)
    assert grad.tolist() == [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]
    _, grad = quiet(build("min(X)", "X == min(X)", "X", "X: n x m"), -X)
    assert grad.tolist() == [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]
    _, grad = quiet(build("max(x)", "x == max(x)", "x", "x: n"), np.array([1.0, 3.0, 3.0]))
    assert grad.tolist() == [0.0, 1.0, 0.0]


@pytest.mark.parametrize(
    ("f", "gradient", "wrt", "where", "absent"),
    [
        ("a^T X^-1 b", "-X^-T a b^T X^-T", "X", "a, b: n; X: n x n", ["linalg.inv"]),
        ("tr(A X^-1 B)", "-(X^-1 B A X^-1)^T", "X", "A: p x n; X: n x n; B: n x p", ["linalg.inv"]),
        ("logdet(S) + x^T S^-1 x", "2 S^-1 x", "x", "S: n x n spd; x: n", ["linalg.inv", "slogdet", "linalg.det"]),
        ("logdet(X)", "X^-T", "X", "X: n x n", ["linalg.det", "np.log("]),
        ("x^T diag(a) x", "2 a .* x", "x", "x, a: n", ["np.diag"]),
        ("tr(A B)", "B^T", "A", "A: n x m; B: m x n", ["np.trace", "@"]),
        ("norm(X w + 1_n b - y)^2", "2 X^T (X w + 1_n b - y)", "w", "X: n x d; w: d; b: scalar; y: n", ["np.ones"]),
        ("tr((y - X W - 1_n b)^T (y - X W - 1_n b))", "-2 X^T (y - X W - 1_n b)", "W",
         "X: n x d; W: d x k; b: 1 x k; y: n x k", ["np.ones", "np.trace", "np.tile"]),
        ("x^T A A^T A A^T x", "2 A A^T A A^T x", "x", "x: n; A: n x m", ["A @ A.T"]),
    ],
)  # fmt: skip
def test_what_careful_code_does_not_do(f: str, gradient: str, wrt: str, where: str, absent: list[str]) -> None:
    code = text(f, gradient, wrt, where)
    for line in code.splitlines():
        statement = line.split("#")[0]
        for word in absent:
            assert word not in statement or '"""' in line, line


def test_value_and_gradient_share_a_residual_up_to_sign() -> None:
    code = text("(y - X w)^T (y - X w)", "2 X^T (X w - y)", "w", "X: n x d; w: d; y: n")
    assert code.count("X @ w") == 1
    assert "grad_w = -2 * (X.T @ r)" in code
