"""Values of expressions at high precision, the referee of floating point.

In: an expression and one value for every symbol. Out: a matrix of mpmath numbers, 50 digits by default.

Written with mpmath (imported when first used) on arrays of its numbers, and by other formulas than
mcalc/verify/numeric.py where there are others: determinants and inverses by Gaussian elimination, adjugates by
Faddeev-LeVerrier, softmax and logsumexp by their definitions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from mcalc.algebra.expr import Expr, fold
from mcalc.errors import UsageError
from mcalc.verify.layout import LAYOUT, Sizes, kron, transpose
from mcalc.verify.numeric import axes, infer_sizes

Precise: TypeAlias = npt.NDArray[Any]
"""An object array (1, rows, columns) of mpmath numbers."""
Rule: TypeAlias = Callable[[Any, Expr, Sequence[Precise]], Precise]
"""A rule is told the mpmath module."""


def evaluate_mp(
    root: Expr, values: Mapping[Expr, npt.ArrayLike], sizes: Sizes | None = None, digits: int = 50
) -> Precise:
    """The value of an expression, an object array (rows, columns) of mpmath numbers.

    Outside the real domain of a function the value is nan. Raises UsageError where a symbol has no value.
    """
    mpmath: Any = import_module("mpmath")
    given: dict[Expr, Precise] = {}
    with mpmath.workdps(digits):
        for symbol, value in values.items():
            array = np.array(value, dtype=object)
            array = array.reshape(array.shape if array.ndim == 2 else (-1, 1))
            given[symbol] = _each(mpmath.mpf)(array)[None]
        known = {**infer_sizes(given), **(sizes or {})}

        def combine(node: Expr, args: list[Precise]) -> Precise:
            if node in given:
                return given[node]
            if node.op in LAYOUT:
                return np.asarray(LAYOUT[node.op](node, args, known) * mpmath.mpf(1))
            if node.op == "dim":
                return _scalar(mpmath.mpf(node.attrs[0].value(known)))
            if node.op not in PRECISE:
                raise UsageError(f"no value is given for {node}")
            return PRECISE[node.op](mpmath, node, args)

        return np.asarray(fold(root, combine, dict(given))[0])


def _scalar(value: Any) -> Precise:
    array = np.empty((1, 1, 1), dtype=object)
    array[0, 0, 0] = value
    return array


def _each(f: Callable[..., Any]) -> Callable[..., Precise]:
    return np.vectorize(f, otypes=[object])


def _matmul(a: Precise, b: Precise) -> Precise:
    return np.asarray(np.matmul(a, b))


def _matrix(mp: Any, a: Precise) -> Any:
    return mp.matrix(a[0].tolist())


def _array(m: Any) -> Precise:
    return np.array(m.tolist(), dtype=object).reshape(1, m.rows, m.cols)


def _inverse(mp: Any, a: Precise) -> Precise:
    return _array(mp.inverse(_matrix(mp, a)))


def _total(a: Precise, axis: object) -> Precise:
    return np.asarray(a.sum(axis=axes(axis), keepdims=True))


def _real(mp: Any, f: Callable[..., Any]) -> Callable[..., Any]:
    """f, or nan where its value is not real."""

    def rule(*args: Any) -> Any:
        value = f(*args)
        return mp.nan if isinstance(value, mp.mpc) else mp.mpf(value)

    return rule


def _elementwise(f: Callable[[Any, Any], Any]) -> Rule:
    return lambda mp, e, args: _each(_real(mp, lambda x: f(mp, x)))(args[0])


def _pair(f: Callable[[Any, Any, Any], Any]) -> Rule:
    return lambda mp, e, args: _each(_real(mp, lambda x, y: f(mp, x, y)))(args[0], args[1])


def _power(mp: Any, e: Expr, args: Sequence[Precise]) -> Precise:
    exponent = e.attrs[0]
    if e.op == "hpow" or e.is_scalar:
        power = mp.mpf(exponent.numerator) / exponent.denominator
        return _each(_real(mp, lambda x: mp.power(x, power)))(args[0])
    base = args[0] if exponent >= 0 else _inverse(mp, args[0])
    return np.asarray(np.linalg.matrix_power(base[0], abs(int(exponent)))[None])


def _mul(mp: Any, e: Expr, args: Sequence[Precise]) -> Precise:
    matrix: Precise | None = None
    scale: Any = mp.mpf(1)
    for arg, value in zip(e.args, args, strict=True):
        if arg.is_scalar:
            scale = scale * value
        else:
            matrix = value if matrix is None else _matmul(matrix, value)
    return np.asarray(scale if matrix is None else scale * matrix)


def _adjugate(mp: Any, e: Expr, args: Sequence[Precise]) -> Precise:
    a = args[0]
    n = a.shape[-1]
    eye = np.eye(n, dtype=int)[None] * mp.mpf(1)
    m = eye
    for k in range(1, n):
        product = _matmul(a, m)
        m = product - eye * (np.trace(product[0]) / k)
    return np.asarray(m if n % 2 else -m)


def _pseudo_inverse(mp: Any, e: Expr, args: Sequence[Precise]) -> Precise:
    """Decell's form of Faddeev-LeVerrier; what is zero to four fifths of the digits is zero."""
    a = args[0]
    gram = _matmul(a, transpose(a))
    eye = np.eye(a.shape[1], dtype=int)[None] * mp.mpf(1)
    size = abs(np.trace(gram[0])) + mp.mpf(10) ** -mp.mp.dps
    m = eye
    last, scale = m, mp.inf
    for k in range(1, a.shape[1] + 1):
        product = _matmul(gram, m)
        c = np.trace(product[0]) / k
        if abs(c) <= size**k * mp.mpf(10) ** (-4 * mp.mp.dps // 5):
            break
        last, scale = m, c
        m = product - eye * c
    return np.asarray(_matmul(transpose(a), last) / scale)


def _norm(mp: Any, e: Expr, args: Sequence[Precise]) -> Precise:
    return _each(mp.sqrt)(_total(args[0] * args[0], None))


def _logdet(mp: Any, e: Expr, args: Sequence[Precise]) -> Precise:
    return _scalar(mp.log(abs(mp.det(_matrix(mp, args[0])))))


def _sum_of(mp: Any, e: Expr, args: Sequence[Precise]) -> Precise:
    total = args[0]
    for value in args[1:]:
        total = total + value
    return total


def _product_of(mp: Any, e: Expr, args: Sequence[Precise]) -> Precise:
    total = args[0]
    for value in args[1:]:
        total = total * value
    return total


def _mean(mp: Any, e: Expr, args: Sequence[Precise]) -> Precise:
    total = _total(args[0], e.attrs[0])
    return np.asarray(total * total.size / mp.mpf(args[0].size))


# fmt: off
PRECISE: dict[str, Rule] = {
    "num":   lambda mp, e, args: _scalar(mp.mpf(e.attrs[0].numerator) / e.attrs[0].denominator),
    "pi":    lambda mp, e, args: _scalar(+mp.pi),
    "add":   _sum_of,          "had":   _product_of,      "mul":  _mul,            "pow": _power,      "hpow": _power,
    "neg":   lambda mp, e, args: -args[0],
    "div":   _pair(lambda mp, x, y: x / y),               "hdiv": _pair(lambda mp, x, y: x / y),
    "power": _pair(lambda mp, x, y: mp.power(x, y)),      "hpower": _pair(lambda mp, x, y: mp.power(x, y)),
    "eq":    _pair(lambda mp, x, y: x == y),              "ge":   _pair(lambda mp, x, y: x >= y),
    "gt":    _pair(lambda mp, x, y: x > y),               "le":   _pair(lambda mp, x, y: x <= y),
    "lt":    _pair(lambda mp, x, y: x < y),
    "max":   _pair(lambda mp, x, y: max(x, y)),           "min":  _pair(lambda mp, x, y: min(x, y)),
    "kron":  lambda mp, e, args: kron(args[0], args[1]),
    "tr":    lambda mp, e, args: _scalar(np.trace(args[0][0])),
    "det":   lambda mp, e, args: _scalar(mp.det(_matrix(mp, args[0]))),
    "logdet": _logdet,         "adj":   _adjugate,        "pinv": _pseudo_inverse, "norm": _norm,
    "norm1": lambda mp, e, args: _total(abs(args[0]), None),
    "sum":   lambda mp, e, args: _total(args[0], e.attrs[0]),
    "mean":  _mean,
    "maxall": lambda mp, e, args: _scalar(max(args[0].ravel())),
    "minall": lambda mp, e, args: _scalar(min(args[0].ravel())),
    "logsumexp": lambda mp, e, args: _each(mp.log)(_total(_each(mp.exp)(args[0]), e.attrs[0])),
    "softmax": lambda mp, e, args: _each(mp.exp)(args[0]) / _total(_each(mp.exp)(args[0]), e.attrs[0]),
    "expm":  lambda mp, e, args: _array(mp.expm(_matrix(mp, args[0]))),
    "exp":   _elementwise(lambda mp, x: mp.exp(x)),       "log":  _elementwise(lambda mp, x: mp.log(x)),
    "log1p": _elementwise(lambda mp, x: mp.log(1 + x)),   "sqrt": _elementwise(lambda mp, x: mp.sqrt(x)),
    "sin":   _elementwise(lambda mp, x: mp.sin(x)),       "cos":  _elementwise(lambda mp, x: mp.cos(x)),
    "tan":   _elementwise(lambda mp, x: mp.tan(x)),       "arcsin": _elementwise(lambda mp, x: mp.asin(x)),
    "arccos": _elementwise(lambda mp, x: mp.acos(x)),     "arctan": _elementwise(lambda mp, x: mp.atan(x)),
    "sinh":  _elementwise(lambda mp, x: mp.sinh(x)),      "cosh": _elementwise(lambda mp, x: mp.cosh(x)),
    "tanh":  _elementwise(lambda mp, x: mp.tanh(x)),      "abs":  _elementwise(lambda mp, x: abs(x)),
    "sign":  _elementwise(lambda mp, x: mp.sign(x)),      "relu": _elementwise(lambda mp, x: max(x, mp.mpf(0))),
    "erf":   _elementwise(lambda mp, x: mp.erf(x)),
    "sigmoid": _elementwise(lambda mp, x: 1 / (1 + mp.exp(-x))),
    "softplus": _elementwise(lambda mp, x: mp.log(1 + mp.exp(x))),
}
# fmt: on
