"""The order of a chain of products.

In: factors in order; out: one piece. The order is the one of least work at nominal sizes, by dynamic programming over
intervals (Godbole 1973), where what is computed already costs nothing. Sizes are guesses: where W^T W M and W^T (W M)
win at different sizes, the order that can lose little is taken (`_steadier`).

`trace` does the same for tr(A B … Z), a cyclic chain: some two intervals P, Q are formed and tr(P Q) is a sum of
products of entries.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from mcalc.algebra.functions import FUNCTIONS
from mcalc.algebra.shape import ONE
from mcalc.program.builder import Builder, Term
from mcalc.program.ir import Array
from mcalc.program.matrix_chains import TRANSPOSE, Run, Split, cheapest_splits
from mcalc.program.operations import habit, matrix_product
from mcalc.program.products import Piece, contraction, matmul, product, trace_of, transposed
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


class _Tree:
    """An order of a run of factors: one factor, or the product of two shorter runs, each in its order."""

    __slots__ = ("_paid", "_piece", "_turned", "halves", "is_leaf", "is_turned", "ordinary")
    is_turned: bool
    is_leaf: bool
    ordinary: bool
    """Whether this is a matrix that is multiplied entry by entry."""

    def __init__(self, b: Builder, piece: Piece | None, halves: tuple[_Tree, _Tree] | None = None) -> None:
        self.halves = halves
        self._piece = piece
        self._paid: bool | None = None
        self._turned: tuple[Array, Array | None] | None = None
        if piece is None and not self._is_plain():
            piece = self.piece(b)
        if piece is not None:
            core = piece.term.core
            self.is_turned = core.op == "T"
            inner = core.args[0] if self.is_turned else core
            self.is_leaf = inner.op == "arg"
            self.ordinary = core.rank == 2 and inner.op in _ORDINARY
        elif halves is not None:
            self.is_turned = halves[0].is_turned and halves[1].is_turned
            self.is_leaf, self.ordinary = False, True

    def _is_plain(self) -> bool:
        """Whether this is the product of two matrices that are multiplied entry by entry."""
        return self.halves is not None and self.halves[0].ordinary and self.halves[1].ordinary

    def piece(self, b: Builder) -> Piece:
        """The product; that of ordinary matrices is not made before it is wanted."""
        if self._piece is None:
            assert self.halves is not None
            left, right = self.halves[0].piece(b), self.halves[1].piece(b)
            if self._is_plain() and left.term.plain and right.term.plain:
                self._piece = Piece(left.rows, right.columns, Term(matmul(b, left.term.core, right.term.core)))
            else:
                self._piece = product(b, left, right)
        return self._piece

    def is_paid(self, b: Builder) -> bool:
        """Whether the product of two ordinary matrices is there, and computed in any case."""
        if self._paid is None:
            assert self.halves is not None
            (x, xt), (y, yt) = self.halves[0]._both_ways(b), self.halves[1]._both_ways(b)
            self._paid = _is_paid(b, x, y) or (xt is not None and yt is not None and _is_paid(b, yt, xt))
        return self._paid

    def _both_ways(self, b: Builder) -> tuple[Array, Array | None]:
        """The product, and its transpose, if that is there."""
        if self._turned is None:
            core = self.piece(b).term.core
            self._turned = core, _turned(b, core)
        return self._turned


def _is_paid(b: Builder, x: Array, y: Array) -> bool:
    """Whether X Y, or its transpose, is computed in any case."""
    made = b.find("matmul", x, y)
    return made is not None and (b.paid(made) or ((turned := b.find("T", made)) is not None and b.paid(turned)))


_ORDINARY = frozenset(("arg", "matmul", "sum", "times", "scale", *FUNCTIONS))
"""Operations whose results are multiplied entry by entry."""


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
        run[part] = [_Chain(b, run[part]).best().piece(b)]
    whole = _Chain(b, run)
    found = whole.best()
    made = found.piece(b)
    if len(run) > FEW:
        b.contested.update(_dimensions(run))
    return _steadier(b, whole, found) if 2 < len(run) <= FEW and len(b.settled) else made


def _steadier(b: Builder, whole: _Chain, best: _Tree) -> Piece:
    """The order that loses least at unusual sizes, among those that lose little at nominal ones.

    What an order loses is the time it takes beyond the best order, relative to the whole program with that one.
    """
    names = _dimensions(whole.pieces)
    scenes = scenes_of(names)
    trees = {best}
    orders = {best.piece(b).term: best.piece(b)}
    for scene in scenes[1:]:
        other = whole.best(scene)
        if other not in trees:
            trees.add(other)
            orders.setdefault(other.piece(b).term, other.piece(b))
    if len(orders) == 1:
        return best.piece(b)
    b.contested.update(names)
    needs = [[a for a in b.unpaid([b.array(term)]) if a.op not in ("arg", "T")] for term in orders]
    losses: list[list[float]] = [[] for _ in orders]
    for scene in scenes:
        scale = b.scale(scene)
        costs = [sum([scale.work(a) for a in found]) for found in needs]
        least = min(costs)
        rest = least + b.elsewhere(scene)
        for lost, cost in zip(losses, costs, strict=True):
            lost.append((cost - least) / rest)
    fair = [(max(lost), k) for k, lost in enumerate(losses) if lost[0] <= RISK]
    return [*orders.values()][min(fair)[1]]


def scenes_of(names: Iterable[str]) -> list[dict[str, float]]:
    """Sizes that are not unusual: nominal ones, and those where one dimension is as small, or as large, as may be."""
    return [{}, *({name: FLIPPED[habit(name) < SMALL]} for name in names)]


def _dimensions(pieces: Sequence[Piece]) -> dict[str, None]:
    """The names of the dimensions of a chain."""
    return dict.fromkeys(name for p in pieces for d in (p.rows, p.columns) for name in d.names())


class _Chain:
    """A chain of factors, and the orders of its runs that were met."""

    def __init__(self, b: Builder, pieces: Sequence[Piece], cyclic: bool = False) -> None:
        self.b = b
        self.pieces = pieces
        self.cyclic = cyclic
        """Whether the last factor is followed by the first one."""
        self._leaves = [_Tree(b, piece) for piece in pieces]
        self._trees: dict[tuple[_Tree, _Tree], _Tree] = {}
        self._axes = (*(piece.rows for piece in pieces), pieces[-1].columns)
        self._ordinary = all(leaf.ordinary for leaf in self._leaves)
        self._turned = tuple((1 if leaf.is_leaf else 2) if leaf.is_turned else 0 for leaf in self._leaves)
        self._free: tuple[tuple[Run, int], ...] | None = None

    def best(self, sizes: Mapping[str, float] = MappingProxyType({})) -> _Tree:
        """The cheapest order of the whole chain, where some sizes are not the nominal ones."""
        if not self._ordinary:
            with self.b.sizes(sizes):
                return self._orders()[0][-1][1]
        splits = cheapest_splits(self.b.scale(sizes).lengths(self._axes), self._turned, self._paid_runs(), False)
        return self._order(splits, 0, len(self.pieces))

    def cyclic_orders(self) -> list[list[tuple[float, _Tree]]]:
        """The cheapest order of each run of a cyclic chain, with its cost, by its first factor and then by its length."""
        if not self._ordinary:
            return self._orders()
        count = len(self.pieces)
        splits = cheapest_splits(self.b.lengths(self._axes), self._turned, self._paid_runs(), True)
        found = [[(0.0, leaf)] for leaf in self._leaves]
        for length in range(2, count):
            for i, runs in enumerate(found):
                half, cost = splits[i][length - 2]
                right = found[(i + half) % count][length - half - 1][1]
                runs.append((cost, self._joined(runs[half - 1][1], right)))
        return found

    def _order(self, splits: Sequence[Sequence[Split]], first: int, length: int) -> _Tree:
        """The order of a run."""
        if length == 1:
            return self._leaves[first]
        half, _ = splits[first][length - 2]
        return self._joined(self._order(splits, first, half), self._order(splits, first + half, length - half))

    def _paid_runs(self) -> tuple[tuple[Run, int], ...]:
        """The runs of matrices whose product is computed in any case, with the lengths of their left halves."""
        if self._free is None:
            count = len(self.pieces)
            begun = [{1: leaf} for leaf in self._leaves]
            found: dict[Run, int] = {}
            longest = 1
            for length in range(2, count + (0 if self.cyclic else 1)):
                if length > 2 * longest:
                    break
                for i in range(count if self.cyclic else count - length + 1):
                    for half, left in reversed(begun[i].items()):
                        right = begun[(i + half) % count].get(length - half)
                        if right is not None and (tree := self._joined(left, right)).is_paid(self.b):
                            begun[i][length], found[i, length] = tree, half
                            longest = length
                            break
            self._free = tuple(found.items())
        return self._free

    def _orders(self) -> list[list[tuple[float, _Tree]]]:
        """The cheapest order of each run, with its cost, by its first factor and then by its length."""
        b, count = self.b, len(self.pieces)
        rows, columns = zip(*(b.lengths((piece.rows, piece.columns)) for piece in self.pieces), strict=True)
        # runs with their costs: by the first factor, and by the last one with the length of their first axis
        begun: list[list[tuple[float, _Tree]]] = [[(0.0, leaf)] for leaf in self._leaves]
        ended = [[(0.0, leaf, size)] for leaf, size in zip(self._leaves, rows, strict=True)]
        for length in range(2, count + (0 if self.cyclic else 1)):
            for i in range(count if self.cyclic else count - length + 1):
                last = (i + length - 1) % count
                forward = self.pieces[last].columns is ONE
                halves = (begun[i], reversed(ended[last])) if forward else (reversed(begun[i]), ended[last])
                choice: tuple[_Tree, _Tree] | None = None
                least = 0.0
                for (before, left), (after, right, inner) in zip(*halves, strict=True):
                    cost = before + after
                    if not (left.ordinary and right.ordinary):
                        cost = self._cost(left, right, cost)
                    elif choice is not None and cost >= least:
                        continue
                    elif not cost and self._joined(left, right).is_paid(b):
                        pass
                    else:
                        cost += matrix_product(rows[i], inner, columns[last])
                        if left.is_turned != right.is_turned:
                            cost += TRANSPOSE * (1 if (left if left.is_turned else right).is_leaf else 2)
                    if choice is None or cost < least - 1e-6:
                        choice, least = (left, right), cost
                assert choice is not None
                tree = self._joined(*choice)
                begun[i].append((least, tree))
                ended[last].append((least, tree, rows[i]))
        return begun

    def _joined(self, left: _Tree, right: _Tree) -> _Tree:
        """The product of two runs; the same object whenever it is asked for."""
        found = self._trees.get((left, right))
        if found is None:
            found = self._trees[left, right] = _Tree(self.b, None, (left, right))
        return found

    def _cost(self, left: _Tree, right: _Tree, before: float) -> float:
        """The cost of the product of two runs that take `before` and are not both ordinary."""
        b = self.b
        made = self._joined(left, right).piece(b)
        if made.term.core.rank and b.paid(made.term.core):
            return 0.0
        total = before + _formed(b, left.piece(b), right.piece(b), made)
        return total + TRANSPOSE * sum(_transposes(a) for a in made.term.core.args)


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
    orders = _Chain(b, pieces, cyclic=True).cyclic_orders()
    cuts: list[tuple[float, _Tree, _Tree]] = []
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
