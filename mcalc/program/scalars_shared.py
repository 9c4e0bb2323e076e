"""One scalar for several results: what only they read is multiplied, and they are not.

2 Z A^T and 2 B^T Z, which alone read Z, are Z' A^T and B^T Z' with Z' = 2 Z. In: arrays; out: the same values, with
fewer multiplications by scalars.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from mcalc.program.builder import Builder
from mcalc.program.ir import Array, arrays, is_gram, is_linear
from mcalc.program.operations import ATOMS, VIEWS

UNSCALED = ATOMS | VIEWS | {"scale"}
"""What is not multiplied itself."""

ROUNDS = 8
"""So often a scalar may move on towards the data."""


def scalars_shared(b: Builder, roots: Sequence[Array]) -> list[Array]:
    """The roots with one scalar where several results have the same."""
    found = [*roots]
    for _ in range(ROUNDS):
        before, found = found, _shared(b, found)
        if found == before:
            break
    return found


def _shared(b: Builder, roots: Sequence[Array]) -> list[Array]:
    order = [*arrays(*roots)]
    readers: dict[Array, list[Array]] = {}
    for a in order:
        for x in a.args:
            readers.setdefault(x, []).append(a)
    fixed = {*roots}
    factor: dict[Array, Array] = {}
    idle: set[Array] = set()
    for a in reversed(order):
        found = readers.get(a, [])
        if a in fixed or len(found) < 2 or not a.rank or a.op in UNSCALED or is_gram(a):
            continue
        scales = [_scale_over(a, y, readers, fixed) for y in found]
        ends = {s for s in scales if s is not None}
        if None in scales or ends & idle or len(ends) < 2 or len({s.attrs for s in ends}) > 1:
            continue
        if prod(b.lengths(a.shape)) <= sum(prod(b.lengths(s.shape)) for s in ends):
            idle |= ends
            factor[a] = next(iter(ends))
    if not factor:
        return [*roots]
    new: dict[Array, Array] = {}
    for a in order:
        args = [new[x] for x in a.args]
        made = args[0] if a in idle else a
        if a not in idle and any(x is not y for x, y in zip(args, a.args, strict=True)):
            made = b.node(a.op, *args, attrs=a.attrs)
        new[a] = b.node("scale", made, attrs=factor[a].attrs) if a in factor else made
    return [new[root] for root in roots]


def _scale_over(x: Array, a: Array, readers: dict[Array, list[Array]], fixed: set[Array]) -> Array | None:
    """The multiplication by a number that a reader of an array ends in, if it is linear in the array until there."""
    while a.op != "scale":
        if not is_linear(a, x) or a.args.count(x) > 1 or a in fixed or len(readers.get(a, ())) != 1:
            return None
        x, a = a, readers[a][0]
    return a if len(a.args) == 1 and a.args[0] is x and a.rank else None
