"""f and its gradients with respect to U and V.

Made by

    mcalc derive 'norm(M .* (A - U V^T))^2 + lambda (norm(U)^2 + norm(V)^2)' --where 'M, A: n x m; U: n x k; V: m x k; lambda: scalar' --wrt U,V --format python
"""

from typing import NamedTuple

import numpy as np

SHAPES = {"M": ("n", "m"), "A": ("n", "m"), "U": ("n", "k"), "V": ("m", "k"), "lambda_": ()}


class Gradients(NamedTuple):
    """One field for each variable, with its shape."""

    U: np.ndarray
    V: np.ndarray


def value_and_grad(M, A, U, V, lambda_):
    """f and its gradients with respect to U and V.

        f = norm(M .* (A - U V^T))^2 + lambda (norm(U)^2 + norm(V)^2)

    Returns (f, Gradients(U=df/dU, V=df/dV)):
        df/dU = 2 (lambda U - (M.^2 .* (A - U V^T)) V)
        df/dV = 2 (lambda V - (M.^2 .* (A - U V^T))^T U)

    Arguments:
        M       : n x m
        A       : n x m
        U       : n x k
        V       : m x k
        lambda_ : scalar  (lambda in the formula)
    """
    M, A, U, V, lambda_ = checked(M=M, A=A, U=U, V=V, lambda_=lambda_)

    R = A - U @ V.T  # A - U V^T : n x m
    D = M * R  # M .* R : n x m
    # norm(D)^2 + lambda (norm(U)^2 + norm(V)^2)
    value = np.vdot(D, D) + lambda_ * (np.vdot(U, U) + np.vdot(V, V))
    delta = M**2 * R  # M.^2 .* R : n x m
    grad_U = 2 * (lambda_ * U - delta @ V)  # 2 (lambda U - delta V) : n x k
    grad_V = 2 * (lambda_ * V - delta.T @ U)  # 2 (lambda V - delta^T U) : m x k
    return value, Gradients(grad_U, grad_V)


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
