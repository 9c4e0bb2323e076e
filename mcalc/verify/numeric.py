"""Floating-point values of expressions.

In: expressions and a value for every symbol. Out: the value of each expression, float64.

Arrays are (points, rows, columns): a whole stencil of points is one evaluation, and what does not vary has a
leading axis of length one. Vectors are n x 1, scalars 1 x 1. Outside its domain a function is NaN or infinite, never
an error. Kinks follow LANGUAGE.md: sign(0) = 0, relu(0) = 0, a tie of `max` counts for the first argument.
`softmax`, `logsumexp`, `softplus`, `sigmoid` and `norm` are in the forms that do not overflow.

References: the adjugate through the singular value decomposition, Stewart 1998 (Linear Algebra Appl. 283);
expm by scaling and squaring with the [13/13] Pade approximant, Higham 2005 (SIAM J. Matrix Anal. Appl. 26).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, overload

import numpy as np
import numpy.typing as npt

from mcalc.algebra.expr import Expr
from mcalc.algebra.shape import Dim
from mcalc.errors import ShapeError, UsageError
from mcalc.verify.layout import LAYOUT, Sizes, kron, transpose

Real: TypeAlias = npt.NDArray[np.float64]
Rule: TypeAlias = Callable[[Expr, Sequence[Real], Sizes], Real]


# --- elementwise ------------------------------------------------------------------------------------------------------


def sigmoid(x: Real) -> Real:
    """1 / (1 + exp(-x)), without overflow and with full relative accuracy on both sides."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + small), small / (1 + small)) + 0 * x


def softplus(x: Real) -> Real:
    """log(1 + exp(x))."""
    return np.logaddexp(0.0, x)


_erf = np.vectorize(math.erf, otypes=[np.float64])
_erfc = np.vectorize(math.erfc, otypes=[np.float64])


def _log1mexp(x: Real) -> Real:
    return np.where(x > -0.7, np.log(-np.expm1(x)), np.log1p(-np.exp(x)))


def _relu(x: Real) -> Real:
    return np.where(x > 0, x, 0 * x)


# fmt: off
_ELEMENTWISE: dict[str, Callable[[Real], Real]] = {
    "exp": np.exp,        "log": np.log,        "log1p": np.log1p,   "sqrt": np.sqrt,     "sin": np.sin,
    "cos": np.cos,        "tan": np.tan,        "arcsin": np.arcsin, "arccos": np.arccos, "arctan": np.arctan,
    "sinh": np.sinh,      "cosh": np.cosh,      "tanh": np.tanh,     "abs": np.abs,       "sign": np.sign,
    "relu": _relu,        "erf": _erf,          "sigmoid": sigmoid,  "softplus": softplus,
    "log1mexp": _log1mexp,
    "cosigmoid": lambda x: -1 / np.expm1(-x),
    "log_erfc": lambda x: np.log(_erfc(x)),
    "log_half_erfc": lambda x: np.log(_erfc(x) / 2),
    "erfcx": lambda x: np.exp(x * x) * _erfc(x),
}
_PAIRS: dict[str, Callable[[Real, Real], npt.NDArray[np.generic]]] = {
    "hdiv": np.divide,    "power": np.power,    "hpower": np.power,  "max": np.maximum,   "min": np.minimum,
    "eq": np.equal,       "ge": np.greater_equal, "gt": np.greater,  "le": np.less_equal, "lt": np.less,
}
# fmt: on
_COMPARISONS = frozenset({"eq", "ge", "gt", "le", "lt"})


def _function(f: Callable[[Real], Real]) -> Rule:
    return lambda e, args, sizes: f(args[0])


def _pair(op: str) -> Rule:
    f = _PAIRS[op]
    if op not in _COMPARISONS:
        return lambda e, args, sizes: f(args[0], args[1]).astype(np.float64)

    def rule(e: Expr, args: Sequence[Real], sizes: Sizes) -> Real:
        unknown = np.isnan(args[0]) | np.isnan(args[1])
        return np.where(unknown, np.nan, f(args[0], args[1]).astype(np.float64))

    return rule


