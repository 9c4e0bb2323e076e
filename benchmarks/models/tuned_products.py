"""Products of matrices in the fastest plain NumPy that we could write.

Products are taken in the cheapest order, and none that is bigger than its factors; a data matrix that is used twice is
read once, in blocks of rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.models.sizes import Dims
from benchmarks.models.tuned_algebra import Logistic, blocks
from benchmarks.models.tuned_networks import Run

Array = Any


def matfac(dims: Dims, dtype: str) -> Run:
    """|X - U V^T|^2 = |X|^2 - 2 <X V, U> + <U^T U, V^T V>; X is read once."""
    n, m, r = dims["n"], dims["m"], dims["r"]
    XV, XU, part = np.empty((n, r), dtype), np.empty((m, r), dtype), np.empty((m, r), dtype)
    UU, VV, dU, dV = np.empty((r, r), dtype), np.empty((r, r), dtype), np.empty((n, r), dtype), np.empty((m, r), dtype)
    rows = blocks(n, m, dtype)

    def run(X: Array, U: Array, V: Array) -> Any:
        square, out = 0.0, XU
        for at in rows:
            x = X[at]
            square += np.vdot(x, x)
            np.dot(x, V, XV[at])
            np.dot(x.T, U[at], out)
            if out is part:
                np.add(XU, part, XU)
            out = part
        np.dot(U.T, U, UU)
        np.dot(V.T, V, VV)
        loss = square - 2 * np.vdot(XV, U) + np.vdot(UU, VV)
        np.dot(U, VV, dU)
        np.subtract(dU, XV, dU)
        np.multiply(dU, 2, dU)
        np.dot(V, UU, dV)
        np.subtract(dV, XU, dV)
        np.multiply(dV, 2, dV)
        return loss, (dU, dV)

    return run


def quad_thin(dims: Dims, dtype: str) -> Run:
    """X^T A rather than A^T X: BLAS is slower on a transposed matrix by a thin one."""
    n, k = dims["n"], dims["k"]
    P, G, Q, F = *(np.empty((n, k), dtype) for _ in range(2)), *(np.empty((k, n), dtype) for _ in range(2))

    def run(A: Array, B: Array, X: Array) -> Any:
        np.dot(B, X, P)
        np.dot(X.T, A, Q)
        np.dot(A, P, G)
        loss = np.vdot(X, G)
        np.dot(Q, B, F)
        np.add(G, F.T, G)
        return loss, (G,)

    return run


def quad_wide(dims: Dims, dtype: str) -> Run:
    P, Q, G, F = (np.empty((dims["k"], dims["n"]), dtype) for _ in range(4))

    def run(A: Array, B: Array, X: Array) -> Any:
        np.dot(X, B, P)
        np.dot(X, B.T, Q)
        np.dot(A, P, G)
        loss = np.vdot(X, G)
        np.dot(A.T, Q, F)
        np.add(G, F, G)
        return loss, (G,)

    return run


def chain10(dims: Dims, dtype: str) -> Run:
    """P = L R with L = A1 ... A5, R = A6 ... A10 thin; |P|^2 = <L^T L, R R^T>; products from the thin side."""
    d = [dims[f"d{i}"] for i in range(11)]
    c, half = d[5], range(5)
    after, before = [np.empty((d[i], c), dtype) for i in half], [np.empty((c, d[6 + i]), dtype) for i in half]
    left, right = [np.empty((d[i], c), dtype) for i in half], [np.empty((c, d[6 + i]), dtype) for i in half]
    LL, RR = np.empty((c, c), dtype), np.empty((c, c), dtype)
    grads = tuple(np.empty((d[i], d[i + 1]), dtype) for i in range(10))

    def products(A: tuple[Array, ...]) -> None:
        after[4] = A[4]  # after[i] = A_i ... A_4; before[i] = A_5 ... A_(5+i)
        for i in (3, 2, 1, 0):
            np.dot(A[i], after[i + 1], after[i])
        before[0] = A[5]
        for i in (1, 2, 3, 4):
            np.dot(before[i - 1], A[5 + i], before[i])

    def run(*A: Array) -> Any:
        products(A)
        L, R = after[0], before[4]
        np.dot(L.T, L, LL)
        np.dot(R, R.T, RR)
        loss = np.vdot(LL, RR)
        np.multiply(RR, 2, RR)
        np.multiply(LL, 2, LL)
        np.dot(L, RR, left[0])
        np.dot(LL, R, right[4])
        for i in range(4):
            np.dot(left[i], after[i + 1].T, grads[i])
            np.dot(A[i].T, left[i], left[i + 1])
            j = 4 - i
            np.dot(before[j - 1].T, right[j], grads[5 + j])
            np.dot(right[j], A[5 + j].T, right[j - 1])
        np.copyto(grads[4], left[4])
        np.copyto(grads[5], right[0])
        return loss, grads

    return run


def metric(dims: Dims, dtype: str) -> Run:
    n, d = dims["n"], dims["d"]
    rows = blocks(n, d, dtype)
    size = n if rows[0] == slice(None) else rows[0].stop
    B, z, G, part = np.empty((size, d), dtype), np.empty(size, dtype), *(np.empty((d, d), dtype) for _ in "GP")
    logistics = {length: Logistic(length, dtype) for length in {len(range(*at.indices(n))) for at in rows}}

    def run(D: Array, s: Array, M: Array) -> Any:
        loss, out = 0.0, G
        for at in rows:
            x, y = D[at], s[at]
            b, v = B[: len(x)], z[: len(x)]
            np.dot(x, M, b)
            np.vecdot(b, x, v)
            np.subtract(v, 1, v)
            np.multiply(v, y, v)
            loss += logistics[len(x)](v)
            np.multiply(v, y, v)
            np.multiply(v, 1 / n, v)
            np.multiply(x, v[:, None], b)
            np.dot(x.T, b, out)
            if out is part:
                np.add(G, part, G)
            out = part
        return loss / n, (G,)

    return run
