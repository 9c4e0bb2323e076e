"""Where an activation is zero, its argument was not positive: relu'(Z) is read off H = relu(Z).

In: statements of both phases; out: the same, where `Z > 0` is `H > 0` for H = relu(Z), so that Z need not be kept. What
holds of h[t] in a loop holds in loops over the same indices.
"""

from __future__ import annotations

from collections.abc import Sequence

from mcalc.algebra.expr import Expr, substitute
from mcalc.algebra.operators import app, number
from mcalc.model.ir import Define, Range, Statement, definitions, with_values


def masks_of_activations(statements: Sequence[Statement]) -> list[Statement]:
    """The statements with masks read off activations."""
    found: dict[Range | None, dict[Expr, Expr]] = {}
    for statement in statements:
        for d in definitions([statement]):
            if d.value.op == "relu":
                zero = number(0)
                masks = found.setdefault(_indices(statement), {})
                masks[app("gt", d.value.args[0], zero)] = app("gt", d.target, zero)
    if not found:
        return list(statements)
    return [
        read
        for s in statements
        for read in with_values([s], [substitute(d.value, found.get(_indices(s), {})) for d in definitions([s])])
    ]


def _indices(statement: Statement) -> Range | None:
    """The indices that the names of a statement stand for."""
    return None if isinstance(statement, Define) else statement.range.upwards
