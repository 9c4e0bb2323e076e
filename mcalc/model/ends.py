"""Ends of sequences that are names of their own.

P_bar[0] is defined before or after the loop that makes P_bar[1..T]. Where an iteration alone reads the element that it
makes, and all that is read of the sequence elsewhere are ends that were defined on their own, the ends are names like
any other: nothing has to be kept as a sequence.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from mcalc.algebra.expr import Expr, symbols
from mcalc.model.ir import Define, Element, Loop, Statement, definitions
from mcalc.model.stacked import Stack


def without_ends(
    statements: Sequence[Statement],
    elements: Mapping[Expr, Element],
    stacks: Mapping[Expr, Stack],
    wanted: Collection[Expr],
) -> dict[Expr, Element]:
    """The elements without those that are names of their own; `wanted` are symbols that are given back."""
    ends = {s.target for s in statements if isinstance(s, Define) and s.target in elements}
    together = {stack.sequence for stack in stacks.values()}
    together |= {elements[e].sequence for e in wanted if e in elements}
    for statement in statements:
        own = {d.target for d in statement.body} if isinstance(statement, Loop) else set()
        for e in {e for d in definitions([statement]) for e in symbols(d.value)}:
            if e in elements and e not in ends and e not in own:
                together.add(elements[e].sequence)
    return {e: element for e, element in elements.items() if e not in ends or element.sequence in together}


__all__ = ["without_ends"]
