"""Sequences that share the memory of another: what a loop adds to, and writes, in one place.

z_in[t], read only to compute h[t] = tanh(z_in[t] + h[t-1] W), may lie where h[t] will lie: the loop then adds to it and
takes tanh of it where it is. In: a plan; out: for each such sequence, the one whose memory it uses.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from mcalc.algebra.expr import Expr
from mcalc.algebra.shape import ONE, Dim, dim
from mcalc.backends.numpy.buffers import tree
from mcalc.model.stacked import Stack
from mcalc.program.ir import Array
from mcalc.program.operations import VIEWS
from mcalc.program.plan import Line, Plan, Section, computed, inplace, single


@dataclass(frozen=True, slots=True)
class Alias:
    """A sequence in the memory of the elements first..last of another; `leaf` is its element in the loop."""

    sequence: str
    owner: str
    first: Dim
    last: Dim
    leaf: Array


def aliases(plan: Plan, stacks: Mapping[Expr, Stack], own: Collection[str]) -> dict[str, Alias]:
    """The sequences that may share memory, by their names; `own` are those that have memory of their own."""
    reads: dict[str, list[tuple[Line, Array]]] = {}
    whole = set(own)
    lines = [x for s in plan.sections for x in s.lines]
    stored = {x.array: stacks[x.target].sequence for x in lines if x.target is not None and x.target in stacks}
    written: dict[str, int] = {}
    for section in plan.sections:
        local = {**plan.names, **{x.array: x.name for x in section.lines}}
        for line in section.lines:
            for x in tree(line.array, local):
                if x in stored:
                    # read by the name of its stacked definition
                    whole.add(stored[x])
                if x.op != "arg":
                    continue
                e = plan.procedure.leaves[x]
                if e in stacks:
                    whole.add(stacks[e].sequence)
                elif e in plan.procedure.elements:
                    reads.setdefault(plan.procedure.elements[e].sequence, []).append((line, x))
            if line.target is not None and line.target in stacks:
                name = stacks[line.target].sequence
                written[name] = written.get(name, 0) + 1
    found: dict[str, Alias] = {}
    for section in plan.sections:
        if section.range is None:
            continue
        for line in section.lines:
            made = _alias(plan, section, line, reads, whole)
            if made is not None and written.get(made.sequence) == 1 and made.owner not in found:
                found[made.sequence] = made
    return found


def _alias(
    plan: Plan, section: Section, line: Line, reads: Mapping[str, list[tuple[Line, Array]]], whole: set[str]
) -> Alias | None:
    r = section.range
    elements = plan.procedure.elements
    if r is None or line.target is None or line.target not in elements or line.total or not line.array.rank:
        return None
    owner = elements[line.target]
    if owner.index is not dim(r.index):
        return None
    start = _innermost(line.array, {x.array: x.name for x in section.lines if x is not line}, plan.names)
    if start.op != "sum" or any(computed(x) and _unnamed(x, section, plan) and not single(x) for x in start.args):
        return None
    _, first, last = r.indices
    for x, c in zip(start.args, start.attrs, strict=True):
        if x.op != "arg" or c != 1 or x.shape != line.array.shape:
            continue
        element = elements.get(plan.procedure.leaves[x])
        if element is None or element.index is not owner.index or element.sequence in whole:
            continue
        stored, place = plan.sequences[element.sequence], plan.sequences[owner.sequence]
        alone = [seen for seen in reads.get(element.sequence, ()) if seen[0] is not line or seen[1] is not x]
        fits = stored.first is first and stored.last is last and stored.shape == place.shape
        if not alone and len(reads[element.sequence]) == 1 and fits and stored.shape[0] is not ONE:
            return Alias(element.sequence, owner.sequence, first, last, x)
    return None


def _unnamed(x: Array, section: Section, plan: Plan) -> bool:
    return x not in plan.names and all(x is not other.array for other in section.lines)


def _innermost(a: Array, local: Mapping[Array, str], names: Mapping[Array, str]) -> Array:
    """The innermost of the operations that are done in place, the sum that a leaf may begin included."""
    while a.op != "sum":
        inner = next(
            (x for x in a.args if computed(x) and x not in local and x not in names and x.op not in VIEWS and x.rank),
            None,
        )
        if inner is None or not inplace(a):
            break
        a = inner
    return a
