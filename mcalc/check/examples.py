"""Counterexamples as a reader wants them: the values of the symbols, and what each side comes to.

For a derivative the proof of the contrary names a direction as well; here the derivative itself is worked out, entry by
entry along the unit directions, and set against the one that was claimed.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from mcalc.algebra.expr import Expr
from mcalc.check.questions import direction
from mcalc.check.reading import Claim
from mcalc.verify.equality import Counterexample
from mcalc.verify.layout import Sizes
from mcalc.verify.numeric import Evaluation, Real, infer_sizes
from mcalc.verify.sampling import size_of

_LARGEST_DENOMINATOR = 60


def counterexample_text(claim: Claim, target: Expr, right: Expr, found: Counterexample) -> str:
    """`at x = [1; 2], A = [0, 1; 2, 0]: the left side is 4, the right side 2`."""
    values = {s: v for s, v in found.values.items() if s.op != "sym" or not s.name.endswith("_")}
    left_value, right_value = found.left, found.right
    if claim.kind in ("grad", "jac", "hess"):
        both = _derivative(claim, target, right, found)
        if both is None:
            return _text(found.values, left_value, right_value)
        left_value, right_value = both
    return _text(values, left_value, right_value)


def _text(values: dict[Expr, Real], left: Real, right: Real) -> str:
    given = ", ".join(f"{s} = {_shown(v)}" for s, v in values.items())
    return (f"at {given}: " if given else "") + f"the left side is {_shown(left)}, the right side {_shown(right)}"


def _derivative(claim: Claim, target: Expr, right: Expr, found: Counterexample) -> tuple[Real, Real] | None:
    """The true derivative, from the identity at every unit direction; and the claimed one."""
    x = claim.variable
    assert x is not None
    sizes = infer_sizes({s: v[None] for s, v in found.values.items()})
    given = {s: v[None] for s, v in found.values.items()}
    v, u = direction(x, "V"), direction(x, "U")
    n = size_of(x, sizes)
    count = n[0] * n[1]
    try:
        claimed = Evaluation(given, sizes).value(right)[0]
        if claim.kind == "hess":
            rows = [_along(target, {**given, u: _unit(i, n)}, v, n, sizes) for i in range(count)]
            return np.concatenate(rows, axis=0), claimed
        moved = _along(target, given, v, n, sizes)
    except (ValueError, KeyError):
        return None
    if claim.kind == "grad":
        return moved.reshape(n, order="F"), claimed
    return moved, claimed


def _along(target: Expr, given: dict[Expr, Real], v: Expr, n: tuple[int, int], sizes: Sizes) -> Real:
    """The target along every unit direction of v, one column each."""
    count = n[0] * n[1]
    stack = np.concatenate([_unit(i, n) for i in range(count)])
    value = Evaluation({**given, v: stack}, sizes).value(target)
    return np.asarray(np.broadcast_to(value, (count, *value.shape[1:]))[:, :, 0].T)


def _unit(i: int, n: tuple[int, int]) -> Real:
    unit = np.zeros(n[0] * n[1])
    unit[i] = 1.0
    return unit.reshape(n, order="F")[None]


def _shown(a: Real) -> str:
    if a.size == 1:
        return _number(float(a.reshape(-1)[0]))
    return "[" + "; ".join(", ".join(_number(float(v)) for v in row) for row in a) + "]"


def _number(v: float) -> str:
    """An integer or a small ratio where it is one (to rounding), else six digits."""
    if not np.isfinite(v):
        return str(v)
    near = Fraction(v).limit_denominator(_LARGEST_DENOMINATOR)
    if abs(float(near) - v) <= 1e-9 * max(1.0, abs(v)) and abs(near.numerator) < 10**6:
        return str(near)
    return f"{v:.6g}"
