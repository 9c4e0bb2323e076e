"""What is seen to be nonnegative, and the products A^T diag(u) A that are computed by a root because of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mcalc.frontend import parse
from mcalc.program.builder import Builder
from mcalc.program.lower import Lowering
from mcalc.program.signs import COMPUTED, EXACTLY, UNKNOWN, nonnegative
from mcalc.program.stable import stable
from tests.models.harness import subject

WHERE = "x, y: n; p: n positive; t: scalar; s: scalar positive; C: n x d; S: d x d spd; M: d x d; A: n x k; N: d x d psd; V: n x n spd"

SURE = [
    "exp(x)", "abs(x) + 2 exp(y)", "x.^2", "x.^2 .* exp(y) ./ p", "sqrt(p)", "sigmoid(x) + softplus(y)", "p.^3",
    "s p", "x.^4 / n", "log(1_n + exp(x))", "(x > 0)", "diag(A A^T)", "relu(x) + 1_n", "max(x, 1)", "n 1_n",
    "t^2 p", "p / s",
]  # fmt: skip
EXACT = [
    "diag(C S C^T)", "diag(C inv(S) C^T)", "1_n + diag(C S^-1 C^T) / 4", "1_n ./ (1_n + diag(C S^-1 C^T))",
    "diag(C N C^T) .* exp(x)", "log(1_n + diag(C inv(S) C^T))",
    "(x^T V x) p", "(x^T inv(V) x) p",
]  # fmt: skip
UNSEEN = [
    "x", "-p", "p - 1_n", "x.^3", "t p", "p / t", "exp(x) - exp(y)", "diag(C M C^T)", "diag(C S A^T)", "min(x, 1)",
    "log(p)", "sin(x)", "diag(C S C^T) - 1_n", "x .* p", "diag(S M M^T)", "diag(inv(S) M M^T)",
    "diag(M inv(S) M)", "diag(M S M)", "diag(M^T S M^T)", "diag(M^T inv(S) M^T)", "x^T V y p", "x^T inv(V) y p",
]  # fmt: skip


def sign_of(text: str) -> int:
    where = WHERE.replace("A: n x k", "A: n x d")
    e = stable(parse(text, where=where).expression, {})
    b = Builder()
    return nonnegative(b.facts, Lowering(b, (e,)).array(e))


@pytest.mark.parametrize("text", SURE)
def test_sure(text: str) -> None:
    assert sign_of(text) == COMPUTED


@pytest.mark.parametrize("text", EXACT)
def test_but_for_rounding(text: str) -> None:
    assert sign_of(text) == EXACTLY


@pytest.mark.parametrize("text", UNSEEN)
def test_unseen(text: str) -> None:
    assert sign_of(text) == UNKNOWN


MODEL = """model weighted
input X : n x d
param mu : 1 x d
param S : d x d spd
C = X - 1_n mu
q = diag(C inv(S) C^T)
loss = logdet(S) / 2 + SUM
"""
ROBUST = MODEL.replace("SUM", "sum(log(1_n + q / 4)) / n")
SIGNED = MODEL.replace("SUM", "sum(sin(q)) / n")


def test_weights_of_definitions_are_seen() -> None:
    text = subject(ROBUST).made.text
    assert "delta.T.dot(delta" in text
    assert "np.maximum(q_bar, zero" in text
    signed = subject(SIGNED).made.text
    assert "sqrt(" not in signed[signed.index("def _backward") :]


@pytest.mark.parametrize("power", [0, 6, 12, 15])
def test_no_root_of_what_rounding_made_negative(power: int) -> None:
    """However badly S is conditioned: gradients are numbers where the loss is one."""
    rng = np.random.default_rng(power)
    module: Any = subject(ROBUST).module
    for _ in range(20):
        Q = np.linalg.qr(rng.standard_normal((4, 4)))[0]
        S = (Q * np.logspace(0, -power, 4)) @ Q.T
        S = (S + S.T) / 2 + 1e-17 * np.eye(4)
        X = (rng.standard_normal((9, 1)) * Q[:, 0]) * 10 + 1e-9 * rng.standard_normal((9, 4))
        try:
            loss, found = module.value_and_grad(X, np.zeros((1, 4)), S)
        except np.linalg.LinAlgError:
            continue
        if np.isfinite(loss):
            assert np.isfinite(found.mu).all()
            assert np.isfinite(found.S).all()


def test_the_root_is_as_accurate() -> None:
    rng = np.random.default_rng(0)
    X, mu, A = rng.standard_normal((30, 3)), rng.standard_normal((1, 3)), rng.standard_normal((3, 3))
    S = A @ A.T + np.eye(3)
    C, inverse = X - mu, np.linalg.inv(S)
    q = np.einsum("ij,jk,ik->i", C, inverse, C)
    wanted = inverse / 2 - inverse @ (C.T * (1 / (4 + q))) @ C @ inverse / 30
    found = subject(ROBUST).module.value_and_grad(X, mu, S)[1].S
    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-13)
