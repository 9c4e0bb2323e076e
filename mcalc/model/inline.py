"""Cotangents that are read once are put where they are read, so that products that meet can be ordered together.

In: the statements of the backward phase; out: fewer statements. C_bar = C S^-1 / n, read only by mu_bar = -1^T C_bar,
gives mu_bar = -1^T C S^-1 / n, of which 1^T C comes first.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from mcalc.algebra.expr import Expr, postorder, substitute, symbols
from mcalc.model.ir import Define, Loop, Statement, definitions

LONGEST = 60
"""Longer expressions stay definitions."""


def inline_single_reads(statements: Sequence[Statement], kept: Collection[Expr]) -> list[Statement]:
    """The statements without straight-line definitions that one straight-line definition reads, once."""
    reads: dict[Expr, int] = {}
    for s in statements:
        weight = 2 if isinstance(s, Loop) or not isinstance(s, Define) else 1
        for d in definitions((s,)):
            for e, times in _occurrences(d.value).items():
                reads[e] = reads.get(e, 0) + weight * times
    values: dict[Expr, Expr] = {}
    made: list[Statement] = []
    for s in statements:
        if not isinstance(s, Define):
            made.append(s)
            continue
        here = {e: values[e] for e in symbols(s.value) if e in values}
        value = substitute(s.value, here) if here else s.value
        if reads.get(s.target) == 1 and s.target not in kept and value.length <= LONGEST:
            values[s.target] = value
        else:
            made.append(Define(s.target, value, s.span))
    return made


def _occurrences(e: Expr) -> dict[Expr, int]:
    """How often each symbol is an operand."""
    found: dict[Expr, int] = {e: 1} if e.op == "sym" else {}
    for node in postorder(e):
        for arg in node.args:
            if arg.op == "sym":
                found[arg] = found.get(arg, 0) + 1
    return found
