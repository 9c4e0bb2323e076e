"""Networks in the fastest plain NumPy that we could write: buffers, `np.dot` with out, few passes, one exp.

A builder takes dimensions and dtype, allocates, and returns the function of the data. Products A B^T below OpenBLAS's
small-matrix limit are slower than A (B^T copied): weights are transposed once a call there.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks.models.sizes import Dims

Array = Any
Run = Callable[..., tuple[Any, tuple[Any, ...]]]
SMALL = 1_000_000
"""m n k up to which OpenBLAS takes its kernel for small matrices."""


def transposer(n: int, p: int, q: int, dtype: str) -> Callable[[Array], Array]:
    """W (p x q) to W^T: a copy where a product with n rows gains by it, else a view."""
    if n < 4 or n * p * q > SMALL:
        return lambda W: W.T
    buffer = np.empty((q, p), dtype)

    def copy(W: Array) -> Array:
        np.copyto(buffer, W.T)
        return buffer

    return copy


def cross_entropy(n: int, k: int, dtype: str) -> Callable[[Array, Array], float]:
    """Mean softmax cross-entropy; Z becomes its gradient."""
    top, S = np.empty((n, 1), dtype), np.empty((n, 1), dtype)
    ones = np.ones((k, 1), dtype)

    def run(Z: Array, Y: Array) -> float:
        inner = np.vdot(Y, Z)
        np.maximum.reduce(Z, axis=1, keepdims=True, out=top)
        np.subtract(Z, top, Z)
        np.exp(Z, Z)
        np.dot(Z, ones, S)
        np.multiply(S, n, out=S)
        np.divide(Z, S, Z)
        np.log(S, S)
        # log(n s) summed over n rows holds n log n too many
        loss = (float(np.add.reduce(top, axis=None)) + float(np.add.reduce(S, axis=None)) - inner) / n - log_n
        np.multiply(Y, scale, work)
        np.subtract(Z, work, Z)
        return loss

    log_n, scale, work = np.log(n), np.dtype(dtype).type(1 / n), np.empty((n, k), dtype)
    return run


def layers(n: int, d: list[int], dtype: str, relu: bool) -> Callable[..., Any]:
    """A perceptron with widths d: X, Y, weights, biases to loss and lists of gradients."""
    sizes = list(pairwise(d))
    A = [np.empty((n, q), dtype) for _, q in sizes]
    B = [np.empty((n, q), dtype) for _, q in sizes[:-1]]
    dW = [np.empty(size, dtype) for size in sizes]
    db = [np.empty((1, q), dtype) for _, q in sizes]
    flat = [row.reshape(-1) for row in db]
    turn = [transposer(n, p, q, dtype) for p, q in sizes]
    ones, loss_of, last = np.ones(n, dtype), cross_entropy(n, d[-1], dtype), len(sizes) - 1
    mask = [np.empty((n, q), bool) for _, q in sizes[:-1]] if relu else []

    def run(X: Array, Y: Array, W: list[Array], b: list[Array]) -> Any:
        H = X
        for i in range(last):
            Z = A[i]
            np.dot(H, W[i], Z)
            np.add(Z, b[i], Z)
            if relu:
                np.maximum(Z, 0, out=Z)
            else:
                np.tanh(Z, Z)
            H = Z
        G = A[last]
        np.dot(H, W[last], G)
        np.add(G, b[last], G)
        loss = loss_of(G, Y)
        for i in range(last, 0, -1):
            H = A[i - 1]
            np.dot(H.T, G, dW[i])
            np.dot(ones, G, flat[i])
            D = B[i - 1]
            np.dot(G, turn[i](W[i]), D)
            if relu:
                np.greater(H, 0, mask[i - 1])
                np.multiply(D, mask[i - 1], D)
            else:  # D (1 - H^2) in H's place, which is not needed again
                np.multiply(H, H, H)
                np.subtract(1, H, H)
                np.multiply(D, H, D)
            G = D
        np.dot(X.T, G, dW[0])
        np.dot(ones, G, flat[0])
        return loss, (dW, db)

    return run


def mlp_deep(dims: Dims, dtype: str) -> Run:
    return layers(dims["n"], dims["d"], dtype, relu=False)


def mlp_tanh(dims: Dims, dtype: str, relu: bool = False) -> Run:
    run = layers(dims["n"], [dims[name] for name in "dmpk"], dtype, relu)

    def interleaved(X: Array, Y: Array, W1: Array, b1: Array, W2: Array, b2: Array, W3: Array, b3: Array) -> Any:
        loss, (dW, db) = run(X, Y, (W1, W2, W3), (b1, b2, b3))
        return loss, (dW[0], db[0], dW[1], db[1], dW[2], db[2])

    return interleaved


def mlp_relu(dims: Dims, dtype: str) -> Run:
    return mlp_tanh(dims, dtype, relu=True)


def one_hidden(n: int, d: int, m: int, k: int, dtype: str, relu: bool, scale: float) -> Run:
    """X, y, W1, b1, W2, b2 to the squared error, times scale, and its gradients."""
    H, D, R = np.empty((n, m), dtype), np.empty((n, m), dtype), np.empty((n, k), dtype)
    dW1, dW2 = np.empty((d, m), dtype), np.empty((m, k), dtype)
    db1, db2 = np.empty((1, m), dtype), np.empty((1, k), dtype)
    flat1, flat2, ones, mask = db1.reshape(-1), db2.reshape(-1), np.ones(n, dtype), np.empty((n, m), bool)
    turn = transposer(n, m, k, dtype)
    grads, double = (dW1, db1, dW2, db2), np.dtype(dtype).type(2 * scale)

    def run(X: Array, y: Array, W1: Array, b1: Array, W2: Array, b2: Array) -> Any:
        np.dot(X, W1, H)
        np.add(H, b1, H)
        if relu:
            np.maximum(H, 0, out=H)
        else:
            np.tanh(H, H)
        np.dot(H, W2, R)
        np.add(R, b2, R)
        np.subtract(R, y, R)
        loss = scale * np.vdot(R, R)
        np.multiply(R, double, R)
        np.dot(H.T, R, dW2)
        np.dot(ones, R, flat2)
        if k == 1:
            np.multiply(R, W2.T, D)
        else:
            np.dot(R, turn(W2), D)
        if relu:
            np.greater(H, 0, mask)
            np.multiply(D, mask, D)
        else:
            np.multiply(H, H, H)
            np.subtract(1, H, H)
            np.multiply(D, H, D)
        np.dot(X.T, D, dW1)
        np.dot(ones, D, flat1)
        return loss, grads

    return run


def seed_mlp(dims: Dims, dtype: str) -> Run:
    return one_hidden(dims["n"], dims["d"], dims["m"], dims["k"], dtype, relu=True, scale=1.0)


def autoencoder(dims: Dims, dtype: str) -> Run:
    n, d, m = dims["n"], dims["d"], dims["m"]
    run = one_hidden(n, d, m, d, dtype, relu=False, scale=1 / n)
    return lambda X, W1, b1, W2, b2: run(X, X, W1, b1, W2, b2)


def mlp_hvp(dims: Dims, dtype: str) -> Run:
    """Values and their directional derivatives stacked, where they share a factor."""
    n, d, m, p, k = (dims[name] for name in "ndmpk")
    A, B = np.empty((2, n, m), dtype), np.empty((2, n, p), dtype)
    C, D, F = np.empty((2, n, k), dtype), np.empty((2, n, p), dtype), np.empty((2, n, m), dtype)
    slope1, slope2 = np.empty((n, m), dtype), np.empty((n, p), dtype)
    rows = {id(x): x.reshape(2 * n, -1) for x in (A, B, C, D, F)}
    A2, B2, C2, D2, F2 = (rows[id(x)] for x in (A, B, C, D, F))
    top, S, ones = np.empty((n, 1), dtype), np.empty((n, 1), dtype), np.ones((k, 1), dtype)
    turn2, turn3, out = transposer(2 * n, m, p, dtype), transposer(2 * n, p, k, dtype), np.empty((d, m), dtype)
    inverse = np.dtype(dtype).type(1 / n)

    def activate(pair: Array, slope: Array) -> None:
        """Z, RZ to tanh Z, (1 - tanh(Z)^2) RZ; the slope is kept."""
        np.tanh(pair[0], pair[0])
        np.multiply(pair[0], pair[0], slope)
        np.subtract(1, slope, slope)
        np.multiply(pair[1], slope, pair[1])

    def back(G: Array, pair: Array, slope: Array, value: bool) -> None:
        """dA, RdA to dZ, RdZ, where RdZ = RdA slope - 2 dA A RA; the pair of the layer is used up."""
        np.multiply(pair[0], pair[1], pair[0])
        np.multiply(pair[0], -2, pair[0])
        np.multiply(pair[0], G[0], pair[0])
        np.multiply(G[1], slope, G[1])
        np.add(G[1], pair[0], G[1])
        if value:
            np.multiply(G[0], slope, G[0])

    def run(X: Array, Y: Array, W1: Array, b1: Array, W2: Array, b2: Array, W3: Array, b3: Array, V: Array) -> Any:
        np.dot(X, W1, A[0])
        np.dot(X, V, A[1])
        np.add(A[0], b1, A[0])
        activate(A, slope1)
        np.dot(A2, W2, B2)
        np.add(B[0], b2, B[0])
        activate(B, slope2)
        np.dot(B2, W3, C2)
        Z, RZ = C
        np.add(Z, b3, Z)
        np.maximum.reduce(Z, axis=1, keepdims=True, out=top)
        np.subtract(Z, top, Z)
        np.exp(Z, Z)
        np.dot(Z, ones, S)
        np.divide(Z, S, Z)
        S[:, 0] = np.vecdot(Z, RZ)
        np.subtract(RZ, S, RZ)
        np.multiply(RZ, Z, RZ)
        np.subtract(Z, Y, Z)
        np.multiply(C, inverse, C)
        np.dot(C2, turn3(W3), D2)
        back(D, B, slope2, value=True)
        np.dot(D2, turn2(W2), F2)
        back(F, A, slope1, value=False)
        np.dot(X.T, F[1], out)
        return None, (out,)

    return run


def layernorm_mlp(dims: Dims, dtype: str) -> Run:
    n, d, m, k = (dims[name] for name in "ndmk")
    H, A, D, Z = (np.empty((n, size), dtype) for size in (m, m, m, k))
    row, s, ones_n, ones_m = np.empty((n, 1), dtype), np.empty((n, 1), dtype), np.ones(n, dtype), np.ones(m, dtype)
    shapes = ((d, m), (1, m), (1, m), (1, m), (m, k), (1, k))
    grads = tuple(np.empty(shape, dtype) for shape in shapes)
    dW1, db1, dg, dc, dW2, db2 = grads
    turn, loss_of, mask, each = transposer(n, m, k, dtype), cross_entropy(n, k, dtype), np.empty((n, m), bool), 1 / m
    flat = row.reshape(-1)

    def center(G: Array) -> None:
        np.dot(G, ones_m, flat)
        np.multiply(row, each, row)
        np.subtract(G, row, G)

    def run(X: Array, Y: Array, W1: Array, b1: Array, g: Array, c: Array, W2: Array, b2: Array) -> Any:
        np.dot(X, W1, H)
        np.add(H, b1, H)
        center(H)
        np.vecdot(H, H, flat)
        np.multiply(row, each, s)
        np.add(s, 1e-5, s)
        np.sqrt(s, s)
        np.reciprocal(s, s)
        np.multiply(H, s, H)  # N
        np.multiply(H, g, A)
        np.add(A, c, A)
        np.maximum(A, 0, out=A)
        np.dot(A, W2, Z)
        np.add(Z, b2, Z)
        loss = loss_of(Z, Y)
        np.dot(A.T, Z, dW2)
        np.dot(ones_n, Z, db2.reshape(-1))
        np.dot(Z, turn(W2), D)
        np.greater(A, 0, mask)
        np.multiply(D, mask, D)
        np.dot(ones_n, D, dc.reshape(-1))
        np.multiply(D, H, A)
        np.dot(ones_n, A, dg.reshape(-1))
        np.multiply(D, g, D)
        np.vecdot(D, H, flat)
        np.multiply(row, each, row)
        np.multiply(H, row, H)
        center(D)
        np.subtract(D, H, D)
        np.multiply(D, s, D)
        np.dot(X.T, D, dW1)
        np.dot(ones_n, D, db1.reshape(-1))
        return loss, grads

    return run


def attention(dims: Dims, dtype: str) -> Run:
    n, d, k = (dims[name] for name in "ndk")
    Q, K, V, O, dO, P = (np.empty((n, k), dtype) for _ in range(6))
    A, D = np.empty((n, n), dtype), np.empty((n, n), dtype)
    row, S, ones = np.empty((n, 1), dtype), np.empty((n, 1), dtype), np.ones((n, 1), dtype)
    grads = tuple(np.empty((d, k), dtype) for _ in range(3))
    scale, double, flat = np.dtype(dtype).type(k**-0.5), np.dtype(dtype).type(2 / n), row.reshape(-1)

    def run(X: Array, Y: Array, Wq: Array, Wk: Array, Wv: Array) -> Any:
        np.dot(X, Wq, Q)
        np.multiply(Q, scale, Q)  # the scale is in Q: right for dK; dQ takes it once more
        np.dot(X, Wk, K)
        np.dot(X, Wv, V)
        np.dot(Q, K.T, A)
        np.maximum.reduce(A, axis=1, keepdims=True, out=row)
        np.subtract(A, row, A)
        np.exp(A, A)
        np.dot(A, ones, S)
        np.divide(A, S, A)
        np.dot(A, V, O)
        np.subtract(O, Y, dO)
        loss = np.vdot(dO, dO) / n
        np.multiply(dO, double, dO)
        np.vecdot(dO, O, flat)  # the row sums of dA .* A
        np.dot(A.T, dO, P)
        np.dot(X.T, P, grads[2])
        np.dot(dO, V.T, D)
        np.subtract(D, row, D)
        np.multiply(D, A, D)
        np.dot(D.T, Q, P)
        np.dot(X.T, P, grads[1])
        np.dot(D, K, P)
        np.multiply(P, scale, P)
        np.dot(X.T, P, grads[0])
        return loss, grads

    return run