def _hpow(e: Expr, args: Sequence[Real], sizes: Sizes) -> Real:
    exponent = e.attrs[0]
    if exponent.denominator == 1:
        return np.asarray(args[0] ** int(exponent) if exponent >= 0 else 1 / args[0] ** int(-exponent))
    if exponent.denominator == 2:
        return np.asarray(np.sqrt(args[0]) ** float(exponent.numerator))
    return np.power(args[0], float(exponent))


# --- matrices ---------------------------------------------------------------------------------------------------------


def _by_point(f: Callable[..., Any], *stacks: Real) -> Real:
    """f of the stacks; where one point makes LAPACK give up, the result there is NaN."""
    try:
        return np.asarray(f(*stacks))
    except np.linalg.LinAlgError:
        if stacks[0].shape[0] == 1:
            return np.full_like(stacks[0], np.nan)
        return np.concatenate([_by_point(f, *(s[k : k + 1] for s in stacks)) for k in range(stacks[0].shape[0])])


def inverse(a: Real) -> Real:
    """The inverse; NaN where singular."""
    return _by_point(np.linalg.inv, a)


def _finite(a: Real) -> Real:
    """The matrices of the stack; those that hold a NaN or an infinity become NaN as a whole result (see callers)."""
    return np.where(np.isfinite(a).all(axis=(-1, -2), keepdims=True), a, 0.0)


def _spoiled(a: Real) -> Real:
    """0 for each finite matrix of the stack, NaN for the others."""
    return np.where(np.isfinite(a).all(axis=(-1, -2), keepdims=True), 0.0, np.nan)


def adjugate(a: Real) -> Real:
    """adj(A) = det(U) det(V) V adj(S) U^T from A = U S V^T: right for singular matrices too."""
    u, s, vt = np.linalg.svd(_finite(a))
    n = s.shape[-1]
    others = np.where(np.eye(n, dtype=np.bool_), 1.0, s[..., None, :]).prod(axis=-1)
    signs = np.linalg.det(u) * np.linalg.det(vt)
    return np.asarray((transpose(vt) * (others * signs[..., None])[..., None, :]) @ transpose(u) + _spoiled(a))


def pseudo_inverse(a: Real) -> Real:
    """The Moore-Penrose inverse."""
    return np.asarray(np.linalg.pinv(_finite(a), rcond=1e-12) + _spoiled(a))


_PADE = (
    64764752532480000.0, 32382376266240000.0, 7771770303897600.0, 1187353796428800.0, 129060195264000.0,
    10559470521600.0, 670442572800.0, 33522128640.0, 1323241920.0, 40840800.0, 960960.0, 16380.0, 182.0, 1.0,
)  # fmt: skip


def expm(a: Real) -> Real:
    """The matrix exponential."""
    x = _finite(a)
    size = np.abs(x).sum(axis=-2, keepdims=True).max(axis=-1, keepdims=True)
    squarings = np.clip(np.ceil(np.log2(np.maximum(size, 1.0) / 5.37)), 0, 1000)
    x = x / 2.0**squarings
    eye = np.broadcast_to(np.eye(a.shape[-1]), a.shape)
    square = x @ x
    even, odd, power = _PADE[0] * eye, _PADE[1] * eye, eye
    for k in range(2, 14, 2):
        power = power @ square
        even, odd = even + _PADE[k] * power, odd + _PADE[k + 1] * power
    result = _by_point(np.linalg.solve, even - x @ odd, even + x @ odd)
    for step in range(int(squarings.max(initial=0))):
        result = np.where(step < squarings, result @ result, result)
    return np.asarray(result + _spoiled(a))


def _pow(e: Expr, args: Sequence[Real], sizes: Sizes) -> Real:
    if e.is_scalar:
        return _hpow(e, args, sizes)
    exponent = int(e.attrs[0])
    base = args[0] if exponent >= 0 else inverse(args[0])
    return np.asarray(np.linalg.matrix_power(base, abs(exponent)))


def _mul(e: Expr, args: Sequence[Real], sizes: Sizes) -> Real:
    matrix: Real | None = None
    scale: Real | None = None
    for arg, value in zip(e.args, args, strict=True):
        if arg.is_scalar:
            scale = value if scale is None else scale * value
        else:
            matrix = value if matrix is None else matrix @ value
    if matrix is None:
        assert scale is not None
        return scale
    return matrix if scale is None else scale * matrix


