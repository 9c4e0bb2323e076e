"""Random points modulo the chain of primes, and the values of expressions there.

In: sizes, a key, the symbols that vary. Out: `value(node, level)`, an int64 array (points or 1, rows, columns). Every
distinct node is evaluated once for each level, whatever number of expressions it occurs in.

The chain has two ends. exp at level 0 would need its argument at level -1, log at level 7 its argument at level 8:
there the argument (the logarithm) is a random value that belongs to the node, so that an expression of any depth has a
value. What holds for a free value in the place of a node holds for the node.

The meaning of the operators is in mcalc/verify/residues.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from mcalc.algebra.expr import Expr
from mcalc.algebra.operators import PI
from mcalc.errors import InternalError
from mcalc.verify.field import FIELDS, LEVELS, Array, Field, Mask, key_of, words
from mcalc.verify.layout import LAYOUT, Sizes
from mcalc.verify.residues import INSIDE, RESIDUES, SHIFTS
from mcalc.verify.sampling import size_of, symbol_key


class Points:
    """Random points at which expressions are evaluated; every node once for each level.

    `free` holds the free residues of the symbols (a symbol's value is built of them); the missing ones are drawn.
    With `guess`, logarithms are arbitrary: that is enough to see where residues are missing, and much faster.
    """

    def __init__(
        self,
        count: int,
        sizes: Sizes,
        key: int,
        moving: frozenset[Expr],
        free: Mapping[tuple[Expr, int], Array] = MappingProxyType({}),
        *,
        guess: bool = False,
    ) -> None:
        self.count, self.key, self.moving = count, key, moving
        self.sizes: Sizes = sizes
        self._guess = guess
        self.free: dict[tuple[Expr, int], Array] = dict(free)
        self.values: tuple[dict[Expr, Array], ...] = tuple({} for _ in FIELDS)
        self.dead: dict[tuple[Expr, int], Mask] = {}
        """Where a node or an operand below it does not exist."""
        self.soft: dict[tuple[Expr, int], Mask] = {}
        """Where |x| was used for x, in a node or below it."""
        self.misses: dict[tuple[Expr, int], Mask] = {}
        """The entries of a node's argument that are not residues and should be, (points or 1, rows, columns)."""
        self._adjugates: dict[tuple[Expr, int], tuple[Array, Array]] = {}
        self._opaques: dict[tuple[Expr, int], Array] = {}
        self._now: tuple[Expr, int] = (PI, 0)

    @property
    def constant_misses(self) -> bool:
        """Whether an argument that is the same at all points is not a residue."""
        return any(missed.shape[0] == 1 for missed in self.misses.values())

    # --- evaluation ---------------------------------------------------------------------------------------------------

    def value(self, root: Expr, level: int) -> Array:
        """The residues of a node at a level, (count or 1, rows, columns)."""
        stack = [(root, level)]
        while stack:
            node, at = stack[-1]
            if node in self.values[at]:
                stack.pop()
                continue
            if at == LEVELS - 1 and (node.op in INSIDE or 1 in SHIFTS.get(node.op, ())):
                self.values[at][node] = self._opaque(node, at)
                continue
            operands: list[tuple[Expr, int]] = []
            if node.op != "d":
                shifts = SHIFTS.get(node.op)
                operands = [(a, at if shifts is None else at + shifts[k]) for k, a in enumerate(node.args)]
            missing = [(a, i) for a, i in operands if i >= 0 and a not in self.values[i]]
            if missing:
                stack.extend(missing)
                continue
            stack.pop()
            self._now = (node, at)
            args = [self.values[i][a] if i >= 0 else self._opaque(a, i) for a, i in operands]
            rule = RESIDUES.get(node.op)
            place = LAYOUT.get(node.op)
            if rule is not None:
                self.values[at][node] = rule(self, node, FIELDS[at], args)
            elif place is not None:
                self.values[at][node] = place(node, args, self.sizes)
            else:
                raise InternalError(f"the operator {node.op} has no meaning modulo p")
            for marks in (self.dead, self.soft):
                for operand in operands:
                    if operand in marks:
                        self._add_mark(marks, marks[operand])
        return self.values[level][root]

    def _add_mark(self, marks: dict[tuple[Expr, int], Mask], points: Mask) -> None:
        known = marks.get(self._now)
        marks[self._now] = points if known is None else known | points

    def refuse(self, entries: Mask) -> None:
        """The value does not exist where an entry is True."""
        if entries.any():
            self._add_mark(self.dead, np.broadcast_to(entries.any(axis=(1, 2)), (self.count,)))

    def soften(self, entries: Mask) -> None:
        """|x| was used where an entry is True."""
        if entries.any():
            self.misses[self._now] = entries
            self._add_mark(self.soft, np.broadcast_to(entries.any(axis=(1, 2)), (self.count,)))

    # --- draws --------------------------------------------------------------------------------------------------------

    def raw(self, symbol: Expr, field: Field) -> Array:
        """The free residues of a symbol."""
        place = (symbol, field.level)
        if place not in self.free:
            shape = (self.count, *size_of(symbol, self.sizes))
            self.free[place] = field.draw(symbol_key(self.key, symbol, field.level), shape)
        return self.free[place]

    def _opaque(self, node: Expr, level: int) -> Array:
        """Random residues that stand for a node beyond the ends of the chain, the same whenever it is met."""
        place = (node, level)
        if place not in self._opaques:
            key = key_of(self.key, "opaque", len(self._opaques))
            words_ = words(key, (self.count, *size_of(node, self.sizes)))
            modulus = FIELDS[level].p if level >= 0 else FIELDS[0].order
            self._opaques[place] = (words_ % np.uint64(modulus)).astype(np.int64)
        return self._opaques[place]

    def pi(self, field: Field) -> Array:
        """pi at this level: a random residue, another at every point."""
        return self.value(PI, field.level)

    # --- shared pieces ------------------------------------------------------------------------------------------------

    def reciprocal(self, field: Field, x: Array) -> Array:
        """1/x, refused where x = 0."""
        self.refuse(x == 0)
        return field.inverse(x)

    def adjugate(self, e: Expr, field: Field, a: Array) -> tuple[Array, Array]:
        """adj(A), det(A) of the first operand of a node, once for det, adj, inv and powers of it."""
        place = (e.args[0], field.level)
        if place not in self._adjugates:
            self._adjugates[place] = field.adjugate(a)
        return self._adjugates[place]

    def inverse_matrix(self, e: Expr, field: Field, a: Array) -> Array:
        """The inverse of the first operand of a node, refused where singular."""
        adjugate, determinant = self.adjugate(e, field, a)
        return np.asarray(adjugate * self.reciprocal(field, determinant) % field.p)

    def log(self, field: Field, x: Array, *, strict: bool = True) -> Array:
        """log|x| at `field`, from x one level up; soft (if `strict`) where x is not a residue, refused at 0."""
        up = FIELDS[field.level + 1]
        if self._guess:
            (root, positive), zero = up.root(x), x == 0
            result = field.random_function(0, root)
        else:
            result, positive, zero = up.log(x)
        self.refuse(zero)
        if strict:
            self.soften(~positive & ~zero)
        return result

    def adopt(self, other: Points, where: Mask) -> None:
        """Takes the free residues and the misses of other points, where the mask says so."""
        chosen = where[:, None, None]
        for place, fresh in other.free.items():
            self.free[place] = np.where(chosen, fresh, self.free[place]) if place in self.free else fresh
        for node in self.misses.keys() | other.misses.keys():
            mine, theirs = self.misses.get(node), other.misses.get(node)
            none = np.zeros_like(theirs if mine is None else mine)
            self.misses[node] = np.where(chosen, none if theirs is None else theirs, none if mine is None else mine)
