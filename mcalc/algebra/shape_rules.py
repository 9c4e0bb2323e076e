"""Shape rules: from the operands of an operator and its attrs to the shape of the result; one row each.

A rule raises `ShapeError`, with the operands to blame, where the shapes do not fit together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mcalc.algebra.expr import Expr
from mcalc.algebra.functions import CODE_FUNCTIONS, FUNCTIONS
from mcalc.algebra.shape import ONE, SCALAR, Dim, Shape, shape_text
from mcalc.errors import ShapeError

ShapeRule = Callable[[tuple[Expr, ...], tuple[Any, ...]], Shape]


def _misfit(what: str, *operands: Expr, hint: str = "") -> ShapeError:
    shown = "     ".join(f"{operand} : {shape_text(operand.shape)}" for operand in operands)
    return ShapeError(what, notes=(shown,), hint=hint)


def _same(args: tuple[Expr, ...], attrs: tuple[Any, ...]) -> Shape:
    return args[0].shape


def _broadcast(name: str) -> ShapeRule:
    def rule(args: tuple[Expr, ...], attrs: tuple[Any, ...]) -> Shape:
        shape = SCALAR
        for arg in args:
            if arg.is_scalar or arg.shape == shape:
                continue
            if shape != SCALAR:
                first = next(a for a in args if a.shape == shape)
                raise _misfit(f"{name} needs operands of one shape", first, arg)
            shape = arg.shape
        return shape

    return rule


def _one_shape(name: str) -> ShapeRule:
    def rule(args: tuple[Expr, ...], attrs: tuple[Any, ...]) -> Shape:
        for arg in args[1:]:
            if arg.shape != args[0].shape:
                raise _misfit(f"{name} needs operands of one shape", args[0], arg)
        return args[0].shape

    return rule


def _product(args: tuple[Expr, ...], attrs: tuple[Any, ...]) -> Shape:
    left: Expr | None = None
    rows = columns = ONE
    for arg in args:
        if arg.is_scalar:
            continue
        if left is None:
            rows, columns = arg.shape
        elif columns is not arg.shape[0]:
            raise _misfit("product needs columns(left) = rows(right)", left, arg)
        else:
            columns = arg.shape[1]
        left = arg
    return rows, columns


def _division(args: tuple[Expr, ...], attrs: tuple[Any, ...]) -> Shape:
    if not args[1].is_scalar:
        raise _misfit(
            "division needs a scalar on the right", args[0], args[1], hint="./ divides entry by entry; inv(B) inverts"
        )
    return args[0].shape


def _quotient(args: tuple[Expr, ...], attrs: tuple[Any, ...]) -> Shape:
    if args[0].is_scalar:
        return args[1].shape
    return _one_shape("elementwise quotient")(args, attrs)


def _square(name: str, result: Callable[[Shape], Shape] = lambda s: s) -> ShapeRule:
    def rule(args: tuple[Expr, ...], attrs: tuple[Any, ...]) -> Shape:
        if not args[0].is_square:
            raise _misfit(f"{name} needs a square matrix", args[0])
        return result(args[0].shape)

    return rule


def _scalars(name: str) -> ShapeRule:
    def rule(args: tuple[Expr, ...], attrs: tuple[Any, ...]) -> Shape:
        for arg in args:
            if not arg.is_scalar:
                raise _misfit(f"{name} needs scalars", arg, hint="exp(X) is elementwise, X.^t an elementwise power")
        return SCALAR

    return rule


def _elementwise_power(args: tuple[Expr, ...], attrs: tuple[Any, ...]) -> Shape:
    if not args[1].is_scalar:
        raise _misfit("an elementwise power needs a scalar exponent", args[0], args[1])
    return args[0].shape


def _reduce(args: tuple[Expr, ...], attrs: tuple[Any, ...]) -> Shape:
    rows, columns = args[0].shape
    match attrs[0]:
        case None:
            return SCALAR
        case 0:
            return ONE, columns
        case _:
            return rows, ONE


def _scalar(args: tuple[Expr, ...], attrs: tuple[Any, ...]) -> Shape:
    return SCALAR


def _transpose(args: tuple[Expr, ...], attrs: tuple[Any, ...]) -> Shape:
    rows, columns = args[0].shape
    return columns, rows


def _vec(args: tuple[Expr, ...], attrs: tuple[Any, ...]) -> Shape:
    rows, columns = args[0].shape
    return rows * columns, ONE


def _kron(args: tuple[Expr, ...], attrs: tuple[Any, ...]) -> Shape:
    (m, n), (p, q) = args[0].shape, args[1].shape
    return m * p, n * q


def _diagonal_matrix(args: tuple[Expr, ...], attrs: tuple[Any, ...]) -> Shape:
    if not args[0].is_column:
        raise _misfit("diag makes a diagonal matrix of a column vector", args[0])
    return args[0].shape[0], args[0].shape[0]


def _block(args: tuple[Expr, ...], attrs: tuple[Any, ...]) -> Shape:
    rows: Dim | None = None
    columns: Dim | None = None
    start = 0
    for count in attrs:
        row = args[start : start + count]
        start += count
        height, width = row[0].shape[0], row[0].shape[1]
        for arg in row[1:]:
            if arg.shape[0] is not height:
                raise _misfit("blocks in a row need the same number of rows", row[0], arg)
            width = width + arg.shape[1]
        if columns is not None and width is not columns:
            raise _misfit("rows of blocks need the same number of columns", args[0], row[0])
        columns = width
        rows = height if rows is None else rows + height
    assert rows is not None and columns is not None
    return rows, columns


def _index(args: tuple[Expr, ...], attrs: tuple[Any, ...]) -> Shape:
    for position, size, side in zip(attrs, args[0].shape, ("row", "column"), strict=True):
        limit = size.number
        if position is not None and (position < 1 or (limit is not None and position > limit)):
            raise ShapeError(f"{side} {position} is outside 1..{size} of {args[0]} (indices are 1-based)")
    return tuple(size if p is None else ONE for p, size in zip(attrs, args[0].shape, strict=True))  # type: ignore[return-value]


# fmt: off
SHAPES: dict[str, ShapeRule] = {
    "add":    _broadcast("sum"),         "neg":   _same,            "mul":    _product,
    "div":    _division,                 "had":   _one_shape("elementwise product"),
    "hdiv":   _quotient,                 "pow":   _square("a matrix power"),
    "power":  _scalars("a power with a symbolic exponent"),
    "hpow":   _same,                     "hpower": _elementwise_power,
    "T":      _transpose,                "kron":  _kron,
    "eq":     _broadcast("=="),          "ge":    _broadcast(">="), "gt":     _broadcast(">"),
    "le":     _broadcast("<="),          "lt":    _broadcast("<"),
    "max":    _broadcast("max"),         "min":   _broadcast("min"),
    "tr":     _square("tr", lambda s: SCALAR), "det": _square("det", lambda s: SCALAR),
    "logdet": _square("logdet", lambda s: SCALAR),
    "norm":   _scalar,                   "norm1": _scalar,          "maxall": _scalar,   "minall": _scalar,
    "sum":    _reduce,                   "mean":  _reduce,          "logsumexp": _reduce,
    "softmax": _same,                    "adj":   _square("adj"),   "pinv":   _transpose,
    "expm":   _square("expm"),           "vec":   _vec,             "tril":   _same,     "triu":  _same,
    "diagm":  _diagonal_matrix,          "diagv": _square("diag", lambda s: (s[0], ONE)),
    "block":  _block,                    "index": _index,           "d":      _same,
    **dict.fromkeys(FUNCTIONS, _same),
}
# fmt: on

CODE_SHAPES: dict[str, ShapeRule] = dict.fromkeys(CODE_FUNCTIONS, _same)
