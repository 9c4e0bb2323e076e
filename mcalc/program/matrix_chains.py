"""The cheapest order of a chain of matrices, from their sizes alone.

In: the lengths of the axes, which factors are transposed, and the runs whose product is there already; out: for each
run of factors where it is split. Dynamic programming over intervals (Godbole 1973). Chains that are alike,
as in the layers of a network, are worked out once.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TypeAlias

from mcalc.program.operations import matrix_product

TRANSPOSE = 500.0
"""What a transposed operand counts, in ns: enough to prefer x^T (A y) to (A^T x)^T y."""

Run: TypeAlias = tuple[int, int]
"""A run of factors: the place of the first one, and how many they are."""
Split: TypeAlias = tuple[int, float]
"""How many factors of a run are multiplied first, and what its products take, in ns."""


Order: TypeAlias = tuple[tuple[int, int, int], ...]
"""Products, one after the other: the place of the first factor, how many factors the left one has, how many both."""


def cheapest(lengths: Sequence[float], turned: Sequence[int], free: Sequence[tuple[Run, int]]) -> Order:
    """The cheapest order of a whole chain; see `cheapest_splits`."""
    splits = cheapest_splits(lengths, turned, free, False)
    found: list[tuple[int, int, int]] = []
    pending = [(0, len(turned))]
    while pending:
        i, length = pending.pop()
        if length > 1:
            half, _ = splits[i][length - 2]
            found.append((i, half, length))
            pending += [(i, half), (i + half, length - half)]
    return tuple(reversed(found))


@lru_cache(maxsize=1024)
def compared(
    sizes: Sequence[Sequence[float]], turned: Sequence[int], free: Sequence[tuple[Run, int]]
) -> tuple[list[Order], list[list[float]]]:
    """The orders that are the cheapest ones at some sizes, in order, and what their products take at each of them."""
    paid = dict(free)
    orders = list(dict.fromkeys(cheapest(lengths, turned, free) for lengths in sizes))
    needs = [[(i, i + half, i + length) for i, half, length in order if (i, length) not in paid] for order in orders]
    return orders, [[sum(matrix_product(*(n[k] for k in ends)) for ends in found) for found in needs] for n in sizes]


@lru_cache(maxsize=1024)
def cheapest_splits(
    lengths: Sequence[float], turned: Sequence[int], free: Sequence[tuple[Run, int]], cyclic: bool
) -> list[list[Split]]:
    """The cheapest splits, by the first factor of a run and then by its length (from 2).

    `lengths` are those of the rows of each factor, and of the columns of the last one; `turned` says whether a factor
    is no transpose (0), that of a leaf (1) or that of something else (2); `free` are the runs that cost nothing, with
    the lengths of their left halves. In a cyclic chain the last factor is followed by the first one.
    """
    count = len(turned)
    paid = dict(free)
    splits: list[list[Split]] = [[] for _ in turned]
    # the costs of runs and whether they are transposes: by the first factor, and by the last one with their first axis
    begun = [[(0.0, t)] for t in turned]
    ended = [[(0.0, t, rows)] for t, rows in zip(turned, lengths, strict=False)]
    for length in range(2, count + (0 if cyclic else 1)):
        for i in range(count if cyclic else count - length + 1):
            last = (i + length - 1) % count
            rows, columns = lengths[i], lengths[last + 1]
            half, least = paid.get((i, length), 0), 0.0
            choices = zip(range(length - 1, 0, -1), reversed(begun[i]), ended[last], strict=True)
            for place, (before, x), (after, y, inner) in choices if not half else ():
                cost = before + after
                if half and cost >= least:
                    continue
                cost += matrix_product(rows, inner, columns)
                if not (x and y):
                    cost += TRANSPOSE * (x + y)
                if not half or cost < least - 1e-6:
                    half, least = place, cost
            both = begun[i][half - 1][1] and ended[last][length - half - 1][1]
            splits[i].append((half, least))
            begun[i].append((least, 2 if both else 0))
            ended[last].append((least, 2 if both else 0, rows))
    return splits
