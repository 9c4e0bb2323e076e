"""Derivatives checked against central differences.

In: a scalar f with its claimed gradients, or a matrix function F with its claimed differential.
Out: a `Check` with the largest relative error over all points and directions.

At each of three places (sizes all distinct, in the domain, away from kinks: mcalc/verify/domain.py) f is evaluated on
one stack of points X + t V, t = +-h, +-h/2, +-h/4, for V every coordinate direction of the space in which X lies
(symmetric matrices for a symmetric X), so that no wrong entry can hide, and a few dense random ones. Two Richardson
extrapolations give an error of O(h^6); with h = 1e-2 this is 1e-11 for functions of ordinary curvature, and the last
correction says how much to trust it: where it is too large, smaller steps are tried, then other points.

The error is relative to the largest derivative at the place. A value that is not finite is an error, never a pass.

References: Richardson 1911; Brezinski & Redivo Zaglia, Extrapolation Methods, 2.2.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mcalc.algebra.expr import Expr, postorder
from mcalc.algebra.operators import d
from mcalc.errors import ShapeError, VerificationError
from mcalc.verify.domain import PATTERNS, Place, places
from mcalc.verify.layout import transpose
from mcalc.verify.numeric import Evaluation, Real
from mcalc.verify.sampling import differential_subspace, gaussians, masked, size_of, symbol_key
from mcalc.verify.sizes import Requirements

TOLERANCE = 1e-6
_STEPS = (1e-2, 1e-3, 1e-4)
_OFFSETS = np.array([1.0, -1.0, 0.5, -0.5, 0.25, -0.25])
_COORDINATES = 48
"""Up to this many entries every coordinate direction is tried."""
_DENSE = 3
_TRIES = 12
_EPS = float(np.finfo(np.float64).eps)

Directions = dict[Expr, Real]


@dataclass(frozen=True, slots=True)
class Check:
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

    return _check(f, tuple(gradients), tuple(gradients.values()), claimed, points, seed)


def check_linear(F: Expr, dF: Expr, variables: Collection[Expr], *, points: int = 3, seed: int = 0) -> Check:
    """Whether dF, an expression linear in d(X) for the symbols X in `variables`, is the differential of F.

    F may have any shape. Raises as `check_gradient`.
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

    return _check(F, tuple(variables), (dF,), claimed, points, seed)


def _check(
    F: Expr,
    variables: Sequence[Expr],
    claims: Sequence[Expr],
    claimed: Callable[[Place, Directions], tuple[Real, str]],
    points: int,
    seed: int,
) -> Check:
    nodes = list(postorder(F))
    symbols = [n for n in dict.fromkeys([*nodes, *postorder(*claims), *variables]) if n.op == "sym"]
    requirements = Requirements()
    requirements.include(F)
    requirements.name(*symbols, *postorder(*claims))
    kinks = [n for n in nodes if n.op in PATTERNS]
    wanted = points + 2 if kinks else points
    worst, used, moved = 0.0, 0, False
    for tried, place in enumerate(places(F, symbols, requirements, seed)):
        if (used >= wanted and moved) or tried >= wanted + _TRIES:
            break
        directions = _directions(variables, place, seed + tried)
        with np.errstate(all="ignore"):
            exact, problem = claimed(place, directions)
        if not np.isfinite(exact).all():
            return Check(used + 1, np.inf, "the derivative is not finite at a point where the function is smooth")
        measured = _differences(F, kinks, place, directions)
        if measured is None:
            continue
        slope, doubt, noise = measured
        error = np.abs(slope - exact)
        scale = max(float(np.abs(slope).max()), float(np.abs(exact).max()))
        if scale <= noise:
            used += 1
            continue
        largest = float(error.max()) / scale
        if largest > TOLERANCE and doubt > TOLERANCE / 10 * scale:
            continue
        used, moved, worst = used + 1, True, max(worst, largest)
        if largest > TOLERANCE or problem:
            where = np.unravel_index(int(np.argmax(error)), error.shape)
            return Check(used, max(worst, largest), problem or _describe(variables, directions, int(where[0]), largest))
    if used < wanted:
        raise VerificationError("no points were found at which the derivative can be measured")
    return Check(used, worst)