def _sum_of(e: Expr, args: Sequence[Real], sizes: Sizes) -> Real:
    total = args[0]
    for value in args[1:]:
        total = total + value
    return total


def _product_of(e: Expr, args: Sequence[Real], sizes: Sizes) -> Real:
    total = args[0]
    for value in args[1:]:
        total = total * value
    return total


def _determinant(e: Expr, args: Sequence[Real], sizes: Sizes) -> Real:
    return np.asarray(np.linalg.det(_finite(args[0]))[:, None, None] + _spoiled(args[0]))


def _log_determinant(e: Expr, args: Sequence[Real], sizes: Sizes) -> Real:
    return np.asarray(np.linalg.slogdet(_finite(args[0]))[1][:, None, None] + _spoiled(args[0]))


def norm(a: Real) -> Real:
    """The 2-norm of all entries, scaled first."""
    scale = np.abs(a).max(axis=(-1, -2), keepdims=True)
    divisor = np.where((scale > 0) & np.isfinite(scale), scale, 1.0)
    return np.asarray(scale * np.sqrt(np.square(a / divisor).sum(axis=(-1, -2), keepdims=True)))


def axes(axis: object) -> tuple[int, ...]:
    """The array axes that a reduction over `axis` (None or "all", 0, 1) runs along."""
    match axis:
        case 0:
            return (1,)
        case 1:
            return (2,)
    return (1, 2)


def logsumexp(a: Real, along: tuple[int, ...]) -> Real:
    """log(sum(exp(A))), shifted by the largest entry."""
    top = a.max(axis=along, keepdims=True)
    top = np.where(np.isfinite(top), top, 0.0)
    return np.asarray(np.log(np.exp(a - top).sum(axis=along, keepdims=True)) + top)


def softmax(a: Real, along: tuple[int, ...]) -> Real:
    """exp(A) / sum(exp(A)), shifted by the largest entry."""
    weights = np.exp(a - a.max(axis=along, keepdims=True))
    return np.asarray(weights / weights.sum(axis=along, keepdims=True))


def _leaf_number(e: Expr, args: Sequence[Real], sizes: Sizes) -> Real:
    try:
        value = float(e.attrs[0])
    except OverflowError:
        value = math.inf
    return np.array([[[value]]])


# fmt: off
NUMERIC: dict[str, Rule] = {
    "num":   _leaf_number,
    "pi":    lambda e, args, sizes: np.array([[[math.pi]]]),
    "dim":   lambda e, args, sizes: np.array([[[float(e.attrs[0].value(sizes))]]]),
    "add":   _sum_of,                    "had":  _product_of,
    "neg":   lambda e, args, sizes: -args[0],
    "mul":   _mul,                       "pow":  _pow,          "hpow":  _hpow,
    "div":   lambda e, args, sizes: args[0] / args[1],
    "kron":  lambda e, args, sizes: kron(args[0], args[1]),
    "tr":    lambda e, args, sizes: np.trace(args[0], axis1=1, axis2=2)[:, None, None],
    "det":   _determinant,               "logdet": _log_determinant,
    "norm":  lambda e, args, sizes: norm(args[0]),
    "norm1": lambda e, args, sizes: np.abs(args[0]).sum(axis=(1, 2), keepdims=True),
    "sum":   lambda e, args, sizes: args[0].sum(axis=axes(e.attrs[0]), keepdims=True),
    "mean":  lambda e, args, sizes: args[0].mean(axis=axes(e.attrs[0]), keepdims=True),
    "maxall": lambda e, args, sizes: args[0].max(axis=(1, 2), keepdims=True),
    "minall": lambda e, args, sizes: args[0].min(axis=(1, 2), keepdims=True),
    "logsumexp": lambda e, args, sizes: logsumexp(args[0], axes(e.attrs[0])),
    "softmax": lambda e, args, sizes: softmax(args[0], axes(e.attrs[0])),
    "adj":   lambda e, args, sizes: adjugate(args[0]),
    "pinv":  lambda e, args, sizes: pseudo_inverse(args[0]),
    "expm":  lambda e, args, sizes: expm(args[0]),
    **{op: _function(f) for op, f in _ELEMENTWISE.items()},
    **{op: _pair(op) for op in _PAIRS},
}
# fmt: on


