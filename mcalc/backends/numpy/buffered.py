"""The body of a function without loops: expressions by the passes, and the writer of statements, that models have.

In: outputs as expressions by label; out: the lines of the body, and the texts of what is given back. A line computes
one named array by operations in one buffer, and the memory of what nobody reads any more is used again. Arguments are
never written to, and what is given back is new memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from mcalc.algebra.expr import Expr
from mcalc.algebra.operators import symbol
from mcalc.backends.numpy.aliases import Memory
from mcalc.backends.numpy.bodies import Body, returned
from mcalc.backends.numpy.body import FunctionBody
from mcalc.backends.numpy.derivative_rows import row_pass
from mcalc.backends.numpy.helpers import USES
from mcalc.backends.numpy.spelling import Names
from mcalc.model.ir import Define
from mcalc.program.arrangement import arranged, paired
from mcalc.program.chains import orders_left_open
from mcalc.program.ir import Array
from mcalc.program.names import Namer
from mcalc.program.plan import plan
from mcalc.program.procedure import Block, Cell, Procedure, lower_procedure
from mcalc.program.scalars import scalars_placed
from mcalc.program.schedule import base

_PHASE = "straight"


def buffered(
    outputs: Mapping[str, Expr],
    *,
    arguments: Sequence[tuple[str, Expr]],
    sizes: Mapping[str, str],
    derivatives: frozenset[str],
    taken: set[str],
) -> Body:
    """The body that computes the outputs, with as few new arrays as they need."""
    symbols = {e: python for python, e in arguments}
    targets = {label: _target(label, e, symbols) for label, e in outputs.items()}
    values = [Define(targets[label], e) for label, e in outputs.items() if label not in derivatives]
    others = [Define(targets[label], e) for label, e in outputs.items() if label in derivatives]
    procedure = lower_procedure({"value": values, "derivatives": others}, {}, list(targets.values()))
    cells = [cell for block in procedure.blocks for cell in block.cells]
    b = procedure.builder
    scaled = scalars_placed(b, [cell.array for cell in cells])
    placed = orders_left_open(b, scaled)
    names = Names({**symbols, **{t: label for label, t in targets.items()}}, {}, dict(sizes), {}, frozenset(), taken)
    plain = _Arranged(procedure, names, [cell.target for cell in cells], placed)
    found, pairs = paired(b, placed)
    best = (
        min(plain, _Arranged(procedure, names, plain.targets, found, pairs), key=lambda p: p.peak) if pairs else plain
    )
    sums = {cell.target: a for cell, a in zip(cells, scaled, strict=True) if cell.target is not None}
    rows = row_pass(procedure, names, sums, best.plan.names)
    results = {label: best.arrays[t] for label, t in targets.items()}
    memory = Memory(best.plan, {}, set())
    body = FunctionBody(best.plan, memory, names, _PHASE, best.kept, workspace=False)
    lines = body.write()
    texts = returned(body.statements, results)
    return Body(lines, texts, frozenset(USES.get(op, op) for op in body.statements.helpers), rows)


class _Arranged:
    """The plan of arrays, its lines in an order that needs little memory, and how much that is.

    `parts` are arrays below them that get a name.
    """

    def __init__(
        self,
        procedure: Procedure,
        names: Names,
        targets: Sequence[Expr | None],
        found: Sequence[Array],
        parts: Sequence[Array] = (),
    ) -> None:
        self.targets = targets
        self.arrays = dict(zip(targets, found, strict=True))
        self.kept = {base(a) for a in found}
        cells = [*(Cell(a, t) for t, a in self.arrays.items()), *map(Cell, parts)]
        blocks = [Block(_PHASE, None, cells)]
        self.plan = plan(replace(procedure, blocks=blocks), {}, Namer(set(names.taken)), lambda e, r: names.symbols[e])
        (section,) = self.plan.sections
        section.lines, self.peak = arranged(section.lines, self.plan.names, self.kept, procedure.builder.typical)


def _target(label: str, e: Expr, taken: Iterable[Expr]) -> Expr:
    """The symbol of an output: no argument has its name."""
    name, others = label, {x.name for x in taken}
    while name in others:
        name += "_"
    return symbol(name, e.shape)
