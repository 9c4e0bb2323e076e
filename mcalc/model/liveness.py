"""Which statements of a program are needed.

In: statements in order, and what is wanted of them. Out: the same statements without what nothing wanted depends on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from mcalc.algebra.expr import Expr, symbols
from mcalc.model.ir import Define, Element, Loop, Statement, Total, Variable, definitions, variable_of


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
