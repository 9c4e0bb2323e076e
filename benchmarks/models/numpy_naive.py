"""Value and gradients by hand in plain NumPy expressions: the formulas as one writes them down.

Forward, then backward, without repeating a subexpression, but without buffers, product orders or blocks either. These
are the reference that every other implementation is checked against. NAIVE: model and kind to function.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.models.sizes import Workload

Array = Any
Result = tuple[Any, tuple[Any, ...]]


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def cross_entropy(Z: Array, Y: Array) -> tuple[Array, Array]:
    """Mean softmax cross-entropy and its gradient by Z."""
    n = len(Z)
    top = Z.max(axis=1, keepdims=True)
    E = np.exp(Z - top)
    S = E.sum(axis=1, keepdims=True)
    return (np.sum(top + np.log(S)) - np.sum(Y * Z)) / n, (E / S - Y) / n


# --- networks ---------------------------------------------------------------------------------------------------------


def seed_mlp(X: Array, y: Array, W1: Array, b1: Array, W2: Array, b2: Array) -> Result:
    A = X @ W1 + b1
    H = np.maximum(A, 0)
    R = y - (H @ W2 + b2)
    dP = -2 * R
    dA = (dP @ W2.T) * (A > 0)
    return np.sum(R**2), (X.T @ dA, dA.sum(axis=0, keepdims=True), H.T @ dP, dP.sum(axis=0, keepdims=True))


def mlp_deep(X: Array, Y: Array, W: list[Array], b: list[Array], relu: bool = False) -> Result:
    A = [X]
    for Wl, bl in zip(W[:-1], b[:-1], strict=True):
        Z = A[-1] @ Wl + bl
        A.append(np.maximum(Z, 0) if relu else np.tanh(Z))
    loss, dZ = cross_entropy(A[-1] @ W[-1] + b[-1], Y)
    dW, db = [], []
    for Wl in reversed(W):
        H = A.pop()
        dW.insert(0, H.T @ dZ)
        db.insert(0, dZ.sum(axis=0, keepdims=True))
        if A:
            dZ = (dZ @ Wl.T) * ((H > 0) if relu else (1 - H**2))
    return loss, (dW, db)


def mlp_tanh(X: Array, Y: Array, *params: Array, relu: bool = False) -> Result:
    loss, (dW, db) = mlp_deep(X, Y, list(params[::2]), list(params[1::2]), relu)
    return loss, tuple(g for pair in zip(dW, db, strict=True) for g in pair)


def mlp_relu(*args: Array) -> Result:
    return mlp_tanh(*args, relu=True)


def mlp_hvp(X: Array, Y: Array, W1: Array, b1: Array, W2: Array, b2: Array, W3: Array, b3: Array, V: Array) -> Result:
    """By forward differentiation of the backward pass."""
    A1 = np.tanh(X @ W1 + b1)
    A2 = np.tanh(A1 @ W2 + b2)
    Z = A2 @ W3 + b3
    E = np.exp(Z - Z.max(axis=1, keepdims=True))
    P = E / E.sum(axis=1, keepdims=True)
    RA1 = (1 - A1**2) * (X @ V)
    RA2 = (1 - A2**2) * (RA1 @ W2)
    RZ = RA2 @ W3
    dZ = (P - Y) / len(X)
    RdZ = P * (RZ - (P * RZ).sum(axis=1, keepdims=True)) / len(X)
    dA2, RdA2 = dZ @ W3.T, RdZ @ W3.T
    dZ2 = dA2 * (1 - A2**2)
    RdZ2 = RdA2 * (1 - A2**2) - 2 * dA2 * A2 * RA2
    dA1, RdA1 = dZ2 @ W2.T, RdZ2 @ W2.T
    return None, (X.T @ (RdA1 * (1 - A1**2) - 2 * dA1 * A1 * RA1),)


def layernorm_mlp(X: Array, Y: Array, W1: Array, b1: Array, g: Array, c: Array, W2: Array, b2: Array) -> Result:
    H = X @ W1 + b1
    R = H - H.mean(axis=1, keepdims=True)
    s = 1 / np.sqrt((R**2).mean(axis=1, keepdims=True) + 1e-5)
    N = R * s
    B = N * g + c
    A = np.maximum(B, 0)
    loss, dZ = cross_entropy(A @ W2 + b2, Y)
    dB = (dZ @ W2.T) * (B > 0)
    dN = dB * g
    dH = s * (dN - dN.mean(axis=1, keepdims=True) - N * (dN * N).mean(axis=1, keepdims=True))
    return loss, (
        X.T @ dH, dH.sum(axis=0, keepdims=True), (dB * N).sum(axis=0, keepdims=True), dB.sum(axis=0, keepdims=True),
        A.T @ dZ, dZ.sum(axis=0, keepdims=True),
    )  # fmt: skip


def autoencoder(X: Array, W1: Array, b1: Array, W2: Array, b2: Array) -> Result:
    H = np.tanh(X @ W1 + b1)
    R = X - (H @ W2 + b2)
    dP = -2 * R / len(X)
    dA = (dP @ W2.T) * (1 - H**2)
    return np.sum(R**2) / len(X), (
        X.T @ dA, dA.sum(axis=0, keepdims=True), H.T @ dP, dP.sum(axis=0, keepdims=True),
    )  # fmt: skip


def attention(X: Array, Y: Array, Wq: Array, Wk: Array, Wv: Array) -> Result:
    scale = Wq.shape[1] ** 0.5
    Q, K, V = X @ Wq, X @ Wk, X @ Wv
    S = Q @ K.T / scale
    E = np.exp(S - S.max(axis=1, keepdims=True))
    A = E / E.sum(axis=1, keepdims=True)
    R = A @ V - Y
    dO = 2 * R / len(X)
    dA = dO @ V.T
    dS = A * (dA - (dA * A).sum(axis=1, keepdims=True)) / scale
    return np.sum(R**2) / len(X), (X.T @ (dS @ K), X.T @ (dS.T @ Q), X.T @ (A.T @ dO))


# --- sequences --------------------------------------------------------------------------------------------------------


def rnn_tanh(x: Array, y: Array, h0: Array, U: Array, W: Array, V: Array, relu: bool = False) -> Result:
    h, loss = [h0], 0.0
    for xt in x:
        a = xt @ U + h[-1] @ W
        h.append(np.maximum(a, 0) if relu else np.tanh(a))
    dU, dW, dV, carry = np.zeros_like(U), np.zeros_like(W), np.zeros_like(V), np.zeros_like(h0)
    for t in reversed(range(len(x))):
        r = y[t] - h[t + 1] @ V
        loss += np.sum(r**2)
        dp = -2 * r
        dh = dp @ V.T + carry
        da = dh * ((h[t + 1] > 0) if relu else (1 - h[t + 1] ** 2))
        dU += x[t].T @ da
        dW += h[t].T @ da
        dV += h[t + 1].T @ dp
        carry = da @ W.T
    return loss, (dU, dW, dV)


def rnn_relu(*args: Array) -> Result:
    return rnn_tanh(*args, relu=True)


def lstm(
    x: Array, y: Array, Wi: Array, Ui: Array, bi: Array, Wf: Array, Uf: Array, bf: Array,
    Wo: Array, Uo: Array, bo: Array, Wg: Array, Ug: Array, bg: Array, V: Array,
) -> Result:  # fmt: skip
    zero = np.zeros((x.shape[1], len(Ui)), x.dtype)
    h, c, gates = [zero], [zero], []
    for xt in x:
        i = sigmoid(xt @ Wi + h[-1] @ Ui + bi)
        f = sigmoid(xt @ Wf + h[-1] @ Uf + bf)
        o = sigmoid(xt @ Wo + h[-1] @ Uo + bo)
        g = np.tanh(xt @ Wg + h[-1] @ Ug + bg)
        c.append(f * c[-1] + i * g)
        h.append(o * np.tanh(c[-1]))
        gates.append((i, f, o, g))
    R = y - h[-1] @ V
    dP = -2 * R / len(y)
    dh, dc = dP @ V.T, zero
    weights = (Wi, Ui, bi, Wf, Uf, bf, Wo, Uo, bo, Wg, Ug, bg)
    grads = [np.zeros_like(w) for w in weights]
    for t in reversed(range(len(x))):
        i, f, o, g = gates[t]
        tc = np.tanh(c[t + 1])
        dc = dc + dh * o * (1 - tc**2)
        da = (dc * g * i * (1 - i), dc * c[t] * f * (1 - f), dh * tc * o * (1 - o), dc * i * (1 - g**2))
        dc = dc * f
        dh = da[0] @ Ui.T + da[1] @ Uf.T + da[2] @ Uo.T + da[3] @ Ug.T
        for j, a in enumerate(da):
            grads[3 * j] += x[t].T @ a
            grads[3 * j + 1] += h[t].T @ a
            grads[3 * j + 2] += a.sum(axis=0, keepdims=True)
    return np.sum(R**2) / len(y), (*grads, h[-1].T @ dP)


def gru(
    x: Array, y: Array, Wz: Array, Uz: Array, bz: Array, Wr: Array, Ur: Array, br: Array,
    Wg: Array, Ug: Array, bg: Array, V: Array,
) -> Result:  # fmt: skip
    h, gates = [np.zeros((x.shape[1], len(Uz)), x.dtype)], []
    for xt in x:
        z = sigmoid(xt @ Wz + h[-1] @ Uz + bz)
        r = sigmoid(xt @ Wr + h[-1] @ Ur + br)
        g = np.tanh(xt @ Wg + (r * h[-1]) @ Ug + bg)
        h.append((1 - z) * h[-1] + z * g)
        gates.append((z, r, g))
    R = y - h[-1] @ V
    dP = -2 * R / len(y)
    dh = dP @ V.T
    grads = [np.zeros_like(w) for w in (Wz, Uz, bz, Wr, Ur, br, Wg, Ug, bg)]
    for t in reversed(range(len(x))):
        z, r, g = gates[t]
        ag = dh * z * (1 - g**2)
        az = dh * (g - h[t]) * z * (1 - z)
        drh = ag @ Ug.T
        ar = drh * h[t] * r * (1 - r)
        dh = dh * (1 - z) + drh * r + az @ Uz.T + ar @ Ur.T
        for j, (a, before) in enumerate(((az, h[t]), (ar, h[t]), (ag, r * h[t]))):
            grads[3 * j] += x[t].T @ a
            grads[3 * j + 1] += before.T @ a
            grads[3 * j + 2] += a.sum(axis=0, keepdims=True)
    return np.sum(R**2) / len(y), (*grads, h[-1].T @ dP)


# --- regression -------------------------------------------------------------------------------------------------------


def least_squares(X: Array, y: Array, W: Array) -> Result:
    R = y - X @ W
    return np.trace(R.T @ R), (-2 * X.T @ R,)


def ridge(X: Array, y: Array, alpha: float, W: Array) -> Result:
    R = y - X @ W
    loss = np.trace(R.T @ R) / len(X) + alpha * np.trace(W.T @ W)
    return loss, (-2 * X.T @ R / len(X) + 2 * alpha * W,)


def logreg(X: Array, y: Array, w: Array) -> Result:
    m = y * (X @ w)
    return np.sum(np.logaddexp(0, -m)), (-X.T @ (y / (1 + np.exp(m))),)


def logreg_hessian(X: Array, y: Array, w: Array) -> Result:
    s = sigmoid(y * (X @ w))
    return None, (X.T @ ((s * (1 - s))[:, None] * X),)


def softmax_regression(X: Array, Y: Array, W: Array, b: Array) -> Result:
    loss, dZ = cross_entropy(X @ W + b, Y)
    return loss, (X.T @ dZ, dZ.sum(axis=0, keepdims=True))


# --- covariance matrices ----------------------------------------------------------------------------------------------


def gp_nll(y: Array, K: Array) -> Result:
    Ki = np.linalg.inv(K)
    a = Ki @ y
    return (y @ a + np.linalg.slogdet(K)[1]) / 2, ((Ki - np.outer(a, a)) / 2,)


def gaussian_nll(X: Array, mu: Array, S: Array) -> Result:
    n = len(X)
    C = X - mu
    Si = np.linalg.inv(S)
    M = Si @ C.T @ C @ Si
    loss = np.linalg.slogdet(S)[1] / 2 + np.trace(Si @ C.T @ C) / (2 * n)
    return loss, (-(C @ Si).sum(axis=0, keepdims=True) / n, (Si - M / n) / 2)


def student_nll(X: Array, mu: Array, S: Array) -> Result:
    n, d = X.shape
    C = X - mu
    Si = np.linalg.inv(S)
    B = C @ Si
    q = (B * C).sum(axis=1)
    factor = (4 + d) / (2 * n)
    loss = np.linalg.slogdet(S)[1] / 2 + factor * np.sum(np.log(1 + q / 4))
    dq = factor / (4 + q)
    return loss, (-2 * (dq[:, None] * B).sum(axis=0, keepdims=True), Si / 2 - B.T @ (dq[:, None] * B))


# --- products ---------------------------------------------------------------------------------------------------------


def matfac(X: Array, U: Array, V: Array) -> Result:
    R = X - U @ V.T
    return np.sum(R * R), (-2 * R @ V, -2 * R.T @ U)


def quad_thin(A: Array, B: Array, X: Array) -> Result:
    AB = A @ B
    return np.trace(X.T @ AB @ X), ((AB + AB.T) @ X,)


def quad_wide(A: Array, B: Array, X: Array) -> Result:
    return np.trace(X.T @ A @ X @ B), (A.T @ X @ B.T + A @ X @ B,)


def chain10(*A: Array) -> Result:
    P = [A[0]]
    for F in A[1:]:
        P.append(P[-1] @ F)
    loss, dP, grads = np.trace(P[-1].T @ P[-1]), 2 * P[-1], []
    for i in range(len(A) - 1, 0, -1):
        grads.insert(0, P[i - 1].T @ dP)
        dP = dP @ A[i].T
    return loss, (dP, *grads)


def metric(D: Array, s: Array, M: Array) -> Result:
    z = s * (((D @ M) * D).sum(axis=1) - 1)
    g = s * sigmoid(z) / len(D)
    return np.sum(np.logaddexp(0, z)) / len(D), (D.T @ (g[:, None] * D),)


NAMES = (
    "seed_mlp mlp_deep mlp_tanh mlp_relu mlp_hvp layernorm_mlp autoencoder attention rnn_tanh rnn_relu lstm gru "
    "least_squares ridge logreg logreg_hessian softmax_regression gp_nll gaussian_nll student_nll matfac quad_thin "
    "quad_wide chain10 metric"
)
NAIVE: dict[str, Callable[..., Result]] = {name: globals()[name] for name in NAMES.split()}


def key(w: Workload) -> str:
    """The row of the tables that a workload uses: its model, or its own for a second derivative."""
    return w.model if w.kind == "gradient" else w.name


def build(w: Workload) -> Callable[..., Result]:
    """The function of a workload: its arguments to the loss and a tuple of gradients."""
    return NAIVE[key(w)]
