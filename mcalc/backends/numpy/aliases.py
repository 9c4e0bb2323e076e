"""Sequences that share the memory of another: what a loop adds to, and writes, in one place.

z_in[t], read only to compute h[t] = tanh(z_in[t] + h[t-1] W), may lie where h[t] will lie: the loop then adds to it and
takes tanh of it where it is. In: a plan; out: for each such sequence, the one whose memory it uses.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from mcalc.algebra.expr import Expr
from mcalc.algebra.shape import ONE, Dim, dim
from mcalc.backends.numpy.carried import Uses, carried
from mcalc.backends.numpy.overwritten import taken_over
from mcalc.backends.numpy.statements import inner
from mcalc.model.stacked import Stack
from mcalc.program.ir import Array
from mcalc.program.plan import Line, Plan, Section, computed, single


@dataclass(frozen=True, slots=True)
class Alias:
    """A sequence in the memory of the elements first..last of another; `leaf` is its element in the loop."""

    sequence: str
    owner: str
    first: Dim
    last: Dim
    leaf: Array


class Memory:
    """Which sequences of a plan lie where: in others', in one place for all iterations, in what is read last."""

    def __init__(
        self, plan: Plan, stacks: Mapping[Expr, Stack], own: Collection[str], returned: Collection[Array] = ()
    ) -> None:
        uses = Uses(plan, stacks, returned)
        self.aliases = aliases(uses, own)
        shared = {name for a in self.aliases.values() for name in (a.owner, a.sequence)}
        self.carried = carried(uses, {a.owner for a in self.aliases.values()} | set(own))
        self.taken = taken_over(uses, self.carried, own, shared, self.aliases)
        """Sequences in the memory of others, which the forward phase kept."""
        self.overwritten = self.carried | {name: leaf for name, (_, leaf) in self.taken.items()}
        """The element that lies where that of a sequence is written, which the line may read."""
        self.starts = {a.leaf: a for a in self.aliases.values()}
        self.read_elsewhere = {*uses.reads, *uses.stacked, *uses.returned, *own, *shared}
        """Sequences that are not only read by the names of their stacked definitions."""


def aliases(uses: Uses, own: Collection[str]) -> dict[str, Alias]:
    """The sequences that may share memory, by their names; `own` are those that have memory of their own."""
    excluded = {*own, *uses.stacked, *uses.by_name}
    found: dict[str, Alias] = {}
    for section in uses.plan.sections:
        for line in section.lines:
            made = _alias(uses, section, line, excluded)
            if made is not None and uses.defined[made.sequence] == 1 and made.owner not in found:
                found[made.sequence] = made
    return found


def _alias(uses: Uses, section: Section, line: Line, excluded: Collection[str]) -> Alias | None:
    plan, r = uses.plan, section.range
    elements = plan.procedure.elements
    if r is None or line.target is None or line.target not in elements or line.total or not line.array.rank:
        return None
    owner = elements[line.target]
    if owner.index is not dim(r.index):
        return None
    names = {**plan.names, **{x.array: x.name for x in section.lines if x is not line}}
    start = _sum_within(line.array, names)
    if start is None or any(computed(x) and x not in names and not single(x) for x in start.args):
        return None
    first, last = r.ends
    for x, c in zip(start.args, start.attrs, strict=True):
        if x.op != "arg" or c != 1 or x.shape != line.array.shape:
            continue
        element = elements.get(plan.procedure.leaves[x])
        if element is None or element.index is not owner.index or element.sequence in excluded:
            continue
        stored, place = plan.sequences[element.sequence], plan.sequences[owner.sequence]
        fits = stored.first is first and stored.last is last and stored.shape == place.shape
        if len(uses.reads[element.sequence]) == 1 and fits and stored.shape[0] is not ONE:
            return Alias(element.sequence, owner.sequence, first, last, x)
    return None


def _sum_within(a: Array, names: Mapping[Array, str]) -> Array | None:
    """The outermost sum among the operations that are done in one buffer on the line of a."""
    found: Array | None = a
    while found is not None and found.op != "sum":
        found = inner(found, names)
    return found
