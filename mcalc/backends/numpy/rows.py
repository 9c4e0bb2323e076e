"""The function of a module that takes its data in blocks of rows: loss and gradients in one pass.

In: a `RowPlan`; out: the lines of the function, the buffers that it uses, and the helper that says how many rows make
a block. Sums over the rows are added up block by block; what has n rows elsewhere has the rows of a block here, in
buffers that the last block, which may be shorter, uses in part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from mcalc.algebra.shape import ONE, Dim
from mcalc.backends.numpy.buffers import Buffer, buffers
from mcalc.backends.numpy.comments import note
from mcalc.backends.numpy.guards import guarded
from mcalc.backends.numpy.spelling import Names, axes_text, size
from mcalc.backends.numpy.statements import Statements, Target
from mcalc.program.ir import Array
from mcalc.program.names import Namer
from mcalc.program.operations import Axes, nominal
from mcalc.program.plan import Line
from mcalc.program.rows import FIXED, TURNED, RowPlan, width
from mcalc.program.schedule import base

NAMES = frozenset(("BLOCK_BYTES", "LEAST_BLOCKS", "LEAST_ROWS", "SMALL_PRODUCT", "block_rows", "rows_of_block"))
"""Names of the module that belong to the pass over rows."""

MATRICES = '''
BLOCK_BYTES = 800_000
"""The rows of a block, and what is computed of them, take so much memory: they stay in the second-level cache."""

LEAST_BLOCKS = 2
"""Data of fewer blocks are taken at once: they stay in a cache in any case."""
'''

VECTORS = '''
BLOCK_BYTES = 2_000_000
"""The rows of a block, and what is computed of them, take so much memory: more than with products of matrices, for
products with a vector are so fast that the calls for a block would take as long."""

LEAST_BLOCKS = 16
"""Data of fewer blocks are taken at once: they stay in the last cache, which is as fast for a vector."""
'''

SMALL = '''
SMALL_PRODUCT = 1_000_000
"""OpenBLAS multiplies (m x k) (k x n) a fourth faster where m k n is at most this: blocks are made so small, unless
that leaves them few rows."""
'''

ROWS_OF_BLOCK = '''
LEAST_ROWS = 64
"""Products with fewer rows are slow, and every block adds to all sums."""


def rows_of_block(SIZES, itemsize):
    """How many rows of the data make a block; 0 where blocks do not pay.

    Where there are few blocks, or where the sums that every block adds to are as large as half of it.
    """
    entries = max(ENTRIES, 1)  # of a row, and of what is computed of it
    rows = max(LEAST_ROWS, BLOCK_BYTES // (itemsize * entries))
LIMIT    if N < LEAST_BLOCKS * rows or 2 * (SUMS) > rows * entries:
        return 0
    count = -(-N // rows)
    return -(-N // count)
'''


LIMIT = """\
    small = SMALL_PRODUCT // max(LARGEST)
    rows = min(rows, small) if small >= 2 * LEAST_ROWS else rows
