"""Cotangents that are read once are put where they are read.

In: the statements of the backward phase; out: fewer statements. C_bar = C S^-1 / n, read only by mu_bar = -1^T C_bar,
gives mu_bar = -1^T C S^-1 / n, of which 1^T C comes first. A product that another product reads stays by itself:
K_bar = S_bar^T Q before Wk_bar = X^T K_bar is the order of reverse mode, whose cost is that of the forward phase.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from mcalc.algebra.expr import Expr, postorder, substitute, symbols
from mcalc.algebra.shape import Dim
from mcalc.model.ir import Define, Loop, Statement, definitions

LONGEST = 60
"""Longer expressions stay definitions."""

LOW_RANK = 4
"""How much smaller the inner dimension of a product is than the outer ones, that it counts as of low rank."""


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


def expand_low_rank(
    forward: Sequence[Statement],
    backward: Sequence[Statement],
    kept: Collection[Expr],
    size: Callable[[Dim], float],
) -> tuple[list[Statement], list[Statement]]:
    """The statements of both phases, products of low rank put where they are read, if in norms and traces only.

    |U V^T|^2 = tr((U^T U)(V^T V)): where the inner dimension is small, the product itself need not be formed. `size`
    gives the size of a dimension that is typical.
    """
    statements = [*forward, *backward]
    readers: dict[Expr, dict[int, Statement]] = {}
    for place, s in enumerate(statements):
        for d in definitions((s,)):
            for e in symbols(d.value):
                readers.setdefault(e, {})[place] = s
    values: dict[Expr, Expr] = {}
    made: list[Statement] = []
    of_forward = 0
    for place, s in enumerate(statements):
        if isinstance(s, Define) and s.target not in kept and _has_low_rank(s.value, size):
            later = [t for at, t in readers.get(s.target, {}).items() if at > place]
            if all(isinstance(t, Define) and (_in_trace(t.value, s.target) or _is_multiple(t.value)) for t in later):
                values[s.target] = substitute(s.value, values)
                continue
        if isinstance(s, Define):
            value = substitute(s.value, values) if values else s.value
            if s.target not in kept and value is not s.value and _is_multiple(s.value):
                values[s.target] = value
                continue
            made.append(Define(s.target, value, s.span))
        else:
            made.append(s)
        of_forward += place < len(forward)
    return made[:of_forward], made[of_forward:]


def _has_low_rank(e: Expr, size: Callable[[Dim], float]) -> bool:
    if e.op != "mul" or any(a.is_scalar for a in e.args):
        return False
    inner = min(size(a.shape[1]) for a in e.args[:-1])
    return inner * LOW_RANK <= min(size(e.shape[0]), size(e.shape[1]))


def _in_trace(e: Expr, target: Expr) -> bool:
    """Whether a symbol occurs in traces of products and in norms only."""
    forms = {target, *(n for n in postorder(e) if n.op == "T" and n.args[0] is target)}
    readers = [n for n in postorder(e) if n not in forms and not forms.isdisjoint(n.args)]
    return e.is_scalar and all(n.op in ("mul", "norm") for n in readers)
