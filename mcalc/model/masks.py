"""Where an activation is zero, its argument was not positive: relu'(Z) is read off H = relu(Z).

In: statements of both phases; out: the same, where `Z > 0` is `H > 0` for H = relu(Z), so that Z need not be kept.
"""

from __future__ import annotations

from collections.abc import Sequence

from mcalc.algebra.expr import Expr, substitute
from mcalc.algebra.operators import app, number
from mcalc.model.ir import Statement, definitions, with_values


def masks_of_activations(statements: Sequence[Statement]) -> list[Statement]:
    """The statements with masks read off activations."""
    found: dict[Expr, Expr] = {}
    for d in definitions(statements):
        if d.value.op == "relu":
            zero = number(0)
            found[app("gt", d.value.args[0], zero)] = app("gt", d.target, zero)
    if not found:
        return list(statements)
    return list(with_values(statements, [substitute(d.value, found) for d in definitions(statements)]))
