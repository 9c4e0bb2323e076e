"""Floating point and high precision, where exact arithmetic does not decide; and a screen for guesses.

In: two expressions in symbols and their differentials. Out: whether they agree to 40 digits at random places in their
domain (mcalc/verify/domain.py). `Screen` asks the same of many expressions, quickly and in double precision: what
passes it is still to be proved.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np
import numpy.typing as npt

from mcalc.algebra.expr import Expr, postorder
from mcalc.algebra.operators import add, neg
from mcalc.errors import McalcError, VerificationError
from mcalc.verify.domain import Place, places
from mcalc.verify.numeric import Evaluation, Real
from mcalc.verify.precise import evaluate_mp
from mcalc.verify.sampling import floats
from mcalc.verify.sizes import Requirements

_PLACES = 3
_MANY, _FEW = 2048, 16
_AGREE = 1e-7
_PRECISE = 1e-40
_ROUNDED = 1e-12
"""Where a property (orthogonal) holds only as well as double precision holds it."""


def _places(left: Expr, right: Expr, count: int, seed: int = 0) -> list[Place]:
    """Places at which both sides are defined, each with sizes of its own."""
    requirements = Requirements()
    requirements.include(left, right)
    unknowns = [n for n in postorder(left, right) if n.op in ("sym", "d")]
    whole = add(left, neg(right)) if left.shape == right.shape else left
    return list(islice(places(whole, unknowns, requirements, seed), count))


def agree_precisely(left: Expr, right: Expr) -> bool:
    """Whether two expressions agree to about 40 digits at every place that is tried."""
    try:
        found = _places(left, right, _PLACES)
        rounded = any(n.op == "sym" and n.attrs[1] & {"orthogonal"} for n in postorder(left, right))
        for place in found:
            values = {s: v[0] for s, v in place.values.items()}
            a, b = (evaluate_mp(e, values, place.sizes) for e in (left, right))
            size = max(max(abs(t) for t in a.flat), max(abs(t) for t in b.flat))
            gap = max(abs(s - t) for s, t in zip(a.flat, b.flat, strict=True))
            if not gap <= (_ROUNDED if rounded else _PRECISE) * (1 + size):
                return False
    except (McalcError, ZeroDivisionError, ArithmeticError, ValueError):
        return False
    return len(found) == _PLACES


def nowhere_defined(left: Expr, right: Expr) -> bool:
    """Whether the right-hand side has no value at any of many points at which the left-hand side has one."""
    requirements = Requirements()
    requirements.include(left, right)
    unknowns = [n for n in postorder(left, right) if n.op in ("sym", "d")]
    tried = 0
    for sizes in islice(requirements.choices(), 2):
        try:
            evaluation = Evaluation(floats(unknowns, sizes, _MANY, 1), sizes)
        except VerificationError:
            continue
        here = _finite(evaluation.value(left))
        if (here & _finite(evaluation.value(right))).any():
            return False
        tried += int(here.sum())
    return tried >= _FEW


def _finite(value: Real) -> npt.NDArray[np.bool_]:
    return np.asarray(np.isfinite(value).all(axis=(1, 2)))


class Screen:
    """Values of one expression at a few places, with which others are compared."""

    def __init__(self, target: Expr, example: Expr) -> None:
        """`example` has the symbols that the others may have."""
        self.target = target
        self._evaluations: list[tuple[Evaluation, Real]] = []
        try:
            for place in _places(target, example, 2):
                evaluation = Evaluation(place.values, place.sizes)
                self._evaluations.append((evaluation, evaluation.value(target)))
        except VerificationError:
            pass

    @property
    def ready(self) -> bool:
        """Whether there are places to compare at."""
        return bool(self._evaluations)

    def passes(self, e: Expr) -> bool:
        """Whether the expression agrees with the target at every place, to double precision."""
        if e.shape != self.target.shape or not self._evaluations:
            return False
        for evaluation, wanted in self._evaluations:
            value = self._value(evaluation, e)
            if value is None:
                return False
            gap = np.abs(value - wanted).max()
            if not gap <= _AGREE * max(float(np.abs(wanted).max()), 1e-6):
                return False
        return True

    def ratio(self, e: Expr) -> float | None:
        """target / e, where that is one number for all entries and places."""
        found: list[float] = []
        if e.shape != self.target.shape:
            return None
        for evaluation, wanted in self._evaluations:
            value = self._value(evaluation, e)
            if value is None:
                return None
            size = float((value * value).sum())
            if size == 0:
                return None
            c = float((value * wanted).sum()) / size
            if not np.abs(c * value - wanted).max() <= _AGREE * np.abs(wanted).max():
                return None
            found.append(c)
        if not found or max(found) - min(found) > _AGREE * abs(found[0]):
            return None
        return found[0]

    def _value(self, evaluation: Evaluation, e: Expr) -> Real | None:
        try:
            value = evaluation.value(e)
        except (McalcError, np.linalg.LinAlgError, KeyError):
            return None
        return value if value.size and np.isfinite(value).all() else None


def ratios() -> Iterator[tuple[int, int]]:
    """Small ratios, the plainest first."""
    yield from ((2, 1), (1, 2), (3, 1), (1, 3), (4, 1), (1, 4), (3, 2), (2, 3))
