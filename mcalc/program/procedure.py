"""Lowering a model and its adjoint program: from statements to blocks of arrays.

In: statements of a forward and of a backward phase; out: a `Procedure`, blocks in order. A block is straight code or
the body of a loop; all of them live in one graph, so that what the backward phase shares with the forward phase is one
array. In straight code a name of the model is the array of its value. In a loop it is a leaf: what `c[t]` is made of
matters to the iteration that defines it, and everybody else reads it.
"""

from __future__ import annotations

import math
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from mcalc.algebra.expr import Expr, symbols
from mcalc.algebra.shape import ONE, Shape
from mcalc.model.ir import Define, Element, Loop, Range, Statement, Total
from mcalc.model.stacked import Stack
from mcalc.program.builder import Builder
from mcalc.program.common import factors_taken_out
from mcalc.program.factorisations import share_factorisations
from mcalc.program.ir import Array, arrays
from mcalc.program.lower import Lowering
from mcalc.program.operations import Axes
from mcalc.program.scalars_shared import scalars_shared
from mcalc.program.share import share_exponentials, substituted
from mcalc.program.stable import stable

ROUNDS = 4
"""Lowering is repeated, each time knowing what the time before computed, until little changes, or so often."""
GAIN = 0.01
"""What a lowering must save of the time of the one before for another one to follow."""


@dataclass(slots=True)
class Cell:
    """What a block defines: an array, and the symbol of the program that stands for it, if any."""

    array: Array
    target: Expr | None = None
    total: bool = False
    """Whether the array is added to what the target holds: a sum over the loop."""


@dataclass(slots=True)
class Block:
    """Straight code, or the body of a loop."""

    phase: str
    range: Range | None
    cells: list[Cell] = field(default_factory=list)
    passing: list[Cell] = field(default_factory=list)
    """Elements that are kept nowhere: names for their arrays."""


@dataclass(slots=True)
class Procedure:
    """Blocks in order, and the arrays of the symbols that straight code defines."""

    builder: Builder
    blocks: list[Block]
    leaves: dict[Array, Expr]
    """Leaf arrays to their symbols: arguments, elements, stacked sequences."""
    bound: dict[Expr, Array]
    elements: Mapping[Expr, Element]


def axes_as_stored(shape: Shape) -> Axes:
    """The axes of a matrix of this shape as it is stored: a scalar has none, a column one, a row vector two."""
    rows, columns = shape
    if columns is not ONE:
        return shape
    return () if rows is ONE else (rows,)


def stored(e: Expr) -> Axes:
    """The axes of a symbol as it is stored."""
    return axes_as_stored(e.shape)


def lower_procedure(
    phases: Mapping[str, Sequence[Statement]],
    elements: Mapping[Expr, Element],
    outputs: Sequence[Expr],
    typical: Mapping[str, float] = MappingProxyType({}),
    stacks: Mapping[Expr, Stack] = MappingProxyType({}),
) -> Procedure:
    """The blocks of several phases; in every phase but the first, values are derivatives (conventions at kinks).

    `outputs` are symbols that are given back: a 1 x m output is a matrix with two axes. `typical` are sizes of
    dimensions that orders of evaluation are compared at; `stacks` are the symbols that stand for several elements.
    """
    as_stored = {*outputs, *elements}
    memo: dict[Expr, Expr] = {}
    plans = [(phase, s, [stable(d.value, memo) for d in _body(s)]) for phase, found in phases.items() for s in found]
    first = next(iter(phases), "")
    local = _local_targets(plans, elements, stacks, outputs)
    builder = Builder(typical)
    roots = tuple(value for _, _, values in plans for value in values)
    made: list[list[Array]] = []
    lowering: Lowering | None = None
    least = math.inf
    for _ in range(ROUNDS):
        before, made = made, []
        builder.settle(tuple(a for found in before for a in found))
        lowering = Lowering(builder, roots, lowering)
        for phase, statement, values in plans:
            lowering.derivative = phase != first
            here = []
            for definition, value in zip(_body(statement), values, strict=True):
                a = lowering.array(value)
                builder.pay(a)
                if isinstance(statement, Define) or definition.target in local:
                    lowering.bound[definition.target] = a
                here.append(_as_stored(builder, definition.target, a, statement, as_stored))
            made.append(here)
        if made == before:
            break
        most = least * (1 - GAIN)
        least = sum(map(builder.work, arrays(*(a for found in made for a in found))))
        if least > most:
            break
    assert lowering is not None
    flat = share_factorisations(builder, share_exponentials(builder, [a for found in made for a in found]))
    flat = factors_taken_out(builder, flat)
    flat = scalars_shared(builder, flat)
    blocks: list[Block] = []
    position = 0
    for phase, statement, values in plans:
        here = flat[position : position + len(values)]
        position += len(values)
        cells = [
            Cell(a, d.target, isinstance(d, Total))
            for d, a in zip(_body(statement), here, strict=True)
            if d.target not in local
        ]
        if isinstance(statement, Define):
            if not blocks or blocks[-1].range is not None or blocks[-1].phase != phase:
                blocks.append(Block(phase, None))
            blocks[-1].cells += cells
        elif isinstance(statement, Loop):
            passing = [Cell(a, d.target) for d, a in zip(statement.body, here, strict=False) if d.target in local]
            blocks.append(Block(phase, statement.range, cells, passing))
        else:
            blocks.append(Block(phase, statement.range, cells))
    _drop_unread(blocks, {*outputs, *elements, *stacks})
    known = {node for _, _, values in plans for value in values for node in symbols(value)}
    known |= {d.target for _, s, _ in plans for d in _body(s)}
    leaves = {}
    for e in known:
        leaf = builder.find("arg", attrs=(e.name, stored(e)))
        if leaf is not None:
            leaves[leaf] = e
    bound = {cell.target: cell.array for block in blocks if block.range is None for cell in block.cells if cell.target}
    procedure = Procedure(builder, blocks, leaves, bound, elements)
    _read_targets(procedure)
    _turn_once(procedure)
    return procedure


