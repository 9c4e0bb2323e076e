"""The factors of a product: flattened through transposes, inverses, signs, scalars and small powers.

In: an expression; out: its matrix factors in order and its scalar factors (`factors_of`), the same lowered to the
pieces of a chain (`pieces_of`), and the places where a factor is a sum that may be multiplied out (`split`).
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from mcalc.algebra.expr import Expr
from mcalc.algebra.operators import T, app, eye, mul, unit
from mcalc.algebra.shape import ONE
from mcalc.algebra.structure import holds
from mcalc.calculus.convexity import nonnegative
from mcalc.program.builder import Term
from mcalc.program.lower import Lowering, Routine
from mcalc.program.products import Piece, transposed

MOST_POWERS = 3
"""Powers up to this one are products; higher ones use repeated squaring."""
MOST_TERMS = 6
"""Sums of more terms are not multiplied out."""

INDICATORS = frozenset(["eq", "ge", "gt", "le", "lt"])
PRODUCTS = frozenset(["mul", "pow", "T"])


@dataclass(slots=True)
class Factor:
    """A factor of a flattened product: an expression, transposed or not, inverted or not."""

    e: Expr
    transposed: bool = False
    inverted: bool = False


@dataclass(slots=True)
class Factors:
    """A flattened product: matrix factors in order, scalar factors with the sign of their exponent."""

    matrices: list[Factor] = field(default_factory=list)
    scalars: list[tuple[Expr, int]] = field(default_factory=list)
    coefficient: Fraction = Fraction(1)


def factors_of(root: Expr, flip: bool = False) -> Factors:
    """The factors of a product, through transposes, inverses, signs, scalars and small powers."""
    found = Factors()
    pending = [Factor(root, flip)]
    while pending:
        part = pending.pop()
        e, t, i = part.e, part.transposed, part.inverted
        if e.is_scalar and e is not root:
            found.scalars.append((e, -1 if i else 1))
            continue
        match e.op:
            case "neg":
                found.coefficient = -found.coefficient
                pending.append(Factor(e.args[0], t, i))
            case "div":
                found.scalars.append((e.args[1], 1 if i else -1))
                pending.append(Factor(e.args[0], t, i))
            case "T":
                pending.append(Factor(e.args[0], not t, i))
            case "mul" if not i or all(a.is_scalar or a.is_square for a in e.args):
                parts = [Factor(a, t, i) for a in e.args]
                pending.extend(parts if t != i else reversed(parts))
            case "pow" if not e.is_scalar and 0 < abs(int(e.attrs[0])) <= MOST_POWERS:
                k = int(e.attrs[0])
                pending.extend(Factor(e.args[0], t, i != (k < 0)) for _ in range(abs(k)))
            case "pow" if not e.is_scalar and int(e.attrs[0]) < 0:
                pending.append(Factor(app("pow", e.args[0], attrs=(-e.attrs[0],)), t, not i))
            case "eye" if e is not root:
                pass
            case "index" if e.args[0].op in PRODUCTS:
                row, column = e.attrs
                parts = [Factor(unit(row, e.args[0].shape[0]), not t)] if row is not None else []
                parts.append(Factor(e.args[0], t))
                if column is not None:
                    parts.append(Factor(unit(column, e.args[0].shape[1]), t))
                pending.extend(parts if t else reversed(parts))
            case _:
                found.matrices.append(Factor(e, t, i))
    if not found.matrices and not root.is_scalar:
        found.matrices.append(Factor(eye(root.shape[0])))
    return found


Lowered = Generator[Expr, Term, list[Piece]]


def pieces_of(low: Lowering, matrices: Sequence[Factor]) -> Lowered:
    """The factors as pieces of a chain."""
    pieces: list[Piece] = []
    for factor in matrices:
        term = yield factor.e
        pieces.extend(_pieces(low, factor, term))
    return pieces


def _pieces(low: Lowering, factor: Factor, term: Term) -> list[Piece]:
    b = low.b
    rows, columns = factor.e.shape
    core = term.core
    if core.op == "ones" and core.rank == 2:
        pair = [Piece(rows, ONE, Term(b.node("ones", attrs=((rows,),)), term.coefficient, term.scalars)),
                Piece(ONE, columns, Term(b.node("ones", attrs=((columns,),))))]  # fmt: skip
        return [transposed(b, p) for p in reversed(pair)] if factor.transposed else pair
    if core.rank == 2 and core.op not in ("diagonal", "eye", "zeros") and holds(factor.e, "diagonal"):
        core = b.node("diagonal", b.node("diagonal_of", core), core)
    if factor.inverted:
        scalar = low.inverse_scalar(Term(b.one, term.coefficient, term.scalars))
        orthogonal = core.op != "eye" and holds(factor.e, "orthogonal")
        core = b.transpose(core) if orthogonal else b.inverse(core)
        term = Term(core, scalar.coefficient, scalar.scalars)
    piece = Piece(rows, columns, Term(core, term.coefficient, term.scalars))
    return [transposed(b, piece) if factor.transposed else piece]


def scalars_of(low: Lowering, found: Factors) -> Routine:
    """What the scalar factors come to."""
    b = low.b
    outside = Term(b.one, found.coefficient)
    for e, sign in found.scalars:
        term = yield e
        outside = b.times_scalars(outside, term if sign > 0 else low.inverse_scalar(term))
    return outside


def root_of_gram(matrices: Sequence[Factor]) -> Expr | None:
    """Z with Z^T Z the product, where it is A^T diag(u) A, u >= 0, A a matrix that is there as it stands."""
    if len(matrices) != 3:
        return None
    left, middle, right = matrices
    mirrored = left.e is right.e and left.transposed != right.transposed and not (left.inverted or right.inverted)
    if not mirrored or ONE in left.e.shape or middle.e.op != "diagm" or middle.inverted or left.e.op == "diagm":
        return None
    u = middle.e.args[0]
    if not nonnegative(u):
        return None
    root = u if u.op in INDICATORS else app("sqrt", u)
    return mul(app("diagm", root), T(right.e) if right.transposed else right.e)


@dataclass(slots=True)
class Split:
    """A factor that is a sum: its place, its terms as coefficients and factors, and whether it may be multiplied out
    even where that takes new products."""

    place: int
    terms: list[tuple[Fraction, Factors]]
    freely: bool


def split(matrices: Sequence[Factor]) -> list[Split]:
    """The factors that are sums."""
    found = []
    for place, factor in enumerate(matrices):
        e = factor.e
        if e.op != "add" or factor.inverted or len(e.args) > MOST_TERMS or any(a.is_scalar for a in e.args):
            continue
        terms = []
        for arg in e.args:
            sign = Fraction(1)
            while arg.op == "neg":
                arg, sign = arg.args[0], -sign
            inner = factors_of(arg, factor.transposed)
            terms.append((sign * inner.coefficient, inner))
        found.append(Split(place, terms, _worthwhile(matrices, place, terms)))
    return found


def _worthwhile(matrices: Sequence[Factor], place: int, terms: Sequence[tuple[Fraction, Factors]]) -> bool:
    """Whether a sum may be multiplied out.

    A difference is kept, since its terms may nearly cancel, unless a term of it is the identity, has rank one or
    cancels an inverse beside it (or the products are there anyway).
    """
    if all(c > 0 for c, _ in terms) or all(c < 0 for c, _ in terms):
        return True
    beside = [f.e for f in matrices[max(0, place - 1) : place + 2] if f.inverted]
    for _, inner in terms:
        parts = [f.e for f in inner.matrices]
        thin = any(e.op == "eye" or e.is_column or e.shape[0] is ONE for e in parts)
        if thin or (len(parts) == 1 and parts[0] in beside):
            return True
    return False
