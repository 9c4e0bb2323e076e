"""Operators that only place entries: the same for residues, floating point and high precision.

In: a node, the arrays of its operands (points, rows, columns) and the sizes of the dimensions.
Out: the array of the node. Constant matrices have a leading axis of length one and broadcast over the points.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from mcalc.algebra.expr import Expr

AnyArray: TypeAlias = npt.NDArray[Any]
Sizes: TypeAlias = Mapping[str, int]
Layout: TypeAlias = Callable[[Expr, Sequence[AnyArray], Sizes], AnyArray]


def transpose(a: AnyArray) -> AnyArray:
    """A^T."""
    return a.swapaxes(-1, -2)


def vec(a: AnyArray) -> AnyArray:
    """The columns of A, stacked."""
    return transpose(a).reshape(a.shape[0], -1, 1)


def kron(a: AnyArray, b: AnyArray) -> AnyArray:
    """All products a_ij b_kl, in Kronecker's order (the caller reduces them)."""
    product = a[:, :, None, :, None] * b[:, None, :, None, :]
    points, m, p, n, q = product.shape
    return product.reshape(points, m * p, n * q)


def commutation(m: int, n: int) -> AnyArray:
    """K(m,n): K vec(X) = vec(X^T) for X m x n."""
    matrix = np.zeros((1, m * n, m * n), dtype=np.int64)
    i, j = np.divmod(np.arange(m * n), n)
    matrix[0, j + i * n, i + j * m] = 1
    return matrix


def duplication(n: int) -> AnyArray:
    """D(n): D vech(X) = vec(X) for X symmetric, n x n."""
    i, j = np.divmod(np.arange(n * n), n)  # the entry of vec(X) in column i, row j
    low, high = np.minimum(i, j), np.maximum(i, j)
    matrix = np.zeros((1, n * n, n * (n + 1) // 2), dtype=np.int64)
    matrix[0, np.arange(n * n), low * n - low * (low - 1) // 2 + high - low] = 1
    return matrix


def elimination(n: int) -> AnyArray:
    """L(n): L vec(X) = vech(X) for X n x n."""
    column, row = np.divmod(np.arange(n * n), n)
    kept = np.flatnonzero(row >= column)
    matrix = np.zeros((1, len(kept), n * n), dtype=np.int64)
    matrix[0, np.arange(len(kept)), kept] = 1
    return matrix


def _eye(e: Expr, args: Sequence[AnyArray], sizes: Sizes) -> AnyArray:
    return np.eye(e.attrs[0].value(sizes), dtype=np.int64)[None]


def _full(value: int) -> Layout:
    def rule(e: Expr, args: Sequence[AnyArray], sizes: Sizes) -> AnyArray:
        return np.full((1, e.shape[0].value(sizes), e.shape[1].value(sizes)), value, dtype=np.int64)

    return rule


def _unit(e: Expr, args: Sequence[AnyArray], sizes: Sizes) -> AnyArray:
    vector = np.zeros((1, e.attrs[1].value(sizes), 1), dtype=np.int64)
    vector[0, e.attrs[0] - 1, 0] = 1
    return vector


def _commutation(e: Expr, args: Sequence[AnyArray], sizes: Sizes) -> AnyArray:
    return commutation(e.attrs[0].value(sizes), e.attrs[1].value(sizes))


def _of_one(made: Callable[[int], AnyArray]) -> Layout:
    return lambda e, args, sizes: made(e.attrs[0].value(sizes))


def _block(e: Expr, args: Sequence[AnyArray], sizes: Sizes) -> AnyArray:
    points = max(a.shape[0] for a in args)
    wide = [np.broadcast_to(a, (points, *a.shape[1:])) for a in args]
    rows, start = [], 0
    for count in e.attrs:
        rows.append(np.concatenate(wide[start : start + count], axis=2))
        start += count
    return np.concatenate(rows, axis=1)


def _index(e: Expr, args: Sequence[AnyArray], sizes: Sizes) -> AnyArray:
    i, j = (slice(None) if position is None else slice(position - 1, position) for position in e.attrs)
    return args[0][:, i, j]


def _diagonal_matrix(e: Expr, args: Sequence[AnyArray], sizes: Sizes) -> AnyArray:
    return args[0] * np.eye(args[0].shape[1], dtype=np.int64)


# fmt: off
LAYOUT: dict[str, Layout] = {
    "eye":   _eye,        "ones":  _full(1),     "zeros": _full(0),     "unit":  _unit,     "K": _commutation,
    "dup":   _of_one(duplication),             "elim":  _of_one(elimination),
    "T":     lambda e, args, sizes: transpose(args[0]),
    "vec":   lambda e, args, sizes: vec(args[0]),
    "tril":  lambda e, args, sizes: np.tril(args[0]),
    "triu":  lambda e, args, sizes: np.triu(args[0]),
    "diagm": _diagonal_matrix,
    "diagv": lambda e, args, sizes: np.diagonal(args[0], axis1=1, axis2=2)[..., None],
    "block": _block,      "index": _index,
}
# fmt: on
