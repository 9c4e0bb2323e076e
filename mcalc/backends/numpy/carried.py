"""Sequences that need no memory of their own.

What one iteration of a loop leaves to the next, and nobody else reads, lies in one place (`carried`). What a forward
loop kept for the backward loop, and its iteration reads for the last time, may be overwritten by what that iteration
makes (`taken_over`). In: a plan; out: the names of such sequences.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from mcalc.algebra.expr import Expr
from mcalc.algebra.shape import ONE, dim
from mcalc.backends.numpy.buffers import tree
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

    def __init__(self, plan: Plan, stacks: Mapping[Expr, Stack]) -> None:
        self.plan = plan
        self.reads: dict[str, list[Use]] = {}
        self.writes: dict[str, list[Use]] = {}
        self.whole: set[str] = set()
        """Sequences that are read or written as stacks."""
        self.stacked: set[str] = set()
        """Sequences that are read as stacks."""
        self.by_name: set[str] = set()
        """Sequences that are read by the name of a stacked definition."""
        self.defined: Counter[str] = Counter()
        """How many stacked definitions a sequence has."""
        self.mentions: Counter[Array] = Counter()
        """How many lines an array is computed on or read."""
        elements = plan.procedure.elements
        lines = [x for s in plan.sections for x in s.lines]
        named = {x.array: stacks[x.target].sequence for x in lines if x.target is not None and x.target in stacks}
        for section in plan.sections:
            local = {**plan.names, **{x.array: x.name for x in section.lines}}
            for place, line in enumerate(section.lines):
                read = tree(line.array, local)
                self.mentions.update({line.array, *read})
                self.by_name.update(named[x] for x in read if x in named)
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


def carried(uses: Uses, excluded: Collection[str]) -> set[str]:
    """Sequences of which an iteration reads only what the one before wrote."""
    found = set()
    for name, writes in uses.writes.items():
        inside = [w for w in writes if w.section.range is not None]
        if len(inside) != 1 or name in uses.whole or name in excluded or not inside[0].line.array.rank:
            continue
        write, reads = inside[0], uses.reads.get(name, [])
        r = write.section.range
        assert r is not None
        next_index = write.element.index + dim(-r.step)
        # it is read in the same loop, before it is written, as the iteration before left it
        passing = all(
            use.section is write.section and use.element.index is next_index and use.place < write.place
            for use in reads
        )
        start = r.first + write.element.index - dim(r.index) - dim(r.step)
        begun = [w for w in writes if w is not write]
        if not reads or not passing or len(begun) != 1 or begun[0].element.index is not start:
            continue
        first = begun[0].line.array
        if first.op != "arg" and (uses.mentions[first] == 1 or first.op in ATOMS):
            found.add(name)
    return found


def taken_over(uses: Uses, carried_names: Collection[str], own: Collection[str]) -> dict[str, tuple[str, Array]]:
    """Sequences of a backward loop to the sequence of the forward phase whose memory they may use, and its element."""
    sequences = uses.plan.sequences
    kept = {
        name: reads
        for name, reads in uses.reads.items()
        if name not in uses.whole and name not in own and name not in carried_names and name in uses.writes
        and all(w.section.phase == "forward" and w.section.range is not None for w in uses.writes[name])
    }  # fmt: skip
    found: dict[str, tuple[str, Array]] = {}
    free = dict(kept)
    for name, writes in uses.writes.items():
        write = writes[0]
        r = write.section.range
        if (
            name in own
            or len(writes) != 1
            or r is None
            or write.section.phase == "forward"
            or not write.line.array.rank
        ):
            continue
        if name in carried_names or write.element.index is not dim(r.index) or sequences[name].shape[0] is ONE:
            continue
        for other, reads in free.items():
            if _fits(uses, name, other, write, reads):
                found[name] = other, next(u.leaf for u in reads if u.section is write.section and u.leaf is not None)
                del free[other]
                break
    return found


def _fits(uses: Uses, name: str, other: str, write: Use, reads: list[Use]) -> bool:
    mine, theirs = uses.plan.sequences[name], uses.plan.sequences[other]
    if (mine.shape, mine.first, mine.last) != (theirs.shape, theirs.first, theirs.last):
        return False
    later = [u for u in reads if u.section.phase != "forward"]
    if not later or any(u.section is not write.section or u.element.index is not write.element.index for u in later):
        return False
    if any(u.place > write.place for u in later):
        return False
    last = [u for u in later if u.place == write.place]
    root = write.line.array
    # the first operation may overwrite what it reads
    names = {x.array for x in write.section.lines} | set(uses.plan.names)
    simple = root.op == "times" and all(x.op == "arg" or x in names for x in root.args)
    return not last or (len(last) == 1 and simple and last[0].leaf in root.args)
