"""Regression and covariance matrices in the fastest plain NumPy and SciPy that we could write.

A data matrix that is used twice is read once, in blocks of rows that stay in the cache; a symmetric positive definite
matrix takes one Cholesky factorisation.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from scipy.linalg import get_blas_funcs, get_lapack_funcs

from benchmarks.models.sizes import Dims
from benchmarks.models.tuned_networks import Run, cross_entropy

Array = Any
BLOCK = 400_000
"""Bytes of a data matrix to a block of rows, where the matrix is well beyond them."""
GRAM = 4_000_000
"""n d d below which X^T diag(q) X is one general product."""


def blocks(n: int, d: int, dtype: str) -> list[slice]:
    rows = max(32, BLOCK // (d * np.dtype(dtype).itemsize))
    return [slice(None)] if n < 3 * rows else [slice(i, min(i + rows, n)) for i in range(0, n, rows)]


# --- regression -------------------------------------------------------------------------------------------------------


def least_squares(dims: Dims, dtype: str) -> Run:
    n, d, k = dims["n"], dims["d"], dims["k"]
    R, G, part = np.empty((n, k), dtype), np.empty((d, k), dtype), np.empty((d, k), dtype)
    rows = blocks(n, d, dtype)
    residuals = [R[at] for at in rows]

    def run(X: Array, y: Array, W: Array) -> Any:
        loss, out = 0.0, G
        for at, r in zip(rows, residuals, strict=True):
            x = X[at]
            np.dot(x, W, r)
            np.subtract(r, y[at], r)
            loss += np.vdot(r, r)
            np.dot(x.T, r, out)
            if out is part:
                np.add(G, part, G)
            out = part
        np.multiply(G, 2, G)
        return loss, (G,)

    return run


def ridge(dims: Dims, dtype: str) -> Run:
    run_plain, n = least_squares(dims, dtype), dims["n"]
    work = np.empty((dims["d"], dims["k"]), dtype)

    def run(X: Array, y: Array, alpha: float, W: Array) -> Any:
        loss, (G,) = run_plain(X, y, W)
        np.multiply(G, 1 / n, G)
        np.multiply(W, 2 * alpha, work)
        np.add(G, work, G)
        return loss / n + alpha * np.vdot(W, W), (G,)

    return run


class Logistic:
    """log(1 + exp(z)) summed, and sigmoid(z) in z's place: one exp, none that overflows."""

    def __init__(self, n: int, dtype: str) -> None:
        self.e, self.work = np.empty(n, dtype), np.empty(n, dtype)

    def __call__(self, z: Array) -> float:
        e, work = self.e, self.work
        np.abs(z, e)
        np.negative(e, e)
        np.exp(e, e)
        np.log1p(e, work)
        loss = float(np.add.reduce(work))
        np.maximum(z, 0, out=work)
        loss += float(np.add.reduce(work))
        np.greater_equal(z, 0, work)
        np.add(e, 1, z)
        np.maximum(work, e, out=work)  # the numerator: 1 where z >= 0, else exp(z)
        np.divide(work, z, z)
        return loss


def logreg(dims: Dims, dtype: str) -> Run:
    n, d = dims["n"], dims["d"]
    z, out, logistic = np.empty(n, dtype), np.empty(d, dtype), Logistic(n, dtype)

    def run(X: Array, y: Array, w: Array) -> Any:
        np.dot(X, w, z)
        np.multiply(z, y, z)
        np.negative(z, z)
        loss = logistic(z)
        np.multiply(z, y, z)
        np.dot(z, X, out)
        np.negative(out, out)
        return loss, (out,)

    return run


@lru_cache
def below(size: int) -> Array:
    """True below the diagonal."""
    return np.tri(size, k=-1, dtype=bool)


def mirror(H: Array, size: int = 64) -> None:
    """The upper triangle of H copied to the lower one, by blocks."""
    n = len(H)
    for i in range(0, n, size):
        j = min(i + size, n)
        if j < n:
            H[j:, i:j] = H[i:j, j:].T
        corner = H[i:j, i:j]
        np.copyto(corner, corner.T, where=below(j - i))


