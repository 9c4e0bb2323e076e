"""What `predict` needs: symbols of the outputs, the statements that they depend on, the arguments that those read."""

from __future__ import annotations

from collections.abc import Collection

from mcalc.algebra.expr import Expr, symbols
from mcalc.model.ir import Argument, Loop, Model, Statement


def output_symbols(model: Model) -> dict[str, tuple[Expr, ...]]:
    """The outputs that are no sequences over a free dimension, by name."""
    known = {s.target.name: s.target for s in model.statements if not isinstance(s, Loop)}
    return {
        name: model.ragged[name] if name in model.ragged else (known[name],)
        for name in model.outputs
        if name not in model.sequences
    }


def needed(model: Model) -> list[Statement]:
    """The statements that the outputs depend on, in order."""
    wanted: set[str] = set(model.outputs)
    found: list[Statement] = []
    for s in reversed(model.statements):
        targets = {owner(model, d.target) for d in (s.body if isinstance(s, Loop) else (s,))}
        if not targets & wanted and not any(_family(model, t) in wanted for t in targets):
            continue
        found.append(s)
        for d in s.body if isinstance(s, Loop) else (s,):
            wanted |= {owner(model, e) for e in symbols(d.value)}
    return found[::-1]


def owner(model: Model, e: Expr) -> str:
    """The sequence of an element; the name of another symbol."""
    element = model.elements.get(e)
    return element.sequence if element is not None else e.name


def _family(model: Model, name: str) -> str:
    return name.partition("[")[0] if "[" in name else name


def is_read(model: Model, argument: Argument, used: Collection[Expr]) -> bool:
    """Whether one of the symbols belongs to an argument."""
    if argument.name in model.sequences:
        return any(model.elements[e].sequence == argument.name for e in used if e in model.elements)
    return any(e in used for e in argument.symbols)
