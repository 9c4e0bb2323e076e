"""Orders of products for data of other sizes: one program for each, where one order would lose much.

In: a way to lower a program for given sizes; out: that for nominal sizes, and those for data where some
dimension is the smallest. Of the orders of a chain of n matrices, n + 1 are enough to be within a factor of two of the
best at all sizes: those that multiply from the smallest dimension outwards (Lopez, Karlsson and Bientinesi 2023, On the
parenthesisations of matrix chains: all are useful, few are essential).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

from mcalc.program.builder import Builder
from mcalc.program.ir import arrays
from mcalc.program.operations import habit
from mcalc.program.procedure import Procedure

LOSS = 4.0
"""An order that takes more than so many times the time of the best one is not kept for all sizes."""
MOST = 12
"""Programs in which the order of products depends on more dimensions than this have one procedure: each dimension takes
a lowering of its own."""
LARGE = 10.0
"""How much larger than the smallest dimension the others are."""
SMALLEST = 100.0
"""The most that the smallest dimension is."""


class Lowered(Protocol):
    """A program with its procedure."""

    @property
    def procedure(self) -> Procedure:
        """The procedure."""


L = TypeVar("L", bound=Lowered)


def orders(lower: Callable[[Mapping[str, float]], L], typical: Mapping[str, float]) -> dict[str, L]:
    """The programs that are lowered for different sizes, by the dimension that is the smallest of those given as keys.

    Keys may share a program; the first ones have that for nominal sizes. Where it does for all sizes, its key is "".
    """
    nominal = lower(typical)
    contested = [name for name in nominal.procedure.builder.contested if name not in typical]
    if not 1 < len(contested) <= MOST:
        return {"": nominal}
    chosen = [nominal]
    found: dict[str, L] = {}
    for name in contested:
        scene = {**scene_of(name, contested), **typical}
        own = lower(scene)
        limit = LOSS * work(own, scene)
        best = min(chosen, key=lambda program: work(program, scene))
        if work(best, scene) > limit:
            best = own
            chosen.append(own)
        found[name] = best
    if len(chosen) == 1:
        return {"": nominal}
    return dict(sorted(found.items(), key=lambda item: item[1] is not nominal))


def scene_of(smallest: str, names: Sequence[str]) -> dict[str, float]:
    """Sizes at which one of several dimensions is the smallest."""
    size = min(habit(smallest), SMALLEST)
    return {name: size if name == smallest else max(habit(name), LARGE * size) for name in names}


def work(program: Lowered, sizes: Mapping[str, float]) -> float:
    """The time of a program in ns, an iteration of each of its loops counted once."""
    judge = Builder(sizes)
    return sum(map(judge.work, arrays(*(cell.array for block in program.procedure.blocks for cell in block.cells))))
