"""The losses as a user of automatic differentiation writes them, for every framework by its functions `xp`.

`xp` has `tanh relu sigmoid exp log sqrt sum trace softplus logsumexp softmax solve logdet`, of the framework or as
its users spell them, and `scan(step, carry, xs) -> carry, outs`, the framework's loop. Sums are over everything;
`logsumexp` and `softmax` are over rows; `outs` is a list or an array. ALTERNATIVES: the same losses where the user has
done the algebra: the order of products, products that are never formed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Array = Any
Loss = Callable[..., Any]


def cross_entropy(xp: Any, Z: Array, Y: Array) -> Any:
    return (xp.sum(xp.logsumexp(Z)) - xp.sum(Y * Z)) / Z.shape[0]


def seed_mlp(xp: Any, X: Array, y: Array, W1: Array, b1: Array, W2: Array, b2: Array) -> Any:
    return xp.sum((y - (xp.relu(X @ W1 + b1) @ W2 + b2)) ** 2)


def mlp_deep(xp: Any, X: Array, Y: Array, W: list[Array], b: list[Array]) -> Any:
    A = X
    for i in range(len(W) - 1):
        A = xp.tanh(A @ W[i] + b[i])
    return cross_entropy(xp, A @ W[-1] + b[-1], Y)


def mlp_tanh(xp: Any, X: Array, Y: Array, W1: Array, b1: Array, W2: Array, b2: Array, W3: Array, b3: Array) -> Any:
    return cross_entropy(xp, xp.tanh(xp.tanh(X @ W1 + b1) @ W2 + b2) @ W3 + b3, Y)


def mlp_relu(xp: Any, X: Array, Y: Array, W1: Array, b1: Array, W2: Array, b2: Array, W3: Array, b3: Array) -> Any:
    return cross_entropy(xp, xp.relu(xp.relu(X @ W1 + b1) @ W2 + b2) @ W3 + b3, Y)


def layernorm_mlp(xp: Any, X: Array, Y: Array, W1: Array, b1: Array, g: Array, c: Array, W2: Array, b2: Array) -> Any:
    H = X @ W1 + b1
    R = H - H.mean(1)[:, None]
    N = R / xp.sqrt((R * R).mean(1) + 1e-5)[:, None]
    return cross_entropy(xp, xp.relu(N * g + c) @ W2 + b2, Y)


def autoencoder(xp: Any, X: Array, W1: Array, b1: Array, W2: Array, b2: Array) -> Any:
    return xp.sum((X - (xp.tanh(X @ W1 + b1) @ W2 + b2)) ** 2) / X.shape[0]


def attention(xp: Any, X: Array, Y: Array, Wq: Array, Wk: Array, Wv: Array) -> Any:
    A = xp.softmax((X @ Wq) @ (X @ Wk).T / Wq.shape[1] ** 0.5)
    return xp.sum((Y - A @ (X @ Wv)) ** 2) / X.shape[0]


def recurrent(activation: str) -> Loss:
    def loss(xp: Any, x: Array, y: Array, h0: Array, U: Array, W: Array, V: Array) -> Any:
        act = getattr(xp, activation)

        def step(h: Array, at: Any) -> Any:
            xt, yt = at
            h = act(xt @ U + h @ W)
            return h, xp.sum((yt - h @ V) ** 2)

        return xp.total(xp.scan(step, h0, (x, y))[1])

    return loss


def lstm(
    xp: Any, x: Array, y: Array, Wi: Array, Ui: Array, bi: Array, Wf: Array, Uf: Array, bf: Array,
    Wo: Array, Uo: Array, bo: Array, Wg: Array, Ug: Array, bg: Array, V: Array,
) -> Any:  # fmt: skip
    def step(state: Any, at: Any) -> Any:
        (h, c), (xt,) = state, at
        i = xp.sigmoid(xt @ Wi + h @ Ui + bi)
        f = xp.sigmoid(xt @ Wf + h @ Uf + bf)
        o = xp.sigmoid(xt @ Wo + h @ Uo + bo)
        g = xp.tanh(xt @ Wg + h @ Ug + bg)
        c = f * c + i * g
        return (o * xp.tanh(c), c), None

    zero = xp.zeros_like(x[0] @ Wi)
    (h, _), _ = xp.scan(step, (zero, zero), (x,))
    return xp.sum((y - h @ V) ** 2) / y.shape[0]


def gru(
    xp: Any, x: Array, y: Array, Wz: Array, Uz: Array, bz: Array, Wr: Array, Ur: Array, br: Array,
    Wg: Array, Ug: Array, bg: Array, V: Array,
) -> Any:  # fmt: skip
    def step(h: Array, at: Any) -> Any:
        (xt,) = at
        z = xp.sigmoid(xt @ Wz + h @ Uz + bz)
        r = xp.sigmoid(xt @ Wr + h @ Ur + br)
        g = xp.tanh(xt @ Wg + (r * h) @ Ug + bg)
        return (1 - z) * h + z * g, None

    h, _ = xp.scan(step, xp.zeros_like(x[0] @ Wz), (x,))
    return xp.sum((y - h @ V) ** 2) / y.shape[0]


def least_squares(xp: Any, X: Array, y: Array, W: Array) -> Any:
    return xp.sum((y - X @ W) ** 2)


def ridge(xp: Any, X: Array, y: Array, alpha: Any, W: Array) -> Any:
    return xp.sum((y - X @ W) ** 2) / X.shape[0] + alpha * xp.sum(W**2)


def logreg(xp: Any, X: Array, y: Array, w: Array) -> Any:
    return xp.sum(xp.softplus(-(y * (X @ w))))


def softmax_regression(xp: Any, X: Array, Y: Array, W: Array, b: Array) -> Any:
    return cross_entropy(xp, X @ W + b, Y)


def gp_nll(xp: Any, y: Array, K: Array) -> Any:
    return (y @ xp.solve(K, y[:, None])[:, 0] + xp.logdet(K)) / 2


def gaussian_nll(xp: Any, X: Array, mu: Array, S: Array) -> Any:
    C = X - mu
    return xp.logdet(S) / 2 + xp.sum(xp.solve(S, C.T).T * C) / (2 * X.shape[0])


def student_nll(xp: Any, X: Array, mu: Array, S: Array) -> Any:
    C = X - mu
    q = (xp.solve(S, C.T).T * C).sum(1)
    n, d = X.shape
    return xp.logdet(S) / 2 + (4 + d) / (2 * n) * xp.sum(xp.log(1 + q / 4))


def matfac(xp: Any, X: Array, U: Array, V: Array) -> Any:
    return xp.sum((X - U @ V.T) ** 2)


def quad_thin(xp: Any, A: Array, B: Array, X: Array) -> Any:
    return xp.trace(X.T @ A @ B @ X)


def quad_wide(xp: Any, A: Array, B: Array, X: Array) -> Any:
    return xp.trace(X.T @ A @ X @ B)


def chain10(xp: Any, *A: Array) -> Any:
    P = A[0]
    for F in A[1:]:
        P = P @ F
    return xp.sum(P**2)


def metric(xp: Any, D: Array, s: Array, M: Array) -> Any:
    return xp.sum(xp.softplus(s * (((D @ M) * D).sum(1) - 1))) / D.shape[0]


LOSSES: dict[str, Loss] = {
    "seed_mlp": seed_mlp, "mlp_deep": mlp_deep, "mlp_tanh": mlp_tanh, "mlp_relu": mlp_relu,
    "layernorm_mlp": layernorm_mlp, "autoencoder": autoencoder, "attention": attention,
    "rnn_relu": recurrent("relu"), "rnn_tanh": recurrent("tanh"), "lstm": lstm, "gru": gru,
    "least_squares": least_squares, "ridge": ridge, "logreg": logreg, "softmax_regression": softmax_regression,
    "gp_nll": gp_nll, "gaussian_nll": gaussian_nll, "student_nll": student_nll, "matfac": matfac,
    "quad_thin": quad_thin, "quad_wide": quad_wide, "chain10": chain10, "metric": metric,
}  # fmt: skip


# --- the user's own algebra -------------------------------------------------------------------------------------------


def matfac_alt(xp: Any, X: Array, U: Array, V: Array) -> Any:
    return xp.sum(X * X) - 2 * xp.sum((X @ V) * U) + xp.sum((U.T @ U) * (V.T @ V))


def quad_thin_alt(xp: Any, A: Array, B: Array, X: Array) -> Any:
    return xp.sum((A.T @ X) * (B @ X))


def quad_wide_alt(xp: Any, A: Array, B: Array, X: Array) -> Any:
    return xp.sum((A @ X) * (X @ B.T))


def chain10_alt(xp: Any, *A: Array) -> Any:
    L, R = A[4], A[5]
    for i in (3, 2, 1, 0):
        L = A[i] @ L
    for i in (6, 7, 8, 9):
        R = R @ A[i]
    return xp.sum((L.T @ L) * (R @ R.T))


def gaussian_nll_alt(xp: Any, X: Array, mu: Array, S: Array) -> Any:
    C = X - mu
    return (xp.logdet(S) + xp.trace(xp.solve(S, C.T @ C)) / X.shape[0]) / 2


def rnn_hoisted(xp: Any, x: Array, y: Array, h0: Array, U: Array, W: Array, V: Array) -> Any:
    def step(h: Array, at: Any) -> Any:
        h = xp.tanh(at[0] + h @ W)
        return h, h

    h = xp.stack(xp.scan(step, h0, (x @ U,))[1])
    return xp.sum((y - h @ V) ** 2)


def lstm_kernel(
    xp: Any, x: Array, y: Array, Wi: Array, Ui: Array, bi: Array, Wf: Array, Uf: Array, bf: Array,
    Wo: Array, Uo: Array, bo: Array, Wg: Array, Ug: Array, bg: Array, V: Array,
) -> Any:  # fmt: skip
    """By the vendor's LSTM, which takes the gates i, f, g, o in one matrix."""
    W, U = xp.cat((Wi, Wf, Wg, Wo), 1).T, xp.cat((Ui, Uf, Ug, Uo), 1).T
    b = xp.cat((bi, bf, bg, bo), 1)[0]
    zero = xp.zeros_like(x[0] @ Wi)[None]
    h = xp.lstm(x, (zero, zero), [W, U, b, xp.zeros_like(b)], True, 1, 0.0, False, False, False)[1][0]
    return xp.sum((y - h @ V) ** 2) / y.shape[0]


ALTERNATIVES: dict[str, Loss] = {
    "matfac": matfac_alt, "quad_thin": quad_thin_alt, "quad_wide": quad_wide_alt, "chain10": chain10_alt,
    "gaussian_nll": gaussian_nll_alt, "rnn_tanh": rnn_hoisted, "lstm": lstm_kernel,
}  # fmt: skip
TORCH_ONLY = ("lstm",)
