"""Sums that are a product with a matrix of rank one more than the identity on both sides.

    M + a u v^T M + a M v u^T + a^2 u (v^T M v) u^T = (I + a u v^T) M (I + a v u^T)

A projection or reflection applied on both sides of M, as in the Hessian of a Rayleigh quotient, is written out as these
four terms.

Reference: Magnus & Neudecker, Matrix Differential Calculus, ch. 1.4.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from mcalc.algebra.expr import Expr
from mcalc.algebra.operators import eye
from mcalc.algebra.shape import SCALAR, Shape
from mcalc.simplify.terms import ONE_Q, Term, build, merge, raised

if TYPE_CHECKING:
    from mcalc.simplify.normal_form import Normaliser


def congruences(context: Normaliser, terms: Sequence[Term], shape: Shape) -> Iterator[list[Expr]]:
    """Sums with four of the terms written as one product."""
    if len(terms) < 4 or shape[0] is not shape[1]:
        return
    written = [build(*t, shape) for t in terms]
    for i, whole in enumerate(terms):
        if len(whole.factors) != 1:
            continue
        m = whole.factors[0]
        for j, left in enumerate(terms):
            if len(left.factors) != 3 or left.factors[2] is not m or not left.factors[0].is_column:
                continue
            u, v_row, _ = left.factors
            u_row, v = context.transpose(u), context.transpose(v_row)
            scalars = merge(left.scalars, raised(whole.scalars, -ONE_Q))
            scale = build(left.coefficient / whole.coefficient, scalars, (), SCALAR)
            front = build(whole.coefficient, whole.scalars, (), SCALAR)
            right = context.product([front, scale, m, v, u_row])
            both = context.product([front, scale, scale, context.product([v_row, m, v]), u, u_row])
            if right not in written or both not in written:
                continue
            used = {i, j, written.index(right), written.index(both)}
            if len(used) < 4:
                continue
            before = context.sum([eye(shape[0]), context.product([scale, u, v_row])], shape)
            after = context.sum([eye(shape[0]), context.product([scale, v, u_row])], shape)
            product = context.product([front, before, m, after])
            yield [product, *(e for k, e in enumerate(written) if k not in used)]


__all__ = ["congruences"]