"""


class Known(Namer):
    """Names as they are known from elsewhere, before new ones."""

    def __init__(self, taken: set[str], known: Mapping[Array, str]) -> None:
        super().__init__(taken)
        self.known = known

    def name(self, a: Array, names: Mapping[Array, str], readers: Sequence[Array]) -> str:
        """The name that the array has in the other functions, else a new one."""
        return self.known[a] if a in self.known else super().name(a, names, readers)


@dataclass(slots=True)
class Rows:
    """The parts of the module that belong to the pass over rows."""

    n: str
    data: str
    """The argument that is largest."""
    head: list[str]
    """The lines of the function up to those of the pass: they check the arguments and choose the length of a block."""
    lines: list[str]
    """Those of the pass."""
    length: str
    """The name of the length of a block."""
    block: str
    """The helper."""
    sizes: list[str]
    """The arguments of the helper."""
    fields: dict[str, tuple[Axes, str]]
    """Buffers of the workspace: axes and kind."""
    whole: frozenset[str]
    """Buffers that hold all rows."""
    helpers: set[str] = field(default_factory=set)


class RowsWriter:
    """Writes the function; `guards` are conditions on lines, by their identity.

    `shared` are the buffers of the other functions: of one shape and kind, a buffer serves both.
    """

    def __init__(
        self,
        found: RowPlan,
        names: Names,
        guards: Mapping[int, str] = MappingProxyType({}),
        shared: Mapping[str, tuple[Axes, str]] = MappingProxyType({}),
        workspace: bool = True,
    ) -> None:
        self.found = found
        self.workspace = workspace
        self.shared = shared
        self.sums, self.whole = found.sums, found.whole
        self.names = names
        self.guards = guards
        self.local: dict[Array, str] = dict(found.plan.names)
        self.shown: dict[Array, str] = dict(found.plan.names)
        """What arrays are called in comments."""
        self.fields: dict[str, tuple[Axes, str]] = {}
        self.renamed: dict[str, str] = {}
        """Names to those of their buffers, where these differ."""
        self.spaces: list[str] = []
        """The lines that provide memory before the loop."""
        self.parts: dict[Array, str] = {}
        """The blocks of arguments: a leaf to its name."""
        self.inside = False
        self.trimmed: dict[str, Axes] = {}
        """Buffers for a block of rows."""
        self.scratches: dict[tuple[object, ...], str] = {}
        self.ones: dict[str, str] = {}
        """Vectors of ones and the lines that provide them."""
        self.statements = Statements(found.plan.procedure.builder, self.local, self._leaf, names.sizes, self._ones)
        before, rows, after = found.plan.sections
        still = [line for line in rows.lines if found.kinds[line.array] == FIXED]
        self.before, self.after = [*before.lines, *still], after.lines
        self.rows = [line for line in rows.lines if found.kinds[line.array] != FIXED]
        self.length = names.claim("rows")
        self.start, self.stop = names.claim("start"), names.claim("stop")

    def write(self) -> list[str]:
        """The lines from the first statement to the last, without the return."""
        head = self._straight(self.before, buffers(self.before, self.local, set(self.local)))
        head = [*self.spaces, *head]
        self.spaces.clear()
        loop = self._loop()
        totals = [line for line in self.rows if line.array in self.sums]
        finals = {base(a) for a in self.found.results.values()}
        taken = buffers([*totals, *self.after], self.local, finals, self.guards)
        tail = self._straight(self.after, taken)
        return [*self.ones.values(), *head, *self.spaces, *loop, *tail]

    # --- lines --------------------------------------------------------------------------------------------------------

    def _straight(self, lines: Sequence[Line], found: Mapping[Array, Buffer]) -> list[str]:
        written: list[tuple[str, list[str]]] = []
        for line in lines:
            buffer = found.get(line.array)
            place = "" if buffer is None else buffer.name
            if buffer is not None and buffer.fresh:
                place = f"ws.{self._field(place, line.array.shape, line.array.kind)}" if self.workspace else ""
            code = self.statements.write(line.array, Target(line.name, place, scratch=self._scratch))
            written.append((self.guards.get(id(line), ""), [note(line, self.shown), *code]))
        return guarded(written)

    def _loop(self) -> list[str]:
        lines: list[Line] = []
        for line in self.rows:
            name = line.name
            if line.array in self.whole:
                self.spaces.append(f"{name} = {self._space(name, line.array)}")
                name = self.local[line.array] = self.names.claim(f"{name}_b")
            elif line.array in self.sums:
                self._begin_sum(line)
            lines.append(Line(name, line.array, line.target, line.array in self.sums))
        guards = {id(new): self.guards.get(id(line), "") for new, line in zip(lines, self.rows, strict=True)}
        places = buffers(lines, self.local, self.whole, guards)
        self.inside = True
        body = []
        for line, original in zip(lines, self.rows, strict=True):
            code = self._added(line) if line.total else self._row(line, places.get(line.array))
            body.append((guards[id(line)], [note(original, self.shown, "+=" if line.total else "="), *code]))
        written = guarded(body)
        self.inside = False
        header = self._header()
        for line in self.rows:
            self.local[line.array] = line.name
        return [*header, *(f"    {text}" for text in written)]

    def _header(self) -> list[str]:
        n = self.names.sizes[self.found.n.names()[0]]
        lines = [
            f"for {self.start} in range(0, {n}, {self.length}):",
            f"    {self.stop} = {self.start} + {self.length}",
        ]
        slices = {part: self.names.symbols[self.found.plan.procedure.leaves[a]] for a, part in self.parts.items()}
        slices.update({self.local[x.array]: x.name for x in self.rows if x.array in self.whole})
        values = ", ".join(f"{whole}[{self.start}:{self.stop}]" for whole in slices.values())
        lines.append(f"    {', '.join(slices)} = {values}")
        if self.trimmed:
            left = ", ".join(self.trimmed)
            right = ", ".join(f"{name}[: {n} - {self.start}]" for name in self.trimmed)
            lines += [f"    if {self.stop} > {n}:  # the last block is shorter", f"        {left} = {right}"]
        return lines

    def _row(self, line: Line, buffer: Buffer | None) -> list[str]:
        a = line.array
        if a in self.whole:
            return self.statements.write(a, Target(line.name, line.name, view=True, scratch=self._scratch))
        if buffer is not None and buffer.fresh and self.found.kinds[a] != TURNED:
            self._block_space(line.name, a)
            return self.statements.write(a, Target(line.name, line.name, view=True, scratch=self._scratch))
        place = buffer.name if buffer is not None and not buffer.fresh else ""
        return self.statements.write(a, Target(line.name, place, scratch=self._scratch))

    def _added(self, line: Line) -> list[str]:
        a = line.array
        if not a.rank:
            return [f"{line.name} += {self.statements.text(a, by_name=False).code}"]
        target = Target("", self._scratch(a))
        (code,) = self.statements.write(a, target)
        return [f"{line.name} += {code.removeprefix(' = ')}"]

    def _begin_sum(self, line: Line) -> None:
        a = line.array
        if not a.rank:
            self.spaces.append(f"{line.name} = 0.0")
            return
        if not self.workspace:
            self.spaces.append(f"{line.name} = np.zeros({axes_text(a.shape, self.names.sizes)}, dtype)")
            return
        self.spaces.append(f"{line.name} = {self._space(line.name, a)}")
        self.spaces.append(f"{line.name}[...] = 0")

    # --- memory -------------------------------------------------------------------------------------------------------

    def _leaf(self, a: Array) -> str:
        name = self.names.symbols[self.found.plan.procedure.leaves[a]]
        if not self.inside or a not in self.found.data:
            return name
        if a not in self.parts:
            self.parts[a] = self.names.claim(f"{name}_b")
        return self.parts[a]

    def _field(self, name: str, axes: Axes, kind: str) -> str:
        """The buffer of the workspace for what is called so."""
        if self.shared.get(name, (axes, kind)) != (axes, kind):
            name = self.renamed[name] = self.names.claim(name)
        self.fields[name] = (axes, kind)
        return name

    def _space(self, name: str, a: Array, rows: str = "") -> str:
        kind = "bool" if a.kind == "bool" else "dtype"
        sizes = {**self.names.sizes, **({self.found.n.names()[0]: rows} if rows else {})}
        shape = axes_text(a.shape, sizes)
        if not self.workspace:
            return f"np.empty({shape}, {kind})"
        return f"space(ws.{self._field(name, a.shape, a.kind)}, {shape}, {kind})"

    def _block_space(self, name: str, a: Array) -> None:
        self.spaces.append(f"{name} = {self._space(name, a, self.length)}")
        self.trimmed[name] = a.shape

    def _ones(self, d: Dim) -> str:
        """A vector of ones; as long as a block where the rows of a block are added."""
        name = self.names.ones_of(d)
        if name not in self.ones:
            count = self.length if d is self.found.n else size(d, self.names.sizes)
            made = f"ones(ws.{name}, {count}, dtype)" if self.workspace else f"np.ones({count}, dtype)"
            self.ones[name] = f"{name} = {made}"
            self.fields[name] = ((d,), "ones")
            if d is self.found.n:
                self.trimmed[name] = (d,)
        return name

    def _scratch(self, a: Array) -> str:
        """The buffer for what is used on the spot: one for each shape."""
        if self.found.kinds.get(a) == TURNED:
            return ""
        if a.shape not in self.scratches:
            name = self.scratches[a.shape] = self.names.claim("scratch")
            if self.found.n in a.shape:
                self._block_space(name, a)
            else:
                self.spaces.append(f"{name} = {self._space(name, a)}")
        return self.scratches[a.shape]

    # --- sizes --------------------------------------------------------------------------------------------------------

    def block_text(self) -> tuple[str, list[str]]:
        """The helper that gives the number of rows of a block, and its arguments."""
        f, sizes = self.found, self.names.sizes
        inner = [a.shape[1:] for a in (*f.data, *self.whole)] + [axes[1:] for axes in self.trimmed.values()]
        entries, sums = width(inner), width(a.shape for a in self.sums)
        products = f.products
        used = [n for n in sizes if n in {*f.n.names(), *(x for d in (entries, sums, *products) for x in d.names())}]
        n = sizes[f.n.names()[0]]
        text = (MATRICES if f.by_matrices else VECTORS) + (SMALL if products else "") + ROWS_OF_BLOCK
        text = text.replace("SIZES", ", ".join(sizes[x] for x in used))
        text = text.replace("LIMIT", LIMIT if products else "")
        text = text.replace("LARGEST", ", ".join(size(d, sizes) for d in (*products, ONE)))
        text = text.replace("ENTRIES", size(entries, sizes)).replace("SUMS", size(sums, sizes))
        return text.replace("N < L", f"{n} < L").replace("-(-N", f"-(-{n}"), [sizes[x] for x in used]

    def largest(self, arguments: Sequence[str]) -> str:
        """Of these arguments the one with the longest rows; "" where none is a matrix of data."""

        def length(a: Array) -> float:
            return nominal(a.shape[1], self.found.plan.procedure.builder.typical)

        leaves = self.found.plan.procedure.leaves
        data = [a for a in self.found.data if a.rank == 2 and self.names.symbols[leaves[a]] in arguments]
        return self.names.symbols[leaves[max(data, key=length)]] if data else ""
