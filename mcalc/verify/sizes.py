"""Sizes for the dimensions of an expression, so that it can be evaluated on random matrices.

In: expressions. Out: maps from dimension names to small integers.

Sizes of different names differ, so that a lost transpose changes a value; they are 3 or more (2 x 2 skew matrices
and rotations commute, larger ones do not; what fails for sizes 1 and 2 only, as det(x x^T) = 0, is not seen); they
avoid multiples of primes above 7 (the model of mcalc/verify/residues.py takes 2, 3, 5 and 7 for positive); and they
meet what the expression needs:

  - det, logdet, adj and inverses of a product: no factor on the way may be thinner than the product, or it would be
    singular for every value (inv(X^T X) needs n >= m);
  - an index i needs i rows;
  - the order of a skew matrix is even, where that is possible.

The first two maps of `Requirements.choices()` are those of a proof. The second reverses every order that is free and
changes the parity of every size: what holds by chance for one size (tr(I) = 4, det(-A) = -det(A), pinv(X) X = I for
tall X only) fails at the other. Two more serve where numbers occur, which may mean a size (3 n + m = 15).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping

from mcalc.algebra.expr import Expr
from mcalc.algebra.shape import Dim
from mcalc.verify.layout import Sizes

SMALLEST = 3
_CANDIDATES = tuple(n for n in range(2, 10_000) if all(n % q for q in (11, 13, 17, 19, 23)))
_VARIETY = 8
"""Up to this many names have sizes of their own; more names share them, or a deep network would have no small sizes."""
_NEED_FULL_RANK = frozenset({"det", "logdet", "adj"})


def name_of(dim: Dim) -> str | None:
    """The name, where the dimension is one."""
    names = dim.names()
    return names[0] if len(names) == 1 and dim.terms == (((names[0],), 1),) else None


class Requirements:
    """What the sizes must meet for the expressions seen so far."""

    def __init__(self) -> None:
        self.names: dict[str, None] = {}
        """Names in order of first occurrence."""
        self.floors: dict[str, int] = {}
        self.narrower: set[tuple[str, str]] = set()
        """(a, b): size a <= size b."""
        self.even: set[str] = set()
        self.literals: set[int] = set()
        self._seen: set[Expr] = set()

    def include(self, *roots: Expr) -> None:
        """Takes the nodes of more expressions into account."""
        stack = list(reversed(roots))
        found: list[Expr] = []
        while stack:
            node = stack.pop()
            if node not in self._seen:
                self._seen.add(node)
                found.append(node)
                stack.extend(reversed(node.args))
        for node in found:
            self._include_node(node)

    def name(self, *nodes: Expr) -> None:
        """Takes only the names of the dimensions of some nodes into account."""
        for node in nodes:
            for dim in _dimensions(node):
                for name in dim.names():
                    self.names.setdefault(name)
                if dim.number is not None and dim.number > 1:
                    self.literals.add(dim.number)

    def _include_node(self, node: Expr) -> None:
        self.name(node)
        match node.op:
            case "index":
                for position, dim in zip(node.attrs, node.args[0].shape, strict=True):
                    if position is not None:
                        self._at_least(dim, position)
            case "unit":
                self._at_least(node.attrs[1], node.attrs[0])
            case "sym" if "skew" in node.attrs[1]:
                self.even.update(node.shape[0].names())
                self._at_least(node.shape[0], 4)
            case _ if node.op in _NEED_FULL_RANK or (node.op == "pow" and node.attrs[0] < 0):
                self._full_rank(node.args[0])

    def _at_least(self, dim: Dim, size: int) -> None:
        for name in dim.names():
            self.floors[name] = max(self.floors.get(name, 0), size)

    def _full_rank(self, square: Expr) -> None:
        """Every matrix that a square product passes through must be as wide as the product."""
        order = square.shape[0]
        small = name_of(order)
        stack = [square]
        while stack:
            node = stack.pop()
            for dim in node.shape:
                large = name_of(dim)
                if dim is order or large is None:
                    continue
                if small is not None:
                    self.narrower.add((small, large))
                elif order.number is not None:
                    self._at_least(dim, order.number)
            if node.op in ("T", "neg", "div", "pow"):
                stack.append(node.args[0])
            elif node.op == "mul":
                stack.extend(a for a in node.args if not a.is_scalar)

    def met_by(self, sizes: Sizes) -> bool:
        """Whether these sizes serve."""
        return (
            all(name in sizes for name in self.names)
            and all(sizes[name] >= floor for name, floor in self.floors.items())
            and all(sizes[a] <= sizes[b] for a, b in self.narrower)
        )

    def choices(self) -> Iterator[dict[str, int]]:
        """Maps of sizes, the best first: two that differ in order and parity, then others."""
        names = list(self.names)
        even = dict.fromkeys(self.even, 0)
        first = self._assign(names[::-1], even)
        yield first
        if not names:
            return
        other = {name: 1 - size % 2 for name, size in first.items()}
        yield self._assign(names, other, avoid=max(first.values()))
        yield self._assign(names, other | even, above=first)
        for skip in (2, 1, 0):
            yield self._assign(names[1:] + names[:1], even, skip=skip)
        yield self._assign(names, {})
        yield dict.fromkeys(names, 2 * ((max([4, *self.floors.values()]) + 1) // 2))

    def smallest(self) -> Iterator[dict[str, int]]:
        """Maps for people to look at: sizes from 2 up, then from 3 and 4 up, each in two orders."""
        names = list(self.names)
        even = dict.fromkeys(self.even, 0)
        for least in (2, 3, 4):
            yield self._assign(names[::-1], even, least=least)
            if len(names) > 1:
                yield self._assign(names, even, least=least)

    def rotations(self) -> Iterator[dict[str, int]]:
        """Maps without end, each in another order: the first two are those of a proof."""
        names = list(self.names)
        yield from itertools.islice(self.choices(), 2)
        for count in itertools.count(2):
            turn = count % max(len(names), 1)
            yield self._assign(names[turn:] + names[:turn], dict.fromkeys(self.even, 0), skip=count // 2 % 4)

    def _assign(
        self,
        order: list[str],
        parity: Mapping[str, int],
        *,
        above: Mapping[str, int] | None = None,
        avoid: int = 0,
        skip: int = 0,
        least: int = SMALLEST,
    ) -> dict[str, int]:
        """Sizes that grow along `order` as far as the requirements allow, the first one `skip` places up."""
        groups = self._equal_groups(order)
        members: dict[str, list[str]] = {}
        for name in order:
            members.setdefault(groups[name], []).append(name)
        below: dict[str, set[str]] = {group: set() for group in members}
        for a, b in self.narrower:
            if groups[a] != groups[b]:
                below[groups[b]].add(groups[a])
        sizes: dict[str, int] = {}
        uses: dict[int, int] = dict.fromkeys((*self.literals, avoid), 1)
        waiting = list(members)
        while waiting:
            group = next(g for g in waiting if all(b in sizes for b in below[g]))
            waiting.remove(group)
            lowest = max([least, *(self.floors.get(m, 0) for m in members[group])] + [sizes[b] for b in below[group]])
            if above:
                lowest = max([lowest, *(above[m] + 1 for m in members[group] if m in self.even)])
            wanted = {parity[m] for m in members[group] if m in parity}
            nearest = itertools.islice((c for c in _CANDIDATES if c >= lowest), _VARIETY)
            fitting = [c for c in nearest if len(wanted) != 1 or c % 2 in wanted]
            free = sorted(fitting, key=lambda c: (uses.get(c, 0), c)) or [lowest]
            size = free[min(skip, len(free) - 1)]
            skip = 0
            uses[size] = uses.get(size, 0) + 1
            sizes[group] = size
        return {name: sizes[groups[name]] for name in self.names}

    def _equal_groups(self, names: Iterable[str]) -> dict[str, str]:
        """Names that bound each other both ways get one size: a representative for each."""
        reach = {name: {name} for name in names}
        changed = True
        while changed:
            changed = False
            for a, b in self.narrower:
                for name, above in reach.items():
                    if a in above and b not in above:
                        reach[name].add(b)
                        changed = True
        return {a: min(b for b in reach if b in reach[a] and a in reach[b]) for a in reach}


def _dimensions(node: Expr) -> tuple[Dim, ...]:
    if node.args:
        return ()
    return (*node.shape, *(a for a in node.attrs if isinstance(a, Dim)))
