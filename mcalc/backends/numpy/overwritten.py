"""Sequences of a backward loop in the memory of what the forward phase kept for it.

An iteration reads g[t] for the last time and makes zg_bar[t]: that may lie where g[t] was. In: a plan; out: for each
such sequence the one whose memory it uses. The lines of a loop are put in an order in which more of them find memory.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence, Set

from mcalc.algebra.shape import ONE, dim
from mcalc.backends.numpy.buffers import operand, tree
from mcalc.backends.numpy.carried import Use, Uses
from mcalc.program.ir import Array
from mcalc.program.plan import Line, Section


def taken_over(
    uses: Uses, carried: Collection[str], own: Collection[str], sharing: Collection[str], inside: Collection[str]
) -> dict[str, tuple[str, Array]]:
    """Sequences of backward loops to the sequence of the forward phase whose memory they use, and its element.

    `own` keep their memory to themselves; `sharing` lie in the memory of others or others in theirs, `inside` those
    that have none.
    """
    found: dict[str, tuple[str, Array]] = {}
    for section in uses.plan.sections:
        if section.range is None or section.phase == "forward":
            continue
        lines = _Lines(uses, section, carried)
        taken = {other for other, _ in found.values()}
        homes = _homes(uses, section, {*own, *carried, *inside, *taken})
        wanting = _wanting(uses, section, {*own, *carried, *sharing})
        while wanting:
            order, places = lines.moved(wanting, homes)
            if len(places) == len(wanting):
                section.lines[:] = order
                found.update((name, (home, _leaf(homes[home]))) for name, home in places.items())
                break
            wanting = {key: name for key, name in wanting.items() if name in places}
    return found


def _homes(uses: Uses, section: Section, excluded: Collection[str]) -> dict[str, list[Use]]:
    """What forward loops wrote and, but for them, this loop alone reads, each iteration its own element."""
    assert section.range is not None
    index = dim(section.range.index)
    found = {}
    for name, reads in uses.reads.items():
        if name in uses.whole or name in uses.returned or name in excluded or name not in uses.writes:
            continue
        if any(w.section.phase != "forward" or w.section.range is None for w in uses.writes[name]):
            continue
        later = [u for u in reads if u.section.phase != "forward"]
        if later and all(u.section is section and u.element.index is index for u in later):
            found[name] = later
    return found


def _wanting(uses: Uses, section: Section, excluded: Collection[str]) -> dict[int, str]:
    """The lines, by their identity, that write a sequence which could lie elsewhere; and the sequence."""
    assert section.range is not None
    index = dim(section.range.index)
    return {
        id(writes[0].line): name
        for name, writes in uses.writes.items()
        if len(writes) == 1 and writes[0].section is section and writes[0].element.index is index
        and writes[0].line.array.rank and name not in excluded and uses.plan.sequences[name].shape[0] is not ONE
    }  # fmt: skip


def _leaf(reads: Sequence[Use]) -> Array:
    return next(u.leaf for u in reads if u.leaf is not None)


class _Lines:
    """The lines of a loop, and which of them must come before which.

    What one line alone reads stays with it.
    """

    def __init__(self, uses: Uses, section: Section, carried: Collection[str]) -> None:
        self.sequences = uses.plan.sequences
        self.names = uses.names(section)
        before = _before(uses, section, self.names, carried)
        after: dict[int, list[int]] = {}
        for key, found in before.items():
            for earlier in found:
                after.setdefault(earlier, []).append(key)
        self.last: dict[int, int] = {}
        """Lines to the last line of their group."""
        self.groups: dict[int, list[Line]] = {}
        for line in reversed(section.lines):
            key = id(line)
            readers = after.get(key, [])
            alone = line.target is None and not line.total and len(readers) == 1
            self.last[key] = self.last[readers[0]] if alone else key
            self.groups.setdefault(self.last[key], []).insert(0, line)
        self.groups = {id(line): self.groups[id(line)] for line in section.lines if id(line) in self.groups}
        self.before = {
            key: {self.last[x] for line in lines for x in before[id(line)]} - {key}
            for key, lines in self.groups.items()
        }

    def moved(
        self, wanting: Mapping[int, str], homes: Mapping[str, Sequence[Use]]
    ) -> tuple[list[Line], dict[str, str]]:
        """The lines in an order in which those that want memory wait until some is free, and what they find."""
        readers = {name: {self.last[id(u.line)] for u in reads} for name, reads in homes.items()}
        pending = dict(self.groups)
        order: list[Line] = []
        found: dict[str, str] = {}
        while pending:
            ready = [key for key in pending if not self.before[key] & pending.keys()]
            chosen = ready[0]
            for key in ready:
                name = wanting.get(key)
                home = None
                if name is not None:
                    line = pending[key][-1]
                    alike = (x for x in homes if x not in found.values() and self._alike(name, x))
                    home = next((x for x in alike if self._is_free(line, homes[x], readers[x] & pending.keys())), None)
                    if home is not None:
                        found[name] = home
                if name is None or home is not None:
                    chosen = key
                    break
            order += pending.pop(chosen)
        return order, found

    def _alike(self, name: str, other: str) -> bool:
        mine, theirs = self.sequences[name], self.sequences[other]
        return (mine.shape, mine.first, mine.last) == (theirs.shape, theirs.first, theirs.last)

    def _is_free(self, line: Line, reads: Sequence[Use], waiting: Set[int]) -> bool:
        """Whether a line may overwrite an element whose readers are done but for the groups of the lines `waiting`."""
        if not waiting <= {id(line)}:
            return False
        leaf = _leaf(reads)
        return all(u.line is not line for u in reads) or operand(line.array, self.names, [leaf]) is leaf


def _before(uses: Uses, section: Section, names: Mapping[Array, str], carried: Collection[str]) -> dict[int, set[int]]:
    """The lines, by their identity, that must come before each: what it reads, and who reads what it overwrites."""
    made: dict[Array, int] = {}
    for line in section.lines:
        if line.array.op != "arg":  # that would be a copy
            made.setdefault(line.array, id(line))
    before = {
        id(line): {made[x] for x in (line.array, *tree(line.array, names)) if x in made} for line in section.lines
    }
    for name, writes in uses.writes.items():
        for write in (w for w in writes if w.section is section):
            for read in (u for u in uses.reads.get(name, ()) if u.section is section):
                if read.element.index is write.element.index:
                    before[id(read.line)].add(id(write.line))
                elif name in carried:
                    before[id(write.line)].add(id(read.line))
    for key, found in before.items():
        found.discard(key)
    return before


__all__ = ["taken_over"]
