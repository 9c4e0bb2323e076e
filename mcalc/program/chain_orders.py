"""The cheapest orders of a chain of factors, as trees of products of two.

In: factors in order; out: an order of least work for the whole chain, or for each run of a cyclic one, where what is
computed already costs nothing. Where all factors are matrices that are multiplied entry by entry, sizes tell
(`matrix_chains`); where one may be a vector, an inverse or a diagonal matrix, the products are made and looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from mcalc.algebra.functions import FUNCTIONS
from mcalc.algebra.shape import ONE
from mcalc.program.builder import Builder, Term
from mcalc.program.costs import Scale
from mcalc.program.ir import Array
from mcalc.program.matrix_chains import TRANSPOSE, Order, Run, cheapest, cheapest_splits, compared
from mcalc.program.operations import matrix_product
from mcalc.program.products import Piece, matmul, product


class Tree:
    """An order of a run of factors: one factor, or the product of two shorter runs, each in its order."""

    __slots__ = ("_piece", "_turned", "halves", "is_leaf", "is_turned", "ordinary")
    is_turned: bool
    is_leaf: bool
    ordinary: bool
    """Whether this is a matrix that is multiplied entry by entry."""

    def __init__(self, b: Builder, piece: Piece | None, halves: tuple[Tree, Tree] | None = None) -> None:
        self.halves = halves
        self._piece = piece
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

    def both_ways(self, b: Builder) -> tuple[Array, Array | None]:
        """The product, and its transpose, if that is there."""
        if self._turned is None:
            core = self.piece(b).term.core
            self._turned = core, _turned(b, core)
        return self._turned


_FREE = frozenset(("arg", "T"))
"""Operations on matrices that take no time."""


def _is_paid(b: Builder, left: Tree, right: Tree) -> bool:
    """Whether the product of two matrices is there, and computed in any case: X Y, or Y^T X^T."""
    (x, xt), (y, yt) = left.both_ways(b), right.both_ways(b)
    made = b.find("matmul", x, y)
    if made is not None and _is_paid_either_way(b, made):
        return True
    made = b.find("matmul", yt, xt) if xt is not None and yt is not None else None
    return made is not None and _is_paid_either_way(b, made)


def _is_paid_either_way(b: Builder, a: Array) -> bool:
    """Whether an array, or its transpose, is computed in any case."""
    return b.paid(a) or ((turned := b.find("T", a)) is not None and b.paid(turned))


_ORDINARY = frozenset(("arg", "matmul", "sum", "times", "scale", *FUNCTIONS))
"""Operations whose results are multiplied entry by entry."""


class Chain:
    """A chain of factors, and the orders of its runs that were met."""

    def __init__(self, b: Builder, pieces: Sequence[Piece], cyclic: bool = False) -> None:
        self.b = b
        self.pieces = pieces
        self.cyclic = cyclic
        """Whether the last factor is followed by the first one."""
        self._leaves = [Tree(b, piece) for piece in pieces]
        self._trees: dict[tuple[Tree, Tree], Tree] = {}
        self._axes = (*(piece.rows for piece in pieces), pieces[-1].columns)
        self._ordinary = all(leaf.ordinary for leaf in self._leaves)
        self._turned = tuple((1 if leaf.is_leaf else 2) if leaf.is_turned else 0 for leaf in self._leaves)
        self._free: tuple[tuple[Run, int], ...] | None = None

    def best(self, scale: Scale | None = None) -> Tree:
        """The cheapest order of the whole chain, at nominal sizes or at others."""
        scale = scale or self.b.scale({})
        if self._ordinary:
            return self._tree(cheapest(scale.lengths(self._axes), self._turned, self._paid_runs()))
        with self.b.sizes(scale.others):
            return self._orders()[0][-1][1]

    def compared(self, scales: Sequence[Scale]) -> tuple[list[Callable[[], Piece]], Sequence[Sequence[float]]]:
        """What makes the product in the orders that are the cheapest ones at some sizes; what each takes at each."""
        b = self.b
        if self._sizes_tell():
            lengths = tuple([scale.lengths(self._axes) for scale in scales])
            orders, times = compared(lengths, self._turned, self._paid_runs())
            return [partial(self._made, order) for order in orders], times
        trees: dict[Term, Tree] = {}
        for scale in scales:
            tree = self.best(scale)
            trees.setdefault(tree.piece(b).term, tree)
        needs = [[a for a in b.unpaid([b.array(term)]) if a.op not in _FREE] for term in trees]
        times = [[sum(map(scale.work, found)) for found in needs] for scale in scales]
        return [partial(tree.piece, b) for tree in trees.values()], times

    def _made(self, order: Order) -> Piece:
        return self._tree(order).piece(self.b)

    def _sizes_tell(self) -> bool:
        """Whether orders differ in nothing but the sizes of products, none of which is there twice."""
        cores = {p.term.core.args[0] if t else p.term.core for p, t in zip(self.pieces, self._turned, strict=True)}
        if not self._ordinary or len(cores) < len(self.pieces) or not all(p.term.plain for p in self.pieces):
            return False
        return all(a.op in _FREE for a in self.b.unpaid(cores))

    def cyclic_orders(self) -> list[list[tuple[float, Tree]]]:
        """The cheapest order of each run of a cyclic chain, with its cost, by its first factor, then by its length."""
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

    def _tree(self, order: Order) -> Tree:
        trees: dict[Run, Tree] = {(i, 1): leaf for i, leaf in enumerate(self._leaves)}
        for i, half, length in order:
            trees[i, length] = self._joined(trees[i, half], trees[i + half, length - half])
        return trees[0, len(self.pieces)]

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
                        if right is not None and _is_paid(self.b, left, right):
                            begun[i][length], found[i, length] = self._joined(left, right), half
                            longest = length
                            break
            self._free = tuple(found.items())
        return self._free

    def _orders(self) -> list[list[tuple[float, Tree]]]:
        """The cheapest order of each run, with its cost, by its first factor and then by its length."""
        b, count = self.b, len(self.pieces)
        rows, columns = zip(*(b.lengths((piece.rows, piece.columns)) for piece in self.pieces), strict=True)
        # runs with their costs: by the first factor, and by the last one with the length of their first axis
        begun: list[list[tuple[float, Tree]]] = [[(0.0, leaf)] for leaf in self._leaves]
        ended = [[(0.0, leaf, size)] for leaf, size in zip(self._leaves, rows, strict=True)]
        for length in range(2, count + (0 if self.cyclic else 1)):
            for i in range(count if self.cyclic else count - length + 1):
                last = (i + length - 1) % count
                forward = self.pieces[last].columns is ONE
                halves = (begun[i], reversed(ended[last])) if forward else (reversed(begun[i]), ended[last])
                choice: tuple[Tree, Tree] | None = None
                least = 0.0
                for (before, left), (after, right, inner) in zip(*halves, strict=True):
                    cost = before + after
                    if not (left.ordinary and right.ordinary):
                        cost = self._cost(left, right, cost)
                    elif choice is not None and cost >= least:
                        continue
                    elif not cost and _is_paid(b, left, right):
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

    def _joined(self, left: Tree, right: Tree) -> Tree:
        """The product of two runs; the same object whenever it is asked for."""
        found = self._trees.get((left, right))
        if found is None:
            found = self._trees[left, right] = Tree(self.b, None, (left, right))
        return found

    def _cost(self, left: Tree, right: Tree, before: float) -> float:
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
