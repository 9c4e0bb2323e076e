"""Closed-form Jacobians: vec(dF) = J vec(dX), as short as it can be written.

J is read off dF by the laws of vec (mcalc/calculus/linear.py). Of one J there are several ways to write it: read off
the collected or the written-out dF, K to the left or to the right of the Kronecker products; the shortest is the
answer. Where X lies in a subspace (symmetric, diagonal, …) dX = P dX, so that J is J P, P being the projection; by the
independent entries (mcalc/calculus/vech.py) it is J D.

Reference: Magnus & Neudecker, Matrix Differential Calculus, ch. 9 (second identification table).
"""

from __future__ import annotations

from collections.abc import Iterator

from mcalc.algebra.expr import Expr, postorder
from mcalc.algebra.operators import add, app, d, div, mul, neg, number, ones
from mcalc.algebra.structure import Structure, structure
from mcalc.calculus.linear import coefficient
from mcalc.calculus.vec_laws import identity, swap, vec
from mcalc.calculus.vech import Frame
from mcalc.simplify.expand import expand
from mcalc.simplify.kronecker import gather_swaps
from mcalc.simplify.normal_form import Normaliser, Rewrite
from mcalc.simplify.polish import Polisher
from mcalc.simplify.shorten import shorten

ROUNDS = 3


def projection(x: Expr) -> Expr | None:
    """P with vec(Z) = P vec(Z) for every Z of the structure of X, P = P^T = P^2; None where X is unrestricted."""
    kind = structure(x)
    return None if kind is None else _projection(kind, x)


def _projection(kind: Structure, x: Expr) -> Expr:
    n, m = x.shape
    match kind.name:
        case "symmetric":
            return div(add(identity(n * m), swap(n, m)), number(2))
        case "skew":
            return div(add(identity(n * m), neg(swap(n, m))), number(2))
    return app("diagm", vec(kind.projection(ones(n, m))))


def read_off(context: Normaliser, linear: Expr, x: Expr, frame: Frame) -> Expr:
    """J in normal form: vec(linear) = J vec(dX), within the frame."""
    factors = [e for e in (frame.left, coefficient(context, linear, d(x)), frame.right) if e is not None]
    return factors[0] if len(factors) == 1 else context(mul(*factors))


def shortest(
    context: Normaliser, polish: Polisher, linear: Expr, x: Expr, frame: Frame
) -> tuple[Expr, Expr, list[Rewrite]]:
    """(J in normal form, its shortest display form, rewrites from the one to the other)."""
    first = read_off(context, linear, x, frame)
    best: Expr | None = None
    path: list[Rewrite] = []
    for candidate in _candidates(context, linear, x, frame, first):
        context.rewrites.clear()
        shown, rewrites = shorten_fully(context, polish, candidate)
        if best is None or shown.length < best.length:
            best = shown
            path = [*([Rewrite("distribute", first, candidate)] if candidate is not first else []), *rewrites]
    context.rewrites.clear()
    assert best is not None
    return first, best, path


def shorten_fully(context: Normaliser, polish: Polisher, e: Expr) -> tuple[Expr, list[Rewrite]]:
    """`shorten` until nothing becomes shorter: what was taken out of a sum may leave a sum that has more to give."""
    shown, path = shorten(context, polish, e)
    for _ in range(ROUNDS):
        again, more = shorten(context, polish, context(shown))
        if again.length >= shown.length:
            break
        shown, path = again, [*path, *more]
    return shown, path


def _candidates(context: Normaliser, linear: Expr, x: Expr, frame: Frame, first: Expr) -> Iterator[Expr]:
    yield first
    if first.length > 1500:
        return
    seen = {first}
    starts = [first]
    spread = expand(context, linear)
    if spread is not linear:
        starts.append(read_off(context, spread, x, frame))
    for start in starts:
        if start not in seen:
            seen.add(start)
            yield start
        if any(n.op == "K" for n in postorder(start)):
            for leftwards in (True, False):
                for e in (start, expand(context, start)):
                    moved = gather_swaps(context, e, leftwards)
                    if moved not in seen:
                        seen.add(moved)
                        yield moved
