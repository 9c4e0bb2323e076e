"""Vectorising loops: what does not depend on the iteration before is done for all iterations at once.

The elements of a sequence, one below the other, are one matrix: x[1..T] of n x d matrices is T n x d, x[1..T] of column
vectors of length d is T x d, each a row. A definition that treats rows alike (x[t] U + 1 b, tanh, softmax of rows) is
then one definition of stacked matrices, and a sum over t of A[t]^T B[t] is one product (the parameters' gradients of
backpropagation through time; Sutskever 2013, section 2.5). A loop keeps what is left: the recurrence itself.

In: an adjoint program; out: its statements, in which stacked symbols stand for ranges of sequences.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from mcalc.algebra.expr import Expr, postorder, symbols
from mcalc.algebra.operators import add
from mcalc.algebra.operators import symbol as make_symbol
from mcalc.algebra.shape import Dim, dim
from mcalc.model.elements import Elements
from mcalc.model.ends import without_ends
from mcalc.model.inline import expand_low_rank, inline_single_reads
from mcalc.model.ir import Adjoint, Define, Element, Loop, Range, Statement, Total, definitions, variable_of
from mcalc.model.ir import Sequence as Stored
from mcalc.model.joined import joined
from mcalc.model.liveness import needed
from mcalc.model.masks import masks_of_activations
from mcalc.model.stacked import Stack, Stacker


@dataclass(slots=True)
class Stacked:
    """The statements of both phases, and what the stacked symbols stand for."""

    forward: list[Statement] = field(default_factory=list)
    backward: list[Statement] = field(default_factory=list)
    sequences: dict[str, Stored] = field(default_factory=dict)
    elements: dict[Expr, Element] = field(default_factory=dict)
    stacks: dict[Expr, Stack] = field(default_factory=dict)


def stack(adjoint: Adjoint, size: Callable[[Dim], float]) -> Stacked:
    """The program with loops vectorised; `size` gives typical sizes of dimensions."""
    result = Stacked(
        sequences={**adjoint.forward.sequences, **adjoint.sequences},
        elements={**adjoint.forward.elements, **adjoint.elements},
    )
    stacker = Stacker(result.sequences, result.elements, result.stacks)
    pass_ = _Pass(stacker)
    wanted = {adjoint.forward.loss, *(e for found in adjoint.gradients.values() for e in found)}
    kept = {*wanted, *result.elements}
    forward, backward = expand_low_rank(adjoint.forward.statements, adjoint.statements, kept, size)
    statements = masks_of_activations([*forward, *inline_single_reads(backward, kept)], result.elements)
    live, _ = needed(statements, (variable_of(result.elements, e) for e in wanted), result.elements)
    split = [
        pass_.statements([s for s in found if s is not None]) for found in (live[: len(forward)], live[len(forward) :])
    ]
    elements = Elements(result.sequences, result.elements)
    result.forward, result.backward = (joined(found, elements, result.stacks) for found in split)
    statements = [*result.forward, *result.backward]
    used = {e for d in definitions(statements) for e in (d.target, *symbols(d.value))}
    result.stacks = {e: found for e, found in result.stacks.items() if e in used}
    result.elements = without_ends(statements, elements.elements, result.stacks, wanted)
    return result


class _Pass:
    def __init__(self, stacker: Stacker) -> None:
        self.s = stacker

    def statements(self, statements: Sequence[Statement]) -> list[Statement]:
        """The statements, loops split."""
        made: list[Statement] = []
        for statement in statements:
            if isinstance(statement, Loop):
                made += self._loop(statement)
            elif isinstance(statement, Total):
                made.append(self._total(statement))
            else:
                made.append(statement)
        return made

    def _total(self, total: Total) -> Statement:
        value = self.s.total(total.value, total.range)
        return total if value is None else Define(total.target, value, total.span)

    def _loop(self, loop: Loop) -> list[Statement]:
        r = loop.range.upwards
        before, core, after = self._split(loop)
        made: list[Statement] = []
        pending = list(core)
        for place, d in enumerate(before):
            found = self._whole(d, r)
            if found is None:
                # what reads it, or follows it, stays in the loop with it
                pending = [*before[place:], *core]
                break
            made.append(found)
        taken = {self._sequence(d.target) for d in (*pending, *after)}
        kept: list[Define] = []
        for d in pending:
            part, reduced = self._extracted(d, r, taken)
            if part is not None:
                made.append(part)
            kept.append(reduced)
        tail: list[Statement] = []
        rest: list[Define] = []
        for place, d in enumerate(after):
            found = self._whole(d, r)
            if found is None:
                rest = after[place:]
                break
            tail.append(found)
        vectorised = {self._sequence(d.target) for d in after[: len(tail)]}
        if not any(self._needs(d.value, vectorised) for d in rest):
            kept, rest = [*kept, *rest], []
        if kept:
            made.append(Loop(loop.index, loop.first, loop.last, loop.step, tuple(kept), loop.span))
        made += tail
        if rest:
            made.append(Loop(loop.index, loop.first, loop.last, loop.step, tuple(rest), loop.span))
        return made

    def _sequence(self, e: Expr) -> str:
        return self.s.elements[e].sequence

    def _split(self, loop: Loop) -> tuple[list[Define], list[Define], list[Define]]:
        """What the recurrence reads, the recurrence, and what reads it."""
        targets = {self._sequence(d.target): d for d in loop.body}
        reads: dict[str, set[str]] = {}
        for name, d in targets.items():
            here = reads[name] = set()
            for e in symbols(d.value):
                element = self.s.elements.get(e)
                if element is None or element.sequence not in targets or loop.index not in element.index.names():
                    continue
                here.add(element.sequence)
        reached = {name: _closure(name, reads) for name in targets}
        cyclic = {name for name in targets if name in reached[name]}
        # a definition is of the recurrence where it lies on a way from one cyclic definition to another
        core = {
            name
            for name in targets
            if name in cyclic or (reached[name] & cyclic and any(name in reached[c] for c in cyclic))
        }
        before = [n for n in targets if n not in core and not (reached[n] & core)]
        after = [n for n in targets if n not in core and reached[n] & core]
        first, last = ([targets[n] for n in _ordered(names, reads)] for names in (before, after))
        return first, [d for n, d in targets.items() if n in core], last

    def _whole(self, d: Define, r: Range) -> Define | None:
        """A definition for all iterations at once."""
        value = self.s.form(d.value, r)
        if value is None:
            return None
        element = self.s.elements[d.target]
        target = self.s.symbol(element.sequence, r, element.index - dim(r.index))
        return Define(target, value, d.span) if target.shape == value.shape else None

    def _extracted(self, d: Define, r: Range, taken: set[str]) -> tuple[Define | None, Define]:
        """The terms of a sum that need nothing of the loop, for all iterations at once."""
        if d.value.op != "add":
            return None, d
        free = [a for a in d.value.args if not self._needs(a, taken) and self.s.form(a, r) is not None]
        rest = [a for a in d.value.args if a not in free]
        if not rest or not any(n.op == "mul" for a in free for n in postorder(a)):
            return None, d
        if not any(self._varies(a, r) for a in free):
            return None, d
        value = self.s.form(add(*free), r)
        if value is None:
            return None, d
        sequence = self._sequence(d.target)
        name = f"{sequence}_in"
        while name in self.s.sequences:
            name += "_"
        shape = d.target.shape
        self.s.sequences[name] = Stored(name, shape, r.first, r.last)
        element = make_symbol(f"{name}[{r.index}]", shape)
        self.s.elements[element] = Element(name, dim(r.index))
        return Define(self.s.symbol(name, r, dim(0)), value), Define(d.target, add(element, *rest), d.span)

    def _needs(self, e: Expr, taken: set[str]) -> bool:
        return any(s in self.s.elements and self.s.elements[s].sequence in taken for s in symbols(e))

    def _varies(self, e: Expr, r: Range) -> bool:
        return any(s in self.s.elements and r.index in self.s.elements[s].index.names() for s in symbols(e))


def _ordered(names: Sequence[str], reads: Mapping[str, set[str]]) -> list[str]:
    """The names, each after those that it reads in any iteration; else in their order."""
    found: dict[str, None] = {}

    def visit(name: str) -> None:
        if name not in found:
            for other in names:
                if other in reads[name]:
                    visit(other)
            found[name] = None

    for name in names:
        visit(name)
    return list(found)


def _closure(name: str, reads: Mapping[str, set[str]]) -> set[str]:
    found: set[str] = set()
    pending = list(reads[name])
    while pending:
        other = pending.pop()
        if other not in found:
            found.add(other)
            pending.extend(reads[other])
    return found
