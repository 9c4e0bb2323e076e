"""Normal forms of elementwise (Hadamard) products: commutative monomials.

    coefficient · scalars · (A .* B.^2) ./ C      is      {A: 1, B: 2, C: -1}

Powers of one base merge, ones vanish, indicators are idempotent, and a kinked function meets its own indicator
(relu(u) .* (u > 0) = relu(u), abs(u) .* sign(u) = u).
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from mcalc.algebra.expr import Expr
from mcalc.algebra.operators import T, app, had, hdiv, hpow, mul, number, ones, zeros
from mcalc.algebra.shape import ONE, SCALAR, Shape
from mcalc.algebra.structure import holds
from mcalc.simplify.terms import HALF, ONE_Q, Scalars, build, merge, raised, settle, term_of

if TYPE_CHECKING:
    from mcalc.simplify.normal_form import Normaliser

INDICATORS = frozenset({"eq", "ge", "gt", "le", "lt"})


def product(context: Normaliser, args: Sequence[tuple[Expr, Fraction]], shape: Shape) -> Expr:
    """The elementwise product of normal forms to powers (scalars among them are plain factors)."""
    coefficient = ONE_Q
    scalars: list[Scalars] = []
    powers: dict[Expr, Fraction] = {}
    rows: list[tuple[Expr, Fraction]] = []
    columns: list[tuple[Expr, Fraction]] = []
    pending = list(reversed(args))
    while pending:
        arg, exponent = pending.pop()
        if arg.op == "zeros" and exponent > 0:
            return zeros(*shape) if shape != SCALAR else number(0)
        term = term_of(arg)
        if term.coefficient == 0:
            return zeros(*shape) if shape != SCALAR else number(0)
        if exponent.denominator != 1 and not arg.is_scalar and not _is_plain(arg):
            # a root of what has a coefficient is not taken apart
            powers[arg] = powers.get(arg, Fraction(0)) + exponent
            continue
        coefficient *= _rational_power(term.coefficient, exponent)
        scalars.append(raised(term.scalars, exponent))
        if arg.is_scalar or (arg.op == "ones"):
            continue
        factor = mul(*term.factors) if term.factors else build(ONE_Q, (), (), arg.shape)
        match factor.op:
            case "ones":
                pass
            case "had":
                pending.extend((a, exponent) for a in reversed(factor.args))
            case "hdiv":
                pending.append((factor.args[1], -exponent))
                pending.append((factor.args[0], exponent))
            case "hpow" if exponent.denominator == 1 and _splits(factor.args[0], factor.attrs[0] * exponent):
                pending.append((factor.args[0], factor.attrs[0] * exponent))
            case "mul" if (
                shape[0] is not ONE
                and shape[1] is not ONE
                and _scales(context, factor, pending, rows, columns, exponent)
            ):
                context.because("diagonal scaling")
            case "sqrt":
                powers[factor.args[0]] = powers.get(factor.args[0], Fraction(0)) + HALF * exponent
            case _:
                powers[factor] = powers.get(factor, Fraction(0)) + exponent
    if shape == SCALAR:
        extra, flat = settle(merge(*scalars))
        return build(coefficient * extra, flat, (), shape)
    if shape[0] is ONE and all(context.transpose(a).length <= a.length for a in powers):
        turned = [(context.transpose(a), e) for a, e in powers.items()]
        extra, flat = settle(merge(*scalars))
        column = product(context, turned, (shape[1], ONE))
        return context.product([build(coefficient * extra, flat, (), SCALAR), context.transpose(column)])
    before = set(powers)
    _idempotents(context, powers)
    extra, flat = settle(merge(*scalars))
    if any((a not in before or e.denominator == 1) and not _is_plain(a) for a, e in powers.items()):
        # a function that was absorbed leaves its argument, and roots a whole power: these may have a coefficient
        factors: tuple[Expr, ...] = (product(context, list(powers.items()), shape),)
    else:
        factors = _matrix(context, powers, shape)
    if len(factors) == 1 and not _is_plain(factors[0]) and not rows and not columns:
        return context.product([build(coefficient * extra, flat, (), SCALAR), *factors])
    if not rows and not columns:
        return build(coefficient * extra, flat, factors, shape)
    left = [context.apply("diagm", product(context, rows, (shape[0], ONE)))] if rows else []
    right = [context.apply("diagm", product(context, columns, (shape[1], ONE)))] if columns else []
    if factors == (ones(*shape),):
        pieces = [left[0].args[0] if left else ones(shape[0]), T(right[0].args[0]) if right else ones(ONE, shape[1])]
        return context.product([build(coefficient * extra, flat, (), SCALAR), *pieces])
    return context.product([build(coefficient * extra, flat, (), SCALAR), *left, *factors, *right])


def _scales(
    context: Normaliser,
    factor: Expr,
    pending: list[tuple[Expr, Fraction]],
    rows: list[tuple[Expr, Fraction]],
    columns: list[tuple[Expr, Fraction]],
    exponent: Fraction,
) -> bool:
    """(v 1^T) .* M = diag(v) M and (1 v^T) .* M = M diag(v): v is noted, what is left goes back to `pending`."""
    first, last = factor.args[0], factor.args[-1]
    rest = factor.args
    if first.op == "diagm":
        rows.append((first.args[0], exponent))
        rest = factor.args[1:]
    elif last.op == "diagm":
        columns.append((last.args[0], exponent))
        rest = factor.args[:-1]
    elif last.op == "ones":
        inner = [] if last.shape[0] is ONE else [ones(last.shape[0])]
        rows.append((context.product([*factor.args[:-1], *inner]), exponent))
        return True
    elif first.op == "ones":
        inner = [] if first.shape[1] is ONE else [ones(ONE, first.shape[1])]
        columns.append((context.transpose(context.product([*inner, *factor.args[1:]])), exponent))
        return True
    else:
        return False
    pending.append((mul(*rest), exponent))
    return True


def _splits(base: Expr, exponent: Fraction) -> bool:
    """Whether base.^exponent may be taken factor by factor: a root only of what has no coefficient."""
    if exponent.denominator == 1:
        return True
    return _is_plain(base) and base.op not in ("had", "hdiv", "hpow")


def _is_plain(e: Expr) -> bool:
    """Whether no number and no scalar stands before it."""
    term = term_of(e)
    return term.coefficient == 1 and not term.scalars


def _rational_power(value: Fraction, exponent: Fraction) -> Fraction:
    if exponent.denominator == 1:
        return value ** int(exponent)
    assert value == 1, "a fractional power is taken of a monomial with coefficient 1"
    return value


_QUOTIENTS = (("sinh", "cosh", "tanh"), ("sin", "cos", "tan"))


def _idempotents(context: Normaliser, powers: dict[Expr, Fraction]) -> None:
    """Indicators to the power one; kinked functions absorb their indicators; sinh ./ cosh is tanh."""
    for top, bottom, quotient in _QUOTIENTS:
        for atom in [a for a in powers if a.op == top and powers[a] > 0]:
            below = app(bottom, atom.args[0])
            count = min(powers[atom], -powers.get(below, Fraction(0)))
            if count >= 1:
                context.because(f"{quotient} as a quotient")
                powers[atom] -= count
                powers[below] += count
                both = app(quotient, atom.args[0])
                powers[both] = powers.get(both, Fraction(0)) + count
    _diagonals(context, powers)
    for atom in list(powers):
        if (atom.op in INDICATORS or atom.op == "eye") and powers[atom] > 1:
            context.because("indicators are idempotent")
            powers[atom] = ONE_Q
        if powers.get(atom, Fraction(0)) == 0:
            powers.pop(atom, None)
    for atom in list(powers):
        if atom not in powers or powers[atom] <= 0:
            continue
        partner = _absorbed(atom)
        if partner is not None and powers.get(partner, Fraction(0)) > 0:
            context.because("indicators are idempotent")
            del powers[partner]
        if atom.op in ("min", "max") and powers[atom] > 0:
            _extremum(context, powers, atom)
            continue
        if atom.op == "abs":
            sign = app("sign", atom.args[0])
            if powers.get(sign) == 1 and powers[atom] >= 1:
                context.because("indicators are idempotent")
                del powers[sign]
                powers[atom] -= 1
                if not powers[atom]:
                    del powers[atom]
                powers[atom.args[0]] = powers.get(atom.args[0], Fraction(0)) + 1


def _extremum(context: Normaliser, powers: dict[Expr, Fraction], atom: Expr) -> None:
    """min(A, B) .* (A > B) = B .* (A > B), and so on."""
    a, b = atom.args
    first, second = ("ge", "lt") if atom.op == "max" else ("le", "gt")
    for relation, chosen in ((first, a), (second, b)):
        if powers.get(app(relation, a, b), Fraction(0)) > 0 and not chosen.is_scalar:
            context.because("indicators are idempotent")
            exponent = powers.pop(atom)
            powers[chosen] = powers.get(chosen, Fraction(0)) + exponent
            return


def _diagonals(context: Normaliser, powers: dict[Expr, Fraction]) -> None:
    """A .* I: the transpose of A serves as well, a diagonal A needs no I, and (u v^T) .* I = diag(u .* v)."""
    identity = next((a for a in powers if a.op == "eye" and powers[a] > 0), None)
    if identity is None:
        return
    for atom in [a for a in powers if a is not identity]:
        exponent = powers[atom]
        if holds(atom, "diagonal") and exponent > 0:
            context.because("triangle of a triangular matrix")
            powers.pop(identity, None)
            continue
        plain = context.transpose(atom)
        if plain.length < atom.length:
            context.because("diagonal of a transpose")
            del powers[atom]
            powers[plain] = powers.get(plain, Fraction(0)) + exponent
    others = [a for a in powers if a is not identity]
    if identity in powers and len(others) == 1 and others[0].op == "mul" and powers[others[0]] == 1:
        chain = others[0].args
        if any(f.shape[1] is ONE for f in chain[:-1]):
            context.because("diagonal of an outer product")
            inner = context.apply("diagm", context.apply("diagv", others[0]))
            powers.clear()
            powers[inner] = ONE_Q


def _absorbed(atom: Expr) -> Expr | None:
    """The indicator that multiplying by `atom` makes redundant."""
    if atom.op == "relu":
        return app("gt", atom.args[0], number(0))
    if atom.op == "max" and atom.args[1].op in ("zeros", "num") and not _nonzero(atom.args[1]):
        return app("ge", atom.args[0], atom.args[1])
    return None


def _nonzero(e: Expr) -> bool:
    return e.op == "num" and e.attrs[0] != 0


def _matrix(context: Normaliser, powers: dict[Expr, Fraction], shape: Shape) -> tuple[Expr, ...]:
    """The factors of the term that the monomial is."""
    if not powers:
        return (ones(*shape),)
    if len(powers) == 1:
        ((atom, exponent),) = powers.items()
        if exponent == 1:
            return term_of(atom).factors or (atom,)
    key = ("had", frozenset(powers.items()))
    known = context.first.get(key)
    if known is None:
        ordered = sorted(powers.items(), key=lambda item: item[0].op not in ("sym", "T"))
        top = [_to(atom, e) for atom, e in ordered if e > 0]
        bottom = [_to(atom, -e) for atom, e in powers.items() if e < 0]
        known = had(*top) if top else number(1)
        if bottom:
            known = hdiv(known, had(*bottom))
        if all(a.op == "T" for a in powers) and not bottom:
            known = T(had(*(_to(a.args[0], e) for a, e in powers.items())))
        context.first[key] = known
    return (known,)


def _to(atom: Expr, exponent: Fraction) -> Expr:
    if exponent == 1:
        return atom
    return app("sqrt", atom) if exponent == HALF else hpow(atom, exponent)


def power(context: Normaliser, base: Expr, exponent: Fraction) -> Expr:
    """base .^ exponent of a normal form."""
    if exponent == 0:
        return number(1) if base.is_scalar else ones(*base.shape)
    if exponent == 1:
        return base
    term = term_of(base)
    whole = exponent.denominator == 1
    if base.is_scalar:
        return context.apply("pow", base, (exponent,))
    inner = base.op in ("had", "hdiv", "hpow", "sqrt")
    if whole and (term.coefficient != 1 or term.scalars or inner):
        return product(context, [(base, exponent)], base.shape)
    if base.op == "ones" or (base.op == "eye" and exponent > 0):
        return base
    if whole and base.op == "T":
        return context.transpose(power(context, base.args[0], exponent))
    return app("sqrt", base) if exponent == HALF else hpow(base, exponent)
