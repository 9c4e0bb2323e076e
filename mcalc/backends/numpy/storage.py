"""The memory of a function of a generated module: what lies in the workspace, what is allocated, which views there are.

In: what a line wants to write to; out: its text, and the fields of the workspace, the views and the lines it needs.
"""

from __future__ import annotations

from mcalc.algebra.shape import Dim
from mcalc.backends.numpy.aliases import Memory
from mcalc.backends.numpy.buffers import Buffer
from mcalc.backends.numpy.spelling import Names, axes_of_sequence, axes_text, part_of
from mcalc.model.ir import Range
from mcalc.program.ir import Array
from mcalc.program.operations import Axes
from mcalc.program.plan import Plan

NUMBERS = {"0": ("zero", "zeros"), "1": ("one", "ones")}
"""Numbers that are kept as arrays of no dimensions, to their names and to what makes them."""


class Storage:
    """Buffers, sequences, scratch memory and constants of one function, as they are asked for."""

    def __init__(self, plan: Plan, memory: Memory, names: Names, workspace: bool) -> None:
        self.plan = plan
        self.memory = memory
        self.names = names
        self.workspace = workspace
        self.lines: list[str] = []
        self.fields: dict[str, tuple[Axes, str]] = {}
        """Buffers of the workspace: axes and kind."""
        self.shared: dict[str, str] = {}
        """Buffers to those whose memory they may have, where the phase before is not needed a second time."""
        self.rooms: dict[str, list[str]] = {}
        """Buffers of different shapes that may lie in one place, by the first of them."""
        self.windows: dict[str, str] = {}
        """Views of buffers that the workspace has ready, and their texts."""
        self.views: list[str] = []
        """Views of sequences, and vectors of ones, that the line that is written needs."""
        self.allocated: set[str] = set()
        self.scratches: dict[tuple[object, ...], str] = {}
        self.constants: set[str] = set()
        self._range: Range | None = None
        self._spaces: dict[str, tuple[Axes, str]] = {}
        """Memory of the loop that is written."""

    def _buffer(self, buffer: Buffer | None, a: Array) -> str:
        if buffer is None:
            return ""
        if not buffer.fresh:
            return buffer.name
        if not self.workspace:
            return ""
        self.fields[buffer.name] = (a.shape, a.kind)
        if buffer.lender:
            self.shared[buffer.name] = buffer.lender
        if buffer.room:
            self.rooms.setdefault(buffer.room, [buffer.room]).append(buffer.name)
        return f"ws.{buffer.name}"

    def _scratch(self, a: Array) -> str:
        """The buffer for what is used on the spot: one for each shape."""
        key = (*a.shape, self._range is not None)
        if key not in self.scratches:
            self.scratches[key] = self.names.claim("scratch")
        name = self.scratches[key]
        if self._range is not None:
            self._spaces[name] = (a.shape, a.kind)
            return name
        return self._buffer(Buffer(name, True), a)

    def _ones(self, d: Dim) -> str:
        """A vector of ones: that of the workspace, where there is one."""
        name = self.names.ones_of(d)
        self._constant(name, (d,), "ones")
        return name

    def _row(self, ones: str) -> str:
        """A vector of ones as a row: a view that the workspace has ready."""
        if not self.workspace:
            return f"{ones}[None]"
        name = self.names.row_of(ones)
        if name not in self.constants:
            self.constants.add(name)
            self.windows[name] = f"{ones}[None]"
            self.views.append(f"{name} = ws.{name}")
        return name

    def _number(self, value: str) -> str:
        """Zero or one, as NumPy takes it fastest: an array of no dimensions, of the workspace, where there is one."""
        if not self.workspace or value not in NUMBERS:
            return value
        word, kind = NUMBERS[value]
        if value not in self.names.numbers:
            self.names.numbers[value] = self.names.claim(word)
        self._constant(self.names.numbers[value], (), kind)
        return self.names.numbers[value]

    def _constant(self, name: str, axes: Axes, kind: str) -> None:
        if name in self.constants:
            return
        self.constants.add(name)
        if self.workspace:
            self.fields[name] = (axes, kind)
            self.views.append(f"{name} = ws.{name}")
        else:
            self.views.append(f"{name} = np.{kind}({axes_text(axes, self.names.sizes)}, dtype)")

    def _space(self, name: str, axes: Axes, kind: str = "float", returned: bool = False) -> str:
        """Memory that is there before it is written to; what is `returned` may have no place in the workspace."""
        kind_text = "bool" if kind == "bool" else "dtype"
        shape = axes_text(axes, self.names.sizes)
        if not self.workspace:
            return f"np.empty({shape}, {kind_text})"
        self.fields[name] = (axes, kind)
        return f"space(ws.{name}, {shape}, {kind_text})" if returned else f"ws.{name}"

    def _window(self, name: str, view: str, sequence: str) -> str:
        """A view of a sequence: the workspace has it ready where it has the sequence."""
        if not self._lies_in_workspace(sequence):
            return view
        self.windows[name] = view
        return f"ws.{name}"

    def _lies_in_workspace(self, sequence: str) -> bool:
        alias = self.memory.aliases.get(sequence)
        if alias is not None:
            return self._lies_in_workspace(alias.owner)
        return self.workspace and sequence not in self.names.given and sequence not in self.names.results

    def _storage(self, sequence: str) -> None:
        name = self.names.sequences[sequence]
        if name in self.allocated or sequence in self.names.given:
            return
        self.allocated.add(name)
        found = self.plan.sequences[sequence]
        alias = self.memory.aliases.get(sequence)
        if alias is not None:
            self._storage(alias.owner)
            owner = self.plan.sequences[alias.owner]
            part = part_of(owner, alias.first, alias.last, self.names.sizes)
            view = f"{self.names.sequences[alias.owner]}{part}"
            self.lines.append(f"{name} = {self._window(name, view, sequence)}")
            return
        returned = sequence in self.names.results
        if sequence in self.memory.carried:
            self.lines.append(f"{name} = {self._space(name, axes_of_sequence(found)[1:], returned=returned)}")
            return
        if sequence in self.memory.taken:
            self.shared[name] = self.names.sequences[self.memory.taken[sequence][0]]
        self.lines.append(f"{name} = {self._space(name, axes_of_sequence(found), returned=returned)}")
