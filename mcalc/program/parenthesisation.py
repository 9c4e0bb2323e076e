"""The order of a chain of products.

In: factors in order; out: one piece. The order is the one of least work at nominal sizes, by dynamic programming over
intervals (Godbole 1973), where what is computed already costs nothing. Sizes are guesses: where W^T W M and W^T (W M)
win at different sizes, the order that can lose little is taken (`_steadiest`).

`trace` does the same for tr(A B … Z), a cyclic chain: some two intervals P, Q are formed and tr(P Q) is a sum of
products of entries.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from mcalc.algebra.shape import ONE
from mcalc.program.builder import Builder, Term
from mcalc.program.chain_orders import Chain, Tree
from mcalc.program.operations import habit
from mcalc.program.products import Piece, contraction, product, trace_of, transposed
from mcalc.program.signs import COMPUTED, nonnegative

LONGEST = 24
"""Longer chains are evaluated in runs of this many, from the end at which there is a vector."""

FEW = 6
"""Orders of chains of up to this length are compared at several sizes."""
SMALL = 50.0
FLIPPED = {True: 1000.0, False: 10.0}
"""What a dimension that is usually small, or large, may be as well."""
MOST_SHARED = 8.0
"""Two runs whose products together take so many times the best are not tried, though some of the products are one."""
RISK = 0.5
"""What an order may lose at nominal sizes for being the better one at others."""


def chain(b: Builder, pieces: Sequence[Piece]) -> Piece:
    """The product of the pieces, in the cheapest order."""
    whole = _in_order(b, pieces)
    root = _root_of_gram(b, pieces)
    if root is not None:
        half = _in_order(b, root)
        gram = product(b, transposed(b, half), half)
        if b.cost(b.array(gram.term)) < b.cost(b.array(whole.term)):
            return gram
    return whole


def _root_of_gram(b: Builder, pieces: Sequence[Piece]) -> list[Piece] | None:
    """The factors of Z, with Z^T Z the product, where it is A^T diag(u) A and u >= 0.

    What is nonnegative but for rounding is cut at zero, which it cannot be further from than what was computed.
    """
    middle = len(pieces) // 2
    if len(pieces) % 2 == 0 or middle == 0 or pieces[0].rows is ONE or pieces[middle].term.core.op != "diagonal":
        return None
    if any(transposed(b, x) != y for x, y in zip(pieces[:middle], reversed(pieces[middle + 1 :]), strict=True)):
        return None
    term = pieces[middle].term
    u = term.core.args[0]
    sure = nonnegative(b.facts, u)
    if not (term.plain and sure):
        return None
    cut = u if sure == COMPUTED else b.node("maximum", u, b.number(0))
    root = u if u.kind == "bool" else b.node("sqrt", cut)
    return [pieces[middle]._replace(term=Term(b.diagonal(root))), *pieces[middle + 1 :]]


def _in_order(b: Builder, pieces: Sequence[Piece]) -> Piece:
    """The product of the pieces by products of two."""
    run = list(pieces)
    while len(run) > LONGEST:
        part = slice(-LONGEST, None) if run[-1].columns is ONE else slice(LONGEST)
        run[part] = [Chain(b, run[part]).best().piece(b)]
    if len(run) < 3:
        return run[0] if len(run) == 1 else product(b, *run)
    if len(run) > FEW:
        b.contested.update(_dimensions(run))
    whole = Chain(b, run)
    return _steadiest(b, whole) if len(run) <= FEW and len(b.settled) else whole.best().piece(b)


def _steadiest(b: Builder, whole: Chain) -> Piece:
    """The order that loses least at unusual sizes, among those that lose little at nominal ones.

    What an order loses is the time it takes beyond the best order, relative to the whole program with that one.
    """
    names = _dimensions(whole.pieces)
    scales = [b.scale(scene) for scene in scenes_of(names)]
    orders, times = whole.compared(scales)
    if len(orders) == 1:
        return orders[0]()
    b.contested.update(names)
    losses: list[list[float]] = [[] for _ in orders]
    for taken, elsewhere in zip(times, b.elsewhere(scales), strict=True):
        least = min(taken)
        rest = least + elsewhere
        for lost, time in zip(losses, taken, strict=True):
            lost.append((time - least) / rest)
    fair = [(max(lost), k) for k, lost in enumerate(losses) if lost[0] <= RISK]
    return orders[min(fair)[1]]()


def scenes_of(names: Iterable[str]) -> list[dict[str, float]]:
    """Sizes that are not unusual: nominal ones, and those where one dimension is as small, or as large, as may be."""
    return [{}, *({name: FLIPPED[habit(name) < SMALL]} for name in names)]


def _dimensions(pieces: Sequence[Piece]) -> dict[str, None]:
    """The names of the dimensions of a chain."""
    return dict.fromkeys(name for p in pieces for d in (p.rows, p.columns) for name in d.names())


def trace(b: Builder, pieces: Sequence[Piece]) -> Term:
    """tr of the product of the pieces."""
    count = len(pieces)
    for i, piece in enumerate(pieces):
        if piece.rows is ONE and count > 1:
            return chain(b, [*pieces[i:], *pieces[:i]]).term
    if count == 1:
        return trace_of(b, pieces[0])
    if count > LONGEST:
        return trace(b, [*(chain(b, pieces[i : i + LONGEST]) for i in range(0, count, LONGEST))])
    b.contested.update(_dimensions(pieces) if count > 2 else {})
    given = frozenset(piece.term.core for piece in pieces if b.inverse_base(piece.term.core) is None)
    orders = Chain(b, pieces, cyclic=True).cyclic_orders()
    cuts: list[tuple[float, Tree, Tree]] = []
    for i in range(count):
        for length in range(count - 1, (count - 1) // 2, -1):
            if 2 * length > count or i < count // 2:
                (before, left), (after, right) = orders[i][length - 1], orders[(i + length) % count][count - length - 1]
                cuts.append((before + after, left, right))
    least, choice, made = math.inf, -1, None
    for place, (apart, left, right) in sorted(enumerate(cuts), key=lambda item: item[1][0]):
        if apart > MOST_SHARED * least:
            break
        term = contraction(b, left.piece(b), right.piece(b))
        cost = b.cost(b.array(term), given)
        if made is None or cost < least - 1e-6 or (cost <= least + 1e-6 and place < choice):
            least, choice, made = cost, place, term
    assert made is not None
    return made
