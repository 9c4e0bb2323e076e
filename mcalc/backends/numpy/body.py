"""The body of a function of a generated module: the sections of one phase as lines of Python.

In: a plan and the Python names of what it reads; out: the lines, and the buffers that they use. Sequences are arrays
with one more axis in front. A loop runs over views of their elements: `for x_t, h_prev, h_t in zip(x, h[:-1], h[1:]):`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType

from mcalc.algebra.expr import Expr
from mcalc.algebra.shape import ONE, Dim, dim
from mcalc.backends.numpy.aliases import Memory
from mcalc.backends.numpy.bodies import VIEWING, viewed
from mcalc.backends.numpy.buffers import Buffer, Pool, buffers, tree
from mcalc.backends.numpy.comments import note
from mcalc.backends.numpy.guards import guarded
from mcalc.backends.numpy.spelling import Names, axes_of_sequence, axes_text, offset_of, part_of, size
from mcalc.backends.numpy.statements import Statements, Target
from mcalc.backends.numpy.storage import Storage
from mcalc.model.ir import Range
from mcalc.program.ir import Array
from mcalc.program.operations import Axes
from mcalc.program.plan import Line, Plan, Section, computed
from mcalc.program.procedure import Block, Cell, stored, varying


class FunctionBody(Storage):
    """Writes the sections of one phase; `guards` are conditions on lines of straight code, by their identity."""

    def __init__(
        self,
        plan: Plan,
        memory: Memory,
        names: Names,
        phase: str,
        kept: Collection[Array],
        guards: Mapping[int, str] = MappingProxyType({}),
        workspace: bool = True,
        before: FunctionBody | None = None,
    ) -> None:
        super().__init__(plan, memory, names, workspace)
        self.sections = [s for s in plan.sections if s.phase == phase]
        self.local: dict[Array, str] = {}
        """Arrays that a loop names while it is written."""
        self.stacked: dict[Array, str] = {}
        self.statements = Statements(
            plan.procedure.builder, self.local, self.leaf, names.sizes, self._ones, self._number, self._row
        )
        self.local.update(plan.names)
        for line in (x for s in self.sections for x in s.lines):
            if line.array in self.local and (place := self._carrier(line)):
                self.local[line.array] = place
        self.shown: dict[Array, str] = dict(plan.names)
        """What arrays are called in comments: as in the model."""
        events: list[Line | Section] = []
        for section in self.sections:
            events += [section] if section.range is not None else section.lines
        lines = [x for s in self.sections for x in s.lines]
        placed = {x.array for x in lines if x.target in plan.procedure.elements}
        # a stacked definition that is read by elements, too, or by another part of its sequence
        stacked = {e for e, stack in names.stacks.items() if stack.sequence in memory.read_elsewhere}
        placed |= {x.array for x in lines if x.target in stacked}
        spare = {} if before is None else before.spare
        self.spare: Pool = {key: [x for x in found if not x[1]] for key, found in spare.items()}
        lent = {} if before is None else before.lendable(kept)
        outliving, rooms = {*kept, *placed}, workspace and before is not None
        self.buffers = buffers(events, self.local, outliving, guards, self.spare, lent=lent, rooms=rooms)
        self.guards = guards

    def write(self) -> list[str]:
        """The lines."""
        written: list[tuple[str, list[str]]] = []
        for section in self.sections:
            if section.range is not None:
                self._loop(section)
                written += self._taken()
                continue
            for line in section.lines:
                self._straight(line)
                written += self._taken(self.guards.get(id(line), ""))
        return guarded(written)

    def _taken(self, guard: str = "") -> list[tuple[str, list[str]]]:
        """The lines since the last time, under a condition; views of sequences before them, under none."""
        views, lines = self.views, self.lines
        self.views, self.lines = [], []
        return [*([("", views)] if views else []), (guard, lines)]

    def field_of(self, a: Array, before: FunctionBody | None = None) -> str:
        """The field of the workspace in whose memory an array lies; `before` wrote the phase before."""
        buffer = self.buffers.get(a)
        if buffer is None:
            name = self.local.get(a, "")
            return before.field_of(a) if before is not None and name not in self.fields else name
        if buffer.fresh:
            return buffer.name
        owner = next((x for x, name in self.local.items() if name == buffer.name and x is not a), None)
        return "" if owner is None else self.field_of(owner, before)

    def lendable(self, kept: Collection[Array]) -> dict[Array, str]:
        """What lies in buffers of the workspace when this phase is over, and is no result nor has views that are."""
        seen = {*kept, *(viewed(a) for a in (*self.plan.names, *kept) if a.op in VIEWING)}
        return {a: name for a in self.buffers if a not in seen and (name := self.field_of(a)) in self.fields}

    # --- leaves -------------------------------------------------------------------------------------------------------

    def leaf(self, a: Array) -> str:
        """The text of an argument, an element or a stacked sequence."""
        e = self.plan.procedure.leaves[a]
        if e in self.names.stacks:
            return self._rows(e)
        element = self.plan.procedure.elements.get(e)
        if element is None:
            return self.names.symbols[e]
        if self._range is not None and self._range.index in element.index.names():
            name = self._variable(element.sequence, element.index)
            return f"{name}[0]" if e.is_scalar else name
        return self._fixed(element.sequence, element.index)

    def _variable(self, sequence: str, index: Dim) -> str:
        assert self._range is not None
        if sequence in self.memory.carried:
            return self.names.sequences[sequence]
        self._used[sequence, offset_of(index, self._range.index)] = None
        return self.names.variable(sequence, index, self._range.index)

    def _fixed(self, sequence: str, index: Dim) -> str:
        if sequence in self.memory.carried:
            return self.names.sequences[sequence]
        return self.names.fixed(self.plan.sequences[sequence], index)

    def _rows(self, e: Expr) -> str:
        stack = self.names.stacks[e]
        name = self.names.sequences[stack.sequence]
        part = part_of(self.plan.sequences[stack.sequence], stack.first, stack.last, self.names.sizes)
        axes = stored(e)
        sequence = self.plan.sequences[stack.sequence]
        if len(axes) == len(axes_of_sequence(sequence)) + 1 and sequence.shape[0] is not ONE:
            return f"{name}{part}"
        key = self.plan.procedure.builder.find("arg", attrs=(e.name, axes))
        assert key is not None
        if key not in self.stacked:
            made = self.names.claim(f"{name}_rows") if not part else self.names.claim(f"{name}_part")
            view = f"{name}{part}.reshape{axes_text(axes, self.names.sizes)}"
            self.views.append(f"{made} = {self._window(made, view, stack.sequence)}")
            self.stacked[key] = made
        return self.stacked[key]

    # --- lines --------------------------------------------------------------------------------------------------------

    def _straight(self, line: Line) -> None:
        target = line.target
        self.lines.append(note(line, self.shown))
        if target is not None and target in self.names.stacks and not self._is_buffered(line, target):
            self._define_stack(line, target)
            return
        if target is not None and target in self.plan.procedure.elements:
            element = self.plan.procedure.elements[target]
            self._storage(element.sequence)
            place = self._fixed(element.sequence, element.index)
            if self.local.get(line.array) == place and line.array.rank:
                self.lines += self.statements.write(line.array, Target(place, place, view=True, scratch=self._scratch))
                return
            text = self.statements.text(line.array, by_name=self.local.get(line.array) != place)
            whole = "[...]" if element.sequence in self.memory.carried else ""
            self.lines.append(f"{place}{whole} = {'0' if line.array.op == 'zeros' else text.code}")
            return
        buffer = self.buffers.get(line.array)
        held = None if buffer is None else buffer.overwritten
        target_ = Target(line.name, self._buffer(buffer, line.array), overwritten=held, scratch=self._scratch)
        self.lines += self.statements.write(line.array, target_)

    def _carrier(self, line: Line) -> str:
        """The one place of a sequence, where the line writes an element of a sequence that has one."""
        element = self.plan.procedure.elements.get(line.target) if line.target is not None else None
        if element is None or element.sequence not in self.memory.carried:
            return ""
        return self.names.sequences[element.sequence]

    def _is_buffered(self, line: Line, target: Expr) -> bool:
        """Whether a stacked definition is an array like others: nobody reads it by element."""
        elsewhere = self.names.stacks[target].sequence in self.memory.read_elsewhere
        return not elsewhere and line.array in self.buffers and self.local.get(line.array) == line.name

    def _define_stack(self, line: Line, target: Expr) -> None:
        stack = self.names.stacks[target]
        self._storage(stack.sequence)
        sequence = self.plan.sequences[stack.sequence]
        name = self.names.sequences[stack.sequence]
        part = part_of(sequence, stack.first, stack.last, self.names.sizes)
        axes = stored(target)
        whole = f"{name}{part}"
        same = len(axes) == len(axes_of_sequence(sequence)) and sequence.shape[0] is not ONE
        view = whole if same else f"{whole}.reshape{axes_text(axes, self.names.sizes)}"
        self.lines.append(f"{line.name} = {self._window(line.name, view, stack.sequence)}")
        if line.array.op in ("zeros", "number") or self.local.get(line.array, line.name) != line.name:
            value = "0" if line.array.op == "zeros" else self.statements.text(line.array).code
            self.lines.append(f"{line.name}[...] = {value}")
            return
        self.lines += self.statements.write(line.array, Target(line.name, "", view=True, scratch=self._scratch))

    # --- loops --------------------------------------------------------------------------------------------------------

    def _loop(self, section: Section) -> None:
        r = section.range
        assert r is not None
        before = dict(self.local)
        elements = self.plan.procedure.elements
        moving = varying(self.plan.procedure, Block(section.phase, r, [Cell(line.array) for line in section.lines]))
        for line in section.lines:
            if not line.total and line.array in moving and computed(line.array):
                place = not line.array.rank and line.target in elements
                name = self._carrier(line) or (f"{line.name}[0]" if place else line.name)
                self.local.setdefault(line.array, name)
                self.shown.setdefault(line.array, line.name)
        for line in section.lines:
            if line.target is not None and line.target in elements:
                self._storage(elements[line.target].sequence)
        kept = {x.array for x in section.lines if x.target is not None}
        inner = buffers(list(section.lines), self.local, kept, empty=True)
        for line in section.lines:
            if line.total:
                self._begin_total(line)
        self._range, self._used = r, dict[tuple[str, int], None]()
        outer, self.lines = self.lines, []
        self._spaces: dict[str, tuple[Axes, str]] = {}
        for line in section.lines:
            self._inside(line, inner)
        body, self.lines = self.lines, outer
        for name, (axes, kind) in self._spaces.items():
            self.lines.append(f"{name} = {self._space(name, axes, kind)}")
        self.lines.append(self._header(r))
        self.lines += [f"    {text}" for text in body]
        self._range = None
        self.local.clear()
        self.local.update(before)

    def _begin_total(self, line: Line) -> None:
        a = line.array
        if not a.rank:
            self.lines.append(f"{line.name} = 0.0")
            return
        self.lines.append(f"{line.name} = {self._space(line.name, a.shape, returned=True)}")
        self.lines.append(f"{line.name}[...] = 0")

    def _inside(self, line: Line, inner: Mapping[Array, Buffer]) -> None:
        elements = self.plan.procedure.elements
        if line.total:
            self.lines.append(f"{line.name} += {self.statements.text(line.array).code}")
            return
        self.lines.append(note(line, self.shown))
        if line.target is not None and line.target in elements:
            element = elements[line.target]
            name = self._variable(element.sequence, element.index)
            if not line.array.rank:
                text = self.statements.text(line.array, by_name=self.local.get(line.array) != f"{name}[0]")
                self.lines.append(f"{name}[0] = {text.code}")
                return
            if self.local.get(line.array) != name:
                self.lines.append(f"{name}[...] = {self.statements.text(line.array).code}")
                return
            read = tree(line.array, self.local)
            starts = self.memory.starts
            start = next((x for x in read if x in starts and starts[x].owner == element.sequence), None)
            held = self.memory.overwritten.get(element.sequence)
            target = Target(name, name, view=True, start=start, overwritten=held, scratch=self._scratch)
            self.lines += self.statements.write(line.array, target)
            return
        buffer = inner.get(line.array)
        if buffer is not None and buffer.fresh:
            self._spaces[line.name] = (line.array.shape, line.array.kind)
            target = Target(line.name, line.name, view=True, scratch=self._scratch)
            self.lines += self.statements.write(line.array, target)
            return
        self.lines += self.statements.write(
            line.array, Target(line.name, buffer.name if buffer else "", scratch=self._scratch)
        )

    def _header(self, r: Range) -> str:
        """The line that opens a loop: over its index, or over the elements that it reads and writes."""
        if not self._used:
            return f"for {self.names.index(r.index)} in range({size(r.count, self.names.sizes)}):"
        ready = len(self._used) > 1 and all(self._lies_in_workspace(sequence) for sequence, _ in self._used)
        parts = [self._elements(r, sequence, offset, ready) for sequence, offset in self._used]
        names = ", ".join(self.names.variables[key] for key in self._used)
        if len(parts) == 1:
            return f"for {names} in {parts[0]}:"
        together = f"zip({', '.join(parts)}, strict=True)"
        if ready:
            steps = self.names.claim("steps" if r.step > 0 else "steps_back")
            self.windows[steps] = f"list({together})"
            together = f"ws.{steps}"
        return f"for {names} in {together}:"

    def _elements(self, r: Range, sequence: str, offset: int, local: bool) -> str:
        """What a loop runs over for a sequence; of lists of elements, which the workspace has, `local` is the name."""
        first, last = r.ends
        found = self.plan.sequences[sequence]
        name = self.names.sequences[sequence]
        part = part_of(found, first + dim(offset), last + dim(offset), self.names.sizes)
        if not axes_of_sequence(found)[1:]:
            part += "[..., None]"
        elif self._lies_in_workspace(sequence):
            steps = self.names.steps_of(sequence)
            place = self._window(steps, f"list({name})", sequence)
            name = steps if local else place
        return f"{name}{part}{'[::-1]' if r.step < 0 else ''}"


__all__ = ["FunctionBody"]
