"""Elaboration: a program whose shapes are known becomes expressions.

Goes in: the steps, their types, and the symbols. Comes out: the expression of every step. How products are grouped is
decided here: from left to right, a scalar that a product has come to stays one factor (`group`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from mcalc.algebra import operators as o
from mcalc.algebra.expr import Expr, substitute
from mcalc.algebra.shape import ONE, Dim, dim
from mcalc.errors import AmbiguityError, McalcError
from mcalc.frontend.calls import CALLS
from mcalc.frontend.checking import Checked
from mcalc.frontend.inline import Function, inline
from mcalc.frontend.program import Program, Step

_FILLINGS = (("vector", None), ("matrix", None))
RELATIONS = {"==": "eq", ">=": "ge", ">": "gt", "<=": "le", "<": "lt"}


def elaborate(
    program: Program,
    checked: Checked,
    symbols: Mapping[str, Expr],
    functions: Mapping[str, Function],
    entrywise: Collection[Expr] = (),
) -> list[Expr]:
    """The expression of every step. To the symbols in `entrywise` a scalar may be added."""
    stand_ins = {symbol: o.app("exp", symbol) for symbol in entrywise}
    values: list[Expr] = []
    for place, step in enumerate(program.steps):
        args = [values[a] for a in step.args]
        try:
            if step.kind == "symbol":
                values.append(symbols[step.value])
            elif step.kind == "sum" and stand_ins:
                values.append(_sum(step, args, stand_ins))
            elif step.kind == "applied":
                values.append(inline(functions[step.value[0]], args[0]))
            elif step.kind == "unsized" or step.value in _FILLINGS:
                t = checked.types[place]
                rows, columns = (checked.dimensions.value(d) for d in t[:2])
                values.append(_filled(step, args, rows, columns))
            else:
                values.append(_BUILDERS[step.kind](step, args))
        except McalcError as error:
            raise error.at(step.node.span) from None
    return values


def group(factors: list[Expr]) -> Expr:
    """The product of factors from left to right; a scalar that matrices have come to is one factor."""
    closed: list[Expr] = []
    open_: list[Expr] = []
    rows = columns = ONE
    for factor in factors:
        if factor.is_scalar:
            (open_ if open_ else closed).append(factor)
            continue
        if open_ and rows is ONE and columns is ONE:
            closed.append(o.mul(*open_))
            open_ = []
        if not open_:
            rows = factor.shape[0]
        columns = factor.shape[1]
        open_.append(factor)
    if open_ and closed and len(open_) > 1 and rows is ONE and columns is ONE:
        open_ = [o.mul(*open_)]
    return o.mul(*closed, *open_)


def _comes_to_scalar(factors: list[Expr]) -> bool:
    rows = columns = ONE
    for factor in factors:
        if not factor.is_scalar:
            if rows is ONE and columns is ONE:
                rows = factor.shape[0]
            columns = factor.shape[1]
    return rows is ONE and columns is ONE


class _Level:
    """The operators of one level, from left to right."""

    def __init__(self, first: Expr) -> None:
        self.factors = [first]
        self.elementwise: list[Expr] = []
        """The operands of the `.*` chain that `factors[0]` will be, if any."""

    def value(self) -> Expr:
        if self.elementwise:
            self.factors = [o.had(*self.elementwise)]
            self.elementwise = []
        return group(self.factors)

    def join(self, operator: str, f: Expr) -> None:
        if operator == ".*" and self.elementwise and not f.is_scalar:
            self.elementwise.append(f)
            return
        if self.elementwise:
            self.value()
        product = operator in ("", "*") or (operator == ".*" and (f.is_scalar or _comes_to_scalar(self.factors)))
        if product:
            self.factors.append(f)
        elif operator == ".*":
            self.elementwise = [group(self.factors), f]
        else:
            left = self.value()
            if operator == "⊗":
                self.factors = [o.app("kron", left, f)]
            else:
                self.factors = [o.div(left, f) if f.is_scalar else o.hdiv(left, f)]


def _product(step: Step, args: list[Expr]) -> Expr:
    level = _Level(args[0])
    for operator, factor in zip(step.value, args[1:], strict=True):
        level.join(operator, factor)
    return level.value()


def _sum(step: Step, args: list[Expr], stand_ins: dict[Expr, Expr]) -> Expr:
    """A sum; a scalar goes with every entry where the language lets it."""
    matrices = [(i, a) for i, a in enumerate(args) if not a.is_scalar]
    if matrices and len(matrices) < len(args):
        last = max(i for i, a in enumerate(args) if a.is_scalar)
        for i, matrix in matrices:
            if (i < last or i == matrices[0][0]) and not _takes_scalars(matrix, stand_ins):
                raise AmbiguityError(
                    "a scalar added to a matrix can be read in two ways",
                    notes=(f"X + ones({matrix.shape[0]},{matrix.shape[1]}), or X + I",),
                )
    return o.add(*(o.neg(a) if minus else a for a, minus in zip(args, step.value, strict=True)))


def _takes_scalars(matrix: Expr, stand_ins: dict[Expr, Expr]) -> bool:
    return o.takes_scalars(matrix) or (bool(stand_ins) and o.takes_scalars(substitute(matrix, stand_ins)))


def _power(step: Step, args: list[Expr]) -> Expr:
    base, exponent = args
    if step.value is not None:
        return o.pow_(base, step.value)
    return o.app("power", base, exponent)


def _elementwise_power(step: Step, args: list[Expr]) -> Expr:
    base = args[0]
    if base.is_scalar:
        return _power(step, args)
    return o.hpow(base, step.value) if step.value is not None else o.app("hpower", *args)


def _call(step: Step, args: list[Expr]) -> Expr:
    word, axis = step.value
    build = CALLS[word].build
    assert build is not None
    return build(axis, *args)


def _sized(step: Step, args: list[Expr]) -> Expr:
    op, attrs = step.value
    makers: dict[str, Any] = {
        "eye": o.eye, "ones": o.ones, "zeros": o.zeros, "unit": o.unit, "K": o.commutation,
        "dup": o.duplication, "elim": o.elimination,
    }  # fmt: skip
    made: Expr = makers[op](*attrs)
    return made


def _filled(step: Step, args: list[Expr], rows: Dim, columns: Dim) -> Expr:
    """`I`, `1`, `vector(s)`, `matrix(s)` of the size that fits."""
    if not args:
        if step.value == "eye":
            return o.eye(rows)
        return o.ones(rows, columns) if step.value == "ones" else o.zeros(rows, columns)
    entry = args[0]
    if entry.op == "num" and entry.attrs[0] in (0, 1):
        return o.ones(rows, columns) if entry.attrs[0] == 1 else o.zeros(rows, columns)
    return o.mul(entry, o.ones(rows, columns))


_BUILDERS: dict[str, Any] = {
    "number": lambda step, args: o.number(step.value),
    "dimension": lambda step, args: o.dimension_number(dim(step.value)),
    "constant": lambda step, args: o.PI,
    "sized": _sized,
    "sum": lambda step, args: _sum(step, args, {}),
    "product": _product,
    "negative": lambda step, args: o.neg(args[0]),
    "transpose": lambda step, args: o.T(args[0]),
    "inverse_transpose": lambda step, args: o.T(o.inv(args[0])),
    "power": _power,
    "elementwise_power": _elementwise_power,
    "exponential": lambda step, args: o.app("exp", args[1]),
    "compare": lambda step, args: o.app(RELATIONS[step.value], *args),
    "call": _call,
    "bars": lambda step, args: o.app("abs" if args[0].is_scalar else "det", args[0]),
    "log_bars": lambda step, args: (
        o.app("log", o.app("abs", args[0])) if args[0].is_scalar else o.app("logdet", args[0])
    ),
    "norm": lambda step, args: o.app("norm1" if step.value == "1" else "norm", args[0]),
    "index": lambda step, args: o.app("index", args[0], attrs=step.value),
    "block": lambda step, args: o.app("block", *args, attrs=step.value),
    "same": lambda step, args: args[0],
}
