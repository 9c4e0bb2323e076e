"""Products of matrices: what one product of two factors is as an operation.

In: two factors (`Piece`: a shape rows x columns and a term); out: one piece. Special factors never become full matrices
where a neighbour can take them: A^-1 B is a solve, diag(u) B a row scaling, 1 b^T a broadcast, 1^T A a sum over rows,
A e_j a column, K vec(X) a permutation.
"""

from __future__ import annotations

from typing import NamedTuple

from mcalc.algebra.shape import ONE, Dim
from mcalc.program.builder import Builder, Term
from mcalc.program.ir import Array


class Piece(NamedTuple):
    """A factor: a rows x columns matrix. A vector's core has one axis, whether it is a column or a row."""

    rows: Dim
    columns: Dim
    term: Term

    @property
    def is_scalar(self) -> bool:
        """Whether this is 1 x 1."""
        return self.rows is ONE and self.columns is ONE


def transposed(b: Builder, piece: Piece) -> Piece:
    """The transpose of a factor."""
    term = piece.term
    return Piece(piece.columns, piece.rows, Term(b.transpose(term.core), term.coefficient, term.scalars))


def product(b: Builder, left: Piece, right: Piece) -> Piece:
    """The product of two factors."""
    rows, columns = left.rows, right.columns
    if left.term.plain and right.term.plain and not (left.is_scalar or right.is_scalar):
        return Piece(rows, columns, _core(b, left, right))
    outside = Term(b.one, left.term.coefficient * right.term.coefficient, ())
    if left.is_scalar or right.is_scalar:
        scalar, other = (left, right) if left.is_scalar else (right, left)
        return Piece(rows, columns, b.times_scalars(other.term, scalar.term))
    outside = b.times_scalars(outside, Term(b.one, scalars=left.term.scalars), Term(b.one, scalars=right.term.scalars))
    core = _core(b, left, right)
    return Piece(rows, columns, b.times_scalars(core, outside))


def _core(b: Builder, left: Piece, right: Piece) -> Term:
    x, y = left.term.core, right.term.core
    if left.rows is ONE and right.columns is ONE:
        return _inner(b, x, y)
    if left.columns is ONE:
        return Term(b.outer(x, y))
    if right.columns is ONE:
        return _matrix_vector(b, x, y)
    if left.rows is ONE:
        return _matrix_vector(b, b.transpose(y), x)
    return Term(_matrix_matrix(b, x, y))


def _inner(b: Builder, x: Array, y: Array) -> Term:
    for u, v in ((x, y), (y, x)):
        match u.op:
            case "ones":
                return b.total(v)
            case "unit":
                return b.term(b.node("entry", v, attrs=(u.attrs[0],)))
            case "zeros":
                return Term(b.one, b.number(0).attrs[0])
    return b.term(inner(b, x, y))


def _matrix_vector(b: Builder, a: Array, v: Array) -> Term:
    """A v; v has one axis."""
    base = b.inverse_base(a)
    if base is not None and not (v.op in ("ones", "unit") and b.paid(a)):
        return Term(b.node("solve", base, v))
    if v.op == "zeros":
        return Term(b.zeros(a.shape[:1]))
    match a.op:
        case "eye":
            return Term(v)
        case "zeros":
            return Term(b.zeros(a.shape[:1]))
        case "diagonal":
            return Term(b.scaled(v, a.args[0], "entries"))
        case "commutation":
            return Term(_permuted(b, a, v))
        case "duplication" | "elimination" | "T" if (rows := _selected(b, a, v)) is not None:
            return Term(rows)
        case "outer" | "columns" | "rows" | "ones":
            u, w = _two_vectors(b, a)
            return b.times_scalars(Term(u), _inner(b, w, v))
    match v.op:
        case "ones":
            return b.total(a, 1)
        case "unit":
            return Term(b.node("entry", a, attrs=(None, v.attrs[0])))
    return Term(b.node("matmul", a, v))


def _two_vectors(b: Builder, a: Array) -> tuple[Array, Array]:
    match a.op:
        case "outer":
            return a.args[0], a.args[1]
        case "columns":
            return a.args[0], b.node("ones", attrs=(a.shape[1:],))
        case "rows":
            return b.node("ones", attrs=(a.shape[:1],)), a.args[0]
    return b.node("ones", attrs=(a.shape[:1],)), b.node("ones", attrs=(a.shape[1:],))


def _permuted(b: Builder, k: Array, v: Array) -> Array:
    """K(m,n) v, or K(m,n) A; K(m,n) vec(X) = vec(X^T)."""
    return b.node("permute", v, attrs=k.attrs)


def _is_selection(m: Array) -> bool:
    """Whether an array is a duplication or elimination matrix or the transpose of one."""
    return (m.args[0] if m.op == "T" else m).op in ("duplication", "elimination")


