"""What `predict` needs: the outputs, the statements that they depend on, the arguments that those read."""

from __future__ import annotations

from collections.abc import Collection

from mcalc.algebra.expr import Expr
from mcalc.backends.numpy.spelling import Names, part_of
from mcalc.model.ir import Argument, Loop, Model, Statement, Variable, variable_of
from mcalc.model.liveness import needed


def output_symbols(model: Model) -> dict[str, tuple[Expr, ...]]:
    """The outputs that are no sequences over a free dimension, by name."""
    known = {s.target.name: s.target for s in model.statements if not isinstance(s, Loop)}
    return {
        name: model.ragged[name] if name in model.ragged else (known[name],)
        for name in model.outputs
        if name not in model.sequences
    }


def statements_of_outputs(model: Model) -> list[Statement]:
    """The statements that the outputs depend on, in order."""
    wanted: set[Variable] = {name for name in model.outputs if name in model.sequences}
    wanted.update(e for found in output_symbols(model).values() for e in found)
    return [s for s in needed(model.statements, wanted, model.elements)[0] if s is not None]


def is_read(model: Model, argument: Argument, used: Collection[Expr]) -> bool:
    """Whether one of the symbols belongs to an argument."""
    if argument.name in model.sequences:
        return any(model.elements[e].sequence == argument.name for e in used if e in model.elements)
    return any(e in used for e in argument.symbols)


def whole(model: Model, output: str, names: Names) -> str:
    """The text of the elements of a sequence that loops define."""
    low = high = None
    for s in model.statements:
        if isinstance(s, Loop) and any(variable_of(model.elements, d.target) == output for d in s.body):
            first, last = s.range.ends
            low, high = low or first, last
    found = model.sequences[output]
    if low is None or high is None:
        return names.sequences[output]
    return f"{names.sequences[output]}{part_of(found, low, high, names.sizes)}"
