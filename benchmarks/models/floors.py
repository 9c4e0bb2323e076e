"""The floor: the irreducible BLAS, LAPACK and transcendental calls of a workload alone, on buffers made before.

What is left out: additions, products by elements, reductions, copies, biases. It is the best composition of calls that
we found, not a proved bound. The arrays are as many as in the real computation, so that the caches see the same.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.linalg import get_blas_funcs, get_lapack_funcs

from benchmarks.models.numpy_naive import key
from benchmarks.models.sizes import Dims, Workload
from benchmarks.models.tuned_algebra import blocks

Array = Any


class Floor:
    """A list of calls; methods append to it and return the output."""

    def __init__(self, dtype: str) -> None:
        self.dtype, self.calls = dtype, []
        self.rng = np.random.default_rng(0)

    def __call__(self) -> None:
        for call in self.calls:
            call()

    def array(self, *shape: int) -> Array:
        """Random, of a scale that products keep."""
        return (self.rng.normal(size=shape) * shape[-2 if len(shape) > 1 else -1] ** -0.5).astype(self.dtype)

    def dot(self, a: Array, b: Array, out: Array | None = None) -> Array:
        out = np.empty((*a.shape[:-1], *b.shape[1:]), self.dtype) if out is None else out
        self.calls.append(partial(np.dot, a, b, out))
        return out

    def apply(self, f: Any, x: Array) -> Array:
        out = np.empty_like(x)
        self.calls.append(partial(f, x, out))
        return x

    def spd(self, n: int, invert: bool) -> None:
        """Cholesky factor of an n x n matrix and, from it, the inverse."""
        A, B = self.array(n, n), np.empty((n, n), self.dtype, order="F")
        K = A @ A.T + n * np.eye(n, dtype=self.dtype)
        potrf, potri = get_lapack_funcs(("potrf", "potri"), (B,))
        self.calls += [partial(np.copyto, B.T, K), partial(potrf, B, 1, 0, 1)]
        if invert:
            self.calls.append(partial(potri, B, 1, 1))

    def syrk(self, S: Array, H: Array, more: bool) -> None:
        """H = S^T S, or H += S^T S."""
        self.calls.append(partial(get_blas_funcs("syrk", (H,)), 1.0, S.T, float(more), H.T, 0, 1, 1))


def layers(F: Floor, n: int, d: list[int], relu: bool) -> None:
    W = [F.array(p, q) for p, q in pairwise(d)]
    A = [F.array(n, d[0])]
    for i, w in enumerate(W):
        A.append(F.dot(A[-1], w))
        if i < len(W) - 1 and not relu:
            F.apply(np.tanh, A[-1])
    F.apply(np.exp, A[-1])
    G = A[-1]
    for i in range(len(W) - 1, -1, -1):
        F.dot(A[i].T, G)
        if i:
            small = n * W[i].size <= 1_000_000
            G = F.dot(G, np.ascontiguousarray(W[i].T) if small else W[i].T)


def squared_error(F: Floor, n: int, d: int, m: int, k: int, tanh: bool) -> None:
    X, W1, W2 = F.array(n, d), F.array(d, m), F.array(m, k)
    H = F.dot(X, W1)
    if tanh:
        F.apply(np.tanh, H)
    P = F.dot(H, W2)
    F.dot(H.T, P)
    F.dot(X.T, F.dot(P, np.ascontiguousarray(W2.T)))


def mlp_hvp(F: Floor, n: int, d: int, m: int, p: int, k: int) -> None:
    X, W1, V, W2, W3 = F.array(n, d), F.array(d, m), F.array(d, m), F.array(m, p), F.array(p, k)
    A = F.array(2 * n, m)
    F.apply(np.tanh, F.dot(X, W1, A[:n]))
    F.dot(X, V, A[n:])
    B = F.dot(A, W2)
    F.apply(np.tanh, B[:n])
    C = F.dot(B, W3)
    F.apply(np.exp, C[:n])
    D = F.dot(F.dot(C, np.ascontiguousarray(W3.T)), np.ascontiguousarray(W2.T))
    F.dot(X.T, D[n:])


def recurrent(F: Floor, T: int, n: int, d: int, m: int, k: int, gates: int, tanhs: int, every: bool) -> None:
    """`tanhs`: transcendental passes a step over n x m; `every`: an output at every step."""
    X, D = F.array(T * n, d), [F.array(T, n, m) for _ in range(gates)]
    H, U = F.array(T + 1, n, m), [F.array(m, m) for _ in range(gates)]
    back = [np.ascontiguousarray(u.T) for u in U]
    for g in range(gates):
        F.dot(X, F.array(d, m), D[g].reshape(T * n, m))
    for t in range(T):
        for g in range(gates):
            F.dot(H[t], U[g], D[g][t])
        if tanhs:
            F.apply(np.tanh, np.concatenate([x[t] for x in D] * 2)[: tanhs * n])
    flat, V = H[1:].reshape(T * n, m) if every else H[-1], F.array(m, k)
    P = F.dot(flat, V)
    F.dot(P, V.T)
    F.dot(flat.T, P)
    for t in range(T - 1, 0, -1):
        for g in range(gates):
            F.dot(D[g][t], back[g], H[t - 1])
    for g in range(gates):
        F.dot(X.T, D[g].reshape(T * n, m))
        F.dot(H[:-1].reshape(T * n, m).T, D[g].reshape(T * n, m))


def attention(F: Floor, n: int, d: int, k: int) -> None:
    X, Q, K, V = F.array(n, d), *(F.array(n, k) for _ in range(3))
    for out in (Q, K, V):
        F.dot(X, F.array(d, k), out)
    A = F.dot(Q, K.T)
    F.apply(np.exp, A)
    O = F.dot(A, V)
    D = F.dot(O, V.T, F.array(n, n))
    for a, b in ((A.T, O), (D.T, Q), (D, K)):
        F.dot(X.T, F.dot(a, b))


def two_products(F: Floor, n: int, d: int, k: int, passes: tuple[Any, ...] = ()) -> None:
    """X W and X^T R, X read once where it is wide enough for blocks."""
    X, W, R = F.array(n, d), F.array(d, k), F.array(n, k)
    for at in blocks(n, d, F.dtype) if k > 1 else [slice(None)]:
        F.dot(X[at], W, R[at])
        for f in passes:
            F.apply(f, np.abs(R[at]))
        F.dot(X[at].T, R[at])


def logreg_hessian(F: Floor, n: int, d: int) -> None:
    X, w, H = F.array(n, d), F.array(d), np.zeros((d, d), F.dtype)
    F.apply(np.exp, F.dot(X, w))
    for i, at in enumerate(blocks(n, d, F.dtype)):
        F.syrk(X[at], H, i > 0)


def scatter(F: Floor, n: int, d: int, each: bool) -> None:
    """The covariance losses: inverse, scatter matrix; `each`: a distance for each row, else two d x d products."""
    X, S, H = F.array(n, d), F.array(d, d), np.zeros((d, d), F.dtype)
    F.spd(d, invert=True)
    for i, at in enumerate(blocks(n, d, F.dtype)):
        if each:
            F.apply(np.log1p, np.abs(F.dot(X[at], S)[:, 0].copy()))
        F.syrk(X[at], H, i > 0)
    if not each:
        F.dot(F.dot(S, H), S)


def matfac(F: Floor, n: int, m: int, r: int) -> None:
    X, U, V, S = F.array(n, m), F.array(n, r), F.array(m, r), F.array(r, r)
    for at in blocks(n, m, F.dtype):
        F.dot(X[at], V)
        F.dot(X[at].T, U[at])
    for a in (U, V):
        F.dot(a.T, a)
        F.dot(a, S)


def quadratic(F: Floor, n: int, k: int, wide: bool) -> None:
    A, B, X = F.array(n, n), F.array(n, n), F.array(k, n) if wide else F.array(n, k)
    if wide:
        F.dot(X, B)
        F.dot(X, B.T)
        F.dot(A[:k, :k], X)
        F.dot(A[:k, :k].T, X)
    else:
        F.dot(A, F.dot(B, X))
        F.dot(F.dot(X.T, A), B)


def chain10(F: Floor, **d: int) -> None:
    size, c = [d[f"d{i}"] for i in range(11)], d["d5"]
    A = [F.array(p, q) for p, q in pairwise(size)]
    L, R = F.array(size[0], c), F.array(c, size[10])
    S = F.dot(L.T, L)
    F.dot(R, R.T)
    F.dot(L, S)
    F.dot(S, R)
    for i in range(4):
        left, right, j = F.array(size[i], c), F.array(c, size[10 - i]), 9 - i
        for _ in range(2):  # forward and back
            F.dot(A[i].T, left)
            F.dot(right, A[j].T)
        F.dot(left, F.array(c, size[i + 1]))
        F.dot(F.array(size[j], c), right)


def metric(F: Floor, n: int, d: int) -> None:
    X, M = F.array(n, d), F.array(d, d)
    for at in blocks(n, d, F.dtype):
        B = F.dot(X[at], M)
        for f in (np.exp, np.log1p):
            F.apply(f, np.abs(B[:, 0].copy()))
        F.dot(X[at].T, B)


SPECS: dict[str, Callable[..., None]] = {
    "seed_mlp": lambda F, **d: squared_error(F, **d, tanh=False),
    "autoencoder": lambda F, n, d, m: squared_error(F, n, d, m, d, tanh=True),
    "mlp_tanh": lambda F, n, d, m, p, k: layers(F, n, [d, m, p, k], relu=False),
    "mlp_relu": lambda F, n, d, m, p, k: layers(F, n, [d, m, p, k], relu=True),
    "layernorm_mlp": lambda F, n, d, m, k: layers(F, n, [d, m, k], relu=True),
    "mlp_deep": lambda F, n, L, d: layers(F, n, d, relu=False),
    "mlp_hvp": mlp_hvp,
    "rnn_relu": lambda F, **d: recurrent(F, **d, gates=1, tanhs=0, every=True),
    "rnn_tanh": lambda F, **d: recurrent(F, **d, gates=1, tanhs=1, every=True),
    "lstm": lambda F, **d: recurrent(F, **d, gates=4, tanhs=5, every=False),
    "gru": lambda F, **d: recurrent(F, **d, gates=3, tanhs=3, every=False),
    "attention": attention,
    "least_squares": two_products,
    "ridge": two_products,
    "softmax_regression": lambda F, **d: two_products(F, **d, passes=(np.exp,)),
    "logreg": lambda F, n, d: two_products(F, n, d, 1, passes=(np.exp, np.log1p)),
    "logreg_hessian": logreg_hessian,
    "gp_nll": lambda F, n: F.spd(n, invert=True),
    "gaussian_nll": lambda F, **d: scatter(F, **d, each=False),
    "student_nll": lambda F, **d: scatter(F, **d, each=True),
    "matfac": matfac,
    "quad_thin": lambda F, **d: quadratic(F, **d, wide=False),
    "quad_wide": lambda F, **d: quadratic(F, **d, wide=True),
    "chain10": chain10,
    "metric": metric,
}


def build(w: Workload, dims: Dims, dtype: str) -> Floor:
    floor = Floor(dtype)
    SPECS[key(w)](floor, **dims)
    return floor
