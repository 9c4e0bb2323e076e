"""The pass over rows of a derivative: results that are sums over the rows of the data, a block of rows at a time.

In: the arrays of the results; out: a `RowPass`, or None where they are not such sums, or where blocks do not pay.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mcalc.algebra.expr import Expr
from mcalc.backends.numpy.bodies import Body, RowPass, returned
from mcalc.backends.numpy.helpers import USES
from mcalc.backends.numpy.rows import Known, RowsWriter
from mcalc.backends.numpy.spelling import Names
from mcalc.program.ir import Array
from mcalc.program.procedure import Procedure
from mcalc.program.rows import row_plan


def row_pass(
    procedure: Procedure, names: Names, results: Mapping[Expr, Array], known: Mapping[Array, str]
) -> RowPass | None:
    """The pass over rows of the results by their symbols; `known` are the names of arrays in the other function."""
    names = replace(names, taken={*names.taken, *known.values()}, ones={}, variables={})
    inputs = set(procedure.leaves.values())
    found = row_plan(procedure, results, inputs, Known(names.taken, known), lambda e, r: names.symbols[e])
    if found is None:
        return None
    writer = RowsWriter(found, names, workspace=False)
    data = writer.largest([names.symbols[e] for e in inputs])
    if not data:
        return None
    lines = writer.write()
    texts = returned(writer.statements, {names.symbols[e]: a for e, a in found.results.items()})
    helpers = frozenset(USES.get(op, op) for op in writer.statements.helpers)
    block, sizes = writer.block_text()
    return RowPass(Body(lines, texts, helpers), data, writer.length, block, tuple(sizes))
