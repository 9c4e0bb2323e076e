"""One handler for each operator that has a normal form of its own, and the rule that it cites by default."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING

from mcalc.algebra.expr import Expr
from mcalc.algebra.operators import (
    app,
    eye,
    number,
    ones,
    pow_,
    zeros,
)
from mcalc.algebra.shape import SCALAR, Shape
from mcalc.algebra.structure import holds
from mcalc.simplify import elementwise
from mcalc.simplify.reductions import determinant, linear, mean, norm
from mcalc.simplify.terms import (
    HALF,
    ONE_Q,
    build,
    holds_nonnegative,
    merge,
    raised,
    scaled,
    settle,
    term_of,
)

if TYPE_CHECKING:
    from mcalc.simplify.normal_form import Normaliser


def _power(c: Normaliser, e: Expr) -> Expr:
    base, exponent = e.args[0], e.attrs[0]
    if exponent == 0:
        return number(1) if e.is_scalar else eye(e.shape[0])
    if exponent == 1:
        return base
    if e.is_scalar:
        return _scalar_power(e, base, exponent)
    term = term_of(base)
    if term.coefficient != 1 or term.scalars or base.op in ("neg", "div"):
        inner = build(ONE_Q, (), term.factors, e.shape)
        power = _power(c, pow_(inner, exponent))
        return scaled(power, term.coefficient ** int(exponent), raised(term.scalars, exponent))
    match base.op:
        case "eye":
            return base
        case "pow":
            c.because("powers of one matrix" if exponent * base.attrs[0] != 1 else "inverse of an inverse")
            return _power(c, pow_(base.args[0], base.attrs[0] * exponent))
        case "T":
            c.because("inverse of a transpose")
            return c.transpose(_power(c, pow_(base.args[0], exponent)))
        case "add":
            backwards = c.transpose(base)
            if backwards is not base and backwards.op == "add":
                known = c.first.setdefault(("base", base), base)
                c.first.setdefault(("base", backwards), base)
                if known is not base:
                    return c.transpose(pow_(known, exponent))
        case "kron" if all(a.is_square for a in base.args):
            c.because("power of a Kronecker product")
            return _kron(c, app("kron", *(_power(c, pow_(a, exponent)) for a in base.args)))
        case "diagm":
            c.because("diagonal power")
            return c.apply("diagm", elementwise.power(c, base.args[0], exponent))
        case "mul" if exponent < 0 and all(f.is_square for f in base.args):
            c.because("inverse of a product")
            factors = [_power(c, pow_(f, -1)) for f in reversed(base.args)]
            return c.product(factors * -int(exponent))
    if exponent < 0 and holds(base, "orthogonal"):
        c.because("orthogonal")
        return c.transpose(base if exponent == -1 else pow_(base, -exponent))
    return e


def _scalar_power(e: Expr, base: Expr, exponent: Fraction) -> Expr:
    term = term_of(base)
    if exponent.denominator == 1 and (base.op != "add"):
        if term.coefficient == 0:
            return number(0) if exponent > 0 else e
        extra, powers = settle(raised(term.scalars, exponent))
        return build(extra * term.coefficient ** int(exponent), powers, (), SCALAR)
    if term.coefficient == 1 and len(term.scalars) == 1 and holds_nonnegative(term.scalars[0][0]):
        extra, powers = settle(raised(term.scalars, exponent))
        return build(extra, powers, (), SCALAR)
    return app("sqrt", base) if exponent == HALF else e


def _transpose(c: Normaliser, e: Expr) -> Expr:
    return c.transpose(e.args[0])


def _add(c: Normaliser, e: Expr) -> Expr:
    return c.sum(e.args, e.shape)


def _neg(c: Normaliser, e: Expr) -> Expr:
    if e.args[0].op == "zeros" or (e.args[0].op == "num" and e.args[0].attrs[0] == 0):
        return e.args[0]
    return scaled(e.args[0], Fraction(-1))


def _mul(c: Normaliser, e: Expr) -> Expr:
    return c.product(e.args)


def _div(c: Normaliser, e: Expr) -> Expr:
    if e.args[0].op == "zeros" or (e.args[1].op == "num" and e.args[1].attrs[0] == 0):
        return e.args[0] if e.args[0].op == "zeros" else e
    return c.times(e.args[0], e.args[1], Fraction(-1))


def _had(c: Normaliser, e: Expr) -> Expr:
    return c.had(e.args, e.shape)


def _hdiv(c: Normaliser, e: Expr) -> Expr:
    return elementwise.product(c, [(e.args[0], ONE_Q), (e.args[1], -ONE_Q)], e.shape)


def _hpow(c: Normaliser, e: Expr) -> Expr:
    return elementwise.power(c, e.args[0], e.attrs[0])


def _even_or_odd(c: Normaliser, e: Expr) -> Expr:
    """f(-X) and f(X^T) of an elementwise f."""
    arg = e.args[0]
    if arg.op == "T":
        return c.transpose(c.apply(e.op, arg.args[0]))
    if arg.op == "neg" or (arg.op == "add" and arg.args[0].op == "neg" and all(a.op == "neg" for a in arg.args)):
        inner = scaled(arg, Fraction(-1))
        if e.op in _EVEN:
            return app(e.op, inner)
        if e.op in _ODD:
            return scaled(app(e.op, inner), Fraction(-1))
    if e.op == "abs" and e.is_scalar and holds_nonnegative(arg):
        return arg
    return _inverse_functions(c, e)


def _inverse_functions(c: Normaliser, e: Expr) -> Expr:
    arg = e.args[0]
    match e.op, arg.op:
        case ("exp", "log") | ("log", "exp"):
            c.because("exp and log")
            return arg.args[0]
        case ("exp" | "tanh" | "sin" | "relu" | "abs" | "sinh", _) if _is_zero(arg):
            return _constant(e.shape, 1 if e.op == "exp" else 0)
        case ("log", "num") if arg.attrs[0] == 1:
            return number(0)
        case ("abs" | "relu", "exp" | "abs" | "relu"):
            return arg
    return e


def _is_zero(e: Expr) -> bool:
    return e.op == "zeros" or (e.op == "num" and e.attrs[0] == 0)


def _constant(shape: Shape, value: int) -> Expr:
    if shape == SCALAR:
        return number(value)
    return ones(*shape) if value else zeros(*shape)


def _sqrt(c: Normaliser, e: Expr) -> Expr:
    if e.is_scalar:
        return _scalar_power(pow_(e.args[0], HALF), e.args[0], HALF)
    return e


def _kron(c: Normaliser, e: Expr) -> Expr:
    left, right = term_of(e.args[0]), term_of(e.args[1])
    if "zeros" in (e.args[0].op, e.args[1].op):
        return zeros(*e.shape)
    if e.args[0].is_scalar or e.args[1].is_scalar:
        return c.product([e.args[0], e.args[1]])
    a = build(ONE_Q, (), left.factors, e.args[0].shape)
    b = build(ONE_Q, (), right.factors, e.args[1].shape)
    inner = eye(e.shape[0]) if a.op == b.op == "eye" else app("kron", a, b)
    return scaled(inner, left.coefficient * right.coefficient, merge(left.scalars, right.scalars))


_EVEN = frozenset({"cos", "cosh", "abs"})
_ODD = frozenset({"sin", "tan", "arcsin", "arctan", "sinh", "tanh", "sign", "erf"})

# fmt: off
HANDLERS: dict[str, Callable[[Normaliser, Expr], Expr]] = {
    "add": _add, "neg": _neg, "mul": _mul, "div": _div, "had": _had, "hdiv": _hdiv, "hpow": _hpow,
    "pow": _power, "T": _transpose, "kron": _kron,
    "tr": linear, "sum": linear, "mean": mean, "vec": linear, "diagm": linear,
    "diagv": linear, "tril": linear, "triu": linear, "index": linear,
    "det": determinant, "logdet": determinant, "norm": norm, "norm1": norm, "sqrt": _sqrt,
    **dict.fromkeys(("exp", "log", "sin", "cos", "tan", "arcsin", "arctan", "sinh", "cosh", "tanh", "abs",
                     "sign", "relu", "sigmoid", "softplus", "erf"), _even_or_odd),
}
DEFAULT_RULES: dict[str, str] = {
    "add": "collect terms", "neg": "sign in front", "mul": "scalars in front", "div": "scalars in front",
    "had": "elementwise factors", "hdiv": "elementwise factors", "hpow": "elementwise factors",
    "pow": "powers of one matrix", "T": "transpose of a product", "kron": "scalars in front",
    "tr": "linearity", "sum": "linearity", "mean": "mean of entries",
    "vec": "linearity", "diagm": "linearity", "diagv": "linearity",
    "tril": "linearity", "triu": "linearity", "index": "linearity", "det": "determinant of a power",
    "logdet": "determinant of a power", "norm": "norm of a multiple", "norm1": "norm of a multiple",
    "sqrt": "powers of one scalar",
    **dict.fromkeys(("exp", "log", "sin", "cos", "tan", "arcsin", "arctan", "sinh", "cosh", "tanh", "abs",
                     "sign", "relu", "sigmoid", "softplus", "erf"), "even and odd functions"),
}
