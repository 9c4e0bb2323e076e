"""From blocks of arrays to lines: which arrays get a name and a buffer, where each is computed, what is kept.

In: a `Procedure`; out: a `Plan`, in which every line computes one named array from named arrays, leaves and numbers by
operations that can write into one buffer one after another: of the operands of an elementwise operation at most one is
computed on the same line, the first, and it has the shape of the result.

Arrays of a loop's body that are the same in every iteration are computed before it.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from mcalc.algebra.expr import Expr
from mcalc.algebra.functions import FUNCTIONS
from mcalc.model.ir import Range
from mcalc.model.ir import Sequence as Stored
from mcalc.model.stacked import Stack
from mcalc.program.ir import Array, arrays
from mcalc.program.iterations import keep_dear, pass_by
from mcalc.program.names import Namer
from mcalc.program.operations import ATOMS, VIEWS
from mcalc.program.procedure import Block, Cell, Procedure, varying
from mcalc.program.schedule import base, repeated_operands

LONGEST_SCALAR = 6
"""The most operations in one line of scalars."""


@dataclass(frozen=True, slots=True)
class Line:
    """`name = array`."""

    name: str
    array: Array
    target: Expr | None
    total: bool = False
    label: Expr | None = None
    """What comments call it, if it is not the target."""


@dataclass(slots=True)
class Section:
    """Lines in order; those of a loop's body where there is a range."""

    phase: str
    range: Range | None
    lines: list[Line] = field(default_factory=list)


@dataclass(slots=True)
class Plan:
    """Sections in order."""

    procedure: Procedure
    sections: list[Section]
    names: dict[Array, str]
    """The arrays that straight code names."""
    sequences: dict[str, Stored]
    """Sequences with storage, those that the plan added too."""


def plan(
    procedure: Procedure,
    sequences: dict[str, Stored],
    namer: Namer,
    named: Callable[[Expr, Range | None], str],
    stacks: Mapping[Expr, Stack] = MappingProxyType({}),
    given_back: Collection[str] = (),
) -> Plan:
    """The lines of a procedure; `named` gives the name of a symbol that straight code defines or an element.

    `stacks` are the symbols that stand for elements of sequences: what they are is stored, whatever it is made of.
    So are the sequences that are `given_back`.
    """
    keep_dear(procedure, sequences, namer)
    pass_by(procedure, {stack.sequence for stack in stacks.values()} | set(given_back))
    blocks = _hoisted(procedure)
    chosen = _Choice(blocks).named
    readers = _readers(blocks)
    names: dict[Array, str] = {}
    sections: list[Section] = []
    placed: set[Array] = set()
    for block in blocks:
        section = Section(block.phase, block.range)
        here: dict[Array, str] = {}
        moving = varying(procedure, block)
        targets = _owners(procedure, block)
        passing = {c.array: c.target for c in block.passing if c.target is not None}
        visited: set[Array] = set() if block.range is not None else placed
        for cell in block.cells:
            for a in arrays(cell.array, seen=visited):
                if a not in chosen or a in here or a in names or (block.range is not None and a not in moving):
                    continue
                owner = targets.get(a)
                if owner is not None:
                    name = named(owner, block.range)
                elif a in passing:
                    name = named(passing[a], block.range)
                else:
                    name = namer.name(a, ChainMap(here, names), readers.get(a, ()))
                here[a] = name
                section.lines.append(Line(name, a, owner, label=passing.get(a)))
            kept = cell.target is not None and (
                block.range is not None or cell.target in procedure.elements or cell.target in stacks
            )
            if kept and (cell.total or targets.get(cell.array) is not cell.target or cell.array not in here):
                assert cell.target is not None
                section.lines.append(Line(named(cell.target, block.range), cell.array, cell.target, cell.total))
        if block.range is None:
            names.update(here)
        sections.append(section)
    return Plan(procedure, sections, names, sequences)


def _owners(procedure: Procedure, block: Block) -> dict[Array, Expr]:
    """The symbols that arrays are computed for: of several, the first; where it is a view, of what it looks at."""
    owners: dict[Array, Expr] = {}
    for cell in block.cells:
        if cell.target is None or cell.total:
            continue
        owners.setdefault(cell.array, cell.target)
        placed = cell.target in procedure.elements
        if block.range is None and not placed and cell.array.op == "row" and base(cell.array).op not in ATOMS:
            owners.setdefault(base(cell.array), cell.target)
    return owners


# --- loops ------------------------------------------------------------------------------------------------------------


