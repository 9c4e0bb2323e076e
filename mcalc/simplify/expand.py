"""Expanding: products, elementwise products, traces and sums of entries distributed over sums (bounded)."""

from __future__ import annotations

from itertools import product as cartesian

from mcalc.algebra.expr import Expr, fold, make
from mcalc.algebra.operators import number, ones
from mcalc.simplify.normal_form import Normaliser, Rewrite
from mcalc.simplify.terms import Term, build, merge, settle, term_of

MOST_TERMS = 48
"""A sum is not expanded beyond this many terms."""


def _terms(e: Expr) -> list[Expr]:
    return list(e.args) if e.op == "add" else [e]


def expand(context: Normaliser, root: Expr, closed: frozenset[Expr] = frozenset()) -> Expr:
    """Products, elementwise products, traces and sums of entries distributed over sums, but for the `closed` ones."""

    def combine(node: Expr, args: list[Expr]) -> Expr:
        if not args or node in closed:
            return node
        before = make(node.op, tuple(args), node.attrs, node.shape)
        after = _distributed(context, before, closed)
        if after is not before:
            context.rewrites.append(Rewrite("distribute", before, after))
        return after

    return fold(root, combine)


_LINEAR = frozenset({"tr", "sum", "diagv", "diagm", "vec"})


def _distributed(context: Normaliser, e: Expr, closed: frozenset[Expr]) -> Expr:
    match e.op:
        case "mul" | "had":
            groups = [summands(context, a, closed) for a in e.args]
            count = 1
            for group in groups:
                count *= len(group)
            if count == 1 or count > MOST_TERMS:
                return context(e)
            if e.op == "mul":
                parts = [context.product(choice) for choice in cartesian(*groups)]
            else:
                parts = [context.had(choice, e.shape) for choice in cartesian(*groups)]
            return context.sum(parts, e.shape)
        case "div" | "neg":
            parts = summands(context, e.args[0], closed)
            if len(parts) > MOST_TERMS:
                return context(e)
            return context.sum([context(make(e.op, (p, *e.args[1:]), (), p.shape)) for p in parts], e.shape)
        case _ if e.op in _LINEAR:
            parts = summands(context, e.args[0], closed)
            return context.sum([context.apply(e.op, p, e.attrs) for p in parts], e.shape)
        case "sigmoid" if e.args[0].op == "neg":
            context.because("sigmoid of a negative")
            one = number(1) if e.is_scalar else ones(*e.shape)
            return context.sum([one, context(make("neg", (context.apply("sigmoid", e.args[0].args[0]),), (), e.shape))],
                               e.shape)  # fmt: skip
        case "add":
            return context.sum([p for a in e.args for p in summands(context, a, closed)], e.shape)
    return context(e)


def summands(context: Normaliser, e: Expr, closed: frozenset[Expr]) -> list[Expr]:
    """The terms of a sum, or of a multiple of one; a scalar among matrix terms becomes a multiple of ones."""
    term = term_of(e)
    inner = sum_inside(term)
    if inner is None or inner in closed:
        return [e]
    if inner.is_scalar and not e.is_scalar:
        return [e]
    scalars = term.scalars if not inner.is_scalar else tuple(s for s in term.scalars if s[0] is not inner)
    parts = []
    for arg in inner.args:
        if arg.is_scalar and not inner.is_scalar:
            arg = context.product([arg, ones(*inner.shape)])
        own = term_of(arg)
        extra, powers = settle(merge(scalars, own.scalars))
        parts.append(build(term.coefficient * own.coefficient * extra, powers, own.factors, e.shape))
    return parts


def sum_inside(term: Term) -> Expr | None:
    if len(term.factors) == 1 and term.factors[0].op == "add":
        return term.factors[0]
    if not term.factors:
        sums = [atom for atom, exponent in term.scalars if atom.op == "add" and exponent == 1]
        if len(sums) == 1:
            return sums[0]
    return None
