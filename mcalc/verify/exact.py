"""Proving identities of matrix expressions, modulo primes, on random matrices (Schwartz 1980, Zippel 1979).

In: two expressions. Out: a `Verdict`: proved, refuted or undecided.

Both sides are evaluated exactly in the model of mcalc/verify/residues.py, at three random points for each of two
choices of sizes (four, where a number may mean a size). If two rational expressions differ, and the numerator of the
difference has degree D in all entries,
they agree at one random point with probability at most D/p0, p0 = 19099919; at six independent points, with D = 1000,
1e-25. With exponentials and logarithms the residues at higher levels stand for independent variables, and the same
bound holds for the polynomial in these, heuristically where a point is drawn under the condition that some values are
residues. (Constants such as log 2 are one draw for each level, not one for each point: an identity between constants
alone may pass by chance with probability 1/p0.) For identities that hold on one branch only see
mcalc/verify/world.py. Where exp is nested more deeply than the chain is long, what is
deeper counts as a free variable (mcalc/verify/points.py).

The model can fail where the reals do not: order is not compatible with sums, sin has no addition theorem. So a
refutation needs floating point to disagree as well, and where the two conflict the verdict is "undecided" (rational
expressions are refuted modulo primes alone where floating point is too ill-conditioned to tell). What holds
in the model with log|x| for log x, at points that are not in the domain of log x, must in addition be defined and
agree at real points; and where two sides differ there, and no points are found that are in the domain, floating point
refutes alone.

One `Prover` serves a whole derivation: sizes, points and values are shared, so that proving a chain of steps costs
one evaluation of each distinct node for each set of points.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from fractions import Fraction
from typing import Literal, NamedTuple, TypeAlias

from mcalc.algebra.expr import Expr, fold, rebuild, symbols
from mcalc.algebra.operators import d, mul, symbol, zeros
from mcalc.algebra.shape import shape_text
from mcalc.errors import McalcError, NotSupported
from mcalc.verify.field import LEVELS, key_of
from mcalc.verify.generic import LARGEST_LITERAL, with_generic_sizes
from mcalc.verify.residues import FAITHFUL, branches, reach
from mcalc.verify.sizes import Requirements
from mcalc.verify.world import Outcome, World

Expand: TypeAlias = Callable[[Expr], Expr]
Status: TypeAlias = Literal["proved", "refuted", "undecided"]

_WORLDS, _WORLDS_FOR_NUMBERS = 2, 4
_PLAIN_NUMBERS = frozenset({Fraction(0), Fraction(1), Fraction(2), Fraction(1, 2)})
_DEEP = 3
"""The level for expressions that need more levels than there are: below three exponentials, nodes are variables."""


class Verdict(NamedTuple):
    """The answer to one question. `method` is "same" (one node), "shape", "exact" (modulo primes), "exact and
    floating point" (with log|x| for log x, and at real points), "floating point" (a refutation), or "" where undecided;
    `detail` is for people."""

    status: Status
    method: str = ""
    detail: str = ""

    @property
    def proved(self) -> bool:
        """Whether the identity was proved."""
        return self.status == "proved"


class Differentials:
    """Writes differentials of compound expressions out, down to differentials of symbols.

    d(expm(A)) is expm(A) dA where A and dA commute, which `same` proves. A differential that has no closed form is a
    free variable (`free`, with the reason): what holds for every value of it, holds for its own.
    """

    def __init__(self, variables: Collection[Expr], expand: Expand | None, same: Callable[[Expr, Expr], bool]) -> None:
        self.moving = frozenset(variables)
        self.free: dict[Expr, str] = {}
        self._expand = expand
        self._same = same
        self._moves: dict[Expr, bool] = {}
        self._expanded: dict[Expr, Expr] = {}
        self._memo: dict[Expr, Expr] = {}

    def moves(self, e: Expr) -> bool:
        """Whether a variable occurs."""
        return fold(e, lambda node, below: node in self.moving or (node.op != "d" and any(below)), self._moves)

    def write_out(self, root: Expr) -> Expr:
        """The expression, with `d` of moving symbols only."""
        memo, stack = self._memo, [root]
        open_: set[Expr] = set()
        while stack:
            node = stack[-1]
            if node in memo:
                stack.pop()
                continue
            needed = [self._next(node)] if node.op == "d" else list(node.args)
            missing = [e for e in needed if e not in memo]
            if node.op == "d" and needed[0] is node:
                memo[node] = node
            elif not missing:
                memo[node] = memo[needed[0]] if node.op == "d" else rebuild(node, [memo[a] for a in node.args])
            else:
                if any(e in open_ for e in missing):
                    raise NotSupported(f"the differential of {node.args[0]} is not written out")
                if node.op == "d" and node in self._expanded:
                    open_.add(node)
                stack.extend(missing)
        return memo[root]

    def _next(self, node: Expr) -> Expr:
        """What d(A) is to be replaced by: itself, zero, A (to be written out first) or the rule for A."""
        inner = node.args[0]
        if inner.op == "d" or not self.moves(inner):
            return zeros(*node.shape)
        if inner.op == "sym":
            return node
        if node not in self._expanded:
            if inner not in self._memo:
                return inner
            self._expanded[node] = self._rule(self._memo[inner])
        return self._expanded[node]

    def _rule(self, e: Expr) -> Expr:
        try:
            if self._expand is None:
                raise NotSupported("the differential of a compound expression needs the rules of differentiation")
            written = self._expand(e)
            if written is d(e):
                raise NotSupported(f"the differential of {e} is not written out")
            return written
        except NotSupported as error:
            if e.op == "expm" and self._same(mul(e.args[0], d(e.args[0])), mul(d(e.args[0]), e.args[0])):
                return mul(e, d(e.args[0]))
            variable = symbol(f"d#{len(self.free) + 1}", e.shape)
            self.free[variable] = error.message
            return variable


class Prover:
    """Proves identities; one for a whole derivation.

    `roots` are expressions that the derivation is about: sizes and levels are chosen for them. `variables` are the
    symbols with a differential (d of any other is zero); `expand` gives the differential of a compound expression in
    terms of the differentials of its operands.
    """

    def __init__(
        self,
        *roots: Expr,
        variables: Collection[Expr] = (),
        points: int = 3,
        seed: int = 0,
        expand: Expand | None = None,
    ) -> None:
        self._points, self._seed = points, seed
        self._differentials = Differentials(variables, expand, lambda a, b: self.prove(a, b).proved)
        self._requirements = Requirements()
        self._worlds: list[World] = []
        self._choices: Iterator[dict[str, int]] = iter(())
        self._reach: dict[Expr, tuple[int, int]] = {}
        self._branching: dict[Expr, bool] = {}
        self._numbers: dict[Expr, bool] = {}
        self._faith: dict[Expr, bool] = {}
        self._generic: dict[Expr, Expr] = {}
        self._verdicts: dict[tuple[Expr, Expr], Verdict] = {}
        self._requirements.include(*roots)
        self._base = 0
        for root in roots:
            try:
                self._base = max(self._base, -self._reach_of(self._differentials.write_out(root))[0])
            except McalcError:
                continue

    def prove(self, left: Expr, right: Expr) -> Verdict:
        """Whether left = right wherever both are defined."""
        if left is right:
            return Verdict("proved", "same")
        if left.shape != right.shape:
            shapes = f"{shape_text(left.shape)} and {shape_text(right.shape)}"
            return Verdict("refuted", "shape", f"the shapes differ: {shapes}")
        known = self._verdicts.get((left, right))
        if known is None:
            known = self._verdicts[left, right] = self._decide(left, right)
        return known

    def _decide(self, left: Expr, right: Expr) -> Verdict:
        try:
            left, right = self._differentials.write_out(left), self._differentials.write_out(right)
        except NotSupported as error:
            return Verdict("undecided", detail=error.message)
        if left is right:
            return Verdict("proved", "same")
        self._requirements.include(left, right)
        if max(self._requirements.literals, default=0) > LARGEST_LITERAL:
            generic = with_generic_sizes((left, right), self._generic)
            if generic is not None and generic != (left, right):
                verdict = self._compare_everywhere(*generic)
                if verdict.proved:
                    return verdict
        return self._compare_everywhere(left, right)

    def _compare_everywhere(self, left: Expr, right: Expr) -> Verdict:
        self._require(left, right)
        low = max(-self._reach_of(left)[0], -self._reach_of(right)[0])
        high = max(self._reach_of(left)[1], self._reach_of(right)[1])
        start = max(low, self._base)
        if start + high >= LEVELS:
            start = min(max(0, LEVELS - 1 - high), _DEEP)
        levels = [start, *(k for k in range(low, LEVELS - high) if k != start)]
        wanted = _WORLDS_FOR_NUMBERS if self._has_numbers(left) or self._has_numbers(right) else _WORLDS
        seen: list[tuple[World, Outcome]] = []
        for world in self._each_world():
            outcome = self._outcome(world, left, right, levels)
            if outcome.status == "differ":
                return self._refute(world, left, right)
            if outcome.status != "void":
                seen.append((world, outcome))
                if len(seen) == wanted or outcome.status == "open":
                    break
            void = outcome
        if not seen:
            return Verdict("undecided", detail=f"no point to compare at: {void.reason}")
        return self._conclude(left, right, seen)

    def _outcome(self, world: World, left: Expr, right: Expr, levels: list[int]) -> Outcome:
        """What a world says: at the first level, and where a constant is no residue there, at the others."""
        branching = self._branches(left) or self._branches(right)
        for level in levels:
            outcome = world.compare(left, right, level, branching, repair=False)
            if outcome.status != "open":
                return outcome
            if not outcome.constant:
                break
        if world.floating(left, right)[0] == "differ":
            return outcome
        return world.compare(left, right, level, branching, repair=True)

    def _conclude(self, left: Expr, right: Expr, seen: list[tuple[World, Outcome]]) -> Verdict:
        for world, outcome in seen:
            if outcome.status == "open":
                opinion, difference = world.floating(left, right)
                if opinion == "differ" and not self._free_among(left, right):
                    detail = f"relative difference {difference:.1e}, {_sizes_text(world)}"
                    return Verdict("refuted", "floating point", detail)
                return Verdict("undecided", detail=outcome.reason)
        detail = "; ".join(f"{o.points} points, {_sizes_text(w)}" for w, o in seen)
        if any(outcome.strict for _, outcome in seen):
            return Verdict("proved", "exact", detail)
        opinion, _ = seen[0][0].floating(left, right)
        if opinion == "agree":
            return Verdict("proved", "exact and floating point", detail)
        return Verdict("undecided", detail=_WITNESS[opinion])

    def _free_among(self, left: Expr, right: Expr) -> str:
        """Why a differential is not written out, where a free variable stands for one."""
        free = self._differentials.free
        return next((free[x] for x in symbols(left, right) if x in free), "")

    def _refute(self, world: World, left: Expr, right: Expr) -> Verdict:
        free = self._free_among(left, right)
        if free:
            return Verdict("undecided", detail=free)
        opinion, difference = world.floating(left, right)
        if opinion == "differ" or (opinion == "unclear" and self._faithful(left) and self._faithful(right)):
            return Verdict("refuted", "exact", f"relative difference {difference:.1e}, {_sizes_text(world)}")
        return Verdict("undecided", detail=_CONFLICT[opinion])

    def measure(self, left: Expr, right: Expr) -> Literal["agree", "differ", "unclear", "void"]:
        """What floating point says of left = right, where nothing is proved (void: no point of the domain found)."""
        left, right = self._differentials.write_out(left), self._differentials.write_out(right)
        self._require(left, right)
        world = next(self._each_world(), None)
        return "void" if world is None else world.floating(left, right)[0]

    # --- what is shared by all questions ------------------------------------------------------------------------------

    def _require(self, left: Expr, right: Expr) -> None:
        """Makes the sizes serve for more expressions; where they do not, all is drawn again."""
        self._requirements.include(left, right)
        if not self._worlds or not all(self._requirements.met_by(w.sizes) for w in self._worlds[:_WORLDS]):
            self._worlds = []
            self._choices = self._requirements.choices()

    def _each_world(self) -> Iterator[World]:
        yield from list(self._worlds)
        for sizes in self._choices:
            if any(world.sizes == sizes for world in self._worlds):
                continue
            key = key_of(self._seed, "world", len(self._worlds))
            world = World(sizes, self._points, key, self._differentials.moving)
            self._worlds.append(world)
            yield world

    def _reach_of(self, e: Expr) -> tuple[int, int]:
        return fold(e, reach, self._reach)

    def _has_numbers(self, e: Expr) -> bool:
        """Whether a number occurs that may mean a size, or a size itself."""
        return fold(e, lambda node, below: _may_be_a_size(node) or any(below), self._numbers)

    def _faithful(self, e: Expr) -> bool:
        """Whether the model is exact: a value that differs in it differs."""
        return fold(e, lambda node, below: node.op in FAITHFUL and all(below), self._faith)

    def _branches(self, e: Expr) -> bool:
        return fold(e, lambda node, below: branches(node) or any(below), self._branching)


def _may_be_a_size(node: Expr) -> bool:
    match node.op:
        case "num":
            return node.attrs[0] not in _PLAIN_NUMBERS
        case "pow" | "hpow":
            return bool(node.attrs[0] > 2)
    return node.op == "dim"


_WITNESS = {
    "differ": "the two sides agree with log|x| for log x modulo primes, and differ in floating point",
    "unclear": "the two sides agree with log|x| for log x modulo primes; floating point is too ill-conditioned to tell",
    "void": "no real point was found at which both sides are defined",
}
_CONFLICT = {
    "agree": "the two sides differ in the model modulo primes and agree in floating point",
    "unclear": "the two sides differ in the model modulo primes; floating point is too ill-conditioned to tell",
    "void": "the two sides differ in the model modulo primes; no real point was found at which both are defined",
}


def _sizes_text(world: World) -> str:
    return ", ".join(f"{name} = {size}" for name, size in world.sizes.items()) or "scalars"


__all__ = ["Expand", "Prover", "Verdict"]
