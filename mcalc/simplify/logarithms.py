"""Logarithms that neither overflow nor cancel: log(r + exp(x)), log(exp(x) - 1), log((1 + erf(x)) / 2), …

In: what a logarithm is taken of; out: the logarithm in `softplus`, `log1mexp`, `log_erfc`, …, or None where it has no
such form. What it is taken of is read as a sum of positive multiples of one atom each, so that it does not matter how
it is spelled (1 - (1 + erf(x)) / 2 is (1 - erf(x)) / 2). With P = exp(p), N = exp(n):

    log(P + N) = n + softplus(p - n)     log(P - N) = p + log1mexp(n - p)

A difference of logistic functions (ordered regression) is one of exponentials over a common denominator.

References: Maechler, "Accurately computing log(1 - exp(-|a|))", 2012; Cody, "Rational Chebyshev approximations for the
error function", Math. Comp. 23, 1969.
"""

from __future__ import annotations

from collections.abc import Collection
from fractions import Fraction
from typing import NamedTuple

from mcalc.algebra.expr import Expr, symbols
from mcalc.algebra.operators import add, app, mul, neg, number
from mcalc.algebra.structure import holds

_CONSTANTS = frozenset(("num", "pi", "dim", "sqrt", "exp", "mul", "div", "add", "pow"))
"""Operators of which positive numbers are made of positive numbers."""
_MOST = 2
"""The most summands that a logarithm is looked for of."""


class Summand(NamedTuple):
    """coefficient * scales * atom: a rational number, positive constants, and what varies (None: nothing)."""

    coefficient: Fraction
    scales: tuple[Expr, ...]
    atom: Expr | None

    @property
    def size(self) -> Expr | None:
        """The logarithm of the positive factor; None where that is one."""
        return log_of_factor(abs(self.coefficient), self.scales)

    @property
    def log(self) -> Expr | None:
        """log |S| of a constant or a multiple of an exponential; None where that is zero."""
        parts = [e for e in (self.exponent, self.size) if e is not None]
        return add(*parts) if parts else None

    @property
    def exponent(self) -> Expr | None:
        """The logarithm of an exponential, or of a sum of them; None of anything else."""
        if self.atom is None or self.atom.op not in ("exp", "sum"):
            return None
        inner = self.atom.args[0]
        if self.atom.op == "exp":
            return inner
        return app("logsumexp", inner.args[0], attrs=self.atom.attrs) if inner.op == "exp" else None


def log_of_factor(c: Fraction, scales: tuple[Expr, ...] = ()) -> Expr | None:
    """log(c s …) of positive numbers; None where it is zero."""
    if c == 1 and not scales:
        return None
    factors = ([number(c)] if c != 1 else []) + list(scales)
    return app("log", mul(*factors))


def combination(e: Expr) -> list[Summand] | None:
    """The expression as a sum of summands, equal atoms together; None where it has too many."""
    found: dict[tuple[Expr | None, tuple[Expr, ...]], Fraction] = {}
    pending: list[tuple[Expr, Fraction, tuple[Expr, ...]]] = [(e, Fraction(1), ())]
    while pending:
        part, c, scales = pending.pop()
        match part.op:
            case "neg":
                pending.append((part.args[0], -c, scales))
                continue
            case "add":
                if len(found) + len(pending) + len(part.args) > 4 * _MOST:
                    return None
                pending += [(a, c, scales) for a in part.args]
                continue
            case "num":
                c, atom = c * part.attrs[0], None
            case "ones":
                atom = None
            case "div" if constant(part.args[1]):
                number_, scale = _factor(part.args[1])
                if number_ == 0:
                    return None
                inverse = tuple(app("pow", s, attrs=(Fraction(-1),)) for s in scale)
                pending.append((part.args[0], c / number_, (*scales, *inverse)))
                continue
            case "mul" if any(constant(a) for a in part.args):
                rest = [a for a in part.args if not constant(a)]
                for a in part.args:
                    if constant(a):
                        number_, scale = _factor(a)
                        c, scales = c * number_, (*scales, *scale)
                if rest:
                    pending.append((mul(*rest), c, scales))
                    continue
                atom = None
            case _ if constant(part):
                atom, scales = None, (*scales, part)
            case _:
                atom = part
        key = (atom, scales)
        found[key] = found.get(key, Fraction(0)) + c
    made = [Summand(c, scales, atom) for (atom, scales), c in found.items() if c]
    return made if len(made) <= _MOST else None


def constant(e: Expr) -> bool:
    """Whether this is a positive number, or made of scalars that are declared positive."""
    if e.op == "sym":
        return e.is_scalar and holds(e, "positive")
    return e.is_scalar and e.op in _CONSTANTS and (e.op != "num" or e.attrs[0] > 0) and all(map(constant, e.args))


def _factor(e: Expr) -> tuple[Fraction, tuple[Expr, ...]]:
    return (e.attrs[0], ()) if e.op == "num" else (Fraction(1), (e,))


