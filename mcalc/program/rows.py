"""One pass over the data: which sums over rows make up a loss and its gradients.

In: a procedure without loops; out: a `RowPlan`, or None where the loss is not separable. Let n be the number of rows of
the data. Every array below the loss and the gradients is one of

    fixed     no row of the data below it                 W, V^T V
    row       row i of it is made of row i of rows, and of what is fixed          R = y - X W
    turned    the transpose of such an array               R^T
    sum       a sum over the rows                          X^T R, <R, R>
    after     made of sums and of what is fixed            <R, R> / n + lambda |W|^2

and none of the first three depends on a sum: where one does (a softmax over n, a column mean taken off), there is no
such plan. Sums are additive over blocks of rows.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from math import prod

from mcalc.algebra.expr import Expr
from mcalc.algebra.functions import ELEMENTWISE
from mcalc.algebra.shape import Dim, dim
from mcalc.model.ir import Range
from mcalc.program.builder import Builder, Term
from mcalc.program.ir import Array, arrays, is_gram
from mcalc.program.names import Namer
from mcalc.program.operations import ATOMS, VIEWS, Axes, nominal
from mcalc.program.plan import Plan, plan
from mcalc.program.procedure import Block, Cell, Procedure
from mcalc.program.schedule import base

FIXED, ROW, TURNED, SUM, AFTER = "fixed", "row", "turned", "sum", "after"

ADDITIVE = frozenset(("matmul", "dot", "vdot", "total", "total_row", "row_dots"))
"""Operations that, where they sum over the rows, are sums over blocks of rows."""

LINEAR = frozenset(("matmul", "total", "total_row"))
"""Operations out of which scalars are taken."""

ENTRYWISE = frozenset(
    (
        "sum", "scale", "times", "quotient", "maximum", "minimum", "power", "powers", "eq", "ge", "gt", "le", "lt",
        "float", "reciprocal_or_zero", "sigmoid_from", "sigmoid_of_negative_from", "softplus_from", *ELEMENTWISE,
    )
)  # fmt: skip
ROWWISE = frozenset(
    (
        "T", "flat", "row", "column", "columns", "entry", "matmul", "outer", "total", "mean", "largest", "smallest",
        "logsumexp", "row_dots", "total_row",
    )
)  # fmt: skip
"""Operations that, where the result has the axis n, compute row by row (or column by column of what is turned)."""


@dataclass(frozen=True, slots=True)
class RowPlan:
    """A plan of three sections: "before" (fixed), "rows" (a block of rows), "after" (made of the sums)."""

    n: Dim
    plan: Plan
    kinds: Mapping[Array, str]
    results: Mapping[Expr, Array]
    """The loss and the gradients, or other results, by their symbols."""
    data: tuple[Array, ...]
    """The arguments that are read in blocks of rows."""

    @property
    def sums(self) -> set[Array]:
        """The sums over the rows."""
        return {a for a, kind in self.kinds.items() if kind == SUM}

    @property
    def by_matrices(self) -> bool:
        """Whether a matrix with a row for each row of the data is multiplied by a matrix, not by vectors only."""
        products = [a for a in self.kinds if a.op == "matmul" and self.kinds[a] in (ROW, TURNED, SUM)]
        return any(a.rank == 2 for a in products)

    @property
    def products(self) -> tuple[Dim, ...]:
        """For products of matrices in the pass, m k where one is (rows x m) (m x k); none where one is A^T A.

        NumPy computes A^T A by a function that is the faster the more rows A has.
        """
        found: dict[Dim, None] = {}
        for a in (a for a, kind in self.kinds.items() if a.op == "matmul" and kind in (ROW, SUM)):
            if is_gram(a):
                return ()
            if all(x.rank == 2 for x in a.args):
                others = [d for x in (*a.args, a) for d in x.shape if d is not self.n]
                found[others[0] * others[-1]] = None
        return tuple(found)

    @property
    def whole(self) -> set[Array]:
        """The results that have a row for each row of the data."""
        return {a for a in self.results.values() if self.kinds[a] == ROW and a.op != "arg"}


def row_plan(
    procedure: Procedure,
    results: Mapping[Expr, Array],
    inputs: Collection[Expr],
    namer: Namer,
    named: Callable[[Expr, Range | None], str],
) -> RowPlan | None:
    """The plan of the results as sums over the rows of the data, where they are; `inputs` are symbols of the data."""
    roots = list(results.values())
    matrices = [a for a in arrays(*roots) if a.op == "arg" and a.rank == 2 and procedure.leaves[a] in inputs]
    lengths = {a.shape[0] for a in matrices if a.shape[0] in map(dim, a.shape[0].names())}
    for n in sorted(lengths, key=lambda d: (-nominal(d, procedure.builder.typical), str(d))):
        kinds = classified(roots, n)
        if kinds is not None and _layered(roots, kinds):
            continue
        pulled = _pulled(procedure.builder, roots, n)
        kinds = classified(pulled, n)
        data = [a for a in arrays(*pulled) if a.op == "arg" and kinds is not None and kinds[a] == ROW]
        if kinds is None or not _pays(pulled, kinds):
            continue
        cells = dict(zip(results, pulled, strict=True))
        blocks = _blocks(cells, kinds)
        if blocks is None:
            continue
        made = Procedure(procedure.builder, blocks, procedure.leaves, procedure.bound, {})
        found = plan(made, {}, namer, named)
        return RowPlan(n, found, kinds, cells, tuple(data))
    return None


# --- what an array is -------------------------------------------------------------------------------------------------


def classified(roots: Iterable[Array], n: Dim) -> dict[Array, str] | None:
    """What every array below the roots is; None where one is none of the five."""
    kinds: dict[Array, str] = {}
    for a in arrays(*roots):
        kind = _kind(a, n, {kinds[x] for x in a.args})
        if not kind:
            return None
        kinds[a] = kind
    return kinds


def _kind(a: Array, n: Dim, below: set[str]) -> str:
    mentions = [place for place, d in enumerate(a.shape) if d is n or not set(d.names()).isdisjoint(n.names())]
    if len(mentions) > 1 or any(a.shape[place] is not n for place in mentions):
        return ""
    if a.op in ATOMS:
        return FIXED if not mentions else ROW if a.op == "arg" and mentions == [0] else ""
    if not mentions and not below & {ROW, TURNED}:
        return AFTER if below & {SUM, AFTER} else FIXED
    if below & {SUM, AFTER}:
        return ""
    if not mentions:
        return SUM if a.op in ADDITIVE else ""
    if not _is_rowwise(a, n, mentions[0]):
        return ""
    return ROW if mentions == [0] else TURNED


def _is_rowwise(a: Array, n: Dim, axis: int) -> bool:
    if a.op == "softmax":
        return a.attrs[0] is not None and a.attrs[0] != axis and a.rank == 2
    with_n = [x for x in a.args if n in x.shape]
    if a.op in ENTRYWISE:
        return bool(with_n) and all(x.rank == a.rank for x in with_n)
    return a.op in ROWWISE and bool(with_n)


# --- scalars ----------------------------------------------------------------------------------------------------------


def _pulled(b: Builder, roots: Iterable[Array], n: Dim) -> list[Array]:
    """The roots with scalars taken out of products and sums over the rows: (2 R)^T X is 2 (R^T X).

    A norm is the root of a sum.
    """
    memo: dict[Array, Array] = {}
    roots = list(roots)

    def size(a: Array) -> float:
        return prod(nominal(d, b.typical) for d in a.shape)

    for a in arrays(*roots):
        args = [memo[x] for x in a.args]
        terms = [_taken(b, x) if n in x.shape and size(a) < size(x) else Term(x) for x in args]
        if a.op in LINEAR and not all(t.plain for t in terms):
            memo[a] = b.array(b.times_scalars(Term(b.node(a.op, *(t.core for t in terms), attrs=a.attrs)), *terms))
        elif a.op == "norm" and n in a.args[0].shape:
            memo[a] = b.node("sqrt", b.node("vdot" if args[0].rank == 2 else "dot", args[0], args[0]))
        elif all(x is y for x, y in zip(args, a.args, strict=True)):
            memo[a] = a
        elif a.op == "scale":
            outer = Term(args[0], a.attrs[0], tuple(zip(args[1:], a.attrs[1], strict=True)))
            inner = _taken(b, args[0])
            memo[a] = b.array(b.times_scalars(Term(inner.core, outer.coefficient, outer.scalars), inner))
        elif a.op == "sum":
            memo[a] = b.array(b.sum(zip(a.attrs, args, strict=True)))
        else:
            memo[a] = b.node(a.op, *args, attrs=a.attrs)
    return [memo[root] for root in roots]


def _taken(b: Builder, a: Array) -> Term:
    """An array as a term."""
    if a.op in ("T", "flat", "row", "column"):
        inner = _taken(b, a.args[0])
        return Term(a) if inner.plain else inner._replace(core=b.node(a.op, inner.core, attrs=a.attrs))
    if a.op == "scale":
        return Term(a.args[0], a.attrs[0], tuple(zip(a.args[1:], a.attrs[1], strict=True)))
    return Term(a)


# --- blocks -----------------------------------------------------------------------------------------------------------


def _blocks(cells: Mapping[Expr, Array], kinds: Mapping[Array, str]) -> list[Block] | None:
    """What is computed before the rows, of each block of rows, and after them."""
    before = Block("before", None)
    rows = Block("rows", None)
    after = Block("after", None)
    owners = {a: e for e, a in reversed(list(cells.items()))}
    for a in arrays(*cells.values()):
        if kinds[a] in (ROW, TURNED, SUM):
            needed = {base(x): None for x in a.args if kinds[base(x)] == FIXED and not _trivial(base(x))}
            before.cells += [Cell(x) for x in needed if all(x is not c.array for c in before.cells)]
        if kinds[a] == SUM or (a in owners and kinds[a] == ROW and a.op not in ATOMS):
            rows.cells.append(Cell(a, owners.get(a)))
    for e, a in cells.items():
        if kinds[a] in (ROW, TURNED) and (a.op in VIEWS or kinds[a] == TURNED):
            return None
        if kinds[a] in (FIXED, AFTER):
            after.cells.append(Cell(a, e))
    return [before, rows, after]


def _trivial(a: Array) -> bool:
    """Whether an array is a leaf, or a scalar made of scalars: written where it is read."""
    return a.op in ATOMS or all(x.rank == 0 for x in arrays(a))


def _pays(roots: Iterable[Array], kinds: Mapping[Array, str]) -> bool:
    """Whether a matrix with a row for each row of the data is read more than once, and no product follows a layer."""
    if _layered(roots, kinds):
        return False
    readers: dict[Array, int] = {}
    for a in arrays(*roots):
        if a.op not in VIEWS:
            for x in {base(x) for x in a.args}:
                if kinds[x] == ROW and x.rank == 2:
                    readers[x] = readers.get(x, 0) + 1
    products = [a for a in arrays(*roots) if a.op == "matmul" and kinds[a] == SUM]
    return bool(products) and any(count > 1 for count in readers.values())


_STRAIGHT = frozenset(("sum", "scale", "matmul", "total", "float", *VIEWS))
"""Operations that are linear in all that they read."""


def _layered(roots: Iterable[Array], kinds: Mapping[Array, str]) -> bool:
    """Whether rows pass through one matrix, a function, and another matrix, as in a network of several layers.

    There the products take longer than the passes over memory that blocks would save.
    """
    straight: dict[Array, set[Array]] = {}
    bent: dict[Array, set[Array]] = {}
    for a in arrays(*roots):
        below = [x for x in a.args if kinds[x] in (ROW, TURNED)]
        through = {y for x in below for y in straight[x]}
        bent[a] = {y for x in below for y in bent[x]}
        if a.op == "matmul" and kinds[a] in (ROW, TURNED):
            matrices = {base(x) for x in a.args if kinds[x] == FIXED and x.rank == 2}
            if matrices and bent[a] - matrices:
                return True
            through |= matrices
        factors = sum(1 for x in below if straight[x])
        if a.op in _STRAIGHT or (a.op in ("times", "quotient", "row_dots") and factors < 2):
            straight[a] = through
        else:
            straight[a], bent[a] = set(), bent[a] | through
    return False


def width(shapes: Iterable[Axes]) -> Dim:
    """The number of entries of arrays of these shapes, together."""
    total = dim(0)
    for axes in shapes:
        entries = dim(1)
        for d in axes:
            entries = entries * d
        total = total + entries
    return total


__all__ = ["AFTER", "FIXED", "ROW", "SUM", "TURNED", "RowPlan", "classified", "row_plan", "width"]