def _drop_unread(blocks: Sequence[Block], kept: Container[Expr]) -> None:
    """Leave out definitions of straight code that nothing is made of: diag(v), where what reads it scales rows by v."""
    wanted = [c.array for block in blocks for c in block.cells if block.range is not None or c.target in kept]
    read = set(arrays(*wanted))
    for block in blocks:
        if block.range is None:
            block.cells[:] = [c for c in block.cells if c.target in kept or c.array in read]


def _local_targets(
    plans: Sequence[tuple[str, Statement, list[Expr]]],
    elements: Mapping[Expr, Element],
    stacks: Mapping[Expr, Stack],
    outputs: Sequence[Expr],
) -> set[Expr]:
    """Elements that nobody reads but later definitions of the same iteration: they need no place in a sequence."""
    readers: dict[str, set[tuple[int, Expr]]] = {}
    stacked: set[str] = set()
    for place, (_, _, values) in enumerate(plans):
        for value in values:
            for e in symbols(value):
                element = elements.get(e)
                if element is not None:
                    readers.setdefault(element.sequence, set()).add((place, e))
                elif e in stacks:
                    stacked.add(stacks[e].sequence)
    local: set[Expr] = set()
    written: dict[str, int] = {}
    for _, statement, _ in plans:
        for d in _body(statement):
            if d.target in elements:
                written[elements[d.target].sequence] = written.get(elements[d.target].sequence, 0) + 1
    kept = {elements[e].sequence for e in outputs if e in elements}
    for place, (_, statement, _) in enumerate(plans):
        if not isinstance(statement, Loop):
            continue
        for d in statement.body:
            name = elements[d.target].sequence
            found = readers.get(name, set())
            if found == {(place, d.target)} and written[name] == 1 and name not in stacked and name not in kept:
                local.add(d.target)
    return local


def _body(statement: Statement) -> Sequence[Define | Total]:
    return (*statement.body, *statement.totals) if isinstance(statement, Loop) else (statement,)


def _as_stored(b: Builder, target: Expr, a: Array, statement: Statement, outputs: Container[Expr]) -> Array:
    """A result in the working precision; one that is given back or an element of a sequence has its stored axes."""
    a = b.number_of(a)
    if a.op == "diagonal" and len(a.args) == 2:
        a = a.args[1]
    if a.rank == 1 and len(stored(target)) == 2 and (target in outputs or not isinstance(statement, Define)):
        return _as_row(b, a)
    return a


def _as_row(b: Builder, a: Array) -> Array:
    match a.op:
        case "flat":
            return a.args[0]
        case "total" if a.attrs == (0,):
            return b.node("total_row", a.args[0])
        case "scale":
            return b.node("scale", _as_row(b, a.args[0]), *a.args[1:], attrs=a.attrs)
    return b.node("row", a)


def _read_targets(procedure: Procedure) -> None:
    """Read what a loop defines by its name, in later definitions of loops over the same indices."""
    b = procedure.builder
    known: dict[Range, dict[Array, Array]] = {}
    for block in procedure.blocks:
        if block.range is None:
            continue
        aliases = known.setdefault(block.range.upwards, {})
        for cell in block.cells:
            array = substituted(b, cell.array, aliases) if aliases else cell.array
            if not cell.total and cell.target is not None and array.op not in ("arg", "number", "zeros", "ones"):
                leaf = b.node("arg", attrs=(cell.target.name, stored(cell.target)))
                procedure.leaves[leaf] = cell.target
                inner = array.args[0] if array.op == "row" else array
                aliases[array] = leaf
                aliases.setdefault(cell.array, leaf)
                if inner is not array:
                    aliases[inner] = b.flat(leaf)
            cell.array = array
        for cell in block.passing:
            cell.array = substituted(b, cell.array, aliases)


def _turn_once(procedure: Procedure) -> None:
    """In a loop, products with the transpose of what does not vary read a transposed copy, made once.

    OpenBLAS multiplies small matrices A B^T at half the speed of A B.
    """
    b = procedure.builder
    for block in procedure.blocks:
        if block.range is None:
            continue
        moving = varying(procedure, block)
        replacement: dict[Array, Array] = {}
        for a in arrays(*(cell.array for cell in block.cells)):
            if a.op == "matmul" and a in moving and a.args[1].op == "T" and a.args[1] not in moving:
                replacement[a.args[1]] = b.node("turned", a.args[1].args[0])
        if replacement:
            for cell in (*block.cells, *block.passing):
                cell.array = substituted(b, cell.array, replacement)


def varying(procedure: Procedure, block: Block) -> set[Array]:
    """The arrays of a loop's body that differ from one iteration to the next."""
    if block.range is None:
        return set()
    index = block.range.index
    result: set[Array] = set()
    for a in arrays(*(cell.array for cell in block.cells)):
        if a.op == "arg":
            element = procedure.elements.get(procedure.leaves[a])
            if element is not None and index in element.index.names():
                result.add(a)
        elif any(x in result for x in a.args):
            result.add(a)
    return result
