"""Models whose matrices are factorised: shared Cholesky factors against NumPy, the interpreter and differences."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from tests.models.harness import close, draw, examine, subject, workspace_of

MODELS = {
    "quadratic form": "input y : n\nparam K : n x n spd\nloss = (y^T inv(K) y + logdet(K)) / 2",
    "the inverse alone": "input A : n x n\nparam K : n x n spd\nloss = logdet(K) + tr(A inv(K) A^T)",
    "several right sides": "input X : n x d\nparam mu : 1 x d\nparam S : d x d spd\nC = X - 1_n mu\n"
    "loss = logdet(S) / 2 + tr(C inv(S) C^T) / (2 n)",
    "distances": "input X : n x d\nparam S : d x d spd\nq = diag(X inv(S) X^T)\nloss = logdet(S) + sum(log(1_n + q))",
    "a multiple": "input y : n\nparam K : n x n spd\nparam s : scalar\nloss = y^T inv(exp(s) K) y + logdet(exp(s) K)",
    "a sum": "input y : n\nparam B : n x n\nloss = y^T inv(B B^T + I(n)) y + logdet(B B^T + I(n))",
    "two matrices": "input y : n\nparam K : n x n spd\nparam S : n x n spd\n"
    "loss = y^T inv(K) inv(S) y + logdet(K) - 3 logdet(S) + y^T inv(S) y",
    "a function of the log-determinant": "input y : n\nparam K : n x n spd\nloss = exp(logdet(K) / n) + y^T inv(K) y",
    "a product with the log-determinant": "input y : n\nparam K : n x n spd\nloss = logdet(K) (y^T inv(K) y) + logdet(K)^2",
    "a symmetric matrix": "input D : n x n symmetric\ninput y : n\nparam c : scalar\nparam a : scalar\n"
    "K = exp(a) * exp(-D) + exp(c) I(n)\nloss = y^T inv(K) y + logdet(K)",
    "in a loop": "input x[1..T] : d\nparam S[1..T] : d x d spd\nparam m : d\n"
    "loss = sum(t in 1..T, (x[t] - m)^T inv(S[t]) (x[t] - m) + logdet(S[t]))",
    "a recurrence": "input x[1..T] : d\nparam Q : d x d spd\nparam P0 : d x d spd\nparam m : d\nP[0] = P0\n"
    "for t in 1..T:\n    P[t] = P[t-1] + Q\n"
    "loss = sum(t in 1..T, (x[t] - m)^T inv(P[t]) (x[t] - m) + logdet(P[t]))",
    "a symmetric matrix in a loop": "input D[1..T] : d x d symmetric\ninput y : d\nparam c : scalar\n"
    "for t in 1..T:\n    K[t] = exp(-D[t]) + exp(c) I(d)\nloss = sum(t in 1..T, y^T inv(K[t]) y + logdet(K[t]))",
    "a matrix that stays in a loop": "input x[1..T] : d\nparam S : d x d spd\nparam A : d x d\ninput m0 : d\nm[0] = m0\n"
    "for t in 1..T:\n    m[t] = A m[t-1] + x[t]\n"
    "loss = logdet(S) + sum(t in 1..T, (x[t] - m[t])^T inv(S) (x[t] - m[t]))",
}  # fmt: skip
TEXTS = {title: f"model found\n\n{text}\n" for title, text in MODELS.items()}
GP = TEXTS["quadratic form"]
CALLS = re.compile(r"= .*?(np\.linalg\.\w+|inverse_of_lower|gram_of_lower|cholesky_or_none|inverse_from)\(")


def spd(n: int, seed: int = 0, dtype: Any = np.float64) -> Any:
    A = np.random.default_rng(seed).standard_normal((n, n))
    return (A @ A.T / max(n, 1) + np.eye(n)).astype(dtype)


def calls(text: str) -> list[str]:
    """The factorisations in the first passes forward and backward of a model."""
    body = text[text.index("def _forward(") :]
    body = body[: body.index("\ndef ", body.index("def _backward("))]
    return sorted(CALLS.findall(body))


@pytest.mark.parametrize("title", MODELS)
def test_values_and_gradients(title: str) -> None:
    for sizes in ({}, {"n": 1, "d": 1, "T": 1}, {"n": 67, "d": 5, "T": 2}):
        examine(TEXTS[title], sizes)


@pytest.mark.parametrize(
    ("title", "wanted"),
    [
        ("quadratic form", ["gram_of_lower", "inverse_of_lower", "np.linalg.cholesky"]),
        ("the inverse alone", ["gram_of_lower", "inverse_of_lower", "np.linalg.cholesky"]),
        ("several right sides", ["gram_of_lower", "inverse_of_lower", "np.linalg.cholesky"]),
        ("distances", ["gram_of_lower", "inverse_of_lower", "np.linalg.cholesky"]),
        ("a sum", ["gram_of_lower", "inverse_of_lower", "np.linalg.cholesky"]),
        ("two matrices", ["gram_of_lower"] * 2 + ["inverse_of_lower"] * 2 + ["np.linalg.cholesky"] * 2),
        ("a symmetric matrix", ["cholesky_or_none", "inverse_from"]),
    ],
)
def test_one_factorisation_of_each_matrix(title: str, wanted: list[str]) -> None:
    assert calls(subject(TEXTS[title]).made.text) == wanted


def test_comments_say_what_is_solved() -> None:
    text = subject(GP).made.text
    assert "= K^-1 y : n" in text
    assert "K_inv = L_inv^T L_inv = K^-1 : n x n" in text
    assert "import scipy" not in text
    assert "from scipy" not in text


@pytest.mark.parametrize("n", [0, 1, 2, 49, 50, 64, 65, 129, 400])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_against_dense_formulas(n: int, dtype: Any) -> None:
    module = subject(GP).module
    K, y = spd(n, n, dtype), np.random.default_rng(n).standard_normal(n).astype(dtype)
    for order in ("C", "F"):
        given = np.array(K, order=order)
        given.flags.writeable = False
        for workspace in (None, module.workspace(n=n, dtype=dtype)):
            loss, (K_bar,) = module.value_and_grad(y, given, workspace=workspace)
            wide = K.astype(np.float64)
            inverse = np.linalg.inv(wide)
            a = inverse @ y
            tolerance = 1e-11 if dtype is np.float64 else 2e-5
            assert K_bar.dtype == dtype
            close(loss, (y @ a + np.linalg.slogdet(wide)[1]) / 2, tolerance)
            close(K_bar, (inverse - np.outer(a, a)) / 2, tolerance)
            assert not np.shares_memory(K_bar, given)
        assert np.array_equal(given, K)


def test_inverses_of_ill_conditioned_matrices() -> None:
    module = subject(GP).module
    n = 200
    Q = np.linalg.qr(np.random.default_rng(0).standard_normal((n, n)))[0]
    scales = np.logspace(0, -8, n)
    K = (Q * scales) @ Q.T
    K = (K + K.T) / 2
    exact = (Q / scales) @ Q.T
    _, (K_bar,) = module.value_and_grad(np.zeros(n), K)
    assert np.linalg.norm(2 * K_bar - exact) <= 10 * np.linalg.norm(np.linalg.inv(K) - exact) + 1e-6


@pytest.mark.parametrize("n", [60, 200, 300])
@pytest.mark.parametrize("noise", [1e-2, 1e-6, 1e-10])
def test_inverses_of_smooth_kernels_solve_as_those_of_lapack(n: int, noise: float) -> None:
    """The rows of such a matrix are nearly dependent: blocks of its factor have large inverses that cancel."""
    module = subject(GP).module
    x = np.linspace(0, 1, n)
    K = np.exp(-((x[:, None] - x) ** 2) / 0.02) + noise * np.eye(n)
    _, (K_bar,) = module.value_and_grad(np.zeros(n), K)
    missed, lapack = (np.linalg.norm(K @ inverse - np.eye(n)) for inverse in (2 * K_bar, np.linalg.inv(K)))
    assert missed <= 20 * lapack
    assert np.array_equal(K_bar, K_bar.T)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_triangular_inverses_of_all_sizes(dtype: Any) -> None:
    module, rng = subject(GP).module, np.random.default_rng(0)
    for n in (*range(40, 100), 127, 128, 129, 255, 257):
        L = (np.tril(rng.standard_normal((n, n)), -1) / n + np.diag(rng.uniform(1, 2, n))).astype(dtype)
        given = L.copy()
        inverse = module.inverse_of_lower(L)
        assert np.array_equal(L, given)
        assert inverse.dtype == dtype
        assert not np.triu(inverse, 1).any()
        close(inverse @ L, np.eye(n), 1e-13 if dtype is np.float64 else 1e-5)
        elsewhere = np.full_like(L, np.nan)
        assert module.inverse_of_lower(L, out=elsewhere) is elsewhere
        assert module.inverse_of_lower(L, out=L) is L
        assert np.array_equal(elsewhere, inverse)
        assert np.array_equal(L, inverse)


def test_what_is_not_positive_definite_is_an_error() -> None:
    module = subject(GP).module
    for K in (-np.eye(3), np.diag([1.0, 0, 1]), np.ones((80, 80))):
        with pytest.raises(np.linalg.LinAlgError, match="positive definite"):
            module.value_and_grad(np.ones(len(K)), K)


def test_what_is_not_a_number_stays_one_or_is_an_error() -> None:
    module = subject(GP).module
    for n in (3, 70):
        K, y = spd(n), np.full(n, np.nan)
        loss, (K_bar,) = module.value_and_grad(y, K)
        assert np.isnan(loss)
        assert np.isnan(K_bar).all()
        K[-1, -1] = np.nan
        with np.errstate(all="ignore"):
            try:
                loss, _ = module.value_and_grad(np.ones(n), K)
                assert np.isnan(loss)
            except np.linalg.LinAlgError:
                pass


def test_a_large_covariance_has_a_finite_determinant() -> None:
    module = subject(TEXTS["several right sides"]).module
    d = 1000
    S = 1e-3 * np.eye(d)
    loss, (mu_bar, S_bar) = module.value_and_grad(np.ones((2, d)), np.ones((1, d)), S)
    assert loss == pytest.approx(d * np.log(1e-3) / 2)
    assert np.isfinite(S_bar).all()
    assert not mu_bar.any()


@pytest.mark.parametrize("n", [3, 80])
def test_symmetric_matrices_need_not_be_definite(n: int) -> None:
    """log|det K|, whatever its sign; the workspace holds what it gives back."""
    found = subject(TEXTS["a symmetric matrix"])
    rng = np.random.default_rng(n)
    B = rng.standard_normal((n, n))
    values: dict[str, Any] = {"D": B + B.T, "y": rng.standard_normal(n), "c": -1.0, "a": 0.3}
    K = np.exp(0.3) * np.exp(-values["D"]) + np.exp(-1.0) * np.eye(n)
    assert np.linalg.eigvalsh(K)[0] < 0
    loss, gradients = found.module.value_and_grad(**values)
    close(loss, values["y"] @ np.linalg.solve(K, values["y"]) + np.linalg.slogdet(K)[1], 1e-9)
    again, same = found.module.value_and_grad(**values, workspace=workspace_of(found, values))
    close(again, loss)
    a = np.linalg.solve(K, values["y"])
    K_bar = np.linalg.inv(K) - np.outer(a, a)
    for got in (gradients, same):
        close(got.c, np.exp(-1.0) * np.trace(K_bar), 1e-8)
        close(got.a, np.sum(K_bar * np.exp(0.3 - values["D"])), 1e-8)


def test_symmetric_matrices_in_loops_need_not_be_definite() -> None:
    found = subject(TEXTS["a symmetric matrix in a loop"])
    values = draw(found, 3, {"d": 4, "T": 3})
    K = [np.exp(-D) + np.exp(values["c"]) * np.eye(4) for D in values["D"]]
    assert any(np.linalg.eigvalsh(k)[0] < 0 for k in K)
    y = values["y"]
    wanted = sum(y @ np.linalg.solve(k, y) + np.linalg.slogdet(k)[1] for k in K)
    for workspace in (None, workspace_of(found, values)):
        loss, (c_bar,) = found.module.value_and_grad(**values, workspace=workspace)
        close(loss, wanted, 1e-9)
        slopes = [np.linalg.inv(k) - np.outer(np.linalg.solve(k, y), np.linalg.solve(k, y)) for k in K]
        close(c_bar, np.exp(values["c"]) * sum(map(np.trace, slopes)), 1e-8)
