"""Where an activation is zero, its argument was not positive: relu'(Z) is read off H = relu(Z).

In: statements of both phases; out: the same, where `Z > 0` is `H > 0` for H = relu(Z), so that Z need not be kept. What
holds of h[t] in a loop holds in loops over the same indices. In a recurrence, whose steps are small, it is sign(H): a
matrix of ones and zeros is dearer to make than one of truth values, but multiplied with in a third of the time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mcalc.algebra.expr import Expr, substitute
from mcalc.algebra.operators import app, number
from mcalc.model.ir import Define, Element, Range, Statement, definitions, recurs, with_values


def masks_of_activations(statements: Sequence[Statement], elements: Mapping[Expr, Element]) -> list[Statement]:
    """The statements with masks read off activations."""
    found: dict[Range | None, dict[Expr, Expr]] = {}
    zero = number(0)
    for statement in statements:
        activations = [d for d in definitions([statement]) if d.value.op == "relu"]
        if activations:
            signs = not isinstance(statement, Define) and recurs(statement, elements)
            masks = found.setdefault(_indices(statement), {})
            for d in activations:
                mask = app("sign", d.target) if signs else app("gt", d.target, zero)
                masks[app("gt", d.value.args[0], zero)] = mask
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
