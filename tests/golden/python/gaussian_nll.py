"""f = logdet(S) + (x - m)^T S^-1 (x - m) and its gradients with respect to m and S.

Made by

    mcalc derive 'logdet(S) + (x - m)^T S^-1 (x - m)' --where 'S: n x n spd; x, m: n' --wrt m,S --format python
"""

from typing import NamedTuple

import numpy as np

SHAPES = {"S": ("n", "n"), "x": ("n",), "m": ("n",)}


class Gradients(NamedTuple):
    """One field for each variable, with its shape."""

    m: np.ndarray
    S: np.ndarray


def value_and_grad(S, x, m):
    """f = logdet(S) + (x - m)^T S^-1 (x - m) and its gradients with respect to m and S.

    Returns (f, Gradients(m=df/dm, S=df/dS)):
        df/dm = 2 S^-1 (m - x)
        df/dS = S^-1 (S - (x - m) (x - m)^T) S^-1

    Arguments:
        S : n x n spd
        x : n
        m : n
    """
    S, x, m = checked(S=S, x=x, m=m)

    L = np.linalg.cholesky(S)  # L L^T = S : n x n
    r = x - m  # x - m : n
    S_inv_r = np.linalg.solve(S, r)  # S^-1 r : n
    value = 2 * np.log(np.diagonal(L)).sum() + r @ S_inv_r  # 2 sum(log(diag(L))) + r^T S_inv_r
    grad_m = -2 * S_inv_r  # -2 S_inv_r : n
    S_inv = np.linalg.inv(S)  # S^-1 : n x n
    grad_S = S_inv - np.outer(S_inv_r, S_inv_r)  # S_inv - S_inv_r S_inv_r^T : n x n
    return value, Gradients(grad_m, grad_S)


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
