"""f = norm(y - X W)^2 + lambda norm(W)^2 and its gradients with respect to W and lambda.

Made by

    mcalc derive 'norm(y - X W)^2 + lambda norm(W)^2' --where 'X: n x d; y: n x k; W: d x k; lambda: scalar' --wrt W,lambda --format python
"""

from typing import NamedTuple

import numpy as np

SHAPES = {"y": ("n", "k"), "X": ("n", "d"), "W": ("d", "k"), "lambda_": ()}


class Gradients(NamedTuple):
    """One field for each variable, with its shape."""

    W: np.ndarray
    lambda_: np.ndarray


def value_and_grad(y, X, W, lambda_):
    """f = norm(y - X W)^2 + lambda norm(W)^2 and its gradients with respect to W and lambda.

    Returns (f, Gradients(W=df/dW, lambda_=df/dlambda)):
        df/dW = 2 (X^T (X W - y) + lambda W)
        df/dlambda = norm(W)^2

    Arguments:
        y       : n x k
        X       : n x d
        W       : d x k
        lambda_ : scalar  (lambda in the formula)
    """
    y, X, W, lambda_ = checked(y=y, X=X, W=W, lambda_=lambda_)

    R = y - X @ W  # y - X W : n x k
    WW = np.vdot(W, W)  # norm(W)^2
    value = np.vdot(R, R) + lambda_ * WW  # norm(R)^2 + lambda WW
    grad_W = 2 * (lambda_ * W - X.T @ R)  # 2 (lambda W - X^T R) : d x k
    grad_lambda_ = WW  # norm(W)^2
    return value, Gradients(grad_W, grad_lambda_)


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
