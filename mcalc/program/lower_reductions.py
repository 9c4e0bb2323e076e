"""Lowering reductions: sums, means, norms, extremes, log-sum-exp and softmax.

A sum of an elementwise product is an inner product; the sum of a matrix product is a chain with vectors of ones.
"""

from __future__ import annotations

from collections.abc import Generator
from fractions import Fraction

from mcalc.algebra.expr import Expr
from mcalc.algebra.operators import T, app, had, hpow, mul, ones
from mcalc.algebra.shape import ONE
from mcalc.program.builder import Term
from mcalc.program.factors import Factor, factors_of, pieces_of, scalars_of
from mcalc.program.ir import Array
from mcalc.program.lower import Lowering, Routine, axes, rule
from mcalc.program.lower_products import GAIN
from mcalc.program.parenthesisation import chain
from mcalc.program.products import Piece, inner

ALL, NONE = "all", "none"


def direction(e: Expr, axis: int | str | None) -> int | str:
    """What a reduction over an axis of an expression runs over: everything, nothing, or that axis of a matrix."""
    rows, columns = e.shape
    if axis is None or axis == "all" or (rows is ONE and columns is ONE):
        return ALL
    if columns is ONE:
        return ALL if axis == 0 else NONE
    if rows is ONE:
        return ALL if axis == 1 else NONE
    return axis


@rule("sum")
def _total(low: Lowering, e: Expr) -> Routine:
    a = e.args[0]
    over = direction(a, e.attrs[0])
    if over == NONE or a.is_scalar:
        return (yield a)
    while a.op == "T" and over == ALL:
        a = a.args[0]
    match a.op:
        case "neg":
            term = yield app("sum", a.args[0], attrs=e.attrs)
            return Term(term.core, -term.coefficient, term.scalars)
        case "div" if a.args[1].is_scalar:
            above = yield app("sum", a.args[0], attrs=e.attrs)
            below = yield a.args[1]
            return low.b.times_scalars(above, low.inverse_scalar(below))
        case "had" | "hpow" if over in (ALL, 1) and (halves := _halves(a)) is not None:
            return (yield from _inner_product(low, a, *halves, over == ALL))
        case "mul":
            return (yield from _total_of_product(low, e, a, over))
    return (yield from _plain_total(low, a, over))


def _plain_total(low: Lowering, a: Expr, over: int | str) -> Routine:
    b = low.b
    term = yield a
    axis = None if over == ALL else int(over)
    core = term.core
    if core.op == "T" and axis is not None:
        core, axis = core.args[0], 1 - axis
    if core.op in ("rows", "columns") and axis is not None:
        vector, repeated = core.args[0], core.attrs[0]
        if (axis == 0) == (core.op == "rows"):
            made = b.times_scalars(Term(vector), b.size(repeated))
        else:
            filled = b.node("ones", attrs=((repeated,),))
            made = b.times_scalars(Term(filled), b.total(vector))
        return b.times_scalars(made, Term(b.one, term.coefficient, term.scalars))
    return b.times_scalars(b.total(core, axis), Term(b.one, term.coefficient, term.scalars))


def _halves(a: Expr) -> tuple[Expr, Expr] | None:
    """An elementwise product as two factors, so that its sum is their inner product; a square is split evenly."""
    if a.op == "hpow":
        exponent: Fraction = a.attrs[0]
        if exponent == 2:
            return a.args[0], a.args[0]
        return (hpow(a.args[0], exponent / 2),) * 2 if exponent in (4, 6) else None
    parts = list(a.args)
    if any(p.op == "eye" for p in parts):
        return None
    for k, part in enumerate(parts):
        if part.op == "hpow" and part.attrs[0] == 2:
            rest = parts[:k] + parts[k + 1 :]
            return had(*rest, part.args[0]), part.args[0]
    if any(p.op in ("gt", "ge", "lt", "le", "eq") or (p.op == "hpow" and p.attrs[0] < 0) for p in parts[-1:]):
        return None
    return had(*parts[:-1]), parts[-1]


def _inner_product(low: Lowering, whole: Expr, x: Expr, y: Expr, all_entries: bool) -> Routine:
    """The sum of x .* y, over everything or along the rows."""
    b = low.b
    first = yield x
    second = yield y
    outside = b.times_scalars(
        Term(b.one, first.coefficient * second.coefficient, first.scalars), Term(b.one, scalars=second.scalars)
    )
    u, v = first.core, second.core
    if "ones" in (u.op, v.op) or "zeros" in (u.op, v.op):
        return (yield from _plain_total(low, whole, ALL if all_entries else 1))
    if u.op in ("rows", "columns") or v.op in ("rows", "columns"):
        return (yield from _total_of_repeated(low, whole, u, v, outside, all_entries))
    if not all_entries:
        return b.times_scalars(Term(b.node("row_dots", u, v)), outside)
    made = b.times_scalars(b.term(inner(b, u, v)), outside)
    if u.rank == 2 and x is not y and (x.op == "mul" or y.op == "mul"):
        other = yield app("tr", mul(T(x), y))
        if b.cheaper(b.array(other), b.array(made), GAIN):
            return other
    return made


