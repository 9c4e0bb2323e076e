"""Loops that are one: sums and definitions in the loop that makes what they read, and no sequences for them alone.

In: the statements of a phase, after all that can be done for all iterations at once was taken out of its loops; out:
the same values by fewer loops. A sum or a loop is joined to the loop before it over the same indices where it reads
what that makes, in the same iteration or in one before. One of the two moves to the other: past statements that
neither write what it reads nor read what it writes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from mcalc.algebra.expr import Expr, symbols
from mcalc.algebra.shape import Dim, dim
from mcalc.model.elements import Elements
from mcalc.model.ir import Define, Loop, Statement, Total, Variable, definitions, recurs, variable_of
from mcalc.model.stacked import Stack


def joined(statements: Sequence[Statement], made: Elements, stacks: Mapping[Expr, Stack]) -> list[Statement]:
    """The statements, with loops joined; what joins a loop takes over its index."""
    return _Joining(made, stacks).statements(statements)


class _Touched(NamedTuple):
    """What a statement reads and writes: symbols, and names of sequences."""

    reads: frozenset[Variable]
    writes: frozenset[Variable]

    def is_past(self, others: Sequence[_Touched]) -> bool:
        """Whether it makes no difference that these come before it, or after."""
        return not any(
            self.reads & other.writes or self.writes & other.reads or self.writes & other.writes for other in others
        )


_NOTHING = _Touched(frozenset(), frozenset())


class _Joining:
    def __init__(self, made: Elements, stacks: Mapping[Expr, Stack]) -> None:
        self.made = made
        self.stacks = stacks

    def statements(self, statements: Sequence[Statement]) -> list[Statement]:
        found: list[Statement | None] = []
        touched: list[_Touched] = []
        last: dict[tuple[Dim, Dim], int] = {}
        """The last loop over each range."""
        for statement in statements:
            own = self._touched(statement)
            before = None if isinstance(statement, Define) else last.get(statement.range.ends)
            loop = None if before is None else found[before]
            if before is not None and isinstance(loop, Loop) and not isinstance(statement, Define):
                up = own.is_past(touched[before + 1 :])
                down = touched[before].is_past(touched[before + 1 :])
                both = self._together(loop, statement, touched[before], own) if up or down else None
                if both is not None and up:
                    found[before], touched[before] = both, self._touched(both)
                    continue
                if both is not None:
                    found[before], touched[before] = None, _NOTHING
                    statement, own = both, self._touched(both)
            if isinstance(statement, Loop):
                last[statement.range.ends] = len(found)
            found.append(statement)
            touched.append(own)
        return [s for s in found if s is not None]

    def _together(self, loop: Loop, statement: Loop | Total, first: _Touched, second: _Touched) -> Loop | None:
        """A loop and what follows it as one loop; None where they have nothing to do with each other, or cannot be."""
        shared = first.writes & second.reads
        if isinstance(statement, Total):
            # a sum of what the loop reads, too: of sequences, whose variables are their names
            shared |= {x for x in first.reads & second.reads if isinstance(x, str)}
        if not shared:
            return None
        joining = self._over(statement, loop.index)
        body = joining.body if isinstance(joining, Loop) else ()
        totals = joining.totals if isinstance(joining, Loop) else (joining,)
        steps = {x.step for x in (loop, joining) if isinstance(x, Loop) and recurs(x, self.made.elements)}
        if len(steps) > 1:
            return None
        step = steps.pop() if steps else loop.step
        low, high = loop.range.ends
        start, stop = (low, high) if step > 0 else (high, low)
        both = Loop(loop.index, start, stop, step, (*loop.body, *body), loop.span, (*loop.totals, *totals))
        return both if self._is_ready(loop, [*body, *totals], step) else None

    def _over(self, statement: Loop | Total, index: str) -> Loop | Total:
        """The same, over an index of another name."""
        if statement.index == index:
            return statement
        old, new = statement.index, dim(index)
        if isinstance(statement, Total):
            return replace(statement, index=index, value=self.made.moved(statement.value, old, new))
        body = [
            replace(d, target=self.made.moved(d.target, old, new), value=self.made.moved(d.value, old, new))
            for d in statement.body
        ]
        totals = [replace(t, index=index, value=self.made.moved(t.value, old, new)) for t in statement.totals]
        return replace(statement, index=index, body=tuple(body), totals=tuple(totals))

    def _is_ready(self, loop: Loop, later: Sequence[Define | Total], step: int) -> bool:
        """Whether an iteration of the loop has at its end what others read of all that the loop makes."""
        own = self._made_by(loop)
        sums = {t.target for t in loop.totals}
        for e in (e for d in later for e in symbols(d.value)):
            index = own.get(self._variable(e))
            if e in sums:
                return False
            if index is not None:
                there = self._index(e)
                since = None if there is None else ((index - there) * dim(step)).number
                if since is None or since < 0:
                    return False
        return True

    def _made_by(self, loop: Loop) -> dict[Variable, Dim]:
        return {self._variable(d.target): self.made.elements[d.target].index for d in loop.body}

    def _index(self, e: Expr) -> Dim | None:
        """The index of an element; None of what is none."""
        return self.made.elements[e].index if e in self.made.elements else None

    def _touched(self, statement: Statement) -> _Touched:
        found = list(definitions([statement]))
        reads = {self._variable(e) for d in found for e in symbols(d.value)}
        return _Touched(frozenset(reads), frozenset(self._variable(d.target) for d in found))

    def _variable(self, e: Expr) -> Variable:
        return self.stacks[e].sequence if e in self.stacks else variable_of(self.made.elements, e)


__all__ = ["joined"]
