"""One choice of sizes, the random points drawn for it, and the comparison of two expressions there.

In: two expressions without differentials of compound expressions, and a level of the chain of primes.
Out: an `Outcome`: they agree at enough points, they differ at one, or there are no points to tell.

Points come in sets. Where no operator tells positive from negative, three points do (an identity that is false is
true at a random point with a probability of about degree / p). Where one does, an identity may hold on one branch
only, each condition halves the points that would show it, and 64 points are used: sqrt(x^2) = x for scalar x passes
at all of them with probability 2^-64, one that fails only where two conditions meet with (3/4)^64 = 1e-8.

Where arguments of log or radicands fail to be residues, and the identity with log|x|, sqrt|x| fails too, or where
values do not exist, more points are drawn, and then points are repaired: free residues next to the entries that fail
are drawn again, and a change is kept that does not make it worse.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mcalc.algebra.expr import Expr, fold, postorder
from mcalc.errors import VerificationError
from mcalc.verify.domain import JUMPS, KINKS, TOLERABLE, survey
from mcalc.verify.field import FIELDS, Array, Mask, key_of
from mcalc.verify.layout import Sizes
from mcalc.verify.numeric import Evaluation, Real
from mcalc.verify.points import Points
from mcalc.verify.sampling import floats, size_of

WIDE = 64
_REPAIRS = 2
_ROUNDS, _PATIENCE = 90, 8
_WORK_LIMIT = 2_000_000
"""Multiplications or entries of one node at one point."""
_ENOUGH_STRICT = 24
_AGREE, _DIFFER = 1e-7, 1e-5
"""Relative differences up to the first are rounding, above the second they are not."""
_FLOAT_POINTS = 48
_MANY_FLOAT_POINTS = 2048
_FLOAT_ENTRIES = 4_000_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the points of one world say."""

    status: Literal["agree", "differ", "open", "void"]
    """`void`: no point has both values. `open`: too few points with residues where residues are needed."""
    strict: int = 0
    """Points that count without |x| for x."""
    points: int = 0
    reason: str = ""
    constant: bool = False
    """Whether a constant is not a residue at this level, so that other points cannot help and another level may."""