def _selected(b: Builder, m: Array, a: Array) -> Array | None:
    """M A where M is a duplication or elimination matrix or the transpose of one: rows of A, or sums of them."""
    if not _is_selection(m):
        return None
    inner = m.args[0] if m.op == "T" else m
    return b.node("put" if m.op == "T" else "take", a, attrs=(inner.op, *inner.attrs))


def _matrix_matrix(b: Builder, x: Array, y: Array) -> Array:
    if x.op == "eye" or y.op == "zeros":
        return y if x.op == "eye" else b.zeros((x.shape[0], y.shape[1]))
    if y.op == "eye" or x.op == "zeros":
        return x if y.op == "eye" else b.zeros((x.shape[0], y.shape[1]))
    base_x, base_y = b.inverse_base(x), b.inverse_base(y)
    if (base_x is not None and base_x is y) or (base_y is not None and base_y is x):
        return b.node("eye", attrs=(x.shape[0],))
    if y.op == "diagonal":
        if x.op == "diagonal":
            return b.diagonal(b.times(x.args[0], y.args[0]))
        return b.scaled(x, y.args[0], "columns")
    if x.op == "diagonal":
        return b.scaled(y, x.args[0], "rows")
    if base_x is not None and not b.paid(x):
        return b.node("solve", base_x, y)
    if base_y is not None and not b.paid(y):
        return b.transpose(b.node("solve", b.transpose(base_y), b.transpose(x)))
    if x.op == "commutation":
        return _permuted(b, x, y)
    if y.op == "commutation":
        return b.transpose(_permuted(b, b.transpose(y), b.transpose(x)))
    rows = _selected(b, x, y)
    if rows is not None:
        return rows
    if _is_selection(y):
        rows = _selected(b, b.transpose(y), b.transpose(x))
        assert rows is not None
        return b.transpose(rows)
    if x.op in ("outer", "columns", "rows", "ones"):
        u, v = _two_vectors(b, x)
        return _scaled_outer(b, u, _matrix_vector(b, b.transpose(y), v))
    if y.op in ("outer", "columns", "rows", "ones"):
        u, v = _two_vectors(b, y)
        return b.transpose(_scaled_outer(b, v, _matrix_vector(b, x, u)))
    return matmul(b, x, y)


def _scaled_outer(b: Builder, u: Array, v: Term) -> Array:
    return b.outer(u, b.array(v))


def matmul(b: Builder, x: Array, y: Array) -> Array:
    """X Y entry by entry, or the transpose of Y^T X^T where that is there or has fewer transposes."""
    if x.op != "T" != y.op and not (x in b.symmetric or y in b.symmetric):
        return b.node("matmul", x, y)
    flipped = (b.view(y), b.view(x))
    more = (x.op == "T") + (y.op == "T") - sum(a.op == "T" for a in flipped)
    if more > 0 or (more == 0 and b.first_settled("matmul", (x, y), flipped) == 1):
        return b.view(b.node("matmul", *flipped))
    result = b.node("matmul", x, y)
    if x.shape[0] is y.shape[1] and b.transpose(x) is y:
        b.symmetric.add(result)
    return result


def trace_of(b: Builder, piece: Piece) -> Term:
    """tr(A)."""
    core = piece.term.core
    match core.op:
        case "eye":
            made = b.size(core.shape[0])
        case "diagonal":
            made = b.total(core.args[0])
        case "outer":
            made = _inner(b, *core.args)
        case "zeros":
            made = Term(b.one, b.number(0).attrs[0])
        case _:
            made = b.term(b.node("trace", core.args[0] if core.op == "T" else core))
    return b.times_scalars(made, Term(b.one, piece.term.coefficient, piece.term.scalars))


def contraction(b: Builder, left: Piece, right: Piece) -> Term:
    """tr(P Q) of two matrices that are formed, P of at least as many factors as Q."""
    outside = b.times_scalars(left.term._replace(core=b.one), right.term._replace(core=b.one))
    x, y = left.term.core, right.term.core
    for p, q in ((x, y), (y, x)):
        base = b.inverse_base(p)
        if p.op in ("eye", "diagonal") or (base is not None and not b.paid(p) and p is not b.transpose(q)):
            whole = Piece(right.rows, right.rows, Term(_matrix_matrix(b, p, q)))
            made = trace_of(b, whole) if p.op != "diagonal" or q.op == "diagonal" else _diagonal_trace(b, p, q)
            return b.times_scalars(made, outside)
    return b.times_scalars(b.term(inner(b, b.transpose(x), y)), outside)


def _diagonal_trace(b: Builder, p: Array, q: Array) -> Term:
    return _inner(b, p.args[0], b.node("diagonal_of", q))


def inner(b: Builder, x: Array, y: Array) -> Array:
    """The sum of the products of the entries of two arrays of one shape."""
    if x.rank == 1:
        derived = ("matmul", "solve")
        return b.node("dot", y, x) if x.op in derived and y.op not in derived else b.node("dot", x, y)
    if x.op == "T" and y.op == "T":
        x, y = x.args[0], y.args[0]
    return b.node("vdot", y, x) if x.op == "T" else b.node("vdot", x, y)
