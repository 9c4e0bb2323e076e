"""f and its gradients with respect to W1, b1, W2 and b2.

Made by

    mcalc derive 'tr((y - (relu(X W1 + 1_n b1) W2 + 1_n b2))^T (y - (relu(X W1 + 1_n b1) W2 + 1_n b2)))' --where 'X: n x d; y: n x k; W1: d x m; b1: 1 x m; W2: m x k; b2: 1 x k' --wrt W1,b1,W2,b2 --format python
"""

from typing import NamedTuple

import numpy as np

SHAPES = {
    "y": ("n", "k"),
    "X": ("n", "d"),
    "W1": ("d", "m"),
    "b1": (1, "m"),
    "W2": ("m", "k"),
    "b2": (1, "k"),
}


class Gradients(NamedTuple):
    """One field for each variable, with its shape."""

    W1: np.ndarray
    b1: np.ndarray
    W2: np.ndarray
    b2: np.ndarray


def value_and_grad(y, X, W1, b1, W2, b2):
    """f and its gradients with respect to W1, b1, W2 and b2.

        f = tr((y - (relu(X W1 + ones(n) b1) W2 + ones(n) b2))^T (y - (relu(X W1 + ones(n) b1) W2 +
            ones(n) b2)))

    Returns (f, Gradients(W1=df/dW1, b1=df/db1, W2=df/dW2, b2=df/db2)):
        df/dW1 = 2 X^T (((relu(X W1 + ones(n) b1) W2 + ones(n) b2 - y) W2^T) .* (X W1 + ones(n) b1 >
            0))
        df/db1 = 2 sum(((relu(X W1 + ones(n) b1) W2 + ones(n) b2 - y) W2^T) .* (X W1 + ones(n) b1 >
            0), axis=0)
        df/dW2 = 2 relu(X W1 + ones(n) b1)^T (relu(X W1 + ones(n) b1) W2 + ones(n) b2 - y)
        df/db2 = 2 sum(relu(X W1 + ones(n) b1) W2 + ones(n) b2 - y, axis=0)

    Arguments:
        y  : n x k
        X  : n x d
        W1 : d x m
        b1 : 1 x m
        W2 : m x k
        b2 : 1 x k
    """
    y, X, W1, b1, W2, b2 = checked(y=y, X=X, W1=W1, b1=b1, W2=W2, b2=b2)

    Z = X @ W1 + b1  # X W1 + ones(n) b1 : n x m
    H = np.maximum(Z, 0)  # relu(Z) : n x m
    R = y - H @ W2 - b2  # y - H W2 - ones(n) b2 : n x k
    value = np.vdot(R, R)  # norm(R)^2
    delta = (R @ W2.T) * (Z > 0)  # (R W2^T) .* (Z > 0) : n x m
    grad_W1 = -2 * (X.T @ delta)  # -2 X^T delta : d x m
    grad_b1 = -2 * delta.sum(axis=0, keepdims=True)  # -2 sum(delta, axis=0) : 1 x m
    grad_W2 = -2 * (H.T @ R)  # -2 H^T R : m x k
    grad_b2 = -2 * R.sum(axis=0, keepdims=True)  # -2 sum(R, axis=0) : 1 x k
    return value, Gradients(grad_W1, grad_b1, grad_W2, grad_b2)


def checked(**arguments):
    """The arguments as arrays of one precision: float32 if all arrays are, else float64.

    Raises TypeError where one is not made of real numbers, ValueError where a shape is not the declared one, or where
    entries are masked.
    """
    arrays, sizes = {}, {}
    for name, value in arguments.items():
        declared = SHAPES[name]
        try:
            array = arrays[name] = np.asarray(value)
        except ValueError:
            raise ValueError(f"{name}: the rows have different lengths") from None
        if np.ma.is_masked(value):
            raise ValueError(f"{name}: entries are masked")
        if array.dtype.kind not in "fiub":
            raise TypeError(f"{name}: real numbers expected, got {array.dtype}")
        pairs = zip(declared, array.shape, strict=False)
        expected = [
            d if isinstance(d, int) else sizes.setdefault(d, (s, name))[0] for d, s in pairs
        ]
        if array.ndim != len(declared) or list(array.shape) != expected:
            wanted = " x ".join(map(str, declared)) or "scalar"
            known = {d: sizes[d] for d in declared if d in sizes and sizes[d][1] != name}
            told = "".join(f", {d} = {size} in {place}" for d, (size, place) in known.items())
            raise ValueError(f"{name}: expected shape {wanted}{told}; got {array.shape}")
    judged = [a.dtype for a in arrays.values() if a.ndim] or [a.dtype for a in arrays.values()]
    single = all(dtype.kind == "f" and dtype.itemsize <= 4 for dtype in judged)
    precision = np.float32 if single else np.float64
    return [a.astype(precision, copy=False)[()] for a in arrays.values()]
