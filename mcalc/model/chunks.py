"""Long products in parts: of hundreds of factors, all gradients share the products of the parts.

In: a model; out: a model in which no product has more than `LONGEST` matrices. Parts are taken from the end where there
is a vector, so that matrices are multiplied with it and not with each other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from mcalc.algebra.expr import Expr, fold, rebuild
from mcalc.algebra.operators import mul, symbol
from mcalc.algebra.shape import ONE
from mcalc.model.ir import Define, Model, Statement
from mcalc.model.naming import Names

LONGEST = 12
PART = 4
"""Matrices in a part."""


def in_parts(model: Model) -> Model:
    """The model with long products of straight code in parts."""
    names = Names.of(model)
    made: list[Statement] = []
    changed = False
    for statement in model.statements:
        if not isinstance(statement, Define):
            made.append(statement)
            continue
        parts: list[Define] = []

        def define(value: Expr, parts: list[Define] = parts) -> Expr:
            target = symbol(names.fresh("q"), value.shape)
            parts.append(Define(target, value))
            return target

        def combine(node: Expr, args: list[Expr], define: Callable[[Expr], Expr] = define) -> Expr:
            return _combine(node, args, define)

        value = fold(statement.value, combine, {})
        changed = changed or bool(parts)
        made += [*parts, Define(statement.target, value, statement.span)]
    return replace(model, statements=tuple(made)) if changed else model


def _combine(node: Expr, args: list[Expr], define: Callable[[Expr], Expr]) -> Expr:
    if node.op != "mul" or len(args) <= LONGEST:
        return rebuild(node, args)
    scalars = [a for a in args if a.is_scalar]
    factors: Sequence[Expr] = [a for a in args if not a.is_scalar]
    if factors and node.is_scalar and not (factors[0].shape[0] is ONE and factors[-1].shape[1] is ONE):
        return rebuild(node, args)
    while len(factors) > LONGEST:
        if factors[-1].shape[1] is ONE:
            factors = [*factors[:-PART], define(mul(*factors[-PART:]))]
        elif factors[0].shape[0] is ONE:
            factors = [define(mul(*factors[:PART])), *factors[PART:]]
        else:
            groups = [factors[k : k + PART] for k in range(0, len(factors), PART)]
            factors = [define(mul(*g)) if len(g) > 1 else g[0] for g in groups]
    return mul(*scalars, *factors)