def _hoisted(procedure: Procedure) -> list[Block]:
    """The blocks, with what does not vary in a loop in straight code before it."""
    blocks: list[Block] = []
    for block in procedure.blocks:
        if block.range is not None:
            moving = varying(procedure, block)
            still: dict[Array, None] = {}
            for cell in block.cells:
                for a in arrays(cell.array):
                    if a in moving:
                        still.update(dict.fromkeys(x for x in map(base, a.args) if x not in moving))
                if cell.array not in moving:
                    still[base(cell.array)] = None
            cells = [Cell(a) for a in still if a.op not in ATOMS and not trivial(a)]
            if cells:
                if blocks and blocks[-1].range is None and blocks[-1].phase == block.phase:
                    blocks[-1] = Block(block.phase, None, [*blocks[-1].cells, *cells])
                else:
                    blocks.append(Block(block.phase, None, cells))
        blocks.append(block)
    return blocks


# --- names ------------------------------------------------------------------------------------------------------------


def single(a: Array) -> bool:
    """Whether one call computes an array from its operands."""
    return a.op == "matmul" or (a.op == "times" and len(a.args) == 2) or (a.op == "power" and a.attrs[0] == 2)


def inplace(a: Array) -> bool:
    """Whether an operation can write into a buffer that holds its first operand."""
    return a.op in _INPLACE


_INPLACE = frozenset(
    ("sum", "scale", "times", "quotient", "maximum", "minimum", "power", "powers", *FUNCTIONS, "softplus_from")
)


def computed(a: Array) -> bool:
    """Whether an array is more than a leaf, a number or a view of one."""
    return base(a).op not in ATOMS


def on_diagonal(a: Array) -> bool:
    """Whether an array is a diagonal matrix of which only the diagonal is computed: diag(v), c I."""
    while a.op == "scale":
        a = a.args[0]
    return a.op == "eye" or (a.op == "diagonal" and len(a.args) == 1)


def added_on_diagonal(a: Array, x: Array) -> bool:
    """Whether a term of a sum is added to the diagonal of the others."""
    return a.op == "sum" and on_diagonal(x) and any(y.shape == a.shape and not on_diagonal(y) for y in a.args)


def trivial(a: Array) -> bool:
    """Whether an array is a number, or a multiple of one, that needs no name."""
    return a.rank == 0 and a.op in ("scale", "float") and all(x.op in ATOMS for x in a.args)


class _Choice:
    """Which arrays get a name."""

    def __init__(self, blocks: Sequence[Block]) -> None:
        self.named: set[Array] = set()
        roots = [cell.array for block in blocks for cell in block.cells]
        order = list(arrays(*roots))
        uses: dict[Array, int] = {}
        for a in order:
            if a.op not in VIEWS:
                for x in a.args:
                    uses[base(x)] = uses.get(base(x), 0) + 1
        for root in roots:
            uses[base(root)] = uses.get(base(root), 0) + 2
        weights: dict[Array, int] = {}
        for a in order:
            if a.op in VIEWS or a.op in ATOMS:
                weights[a] = weights[base(a)] if a.op in VIEWS and base(a) not in self.named else 0
                continue
            self._name_operands(a)
            weights[a] = 1 + sum(0 if base(x) in self.named else weights[x] for x in a.args)
            wanted = a.op in ("lower_gram", "reciprocal_or_zero") or (a.rank == 0 and weights[a] > LONGEST_SCALAR)
            if (uses.get(a, 0) > 1 and not trivial(a)) or wanted:
                self.named.add(a)

    def _name_operands(self, a: Array) -> None:
        self.named.update(base(a.args[k]) for k in repeated_operands(a) if a.rank == 0 and computed(a.args[k]))
        room = inplace(a) and a.kind == "float" and a.rank > 0
        for x in a.args:
            if not computed(x) or base(x) in self.named or not x.rank or added_on_diagonal(a, x):
                continue
            if room and x.op not in VIEWS and x.shape == a.shape and x.kind == "float" and not twice(a, x):
                room = False
                continue
            if _scaled_constant(base(x)) or (inplace(a) and not room and self._on_the_spot(a, x)):
                continue
            self.named.add(base(x))

    def _on_the_spot(self, a: Array, x: Array) -> bool:
        """Whether one call computes an operand that is added, or multiplied with, at once."""
        simple = all(not computed(y) or base(y) in self.named for y in x.args)
        fits = x.shape == a.shape and x.kind == "float" == a.kind and a.args.count(x) == 1
        return a.op in ("sum", "times") and simple and single(x) and fits


def twice(a: Array, x: Array) -> bool:
    """Whether an operand is read again after the first call of an operation has written."""
    return (
        a.op in ("powers", "softplus_from")
        or sum(y is x for y in a.args) > 1
        or (a.op == "power" and a.attrs[0] not in (2,))
    )


def _scaled_constant(a: Array) -> bool:
    return a.op == "scale" and a.args[0].op in ATOMS and a.args[0].op != "arg"


def _readers(blocks: Sequence[Block]) -> dict[Array, list[Array]]:
    readers: dict[Array, list[Array]] = {}
    for a in arrays(*(cell.array for block in blocks for cell in block.cells)):
        if a.op not in VIEWS:
            for x in a.args:
                readers.setdefault(base(x), []).append(a)
    return readers


__all__ = ["Line", "Plan", "Section", "computed", "inplace", "plan"]
