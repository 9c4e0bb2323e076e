"""Where the sequences of a plan are read and written; those of which a loop needs one element at a time.

What one iteration of a loop leaves to the next, and nobody else reads, lies in one place. In: a plan; out: the names of
such sequences.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from mcalc.algebra.expr import Expr
from mcalc.algebra.shape import dim
from mcalc.backends.numpy.buffers import operand, tree
from mcalc.model.ir import Element
from mcalc.model.stacked import Stack
from mcalc.program.ir import Array
from mcalc.program.operations import ATOMS
from mcalc.program.plan import Line, Plan, Section


@dataclass(slots=True)
class Use:
    """Where the elements of a sequence are read or written: the section, the line's place, the element."""

    section: Section
    place: int
    line: Line
    element: Element
    leaf: Array | None = None


class Uses:
    """All reads and writes of the sequences of a plan."""

    def __init__(self, plan: Plan, stacks: Mapping[Expr, Stack], returned: Collection[Array] = ()) -> None:
        self.plan = plan
        self.reads: dict[str, list[Use]] = {}
        self.writes: dict[str, list[Use]] = {}
        self.whole: set[str] = set()
        """Sequences that are read or written as stacks."""
        self.stacked: set[str] = set()
        """Sequences that are read as stacks."""
        self.by_name: set[str] = set()
        """Sequences that straight code reads by the name of a definition: of all elements, or of one."""
        self.defined: Counter[str] = Counter()
        """How many stacked definitions a sequence has."""
        leaves, elements = plan.procedure.leaves, plan.procedure.elements
        given_back = {leaves[a] for a in returned if a.op == "arg"}
        self.returned = {found[e].sequence for e in given_back for found in (elements, stacks) if e in found}
        """Sequences of which an element is given back as it is."""
        self.mentions: Counter[Array] = Counter()
        """How many lines an array is computed on or read."""
        straight = [x for s in plan.sections if s.range is None for x in s.lines if x.array.op not in ATOMS]
        named: dict[Array, set[str]] = {}
        for line in straight:
            where = stacks.get(line.target) or elements.get(line.target) if line.target is not None else None
            if where is not None:
                named.setdefault(line.array, set()).add(where.sequence)
        # of several definitions of one array, all but the first read it
        times = Counter(line.array for line in straight)
        self.by_name.update(*(found for a, found in named.items() if times[a] > 1))
        for section in plan.sections:
            local = self.names(section)
            for place, line in enumerate(section.lines):
                read = tree(line.array, local)
                self.mentions.update({line.array, *read})
                self.by_name.update(*(named[x] for x in read if x in named))
                for x in (*read, *([line.array] if line.array.op == "arg" else [])):
                    if x.op != "arg":
                        continue
                    e = plan.procedure.leaves[x]
                    if e in stacks:
                        self.whole.add(stacks[e].sequence)
                        self.stacked.add(stacks[e].sequence)
                    elif e in elements:
                        found = elements[e]
                        self.reads.setdefault(found.sequence, []).append(Use(section, place, line, found, x))
                if line.target is not None and line.target in stacks:
                    self.whole.add(stacks[line.target].sequence)
                    self.defined[stacks[line.target].sequence] += 1
                elif line.target is not None and line.target in elements:
                    found = elements[line.target]
                    self.writes.setdefault(found.sequence, []).append(Use(section, place, line, found))

    def names(self, section: Section) -> dict[Array, str]:
        """The arrays with a name in a section."""
        return {**self.plan.names, **{x.array: x.name for x in section.lines}}


def carried(uses: Uses, excluded: Collection[str]) -> dict[str, Array | None]:
    """Sequences of which an iteration reads only what the one before wrote, and what it writes itself.

    After the loop, what its last iteration wrote is there. Each sequence with the element that is read as it is
    overwritten, if there is one.
    """
    found: dict[str, Array | None] = {}
    for name, writes in uses.writes.items():
        inside = [w for w in writes if w.section.range is not None]
        if len(inside) != 1 or name in uses.whole or name in excluded or not inside[0].line.array.rank:
            continue
        write, reads = inside[0], uses.reads.get(name, [])
        r = write.section.range
        assert r is not None
        next_index = write.element.index + dim(-r.step)
        inner = [u for u in reads if u.section is write.section]
        outer = [u for u in reads if u.section is not write.section]
        # it is read in the same loop: before it is written or as it is, as the iteration before left it, or after
        last = next((u.leaf for u in inner if u.place == write.place), None)
        passing = all(
            u.element.index is (next_index if u.place <= write.place else write.element.index) for u in inner
        ) and (last is None or operand(write.line.array, uses.names(write.section), [last]) is last)
        final = write.element.index.put({r.index: r.last})
        passing = passing and all(u.section.range is None and u.element.index is final for u in outer)
        start = r.first + write.element.index - dim(r.index) - dim(r.step)
        begun = [w for w in writes if w is not write]
        if not reads or not passing or len(begun) != 1 or begun[0].element.index is not start:
            continue
        first = begun[0].line.array
        if uses.mentions[first] == 1 or first.op in ATOMS:
            found[name] = last
    return found
