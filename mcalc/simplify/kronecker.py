"""Kronecker products, vec, the commutation and the duplication matrix: what neighbouring factors make together.

    kron(A, B) kron(C, D) = kron(A C, B D)             kron(B^T, A) vec(Y) = vec(A Y B)
    K(m,n) vec(Y) = vec(Y^T)       K(m,n)^T = K(n,m)   K(n,m) K(m,n) = I
    K(p,m) kron(A, B) = kron(B, A) K(q,n)              A m x n, B p x q
    K(n,n) dup(n) = dup(n)         elim(n) dup(n) = I

Reference: Magnus & Neudecker, Matrix Differential Calculus, ch. 2.2-2.4, 3.7 (theorem 3.9) and 3.8.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from mcalc.algebra.expr import Expr, fold, make
from mcalc.algebra.operators import app, commutation, eye, ones
from mcalc.algebra.shape import ONE, SCALAR, Dim, Shape, triangular
from mcalc.simplify.terms import Term, build, merge, term_of

if TYPE_CHECKING:
    from mcalc.simplify.normal_form import Normaliser

OPS = frozenset({"kron", "vec", "K", "dup"})


def pair(context: Normaliser, left: Expr, right: Expr) -> list[Expr] | None:
    """What two neighbouring factors make together, or None where they stay two."""
    if right.op == "dup" or (left.op == "T" and left.args[0].op == "dup"):
        return _duplicated(context, left, right)
    if left.op == "K":
        return _after_swap(context, left, right)
    if right.op == "K" and left.op == "T" and left.args[0].op == "vec":
        n, m = right.attrs
        if left.args[0].args[0].shape == (m, n):
            context.because("vec of a transpose")
            return [context.transpose(context.apply("vec", context.transpose(left.args[0].args[0])))]
        return None
    if left.op == "kron" and right.op == "kron":
        (a, b), (c, e) = left.args, right.args
        if a.shape[1] is c.shape[0] and b.shape[1] is e.shape[0]:
            context.because("product of Kronecker products")
            joined = app("kron", context.product([a, c]), context.product([b, e]))
            return _factors(context, joined)
        return None
    if left.op == "kron" and right.op == "vec":
        (p, q), y = left.args, right.args[0]
        if y.shape == (q.shape[1], p.shape[1]):
            context.because("vec of a product")
            return _factors(context, app("vec", context.product([q, y, context.transpose(p)])))
    if right.op == "kron" and left.op == "T" and left.args[0].op == "vec":
        (p, q), y = right.args, left.args[0].args[0]
        if y.shape == (q.shape[0], p.shape[0]):
            context.because("vec of a product")
            inner = context.product([context.transpose(q), y, p])
            return [context.transpose(context(app("vec", inner)))]
    return None


def _duplicated(context: Normaliser, left: Expr, right: Expr) -> list[Expr] | None:
    """K(n,n) D = D, D^T K(n,n) = D^T, L D = I, D being dup(n) and L elim(n)."""
    if left.op == "K" or right.op == "K":
        m, n = (left if left.op == "K" else right).attrs
        if m is n:
            context.because("duplication matrix")
            return [right if left.op == "K" else left]
        return None
    if left.op == "elim":
        context.because("duplication matrix")
        return [eye(triangular(left.attrs[0]))]
    return None


def _factors(context: Normaliser, e: Expr) -> list[Expr]:
    """The normal form of e as factors of a product, its scalars first."""
    term = term_of(context(e))
    if term.coefficient == 1 and not term.scalars:
        return list(term.factors)
    return [build(term.coefficient, term.scalars, (), SCALAR), *term.factors]


def _after_swap(context: Normaliser, left: Expr, right: Expr) -> list[Expr] | None:
    m, n = left.attrs
    if right.op == "K" and right.attrs == (n, m):
        context.because("commutation matrix")
        return [eye(m * n)]
    if right.op == "vec" and right.args[0].shape == (m, n):
        context.because("vec of a transpose")
        return _factors(context, app("vec", context.transpose(right.args[0])))
    return None


def _moved(left: Expr, right: Expr, leftwards: bool) -> list[Expr] | None:
    """K(p,m) kron(A, B) = kron(B, A) K(q,n), in either direction; K of a side that is 1 is the identity."""
    if leftwards and left.op == "kron" and right.op == "K":
        b, a = left.args
        (m, n), (p, q) = a.shape, b.shape
        if right.attrs == (q, n):
            return [*_swap(p, m), app("kron", a, b)]
    if not leftwards and left.op == "K" and right.op == "kron":
        a, b = right.args
        (m, n), (p, q) = a.shape, b.shape
        if left.attrs == (p, m):
            return [app("kron", b, a), *_swap(q, n)]
    return None


def _swap(m: Dim, n: Dim) -> list[Expr]:
    return [] if m is ONE or n is ONE else [commutation(m, n)]


def gather_swaps(context: Normaliser, root: Expr, leftwards: bool) -> Expr:
    """Every K moved past the Kronecker products beside it, all to one side, so that sums have it in common."""

    def combine(node: Expr, args: list[Expr]) -> Expr:
        if not args:
            return node
        before = make(node.op, tuple(args), node.attrs, node.shape)
        if node.op != "mul":
            return context(before)
        chain = list(before.args)
        changed = True
        while changed:
            changed = False
            for i in range(len(chain) - 1):
                moved = _moved(chain[i], chain[i + 1], leftwards)
                if moved is not None:
                    chain[i : i + 2] = moved
                    changed = True
                    break
        return context(before if chain == list(before.args) else make("mul", tuple(chain), (), node.shape))

    return fold(root, combine)


def joined(context: Normaliser, terms: Sequence[Term], shape: Shape) -> Iterator[list[Term]]:
    """Sums with Kronecker products or diagonal matrices joined: kron(A, C) + kron(B, C) = kron(A + B, C)."""
    alone = [i for i, t in enumerate(terms) if len(t.factors) == 1 and t.factors[0].op == "kron"]
    for side in (0, 1):
        groups: dict[tuple[Expr, Shape], list[int]] = {}
        for i in alone:
            args = terms[i].factors[0].args
            groups.setdefault((args[side], args[1 - side].shape), []).append(i)
        for (shared, other), found in groups.items():
            whole = shared.op == "eye" and other[0] is other[1]
            members = [*found, *(i for i, t in enumerate(terms) if whole and not t.factors)]
            if len(members) < 2:
                continue
            inside = {i: terms[i].factors[0].args[1 - side] if terms[i].factors else eye(other[0]) for i in members}
            parts = [_scaled(terms[i], inside[i], other) for i in members]
            total = context.sum(parts, other)
            product = context(app("kron", *((shared, total) if side == 0 else (total, shared))))
            yield [term_of(product), *(t for i, t in enumerate(terms) if i not in members)]
    merged = _diagonals(context, terms, shape)
    if merged is not None:
        yield merged


def _diagonals(context: Normaliser, terms: Sequence[Term], shape: Shape) -> list[Term] | None:
    """diag(u) + diag(v) + c I = diag(u + v + c)."""
    members = [i for i, t in enumerate(terms) if not t.factors or (len(t.factors) == 1 and t.factors[0].op == "diagm")]
    if len(members) < 2 or all(not terms[i].factors for i in members):
        return None
    n, inside = shape[0], []
    for i in members:
        vector = terms[i].factors[0].args[0] if terms[i].factors else ones(n)
        inside.append(_scaled(terms[i], vector, (n, ONE)))
    product = context(app("diagm", context.sum(inside, (n, ONE))))
    return [term_of(product), *(t for i, t in enumerate(terms) if i not in members)]


def _scaled(t: Term, e: Expr, shape: Shape) -> Expr:
    """The scalars of a term times another matrix."""
    own = term_of(e)
    return build(t.coefficient * own.coefficient, merge(t.scalars, own.scalars), own.factors, shape)
