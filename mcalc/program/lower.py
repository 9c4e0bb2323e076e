"""Lowering: from expressions to arrays.

In: expressions; out: a term (an array and what multiplies it) for each, in one graph, so that what they share is
computed once. A rule of `RULES` lowers one operator. It is a coroutine: it yields the expressions whose terms it
wants, so it may look through an operand (tr(A B) wants A and B, never A B) and nothing recurses.

Sums are canonical up to sign: X w - y is the negative of y - X w, where that is there. Repeated rows and columns
(1 b^T) and scalars are broadcast.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from fractions import Fraction
from typing import TypeAlias

from mcalc.algebra.expr import Expr, postorder
from mcalc.algebra.operators import app, had
from mcalc.algebra.shape import ONE
from mcalc.algebra.structure import holds
from mcalc.errors import NotSupported
from mcalc.program.builder import Builder, Term
from mcalc.program.ir import Array
from mcalc.program.operations import Axes, broadcast

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
        self.kept = _kept_sums(roots)
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
                if e.is_square and not e.is_scalar and holds(e, "symmetric"):
                    self.b.symmetric.add(stop.value.core)
                continue
            answer = memo.get(wanted)
            if answer is None:
                stack.append((wanted, self._start(wanted)))
        return memo[root]

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


@rule("eye", "K", "unit")
def _constant(low: Lowering, e: Expr) -> Routine:
    if e.is_scalar:
        return done(Term(low.b.one))
    return done(Term(low.b.node("commutation" if e.op == "K" else e.op, attrs=e.attrs)))


@rule("ones", "zeros")
def _filled(low: Lowering, e: Expr) -> Routine:
    if e.is_scalar:
        return done(Term(low.b.one, Fraction(e.op == "ones")))
    return done(Term(low.b.node(e.op, attrs=(axes(e),))))


# --- sums -------------------------------------------------------------------------------------------------------------


@rule("add")
def _sum(low: Lowering, e: Expr) -> Routine:
    b = low.b
    pairs: list[tuple[Fraction, Array]] = []
    pending = [(a, Fraction(1)) for a in reversed(e.args)]
    while pending:
        part, sign = pending.pop()
        if part.op == "neg":
            pending.append((part.args[0], -sign))
        elif part.op == "add" and part not in low.kept and (part.shape == e.shape):
            pending.extend((a, sign) for a in reversed(part.args))
        else:
            term = yield part
            pairs.append((sign * term.coefficient, b.array(Term(term.core, scalars=term.scalars))))
    return filling(b, b.sum(broadcasting(b, pairs, axes(e))), axes(e))


def filling(b: Builder, term: Term, shape: Axes) -> Term:
    """The term with these axes: terms that cancelled may have left a scalar or a row."""
    if term.core.shape == shape:
        return term
    filled = b.node("ones", attrs=(shape,))
    core = filled if term.core is b.one else b.node("times", filled, term.core)
    return Term(core, term.coefficient, term.scalars)


def broadcasting(b: Builder, pairs: list[tuple[Fraction, Array]], shape: Axes) -> list[tuple[Fraction, Array]]:
    """The operands of a sum, repeated rows, columns and entries left to NumPy's broadcasting where others fill it."""
    slim = [(c, _slim(b, a)) for c, a in pairs]
    if broadcast([a.shape for _, a in slim]) == shape:
        return slim
    full: list[tuple[Fraction, Array]] = []
    for (c, a), (_, thin) in zip(pairs, slim, strict=True):
        if thin is not a and broadcast([x.shape for _, x in full]) != shape:
            full.append((c, a))
        else:
            full.append((c, thin))
    return full


def _slim(b: Builder, a: Array) -> Array:
    if a.op == "ones":
        return b.one
    if a.op == "scale" and a.args[0].op == "ones":
        inner = Term(b.one, a.attrs[0], tuple(zip(a.args[1:], a.attrs[1], strict=True)))
        return b.array(inner)
    return b.operand(a)


@rule("neg")
def _negative(low: Lowering, e: Expr) -> Routine:
    term = yield e.args[0]
    return Term(term.core, -term.coefficient, term.scalars)


# --- elementwise ------------------------------------------------------------------------------------------------------


def elementwise(b: Builder, op: str, a: Array, attrs: tuple[object, ...] = ()) -> Array:
    """f(A) entry by entry; of repeated rows or columns, those of f."""
    if a.op in ("rows", "columns"):
        return b.node(a.op, b.node(op, a.args[0], attrs=attrs), attrs=a.attrs)
    return b.node(op, a, attrs=attrs)


def function(low: Lowering, e: Expr) -> Routine:
    """An elementwise function."""
    term = yield e.args[0]
    return low.b.term(elementwise(low.b, e.op, low.b.array(term)))


