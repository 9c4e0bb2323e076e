"""f and its gradient with respect to W.

Made by

    mcalc derive '(sum(logsumexp(X W, axis=1)) - sum(Y .* (X W))) / n' --where 'X: n x d; W: d x k; Y: n x k' --wrt W --format python
"""

import numpy as np

SHAPES = {"X": ("n", "d"), "W": ("d", "k"), "Y": ("n", "k")}


def value_and_grad(X, W, Y):
    """f and its gradient with respect to W.

        f = (sum(logsumexp(X W, axis=1)) - sum(Y .* (X W))) / n

    Returns (f, df/dW):
        df/dW = X^T (softmax(X W) - Y) / n

    Arguments:
        X : n x d
        W : d x k
        Y : n x k
    """
    X, W, Y = checked(X=X, W=W, Y=Y)
    n = X.shape[0]

    XW = X @ W  # X W : n x k
    tops = XW.max(axis=1)  # max of each row of XW : n
    E = np.exp(XW - tops[:, None])  # exp(XW - tops ones(k)^T) : n x k
    sums = E.sum(axis=1)  # sum(E, axis=1) : n
    # (sum(tops + log(sums)) - tr(Y^T XW)) / n
    value = (np.sum(tops + np.log(sums)) - np.vdot(Y, XW)) / n
    P = E / sums[:, None]  # softmax(XW) : n x k
    grad_W = (X.T @ (P - Y)) / n  # X^T (P - Y) / n : d x k
    return value, grad_W


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