def exponentials(parts: list[Summand]) -> tuple[Summand, Summand] | None:
    """The two summands, the positive one first, where they are multiples of exponentials (or of sums of exponentials),
    or one is a constant."""
    if len(parts) != 2 or any(p.atom is not None and p.exponent is None for p in parts):
        return None
    first, second = parts
    if all(p.atom is None for p in parts) or (first.coefficient < 0 and second.coefficient < 0):
        return None
    turned = first.coefficient < 0 or (second.coefficient > 0 and first.atom is None)
    return (second, first) if turned else (first, second)


def difference(one: Summand, other: Summand) -> Expr:
    """log |one| - log |other|, of which one at least is an exponential."""
    p, n = one.exponent, other.exponent
    parts = [] if p is None else list(_terms(p))
    parts += [] if n is None else [opposite(a) for a in _terms(n)]
    if one.scales == other.scales:
        ratio = log_of_factor(abs(one.coefficient / other.coefficient))
        parts += [] if ratio is None else [ratio]
    else:
        parts += [] if one.size is None else [one.size]
        parts += [] if other.size is None else [neg(other.size)]
    return add(*parts)


def _terms(e: Expr) -> tuple[Expr, ...]:
    return e.args if e.op == "add" else (e,)


def opposite(e: Expr) -> Expr:
    """-e, with no two signs."""
    return e.args[0] if e.op == "neg" else neg(e)


def complement_of_erf(parts: list[Summand]) -> tuple[Fraction, tuple[Expr, ...], Expr] | None:
    """(c, scales, u) where the sum is c scales (1 - erf(u))."""
    if len(parts) != 2:
        return None
    one, other = sorted(parts, key=lambda s: s.atom is not None)
    if one.atom is not None or other.atom is None or other.atom.op != "erf" or one.scales != other.scales:
        return None
    if one.coefficient < 0 or abs(other.coefficient) != one.coefficient:
        return None
    u = other.atom.args[0]
    return one.coefficient, one.scales, u if other.coefficient < 0 else opposite(u)


def logarithm(e: Expr, moving: Collection[Expr] = ()) -> Expr | None:
    """log(e) in a stable form, or None.

    None for r + exp(x), too, where a symbol of r is in `moving`, by which it will be differentiated: 1 / (r + exp(x))
    does not cancel, 1/r - sigmoid(x - log r)/r does.
    """
    parts = combination(e)
    if parts is None or (moving and any(s in moving for part in parts for s in symbols(*part.scales))):
        return None
    erfc = complement_of_erf(parts)
    if erfc is not None:
        c, scales, u = erfc
        if c == 1:
            return _plus(app("log_erfc", u), log_of_factor(c, scales))
        return _plus(app("log_half_erfc", u), log_of_factor(2 * c, scales))
    pair = exponentials(parts)
    if pair is not None:
        first, second = pair
        if second.coefficient > 0:
            return _plus(app("softplus", difference(first, second)), second.log)
        return _plus(app("log1mexp", difference(second, first)), first.log)
    if len(parts) == 2 and any(s.atom is None for s in parts):
        return _of_hyperbolic(parts)
    return _of_logistic(parts)


def _plus(e: Expr, other: Expr | None) -> Expr:
    if other is None:
        return e
    return add(*_terms(e), *_terms(other))


def _of_logistic(parts: list[Summand]) -> Expr | None:
    """log(sigmoid(p) - sigmoid(n)) = log1mexp(n - p) - softplus(-p) - softplus(n), and multiples of it."""
    if len(parts) != 2 or parts[0].scales != parts[1].scales:
        return None
    first, second = sorted(parts, key=lambda s: -s.coefficient)
    if first.coefficient != -second.coefficient or first.atom is None or second.atom is None:
        return None
    if first.atom.op != "sigmoid" or second.atom.op != "sigmoid":
        return None
    p, n = first.atom.args[0], second.atom.args[0]
    apart = add(*_terms(n), *(opposite(a) for a in _terms(p)))
    far = add(app("log1mexp", apart), neg(app("softplus", opposite(p))), neg(app("softplus", n)))
    return _plus(far, first.size)


def _of_hyperbolic(parts: list[Summand]) -> Expr | None:
    """log(1 - tanh(x)) = log(2) - softplus(2 x), log(1 - tanh(x)^2) = -2 log(cosh(x)), and multiples of them."""
    one, other = sorted(parts, key=lambda s: s.atom is not None)
    atom = other.atom
    if one.coefficient < 0 or abs(other.coefficient) != one.coefficient or one.scales != other.scales or atom is None:
        return None
    if atom.op == "tanh":
        x = atom.args[0]
        u = mul(number(2), x if other.coefficient < 0 else opposite(x))
        return _plus(neg(app("softplus", u)), log_of_factor(2 * one.coefficient, one.scales))
    square = atom.op in ("hpow", "pow") and atom.attrs[0] == 2 and atom.args[0].op == "tanh"
    if square and other.coefficient < 0 and (atom.op == "hpow" or atom.is_scalar):
        log = app("log", app("cosh", atom.args[0].args[0]))
        return _plus(neg(mul(number(2), log)), log_of_factor(one.coefficient, one.scales))
    return None