def _total_of_repeated(low: Lowering, whole: Expr, u: Array, v: Array, outside: Term, all_entries: bool) -> Routine:
    """The sum of A .* (1 b^T): A b along the rows; of A .* (a 1^T): a .* (A 1)."""
    b = low.b
    if v.op not in ("rows", "columns"):
        u, v = v, u
    if u.op in ("rows", "columns"):
        return (yield from _plain_total(low, whole, ALL if all_entries else 1))
    vector = v.args[0]
    if v.op == "rows":
        made = Term(b.node("matmul", u, vector))
    else:
        sums = b.total(u, 1)
        made = b.times_scalars(Term(b.times(vector, sums.core)), Term(b.one, sums.coefficient, sums.scalars))
    if all_entries:
        made = b.times_scalars(b.total(made.core), Term(b.one, made.coefficient, made.scalars))
    return b.times_scalars(made, outside)


def _total_of_product(low: Lowering, e: Expr, a: Expr, over: int | str) -> Routine:
    """1^T A B 1, A B 1 or 1^T A B in the cheapest order; where A B is there anyway, its sum."""
    b = low.b
    found = factors_of(a)
    if len(found.matrices) == 1:
        outside = yield from scalars_of(low, found)
        only = found.matrices[0]
        inside = app("T", only.e) if only.transposed else only.e
        if only.inverted or inside.shape != a.shape:
            return (yield from _plain_total(low, a, over))
        term = yield app("sum", inside, attrs=e.attrs)
        return b.times_scalars(term, outside)
    rows, columns = a.shape
    matrices = list(found.matrices)
    if over in (ALL, 0) and rows is not ONE:
        matrices.insert(0, Factor(ones(rows), transposed=True))
    if over in (ALL, 1) and columns is not ONE:
        matrices.append(Factor(ones(columns)))
    outside = yield from scalars_of(low, found)
    summed = chain(b, (yield from pieces_of(low, matrices)))
    whole = yield from _chained(low, found.matrices)
    direct = b.total(whole.core, None if whole.core.rank == 1 or over == ALL else int(over))
    direct = b.times_scalars(direct, Term(b.one, whole.coefficient, whole.scalars))
    if b.paid(whole.core) and b.cost(b.array(direct)) <= b.cost(b.array(summed.term)) + 1:
        return b.times_scalars(direct, outside)
    return b.times_scalars(summed.term, outside)


def _chained(low: Lowering, matrices: list[Factor]) -> Routine:
    piece: Piece = chain(low.b, (yield from pieces_of(low, matrices)))
    return piece.term


@rule("mean")
def _mean(low: Lowering, e: Expr) -> Routine:
    b = low.b
    a = e.args[0]
    over = direction(a, e.attrs[0])
    if over == NONE:
        return (yield a)
    term = yield app("sum", a, attrs=e.attrs)
    rows, columns = a.shape
    count = b.size_term((rows, columns) if over == ALL else ((rows, columns)[int(over)],))
    plain = [s for s, exponent in term.scalars if exponent == 1 and s.op == "total"]
    core = plain[0] if plain and over == ALL else term.core
    if core.op == "total" and core.args[0].shape in (axes(a), axes(a)[::-1]):
        mean = b.node("mean", core.args[0], attrs=core.attrs)
        scalars = tuple((s, x) for s, x in term.scalars if s is not core)
        made = b.term(mean) if mean.rank == 0 else Term(mean)
        return b.times_scalars(made, Term(b.one, term.coefficient, scalars))
    return b.times_scalars(term, low.inverse_scalar(count))


# --- norms and extremes -----------------------------------------------------------------------------------------------


@rule("norm")
def _norm(low: Lowering, e: Expr) -> Routine:
    b = low.b
    term = yield e.args[0]
    if e.args[0].is_scalar:
        return b.term(b.node("abs", b.array(term)))
    core = term.core.args[0] if term.core.op == "T" else term.core
    norm = b.node("norm", core if not term.scalars else b.array(term))
    low.kinks[norm] = term.core
    return b.times_scalars(b.term(norm), Term(b.one, abs(term.coefficient) if not term.scalars else Fraction(1)))


@rule("norm1")
def _norm1(low: Lowering, e: Expr) -> Routine:
    return (yield app("sum", app("abs", e.args[0]), attrs=(None,)))


@rule("maxall", "minall")
def _extreme(low: Lowering, e: Expr) -> Routine:
    b = low.b
    term = yield e.args[0]
    if e.args[0].is_scalar:
        return term
    return b.term(b.node("largest" if e.op == "maxall" else "smallest", b.array(term), attrs=(None,)))


# --- log-sum-exp and softmax ------------------------------------------------------------------------------------------


def _over(low: Lowering, e: Expr) -> Generator[Expr, Term, tuple[int | str, Array]]:
    a = e.args[0]
    term = yield a
    return direction(a, e.attrs[0]), low.b.array(term)


@rule("logsumexp")
def _logsumexp(low: Lowering, e: Expr) -> Routine:
    b = low.b
    over, a = yield from _over(low, e)
    if over == NONE or e.args[0].is_scalar:
        return b.term(a)
    if a.op == "T" and over != ALL:
        a, over = a.args[0], 1 - int(over)
    return b.term(b.node("logsumexp", a, attrs=(None if over == ALL else over,)))


@rule("softmax")
def _softmax(low: Lowering, e: Expr) -> Routine:
    b = low.b
    over, a = yield from _over(low, e)
    if over == NONE or e.args[0].is_scalar:
        shape = axes(e)
        return Term(b.node("ones", attrs=(shape,)) if shape else b.one)
    if a.op == "T" and over != ALL:
        return Term(b.transpose(b.node("softmax", a.args[0], attrs=(1 - int(over),))))
    return Term(b.node("softmax", a, attrs=(None if over == ALL else over,)))
