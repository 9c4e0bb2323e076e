"""The functions of the mcalc language on two-dimensional arrays of NumPy or JAX."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .syntax import OracleError
from .values import Context, Fitted, array_of, as_matrix, fit, inverse, is_scalar, kron, multiply, value_of

_erf = np.vectorize(math.erf, otypes=[float])


def _scalar(value: Any, xp: Any) -> Any:
    return xp.reshape(value, (1, 1))


def _softplus(x: Any, xp: Any) -> Any:
    return xp.logaddexp(0.0, x)


def _sigmoid(x: Any, xp: Any) -> Any:
    return 1 / (1 + xp.exp(-x))


def _error_function(x: Any, xp: Any) -> Any:
    if xp is np:
        return _erf(x)
    from jax.scipy.special import erf

    return erf(x)


ELEMENTWISE = {
    "relu": lambda x, xp: xp.where(x > 0, x, 0.0),
    "sigmoid": _sigmoid,
    "softplus": _softplus,
    "erf": _error_function,
    "sign": lambda x, xp: xp.sign(x),
    "abs": lambda x, xp: xp.abs(x),
}
PLAIN = ("exp", "log", "log1p", "sqrt", "sin", "cos", "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh")
for _word in PLAIN:
    ELEMENTWISE[_word] = lambda x, xp, _word=_word: getattr(xp, _word)(x)


def expm(matrix: Any, xp: Any) -> Any:
    """Scaling and squaring of the Taylor series: the same graph for every matrix."""
    scaled = matrix / 64
    total = term = xp.eye(matrix.shape[0])
    for k in range(1, 20):
        term = term @ scaled / k
        total = total + term
    for _ in range(6):
        total = total @ total
    return total


def _logdet(context: Context, x: Any) -> Any:
    return _scalar(context.xp.linalg.slogdet(context.condition(x))[1], context.xp)


def _det(context: Context, x: Any) -> Any:
    return _scalar(context.xp.linalg.det(context.condition(x)), context.xp)


def _adjugate(context: Context, x: Any) -> Any:
    return _det(context, x) * context.xp.linalg.inv(x)


def _pinv(context: Context, x: Any) -> Any:
    """By the normal equations: exact to differentiate where x has full rank."""
    if x.shape[0] >= x.shape[1]:
        return context.xp.linalg.inv(context.condition(x.T @ x)) @ x.T
    return x.T @ context.xp.linalg.inv(context.condition(x @ x.T))


def _diag(context: Context, x: Any) -> Any:
    if x.shape[1] == 1:
        return context.xp.eye(x.shape[0]) * x
    if x.shape[0] != x.shape[1]:
        raise OracleError("diag of a rectangular matrix")
    return (context.xp.eye(x.shape[0]) * x).sum(axis=1, keepdims=True)


def _trace(context: Context, x: Any) -> Any:
    if x.shape[0] != x.shape[1]:
        raise OracleError(f"the trace of shape {x.shape}")
    return _scalar(context.xp.trace(x), context.xp)


def _bars(context: Context, x: Any) -> Any:
    return context.xp.abs(x) if is_scalar(x) else _det(context, x)


MATRIX = {
    "tr": _trace,
    "det": _det,
    "logdet": _logdet,
    "bars": _bars,
    "inv": inverse,
    "adj": _adjugate,
    "pinv": _pinv,
    "diag": _diag,
    "tril": lambda context, x: context.xp.tril(x),
    "triu": lambda context, x: context.xp.triu(x),
    "vec": lambda context, x: x.T.reshape(-1, 1),
    "expm": lambda context, x: expm(x, context.xp),
    "norm": lambda context, x: _scalar(context.xp.sqrt((x * x).sum()), context.xp),
    "norm1": lambda context, x: _scalar(context.xp.abs(x).sum(), context.xp),
}


def logsumexp(x: Any, xp: Any, axis: int | None) -> Any:
    top = x.max(axis=axis, keepdims=True)
    return top + xp.log(xp.exp(x - top).sum(axis=axis, keepdims=True))


def softmax(x: Any, xp: Any, axis: str | None) -> Any:
    over = {"0": 0, "1": 1, "all": None}[axis] if axis is not None else 0 if x.shape[1] == 1 else 1
    powers = xp.exp(x - x.max(axis=over, keepdims=True))
    return powers / powers.sum(axis=over, keepdims=True)


def reduction(name: str, x: Any, xp: Any, axis: str | None) -> Any:
    over = None if axis in (None, "all") else int(axis)
    if name == "logsumexp":
        return logsumexp(x, xp, over)
    if name == "max":
        return x.max(axis=over, keepdims=True)
    if name == "min":
        return x.min(axis=over, keepdims=True)
    return (x.sum if name == "sum" else x.mean)(axis=over, keepdims=True)


def call(context: Context, node: tuple, want: tuple) -> Any:
    """The value of a function call."""
    _, name, args, axis = node
    xp = context.xp
    if name in ELEMENTWISE:
        return ELEMENTWISE[name](array_of(context, args[0], want), xp)
    values = [value_of(context, arg) for arg in args]
    if len(values) == 2:
        return two(context, name, values[0], values[1], want)
    if name == "inv":
        return inverse(context, values[0])
    if isinstance(values[0], Fitted) and name in ("adj", "pinv", "expm", "softmax", "tril", "triu"):
        values[0] = fit(values[0], want, xp)
    value = fit(values[0], (None, None), xp)
    if name in MATRIX:
        return MATRIX[name](context, value)
    if name == "softmax":
        return softmax(value, xp, axis)
    return reduction(name, value, xp, axis)


def two(context: Context, name: str, left: Any, right: Any, want: tuple) -> Any:
    """Functions of two arguments."""
    xp = context.xp
    if name == "kron":
        return kron(context, left, right, want)
    if name == "outer":
        return multiply(left, right.T)
    if name == "dot":
        return as_matrix((left * right).sum(), xp)
    shape = next((v.shape for v in (left, right) if hasattr(v, "shape") and v.shape != (1, 1)), want)
    left, right = fit(left, shape, xp), fit(right, shape, xp)
    if left.shape != right.shape and not (is_scalar(left) or is_scalar(right)):
        raise OracleError(f"{name} of shapes {left.shape} and {right.shape}")
    if name == "max":
        return xp.where(left >= right, left, right)
    if name == "min":
        return xp.where(left <= right, left, right)
    raise OracleError(f"{name} of two arguments")