def logreg_hessian(dims: Dims, dtype: str) -> Run:
    """X^T diag(q) X = S^T S with S = sqrt(q) X: syrk on blocks of rows, beta = 1; small ones by one product."""
    n, d = dims["n"], dims["d"]
    small = n * d * d < GRAM
    z, e, H = np.empty(n, dtype), np.empty(n, dtype), np.zeros((d, d), dtype)
    rows = [slice(None)] if small else blocks(n, d, dtype)
    S, syrk = np.empty((n if rows[0] == slice(None) else rows[0].stop, d), dtype), get_blas_funcs("syrk", (H,))

    def run(X: Array, y: Array, w: Array) -> Any:
        np.dot(X, w, z)
        np.multiply(z, y, z)
        np.abs(z, z)
        np.multiply(z, -0.5, z)
        np.exp(z, e)  # sqrt(sigmoid (1 - sigmoid)) = exp(-|z| / 2) / (1 + exp(-|z|))
        np.multiply(e, e, z)
        np.add(z, 1, z)
        np.divide(e, z, z)
        if small:
            np.multiply(z, z, z)
            np.multiply(X, z[:, None], S)
            np.dot(S.T, X, H)
            return None, (H,)
        for i, at in enumerate(rows):
            x = X[at]
            s = S[: len(x)]
            np.multiply(x, z[at, None], s)
            syrk(1.0, s.T, float(i > 0), H.T, 0, 1, 1)  # alpha, a, beta, c, trans, lower, overwrite_c
        mirror(H)
        return None, (H,)

    return run


def softmax_regression(dims: Dims, dtype: str) -> Run:
    n, d, k = dims["n"], dims["d"], dims["k"]
    rows = blocks(n, d, dtype)
    sizes = [len(range(*at.indices(n))) for at in rows]
    losses = {size: cross_entropy(size, k, dtype) for size in set(sizes)}
    Z, dW, part, db = np.empty((n, k), dtype), *(np.empty(s, dtype) for s in ((d, k), (d, k), (1, k)))
    ones, parts = np.ones(n, dtype), list(zip(rows, sizes, strict=True))

    def run(X: Array, Y: Array, W: Array, b: Array) -> Any:
        loss, out = 0.0, dW
        for at, size in parts:
            x, z = X[at], Z[at]
            np.dot(x, W, z)
            np.add(z, b, z)
            loss += losses[size](z, Y[at]) * size
            if size != n:
                np.multiply(z, size / n, z)
            np.dot(x.T, z, out)
            if out is part:
                np.add(dW, part, dW)
            out = part
        np.dot(ones, Z, db.reshape(-1))
        return loss / n, (dW, db)

    return run


# --- covariance matrices ----------------------------------------------------------------------------------------------


class Spd:
    """`factor(K)` takes the Cholesky factor of a symmetric positive definite matrix into `L`, of which the upper
    triangle of `L.T` is the part that counts; it returns log det K. `invert()` makes the inverse in its place."""

    def __init__(self, n: int, dtype: str) -> None:
        self.L = np.empty((n, n), dtype, order="F")
        self.diagonal = self.L.reshape(-1, order="F")[:: n + 1]
        self.work = np.empty(n, dtype)
        self.potrf, self.potrs, self.potri = get_lapack_funcs(("potrf", "potrs", "potri"), (self.L,))

    def factor(self, K: Array) -> float:
        np.copyto(self.L.T, K)
        info = self.potrf(self.L, 1, 0, 1)[1]  # lower, clean, overwrite_a
        if info:
            raise np.linalg.LinAlgError("not positive definite")
        return 2 * float(np.add.reduce(np.log(self.diagonal, self.work)))

    def solve(self, b: Array) -> Array:
        return self.potrs(self.L, b, 1)[0]

    def invert(self) -> None:
        self.potri(self.L, 1, 1)  # lower, overwrite_c


