"""From outputs as expressions to a program: recognise, lower, share, schedule.

In: output expressions by label, the first of them the value where there is one; out: a program.

Lowering runs twice. The first run finds out what has to be computed in any case; the second chooses orders of products
and ways of summing knowing that, so that a residual that one output needs is not multiplied out in another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mcalc.algebra.expr import Expr
from mcalc.program.builder import Builder
from mcalc.program.ir import Array, Program, check
from mcalc.program.lower import Lowering
from mcalc.program.names import Namer
from mcalc.program.schedule import schedule
from mcalc.program.share import share_exponentials
from mcalc.program.stable import stable


def program_of(
    outputs: Mapping[str, Expr],
    *,
    arguments: Sequence[tuple[str, Expr]],
    sizes: Mapping[str, str],
    derivatives: frozenset[str] = frozenset(),
    taken: set[str],
) -> Program:
    """The program that computes the outputs.

    `arguments` and `sizes` give the names that symbols and dimensions go by; `derivatives` are the labels of outputs
    that are derivatives (conventions at kinks); names in `taken` are not used for temporaries.
    """
    memo: dict[Expr, Expr] = {}
    roots = {label: stable(e, memo) for label, e in outputs.items()}
    builder = Builder()
    found: dict[str, Array] = {}
    lowering: Lowering | None = None
    for _ in range(2):
        builder.settle(tuple(found.values()))
        lowering = Lowering(builder, tuple(roots.values()), lowering)
        for label, root in roots.items():
            lowering.derivative = label in derivatives
            found[label] = _stored(builder, root, lowering.array(root))
            builder.pay(found[label])
    shared = share_exponentials(builder, tuple(found.values()))
    labelled = list(zip(found, shared, strict=True))
    program = schedule(arguments, dict(sizes), labelled, Namer(taken))
    check(program)
    return program


def _stored(b: Builder, root: Expr, a: Array) -> Array:
    """An output as it is given back: an array of the working precision, a 1 x m matrix with two axes."""
    a = b.number_of(a)
    if a.op == "diagonal" and len(a.args) == 2:
        a = a.args[1]
    if a.rank == 1 and not root.is_column:
        return _as_row(b, a)
    return a


def _as_row(b: Builder, a: Array) -> Array:
    match a.op:
        case "flat":
            return a.args[0]
        case "scale":
            return b.node("scale", _as_row(b, a.args[0]), *a.args[1:], attrs=a.attrs)
    return b.node("row", a)
