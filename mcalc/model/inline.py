"""Cotangents that are read once are put where they are read.

In: the statements of the backward phase; out: fewer statements. C_bar = C S^-1 / n, read only by mu_bar = -1^T C_bar,
gives mu_bar = -1^T C S^-1 / n, of which 1^T C comes first. A product that another product reads stays by itself:
K_bar = S_bar^T Q before Wk_bar = X^T K_bar is the order of reverse mode, whose cost is that of the forward phase.
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
    multiplied = {arg for s in statements for d in definitions((s,)) for arg in _factors(d.value)}
    values: dict[Expr, Expr] = {}
    made: list[Statement] = []
    for s in statements:
        if not isinstance(s, Define):
            made.append(s)
            continue
        here = {e: values[e] for e in symbols(s.value) if e in values}
        value = substitute(s.value, here) if here else s.value
        alone = s.target not in multiplied or _is_multiple(value)
        if reads.get(s.target) == 1 and s.target not in kept and value.length <= LONGEST and alone:
            values[s.target] = value
        else:
            made.append(Define(s.target, value, s.span))
    return made


def _factors(e: Expr) -> list[Expr]:
    """The symbols that are factors of products of matrices, transposed or not."""
    found = []
    for node in postorder(e):
        if node.op == "mul" and sum(not a.is_scalar for a in node.args) > 1:
            found += [a.args[0] if a.op == "T" else a for a in node.args]
    return found


def _is_multiple(e: Expr) -> bool:
    """Whether this is a symbol times scalars."""
    while e.op in ("neg", "div"):
        e = e.args[0]
    rest = [a for a in e.args if not a.is_scalar] if e.op == "mul" else [e]
    return len(rest) == 1 and rest[0].op == "sym"


def _occurrences(e: Expr) -> dict[Expr, int]:
    """How often each symbol is an operand."""
    found: dict[Expr, int] = {e: 1} if e.op == "sym" else {}
    for node in postorder(e):
        for arg in node.args:
            if arg.op == "sym":
                found[arg] = found.get(arg, 0) + 1
    return found
