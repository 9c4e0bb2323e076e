"""Points in the domain of an expression, at a distance from its kinks and singularities.

In: an expression and a seed. Out: places (sizes and a value for every symbol) at which it is finite, smooth nearby and
well conditioned.

The domain is not computed but found: many points of different kinds (see sampling.STRATEGIES: Gaussian, positive,
positive definite, small, large, …; the same kind for all symbols, then mixtures) are evaluated as one stack, and each
operator says how far its operands are from where it is not smooth (`MARGINS`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from mcalc.algebra.expr import Expr, postorder
from mcalc.errors import VerificationError
from mcalc.verify.layout import Sizes
from mcalc.verify.numeric import Evaluation, Real
from mcalc.verify.sampling import STRATEGIES, floats
from mcalc.verify.sizes import Requirements

Margin: TypeAlias = Callable[[Expr, Sequence[Real]], Real]
Pattern: TypeAlias = Callable[[Sequence[Real]], npt.NDArray[np.bool_]]

_ONE_KIND, _FEW, _MANY, _CROWD = 4, 48, 2048, 96
_COMFORTABLE = (0.05, 1e4)
"""The margin that a point should have, and the largest intermediate value."""
TOLERABLE = (1e-3, 1e8)
"""Beyond these a point does not serve."""


@dataclass(frozen=True, slots=True)
class Place:
    """Sizes, values of the symbols (stacks of one; of a crowd, of many); the least margin and the largest value on the
    way to the expression's."""

    sizes: Sizes
    values: dict[Expr, Real]
    margin: float
    largest: float


def _least(x: Real) -> Real:
    return np.asarray(x.min(axis=(1, 2)))


def _reciprocal_condition(a: Real) -> Real:
    finite = np.asarray(np.isfinite(a).all(axis=(1, 2), keepdims=True))
    clean: Real = np.where(finite, a, 0.0)
    s = np.linalg.svd(clean, compute_uv=False)
    return np.where(finite[:, 0, 0], s[:, -1] / np.where(s[:, 0] > 0, s[:, 0], 1.0), 0.0)


def _gap(sign: float) -> Margin:
    def margin(e: Expr, args: Sequence[Real]) -> Real:
        flat = sign * args[0].reshape(args[0].shape[0], -1)
        top = flat.max(axis=1, keepdims=True)
        below = np.where(flat < top, flat, -np.inf).max(axis=1)
        return np.asarray(top[:, 0] - below)

    return margin


def _power(e: Expr, args: Sequence[Real]) -> Real:
    exponent = e.attrs[0]
    if exponent.denominator != 1:
        return _least(args[0])
    if exponent >= 0:
        return np.full(args[0].shape[0], np.inf)
    if e.op == "pow" and not e.is_scalar:
        return 100.0 * _reciprocal_condition(args[0])
    return _least(np.abs(args[0]))


def _condition(e: Expr, args: Sequence[Real]) -> Real:
    return 100.0 * _reciprocal_condition(args[0])


def _from_zero(e: Expr, args: Sequence[Real]) -> Real:
    return _least(np.abs(args[0]))


def _apart(e: Expr, args: Sequence[Real]) -> Real:
    return _least(np.abs(args[0] - args[1]))


def _apart_or_equal(e: Expr, args: Sequence[Real]) -> Real:
    distance = np.abs(args[0] - args[1])
    return _least(np.where(distance == 0, np.inf, distance))


# fmt: off
MARGINS: dict[str, Margin] = {
    "abs":   _from_zero,      "sign": _from_zero,    "relu": _from_zero,     "norm1": _from_zero,
    "gt":    _apart,          "ge":   _apart,        "lt":   _apart,         "le":    _apart,
    "max":   _apart,          "min":  _apart,        "eq":   _apart_or_equal,
    "maxall": _gap(1.0),      "minall": _gap(-1.0),
    "norm":  lambda e, args: np.abs(args[0]).max(axis=(1, 2)),
    "log":   lambda e, args: _least(args[0]),        "sqrt": lambda e, args: _least(args[0]),
    "power": lambda e, args: _least(args[0]),        "hpower": lambda e, args: _least(args[0]),
    "log1p": lambda e, args: _least(1 + args[0]),    "tan":  lambda e, args: _least(np.abs(np.cos(args[0]))),
    "arcsin": lambda e, args: _least(1 - np.abs(args[0])),
    "arccos": lambda e, args: _least(1 - np.abs(args[0])),
    "div":   lambda e, args: _least(np.abs(args[1])), "hdiv": lambda e, args: _least(np.abs(args[1])),
    "pow":   _power,          "hpow": _power,        "logdet": _condition,   "pinv":  _condition,
}
_SIGN: Pattern = lambda args: args[0] > 0                                                             # noqa: E731
_LARGER: Pattern = lambda args: args[0] > args[1]                                                     # noqa: E731
PATTERNS: dict[str, Pattern] = {
    # what must not change between neighbouring points: on which side of a kink each entry is
    "abs": _SIGN,    "sign": _SIGN,   "relu": _SIGN,   "norm1": _SIGN,
    "gt":  _LARGER,  "ge":  _LARGER,  "lt":  _LARGER,  "le":  _LARGER,  "max": _LARGER,  "min": _LARGER,
    "eq":     lambda args: args[0] == args[1],
    "maxall": lambda args: args[0] == args[0].max(axis=(1, 2), keepdims=True),
    "minall": lambda args: args[0] == args[0].min(axis=(1, 2), keepdims=True),
}
# fmt: on

