"""The operators: their shape rules and constructors.

A constructor checks shapes and interns; it rewrites nothing (whatever changes an expression is a named rule).
The differential and adjoint columns of the same rows are in mcalc/calculus/differential.py.

Nodes (`op`: args; attrs):

    sym: ; (name, properties)       num: ; (Fraction >= 0,)      pi:
    dim: ; (Dim,)   a dimension used as a number                  eye: ; (n,)   ones, zeros: ; (n, m)
    unit: ; (i, n)  the vector e_i                                K: ; (m, n)   commutation matrix, mn x mn
    add: n-ary; a scalar argument is added to every entry         neg: A        mul: n-ary, scalars and matrices
    div: A, s (a scalar)             had: n-ary elementwise product (all of one shape)
    hdiv: A, B elementwise quotient (A may be a scalar)           pow: A; (Fraction,)  square matrix or scalar
    power: s, t  scalars s^t         hpow: A; (Fraction,)         hpower: A, t   elementwise A.^t, t a scalar
    T: A      kron: A, B     eq, ge, gt, le, lt: A, B  indicators (a scalar operand is compared to every entry)
    exp, log, … : A  the elementwise functions of FUNCTIONS       max, min: A, B elementwise (scalars broadcast)
    tr, det, logdet, norm, norm1: A      sum, mean, logsumexp: A; (axis,)  axis None, 0 (1 x m) or 1 (n x 1)
    maxall, minall: A                    softmax: A; (axis,)  axis 0 columns, 1 rows, "all"
    adj, pinv, expm, vec, tril, triu: A  diagm: u (vector to matrix)   diagv: A (square matrix to its diagonal)
    block: args row by row; (k1, …, kr) the number of blocks in each row
    index: A; (i, j)  1-based, None for `:`                       d: A   the differential of A
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from mcalc.algebra.expr import Expr, make
from mcalc.algebra.functions import FUNCTIONS
from mcalc.algebra.shape import ONE, SCALAR, Dim, Shape, dim, shape_text
from mcalc.errors import ShapeError

ShapeRule = Callable[[tuple[Expr, ...], tuple[Any, ...]], Shape]


# --- leaves -----------------------------------------------------------------------------------------------------


def symbol(name: str, shape: Shape = SCALAR, properties: frozenset[str] = frozenset()) -> Expr:
    """A declared or inferred variable."""
    return make("sym", (), (name, frozenset(properties)), shape)


def number(value: int | Fraction) -> Expr:
    """A nonnegative number; a negative one is the negative of a number, a ratio a quotient of two."""
    if value < 0:
        return neg(number(-value))
    return make("num", (), (Fraction(value),), SCALAR)


PI = make("pi", (), (), SCALAR)


def dimension_number(d: Dim) -> Expr:
    """A dimension used as a scalar (`1/n`)."""
    return make("dim", (), (d,), SCALAR) if d.number is None else number(d.number)


def eye(n: Dim) -> Expr:
    """The identity, n x n."""
    return make("eye", (), (n,), (n, n))


def ones(n: Dim, m: Dim = ONE) -> Expr:
    """The all-ones matrix, n x m."""
    return make("ones", (), (n, m), (n, m))


def zeros(n: Dim, m: Dim = ONE) -> Expr:
    """The zero matrix, n x m."""
    return make("zeros", (), (n, m), (n, m))


def unit(i: int, n: Dim) -> Expr:
    """The unit vector e_i of length n, i from 1."""
    size = n.number
    if i < 1 or (size is not None and i > size):
        raise ShapeError(f"the index {i} is outside 1..{n}")
    return make("unit", (), (i, n), (n, ONE))


def commutation(m: Dim, n: Dim) -> Expr:
    """K(m,n) with K(m,n) vec(X) = vec(X^T) for X m x n (Magnus & Neudecker, ch. 3.7)."""
    return make("K", (), (m, n), (m * n, m * n))


# --- shape rules --------------------------------------------------------------------------------------------------


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


def app(op: str, *args: Expr, attrs: tuple[Any, ...] = ()) -> Expr:
    """The node `op(args; attrs)`, its shape checked."""
    return make(op, args, attrs, SHAPES[op](args, attrs))


# --- constructors ---------------------------------------------------------------------------------------------------


def add(*args: Expr) -> Expr:
    """A sum; of one term, that term."""
    return args[0] if len(args) == 1 else app("add", *args)


def neg(a: Expr) -> Expr:
    """-A."""
    return make("neg", (a,), (), a.shape)


def sub(a: Expr, b: Expr) -> Expr:
    """A - B, the sum of A and the negative of B."""
    return add(a, neg(b))


def mul(*args: Expr) -> Expr:
    """A product of scalars and matrices, in the order given; of one factor, that factor."""
    return args[0] if len(args) == 1 else app("mul", *args)


def div(a: Expr, s: Expr) -> Expr:
    """A / s."""
    return app("div", a, s)


def had(*args: Expr) -> Expr:
    """The elementwise (Hadamard) product."""
    return args[0] if len(args) == 1 else app("had", *args)


def hdiv(a: Expr, b: Expr) -> Expr:
    """The elementwise quotient."""
    return app("hdiv", a, b)


def pow_(a: Expr, exponent: int | Fraction) -> Expr:
    """A^k of a square matrix (k an integer) or of a scalar (k rational)."""
    value = Fraction(exponent)
    if value.denominator != 1 and not a.is_scalar:
        raise ShapeError("a matrix power needs an integer exponent", hint="A.^(1/2) is elementwise")
    return app("pow", a, attrs=(value,))


def inv(a: Expr) -> Expr:
    """The inverse."""
    return pow_(a, -1)


def hpow(a: Expr, exponent: int | Fraction) -> Expr:
    """The elementwise power with a rational exponent."""
    return app("hpow", a, attrs=(Fraction(exponent),))


def T(a: Expr) -> Expr:
    """The transpose."""
    return app("T", a)


def d(a: Expr) -> Expr:
    """The differential of A, as a node."""
    return make("d", (a,), (), a.shape)


def diag(a: Expr) -> Expr:
    """diag: of a column vector the diagonal matrix, of a square matrix its diagonal."""
    return app("diagm", a) if a.is_column else app("diagv", a)


def total(a: Expr, axis: int | None = None) -> Expr:
    """sum(A), over all entries, down the columns (axis 0) or along the rows (axis 1)."""
    return app("sum", a, attrs=(axis,))


def block(rows: tuple[tuple[Expr, ...], ...]) -> Expr:
    """A block matrix from its rows of blocks."""
    return app("block", *(b for row in rows for b in row), attrs=tuple(len(row) for row in rows))


def inner(a: Expr, b: Expr) -> Expr:
    """<A, B> = tr(A^T B), written as short as the shapes allow."""
    if a.is_scalar:
        return mul(a, b)
    if a.shape[1] is ONE:
        return mul(T(a), b)
    if a.shape[0] is ONE:
        return mul(a, T(b))
    return app("tr", mul(T(a), b))


ELEMENTWISE_OPS = frozenset(
    [*FUNCTIONS, "had", "hdiv", "hpow", "hpower", "eq", "ge", "gt", "le", "lt", "max", "min", "softmax"]
)
"""Operators whose result is elementwise in the sense of the language: a scalar may be added to it."""


def takes_scalars(e: Expr) -> bool:
    """Whether the language lets a scalar be added to every entry of `e`.

    So it is for vectors, for the result of an elementwise operator, and for sums, transposes, negatives and scalar
    multiples of such.
    """
    while True:
        if e.shape[0] is ONE or e.shape[1] is ONE or e.op in ELEMENTWISE_OPS:
            return True
        if e.op in ("neg", "T", "div"):
            e = e.args[0]
        elif e.op == "mul":
            matrices = [a for a in e.args if not a.is_scalar]
            if len(matrices) != 1:
                return False
            e = matrices[0]
        elif e.op == "add":
            matrices = [a for a in e.args if not a.is_scalar]
            return all(takes_scalars(a) for a in matrices)
        else:
            return False


__all__ = [
    "ELEMENTWISE_OPS", "PI", "SHAPES", "T", "add", "app", "block", "commutation", "d", "diag", "dim",
    "dimension_number", "div", "eye", "had", "hdiv", "hpow", "inner", "inv", "mul", "neg", "number", "ones", "pow_",
    "sub", "symbol", "takes_scalars", "total", "unit", "zeros",
]  # fmt: skip
