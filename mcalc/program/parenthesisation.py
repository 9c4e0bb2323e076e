"""The order of a chain of products.

In: factors in order; out: one piece. The order is the one of least work at nominal sizes, by dynamic programming over
intervals (Godbole 1973), where what is computed already costs nothing. Sizes are guesses: where W^T W M and W^T (W M)
win at different sizes, the order that can lose little is taken (`_steadier`).

`trace` does the same for tr(A B … Z), a cyclic chain: some two intervals P, Q are formed and tr(P Q) is a sum of
products of entries.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mcalc.algebra.functions import FUNCTIONS
from mcalc.algebra.shape import ONE
from mcalc.program.builder import Builder, Term
from mcalc.program.ir import Array
from mcalc.program.operations import OPERATIONS, habit
from mcalc.program.products import Piece, contraction, product, trace_of

LONGEST = 24
"""Longer chains are evaluated in runs of this many, from the end at which there is a vector."""

FEW = 6
"""Orders of chains of up to this length are compared at several sizes."""
SMALL = 50.0
FLIPPED = {True: 1000.0, False: 10.0}
"""What a dimension that is usually small, or large, may be as well."""
RISK = 0.5
"""What an order may lose at nominal sizes for being the better one at others."""

TRANSPOSE = 500.0
"""What a transposed operand counts, in ns: enough to prefer x^T (A y) to (A^T x)^T y."""


class _Part:
    """The cheapest way to form a part of a chain; a product of ordinary matrices is not made before it is wanted."""

    __slots__ = ("_halves", "_piece", "cost", "is_leaf", "is_turned", "ordinary", "size")

    def __init__(self, b: Builder, cost: float, piece: Piece | None, halves: tuple[_Part, _Part] | None = None) -> None:
        self.cost = cost
        self._piece = piece
        self._halves = halves
        if piece is not None:
            core = piece.term.core
            self.is_turned = core.op == "T"
            inner = core.args[0] if self.is_turned else core
            self.is_leaf = inner.op == "arg"
            self.ordinary = core.rank == 2 and inner.op in _ORDINARY
            """Whether this is a matrix that is multiplied entry by entry."""
            rows, columns = b.lengths((piece.rows, piece.columns))
            self.size = rows, columns
        elif halves is not None:
            left, right = halves
            self.is_turned = left.is_turned and right.is_turned
            self.is_leaf, self.ordinary = False, True
            self.size = left.size[0], right.size[1]

    def piece(self, b: Builder) -> Piece:
        """The part itself."""
        if self._piece is None:
            assert self._halves is not None
            left, right = self._halves
            self._piece = product(b, left.piece(b), right.piece(b))
        return self._piece


_ORDINARY = frozenset(("arg", "matmul", "sum", "times", "scale", *FUNCTIONS))
"""Operations whose results are multiplied entry by entry."""


def chain(b: Builder, pieces: Sequence[Piece]) -> Piece:
    """The product of the pieces, in the cheapest order."""
    run = list(pieces)
    while len(run) > LONGEST:
        part = slice(-LONGEST, None) if run[-1].columns is ONE else slice(LONGEST)
        run[part] = [_best(b, run[part])[0, LONGEST].piece(b)]
    found = _best(b, run)[0, len(run)].piece(b)
    if len(run) > FEW:
        b.contested.update(_dimensions(run))
    return _steadier(b, run, found) if 2 < len(run) <= FEW and len(b.settled) else found


def _steadier(b: Builder, pieces: Sequence[Piece], best: Piece) -> Piece:
    """The order that loses least at unusual sizes, among those that lose little at nominal ones.

    What an order loses is the time it takes beyond the best order, relative to the whole program with that one.
    """
    names = _dimensions(pieces)
    scenes = scenes_of(names)
    orders = {best.term: best}
    for scene in scenes[1:]:
        with b.sizes(scene):
            other = _best(b, pieces)[0, len(pieces)].piece(b)
        orders.setdefault(other.term, other)
    if len(orders) == 1:
        return best
    b.contested.update(names)
    losses: dict[Term, list[float]] = {term: [] for term in orders}
    for scene in scenes:
        with b.sizes(scene):
            costs = {term: b.cost(b.array(term)) for term in orders}
            least = min(costs.values())
            whole = least + b.elsewhere(scene)
        for term, cost in costs.items():
            losses[term].append((cost - least) / whole)
    fair = [term for term in orders if losses[term][0] <= RISK]
    return orders[min(fair, key=lambda term: max(losses[term]))]


def scenes_of(names: Iterable[str]) -> list[dict[str, float]]:
    """Sizes that are not unusual: nominal ones, and those where one dimension is as small, or as large, as may be."""
    return [{}, *({name: FLIPPED[habit(name) < SMALL]} for name in names)]


def _dimensions(pieces: Sequence[Piece]) -> dict[str, None]:
    """The names of the dimensions of a chain."""
    return dict.fromkeys(name for p in pieces for d in (p.rows, p.columns) for name in d.names())


def _best(b: Builder, pieces: Sequence[Piece], cyclic: bool = False) -> dict[tuple[int, int], _Part]:
    """The cheapest way to form pieces[i : i + length], by (i, length), the pieces themselves given."""
    count = len(pieces)
    best = {(i, 1): _Part(b, 0.0, piece) for i, piece in enumerate(pieces)}
    for length in range(2, count + (0 if cyclic else 1)):
        for i in range(count if cyclic else count - length + 1):
            choice: _Part | None = None
            last = pieces[(i + length - 1) % count]
            forward = last.columns is ONE
            for first in range(1, length) if forward else range(length - 1, 0, -1):
                left, right = best[i, first], best[(i + first) % count, length - first]
                if choice is not None and left.ordinary and right.ordinary and left.cost + right.cost >= choice.cost:
                    continue
                made = _joined(b, left, right)
                if choice is None or made.cost < choice.cost - 1e-6:
                    choice = made
            assert choice is not None
            best[i, length] = choice
    return best


def _joined(b: Builder, left: _Part, right: _Part) -> _Part:
    """The product of two parts, with what it costs."""
    if left.ordinary and right.ordinary:
        if not (left.cost or right.cost) and _is_paid(b, left.piece(b).term.core, right.piece(b).term.core):
            return _Part(b, 0.0, None, (left, right))
        cost = left.cost + right.cost
        cost += OPERATIONS["matmul"].work([left.size, right.size], (left.size[0], right.size[1]))
        if left.is_turned != right.is_turned:
            cost += TRANSPOSE * (1 if (left if left.is_turned else right).is_leaf else 2)
        return _Part(b, cost, None, (left, right))
    made = product(b, left.piece(b), right.piece(b))
    if made.term.core.rank and b.paid(made.term.core):
        return _Part(b, 0.0, made)
    cost = left.cost + right.cost + _formed(b, left.piece(b), right.piece(b), made)
    return _Part(b, cost + TRANSPOSE * sum(_transposes(a) for a in made.term.core.args), made)


def _is_paid(b: Builder, x: Array, y: Array) -> bool:
    """Whether the product of two matrices is there, and computed in any case."""
    yt, xt = _turned(b, y), _turned(b, x)
    there = [b.find("matmul", x, y), b.find("matmul", yt, xt) if xt is not None and yt is not None else None]
    return any(
        node is not None and any(a is not None and b.paid(a) for a in (node, b.find("T", node))) for node in there
    )


def _turned(b: Builder, a: Array) -> Array | None:
    """The transpose, if it is there."""
    return a if a in b.symmetric else a.args[0] if a.op == "T" else b.find("T", a)


def _transposes(a: Array) -> int:
    if a.op != "T":
        return 0
    return 1 if a.args[0].op == "arg" else 2


def _formed(b: Builder, left: Piece, right: Piece, made: Piece) -> float:
    """The cost of a product, and of forming inverses that it multiplies by as matrices."""
    total = _step_cost(b, left, right, made)
    core = made.term.core
    operands = core.args[0].args if core.op == "T" else core.args
    for piece in (left, right):
        x = piece.term.core
        if b.inverse_base(x) is not None and (x in operands or b.transpose(x) in operands):
            total += b.own_cost(x if x.op == "inv" else x.args[0])
    return total


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
    best = _best(b, pieces, cyclic=True)
    choice: tuple[float, Term] | None = None
    for i in range(count):
        for length in range(count - 1, 0, -1):
            rest = count - length
            left, right = best[i, length], best[(i + length) % count, rest]
            if length < rest or (length == rest and i >= count // 2):
                continue
            made = contraction(b, left.piece(b), right.piece(b))
            cost = b.cost(b.array(made), given)
            if choice is None or cost < choice[0] - 1e-6:
                choice = cost, made
    assert choice is not None
    return choice[1]


def _step_cost(b: Builder, left: Piece, right: Piece, made: Piece) -> float:
    """The cost of the last operation of a product: what it adds above its factors."""
    total = 0.0
    known = {left.term.core, right.term.core}
    pending = [made.term.core, *(s for s, _ in made.term.scalars)]
    for s, _ in (*left.term.scalars, *right.term.scalars):
        known.add(s)
    while pending:
        a = pending.pop()
        if a in known:
            continue
        known.add(a)
        total += b.own_cost(a)
        if a.op in ("T", "column", "total", "rows", "columns", "diagonal", "quotient", "times", "outer"):
            pending.extend(a.args)
    return total
