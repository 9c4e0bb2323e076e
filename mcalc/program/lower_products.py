"""Lowering what is made of matrix products: products, transposes, powers, traces, diagonals and entries of products.

A product is flattened to its factors (`factors`) and evaluated in the cheapest order (`products`). Where a factor is a
sum, the product is also worked out term by term, and the cheaper way is taken: S^-1 (S - r r^T) S^-1 is S^-1 - u u^T
with u = S^-1 r. A^T diag(u) A with u >= 0 is Z^T Z with Z = diag(sqrt(u)) A: NumPy computes one half of a matrix that
is multiplied by its own transpose.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from fractions import Fraction

from mcalc.algebra.expr import Expr
from mcalc.algebra.operators import app
from mcalc.algebra.shape import ONE, Shape
from mcalc.program.builder import Term
from mcalc.program.factors import PRODUCTS, Factor, Factors, factors_of, pieces_of, root_of_gram, scalars_of, split
from mcalc.program.ir import Array
from mcalc.program.lower import Lowering, Routine, rule
from mcalc.program.parenthesisation import chain, trace
from mcalc.program.products import Piece, product, trace_of, transposed

SPECIAL = frozenset(["zeros", "eye", "diagonal", "outer", "rows", "columns", "ones", "commutation"])
"""Operations whose result products do not multiply entry by entry."""
GAIN = 0.8
"""A product is worked out term by term where that takes at most this part of the time."""


@rule("mul")
def _product(low: Lowering, e: Expr) -> Routine:
    b = low.b
    found = factors_of(e)
    outside = yield from scalars_of(low, found)
    if not found.matrices:
        return outside
    root = root_of_gram(found.matrices)
    if root is not None:
        z = yield root
        if z.core.op not in SPECIAL:
            piece = Piece(root.shape[0], root.shape[1], z)
            return b.times_scalars(product(b, transposed(b, piece), piece).term, outside)
    pieces = yield from pieces_of(low, found.matrices)
    whole = chain(b, pieces)
    if len(found.matrices) > 1:
        whole = (yield from _worked_out(low, found.matrices, whole)) or whole
    return b.times_scalars(whole.term, outside)


def _worked_out(
    low: Lowering, matrices: Sequence[Factor], whole: Piece, within: range | None = None
) -> Generator[Expr, Term, Piece | None]:
    """The product term by term over a sum among its factors, or those at the places `within`, where that is cheaper."""
    b = low.b
    best: Piece | None = None
    least = b.array(whole.term)
    for found in split(matrices):
        place = found.place
        if within is not None and place not in within:
            continue
        for start, stop in dict.fromkeys(((0, len(matrices)), (place, len(matrices)), (0, place + 1))):
            if stop - start == 1 or b.cost(least) == 0:
                continue
            left, right = matrices[start:place], matrices[place + 1 : stop]
            total = yield from _distributed(low, left, found.terms, right, deeper=within is None)
            if not found.freely and b.multiplies(b.array(total)):
                continue
            rows, columns = _ends(matrices, start, stop)
            before = yield from pieces_of(low, matrices[:start])
            after = yield from pieces_of(low, matrices[stop:])
            made = chain(b, [*before, Piece(rows, columns, total), *after]).term
            if made.core.shape == whole.term.core.shape and b.cheaper(b.array(made), least, GAIN):
                least, best = b.array(made), Piece(whole.rows, whole.columns, made)
    return best


Terms = Sequence[tuple[Fraction, Factors]]


def _distributed(low: Lowering, left: Sequence[Factor], terms: Terms, right: Sequence[Factor], deeper: bool) -> Routine:
    """The sum of the products left · term · right; with `deeper`, sums among the factors of a term are looked into."""
    b = low.b
    pairs: list[tuple[Fraction, Array]] = []
    for coefficient, inner in terms:
        outside = yield from scalars_of(low, Factors(scalars=inner.scalars, coefficient=coefficient))
        factors = [*left, *inner.matrices, *right]
        made = chain(b, (yield from pieces_of(low, factors)))
        if deeper and any(f.e.op == "add" for f in inner.matrices):
            places = range(len(left), len(left) + len(inner.matrices))
            made = (yield from _worked_out(low, factors, made, places)) or made
        term = b.times_scalars(made.term, outside)
        pairs.append((term.coefficient, b.array(Term(term.core, scalars=term.scalars))))
    return b.sum(pairs)


def _ends(matrices: Sequence[Factor], start: int, stop: int) -> Shape:
    """The shape of a run of factors."""
    first, last = matrices[start], matrices[stop - 1]
    return first.e.shape[first.transposed], last.e.shape[1 - last.transposed]


@rule("T")
def _transpose(low: Lowering, e: Expr) -> Routine:
    term = yield e.args[0]
    return Term(low.b.transpose(term.core), term.coefficient, term.scalars)


@rule("pow")
def _power(low: Lowering, e: Expr) -> Routine:
    b = low.b
    if e.is_scalar:
        return (yield from scalar_power(low, e.args[0], e.attrs[0]))
    found = factors_of(e)
    if len(found.matrices) == 1 and found.matrices[0].e is e:
        term = yield e.args[0]
        k = int(e.attrs[0])
        if k == 0:
            return Term(b.node("eye", attrs=(e.shape[0],)))
        core = term.core
        if core.op == "diagonal":
            made = b.diagonal(b.node("power", core.args[0], attrs=(Fraction(k),)))
        else:
            made = b.node("matrix_power", core, attrs=(k,))
        return Term(made, term.coefficient**k, tuple((s, x * k) for s, x in term.scalars))
    outside = yield from scalars_of(low, found)
    pieces = yield from pieces_of(low, found.matrices)
    return b.times_scalars(chain(b, pieces).term, outside)


# --- scalar powers ----------------------------------------------------------------------------------------------------


def scalar_power(low: Lowering, base: Expr, exponent: Fraction) -> Routine:
    """s^k of a scalar; the square of a norm is a sum of squares."""
    b = low.b
    if base.op == "norm" and exponent.denominator == 1 and exponent % 2 == 0:
        square = yield app("sum", app("hpow", base.args[0], attrs=(Fraction(2),)), attrs=(None,))
        inner = yield base.args[0]
        low.kinks.update((s, inner.core) for s, _ in square.scalars)
        return integer_power(low, square, int(exponent) // 2)
    term = yield base
    if exponent.denominator == 1:
        return integer_power(low, term, int(exponent))
    if exponent.denominator == 2:
        return integer_power(low, b.term(b.node("sqrt", b.array(term))), exponent.numerator)
    return b.term(b.node("power", b.array(term), attrs=(exponent,)))


def integer_power(low: Lowering, term: Term, k: int) -> Term:
    """The k-th power of a scalar term."""
    base = term if k > 0 else low.inverse_scalar(term)
    return Term(base.core, base.coefficient ** abs(k), tuple((s, x * abs(k)) for s, x in base.scalars))


# --- traces, diagonals, entries ---------------------------------------------------------------------------------------


@rule("tr")
def _trace(low: Lowering, e: Expr) -> Routine:
    """tr is linear; of a product it is a sum of products of entries."""
    b = low.b
    pairs: list[tuple[Fraction, Array]] = []
    pending = [(e.args[0], Fraction(1))]
    while pending:
        part, sign = pending.pop()
        while part.op in ("neg", "T"):
            sign = -sign if part.op == "neg" else sign
            part = part.args[0]
        if part.op == "add" and not any(a.is_scalar for a in part.args):
            pending.extend((a, sign) for a in reversed(part.args))
            continue
        term = yield from trace_of_part(low, part)
        pairs.append((sign * term.coefficient, b.array(Term(term.core, scalars=term.scalars))))
    return b.sum(pairs)


def trace_of_part(low: Lowering, part: Expr) -> Routine:
    """tr of an expression that is no sum."""
    b = low.b
    if part.is_scalar:
        return (yield part)
    if part.op == "kron" and all(a.is_square for a in part.args):
        left = yield app("tr", part.args[0])
        right = yield app("tr", part.args[1])
        return b.times_scalars(left, right)
    found = factors_of(part)
    outside = yield from scalars_of(low, found)
    pieces = yield from pieces_of(low, found.matrices)
    if len(pieces) == 1:
        made = trace_of(b, pieces[0])
    else:
        made = trace(b, pieces)
        for sum_at in split(found.matrices):
            if b.cost(b.array(made)) == 0:
                break
            place, terms = sum_at.place, sum_at.terms
            pairs: list[tuple[Fraction, Array]] = []
            for coefficient, inner in terms:
                scale = yield from scalars_of(low, Factors(scalars=inner.scalars, coefficient=coefficient))
                parts = [*found.matrices[:place], *inner.matrices, *found.matrices[place + 1 :]]
                term = b.times_scalars(trace(b, (yield from pieces_of(low, parts))), scale)
                pairs.append((term.coefficient, b.array(Term(term.core, scalars=term.scalars))))
            total = b.sum(pairs)
            new = not sum_at.freely and b.multiplies(b.array(total))
            if not new and b.cheaper(b.array(total), b.array(made), GAIN):
                made = total
    return b.times_scalars(made, outside)


@rule("diagv")
def _diagonal(low: Lowering, e: Expr) -> Routine:
    """The diagonal; of a product, only the entries that are wanted."""
    b = low.b
    inner = e.args[0]
    if e.is_scalar:
        return (yield inner)
    found = factors_of(inner)
    outside = yield from scalars_of(low, found)
    pieces = yield from pieces_of(low, found.matrices)
    if len(pieces) == 1:
        return b.times_scalars(Term(_diagonal_of(low, pieces[0].term.core)), Term(b.one, pieces[0].term.coefficient,
                               pieces[0].term.scalars), outside)  # fmt: skip
    best: tuple[tuple[float, int], Term] | None = None
    for cut in range(1, len(pieces)):
        left, right = chain(b, pieces[:cut]), chain(b, pieces[cut:])
        outer = b.times_scalars(Term(b.one, left.term.coefficient * right.term.coefficient, left.term.scalars),
                                Term(b.one, scalars=right.term.scalars))  # fmt: skip
        x, y = left.term.core, right.term.core
        if left.columns is ONE:
            core = b.times(x, y)
        elif b.inverse_base(x) is not None or b.inverse_base(y) is not None or "diagonal" in (x.op, y.op):
            core = _diagonal_of(low, chain(b, [left, right]).term.core)
        else:
            core = b.node("row_dots", x, b.transpose(y))
        made = b.times_scalars(Term(core), outer)
        cost = b.cost(b.array(made)), _turned_factors(core)
        if best is None or cost < best[0]:
            best = cost, made
    assert best is not None
    return b.times_scalars(best[1], outside)


def _turned_factors(a: Array) -> int:
    """How many products among the operands are A B^T: OpenBLAS multiplies small matrices A B faster."""
    return sum(x.op == "matmul" and x.args[1].op == "T" for x in a.args)


def _diagonal_of(low: Lowering, core: Array) -> Array:
    b = low.b
    match core.op:
        case "diagonal":
            return core.args[0]
        case "eye":
            return b.node("ones", attrs=(core.shape[:1],))
        case "outer":
            return b.times(*core.args)
        case "T":
            return b.node("diagonal_of", core.args[0])
    return b.node("diagonal_of", core)


@rule("index")
def _index(low: Lowering, e: Expr) -> Routine:
    b = low.b
    inner = e.args[0]
    if inner.is_scalar or (e.attrs[0] is None and e.attrs[1] is None):
        return (yield inner)
    if inner.op in PRODUCTS:
        found = factors_of(e)
        outside = yield from scalars_of(low, found)
        return b.times_scalars(chain(b, (yield from pieces_of(low, found.matrices))).term, outside)
    term = yield inner
    position = e.attrs
    if term.core.rank == 1:
        position = (e.attrs[0],) if inner.shape[1] is ONE else (e.attrs[1],)
        if position == (None,):
            return term
    core = b.term(b.node("entry", term.core, attrs=position))
    return b.times_scalars(core, Term(b.one, term.coefficient, term.scalars))
