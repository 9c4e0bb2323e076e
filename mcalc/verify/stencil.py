"""Central differences of an expression along many directions at once.

In: an expression, a place (one point, or as many as there are directions), directions, a step h.
Out: `Slopes`: the derivative along every direction, and how far it can be trusted.

All X + t V, t = +-h, +-h/2, +-h/4, for all directions V, are one stack and one evaluation. Two Richardson
extrapolations give an error of O(h^6); the last correction estimates it, and with the size of rounding errors says what
a difference means. A direction is no good where the stencil meets a kink or leaves the domain.

References: Richardson 1911; Brezinski & Redivo Zaglia, Extrapolation Methods, 2.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mcalc.algebra.expr import Expr
from mcalc.verify.domain import PATTERNS, Place
from mcalc.verify.field import Mask
from mcalc.verify.numeric import Evaluation, Real

_OFFSETS = np.array([1.0, -1.0, 0.5, -0.5, 0.25, -0.25])
_EPS = float(np.finfo(np.float64).eps)

Directions = dict[Expr, Real]


class Slopes(NamedTuple):
    """Derivatives along directions, (directions, rows, columns); the rest is one number for each direction."""

    slope: Real
    doubt: Real
    """The last correction of the extrapolation."""
    noise: Real
    """The size of rounding errors."""
    rounding: Real
    """The part of it that is due to the value of F alone."""
    good: Mask
    """Whether F is finite and smooth along the whole stencil."""


def slopes(F: Expr, kinks: Sequence[Expr], place: Place, directions: Directions, step: float) -> Slopes:
    """dF along every direction, by differences with this step."""
    count = max(v.shape[0] for v in directions.values())
    values = {s: v if v.shape[0] == 1 else np.repeat(v, _OFFSETS.size, axis=0) for s, v in place.values.items()}
    for x, v in directions.items():
        moved = place.values[x][:, None] + (step * _OFFSETS)[None, :, None, None] * v[:, None]
        values[x] = moved.reshape(-1, *v.shape[1:])
    evaluation = Evaluation(values, place.sizes)
    stack = evaluation.value(F)
    f = np.broadcast_to(stack, (count * _OFFSETS.size, *stack.shape[1:])).reshape(
        count, _OFFSETS.size, *stack.shape[1:]
    )
    good = np.asarray(np.isfinite(f).all(axis=(1, 2, 3)))
    for node in kinks:
        good &= _one_side(PATTERNS[node.op]([evaluation.value(a) for a in node.args]), count)
    with np.errstate(all="ignore"):
        first = (f[:, 0] - f[:, 1]) / (2 * step)
        second = (f[:, 2] - f[:, 3]) / step
        third = (f[:, 4] - f[:, 5]) / (step / 2)
        coarse, fine = second + (second - first) / 3, third + (third - second) / 3
        slope = fine + (fine - coarse) / 15
        doubt = np.abs(slope - fine).max(axis=(1, 2))
        rounding = 40 * _EPS / step * np.abs(f).max(axis=(1, 2, 3))
        noise = np.maximum(rounding, 40 * _EPS / step * place.largest)
    return Slopes(slope, doubt, noise, rounding, good)


def _one_side(pattern: Mask, count: int) -> Mask:
    """Whether the stencil of each direction stays on one side of every kink."""
    if pattern.shape[0] == 1:
        return np.ones(count, dtype=np.bool_)
    sides = pattern.reshape(count, _OFFSETS.size, -1)
    return np.asarray((sides == sides[:, :1]).all(axis=(1, 2)))
