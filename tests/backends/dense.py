"""A straightforward evaluator: every value a matrix, every operator as its definition reads, in double precision."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from mcalc.algebra.expr import Expr, fold
from mcalc.algebra.shape import ONE

Matrix = Any
ERF = np.vectorize(math.erf, otypes=[float])


def value(e: Expr, symbols: Mapping[str, Matrix], sizes: Mapping[str, int]) -> Matrix:
    """The value of an expression, a matrix; symbols are matrices by name."""

    def combine(node: Expr, args: list[Matrix]) -> Matrix:
        made = OPERATORS[node.op](Node(node, symbols, sizes), *args)
        made = np.asarray(made, dtype=float) * np.ones((1, 1))
        shape = tuple(d.value(sizes) for d in node.shape)
        return np.broadcast_to(made, shape) if made.shape != shape else made

    return fold(e, combine)


class Node:
    def __init__(self, e: Expr, symbols: Mapping[str, Matrix], sizes: Mapping[str, int]) -> None:
        self.e, self.symbols, self.sizes = e, symbols, sizes
        self.attrs = e.attrs

    def dims(self) -> list[int]:
        return [d.value(self.sizes) for d in self.attrs]


def _product(n: Node, *args: Matrix) -> Matrix:
    made = np.ones((1, 1))
    scale = 1.0
    matrices = []
    for e, a in zip(n.e.args, args, strict=True):
        if e.is_scalar:
            scale = scale * float(a[0, 0])
        else:
            matrices.append(a)
    for i, a in enumerate(matrices):
        made = a if i == 0 else made @ a
    return scale * made


def _power(n: Node, a: Matrix) -> Matrix:
    k = n.attrs[0]
    if n.e.is_scalar:
        return a ** float(k)
    base = np.linalg.inv(a) if k < 0 else a
    return np.linalg.matrix_power(base, abs(int(k)))


def _kron(n: Node, a: Matrix, b: Matrix) -> Matrix:
    return np.kron(a, b)


def _commutation(n: Node) -> Matrix:
    m, k = n.dims()
    made = np.zeros((m * k, m * k))
    for i in range(m):
        for j in range(k):
            made[i * k + j, j * m + i] = 1
    return made


def _duplication(n: Node) -> Matrix:
    (k,) = n.dims()
    pairs = [(i, j) for j in range(k) for i in range(j, k)]
    made = np.zeros((k * k, len(pairs)))
    for column, (i, j) in enumerate(pairs):
        made[j * k + i, column] = made[i * k + j, column] = 1
    return made


def _elimination(n: Node) -> Matrix:
    (k,) = n.dims()
    pairs = [(i, j) for j in range(k) for i in range(j, k)]
    made = np.zeros((len(pairs), k * k))
    for row, (i, j) in enumerate(pairs):
        made[row, j * k + i] = 1
    return made


def _axis(n: Node, f: Callable[..., Matrix], a: Matrix) -> Matrix:
    axis = n.attrs[0]
    made = f(a, axis=None if axis in (None, "all") else axis, keepdims=True)
    return made


def _logsumexp(a: Matrix, axis: int | None, keepdims: bool) -> Matrix:
    return np.logaddexp.reduce(a, axis=axis, keepdims=True) if axis is not None else np.logaddexp.reduce(
        a.ravel()).reshape(1, 1)  # fmt: skip


def _softmax(a: Matrix, axis: int | None, keepdims: bool) -> Matrix:
    return np.exp(a - _logsumexp(a, axis, True))


def _block(n: Node, *args: Matrix) -> Matrix:
    rows, start = [], 0
    for count in n.attrs:
        rows.append(np.hstack(args[start : start + count]))
        start += count
    return np.vstack(rows)


def _index(n: Node, a: Matrix) -> Matrix:
    i, j = n.attrs
    a = a if i is None else a[i - 1 : i]
    return a if j is None else a[:, j - 1 : j]


def _adjugate(n: Node, a: Matrix) -> Matrix:
    size = len(a)
    made = np.empty((size, size))
    for i in range(size):
        for j in range(size):
            minor = np.delete(np.delete(a, i, 0), j, 1)
            made[j, i] = (-1) ** (i + j) * (np.linalg.det(minor) if size > 1 else 1.0)
    return made


def _expm(n: Node, a: Matrix) -> Matrix:
    made = term = np.eye(len(a))
    small = a / 1024
    for k in range(1, 30):
        term = term @ small / k
        made = made + term
    return np.linalg.matrix_power(made, 1024)


def _eq(n: Node, a: Matrix, b: Matrix) -> Matrix:
    x, y = n.e.args
    for whole, other, m in ((x, y, a), (y, x, b)):
        if other.op in ("maxall", "minall") and other.args[0] is whole and not whole.is_scalar:
            flat = m.ravel(order="F")
            mark = np.zeros(flat.shape)
            mark[np.argmax(flat) if other.op == "maxall" else np.argmin(flat)] = 1
            return mark.reshape(m.shape, order="F")
    return a == b


def _sigmoid(a: Matrix) -> Matrix:
    return np.exp(-np.logaddexp(0, -a))


def _each(f: Callable[[Matrix], Matrix]) -> Callable[..., Matrix]:
    return lambda n, a: f(a)


def _hadamard(n: Node, *args: Matrix) -> Matrix:
    made = args[0]
    for a in args[1:]:
        made = made * a
    return made


OPERATORS: dict[str, Callable[..., Matrix]] = {
    "sym": lambda n: n.symbols[n.e.name],
    "num": lambda n: float(n.attrs[0]),
    "pi": lambda n: math.pi,
    "dim": lambda n: n.dims()[0],
    "eye": lambda n: np.eye(n.dims()[0]),
    "ones": lambda n: np.ones(n.dims()),
    "zeros": lambda n: np.zeros(n.dims()),
    "unit": lambda n: np.eye(n.attrs[1].value(n.sizes))[:, n.attrs[0] - 1 : n.attrs[0]],
    "K": _commutation,
    "dup": _duplication,
    "elim": _elimination,
    "add": lambda n, *args: sum(args[1:], args[0]),
    "neg": lambda n, a: -a,
    "mul": _product,
    "div": lambda n, a, s: a / s,
    "had": _hadamard,
    "hdiv": lambda n, a, b: a / b,
    "pow": _power,
    "power": lambda n, s, t: s**t,
    "hpow": lambda n, a: a ** float(n.attrs[0]),
    "hpower": lambda n, a, t: a**t,
    "T": lambda n, a: a.T,
    "kron": _kron,
    "eq": _eq,
    "ge": lambda n, a, b: a >= b,
    "gt": lambda n, a, b: a > b,
    "le": lambda n, a, b: a <= b,
    "lt": lambda n, a, b: a < b,
    "max": lambda n, a, b: np.maximum(a, b),
    "min": lambda n, a, b: np.minimum(a, b),
    "tr": lambda n, a: np.trace(a),
    "det": lambda n, a: np.linalg.det(a),
    "logdet": lambda n, a: np.linalg.slogdet(a)[1],
    "norm": lambda n, a: np.sqrt((a * a).sum()),
    "norm1": lambda n, a: np.abs(a).sum(),
    "maxall": lambda n, a: a.max(),
    "minall": lambda n, a: a.min(),
    "sum": lambda n, a: _axis(n, np.sum, a),
    "mean": lambda n, a: _axis(n, np.mean, a),
    "logsumexp": lambda n, a: _axis(n, _logsumexp, a),
    "softmax": lambda n, a: _axis(n, _softmax, a),
    "adj": _adjugate,
    "pinv": lambda n, a: np.linalg.pinv(a),
    "expm": _expm,
    "vec": lambda n, a: a.reshape(-1, 1, order="F"),
    "tril": lambda n, a: np.tril(a),
    "triu": lambda n, a: np.triu(a),
    "diagm": lambda n, a: np.diag(a[:, 0]),
    "diagv": lambda n, a: np.diag(a)[:, None],
    "block": _block,
    "index": _index,
    **{name: _each(getattr(np, name)) for name in (
        "exp", "log", "log1p", "sqrt", "sin", "cos", "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh",
        "abs", "sign")},
    "relu": lambda n, a: np.maximum(a, 0),
    "sigmoid": _each(_sigmoid),
    "softplus": lambda n, a: np.logaddexp(0, a),
    "erf": _each(ERF),
}  # fmt: skip


def stored(e: Expr, matrix: Matrix) -> Matrix:
    """A matrix as an argument or result of generated code: a column has one axis, a scalar none."""
    if e.is_scalar:
        return matrix[0, 0]
    return matrix[:, 0] if e.shape[1] is ONE else matrix
