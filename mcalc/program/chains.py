"""Products of three matrices whose order is left to the call.

In: arrays; out: the same values, where A B C is one operation if (A B) C and A (B C) both take much longer than the
other at sizes that are not unusual. W^T W D is such a product: by W^T W where W is tall, by W D where it is wide. Where
one of the two smaller products is read by something else, too, the order stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence

from mcalc.program.builder import Builder
from mcalc.program.ir import Array, arrays
from mcalc.program.parenthesisation import scenes_of
from mcalc.program.share import substituted

LOSS = 2.0
"""An order that takes more than so many times the time of the other one is not kept for all sizes."""


def orders_left_open(b: Builder, roots: Sequence[Array]) -> list[Array]:
    """The roots with the products of three matrices as one operation where no order is good at all sizes."""
    uses: dict[Array, int] = {}
    order = list(arrays(*roots))
    for x in (*roots, *(x for a in order for x in a.args)):
        uses[x] = uses.get(x, 0) + 1
    found: dict[Array, Array] = {}
    for a in order:
        factors = _factors(a, uses)
        if factors is not None and not any(x in found for x in a.args) and _is_open(b, factors):
            found[a] = b.node("chain", *factors)
    return [substituted(b, root, found) for root in roots] if found else list(roots)


def _factors(a: Array, uses: dict[Array, int]) -> tuple[Array, Array, Array] | None:
    """A, B, C where this is (A B) C or A (B C), of matrices, and nothing else reads the smaller product."""
    if not _is_product(a):
        return None
    left, right = a.args
    if _is_product(left) and uses[left] == 1:
        return left.args[0], left.args[1], right
    if _is_product(right) and uses[right] == 1:
        return left, right.args[0], right.args[1]
    return None


def _is_product(a: Array) -> bool:
    return a.op == "matmul" and all(x.rank == 2 for x in a.args)


def _is_open(b: Builder, factors: tuple[Array, Array, Array]) -> bool:
    """Whether each order takes much longer than the other at some sizes."""
    first, second, third = factors
    forward, backward = b.node("matmul", first, second), b.node("matmul", second, third)
    orders = ((forward, b.node("matmul", forward, third)), (backward, b.node("matmul", first, backward)))
    loses = [False, False]
    names = dict.fromkeys(n for x in factors for d in x.shape for n in d.names())
    for scene in scenes_of(names):
        with b.sizes(scene):
            one, other = (sum(map(b.work, order)) for order in orders)
        loses[0] |= one > LOSS * other
        loses[1] |= other > LOSS * one
    return all(loses)