KINKS = frozenset(PATTERNS) | {"norm"}
JUMPS = frozenset({"sign", "eq", "ge", "gt", "le", "lt"})
"""Kinks at which the value itself jumps."""


def survey(
    evaluation: Evaluation, nodes: Sequence[Expr], count: int, *, ignoring: frozenset[str] = frozenset()
) -> tuple[Real, Real]:
    """The least margin over the nodes at each point (-inf where a value is not finite), the largest value there.

    The margins of operators in `ignoring` do not count.
    """
    margin, largest = np.full(count, np.inf), np.zeros(count)
    with np.errstate(all="ignore"):
        for node in nodes:
            size = np.abs(evaluation.values[node]).max(axis=(1, 2))
            largest = np.maximum(largest, np.where(np.isnan(size), np.inf, size))
            rule = MARGINS.get(node.op)
            if rule is not None and node.op not in ignoring:
                margin = np.minimum(margin, rule(node, [evaluation.values[a] for a in node.args]))
    return np.where(np.isfinite(largest), margin, -np.inf), largest


def places(f: Expr, symbols: Sequence[Expr], requirements: Requirements, seed: int) -> Iterator[Place]:
    """Places in the domain of f without end, each with other sizes than the last.

    Raises VerificationError where none is found.
    """
    nodes = list(postorder(f))
    barren = 0
    for turn, sizes in enumerate(requirements.rotations()):
        found = _search(f, nodes, symbols, sizes, seed, turn)
        if found is None:
            barren += 1
            if barren > 6:
                raise VerificationError("no point was found at which the expression is defined and smooth")
            continue
        barren = 0
        yield found


def _search(
    f: Expr, nodes: Sequence[Expr], symbols: Sequence[Expr], sizes: Sizes, seed: int, turn: int
) -> Place | None:
    """A place with these sizes: among few Gaussian points (at every other turn), few of all kinds, or many.

    A comfortable margin is preferred to a tolerable one.
    """
    first = [] if turn % 2 else [(_ONE_KIND, (0,))]
    for count, kinds in (*first, (_FEW, None), (_MANY, None)):
        values = floats(symbols, sizes, count, seed + 1000 * turn, strategies=kinds)
        evaluation = Evaluation(values, sizes)
        evaluation.value(f)
        margin, largest = survey(evaluation, nodes, count)
        for least, most in (_COMFORTABLE,) if count == _ONE_KIND else (_COMFORTABLE, TOLERABLE):
            good = np.flatnonzero((margin >= least) & (largest <= most))
            if good.size:
                k = int(good[_preferred(good, turn)])
                return Place(sizes, {s: v[k : k + 1] for s, v in values.items()}, float(margin[k]), float(largest[k]))
    return None


def crowd(f: Expr, symbols: Sequence[Expr], sizes: Sizes, seed: int) -> Place | None:
    """Many points in the domain of f, as one stack, half of them Gaussian; None where none is found."""
    kinds = (0,) * len(STRATEGIES) + tuple(range(len(STRATEGIES)))
    values = floats(symbols, sizes, _CROWD, seed, strategies=kinds)
    evaluation = Evaluation(values, sizes)
    evaluation.value(f)
    margin, largest = survey(evaluation, list(postorder(f)), _CROWD)
    good = np.flatnonzero((margin >= TOLERABLE[0]) & (largest <= _COMFORTABLE[1]))
    if not good.size:
        return None
    return Place(sizes, {s: v[good] for s, v in values.items()}, float(margin[good].min()), float(largest[good].max()))


def _preferred(good: npt.NDArray[np.intp], turn: int) -> int:
    """Gaussian points at every other turn, further down the list for other kinds at the turns between."""
    wanted = (7 * turn) % _FEW if turn % 2 else 0
    return min(int(np.searchsorted(good, wanted)), good.size - 1)
