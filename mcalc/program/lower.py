"""Lowering: from expressions to arrays.

In: expressions; out: a term (an array and what multiplies it) for each, in one graph, so that what they share is
computed once. A rule of `RULES` lowers one operator. It is a coroutine: it yields the expressions whose terms it
wants, so it may look through an operand (tr(A B) wants A and B, never A B) and nothing recurses.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from fractions import Fraction
from typing import TypeAlias

from mcalc.algebra.expr import Expr, postorder
from mcalc.algebra.shape import ONE
from mcalc.algebra.structure import facts as facts_of
from mcalc.errors import NotSupported
from mcalc.program.builder import Builder, Term
from mcalc.program.ir import Array
from mcalc.program.operations import Axes

Routine: TypeAlias = Generator[Expr, Term, Term]
Rule: TypeAlias = Callable[["Lowering", Expr], Routine]

RULES: dict[str, Rule] = {}
"""Operator to the rule that lowers it; filled by the modules of this package."""


class Lowering:
    """The lowering of several expressions into one graph.

    `derivative` says that what is lowered now is a derivative. There 1 / norm(x) is 0 at x = 0, unless the function
    itself has a pole there. `earlier` is a lowering of the same expressions that this one improves on.
    """

    def __init__(self, builder: Builder, roots: Sequence[Expr], earlier: Lowering | None = None) -> None:
        self.b = builder
        self.derivative = False
        self.bound: dict[Expr, Array] = {}
        """Symbols that stand for arrays of the same program."""
        self.kept: set[Expr] = _kept_sums(roots) if earlier is None else earlier.kept
        self.kinks: dict[Array, Array] = {}
        """A norm, or the square of one, to what it is the norm of."""
        self.poles: set[Array] = set()
        """What the function divides by the norm of."""
        self._earlier = earlier
        self._memos: dict[bool, dict[Expr, Term]] = {False: {}, True: {}}

    def __call__(self, root: Expr) -> Term:
        """The term of an expression."""
        memo = self._memos[self.derivative]
        if root in memo:
            return memo[root]
        stack: list[tuple[Expr, Routine]] = [(root, self._start(root))]
        answer: Term | None = None
        while stack:
            e, routine = stack[-1]
            self.b.own = self._found_earlier(e)
            try:
                wanted = next(routine) if answer is None else routine.send(answer)
            except StopIteration as stop:
                memo[e] = answer = stop.value
                stack.pop()
                self._note_facts(e, stop.value)
                continue
            answer = memo.get(wanted)
            if answer is None:
                stack.append((wanted, self._start(wanted)))
        return memo[root]

    def _note_facts(self, e: Expr, term: Term) -> None:
        """Keep what is known of an expression of its array."""
        facts, known = self.b.facts, facts_of(e)
        if not known:
            return
        if e.is_square and not e.is_scalar and "symmetric" in known:
            self.b.symmetric.add(term.core)
            if term.plain and "psd" in known:
                facts.semidefinite.add(term.core)
        if "positive" in known:
            if term.plain:
                facts.positive.add(term.core)
            elif term.core is self.b.one and term.coefficient > 0 and len(term.scalars) == 1:
                facts.positive.add(term.scalars[0][0])

    def _found_earlier(self, e: Expr) -> Array | None:
        """What the earlier lowering made of an expression."""
        term = self._earlier._memos[self.derivative].get(e) if self._earlier is not None else None
        if term is None:
            return None
        return term.scalars[0][0] if term.core is self.b.one and term.scalars else term.core

    def _start(self, e: Expr) -> Routine:
        rule = RULES.get(e.op)
        if rule is None:
            raise NotSupported(f"no NumPy code for {e.op}")
        return rule(self, e)

    def array(self, root: Expr) -> Array:
        """The array of an expression, multiplied out."""
        return self.b.array(self(root))

    def inverse_scalar(self, term: Term) -> Term:
        """1 / s; in a derivative, 0 where s is a norm that vanishes."""
        inverse = self.b.inverse_scalar(term)
        if not self.derivative:
            self.poles.update(self.kinks[s] for s, e in inverse.scalars if e < 0 and s in self.kinks)
            return inverse
        scalars = tuple(
            (self.b.node("reciprocal_or_zero", s), -e)
            if e < 0 and s in self.kinks and self.kinks[s] not in self.poles else (s, e)
            for s, e in inverse.scalars
        )  # fmt: skip
        return Term(inverse.core, inverse.coefficient, scalars)


def _kept_sums(roots: Sequence[Expr]) -> set[Expr]:
    """The sums that are more than a part of another sum: they stay one operand."""
    kept: set[Expr] = set()
    for e in postorder(*roots):
        if e.op in ("add", "neg"):
            continue
        for arg in e.args:
            while arg.op == "neg":
                arg = arg.args[0]
            if arg.op == "add":
                kept.add(arg)
    return kept


def axes(e: Expr) -> Axes:
    """The axes of the array of an expression: a vector has one, be it a column or a row."""
    if e.is_scalar:
        return ()
    rows, columns = e.shape
    return (rows,) if columns is ONE else (columns,) if rows is ONE else (rows, columns)


def rule(*ops: str) -> Callable[[Rule], Rule]:
    """Register the rule of these operators."""

    def register(function: Rule) -> Rule:
        for op in ops:
            assert op not in RULES, op
            RULES[op] = function
        return function

    return register


def done(term: Term) -> Routine:
    """A rule that wants nothing."""
    return term
    yield


# --- leaves -----------------------------------------------------------------------------------------------------------


@rule("sym")
def _symbol(low: Lowering, e: Expr) -> Routine:
    if e in low.bound:
        return done(low.b.term(low.bound[e]))
    rows, columns = e.shape
    stored = () if e.is_scalar else (rows,) if columns is ONE else (rows, columns)
    a = low.b.node("arg", attrs=(e.name, stored))
    return done(low.b.term(low.b.flat(a) if rows is ONE and stored else a))


@rule("num")
def _number(low: Lowering, e: Expr) -> Routine:
    return done(Term(low.b.one, e.attrs[0]))


@rule("pi")
def _pi(low: Lowering, e: Expr) -> Routine:
    return done(low.b.term(low.b.node("pi")))


@rule("dim")
def _dimension(low: Lowering, e: Expr) -> Routine:
    return done(low.b.size(e.attrs[0]))


_NAMES = {"K": "commutation", "dup": "duplication", "elim": "elimination"}


@rule("eye", "K", "dup", "elim", "unit")
def _constant(low: Lowering, e: Expr) -> Routine:
    if e.is_scalar:
        return done(Term(low.b.one))
    return done(Term(low.b.node(_NAMES.get(e.op, e.op), attrs=e.attrs)))


@rule("ones", "zeros")
def _filled(low: Lowering, e: Expr) -> Routine:
    if e.is_scalar:
        return done(Term(low.b.one, Fraction(e.op == "ones")))
    return done(Term(low.b.node(e.op, attrs=(axes(e),))))