@rule("had")
def _hadamard(low: Lowering, e: Expr) -> Routine:
    b = low.b
    if any(a.op == "eye" for a in e.args) and not e.is_scalar:
        rest = [a for a in e.args if a.op != "eye"]
        if not rest:
            return (yield e.args[0])
        term = yield app("diagv", had(*rest))
        return Term(b.diagonal(term.core), term.coefficient, term.scalars)
    outside, above, below = Term(b.one), list[Array](), list[Array]()
    pending = list(reversed(e.args))
    while pending:
        part = pending.pop()
        if part.op == "had":
            pending.extend(reversed(part.args))
            continue
        denominator = part.op == "hpow" and part.attrs[0] < 0 and not part.is_scalar
        term = yield (app("hpow", part.args[0], attrs=(-part.attrs[0],)) if denominator else part)
        scalar = Term(b.one, term.coefficient, term.scalars)
        outside = b.times_scalars(outside, low.inverse_scalar(scalar) if denominator else scalar)
        if term.core is not b.one:
            (below if denominator else above).append(term.core)
    return b.times_scalars(product_of(b, above, below, axes(e)), outside)


def product_of(b: Builder, above: list[Array], below: list[Array], shape: Axes) -> Term:
    """An elementwise product over an elementwise product."""
    for a in (*above, *below):
        if a.op == "zeros":
            return Term(a)
    if any(a.kind == "bool" for a in above) and not any(a.kind == "float" for a in (*above, *below)):
        above = [b.number_of(above[0]), *above[1:]]
    split: list[Array] = []
    for a in above:
        if a.op == "outer" and len(above) > 1:
            split.extend([b.column(a.args[0]), a.args[1]])
        else:
            split.append(a)
    thin = [b.operand(a) for a in split if a.op != "ones"]
    thin_below = [b.operand(a) for a in below if a.op != "ones"]
    if broadcast([a.shape for a in (*thin, *thin_below)]) != shape:
        thin, thin_below = above, below
    top = b.times(*thin) if thin else b.one
    if not thin_below:
        return b.term(top) if thin else Term(b.node("ones", attrs=(shape,)) if shape else b.one)
    return b.term(b.node("quotient", top, b.times(*thin_below)))


@rule("hdiv")
def _quotient(low: Lowering, e: Expr) -> Routine:
    b = low.b
    above = yield e.args[0]
    below = yield e.args[1]
    scalar = low.inverse_scalar(Term(b.one, below.coefficient, below.scalars))
    tops = [] if above.core is b.one else [above.core]
    bottoms = [] if below.core is b.one else [below.core]
    outside = b.times_scalars(Term(b.one, above.coefficient, above.scalars), scalar)
    return b.times_scalars(product_of(b, tops, bottoms, axes(e)), outside)


@rule("div")
def _division(low: Lowering, e: Expr) -> Routine:
    above = yield e.args[0]
    below = yield e.args[1]
    return low.b.times_scalars(above, low.inverse_scalar(below))


@rule("hpow")
def _elementwise_power(low: Lowering, e: Expr) -> Routine:
    if e.is_scalar:
        return (yield app("pow", e.args[0], attrs=e.attrs))
    b = low.b
    term = yield e.args[0]
    exponent: Fraction = e.attrs[0]
    if term.core.op == "ones" and term.plain:
        return term
    if exponent.denominator == 1 and term.core.op != "ones":
        k = int(exponent)
        scalar = Term(b.one, term.coefficient, term.scalars)
        base = scalar if k > 0 else low.inverse_scalar(scalar)
        outside = Term(b.one, base.coefficient ** abs(k), tuple((s, x * abs(k)) for s, x in base.scalars))
        core = elementwise_power(b, term.core, abs(exponent))
        if k < 0:
            return b.times_scalars(product_of(b, [], [core], axes(e)), outside)
        return b.times_scalars(Term(core), outside)
    core = elementwise_power(b, b.array(term), abs(exponent))
    return Term(core) if exponent > 0 else product_of(b, [], [core], axes(e))


def elementwise_power(b: Builder, a: Array, exponent: Fraction) -> Array:
    """A.^k for k > 0."""
    if exponent == 1:
        return a
    if exponent == Fraction(1, 2):
        return elementwise(b, "sqrt", a)
    return elementwise(b, "power", a, (exponent,))


@rule("power", "hpower")
def _symbolic_power(low: Lowering, e: Expr) -> Routine:
    base = yield e.args[0]
    exponent = yield e.args[1]
    return low.b.term(low.b.node("powers", low.b.array(base), low.b.array(exponent)))


@rule("eq", "ge", "gt", "le", "lt")
def _indicator(low: Lowering, e: Expr) -> Routine:
    """An indicator; X == max(X) marks one entry, where several are largest."""
    left = yield e.args[0]
    right = yield e.args[1]
    b = low.b
    if e.op == "eq":
        for whole, extreme in (e.args, e.args[::-1]):
            if extreme.op in ("maxall", "minall") and extreme.args[0] is whole and not whole.is_scalar:
                term = left if whole is e.args[0] else right
                return Term(b.node("first_max" if extreme.op == "maxall" else "first_min", b.array(term)))
    return b.term(b.node(e.op, *_pair(b, left, right, axes(e))))


@rule("max", "min")
def _extreme(low: Lowering, e: Expr) -> Routine:
    left = yield e.args[0]
    right = yield e.args[1]
    return low.b.term(low.b.node("maximum" if e.op == "max" else "minimum", *_pair(low.b, left, right, axes(e))))


def _pair(b: Builder, left: Term, right: Term, shape: Axes) -> tuple[Array, Array]:
    one = Fraction(1)
    (_, x), (_, y) = broadcasting(b, [(one, b.array(left)), (one, b.array(right))], shape)
    return x, y
