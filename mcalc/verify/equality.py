"""Whether two expressions are equal, with a counterexample where they are not.

In: two expressions. Out: an `Equality`: proved equal, or refuted by values that anyone can check, or undecided.

A counterexample is looked for with small integers at small sizes (a symmetric matrix stays symmetric, a positive
definite one is L L^T with integer L), then with the real points of mcalc/verify/domain.py, and is kept if the two sides
are both finite and clearly differ; the smallest one wins.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from mcalc.algebra.expr import Expr, postorder
from mcalc.algebra.operators import add, neg
from mcalc.algebra.shape import shape_text
from mcalc.errors import NotSupported, VerificationError
from mcalc.verify.domain import JUMPS, KINKS, places, survey
from mcalc.verify.exact import Differentials, Expand, Prover, Status
from mcalc.verify.field import words
from mcalc.verify.layout import Sizes
from mcalc.verify.numeric import Evaluation, Real, inverse
from mcalc.verify.sampling import Arithmetic, differential_subspace, masked, size_of, symbol_key
from mcalc.verify.sizes import Requirements

_CANDIDATES = 96
_MARGIN, _LARGEST = 1e-3, 1e6
_CLEAR = 1e-6


@dataclass(frozen=True, slots=True)
class Counterexample:
    """Values of the symbols and sizes of the dimensions at which the two sides differ, and the two values."""

    values: dict[Expr, Real]
    sizes: dict[str, int]
    left: Real
    right: Real

    def __str__(self) -> str:
        seen = {name for symbol in self.values for dim in symbol.shape for name in dim.names()}
        sizes = [f"{name} = {size}" for name, size in self.sizes.items() if name not in seen]
        given = ", ".join([*(f"{symbol} = {_shown(value)}" for symbol, value in self.values.items()), *sizes])
        return f"{_shown(self.left)} and {_shown(self.right)}" + (f" at {given}" if given else "")


@dataclass(frozen=True, slots=True)
class Equality:
    """The answer. `reason` says how it was proved, or why it is undecided."""

    status: Status
    counterexample: Counterexample | None = field(default=None)
    reason: str = ""

    def __bool__(self) -> bool:
        return self.status == "proved"


def equal(
    a: Expr, b: Expr, *, variables: Collection[Expr] = (), expand: Expand | None = None, seed: int = 0
) -> Equality:
    """Whether a = b wherever both are defined, whatever the values of the symbols and the sizes of the dimensions.

    `variables` and `expand` are those of `Prover`, where differentials occur.
    """
    if a.shape != b.shape:
        return Equality("refuted", reason=f"the shapes differ: {shape_text(a.shape)} and {shape_text(b.shape)}")
    verdict = Prover(a, b, variables=variables, seed=seed, expand=expand).prove(a, b)
    differentials = Differentials(variables, expand, lambda left, right: False)
    try:
        left, right = differentials.write_out(a), differentials.write_out(b)
    except NotSupported as error:
        return Equality("undecided", reason=error.message)
    if differentials.free:
        return Equality("undecided", reason=verdict.detail)
    if verdict.proved:
        # random points meet no kink: what differs at ties only (x >= y and x > y) is looked for among small integers
        tie = counterexample(left, right, seed, kinks=True) if _has_kinks(left, right) else None
        return Equality("proved", reason=verdict.method) if tie is None else Equality("refuted", tie, "only at a kink")
    found = counterexample(left, right, seed)
    if found is not None:
        return Equality("refuted", found, verdict.detail)
    return Equality("undecided", reason=verdict.detail or "the two sides differ, but not clearly at any small point")


def _has_kinks(*roots: Expr) -> bool:
    return any(node.op in KINKS for node in postorder(*roots))


def counterexample(left: Expr, right: Expr, seed: int = 0, *, kinks: bool = False) -> Counterexample | None:
    """Values at which both sides are defined and clearly differ, as simple as can be found, or None.

    With `kinks`, only small integers are tried, and kinks are not avoided.
    """
    nodes = list(postorder(left, right))
    unknowns = [n for n in nodes if n.op in ("sym", "d")]
    requirements = Requirements()
    requirements.include(left, right)
    for sizes in requirements.smallest():
        for largest in (1, 3, 9):
            try:
                values = {x: _integers(x, sizes, largest, seed) for x in unknowns}
            except VerificationError:
                break
            found = _clearest(left, right, nodes, values, sizes, kinks)
            if found is not None:
                return found
    if kinks:
        return None
    try:
        for place in islice(places(add(left, neg(right)), unknowns, requirements, seed), 3):
            found = _clearest(left, right, nodes, place.values, place.sizes, False)
            if found is not None:
                return found
    except VerificationError:
        pass
    return None


def _clearest(
    left: Expr, right: Expr, nodes: Sequence[Expr], values: dict[Expr, Real], sizes: Sizes, kinks: bool
) -> Counterexample | None:
    """The point with the smallest entries at which the sides are finite, well conditioned, and differ."""
    count = max((v.shape[0] for v in values.values()), default=1)
    evaluation = Evaluation(values, sizes)
    a, b = evaluation.value(left), evaluation.value(right)
    margin, largest = survey(evaluation, nodes, count, ignoring=KINKS if kinks else KINKS - JUMPS)
    with np.errstate(all="ignore"):
        size = np.maximum(np.abs(a).max(axis=(1, 2)), np.abs(b).max(axis=(1, 2)))
        difference = np.abs(a - b).max(axis=(1, 2))
        clear = (margin >= _MARGIN) & (largest <= _LARGEST) & (difference > _CLEAR * np.maximum(size, 1e-3 * largest))
    if not clear.any():
        return None
    weight = sum((np.abs(v).sum(axis=(1, 2)) for v in values.values()), start=np.zeros(count))
    k = int(np.argmin(np.where(clear, weight, np.inf)))
    return Counterexample({x: _at(v, k) for x, v in values.items()}, dict(sizes), _at(a, k), _at(b, k))


def _at(a: Real, k: int) -> Real:
    return np.asarray(a[k if a.shape[0] > 1 else 0] + 0.0)


def _integers(x: Expr, sizes: Sizes, largest: int, seed: int) -> Real:
    """Small integer values of a symbol, simple ones first; a stack."""
    drawn = words(symbol_key(seed, x, "integer", largest), (_CANDIDATES, *size_of(x, sizes)))
    raw = (drawn % np.uint64(2 * largest + 1)).astype(np.float64) - largest
    raw[:3] = np.array([0.0, 1.0, -1.0])[:, None, None]
    if x.op == "d":
        return np.asarray(masked(raw, differential_subspace(x.args[0])), dtype=np.float64)
    arithmetic = Arithmetic(
        reduce=lambda m: m,
        matmul=np.matmul,
        inverse=inverse,
        positive=lambda m: np.abs(m) % largest + 1,
        coin=lambda m: m > 0,
    )
    return np.asarray(arithmetic.build(x, raw), dtype=np.float64)


def _shown(a: Real) -> str:
    if a.size == 1:
        return f"{a.item():.6g}"
    clean = np.where(np.abs(a) < 1e-12 * np.abs(a).max(), 0.0, a)
    rows = "; ".join(", ".join(f"{v:.6g}" for v in row) for row in clean)
    return f"[{rows}]"
