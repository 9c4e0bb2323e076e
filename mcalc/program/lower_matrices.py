"""Lowering the remaining operators of matrices: determinants, inverses' kin, triangles, blocks, Kronecker products."""

from __future__ import annotations

from fractions import Fraction

from mcalc.algebra.expr import Expr
from mcalc.algebra.operators import app
from mcalc.algebra.shape import ONE
from mcalc.algebra.structure import holds
from mcalc.errors import NotSupported
from mcalc.program.builder import Term
from mcalc.program.ir import Array
from mcalc.program.lower import Lowering, Routine, rule


@rule("logdet")
def _logdet(low: Lowering, e: Expr) -> Routine:
    """log|det A|: by Cholesky where A is spd, by the diagonal where A is triangular."""
    b = low.b
    a = e.args[0]
    if a.is_scalar:
        return (yield app("log", app("abs", a)))
    parts = square_parts(a)
    if parts is not None:
        pairs = []
        for part, exponent in parts:
            t = yield app("logdet", part)
            pairs.append((exponent * t.coefficient, b.array(Term(t.core, scalars=t.scalars))))
        return b.sum(pairs)
    term = yield a
    scale = b.times_scalars(b.size(a.shape[0]), b.term(_log_of_scalars(low, term))) if not term.plain else None
    core = term.core.args[0] if term.core.op == "T" else term.core
    if core.op == "diagonal" or any(holds(a, fact) for fact in ("diagonal", "lower", "upper")):
        u = core.args[0] if core.op == "diagonal" else b.node("diagonal_of", core)
        positive = holds(a, "spd") or (a.op == "diagm" and holds(a.args[0], "positive"))
        made = b.total(b.node("log", u if positive else b.node("abs", u)))
    elif holds(a, "spd"):
        made = b.times_scalars(b.term(b.node("log_diagonal", b.node("cholesky", core))), Term(b.one, Fraction(2)))
    else:
        made = b.term(b.node("logdet", core))
    if scale is None:
        return made
    pairs = [(t.coefficient, b.array(Term(t.core, scalars=t.scalars))) for t in (made, scale)]
    return b.sum(pairs)


def _log_of_scalars(low: Lowering, term: Term) -> Array:
    b = low.b
    factor = b.array(Term(b.one, abs(term.coefficient), term.scalars))
    return b.node("log", b.node("abs", factor) if term.scalars else factor)


def square_parts(a: Expr) -> list[tuple[Expr, int]] | None:
    """Square matrices and exponents whose product is this one, where it is made of several or of a power."""
    if a.op == "pow":
        return [(a.args[0], int(a.attrs[0]))]
    if a.op == "T":
        return [(a.args[0], 1)]
    if a.op == "mul" and all(x.is_square and not x.is_scalar for x in a.args):
        return [(x, 1) for x in a.args]
    return None


@rule("det")
def _det(low: Lowering, e: Expr) -> Routine:
    b = low.b
    if e.args[0].is_scalar:
        return (yield e.args[0])
    parts = square_parts(e.args[0])
    if parts is not None:
        made = Term(b.one)
        for part, exponent in parts:
            t = yield app("det", part)
            base = t if exponent > 0 else low.inverse_scalar(t)
            made = b.times_scalars(made, *([base] * abs(exponent)))
        return made
    term = yield e.args[0]
    core = term.core.args[0] if term.core.op == "T" else term.core
    return b.term(b.node("det", b.array(Term(core, term.coefficient, term.scalars))))


@rule("adj", "pinv", "expm")
def _matrix_function(low: Lowering, e: Expr) -> Routine:
    b = low.b
    a = e.args[0]
    if a.is_scalar:
        match e.op:
            case "adj":
                return Term(b.one)
            case "expm":
                return (yield app("exp", a))
    term = yield a
    name = "adjugate" if e.op == "adj" else e.op
    core = b.array(term)
    if core.rank == 1:
        core = b.column(core) if a.shape[1] is ONE else b.node("row", core)
        return Term(b.node("entry", b.node(name, core), attrs=(1, None) if a.shape[1] is ONE else (None, 1)))
    if core.op == "T":
        return Term(b.transpose(b.node(name, core.args[0])))
    made = b.node(name, core)
    if holds(e, "symmetric"):
        b.symmetric.add(made)
    return Term(made)


@rule("diagm")
def _diagonal_matrix(low: Lowering, e: Expr) -> Routine:
    term = yield e.args[0]
    if e.is_scalar:
        return term
    return Term(low.b.diagonal(term.core), term.coefficient, term.scalars)


@rule("vec")
def _vec(low: Lowering, e: Expr) -> Routine:
    b = low.b
    term = yield e.args[0]
    if term.core.rank < 2:
        return term
    return Term(b.node("vec", term.core), term.coefficient, term.scalars)


@rule("tril", "triu")
def _triangle(low: Lowering, e: Expr) -> Routine:
    b = low.b
    a = e.args[0]
    term = yield a
    if e.is_scalar:
        return term
    if term.core.rank == 1:
        if (e.op == "tril") == (a.shape[1] is ONE):
            return term
        first = b.node("unit", attrs=(1, term.core.shape[0]))
        return b.times_scalars(Term(b.times(first, term.core)), Term(b.one, term.coefficient, term.scalars))
    return Term(b.node(e.op, term.core), term.coefficient, term.scalars)


def _matrix(low: Lowering, e: Expr, a: Array) -> Array:
    """An array with two axes."""
    b = low.b
    if a.rank == 0:
        return b.node("lift", a, attrs=((ONE, ONE),))
    if a.rank == 1:
        return b.column(a) if e.shape[1] is ONE else b.node("row", a)
    return a


@rule("kron")
def _kronecker(low: Lowering, e: Expr) -> Routine:
    b = low.b
    x, y = e.args
    left = yield x
    right = yield y
    outside = b.times_scalars(Term(b.one, left.coefficient * right.coefficient, left.scalars),
                              Term(b.one, scalars=right.scalars))  # fmt: skip
    if x.is_scalar or y.is_scalar:
        return b.times_scalars(Term(right.core if x.is_scalar else left.core), outside)
    u, v = left.core, right.core
    if u.rank == v.rank == 1:
        same = (x.shape[1] is ONE) == (y.shape[1] is ONE)
        if same:
            return b.times_scalars(Term(b.node("kron", u, v)), outside)
        return b.times_scalars(Term(b.outer(u, v) if x.shape[1] is ONE else b.outer(v, u)), outside)
    return b.times_scalars(Term(b.node("kron", _matrix(low, x, u), _matrix(low, y, v))), outside)


@rule("block")
def _block(low: Lowering, e: Expr) -> Routine:
    b = low.b
    parts: list[Array] = []
    for arg in e.args:
        term = yield arg
        parts.append(b.number_of(b.array(term)))
    if e.is_scalar:
        return b.term(parts[0])
    if e.shape[1] is ONE or e.shape[0] is ONE:
        return Term(b.node("concatenate", *(p if p.rank else b.node("lift", p, attrs=((ONE,),)) for p in parts)))
    return Term(b.node("block", *(_matrix(low, x, p) for x, p in zip(e.args, parts, strict=True)), attrs=e.attrs))


@rule("d")
def _differential(low: Lowering, e: Expr) -> Routine:
    raise NotSupported("a differential has no value; give it a name")
    yield