class World:
    """A choice of sizes with its points."""

    def __init__(self, sizes: Sizes, points: int, key: int, moving: frozenset[Expr]) -> None:
        self.sizes, self.points, self.key, self.moving = sizes, points, key, moving
        self._work: dict[Expr, int] = {}
        self._sets: dict[str, Points] = {}
        self._repaired: list[Points] = []
        self._floats = Evaluation({}, sizes)

    def _work_of(self, e: Expr) -> int:
        """Roughly the work at the dearest node, at one point."""

        def work(node: Expr, below: list[int]) -> int:
            rows, columns = size_of(node, self.sizes)
            own = rows * columns
            if node.op in ("det", "logdet", "adj", "pinv", "expm") or (node.op == "pow" and node.attrs[0] < 0):
                own = max(size_of(node.args[0], self.sizes)) ** 4 // 8
            return max(own, *below, 0)

        return fold(e, work, self._work)

    # --- residues -----------------------------------------------------------------------------------------------------

    def compare(self, left: Expr, right: Expr, level: int, branching: bool, *, repair: bool) -> Outcome:
        """Whether two expressions have the same residues; `repair` where the points drawn do not suffice."""
        if max(self._work_of(left), self._work_of(right)) > _WORK_LIMIT:
            return Outcome("void", reason="the matrices are too large to compare")
        strict = agreeing = 0
        soft_failed = False
        enough = WIDE // 2 if branching else self.points
        enough_strict = _ENOUGH_STRICT if branching else self.points
        try:
            for points in self._point_sets(left, right, level, branching, repair):
                agree, dead, soft = _compare_at(points, left, right, level)
                alive = ~dead
                counts = alive & ~soft
                if not alive.any():
                    return Outcome("void", reason="an inverse, a quotient or a logarithm does not exist")
                if (counts & ~agree).any():
                    return Outcome("differ", int(counts.sum()), int(alive.sum()))
                strict += int(counts.sum())
                agreeing += int((alive & agree).sum())
                soft_failed = soft_failed or bool((alive & ~agree).any())
                if (not soft_failed and agreeing >= enough) or strict >= enough_strict:
                    return Outcome("agree", strict, agreeing)
                if points.constant_misses:
                    break
        except VerificationError as error:
            return Outcome("void", reason=error.message)
        reason = "no points were found at which all radicands and arguments of log are positive"
        return Outcome("open", strict, agreeing, reason, points.constant_misses)

    def _point_sets(self, left: Expr, right: Expr, level: int, branching: bool, repair: bool) -> Iterator[Points]:
        if not branching:
            yield self._set("few", self.points)
        yield self._set("many", WIDE)
        yield self._set("more", 4 * WIDE)
        yield from list(self._repaired)
        while repair and len(self._repaired) < _REPAIRS:
            repaired = self._repair(left, right, level, len(self._repaired))
            self._repaired.append(repaired)
            yield repaired

    def _set(self, name: str, count: int) -> Points:
        if name not in self._sets:
            self._sets[name] = Points(count, self.sizes, key_of(self.key, name), self.moving)
        return self._sets[name]

    def _repair(self, left: Expr, right: Expr, level: int, number: int) -> Points:
        """Points at which as many as possible of the needed residues are residues."""
        points = Points(WIDE, self.sizes, key_of(self.key, "repair", number), self.moving, guess=True)
        cost = _misses(points, left, right, level)
        improved = 0
        for round_ in range(_ROUNDS if points.free else 0):
            if (cost == 0).sum() >= WIDE // 2 or round_ - improved > 4 * len(points.free) + _PATIENCE:
                break
            trial = Points(WIDE, self.sizes, points.key, self.moving, _proposal(points, round_), guess=True)
            trial_cost = _misses(trial, left, right, level)
            points.adopt(trial, trial_cost <= cost)
            improved = round_ if (trial_cost < cost).any() else improved
            cost = np.minimum(cost, trial_cost)
        return Points(WIDE, self.sizes, points.key, self.moving, points.free)

    # --- floating point -----------------------------------------------------------------------------------------------

    def floating(self, left: Expr, right: Expr) -> tuple[Literal["agree", "differ", "unclear", "void"], float]:
        """What floating point says of left = right, and the largest relative difference.

        Points of many kinds are tried (see sampling.STRATEGIES); those count at which both sides are finite, and only
        well conditioned ones can tell a difference.
        """
        worst = 0.0
        nodes = list(postorder(left, right))
        entries = sum(rows * columns for rows, columns in (size_of(node, self.sizes) for node in nodes))
        few = max(2, min(_FLOAT_POINTS, _FLOAT_ENTRIES // entries))
        many = max(few, min(_MANY_FLOAT_POINTS, _FLOAT_ENTRIES // entries))
        for last, count in ((False, few), (True, many)):
            evaluation = Evaluation({}, self.sizes) if last else self._floats
            difference, comfortable = self._relative_difference(evaluation, left, right, nodes, count)
            finite = np.isfinite(difference)
            known = difference[finite & comfortable]
            if known.size < 2 and not last:
                continue
            if known.size:
                worst = float(known.max())
                differing = int((known > _DIFFER).sum())
                if differing == known.size or differing >= max(2, known.size // 32):
                    return "differ", worst
                return ("agree", worst) if worst <= _AGREE or not differing else ("unclear", worst)
            if finite.any():
                worst = float(difference[finite].max())
                return ("agree" if worst <= _AGREE else "unclear"), worst
        return "void", worst

    def _relative_difference(
        self, evaluation: Evaluation, left: Expr, right: Expr, nodes: Sequence[Expr], count: int
    ) -> tuple[Real, Mask]:
        """max|L - R| at every point, relative to L, R and (slightly) to the largest value on the way; and whether the
        point is well conditioned."""
        if any(v.shape[0] not in (1, count) for v in evaluation.values.values()):
            evaluation.values.clear()
        missing = [n for n in nodes if n.op in ("sym", "d") and n not in evaluation.values]
        try:
            evaluation.values.update(floats(missing, self.sizes, count, self.key))
        except VerificationError:
            return np.full(count, np.nan), np.zeros(count, dtype=np.bool_)
        a, b = evaluation.value(left), evaluation.value(right)
        margin, largest = survey(evaluation, nodes, count, ignoring=KINKS - JUMPS)
        with np.errstate(all="ignore"):
            size = np.maximum(np.abs(a).max(axis=(1, 2)), np.abs(b).max(axis=(1, 2))) + 1e-10 * largest
            difference = np.broadcast_to(np.abs(a - b).max(axis=(1, 2)), (count,))
            relative = np.where(difference == 0, 0 * size, difference / size)
        least, most = TOLERABLE
        return np.asarray(relative), (margin >= least) & (largest <= most)


def _compare_at(points: Points, left: Expr, right: Expr, level: int) -> tuple[Mask, Mask, Mask]:
    a, b = points.value(left, level), points.value(right, level)
    agree = np.broadcast_to((a == b).all(axis=(1, 2)), (points.count,))
    none = np.zeros(points.count, dtype=np.bool_)
    places = ((left, level), (right, level))
    dead = points.dead.get(places[0], none) | points.dead.get(places[1], none)
    soft = points.soft.get(places[0], none) | points.soft.get(places[1], none)
    return agree, dead, soft


def _misses(points: Points, left: Expr, right: Expr, level: int) -> Array:
    """How many entries at each point are not residues and should be; a value that does not exist weighs 1000."""
    _, dead, _ = _compare_at(points, left, right, level)
    cost = 1000 * dead.astype(np.int64)
    for missed in points.misses.values():
        cost = cost + missed.sum(axis=(1, 2))
    return cost


def _proposal(points: Points, round_: int) -> dict[tuple[Expr, int], Array]:
    """The free residues, those of one symbol drawn again near the entries that miss.

    The rounds go through the symbols, and for each through: the entries at the places of the misses (where the shapes
    are the same), their rows, their columns, one random half of the entries.
    """
    free = dict(points.free)
    places = list(free)
    place = places[(round_ // 4) % len(places)]
    symbol, level = place
    old = free[place]
    fresh = FIELDS[level].draw(key_of(points.key, "again", round_, symbol.shape[0].text), old.shape)
    again = np.zeros(old.shape, dtype=np.bool_)
    for missed in points.misses.values():
        match round_ % 4:
            case 0 if missed.shape[1:] == old.shape[1:]:
                again |= missed
            case 1 if missed.shape[1] == old.shape[1]:
                again |= missed.any(axis=2, keepdims=True)
            case 2 if missed.shape[2] == old.shape[2]:
                again |= missed.any(axis=1, keepdims=True)
            case 3:
                again |= missed.any(axis=(1, 2), keepdims=True) & (fresh % 2 == 0)
    free[place] = np.where(again, fresh, old)
    return free
