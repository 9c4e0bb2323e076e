"""Critical points in closed form, where the gradient is affine in the variable.

`critical_point` solves G(X) = 0. With vec(G) = H vec(X) + vec(C), H free of X:

    H = s kron(P, Q)     Q X P^T = -C / s       X = -Q^-1 C P^-T / s      (least squares, ridge, two-sided)
    H a matrix, x a vector                      x = -H^-1 c
    H = diag(vec(W))                            X = -C ./ W

A gradient in which X occurs as X^-1 is multiplied by X first, which loses nothing as X is invertible: the maximum
likelihood of a covariance, S X^-1 and X^-1 S X^-1, becomes affine so.

Reference: Boyd & Vandenberghe, Convex Optimization, ch. 4.2.3; Magnus & Neudecker, ch. 13 and 15 (maximum likelihood).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mcalc.algebra.expr import Expr, postorder, substitute
from mcalc.algebra.operators import T, d, div, hdiv, inv, mul, neg
from mcalc.algebra.shape import SCALAR
from mcalc.algebra.structure import holds, structure
from mcalc.calculus.jacobian import shorten_fully
from mcalc.calculus.linear import coefficient, differential_form
from mcalc.calculus.vec_laws import zero
from mcalc.simplify.expand import expand
from mcalc.simplify.normal_form import Normaliser
from mcalc.simplify.polish import Polisher
from mcalc.simplify.terms import build, term_of


@dataclass(frozen=True, slots=True)
class CriticalPoint:
    """`equation` = 0 is what was solved (the gradient, multiplied by X where X is invertible); X = `solution`."""

    equation: Expr
    solution: Expr
    factors: tuple[Expr, ...]
    """What X the gradient was multiplied by (empty, or X's)."""


def critical_point(context: Normaliser, polish: Polisher, gradient: Expr, x: Expr) -> CriticalPoint | None:
    """The X at which a gradient vanishes; None where it is not affine in X or no closed form is known."""
    for equation, factors in _equations(context, gradient, x):
        moving = differential_form(context, equation, (x,))
        if d(x) not in set(postorder(moving)) or x in _outside(moving):
            continue
        slope = coefficient(context, moving, d(x))
        rest = context(substitute(equation, {x: zero(x.shape)}))
        found = _solved(context, polish, slope, rest, x)
        if found is None:
            continue
        shown, _ = shorten_fully(context, polish, context(found))
        kind = structure(x)
        if kind is None or any(holds(shown, word) or holds(context(found), word) for word in (kind.name,)):
            context.rewrites.clear()
            return CriticalPoint(equation, shown, factors)
    context.rewrites.clear()
    return None


def _outside(e: Expr) -> set[Expr]:
    """The symbols of an expression that stand outside differentials."""
    found: set[Expr] = set()
    seen: set[Expr] = set()
    pending = [e]
    while pending:
        node = pending.pop()
        if node.op == "sym":
            found.add(node)
        if node.op != "d" and node not in seen:
            seen.add(node)
            pending.extend(node.args)
    return found


def _equations(context: Normaliser, gradient: Expr, x: Expr) -> Iterator[tuple[Expr, tuple[Expr, ...]]]:
    yield expand(context, gradient), ()
    if x.is_scalar:
        for k in (1, 2, 3):
            yield expand(context, mul(*([x] * k), gradient)), (x,)
    if x.is_square and not x.is_scalar and any(n.op == "pow" and n.args[0] is x for n in postorder(gradient)):
        turned = context.transpose(x)
        for left, right in ((1, 0), (0, 1), (1, 1)):
            for y in dict.fromkeys((x, turned)):
                factors = [*[y] * left, gradient, *[y] * right]
                yield expand(context, expand(context, mul(*factors))), (y,) * (left + right)


def _solved(context: Normaliser, polish: Polisher, slope: Expr, rest: Expr, x: Expr) -> Expr | None:
    """X with slope vec(X) + vec(rest) = 0."""
    shown, _ = shorten_fully(context, polish, slope)
    whole = context(shown)
    if x.is_scalar:
        return neg(div(rest, whole))
    term = term_of(whole)
    front = build(term.coefficient, term.scalars, (), SCALAR)
    right_side = neg(div(rest, front))
    if not term.factors:
        return right_side
    if len(term.factors) == 1:
        (factor,) = term.factors
        if factor.op == "diagm" and x.is_column:
            return hdiv(right_side, factor.args[0])
        if factor.op == "diagm" and factor.args[0].op == "vec":
            return hdiv(right_side, factor.args[0].args[0])
        if factor.op == "kron":
            p, q = factor.args
            if p.is_square and q.is_square and p.shape[0] is x.shape[1]:
                left = [] if q.op == "eye" else [inv(q)]
                right = [] if p.op == "eye" else [inv(T(p))]
                return mul(*left, right_side, *right)
    if x.is_column:
        return mul(inv(whole), neg(rest))
    return None


__all__ = ["CriticalPoint", "critical_point"]
