"""The form of an answer that is cheapest to compute, where it is not the shortest.

A^T (diag(p) - p p^T) A is short, and costs a matrix diag(p) - p p^T of many entries; A^T diag(p) A - (A^T p) (A^T p)^T
scales rows and adds an outer product. `spread` distributes products over sums in which a diagonal matrix, a multiple of
the identity or an outer product stands.
"""

from __future__ import annotations

from mcalc.algebra.expr import Expr, postorder
from mcalc.algebra.shape import ONE
from mcalc.simplify.expand import expand
from mcalc.simplify.normal_form import Normaliser
from mcalc.simplify.terms import term_of


def spread(e: Expr) -> Expr:
    """The expression, multiplied out where that avoids a matrix of low rank or a diagonal one; itself elsewhere."""
    context = Normaliser()
    normal = context(e)
    sums = [n for n in postorder(normal) if n.op == "add"]
    wanted = {n for n in sums if n.is_square and not n.is_scalar and any(_cheap(a) for a in n.args)}
    inside = {a for n in postorder(normal) if n.op == "mul" for a in n.args if a in wanted}
    if not inside:
        return e
    return expand(context, normal, frozenset(n for n in sums if n not in inside))


def _cheap(term: Expr) -> bool:
    """Whether a term of a sum is a multiple of the identity, diagonal or an outer product."""
    factors = term_of(term).factors
    if not factors:
        return not term.is_scalar
    return (len(factors) == 1 and factors[0].op == "diagm") or any(f.shape[1] is ONE for f in factors[:-1])
