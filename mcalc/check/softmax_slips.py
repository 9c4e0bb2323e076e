"""Softmax taken as elementwise: p .* (1 - p), as for a sigmoid, in place of diag(p) - p p^T.

It takes a refuted right-hand side and gives guesses at what was meant; mcalc/check/slips.py has the table.
"""

from __future__ import annotations

from collections.abc import Iterator

from mcalc.algebra.expr import Expr, postorder, substitute
from mcalc.algebra.operators import T, add, app, d, had, inner, mul, neg
from mcalc.calculus.table import DIFFERENTIALS
from mcalc.check.edits import places, put
from mcalc.check.guess import Guess, Wrong

SLIP = "softmax taken as elementwise: its Jacobian is diag(p) - p p^T"


def softmax_elementwise(w: Wrong) -> Iterator[Guess]:
    """p .* (1 - p) .* V, or p .* p .* V in a difference, at each place."""
    values = [node for node in postorder(w.right) if node.op == "softmax"]
    for path, node in places(w.right, w.leaves):
        for p in values:
            for new in _meant(node, p):
                made = put(w.right, path, new)
                if made is not None:
                    yield Guess(SLIP, made)


def _meant(node: Expr, p: Expr) -> Iterator[Expr]:
    """What the part of the Jacobian is, for which the node stands."""
    if node.op == "diagm":
        scalars, factors = _factors(node.args[0])
        for square in (False, True):
            rest = _without(factors, p, square)
            if rest is not None:
                matrix = mul(p, T(p)) if square else add(app("diagm", p), neg(mul(p, T(p))))
                yield mul(*scalars, *([app("diagm", _product(rest))] if rest else []), matrix)
    elif node.op == "pow" and node.attrs[0] == 2 and node.args[0].op == "diagm" and node.args[0].args[0] is p:
        yield mul(p, T(p))
    elif node.shape == p.shape:
        scalars, factors = _factors(node)
        if rest := _without(factors, p, square=False):
            yield mul(*scalars, _differential(p, _product(rest)))
        if p.is_column and (rest := _without(factors, p, square=True)):
            yield mul(*scalars, inner(p, _product(rest)), p)


def _differential(p: Expr, direction: Expr) -> Expr:
    """d softmax(X) for a dX; the Jacobian is symmetric, so that it is its adjoint too."""
    return substitute(DIFFERENTIALS["softmax"].of(p, lambda x: True), {d(p.args[0]): direction})


def _factors(e: Expr) -> tuple[list[Expr], list[Expr]]:
    """The scalars and the elementwise factors of a product."""
    if e.op == "had":
        parts = [_factors(a) for a in e.args]
        return [s for scalars, _ in parts for s in scalars], [f for _, factors in parts for f in factors]
    if e.op == "mul" and sum(not a.is_scalar for a in e.args) == 1:
        scalars, factors = _factors(next(a for a in e.args if not a.is_scalar))
        return [*(a for a in e.args if a.is_scalar), *scalars], factors
    if e.op == "hpow" and e.attrs[0] == 2:
        return [], [e.args[0], e.args[0]]
    return [], [e]


def _without(factors: list[Expr], p: Expr, square: bool) -> list[Expr] | None:
    """The factors beside p .* (1 - p), or beside p .* p; None where that is not there."""
    rest = list(factors)
    if not square:
        for factor in factors:
            if _is_variance(factor, p):
                rest.remove(factor)
                return rest
    other = p if square else next((f for f in factors if _is_complement(f, p)), None)
    for wanted in (p, other):
        if wanted is None or wanted not in rest:
            return None
        rest.remove(wanted)
    return rest


def _is_complement(e: Expr, p: Expr) -> bool:
    """1 - p."""
    if e.op != "add" or len(e.args) != 2:
        return False
    one, other = sorted(e.args, key=lambda a: a.op == "neg")
    return other.op == "neg" and other.args[0] is p and (one.op == "ones" or (one.op == "num" and one.attrs[0] == 1))


def _is_variance(e: Expr, p: Expr) -> bool:
    """p - p .* p."""
    if e.op != "add" or len(e.args) != 2:
        return False
    first, other = sorted(e.args, key=lambda a: a.op == "neg")
    return first is p and other.op == "neg" and _factors(other.args[0]) == ([], [p, p])


def _product(factors: list[Expr]) -> Expr:
    return had(*factors) if len(factors) > 1 else factors[0]
