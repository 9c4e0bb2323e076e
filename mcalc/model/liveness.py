"""Which statements of a program are needed.

In: statements in order, and what is wanted of them. Out: the same statements without what nothing wanted depends on,
or the arguments on which nothing depends.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from mcalc.algebra.expr import Expr, symbols
from mcalc.model.ir import Define, Element, Loop, Model, Statement, Total, Variable, definitions, variable_of


def needed(
    statements: Sequence[Statement], wanted: Iterable[Variable], elements: Mapping[Expr, Element]
) -> tuple[list[Statement | None], set[Variable]]:
    """At each place the statement, a loop without what is not needed of it, or None; and all variables that are read.

    What is wanted counts as read.
    """
    read = set(wanted)

    def live(d: Define | Total) -> bool:
        return variable_of(elements, d.target) in read

    kept: list[Statement | None] = []
    for s in reversed(statements):
        size = -1
        while size != len(read):
            # once more where a loop reads what an iteration before defines
            size = len(read)
            read.update(variable_of(elements, e) for d in definitions((s,)) if live(d) for e in symbols(d.value))
        if not any(live(d) for d in definitions((s,))):
            kept.append(None)
        else:
            kept.append(replace(s, body=tuple(d for d in s.body if live(d))) if isinstance(s, Loop) else s)
    return kept[::-1], read


def unread(model: Model) -> tuple[list[str], list[str]]:
    """The parameters that the loss does not depend on, and the inputs that neither the loss nor an output reads.

    Of a ragged argument, of which only some are read, those that are not.
    """
    _, by_loss = needed(model.statements, [model.loss], model.elements)
    outputs: set[Variable] = {model.loss, *model.outputs}
    outputs.update(node for name in model.outputs for node in model.ragged.get(name, ()))
    outputs.update(d.target for d in definitions(model.statements) if d.target.name in model.outputs)
    _, by_any = needed(model.statements, outputs, model.elements)
    found: dict[str, list[str]] = {"param": [], "input": []}
    for a in model.arguments:
        read = by_loss if a.kind == "param" else by_any
        parts: list[Variable] = list(a.symbols or (a.name,))
        missing = [v for v in parts if v not in read]
        if len(missing) == len(parts):
            found[a.kind].append(a.name)
        else:
            found[a.kind] += [v.name for v in missing if isinstance(v, Expr)]
    return found["param"], found["input"]
