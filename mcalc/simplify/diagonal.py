"""What the diagonal factors of a sum's terms have in common: diag(u .* v) A + diag(u .* w) B = diag(u) (diag(v) A + …).

Reference: Magnus & Neudecker, Matrix Differential Calculus, ch. 1.6.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from mcalc.algebra.expr import Expr
from mcalc.algebra.shape import ONE, SCALAR, Shape
from mcalc.simplify.terms import ONE_Q, Term, build

if TYPE_CHECKING:
    from mcalc.simplify.normal_form import Normaliser

Powers = dict[Expr, Fraction]


def diagonal_factor(
    context: Normaliser,
    terms: Sequence[Term],
    side: int,
    view: Callable[[Term, Shape], Powers],
    powers: Callable[[Normaliser, list[tuple[Expr, Fraction]], Shape], Expr],
) -> tuple[Expr, list[Expr]] | None:
    """(diag(u), the terms without it) where every term has a diagonal factor on this side; None where none is shared.

    `view` reads a vector as a monomial of elementwise powers, `powers` builds one.
    """
    if any(not t.factors or t.factors[side].op != "diagm" for t in terms):
        return None
    n = terms[0].factors[side].shape[0]
    views = [view(Term(ONE_Q, (), (t.factors[side].args[0],)), (n, ONE)) for t in terms]
    shared: Powers = {}
    for atom, exponent in views[0].items():
        exponents = [exponent, *(v.get(atom, Fraction(0)) for v in views[1:])]
        if all(e > 0 for e in exponents):
            shared[atom] = min(exponents)
        elif all(e < 0 for e in exponents):
            shared[atom] = max(exponents)
    if not shared:
        return None
    rest = []
    for t, own in zip(terms, views, strict=True):
        left = [(atom, e - shared.get(atom, Fraction(0))) for atom, e in own.items()]
        diagonal = context.apply("diagm", powers(context, left, (n, ONE)))
        front = build(t.coefficient, t.scalars, (), SCALAR)
        others = t.factors[1:] if side == 0 else t.factors[:-1]
        rest.append(context.product([front, diagonal, *others] if side == 0 else [front, *others, diagonal]))
    return context.apply("diagm", powers(context, list(shared.items()), (n, ONE))), rest
