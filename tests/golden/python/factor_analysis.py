"""f = logdet(W W^T + D) + tr((W W^T + D)^-1 S) and its gradient with respect to W.

Made by

    mcalc derive 'logdet(W W^T + D) + tr((W W^T + D)^-1 S)' --where 'W: n x k; D: n x n spd; S: n x n symmetric' --wrt W --format python
"""

import numpy as np

SHAPES = {"W": ("n", "k"), "D": ("n", "n"), "S": ("n", "n")}


def value_and_grad(W, D, S):
    """f = logdet(W W^T + D) + tr((W W^T + D)^-1 S) and its gradient with respect to W.

    Returns (f, df/dW):
        df/dW = 2 (W W^T + D)^-1 (I - S (W W^T + D)^-1) W

    Arguments:
        W : n x k
        D : n x n spd
        S : n x n symmetric
    """
    W, D, S = checked(W=W, D=D, S=S)

    M = W @ W.T + D  # W W^T + D : n x n
    L = np.linalg.cholesky(M)  # L L^T = M : n x n
    M_inv_S = np.linalg.solve(M, S)  # M^-1 S : n x n
    # 2 sum(log(diag(L))) + tr(M_inv_S)
    value = 2 * np.log(np.diagonal(L)).sum() + np.trace(M_inv_S)
    M_inv_W = np.linalg.solve(M, W)  # M^-1 W : n x k
    grad_W = 2 * (M_inv_W - M_inv_S @ M_inv_W)  # 2 (M_inv_W - M_inv_S M_inv_W) : n x k
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
