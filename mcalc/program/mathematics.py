"""What an array is, as an expression: for the comment at a line of generated code.

In: an array and the names of the arrays that have one; out: an expression in symbols of these names. A vector is
taken as a column. Broadcast operands are written as the products with ones and diagonal matrices that they stand for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import TypeAlias

from mcalc.algebra import operators as o
from mcalc.algebra.expr import Expr, make
from mcalc.algebra.functions import FUNCTIONS
from mcalc.algebra.shape import ONE, SCALAR, Shape
from mcalc.program.ir import Array, folded

Writer: TypeAlias = Callable[[Array, list[Expr]], Expr]


def shape_of(a: Array) -> Shape:
    """Rows and columns; a vector is a column."""
    match a.shape:
        case ():
            return SCALAR
        case (n,):
            return n, ONE
    return a.shape[0], a.shape[1]


def symbol_of(a: Array, name: str) -> Expr:
    """A named array as a symbol."""
    return make("sym", (), (name, frozenset[str]()), shape_of(a))


def expression_of(root: Array, names: Mapping[Array, str], by_name: bool = False) -> Expr:
    """The expression of an array in the named arrays below it, or as its own name."""

    def known(a: Array) -> Expr | None:
        return symbol_of(a, names[a]) if a in names and (by_name or a is not root) else None

    return folded(root, known, _write)


def _write(a: Array, args: list[Expr]) -> Expr:
    writer = _WRITERS.get(a.op)
    if writer is not None:
        return writer(a, args)
    return make(a.op, tuple(args), a.attrs, shape_of(a))


def transpose(e: Expr) -> Expr:
    """The transpose, of a transpose what it is of."""
    if e.is_scalar:
        return e
    return e.args[0] if e.op == "T" else o.T(e)


def multiple(coefficient: Fraction, e: Expr) -> Expr:
    """A rational multiple, as one writes it."""
    size = abs(coefficient)
    if size == 1:
        made = e
    elif e.op == "num" and e.attrs[0] == 1:
        made = o.number(size)
    elif size.numerator == 1:
        made = o.div(e, o.number(size.denominator))
    else:
        made = o.mul(o.number(size), *(e.args if e.op == "mul" and not e.is_scalar else (e,)))
    return o.neg(made) if coefficient < 0 else made


def _sum(a: Array, args: list[Expr]) -> Expr:
    parts: list[Expr] = []
    for c, x, e in zip(a.attrs, a.args, args, strict=True):
        e = _filled(x, e, a) if x.rank else e
        parts.extend(e.args if e.op == "add" and c == 1 else [multiple(c, e)])
    return make("add", tuple(parts), (), shape_of(a))


def _filled(x: Array, e: Expr, whole: Array) -> Expr:
    """An operand repeated to the shape of the whole."""
    rows, columns = shape_of(whole)
    if x.shape == whole.shape:
        return e
    if x.rank == 1:
        return o.mul(o.ones(rows), transpose(e))
    if x.shape[0] is ONE and rows is not ONE:
        return o.mul(o.ones(rows), e)
    return o.mul(e, transpose(o.ones(columns)))


def _times(a: Array, args: list[Expr]) -> Expr:
    if a.rank == 0:
        return o.mul(*args)
    full: list[Expr] = []
    left: list[Expr] = []
    right: list[Expr] = []
    scalars: list[Expr] = []
    for x, e in zip(a.args, args, strict=True):
        if x.rank == 0:
            scalars.append(e)
        elif x.shape == a.shape:
            full.append(e)
        elif x.rank == 1 or x.shape[0] is ONE:
            right.append(e if x.rank == 1 else transpose(e))
        else:
            left.append(e)
    if full:
        middle = full[0] if len(full) == 1 else make("had", tuple(full), (), full[0].shape)
        return o.mul(*scalars, *(_diag(e) for e in left), middle, *(_diag(e) for e in right))
    u = left[0] if len(left) == 1 else o.had(*left)
    v = right[0] if len(right) == 1 else o.had(*right)
    return o.mul(*scalars, u, transpose(v))


def _diag(e: Expr) -> Expr:
    return o.app("diagm", e)


def _quotient(a: Array, args: list[Expr]) -> Expr:
    x, y = args
    if y.is_scalar:
        return o.div(x, y)
    if not x.is_scalar and a.args[0].shape != a.shape:
        x = _filled(a.args[0], x, a)
    if a.args[1].shape != a.shape:
        y = _filled(a.args[1], y, a)
    return make("hdiv", (x, y), (), shape_of(a))


def _scale(a: Array, args: list[Expr]) -> Expr:
    coefficient, exponents = a.attrs
    core, scalars = args[0], args[1:]
    above = [s if x == 1 else o.pow_(s, x) for s, x in zip(scalars, exponents, strict=True) if x > 0]
    below = [s if x == -1 else o.pow_(s, -x) for s, x in zip(scalars, exponents, strict=True) if x < 0]
    plain = core.op == "num" and core.attrs[0] == 1
    factors = above + ([] if plain else list(core.args) if core.op == "mul" and not core.is_scalar else [core])
    e = o.mul(*factors) if factors else o.number(1)
    if below:
        size = abs(coefficient)
        e = o.div(multiple(size, e) if size != 1 else e, o.mul(*below))
        return o.neg(e) if coefficient < 0 else e
    return multiple(coefficient, e)


def _pair(op: str) -> Writer:
    def write(a: Array, args: list[Expr]) -> Expr:
        parts = tuple(_filled(x, e, a) if x.rank else e for x, e in zip(a.args, args, strict=True))
        return make(op, parts, (), shape_of(a))

    return write


def _entry(a: Array, args: list[Expr]) -> Expr:
    if a.args[0].rank == 1:
        return o.app("index", args[0], attrs=(a.attrs[0], 1))
    made = o.app("index", args[0], attrs=a.attrs)
    return transpose(made) if a.attrs[1] is None and a.rank == 1 else made


def _over(op: str) -> Writer:
    def write(a: Array, args: list[Expr]) -> Expr:
        axis = a.attrs[0]
        made = o.app(op, args[0], attrs=(axis,))
        return transpose(made) if axis == 0 and a.rank == 1 else made

    return write


def _softmax(a: Array, args: list[Expr]) -> Expr:
    axis = a.attrs[0]
    return o.app("softmax", args[0], attrs=(axis if axis is not None else 0 if a.rank == 1 else "all",))


def _extreme(op: str) -> Writer:
    def write(a: Array, args: list[Expr]) -> Expr:
        axis = a.attrs[0]
        if axis is None:
            return o.app(op, args[0])
        return make("sym", (), ("row_max" if axis == 1 else "column_max", frozenset[str]()), shape_of(a))

    return write


def _first(op: str) -> Writer:
    return lambda a, args: o.app("eq", args[0], o.app(op, args[0]))


def _unary(op: str) -> Writer:
    return lambda a, args: o.app(op, args[0])


def _product(a: Array, args: list[Expr]) -> Expr:
    flat: list[Expr] = []
    negative = False
    for e in args:
        if e.op == "neg":
            negative, e = not negative, e.args[0]
        flat.extend(e.args if e.op == "mul" and not e.is_scalar else [e])
    return o.neg(o.mul(*flat)) if negative else o.mul(*flat)


def _selection(a: Array) -> Expr:
    name, n = a.attrs
    return o.duplication(n) if name == "duplication" else o.elimination(n)


def _vdot(a: Array, args: list[Expr]) -> Expr:
    if args[0] is args[1]:
        return o.pow_(o.app("norm", args[0]), 2)
    return o.app("tr", _product(a, [transpose(args[0]), args[1]]))


def _residual_square(a: Array, args: list[Expr]) -> Expr:
    whole, cross, left, right = args
    product = o.app("tr", _product(a, [left, right]))
    return o.add(whole, o.neg(o.mul(o.number(2), cross)), product)


def _solve(a: Array, args: list[Expr]) -> Expr:
    base = o.T(o.inv(args[0].args[0])) if args[0].op == "T" else o.inv(args[0])
    return _product(a, [base, args[1]])


def _erfc(x: Expr) -> Expr:
    return o.sub(o.number(1), o.app("erf", x))


# fmt: off
_WRITERS: dict[str, Writer] = {
    "arg":      lambda a, args: symbol_of(a, a.attrs[0]),
    "number":   lambda a, args: o.number(a.attrs[0]),         "pi":      lambda a, args: o.PI,
    "size":     lambda a, args: o.dimension_number(a.attrs[0]),
    "eye":      lambda a, args: o.eye(a.attrs[0]),
    "ones":     lambda a, args: o.ones(*shape_of(a)),         "zeros":   lambda a, args: o.zeros(*shape_of(a)),
    "unit":     lambda a, args: o.unit(*a.attrs),
    "commutation": lambda a, args: o.commutation(*a.attrs),
    "duplication": lambda a, args: o.duplication(*a.attrs),   "elimination": lambda a, args: o.elimination(*a.attrs),
    "float":    lambda a, args: args[0],                      "truth":   lambda a, args: args[0],
    "sum":      _sum,              "scale":    _scale,        "times":   _times,          "quotient": _quotient,
    "maximum":  _pair("max"),      "minimum":  _pair("min"),
    **{op: _pair(op) for op in ("eq", "ge", "gt", "le", "lt")},
    "power":    lambda a, args: make("pow" if a.rank == 0 else "hpow", (args[0],), a.attrs, shape_of(a)),
    "powers":   lambda a, args: make("power" if a.rank == 0 else "hpower", tuple(args), (), shape_of(a)),
    **{name: _unary(name) for name in FUNCTIONS},
    "log_erfc": lambda a, args: o.app("log", _erfc(args[0])),
    "log_half_erfc": lambda a, args: o.app("log", o.div(_erfc(args[0]), o.number(2))),
    "erfcx":    lambda a, args: o.had(o.app("exp", o.hpow(args[0], 2)), _erfc(args[0])),
    "log1mexp": lambda a, args: o.app("log", o.sub(o.number(1), o.app("exp", args[0]))),
    "cosigmoid": lambda a, args: o.hpow(o.sub(o.number(1), o.app("exp", o.neg(args[0]))), -1),
    "sigmoid_from": _unary("sigmoid"),
    "sigmoid_of_negative_from": lambda a, args: o.app("sigmoid", o.neg(args[0])),
    "softplus_from": lambda a, args: o.app("softplus", args[0]),
    "softmax":  _softmax,          "logsumexp": _over("logsumexp"),
    "T":        lambda a, args: transpose(args[0]),           "flat":    lambda a, args: transpose(args[0]),
    "row":      lambda a, args: transpose(args[0]),           "column":  lambda a, args: args[0],
    "rows":     lambda a, args: o.mul(o.ones(a.attrs[0]), transpose(args[0])),
    "columns":  lambda a, args: o.mul(args[0], transpose(o.ones(a.attrs[0]))),
    "entry":    _entry,            "lift":     lambda a, args: args[0],
    "permute":  lambda a, args: _product(a, [o.commutation(*a.attrs), args[0]]),
    "take":     lambda a, args: _product(a, [_selection(a), args[0]]),
    "put":      lambda a, args: _product(a, [o.T(_selection(a)), args[0]]),
    "vec":      _unary("vec"),
    "turned":   lambda a, args: transpose(args[0]),
    "total_row": lambda a, args: o.app("sum", args[0], attrs=(0,)),
    "total":    _over("sum"),      "mean":     _over("mean"),
    "largest":  _extreme("maxall"), "smallest": _extreme("minall"),
    "first_max": _first("maxall"), "first_min": _first("minall"),
    "norm":     _unary("norm"),    "reciprocal_or_zero": lambda a, args: o.div(o.number(1), args[0]),
    "dot":      lambda a, args: _product(a, [transpose(args[0]), args[1]]),
    "vdot":     _vdot,             "residual_square": _residual_square,
    "trace":    _unary("tr"),
    "row_dots": lambda a, args: o.app("diagv", _product(a, [args[0], transpose(args[1])])),
    "outer":    lambda a, args: _product(a, [args[0], transpose(args[1])]),
    "matmul":   _product,          "solve":    _solve,          "chain":    _product,
    "diagonal": lambda a, args: args[1] if len(args) == 2 else _diag(args[0]),
    "diagonal_of": _unary("diagv"),
    "tril":     _unary("tril"),    "triu":     _unary("triu"),
    "kron":     lambda a, args: o.app("kron", *args),
    "block":    lambda a, args: make("block", tuple(args), a.attrs, shape_of(a)),
    "concatenate": lambda a, args: make("block", tuple(args), (1,) * len(args), shape_of(a)),
    "inv":      lambda a, args: o.inv(args[0]),
    "det":      _unary("det"),     "logdet":   _unary("logdet"),
    "cholesky": lambda a, args: args[0],                       "try_cholesky": lambda a, args: args[0],
    "lower_inverse": lambda a, args: o.inv(args[0]),
    "lower_gram": lambda a, args: _product(a, [transpose(args[0]), args[0]]),
    "inv_from": lambda a, args: o.inv(args[1]),                "logdet_from": lambda a, args: o.app("logdet", args[1]),
    "log_diagonal": lambda a, args: o.total(o.app("log", o.app("diagv", args[0]))),
    "pinv":     _unary("pinv"),    "adjugate": _unary("adj"), "expm":    _unary("expm"),
    "matrix_power": lambda a, args: o.pow_(args[0], a.attrs[0]),
}
# fmt: on
