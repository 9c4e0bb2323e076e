"""What an iteration leaves behind, and what it does not.

In: a procedure; out: the same, in which what a forward loop computes and a backward loop reads again, and is dear, is
kept in a sequence of its own, and what nobody reads after its iteration is in none.
"""

from __future__ import annotations

from collections.abc import Collection

from mcalc.algebra.functions import FUNCTIONS
from mcalc.algebra.operators import symbol
from mcalc.algebra.shape import dim
from mcalc.model.ir import Element
from mcalc.model.ir import Sequence as Stored
from mcalc.program.ir import Array, arrays
from mcalc.program.mathematics import shape_of
from mcalc.program.names import Namer
from mcalc.program.operations import ATOMS, VIEWS
from mcalc.program.procedure import Block, Cell, Procedure, stored, varying
from mcalc.program.schedule import base
from mcalc.program.share import substituted

DEAR = frozenset(
    (
        "matmul", "solve", "inv", "cholesky", "lower_inverse", "lower_gram", "inv_from",
        "softmax", "logsumexp", "sigmoid_from", "sigmoid_of_negative_from",
        "softplus_from", "expm", "pinv", "powers", "outer", "kron", *(set(FUNCTIONS) - {"relu", "abs", "sign"}),
    )
)  # fmt: skip
"""Operations whose result a backward loop reads rather than computes again."""


def keep_dear(procedure: Procedure, sequences: dict[str, Stored], namer: Namer) -> None:
    """Keep what an earlier loop computes and a later one over the same indices reads again, where that is dear."""
    b = procedure.builder
    elements = dict(procedure.elements)
    earlier: list[Block] = []
    for block in procedure.blocks:
        if block.range is None:
            continue
        moving = varying(procedure, block)
        for before in earlier:
            if before.range is None or before.range.upwards != block.range.upwards:
                continue
            shared = moving & varying(procedure, before)
            wanted = [
                a for a in _maximal(block, shared) if base(a).op in DEAR and a.op not in VIEWS and a.kind == "float"
            ]
            replacement: dict[Array, Array] = {}
            for a in wanted:
                name = namer.name(a, {}, ())
                index, low, high = block.range.index, *block.range.ends
                shape = shape_of(a)
                element = symbol(f"{name}[{index}]", shape)
                elements[element] = Element(name, dim(index))
                sequences[name] = Stored(name, shape, low, high)
                leaf = b.node("arg", attrs=(element.name, stored(element)))
                procedure.leaves[leaf] = element
                replacement[a] = leaf
                before.cells.insert(_place(before, a), Cell(a, element))
            procedure.elements = elements
            if replacement:
                for cell in (*block.cells, *block.passing):
                    cell.array = substituted(b, cell.array, replacement)
        earlier.append(block)


def _place(block: Block, a: Array) -> int:
    """Before the first definition that is made of an array."""
    for place, cell in enumerate(block.cells):
        if any(x is a for x in arrays(cell.array)):
            return place
    return len(block.cells)


def _maximal(block: Block, shared: set[Array]) -> list[Array]:
    """The shared arrays that something unshared reads, or that the block defines."""
    found: dict[Array, None] = {}
    for cell in block.cells:
        for a in arrays(cell.array):
            if a not in shared:
                found.update(dict.fromkeys(base(x) for x in a.args if x in shared))
        if cell.array in shared:
            found[cell.array] = None
    return [a for a in found if a.op not in ATOMS]


def pass_by(procedure: Procedure, kept: Collection[str]) -> None:
    """Store no sequence that is read in the iteration alone that writes it, but for those that are `kept`."""
    b = procedure.builder
    elements = procedure.elements
    reads: dict[str, set[tuple[int, Array]]] = {}
    writes: dict[str, int] = {}
    for place, block in enumerate(procedure.blocks):
        for a in arrays(*(cell.array for cell in block.cells)):
            element = elements.get(procedure.leaves[a]) if a.op == "arg" else None
            if element is not None:
                reads.setdefault(element.sequence, set()).add((place, a))
        for cell in block.cells:
            if cell.target is not None and cell.target in elements:
                name = elements[cell.target].sequence
                writes[name] = writes.get(name, 0) + 1
    for place, block in enumerate(procedure.blocks):
        if block.range is None:
            continue
        known: dict[Array, Array] = {}
        cells: list[Cell] = []
        for cell in block.cells:
            array = cell.array = substituted(b, cell.array, known) if known else cell.array
            element = elements.get(cell.target) if cell.target is not None else None
            if cell.target is None or element is None or array.op in ATOMS:
                cells.append(cell)
                continue
            name, leaf = element.sequence, b.node("arg", attrs=(cell.target.name, stored(cell.target)))
            if name in kept or writes[name] > 1 or reads.get(name) != {(place, leaf)}:
                cells.append(cell)
                continue
            known[leaf] = array
            if array.op == "row":
                known[b.flat(leaf)] = array.args[0]
            block.passing.append(Cell(base(array), cell.target))  # as it is named: a row is a view of it
        block.cells[:] = cells


__all__ = ["keep_dear", "pass_by"]