def gp_nll(dims: Dims, dtype: str) -> Run:
    n = dims["n"]
    spd = Spd(n, dtype)
    syr, G = get_blas_funcs("syr", (spd.L,)), spd.L.T

    def run(y: Array, K: Array) -> Any:
        loss = spd.factor(K)
        a = spd.solve(y)
        loss = (loss + np.dot(y, a)) / 2
        spd.invert()
        syr(-1.0, a, 1, 1, 0, None, spd.L, 1)  # alpha, x, lower, incx, offx, n, a, overwrite_a
        np.multiply(G, 0.5, G)
        mirror(G)
        return loss, (G,)

    return run


def gaussian_nll(dims: Dims, dtype: str) -> Run:
    """The scatter matrix by syrk on blocks: the data are read once, and all else is d x d."""
    n, d = dims["n"], dims["d"]
    spd, rows, M, P = Spd(d, dtype), blocks(n, d, dtype), np.zeros((d, d), dtype), np.empty((d, d), dtype)
    C = np.empty((n if rows[0] == slice(None) else rows[0].stop, d), dtype)
    sums, part, dmu, ones = (np.empty(d, dtype), np.empty(d, dtype), np.empty((1, d), dtype), np.ones(n, dtype))
    syrk, dS = get_blas_funcs("syrk", (M,)), np.empty((d, d), dtype)

    def run(X: Array, mu: Array, S: Array) -> Any:
        out = sums
        for i, at in enumerate(rows):
            x = X[at]
            c = C[: len(x)]
            np.subtract(x, mu, c)
            syrk(1 / n, c.T, float(i > 0), M.T, 0, 1, 1)  # alpha, a, beta, c, trans, lower, overwrite_c
            np.dot(ones[: len(x)], c, out)
            if out is part:
                np.add(sums, part, sums)
            out = part
        mirror(M)
        logdet = spd.factor(S)
        spd.invert()
        Si = spd.L.T
        mirror(Si)
        loss = (logdet + np.vdot(Si, M)) / 2
        np.dot(sums, Si, dmu.reshape(-1))
        np.multiply(dmu, -1 / n, dmu)
        np.dot(Si, M, P)
        np.dot(P, Si, dS)
        np.subtract(Si, dS, dS)
        np.multiply(dS, 0.5, dS)
        return loss, (dmu, dS)

    return run


def student_nll(dims: Dims, dtype: str) -> Run:
    """dS = (S^-1 - S^-1 C^T diag(2 q') C S^-1) / 2: one syrk for the middle; C S^-1 is needed for the distances."""
    n, d = dims["n"], dims["d"]
    spd, rows, M, P = Spd(d, dtype), blocks(n, d, dtype), np.zeros((d, d), dtype), np.empty((d, d), dtype)
    size = n if rows[0] == slice(None) else rows[0].stop
    C, B, q = np.empty((size, d), dtype), np.empty((size, d), dtype), np.empty(size, dtype)
    sums, part, dmu = np.empty(d, dtype), np.empty(d, dtype), np.empty((1, d), dtype)
    syrk, factor = get_blas_funcs("syrk", (M,)), (4 + d) / (2 * n)

    def run(X: Array, mu: Array, S: Array) -> Any:
        logdet, logs, out = spd.factor(S), 0.0, sums
        spd.invert()
        Si = spd.L.T
        mirror(Si)
        for i, at in enumerate(rows):
            x = X[at]
            c, b, v = C[: len(x)], B[: len(x)], q[: len(x)]
            np.subtract(x, mu, c)
            np.dot(c, Si, b)
            np.vecdot(b, c, v)
            np.multiply(v, 0.25, v)
            logs += float(np.add.reduce(np.log1p(v)))
            np.add(v, 1, v)
            np.divide(factor / 4, v, v)
            np.dot(v, b, out)
            if out is part:
                np.add(sums, part, sums)
            out = part
            np.sqrt(v, v)
            np.multiply(b, v[:, None], b)
            syrk(-1.0, b.T, float(i > 0), M.T, 0, 1, 1)  # alpha, a, beta, c, trans, lower, overwrite_c
        mirror(M)
        np.multiply(sums, -2, dmu.reshape(-1))
        np.multiply(Si, 0.5, P)
        np.add(P, M, P)
        return logdet / 2 + factor * logs, (dmu, P)

    return run
