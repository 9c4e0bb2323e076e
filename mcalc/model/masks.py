"""Where an activation is zero, its argument was not positive: relu'(Z) is read off H = relu(Z).

In: statements of both phases; out: the same, where `Z > 0` is `H > 0` for H = relu(Z), so that Z need not be kept. What
holds of h[t] in a loop holds in loops over the same indices. In a recurrence, whose steps are small, it is sign(H): a
matrix of ones and zeros is dearer to make than one of truth values, but multiplied with in a third of the time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mcalc.algebra.expr import Expr, substitute, symbols
from mcalc.algebra.operators import app, number
from mcalc.model.ir import Define, Element, Range, Statement, definitions, with_values


def masks_of_activations(statements: Sequence[Statement], elements: Mapping[Expr, Element]) -> list[Statement]:
    """The statements with masks read off activations."""
    found: dict[Range | None, dict[Expr, Expr]] = {}
    zero = number(0)
    for statement in statements:
        activations = [d for d in definitions([statement]) if d.value.op == "relu"]
        if activations:
            recurs = _recurs(statement, elements)
            masks = found.setdefault(_indices(statement), {})
            for d in activations:
                mask = app("sign", d.target) if recurs else app("gt", d.target, zero)
                masks[app("gt", d.value.args[0], zero)] = mask
    if not found:
        return list(statements)
    return [
        read
        for s in statements
        for read in with_values([s], [substitute(d.value, found.get(_indices(s), {})) for d in definitions([s])])
    ]


def _recurs(statement: Statement, elements: Mapping[Expr, Element]) -> bool:
    """Whether a loop reads what it made in an iteration before."""
    if isinstance(statement, Define):
        return False
    made = {d.target for d in definitions([statement])}
    sequences = {elements[e].sequence for e in made if e in elements}
    read = {e for d in definitions([statement]) for e in symbols(d.value)}
    return any(e in elements and elements[e].sequence in sequences for e in read - made)


def _indices(statement: Statement) -> Range | None:
    """The indices that the names of a statement stand for."""
    return None if isinstance(statement, Define) else statement.range.upwards
