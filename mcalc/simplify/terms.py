"""Terms: an expression seen as  coefficient · scalars · matrix factors.

    -2 t X^T R / norm(x)^3   is   Term(-2, {t: 1, norm(x): -3}, (X^T, R))

`term_of` reads a normal form so, `build` writes one; on normal forms they are inverse to each other. A scalar that
a matrix product has come to (x^T A x) is one scalar atom. A term of a scalar has no factors; a term whose matrix part
is an identity has no factors either, so `build` is told the shape.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import NamedTuple

from mcalc.algebra.expr import Expr
from mcalc.algebra.operators import app, div, eye, mul, neg, number, pow_
from mcalc.algebra.shape import ONE, SCALAR, Shape
from mcalc.algebra.structure import holds

ONE_Q = Fraction(1)
HALF = Fraction(1, 2)

Scalars = tuple[tuple[Expr, Fraction], ...]


class Term(NamedTuple):
    """coefficient · product of scalar atoms to powers · product of matrix factors."""

    coefficient: Fraction
    scalars: Scalars
    factors: tuple[Expr, ...]


def merge(*parts: Iterable[tuple[Expr, Fraction]]) -> Scalars:
    """Powers of scalar atoms, multiplied together."""
    filled = [part for part in parts if part]
    if not filled:
        return ()
    if len(filled) == 1 and isinstance(filled[0], tuple):
        return filled[0]
    total: dict[Expr, Fraction] = {}
    for part in filled:
        for atom, exponent in part:
            old = total.get(atom)
            total[atom] = exponent if old is None else old + exponent
    return tuple((atom, exponent) for atom, exponent in total.items() if exponent)


def raised(scalars: Scalars, exponent: Fraction) -> Scalars:
    """The scalars to a power."""
    return tuple((atom, e * exponent) for atom, e in scalars)


def term_of(e: Expr) -> Term:
    """The term that a normal form is."""
    known: Term | None = e.term
    if known is None:
        known = e.term = _read(e)
    return known


def _read(e: Expr) -> Term:
    coefficient = ONE_Q
    scalars: list[Scalars] = []
    factors: list[Expr] = []
    pending: list[tuple[Expr, int]] = [(e, 1)]
    while pending:
        node, sign = pending.pop()
        match node.op:
            case "num" if sign > 0 or node.attrs[0]:
                coefficient *= node.attrs[0] if sign > 0 else 1 / node.attrs[0]
            case "neg":
                coefficient = -coefficient
                pending.append((node.args[0], sign))
            case "div":
                pending.append((node.args[1], -sign))
                pending.append((node.args[0], sign))
            case "mul" if any(a.is_scalar for a in node.args) and (sign > 0 or not node.is_scalar):
                pending.extend((a, sign) for a in reversed(node.args))
            case "mul" if any(a.is_scalar for a in node.args):
                # 1 / (x^T s y): the product of the matrices is one scalar
                matrices = [a for a in node.args if not a.is_scalar]
                pending.extend((a, sign) for a in reversed(node.args) if a.is_scalar)
                if matrices:
                    pending.append((mul(*matrices), sign))
            case "mul" if not node.is_scalar:
                factors.extend(node.args)
            case "pow" if node.is_scalar and node.args[0].op != "num":
                scalars.append(((node.args[0], node.attrs[0] * sign),))
            case "sqrt" if node.is_scalar:
                scalars.append(((node.args[0], HALF * sign),))
            case "eye":
                pass
            case _ if node.is_scalar:
                scalars.append(((node, Fraction(sign)),))
            case _:
                factors.append(node)
    return Term(coefficient, merge(*scalars), tuple(factors))


def scalar_power(atom: Expr, exponent: Fraction) -> Expr:
    """atom^exponent, written sqrt where it is a square root."""
    if exponent == 1:
        return atom
    if exponent == HALF:
        return app("sqrt", atom)
    return pow_(atom, exponent)


def build(coefficient: Fraction, scalars: Scalars, factors: tuple[Expr, ...], shape: Shape) -> Expr:
    """The normal form of a term: sign in front, numbers and scalars before matrices, one quotient."""
    size = abs(coefficient)
    top: list[Expr] = [number(size.numerator)] if size.numerator != 1 else []
    bottom: list[Expr] = [number(size.denominator)] if size.denominator != 1 else []
    for atom, exponent in scalars:
        if exponent > 0:
            top.append(scalar_power(atom, exponent))
        else:
            bottom.append(scalar_power(atom, -exponent))
    top.extend(factors)
    if not factors and shape != SCALAR:
        top.append(eye(shape[0]))
    result = mul(*top) if top else number(1)
    if bottom:
        result = div(result, mul(*bottom))
    return neg(result) if coefficient < 0 else result


def scaled(e: Expr, coefficient: Fraction, scalars: Scalars = ()) -> Expr:
    """coefficient · scalars · e, e being a normal form."""
    if coefficient == 1 and not scalars:
        return e
    term = term_of(e)
    return build(coefficient * term.coefficient, merge(scalars, term.scalars), term.factors, e.shape)


def base_and_exponent(factor: Expr) -> tuple[Expr, bool, Fraction]:
    """A matrix factor as (base, transposed, exponent)."""
    transposed = factor.op == "T"
    inner = factor.args[0] if transposed else factor
    if inner.op == "pow":
        return inner.args[0], transposed, inner.attrs[0]
    return inner, transposed, ONE_Q


def is_row(e: Expr) -> bool:
    """1 x m, m not 1."""
    return e.shape[0] is ONE and e.shape[1] is not ONE


def settle(scalars: Scalars) -> tuple[Fraction, Scalars]:
    """Integer powers of composite atoms (left by a square root that became whole) written as their factors."""
    if all(atom.op not in ("num", "mul", "div", "neg", "sqrt", "pow") for atom, _ in scalars):
        return ONE_Q, scalars
    coefficient = ONE_Q
    parts: list[Scalars] = []
    for atom, exponent in scalars:
        if exponent.denominator == 1 and (atom.op in ("num", "div", "neg") or atom.op == "mul"):
            term = term_of(atom)
            coefficient *= term.coefficient ** int(exponent)
            parts.append(raised(term.scalars, exponent))
        elif (
            atom.op in ("pow", "sqrt")
            and atom.args[0].op != "num"
            and (exponent.denominator == 1 or holds_nonnegative(atom.args[0]))
        ):
            inner = atom.attrs[0] if atom.op == "pow" else HALF
            parts.append(((atom.args[0], inner * exponent),))
        else:
            parts.append(((atom, exponent),))
    return coefficient, merge(*parts)


def holds_nonnegative(atom: Expr) -> bool:
    """Whether a scalar is visibly >= 0."""
    return atom.op in ("norm", "norm1") or holds(atom, "positive")
