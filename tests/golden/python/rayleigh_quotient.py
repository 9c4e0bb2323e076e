"""f = x^T A x / (x^T x) and its gradient with respect to x.

Made by

    mcalc derive 'x^T A x / (x^T x)' --where 'A: n x n symmetric; x: n' --wrt x --format python
"""

import numpy as np

SHAPES = {"x": ("n",), "A": ("n", "n")}


def value_and_grad(x, A):
    """f = x^T A x / (x^T x) and its gradient with respect to x.

    Returns (f, df/dx):
        df/dx = 2 (A x - (x^T A x / (x^T x)) x) / (x^T x)

    Arguments:
        x : n
        A : n x n symmetric
    """
    x, A = checked(x=x, A=A)

    Ax = A @ x  # A x : n
    xx = x @ x  # x^T x
    value = (x @ Ax) / xx  # x^T Ax / xx
    grad_x = (2 / xx) * (Ax - value * x)  # 2 (Ax - value x) / xx : n
    return value, grad_x


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
