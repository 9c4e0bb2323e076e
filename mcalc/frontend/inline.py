"""Elementwise functions of the user: `swish(x) = x sigmoid(x)`.

The body is a scalar expression in its parameter. Applied to a scalar, the argument takes the parameter's place; applied
to a matrix, the body is taken entry by entry: what depends on the parameter becomes a matrix, its products elementwise
products, its quotients and powers elementwise, and a constant goes with every entry.
"""

from __future__ import annotations

from typing import NamedTuple

from mcalc.algebra import operators as o
from mcalc.algebra.expr import Expr, depends_on, fold, rebuild, substitute
from mcalc.algebra.functions import FUNCTIONS
from mcalc.errors import NotSupported

ALLOWED = frozenset([*FUNCTIONS, "max", "min"])
"""The functions that a body may use, besides earlier functions of the user."""


class Function(NamedTuple):
    """An elementwise function: its name, its parameter (a scalar symbol), its body, and the other symbols in it."""

    name: str
    parameter: Expr
    body: Expr


def inline(function: Function, argument: Expr) -> Expr:
    """The function of the argument, entry by entry."""
    if argument.is_scalar:
        return substitute(function.body, {function.parameter: argument})
    moving = depends_on([function.parameter], function.body)
    if function.parameter is function.body:
        return argument
    if function.body not in moving:
        return o.mul(function.body, o.ones(*argument.shape))

    def lift(node: Expr, args: list[Expr]) -> Expr:
        return _entrywise(node, args) if node in moving else rebuild(node, args)

    return fold(function.body, lift, {function.parameter: argument})


def _entrywise(node: Expr, args: list[Expr]) -> Expr:
    """The scalar operator with its moving operands replaced by matrices."""
    match node.op:
        case "mul":
            matrices = [a for a in args if not a.is_scalar]
            return o.mul(*(a for a in args if a.is_scalar), o.had(*matrices))
        case "div":
            return o.div(*args) if args[1].is_scalar else o.hdiv(*args)
        case "pow":
            return o.hpow(args[0], node.attrs[0])
        case "power":
            base, exponent = args
            if exponent.is_scalar:
                return o.app("hpower", base, exponent)
            log = o.app("log", base)
            product = o.mul(log, exponent) if base.is_scalar else o.had(exponent, log)
            return o.app("exp", product)
        case "add":
            return o.add(*args)
        case "neg":
            return o.neg(args[0])
        case op if op in ALLOWED or op in ("eq", "ge", "gt", "le", "lt"):
            return o.app(op, *args)
    raise NotSupported(f"{node.op} is not an elementwise operation")
