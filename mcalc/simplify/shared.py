"""What the terms of a sum share: scalars, the first or last factor, elementwise factors."""

from __future__ import annotations

from fractions import Fraction

from mcalc.algebra.expr import Expr
from mcalc.algebra.operators import T, eye, mul, ones
from mcalc.algebra.shape import ONE, SCALAR, Shape
from mcalc.simplify.normal_form import Normaliser
from mcalc.simplify.products import matrix_power
from mcalc.simplify.terms import ONE_Q, Scalars, Term, base_and_exponent, build, settle


def whole(arg: Expr, shape: Shape) -> Expr:
    """A scalar that a sum of matrices adds to every entry, as a multiple of ones."""
    return mul(arg, ones(*shape)) if arg.is_scalar and shape != SCALAR else arg


def sum_of(context: Normaliser, terms: list[Term], shape: Shape) -> Expr:
    """The normal form of the sum of terms."""
    return context.sum([build(*t, shape) for t in terms], shape)


def settled(t: Term) -> Term:
    """The term with integer powers of composite scalars written as their factors."""
    extra, scalars = settle(t.scalars)
    return Term(t.coefficient * extra, scalars, t.factors)


def common_scalars(terms: list[Term]) -> Scalars:
    """Atoms to the power that every term has (nearest to zero)."""
    shared = []
    for atom, exponent in terms[0].scalars:
        exponents = [exponent]
        for t in terms[1:]:
            exponents.append(dict(t.scalars).get(atom, Fraction(0)))
        if all(e > 0 for e in exponents):
            shared.append((atom, min(exponents)))
        elif all(e < 0 for e in exponents):
            shared.append((atom, max(exponents)))
    return tuple(shared)


def common_factor(terms: list[Term], side: int) -> tuple[Expr, bool, int] | None:
    """(base, transposed, exponent) that every term has as its first or last factor."""
    if any(not t.factors for t in terms):
        return None
    base, transposed, exponent = base_and_exponent(terms[0].factors[side])
    exponents = [int(exponent)]
    for t in terms[1:]:
        other, transposed2, exponent2 = base_and_exponent(t.factors[side])
        if other is not base or transposed2 != transposed:
            return None
        exponents.append(int(exponent2))
    if all(e > 0 for e in exponents):
        return base, transposed, min(exponents)
    if all(e < 0 for e in exponents):
        return base, transposed, max(exponents)
    return None


def strip(t: Term, shared: tuple[Expr, bool, int], side: int) -> Term:
    """The term without the shared power at its first (side 0) or last (side -1) factor."""
    base, transposed, exponent = shared
    _, _, own = base_and_exponent(t.factors[side])
    left = int(own) - exponent
    kept = (matrix_power(base, transposed, left),) if left else ()
    factors = (*kept, *t.factors[1:]) if side == 0 else (*t.factors[:-1], *kept)
    return Term(t.coefficient, t.scalars, factors)


def hadamard_view(t: Term, shape: Shape) -> dict[Expr, Fraction]:
    """The matrix part of a term as an elementwise monomial; diag(v) M is (v 1^T) .* M."""
    powers: dict[Expr, Fraction] = {}
    factors = t.factors
    if shape[0] is not ONE and shape[1] is not ONE:
        if len(factors) > 1 and factors[0].op == "diagm":
            powers[mul(factors[0].args[0], ones(ONE, shape[1]))] = ONE_Q
            factors = factors[1:]
        elif len(factors) > 1 and factors[-1].op == "diagm":
            powers[mul(ones(shape[0]), T(factors[-1].args[0]))] = ONE_Q
            factors = factors[:-1]
    if len(factors) != 1:
        powers[mul(*factors) if factors else eye(shape[0])] = ONE_Q
        return powers
    pending = [(factors[0], ONE_Q)]
    while pending:
        node, e = pending.pop()
        match node.op:
            case "had":
                pending.extend((a, e) for a in reversed(node.args))
            case "hdiv":
                pending.extend(((node.args[1], -e), (node.args[0], e)))
            case "hpow" if e.denominator == 1:
                pending.append((node.args[0], e * node.attrs[0]))
            case "sqrt":
                pending.append((node.args[0], e / 2))
            case "ones" | "num":
                pass
            case _:
                powers[node] = powers.get(node, Fraction(0)) + e
    return powers


def powers_of(context: Normaliser, powers: list[tuple[Expr, Fraction]], shape: Shape) -> Expr:
    from mcalc.simplify.elementwise import product

    return product(context, [(a, e) for a, e in powers if e], shape) if any(e for _, e in powers) else ones(*shape)
