"""Values of the trees of `syntax`: every value is a two-dimensional array, a scalar is 1 × 1."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .syntax import OracleError, parse, split_definitions


class NeedsSize(OracleError):
    """An identity (or all-ones) matrix whose size nothing tells yet."""


class IllConditioned(OracleError):
    """A matrix that is nearly singular is inverted: choose another point."""


@dataclass(frozen=True)
class Fitted:
    """`scale` times an identity, or a matrix of ones, of the size that fits."""

    scale: Any
    ones: bool = False


@dataclass
class Context:
    """What names stand for: symbols, dimensions, differentials, definitions; and the array library."""

    env: dict[str, Any]
    sizes: dict[str, int] = field(default_factory=dict)
    denv: dict[str, Any] = field(default_factory=dict)
    definitions: dict[str, str] = field(default_factory=dict)
    xp: Any = np
    differentiate: Callable[[Context, tuple], Any] | None = None
    guard: float = 1e9
    trees: dict[str, tuple] = field(default_factory=dict)
    memo: dict[str, Any] = field(default_factory=dict)

    def tree(self, text: str) -> tuple:
        if text not in self.trees:
            self.trees[text] = parse(text, {*self.env, *self.definitions}, self.sizes, bool(self.denv))
        return self.trees[text]

    def with_env(self, env: dict[str, Any], xp: Any) -> Context:
        return Context(env, self.sizes, self.denv, self.definitions, xp, self.differentiate, math.inf, self.trees)

    def condition(self, matrix: Any) -> Any:
        """The matrix itself; an error where it is square and nearly singular (NumPy values only)."""
        if matrix.shape[0] != matrix.shape[1]:
            raise OracleError(f"a square matrix is needed, not {matrix.shape}")
        if isinstance(matrix, np.ndarray) and np.isfinite(self.guard):
            if not np.all(np.isfinite(matrix)):
                raise IllConditioned("not finite")
            if np.linalg.cond(matrix) > self.guard:
                raise IllConditioned("nearly singular")
        return matrix


def as_matrix(value: Any, xp: Any = np) -> Any:
    array = xp.asarray(value, dtype=float)
    return array.reshape(-1, 1) if array.ndim < 2 else array


def fit(value: Any, shape: tuple[int | None, int | None], xp: Any) -> Any:
    """The value as an array; one of an open size takes the shape."""
    if not isinstance(value, Fitted):
        return value
    rows, columns = shape
    if value.ones:
        if rows is None or columns is None:
            raise NeedsSize("ones of an unknown size")
        return value.scale * xp.ones((rows, columns))
    size = rows if rows is not None else columns
    if size is None or (columns is not None and columns != size):
        raise NeedsSize(f"an identity of shape {shape}")
    return value.scale * xp.eye(size)


def value_of(context: Context, node: tuple, want: tuple = (None, None)) -> Any:
    """The value of a tree, an array or a `Fitted`."""
    return HANDLERS[node[0]](context, node, want)


def array_of(context: Context, node: tuple, want: tuple = (None, None)) -> Any:
    return fit(value_of(context, node, want), want, context.xp)


def is_scalar(value: Any) -> bool:
    return not isinstance(value, Fitted) and value.shape == (1, 1)


def _name(context: Context, node: tuple, want: tuple) -> Any:
    name = node[1]
    if name in context.env:
        return context.env[name]
    if name in context.definitions:
        if name not in context.memo:
            context.memo[name] = value_of(context, context.tree(context.definitions[name]))
        return context.memo[name]
    if name in context.sizes:
        return as_matrix(context.sizes[name], context.xp)
    raise OracleError(f"{name!r} has no value")


def _differential_name(context: Context, node: tuple, want: tuple) -> Any:
    name = node[1]
    if name in context.denv:
        return context.denv[name]
    if name in context.definitions:
        return _differential(context, ("d", ("name", name)), want)
    if name in context.env:
        return 0 * context.env[name]
    raise OracleError(f"d{name} has no value")


def _differential(context: Context, node: tuple, want: tuple) -> Any:
    if context.differentiate is None:
        raise OracleError("d(…) without a direction")
    return context.differentiate(context, node[1])


def dimension(context: Context, node: tuple) -> int:
    return round(float(value_of(context, node)[0, 0]))


def _const(context: Context, node: tuple, want: tuple) -> Any:
    kind, xp = node[1], context.xp
    if kind == "pi":
        return as_matrix(math.pi, xp)
    if kind == "fit" or not node[2]:
        return Fitted(as_matrix(1.0, xp), ones=kind == "fit")
    args = [dimension(context, arg) for arg in node[2]]
    if kind == "I":
        return xp.eye(args[0])
    if kind == "e":
        return xp.eye(args[1])[:, args[0] - 1 : args[0]]
    if kind == "K":
        rows, columns = args
        order = np.arange(rows * columns).reshape(rows, columns, order="F").ravel()
        return xp.asarray(np.eye(rows * columns)[order])
    if kind in ("dup", "elim"):
        (n,) = args
        order = [(i, j) for j in range(n) for i in range(n)]
        below = [(i, j) for i, j in order if i >= j]
        same = [[place == kept or (kind == "dup" and place == kept[::-1]) for kept in below] for place in order]
        made = np.array(same, dtype=float)
        return xp.asarray(made.T if kind == "elim" else made)
    return (xp.ones if kind == "ones" else xp.zeros)((args[0], args[1] if len(args) > 1 else 1))


def _sum(context: Context, node: tuple, want: tuple) -> Any:
    values, late = [], []
    for _, term in node[1]:
        try:
            value = value_of(context, term)
        except NeedsSize:
            late.append(len(values))
            value = term
        values.append(value)
    shapes = {value.shape for value in values if hasattr(value, "shape") and value.shape != (1, 1)}
    if len(shapes) > 1:
        raise OracleError(f"a sum of shapes {sorted(shapes)}")
    shape = shapes.pop() if shapes else want
    for place in late:
        values[place] = array_of(context, values[place], shape)
    fitted = [isinstance(value, Fitted) for value in values]
    if all(fitted) and None in shape:
        total = sum(value.scale * (1 if sign == "+" else -1) for (sign, _), value in zip(node[1], values, strict=True))
        return Fitted(total, values[0].ones)
    if any(fitted) and None in shape:
        raise NeedsSize("a sum of an unknown size")
    total = 0
    for (sign, _), value in zip(node[1], values, strict=True):
        value = fit(value, shape, context.xp)
        total = total + value if sign == "+" else total - value
    return total


def _chain(context: Context, node: tuple, want: tuple) -> Any:
    factors = node[1]
    values: list[Any] = []
    for _, factor in factors:
        try:
            values.append(value_of(context, factor))
        except NeedsSize:
            values.append(None)
    for place, value in enumerate(values):
        if value is None:
            shapes = [getattr(v, "shape", None) for v in values]
            left = next((s[1] for s in reversed(shapes[:place]) if s and s != (1, 1)), want[0])
            right = next((s[0] for s in shapes[place + 1 :] if s and s != (1, 1)), want[1])
            values[place] = value_of(context, factors[place][1], (left, right))
    total, elementwise = values[0], False
    for (operator, _), value in zip(factors[1:], values[1:], strict=True):
        if operator == "*":
            if elementwise and not (is_scalar(total) or is_scalar(value)):
                raise OracleError("ambiguous: a matrix product after an elementwise operator")
            total = multiply(total, value)
        elif operator == "/":
            if not is_scalar(value):
                raise OracleError("division by a matrix")
            total = Fitted(total.scale / value, total.ones) if isinstance(total, Fitted) else total / value
        else:
            elementwise = True
            total = _elementwise_product(context, operator, total, value, want)
    return total


def multiply(left: Any, right: Any) -> Any:
    if isinstance(left, Fitted) and isinstance(right, Fitted):
        return Fitted(left.scale * right.scale, left.ones or right.ones)
    if isinstance(left, Fitted) or isinstance(right, Fitted):
        fitted, other = (left, right) if isinstance(left, Fitted) else (right, left)
        if is_scalar(other):
            return Fitted(fitted.scale * other, fitted.ones)
        if fitted.ones:
            raise NeedsSize("ones of an unknown size in a product")
        return fitted.scale * other
    if is_scalar(left) or is_scalar(right):
        return left * right
    if left.shape[1] != right.shape[0]:
        raise OracleError(f"a product of shapes {left.shape} and {right.shape}")
    return left @ right


def _elementwise_product(context: Context, operator: str, left: Any, right: Any, want: tuple) -> Any:
    xp = context.xp
    if operator == "kron":
        return kron(context, left, right, want)
    shape = next((v.shape for v in (left, right) if not isinstance(v, Fitted) and v.shape != (1, 1)), want)
    left, right = fit(left, shape, xp), fit(right, shape, xp)
    if left.shape != right.shape and not (is_scalar(left) or is_scalar(right)):
        raise OracleError(f"an elementwise product of shapes {left.shape} and {right.shape}")
    return left * right if operator == ".*" else left / right


def kron(context: Context, left: Any, right: Any, want: tuple) -> Any:
    if isinstance(left, Fitted) or isinstance(right, Fitted):
        other = right if isinstance(left, Fitted) else left
        if isinstance(other, Fitted):
            raise NeedsSize("a Kronecker product of identities")
        sizes = [w // s if w is not None else None for w, s in zip(want, other.shape, strict=True)]
        left, right = fit(left, tuple(sizes), context.xp), fit(right, tuple(sizes), context.xp)
    return context.xp.kron(left, right)


def _negative(context: Context, node: tuple, want: tuple) -> Any:
    value = value_of(context, node[1], want)
    return Fitted(-value.scale, value.ones) if isinstance(value, Fitted) else -value


def _transpose(context: Context, node: tuple, want: tuple) -> Any:
    value = value_of(context, node[1], want[::-1])
    return value if isinstance(value, Fitted) else value.T


def inverse(context: Context, value: Any) -> Any:
    if isinstance(value, Fitted):
        return Fitted(1 / value.scale)
    return context.xp.linalg.inv(context.condition(value))


def _inverse(context: Context, node: tuple, want: tuple) -> Any:
    return inverse(context, value_of(context, node[1], want))


def _power(context: Context, node: tuple, want: tuple) -> Any:
    base, exponent = value_of(context, node[1], want), value_of(context, node[2])
    if isinstance(base, Fitted):
        return Fitted(base.scale**exponent)
    if is_scalar(base):
        return _real_power(base, node[2], exponent)
    power = float(exponent[0, 0])
    if power != int(power) or base.shape[0] != base.shape[1]:
        raise OracleError(f"the power {power} of a matrix of shape {base.shape}")
    total = context.xp.eye(base.shape[0])
    for _ in range(abs(int(power))):
        total = total @ base
    return total if power >= 0 else context.xp.linalg.inv(context.condition(total))


def _real_power(base: Any, node: tuple, exponent: Any) -> Any:
    """Integer exponents as such: automatic differentiation of x^k is exact for negative x."""
    sign = 1
    while node[0] == "neg":
        node, sign = node[1], -sign
    if node[0] == "num" and node[1] == int(node[1]):
        return base ** (sign * int(node[1]))
    return base**exponent


def _elementwise_power(context: Context, node: tuple, want: tuple) -> Any:
    base = fit(value_of(context, node[1], want), want, context.xp)
    return _real_power(base, node[2], value_of(context, node[2]))


def _index(context: Context, node: tuple, want: tuple) -> Any:
    value = value_of(context, node[1])
    rows, columns = (slice(None) if part is None else dimension(context, part) for part in node[2:])
    rows = slice(rows - 1, rows) if isinstance(rows, int) else rows
    columns = slice(columns - 1, columns) if isinstance(columns, int) else columns
    return value[rows, columns]


def _block(context: Context, node: tuple, want: tuple) -> Any:
    rows = []
    for row in node[1]:
        values = [value_of(context, part) for part in row]
        rows.append(values)
    height = [next((v.shape[0] for v in row if hasattr(v, "shape")), None) for row in rows]
    width = [next((row[j].shape[1] for row in rows if hasattr(row[j], "shape")), None) for j in range(len(rows[0]))]
    filled = [
        context.xp.concatenate([fit(v, (height[i], width[j]), context.xp) for j, v in enumerate(row)], axis=1)
        for i, row in enumerate(rows)
    ]
    return context.xp.concatenate(filled, axis=0)


def _compare(context: Context, node: tuple, want: tuple) -> Any:
    left, right = (array_of(context, part, want) for part in node[2:])
    if left.shape != right.shape and not (is_scalar(left) or is_scalar(right)):
        raise OracleError(f"a comparison of shapes {left.shape} and {right.shape}")
    compare = {
        "==": context.xp.equal,
        ">": context.xp.greater,
        ">=": context.xp.greater_equal,
        "<": context.xp.less,
        "<=": context.xp.less_equal,
    }[node[1]]
    return compare(left, right).astype(float)


def _call(context: Context, node: tuple, want: tuple) -> Any:
    from .functions import call

    return call(context, node, want)


HANDLERS: dict[str, Callable[[Context, tuple, tuple], Any]] = {
    "num": lambda context, node, want: as_matrix(node[1], context.xp),
    "name": _name,
    "dname": _differential_name,
    "d": _differential,
    "const": _const,
    "sum": _sum,
    "chain": _chain,
    "neg": _negative,
    "T": _transpose,
    "inv": _inverse,
    "invT": lambda context, node, want: _transpose(context, ("T", ("inv", node[1])), want),
    "pow": _power,
    "epow": _elementwise_power,
    "index": _index,
    "block": _block,
    "cmp": _compare,
    "call": _call,
}


def make_context(
    env: dict[str, Any], sizes: dict[str, int] | None = None, denv: dict[str, Any] | None = None, xp: Any = np
) -> Context:
    from .syntax import canonical

    return Context(
        {canonical(name): as_matrix(value, xp) for name, value in env.items()},
        {canonical(name): size for name, size in (sizes or {}).items()},
        {canonical(name): as_matrix(value, xp) for name, value in (denv or {}).items()},
        xp=xp,
    )


def define(context: Context, text: str) -> str:
    """Takes definitions that stand before an expression into the context; the expression."""
    definitions, expression = split_definitions(text)
    context.definitions.update(definitions)
    return expression


def evaluate(
    text: str,
    env: dict[str, Any],
    sizes: dict[str, int] | None = None,
    shape: tuple[int, int] | None = None,
    guard: float = 1e9,
) -> np.ndarray:
    """The value of an expression as a two-dimensional array; `shape` is that of an open identity.

    Inverses and determinants of matrices with a condition number above `guard` are an error."""
    context = make_context(env, sizes)
    context.guard = guard
    tree = context.tree(define(context, text))
    return np.asarray(array_of(context, tree, shape or (None, None)))
