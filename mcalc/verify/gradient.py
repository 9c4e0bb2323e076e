"""Derivatives checked against central differences.

In: a scalar f with its claimed gradients, or a matrix function F with its claimed differential.
Out: a `Check` with the largest relative error over all points and directions.

At each of three places (sizes all distinct, in the domain, away from kinks: mcalc/verify/domain.py) f is differenced
(mcalc/verify/stencil.py) along every coordinate direction of the space in which X lies (symmetric matrices for a
symmetric X), so that no wrong entry can hide, and a few dense random ones. The error of a difference with h = 1e-2 is
1e-11 for functions of ordinary curvature; where it is larger, smaller steps are tried, then other places. Where f or
the claim has kinks, one direction at each of a crowd of points looks for a wrong branch.

The error is relative to the largest derivative at the place. A value that is not finite is an error, never a pass.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from mcalc.algebra.expr import Expr, postorder
from mcalc.algebra.operators import d, mul
from mcalc.errors import ShapeError, VerificationError
from mcalc.verify.domain import KINKS, PATTERNS, Place, crowd, places
from mcalc.verify.layout import Sizes, transpose
from mcalc.verify.numeric import Evaluation, Real
from mcalc.verify.sampling import differential_subspace, gaussians, masked, size_of, symbol_key
from mcalc.verify.sizes import Requirements
from mcalc.verify.stencil import Directions, Slopes, slopes

TOLERANCE = 1e-6
_CROWD_TOLERANCE = 1e-5
"""Along one direction the derivative may be small by cancellation."""
_STEPS = (1e-2, 1e-3, 1e-4)
_COORDINATES = 48
"""Up to this many entries every coordinate direction is tried."""
_MOST = 600
"""Up to this many coordinate directions in all; with more, dense ones alone serve."""
_DENSE = 3
_TRIES = 12
_CROWDS = 2
_NOT_FINITE = "the derivative is not finite at a point where the function is smooth"

Claim = Callable[[Place, Directions], tuple[Real, str]]
"""The claimed derivative at a place along directions, and what is wrong with it in itself."""


class Check(NamedTuple):
    """The outcome: places used, the largest relative error, and what is wrong (empty where nothing is)."""

    points: int
    max_relative_error: float
    message: str = ""

    @property
    def ok(self) -> bool:
        """Whether the claim passed."""
        return not self.message


def check_gradient(f: Expr, gradients: Mapping[Expr, Expr], *, points: int = 3, seed: int = 0) -> Check:
    """Whether df = sum over X of tr(G_X^T dX), G_X in the space of X.

    Raises VerificationError where no place to check at is found, ShapeError where a gradient has not the shape of its
    variable.
    """
    for x, g in gradients.items():
        if g.shape != x.shape:
            raise ShapeError(f"the gradient with respect to {x} has not the shape of {x}")

    def claimed(place: Place, directions: Directions) -> tuple[Real, str]:
        evaluation = Evaluation(place.values, place.sizes)
        total: Real = np.zeros((1, 1, 1))
        problem = ""
        for x, g in gradients.items():
            value = evaluation.value(g)
            outside = float(np.abs(value - _projected(value, differential_subspace(x))).max())
            if outside > TOLERANCE * float(np.abs(value).max()):
                problem = f"the gradient with respect to {x} is not {differential_subspace(x)}"
            total = total + (value * directions[x]).sum(axis=(1, 2), keepdims=True)
        return total, problem

    return _check(f, tuple(gradients), tuple(gradients.values()), claimed, points, seed, f)


def check_linear(
    F: Expr, dF: Expr, variables: Collection[Expr], *, within: Expr | None = None, points: int = 3, seed: int = 0
) -> Check:
    """Whether dF, an expression linear in d(X) for the symbols X in `variables`, is the differential of F.

    F may have any shape; it is looked at in the domain of the scalar `within` alone, where one is given. Raises as
    `check_gradient`.
    """
    if dF.shape != F.shape:
        raise ShapeError("the differential has not the shape of the function")

    def claimed(place: Place, directions: Directions) -> tuple[Real, str]:
        moving = {d(x): v for x, v in directions.items()}
        still = {
            node: np.zeros((1, *size_of(node, place.sizes)))
            for node in postorder(dF)
            if node.op == "d" and node not in moving
        }
        return Evaluation({**place.values, **moving, **still}, place.sizes).value(dF), ""

    return _check(F, tuple(variables), (dF,), claimed, points, seed, F if within is None else mul(within, F))


def _check(
    F: Expr,
    variables: Sequence[Expr],
    claims: Sequence[Expr],
    claimed: Claim,
    points: int,
    seed: int,
    domain: Expr,
) -> Check:
    nodes = list(postorder(F))
    symbols = [n for n in dict.fromkeys([*postorder(domain, *claims), *variables]) if n.op == "sym"]
    requirements = Requirements()
    requirements.include(domain)
    requirements.name(*symbols, *postorder(*claims))
    kinks = [n for n in nodes if n.op in PATTERNS]
    worst, used, moved = 0.0, 0, False
    for tried, place in enumerate(places(domain, symbols, requirements, seed)):
        if (used >= points and moved) or tried >= points + _TRIES:
            break
        if tried < _CROWDS and (kinks or any(n.op in KINKS for n in postorder(*claims))):
            check = _check_crowd(F, domain, kinks, symbols, variables, claimed, place.sizes, seed + tried)
            if not check.ok:
                return check
        directions = _directions(variables, place, seed + tried)
        with np.errstate(all="ignore"):
            exact, problem = claimed(place, directions)
        if not np.isfinite(exact).all():
            return Check(used + 1, np.inf, _NOT_FINITE)
        measured = _measure(F, kinks, place, directions)
        if measured is None:
            continue
        error = np.abs(measured.slope - exact)
        scale = max(float(np.abs(measured.slope).max()), float(np.abs(exact).max()))
        if scale <= measured.noise.max():
            used += 1
            continue
        largest = float(error.max()) / scale
        if largest > TOLERANCE and measured.doubt.max() > TOLERANCE / 10 * scale:
            continue
        used, moved, worst = used + 1, True, max(worst, largest)
        if largest > TOLERANCE or problem:
            along = np.broadcast_to(error.max(axis=(1, 2)), measured.doubt.shape) / scale
            return Check(used, worst, problem or _describe(variables, directions, along))
    if used < points:
        raise VerificationError("no points were found at which the derivative can be measured")
    return Check(used, worst)


def _measure(F: Expr, kinks: Sequence[Expr], place: Place, directions: Directions) -> Slopes | None:
    """Differences with the step that serves best; None where a kink or the edge of the domain is too near."""
    best: Slopes | None = None
    for step in _STEPS:
        if step > place.margin / 10 and step != _STEPS[-1]:
            continue
        found = slopes(F, kinks, place, directions, step)
        if not found.good.all():
            continue
        if best is None or found.doubt.max() < best.doubt.max():
            best = found
        if found.doubt.max() <= max(1e-9 * float(np.abs(found.slope).max()), float(found.rounding.max())):
            break
    return best


def _check_crowd(
    F: Expr,
    domain: Expr,
    kinks: Sequence[Expr],
    symbols: Sequence[Expr],
    variables: Sequence[Expr],
    claimed: Claim,
    sizes: Sizes,
    seed: int,
) -> Check:
    """One dense direction at each of many points, which reach more branches than a few points do."""
    place = crowd(domain, symbols, sizes, seed)
    if place is None:
        return Check(0, 0.0)
    count = max((v.shape[0] for v in place.values.values()), default=1)
    directions = {x: _dense(x, sizes, count, seed) for x in variables}
    with np.errstate(all="ignore"):
        exact, problem = claimed(place, directions)
        if not np.isfinite(exact).all():
            return Check(count, np.inf, _NOT_FINITE)
        found = slopes(F, kinks, place, directions, _STEPS[1])
        error = np.abs(found.slope - exact).max(axis=(1, 2))
        scale = np.maximum(np.abs(found.slope).max(axis=(1, 2)), np.abs(exact).max(axis=(1, 2)))
        certain = found.good & (scale > found.noise) & (found.doubt <= TOLERANCE / 10 * scale)
        relative = np.where(certain, error / scale, 0.0)
    worst = float(relative.max(initial=0.0))
    if worst > _CROWD_TOLERANCE or problem:
        names = ", ".join(str(x) for x in variables)
        return Check(count, worst, problem or f"the derivative with respect to {names} is off by {worst:.1e}")
    return Check(count, worst)


def _directions(variables: Sequence[Expr], place: Place, seed: int) -> Directions:
    """For each variable the coordinate directions of its space with the others at rest; then all move at random."""
    bases = [_basis(x, size_of(x, place.sizes)) for x in variables]
    if sum(len(basis) for basis in bases) > _MOST:
        bases = [basis[:0] for basis in bases]
    count = sum(len(basis) for basis in bases) + _DENSE
    directions: Directions = {}
    start = 0
    for x, basis in zip(variables, bases, strict=True):
        shape = size_of(x, place.sizes)
        stack = np.zeros((count, *shape))
        stack[start : start + len(basis)] = basis
        start += len(basis)
        stack[-_DENSE:] = _dense(x, place.sizes, _DENSE, seed)
        directions[x] = stack
    return directions


def _dense(x: Expr, sizes: Sizes, count: int, seed: int) -> Real:
    """Random directions of the space in which dX lies, the largest entry of each 1."""
    dense = masked(gaussians(symbol_key(seed, x, "direction"), (count, *size_of(x, sizes))), differential_subspace(x))
    return np.asarray(dense / np.maximum(np.abs(dense).max(axis=(1, 2), keepdims=True), 1e-300))


def _basis(x: Expr, shape: tuple[int, int]) -> Real:
    """The coordinate directions of the space in which dX lies; none where there are too many."""
    entries = shape[0] * shape[1]
    if entries > _COORDINATES:
        return np.zeros((0, *shape))
    stack = masked(np.eye(entries).reshape(entries, *shape), differential_subspace(x))
    return np.asarray(stack[np.abs(stack).max(axis=(1, 2)) > 0])


def _projected(a: Real, subspace: str) -> Real:
    match subspace:
        case "symmetric":
            return np.asarray((a + transpose(a)) / 2)
        case "skew":
            return np.asarray((a - transpose(a)) / 2)
    return np.asarray(masked(a, subspace))


def _describe(variables: Sequence[Expr], directions: Directions, along: Real) -> str:
    """The coordinate that is most wrong, or where none is alone, all that moves."""
    single = along[:-_DENSE]
    worst = int(np.argmax(single)) if single.size and single.max() > TOLERANCE else int(np.argmax(along))
    moving = [x for x in variables if np.any(directions[x][worst])]
    names = ", ".join(str(x) for x in moving)
    if len(moving) == 1 and worst < single.size and not moving[0].is_scalar:
        i, j = np.argwhere(directions[moving[0]][worst])[0]
        names += f"[{i + 1},{j + 1}]"
    return f"the derivative with respect to {names} is off by {along[worst]:.1e}"
