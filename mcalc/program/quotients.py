"""Stable quotients: what the derivatives of log(r + exp(x)), log(exp(x) - 1) and log((1 + erf(x)) / 2) are made of.

In: products and quotients entry by entry; out: the same without a factor that overflows, or vanishes, over one that
does. With P = exp(p), N = exp(n):

    P / (P + N) = sigmoid(p - n)                P / (P - N) = 1 / (1 - exp(n - p))
    (P - N) / (P + N) = tanh((p - n) / 2)       exp(-u^2) / (1 - erf(u)) = 1 / erfcx(u)
    (1 - tanh(u)^2) / (1 - tanh(u)) = 2 sigmoid(2 u), exp(z) / (1 + sum(exp(z))) = softmax(z) sigmoid(logsumexp(z))

An exponential beside a sum of which a term has such a denominator goes to its terms: y exp(-u^2) + s is no such form,
(y / (1 - erf(u)) + s) exp(-u^2) is.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from mcalc.algebra.expr import Expr
from mcalc.algebra.operators import add, app, div, had, mul, neg, number
from mcalc.simplify.logarithms import Summand, combination, complement_of_erf, difference, exponentials, opposite

_MOST = 24
"""The most factors of a product that is looked at."""


class _Product(NamedTuple):
    """Factors entry by entry: those above, and those below the line with their exponents."""

    above: list[Expr]
    below: list[tuple[Expr, Fraction]]
    sign: int


def quotient(e: Expr) -> Expr | None:
    """The product or quotient in a stable form; None where it has none."""
    found = _factors(e)
    if found is None:
        return None
    made = _reduced(found)
    if made is None:
        return None
    whole = _written(made)
    return whole if whole.shape == e.shape else None


def _factors(e: Expr) -> _Product | None:
    above: list[Expr] = []
    below: list[tuple[Expr, Fraction]] = []
    sign = 1
    pending: list[tuple[Expr, Fraction]] = [(e, Fraction(1))]
    while pending:
        part, k = pending.pop()
        if len(above) + len(below) + len(pending) > _MOST:
            return None
        match part.op:
            case "neg" if k.denominator == 1:
                sign *= (-1) ** (int(k) % 2)
                pending.append((part.args[0], k))
            case "had":
                pending += [(a, k) for a in reversed(part.args)]
            case "mul" if sum(not a.is_scalar for a in part.args) <= 1:
                pending += [(a, k) for a in reversed(part.args)]
            case "div" | "hdiv":
                pending += [(part.args[1], -k), (part.args[0], k)]
            case "pow" | "hpow" if (part.is_scalar or part.op == "hpow") and (k * part.attrs[0]).denominator == 1:
                pending.append((part.args[0], k * part.attrs[0]))
            case _ if k < 0:
                below.append((part, -k))
            case _:
                above.append(part if k == 1 else app("pow" if part.is_scalar else "hpow", part, attrs=(k,)))
    return _Product(above, below, sign)


def _reduced(product: _Product) -> _Product | None:
    """The product with every factor that has a stable form in it; None where there is none."""
    changed = False
    while True:
        step = _step(product)
        if step is None:
            return product if changed else None
        product, changed = step, True


def _step(product: _Product) -> _Product | None:
    for place, (base, k) in enumerate(product.below):
        parts = combination(base)
        if parts is None or k.denominator != 1:
            continue
        rest = [(b, e) for i, (b, e) in enumerate(product.below) if i != place]
        if k > 1:
            rest.append((base, k - 1))
        made = (
            _over_erfc(product, parts, rest)
            or _over_exponentials(product, parts, rest)
            or _of_two_sums(product, parts, rest)
        )
        if made is not None:
            return made
    return _distributed(product)


def _without(factors: Sequence[Expr], place: int) -> list[Expr]:
    return [*factors[:place], *factors[place + 1 :]]


def _over_erfc(product: _Product, parts: list[Summand], rest: list[tuple[Expr, Fraction]]) -> _Product | None:
    found = complement_of_erf(parts)
    if found is None:
        return None
    c, scales, u = found
    place = next((i for i, a in enumerate(product.above) if _is_bell(a, u)), None)
    if place is None:
        return None
    below = [*rest, (app("erfcx", u), Fraction(1)), *((s, Fraction(1)) for s in scales)]
    above = _without(product.above, place)
    return _Product(above if c == 1 else [number(1 / c), *above], below, product.sign)


def _is_bell(e: Expr, u: Expr) -> bool:
    """Whether this is exp(-u^2)."""
    if e.op != "exp":
        return False
    exponent, argument = monomial(e.args[0]), monomial(u)
    return exponent is not None and argument is not None and exponent.is_minus_square_of(argument)


class Monomial(NamedTuple):
    """coefficient * product of powers; a difference x - y is a set, for its square is that of y - x."""

    coefficient: Fraction
    powers: dict[Expr | frozenset[Expr], Fraction]

    def is_minus_square_of(self, other: Monomial) -> bool:
        """Whether this is -(the other)^2."""
        square = {base: 2 * k for base, k in other.powers.items()}
        c = other.coefficient**2
        for base in list(square):
            if isinstance(base, Expr) and base.op == "num" and square[base].denominator == 1:
                c *= base.attrs[0] ** int(square.pop(base))
        return self.coefficient == -c and self.powers == square


def monomial(e: Expr) -> Monomial | None:
    """A product entry by entry as a monomial (up to its sign, where a difference has an odd power); None where it is
    too long."""
    coefficient = Fraction(1)
    powers: dict[Expr | frozenset[Expr], Fraction] = {}
    pending: list[tuple[Expr, Fraction]] = [(e, Fraction(1))]
    seen = 0
    while pending:
        part, k = pending.pop()
        seen += 1
        if seen > 2 * _MOST:
            return None
        whole = k.denominator == 1
        match part.op:
            case "neg" if whole:
                coefficient *= (-1) ** (int(k) % 2)
                pending.append((part.args[0], k))
            case "had":
                pending += [(a, k) for a in part.args]
            case "mul" if sum(not a.is_scalar for a in part.args) <= 1:
                pending += [(a, k) for a in part.args]
            case "div" | "hdiv":
                pending += [(part.args[0], k), (part.args[1], -k)]
            case "pow" | "hpow" if (part.is_scalar or part.op == "hpow") and (whole or part.attrs[0].denominator > 1):
                pending.append((part.args[0], k * part.attrs[0]))
            case "sqrt":
                pending.append((part.args[0], k / 2))
            case "num" if whole and part.attrs[0]:
                coefficient *= part.attrs[0] ** int(k)
            case _:
                base = _difference(part) or part
                powers[base] = powers.get(base, Fraction(0)) + k
    return Monomial(coefficient, {base: k for base, k in powers.items() if k})


def _difference(e: Expr) -> frozenset[Expr] | None:
    """{x, y} of x - y."""
    if e.op != "add" or len(e.args) != 2 or sum(a.op == "neg" for a in e.args) != 1:
        return None
    return frozenset(a.args[0] if a.op == "neg" else a for a in e.args)


def _over_exponentials(product: _Product, parts: list[Summand], rest: list[tuple[Expr, Fraction]]) -> _Product | None:
    found = exponentials(parts)
    if found is None:
        return None
    plus = found[1].coefficient > 0
    for one, other in (found, found[::-1]):
        place = next((i for i, a in enumerate(product.above) if _is_or_summed(a, one.atom)), None)
        paired = any(a.op in ("sigmoid", "cosigmoid") for a in product.above)
        if place is None and not (one.atom is None and paired):
            continue
        above = product.above if place is None else _without(product.above, place)
        delta = difference(one, other)
        value = app("sigmoid" if plus else "cosigmoid", delta)
        if place is not None and product.above[place] is not one.atom:
            z = product.above[place].args[0]
            value = mul(value, app("softmax", z, attrs=(0 if z.is_column else "all",)))
        if one.coefficient < 0:
            value = neg(value)
        size = abs(one.coefficient)
        below = [*rest, *((s, Fraction(1)) for s in one.scales)]
        return _Product([*([number(1 / size)] if size != 1 else []), *above, value], below, product.sign)
    return None


def _is_or_summed(a: Expr, atom: Expr | None) -> bool:
    """Whether this is the atom, or what the atom is the sum of all entries of."""
    return a is atom or (atom is not None and atom.op == "sum" and atom.attrs == (None,) and a is atom.args[0])


def _of_two_sums(product: _Product, parts: list[Summand], rest: list[tuple[Expr, Fraction]]) -> _Product | None:
    """A sum over a sum: of exponentials, or of powers of a hyperbolic tangent."""
    for place, e in enumerate(product.above):
        above = combination(e) if e.op == "add" else None
        if above is None or len(above) != 2 or len(parts) != 2:
            continue
        value = _tanh_of(above, parts) or _one_and_tanh_of(above, parts)
        if value is not None:
            return _Product([*_without(product.above, place), value], rest, product.sign)
    return None


def _tanh_of(above: list[Summand], below: list[Summand]) -> Expr | None:
    """c (P - N) / (P + N) and c (P + N) / (P - N)."""
    top, bottom = exponentials(above), exponentials(below)
    if top is None or bottom is None:
        return None
    if top[0].atom is not bottom[0].atom:
        top = top[::-1]
    if any(a.atom is not b.atom or a.scales != b.scales for a, b in zip(top, bottom, strict=True)):
        return None
    first, second = (a.coefficient / b.coefficient for a, b in zip(top, bottom, strict=True))
    if first != -second:
        return None
    value = app("tanh", div(difference(*bottom), number(2)))
    if bottom[1].coefficient < 0:
        value = app("pow" if value.is_scalar else "hpow", value, attrs=(Fraction(-1),))
    return value if first == 1 else mul(number(first), value)


def _one_and_tanh_of(above: list[Summand], below: list[Summand]) -> Expr | None:
    """c (1 - tanh(u)^2) / (1 - tanh(u)), and over 1 + tanh(u)."""
    (one, square), (unit, odd) = (sorted(s, key=lambda s: s.atom is not None) for s in (above, below))
    if one.atom is not None or unit.atom is not None or square.atom is None or odd.atom is None:
        return None
    if {s.scales for s in (*above, *below)} != {()} or odd.atom.op != "tanh" or square.atom.op not in ("hpow", "pow"):
        return None
    if square.atom.args[0] is not odd.atom or square.atom.attrs != (2,) or one.coefficient != -square.coefficient:
        return None
    if abs(odd.coefficient) != abs(unit.coefficient):
        return None
    u = odd.atom.args[0]
    argument = mul(number(2), u if odd.coefficient == -unit.coefficient else opposite(u))
    return mul(number(2 * one.coefficient / unit.coefficient), app("sigmoid", argument))


def _distributed(product: _Product) -> _Product | None:
    """An exponential put into the terms of a sum beside it, where a term becomes stable by it."""
    for place, e in enumerate(product.above):
        if e.op != "exp":
            continue
        for other, total in enumerate(product.above):
            if total.op != "add" or total.shape != e.shape:
                continue
            terms = [quotient(_times(a, e)) for a in total.args]
            if all(t is None for t in terms):
                continue
            whole = add(*(_times(a, e) if t is None else t for t, a in zip(terms, total.args, strict=True)))
            above = [a for i, a in enumerate(product.above) if i not in (place, other)]
            return _Product([*above, whole], product.below, product.sign)
    return None


def _times(a: Expr, b: Expr) -> Expr:
    if a.op == "neg":
        return neg(_times(a.args[0], b))
    return mul(a, b) if a.is_scalar else had(a, b)


def _written(product: _Product) -> Expr:
    scalars = [a for a in product.above if a.is_scalar]
    arrays = [a for a in product.above if not a.is_scalar]
    arrays += [app("hpow", b, attrs=(-k,)) for b, k in product.below if not b.is_scalar]
    under = [b if k == 1 else app("pow", b, attrs=(k,)) for b, k in product.below if b.is_scalar]
    factors = [*scalars, *([had(*arrays)] if arrays else [])]
    top = mul(*factors) if factors else number(1)
    whole = div(top, mul(*under)) if under else top
    return whole if product.sign > 0 else neg(whole)
