"""Lowering sums, elementwise operators and functions, and comparisons.

Sums are canonical up to sign: X w - y is the negative of y - X w, where that is there. Repeated rows and columns
(1 b^T) and scalars are left to broadcasting.
"""

from __future__ import annotations

from fractions import Fraction

from mcalc.algebra.expr import Expr
from mcalc.algebra.functions import ELEMENTWISE
from mcalc.algebra.operators import app, had
from mcalc.program.builder import Builder, Term
from mcalc.program.ir import Array
from mcalc.program.lower import Lowering, Routine, axes, rule
from mcalc.program.operations import Axes, broadcast

# --- sums -------------------------------------------------------------------------------------------------------------


@rule("add")
def _sum(low: Lowering, e: Expr) -> Routine:
    b = low.b
    pairs: list[tuple[Fraction, Array]] = []
    pending = [(a, 1) for a in reversed(e.args)]
    while pending:
        part, sign = pending.pop()
        if part.op == "neg":
            pending.append((part.args[0], -sign))
        elif part.op == "add" and part not in low.kept and (part.shape == e.shape):
            pending.extend((a, sign) for a in reversed(part.args))
        else:
            term = yield part
            coefficient = term.coefficient if sign == 1 else sign * term.coefficient
            pairs.append((coefficient, b.array(Term(term.core, scalars=term.scalars))))
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
    for a in above:
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


rule(*ELEMENTWISE)(function)
