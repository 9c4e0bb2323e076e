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

from mcalc.algebra.expr import Expr, depends_on, fold, postorder, rebuild, substitute
from mcalc.algebra.operators import T, d, div, hdiv, inv, mul, neg
from mcalc.algebra.shape import SCALAR
from mcalc.algebra.structure import holds, structure
from mcalc.calculus.jacobian import shorten_fully
from mcalc.calculus.linear import coefficient, differential_form
from mcalc.calculus.vec_laws import zero
from mcalc.simplify.expand import expand
from mcalc.simplify.kronecker import joined
from mcalc.simplify.normal_form import Normaliser
from mcalc.simplify.polish import Polisher
from mcalc.simplify.terms import ONE_Q, Term, build, merge, term_of


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
        shown = _spelled_out(shorten_fully(context, polish, context(found))[0])
        kind = structure(x)
        if kind is None or holds(shown, kind.name) or holds(context(found), kind.name):
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
    yield _written_out(context, gradient, x), ()
    if x.is_scalar:
        for k in (1, 2, 3):
            yield _written_out(context, mul(*([x] * k), gradient), x), (x,)
    if x.is_square and not x.is_scalar and any(n.op == "pow" and n.args[0] is x for n in postorder(gradient)):
        turned = context.transpose(x)
        for left, right in ((1, 0), (0, 1), (1, 1)):
            for y in dict.fromkeys((x, turned)):
                whole = _written_out(context, mul(*[y] * left, gradient, *[y] * right), x)
                yield whole, (y,) * (left + right)
                if y is not x:
                    yield context.transpose(whole), (x,) * (left + right)


def _written_out(context: Normaliser, e: Expr, x: Expr) -> Expr:
    """Products written out over the sums in which X occurs."""
    normal = context(e)
    moving = depends_on([x], normal)
    still = frozenset(n for n in postorder(normal) if n.op == "add" and n not in moving)
    return expand(context, normal, still)


def _solved(context: Normaliser, polish: Polisher, slope: Expr, rest: Expr, x: Expr) -> Expr | None:
    """X with slope vec(X) + vec(rest) = 0."""
    shown, _ = shorten_fully(context, polish, slope)
    whole = _one_term(context, context(shown))
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


def _one_term(context: Normaliser, e: Expr) -> Expr:
    """The sum as one Kronecker product or diagonal matrix, where it is one."""
    term = term_of(e)
    inner = e if e.op == "add" else term.factors[0] if len(term.factors) == 1 and term.factors[0].op == "add" else None
    if inner is None or inner.is_scalar:
        return e
    for terms in joined(context, [term_of(a) for a in inner.args], inner.shape):
        if len(terms) == 1:
            ((coefficient, scalars, factors),) = terms
            outer = term if inner is not e else Term(ONE_Q, (), ())
            return build(coefficient * outer.coefficient, merge(scalars, outer.scalars), factors, e.shape)
    return e


def _spelled_out(root: Expr) -> Expr:
    """pinv(A) as (A^T A)^-1 A^T: the form in which textbooks solve, with its condition in sight."""

    def combine(node: Expr, args: list[Expr]) -> Expr:
        match node.op:
            case "pinv":
                return mul(inv(mul(T(args[0]), args[0])), T(args[0]))
            case "T" if node.args[0].op == "pinv":
                a = args[0].args[1].args[0]
                return mul(a, inv(mul(T(a), a)))
            case "mul":
                factors = [f for a in args for f in (a.args if a.op == "mul" and not a.is_scalar else (a,))]
                return mul(*factors)
        return rebuild(node, args)

    return fold(root, combine)


__all__ = ["CriticalPoint", "critical_point"]
