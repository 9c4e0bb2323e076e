"""Functions called by name: how many arguments, which shape, which expression.

One row a word of the language. `shape` is the rule of shape inference (it may raise `Misfit`); `build` makes the
expression once shapes are known. The elementwise functions of FUNCTIONS are rows as well.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from mcalc.algebra.expr import Expr
from mcalc.algebra.functions import FUNCTIONS
from mcalc.algebra.operators import T, app, d, diag, elimination, inv, mul
from mcalc.algebra.shape import ONE, Dim, triangular
from mcalc.frontend.dimensions import Dimensions, Misfit, times


class Type(NamedTuple):
    """A shape, perhaps with unknown dimensions."""

    rows: Dim
    columns: Dim
    entrywise: bool = True
    """Whether a scalar may be added to every entry (vectors aside, which always allow it)."""
    mixed: bool = False
    """While a product is read: whether an elementwise or Kronecker operator came before."""

    @property
    def is_scalar(self) -> bool:
        return self.rows is ONE and self.columns is ONE

    @property
    def takes_scalars(self) -> bool:
        return self.entrywise or self.rows is ONE or self.columns is ONE


SCALAR = Type(ONE, ONE)

Rule = Callable[..., Type]


# --- rules of shape ---------------------------------------------------------------------------------------------------


def _scalar(s: Dimensions, word: str, axis: Any, a: Type) -> Type:
    return SCALAR


def _entrywise(s: Dimensions, word: str, axis: Any, a: Type) -> Type:
    return Type(a.rows, a.columns)


def _same(s: Dimensions, word: str, axis: Any, a: Type) -> Type:
    return Type(a.rows, a.columns, False)


def _square(s: Dimensions, word: str, axis: Any, a: Type) -> Type:
    s.equate(a.rows, a.columns, f"{word} needs a square matrix", (0,))
    return Type(a.rows, a.columns, False)


def _square_to_scalar(s: Dimensions, word: str, axis: Any, a: Type) -> Type:
    s.equate(a.rows, a.columns, f"{word} needs a square matrix", (0,))
    return SCALAR


def _reduced(s: Dimensions, word: str, axis: Any, a: Type) -> Type:
    if axis is None or axis == "all":
        return SCALAR
    return Type(ONE, a.columns) if axis == 0 else Type(a.rows, ONE)


def _extreme(s: Dimensions, word: str, axis: Any, a: Type, b: Type | None = None) -> Type:
    return SCALAR if b is None else broadcast(s, word, a, b)


def broadcast(s: Dimensions, word: str, a: Type, b: Type) -> Type:
    """Operands of one shape, or scalars that are taken with every entry."""
    if a.is_scalar:
        return Type(b.rows, b.columns)
    if not b.is_scalar:
        s.equate(a.rows, b.rows, f"{word} needs operands of one shape", (0, 1))
        s.equate(a.columns, b.columns, f"{word} needs operands of one shape", (0, 1))
    return Type(a.rows, a.columns)


def _columns(s: Dimensions, word: str, *args: Type) -> None:
    for i, a in enumerate(args):
        if a.columns is not ONE:
            raise Misfit(f"{word} needs column vectors", (i,))


def _dot(s: Dimensions, word: str, axis: Any, a: Type, b: Type) -> Type:
    _columns(s, word, a, b)
    s.equate(a.rows, b.rows, "dot needs vectors of one length", (0, 1))
    return SCALAR


def _outer(s: Dimensions, word: str, axis: Any, a: Type, b: Type) -> Type:
    _columns(s, word, a, b)
    return Type(a.rows, b.rows, False)


def _transposed(s: Dimensions, word: str, axis: Any, a: Type) -> Type:
    return Type(a.columns, a.rows, False)


def _diag(s: Dimensions, word: str, axis: Any, a: Type) -> Type:
    if a.columns is ONE:
        return Type(a.rows, a.rows, False)
    s.equate(a.rows, a.columns, "diag needs a column vector or a square matrix", (0,))
    return Type(a.rows, ONE)


def _vec(s: Dimensions, word: str, axis: Any, a: Type) -> Type:
    return Type(times(s.value(a.rows), s.value(a.columns)), ONE)


def _vech(s: Dimensions, word: str, axis: Any, a: Type) -> Type:
    s.equate(a.rows, a.columns, f"{word} needs a square matrix", (0,))
    return Type(triangular(s.value(a.rows)), ONE)


def _kron(s: Dimensions, word: str, axis: Any, a: Type, b: Type) -> Type:
    return kronecker(s, a, b)


def kronecker(s: Dimensions, a: Type, b: Type) -> Type:
    """The shape of A ⊗ B."""
    return Type(times(s.value(a.rows), s.value(b.rows)), times(s.value(a.columns), s.value(b.columns)), False)


def _differential(s: Dimensions, word: str, axis: Any, a: Type) -> Type:
    return Type(a.rows, a.columns, False)


def _filling(s: Dimensions, word: str, axis: Any, a: Type) -> Type:
    """`vector(1)`, `matrix(1)`: of the size that fits."""
    if not a.is_scalar:
        raise Misfit(f"{word} needs a scalar", (0,))
    return Type(s.fresh(), ONE if word == "vector" else s.fresh(), False)


# --- expressions ------------------------------------------------------------------------------------------------------


def _default_axis(a: Expr, axis: Any) -> Any:
    return axis if axis is not None else 0 if a.is_column else 1


def _dot_product(a: Expr, b: Expr) -> Expr:
    return mul(a, b) if a.is_scalar else mul(T(a), b)


class Call(NamedTuple):
    """A function of the language."""

    least: int
    most: int
    shape: Rule
    build: Callable[..., Expr] | None
    """(axis, *arguments) to the expression; none for `vector` and `matrix`, which need to know their size."""
    axis: bool = False


def _unary(op: str, shape: Rule) -> Call:
    return Call(1, 1, shape, lambda axis, a: app(op, a))


def _over(op: str) -> Call:
    return Call(1, 1, _reduced, lambda axis, a: app(op, a, attrs=(None if axis == "all" else axis,)), axis=True)


def _extremes(op: str) -> Call:
    def build(axis: Any, a: Expr, b: Expr | None = None) -> Expr:
        if b is None:
            return app(f"{op}all", a)
        if op == "max" and a.op == "num" and a.attrs[0] == 0:
            return app("relu", b)
        return app(op, a, b)

    return Call(1, 2, _extreme, build)


# fmt: off
CALLS: dict[str, Call] = {
    **{name: _unary(name, _entrywise) for name in FUNCTIONS},
    "tr":        _unary("tr", _square_to_scalar),       "trace":  _unary("tr", _square_to_scalar),
    "det":       _unary("det", _square_to_scalar),      "logdet": _unary("logdet", _square_to_scalar),
    "norm":      _unary("norm", _scalar),               "norm2":  _unary("norm", _scalar),
    "norm1":     _unary("norm1", _scalar),
    "sum":       _over("sum"),                          "mean":   _over("mean"),
    "logsumexp": _over("logsumexp"),
    "softmax":   Call(1, 1, _entrywise, lambda axis, a: app("softmax", a, attrs=(_default_axis(a, axis),)), axis=True),
    "max":       _extremes("max"),                      "min":    _extremes("min"),
    "dot":       Call(2, 2, _dot, lambda axis, a, b: _dot_product(a, b)),
    "outer":     Call(2, 2, _outer, lambda axis, a, b: mul(a, T(b))),
    "inv":       Call(1, 1, _square, lambda axis, a: inv(a)),
    "adj":       _unary("adj", _square),                "expm":   _unary("expm", _square),
    "pinv":      _unary("pinv", _transposed),           "vec":    _unary("vec", _vec),
    "vech":      Call(1, 1, _vech, lambda axis, a: mul(elimination(a.shape[0]), app("vec", a))),
    "tril":      _unary("tril", _same),                 "triu":   _unary("triu", _same),
    "diag":      Call(1, 1, _diag, lambda axis, a: diag(a)),
    "kron":      Call(2, 2, _kron, lambda axis, a, b: app("kron", a, b)),
    "vector":    Call(1, 1, _filling, None),            "matrix": Call(1, 1, _filling, None),
    "d":         Call(1, 1, _differential, lambda axis, a: d(a)),
}
# fmt: on

SIZED: dict[str, tuple[int, int]] = {
    "I": (1, 1),
    "eye": (1, 1),
    "ones": (1, 2),
    "zeros": (1, 2),
    "e": (2, 2),
    "K": (2, 2),
    "dup": (1, 1),
    "elim": (1, 1),
}
"""Functions of dimensions: least and most arguments."""

FUNCTION_WORDS = frozenset(CALLS) | {"eye", "ones", "zeros", "dup", "elim"}
"""Every word that is a function (one-letter words only with their arguments)."""
