"""f = sum(softplus(X w)) - y^T X w and its gradient with respect to w.

Made by

    mcalc derive 'sum(softplus(X w)) - y^T X w' --where 'X: n x d; w: d; y: n' --wrt w --format python
"""

import numpy as np

SHAPES = {"X": ("n", "d"), "w": ("d",), "y": ("n",)}


def value_and_grad(X, w, y):
    """f = sum(softplus(X w)) - y^T X w and its gradient with respect to w.

    Returns (f, df/dw):
        df/dw = X^T (sigmoid(X w) - y)

    Arguments:
        X : n x d
        w : d
        y : n
    """
    X, w, y = checked(X=X, w=w, y=y)

    Xw = X @ w  # X w : n
    e = np.exp(-np.abs(Xw))  # exp(-abs(Xw)) : n
    value = np.sum(np.maximum(Xw, 0) + np.log1p(e)) - y @ Xw  # sum(softplus(Xw)) - y^T Xw
    p = np.maximum(e, Xw >= 0) / (1 + e)  # sigmoid(Xw) : n
    grad_w = X.T @ (p - y)  # X^T (p - y) : d
    return value, grad_w


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
