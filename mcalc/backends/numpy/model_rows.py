"""The pass over rows of a model's module: the function, its helper, and what they need of the workspace.

In: the lowered model; out: `Rows`, or None where the loss is not a sum over the rows of the data.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from mcalc.algebra.expr import Expr
from mcalc.backends.numpy.guards import LOSS, Guards, guards_of
from mcalc.backends.numpy.layout import none_of
from mcalc.backends.numpy.rows import Known, Rows, RowsWriter
from mcalc.backends.numpy.spelling import Names
from mcalc.model.ir import Range
from mcalc.program.ir import Array
from mcalc.program.names import Namer
from mcalc.program.operations import Axes
from mcalc.program.plan import Plan
from mcalc.program.rows import RowPlan, row_plan
from mcalc.program.schedule import base

Returned = Callable[[RowsWriter, Mapping[Expr, Array], Sequence[str]], list[str]]
"""The texts of the gradients, from the writer, the gradients' arrays, and the names that may be None."""


def rows_of(
    found: Plan,
    names: Names,
    loss: tuple[Expr, Array | None],
    results: Mapping[Expr, Array | None],
    owners: Mapping[Expr, str],
    inputs: Collection[Expr],
    arguments: Sequence[str],
    check: Sequence[str],
    returned: Returned,
    shared: Mapping[str, tuple[Axes, str]],
) -> Rows | None:
    """The pass over the rows of the data; `owners` gives the parameter, by its Python name, of each gradient.

    `inputs` are the symbols of the data, `arguments` the Python names of all arguments, `check` the lines that check
    them, `shared` the buffers of the two phases.
    """
    arrays = {e: a for e, a in results.items() if a is not None}
    if loss[1] is None or len(arrays) < len(results) or any(s.range is not None for s in found.sections):
        return None
    if found.sequences or names.stacks or found.procedure.elements:
        return None

    def named(e: Expr, r: Range | None) -> str:
        return names.symbols[e]

    namer: Namer = Known(names.taken, found.names)
    rows = row_plan(found.procedure, {loss[0]: loss[1], **arrays}, inputs, namer, named)
    if rows is None:
        return None
    guards = _guards(rows, loss[0], owners)
    undefined = guards.undefined
    writer = RowsWriter(rows, names, guards.conditions, shared)
    data = writer.largest(arguments)
    if not data:
        return None
    body = writer.write()
    value = writer.statements.text(rows.results[loss[0]]).code
    gradients = ", ".join(returned(writer, rows.results, undefined))
    block, sizes = writer.block_text()
    called = ", ".join(arguments)
    head = [
        f'"""(loss, gradients) in one pass over {data}, a block of rows at a time.',
        "",
        "Both are made of sums over the rows. Each block is used by all products while it is in the cache, and what is",
        "computed of it is overwritten by the next: comments name whole matrices, the code has the rows of a block.",
        '"""',
        *check,
        f"{writer.length} = ws.block_rows or rows_of_block({', '.join(sizes)}, dtype.itemsize)",
        f"if not {writer.length}:",
        f"    return _at_once({called}, None if ws is NO_WORKSPACE else ws, wrt)",
    ]
    lines = [*none_of(undefined), *body, f"return float({value}), Gradients({gradients})"]
    named_whole = (rows.plan.names[a] for a in rows.whole)
    whole = frozenset(writer.renamed.get(name, name) for name in named_whole)
    n = rows.n.names()[0]
    return Rows(n, data, head, lines, writer.length, block, sizes, writer.fields, whole, writer.statements.helpers)


def _guards(found: RowPlan, loss: Expr, owners: Mapping[Expr, str]) -> Guards:
    parameters = list(dict.fromkeys(owners.values()))
    needs: dict[Array, set[str]] = {base(found.results[loss]): {*parameters, LOSS}}
    finals = {base(a) for a in found.results.values()}
    for e, owner in owners.items():
        needs.setdefault(base(found.results[e]), set()).add(owner)
    _, _, after = found.plan.sections
    lines = [line for section in found.plan.sections for line in section.lines]
    return guards_of(
        lines,
        found.plan.names,
        needs,
        parameters,
        lambda line: False,
        lambda line: line.array in finals and line in after.lines,
    )