def _differences(
    F: Expr, kinks: Sequence[Expr], place: Place, directions: Directions
) -> tuple[Real, float, float] | None:
    """dF along every direction, (directions, rows, columns); the last correction; the size of rounding errors.

    None where a kink or the edge of the domain is too near.
    """
    count = max(v.shape[0] for v in directions.values())
    best: tuple[Real, float, float] | None = None
    for step in _STEPS:
        if step > place.margin / 10 and step != _STEPS[-1]:
            continue
        values = dict(place.values)
        for x, v in directions.items():
            moved = place.values[x][:, None] + (step * _OFFSETS)[None, :, None, None] * v[:, None]
            values[x] = moved.reshape(-1, *v.shape[1:])
        evaluation = Evaluation(values, place.sizes)
        stencil = evaluation.value(F)
        if not np.isfinite(stencil).all() or not _one_side(evaluation, kinks, count):
            continue
        stencil = np.broadcast_to(stencil, (count * _OFFSETS.size, *stencil.shape[1:]))
        f = stencil.reshape(count, _OFFSETS.size, *stencil.shape[1:])
        first = (f[:, 0] - f[:, 1]) / (2 * step)
        second = (f[:, 2] - f[:, 3]) / step
        third = (f[:, 4] - f[:, 5]) / (step / 2)
        coarse, fine = second + (second - first) / 3, third + (third - second) / 3
        slope = fine + (fine - coarse) / 15
        doubt = float(np.abs(slope - fine).max())
        rounding = 40 * _EPS / step
        if best is None or doubt < best[1]:
            best = (slope, doubt, rounding * max(place.largest, float(np.abs(f).max())))
        if doubt <= max(1e-9 * float(np.abs(slope).max()), rounding * float(np.abs(f).max())):
            break
    return best


def _one_side(evaluation: Evaluation, kinks: Sequence[Expr], count: int) -> bool:
    """Whether the stencil of every direction stays on one side of every kink."""
    for node in kinks:
        pattern = PATTERNS[node.op]([evaluation.value(a) for a in node.args])
        if pattern.shape[0] > 1:
            sides = pattern.reshape(count, _OFFSETS.size, -1)
            if (sides != sides[:, :1]).any():
                return False
    return True


def _directions(variables: Sequence[Expr], place: Place, seed: int) -> Directions:
    """For each variable the coordinate directions of its space with the others at rest; then all move at random."""
    bases = [_basis(x, size_of(x, place.sizes)) for x in variables]
    count = sum(len(basis) for basis in bases) + _DENSE
    directions: Directions = {}
    start = 0
    for x, basis in zip(variables, bases, strict=True):
        shape = size_of(x, place.sizes)
        stack = np.zeros((count, *shape))
        stack[start : start + len(basis)] = basis
        start += len(basis)
        dense = masked(gaussians(symbol_key(seed, x, "direction"), (_DENSE, *shape)), differential_subspace(x))
        stack[-_DENSE:] = dense / np.maximum(np.abs(dense).max(axis=(1, 2), keepdims=True), 1e-300)
        directions[x] = stack
    return directions


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


def _describe(variables: Sequence[Expr], directions: Directions, direction: int, error: float) -> str:
    moving = [x for x in variables if np.any(directions[x][direction])]
    if len(moving) == 1 and np.count_nonzero(directions[moving[0]][direction]) <= 2 and not moving[0].is_scalar:
        i, j = np.argwhere(directions[moving[0]][direction])[0]
        return f"the derivative with respect to {moving[0]}[{i + 1},{j + 1}] is off by {error:.1e}"
    return f"the derivative with respect to {', '.join(str(x) for x in moving)} is off by {error:.1e}"