class Evaluation:
    """Values of nodes at one stack of points; every node is evaluated once."""

    def __init__(self, values: Mapping[Expr, Real], sizes: Sizes) -> None:
        self.sizes = sizes
        self.values: dict[Expr, Real] = dict(values)

    def value(self, root: Expr) -> Real:
        """The value of a node, (points or 1, rows, columns)."""
        if root not in self.values:
            with np.errstate(all="ignore"):
                self._fill(root)
        return self.values[root]

    def _fill(self, root: Expr) -> None:
        values, stack = self.values, [root]
        while stack:
            node = stack[-1]
            if node in values:
                stack.pop()
                continue
            missing = [a for a in node.args if a not in values] if node.op != "d" else []
            if missing:
                stack.extend(missing)
                continue
            stack.pop()
            args = [values[a] for a in node.args] if node.op != "d" else []
            if node.op in NUMERIC:
                values[node] = NUMERIC[node.op](node, args, self.sizes)
            elif node.op in LAYOUT:
                values[node] = np.asarray(LAYOUT[node.op](node, args, self.sizes), dtype=np.float64)
            else:
                raise UsageError(f"no value is given for {node}")


def infer_sizes(values: Mapping[Expr, npt.NDArray[np.generic]]) -> dict[str, int]:
    """The sizes of the dimensions, from the shapes of the given values."""
    sizes: dict[str, int] = {}
    compound: list[tuple[Expr, Dim, int]] = []
    for symbol, value in values.items():
        for dim, size in zip(symbol.shape, value.shape[-2:], strict=True):
            names = dim.names()
            if len(names) == 1 and dim.terms == (((names[0],), 1),) and names[0] not in sizes:
                sizes[names[0]] = size
            else:
                compound.append((symbol, dim, size))
    for symbol, dim, size in compound:
        if all(name in sizes for name in dim.names()) and dim.value(sizes) != size:
            raise ShapeError(f"the value of {symbol} has {size} where its shape says {dim} = {dim.value(sizes)}")
    return sizes


def as_points(value: npt.ArrayLike) -> tuple[Real, bool]:
    """The value as (points, rows, columns), and whether it is a stack. A flat array is a column."""
    array = np.asarray(value, dtype=np.float64)
    match array.ndim:
        case 0:
            return array.reshape(1, 1, 1), False
        case 1:
            return array.reshape(1, -1, 1), False
        case 2:
            return array[None], False
    return array, True


@overload
def evaluate(roots: Expr, values: Mapping[Expr, npt.ArrayLike], sizes: Sizes | None = None) -> Real: ...
@overload
def evaluate(
    roots: Sequence[Expr], values: Mapping[Expr, npt.ArrayLike], sizes: Sizes | None = None
) -> tuple[Real, ...]: ...
def evaluate(
    roots: Expr | Sequence[Expr], values: Mapping[Expr, npt.ArrayLike], sizes: Sizes | None = None
) -> Real | tuple[Real, ...]:
    """The value of an expression, or of several, float64.

    `values` gives a matrix (rows, columns) for every symbol (and for d(X), where that occurs), or a stack of
    matrices (points, rows, columns), all of one length: then the results are stacks. `sizes` gives the dimensions
    that no symbol shows. Raises ShapeError where the values do not fit the declared shapes, UsageError where a
    symbol has no value.
    """
    arrays: dict[Expr, Real] = {}
    stacked = False
    for symbol, value in values.items():
        arrays[symbol], is_stack = as_points(value)
        stacked = stacked or is_stack
    evaluation = Evaluation(arrays, {**infer_sizes(arrays), **(sizes or {})})
    wanted = (roots,) if isinstance(roots, Expr) else tuple(roots)
    results = [evaluation.value(root) for root in wanted]
    shown = tuple(r if stacked else r[0] for r in results)
    return shown[0] if isinstance(roots, Expr) else shown
