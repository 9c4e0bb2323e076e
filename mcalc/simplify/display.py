"""Small ways of writing: each takes displayed parts and returns them shorter, or as they were.

A difference of logarithms as one, relations without a minus, row sums for diagonals, means for sums over a count.
"""

from __future__ import annotations

from fractions import Fraction

from mcalc.algebra.expr import Expr, make, postorder, symbols
from mcalc.algebra.operators import (
    add,
    app,
    dimension_number,
    had,
    hdiv,
    hpow,
    mul,
    neg,
    number,
    pow_,
)
from mcalc.algebra.shape import ONE, SCALAR
from mcalc.simplify.terms import Scalars, Term, build


def row_sums(product: Expr) -> Expr | None:
    """diag(A B^T) = sum(A .* B, axis=1)."""
    factors = [a for a in product.args if not a.is_scalar]
    scalars = [a for a in product.args if a.is_scalar]
    if len(factors) < 2 or factors[-1].op != "T":
        return None
    left, right = mul(*factors[:-1]), factors[-1].args[0]
    return None if left.is_column else mul(*scalars, app("sum", had(left, right), attrs=(1,)))


RELATIONS = {"gt": "lt", "ge": "le", "lt": "gt", "le": "ge", "eq": "eq"}


def relation(op: str, left: Expr, right: Expr) -> Expr:
    """a - b > 0 is a > b, and 1 > b is b < 1."""
    plain = app(op, left, right)
    if left.op != "add" or right.op not in ("num", "zeros") or (right.op == "num" and right.attrs[0] != 0):
        return plain
    positive = [a for a in left.args if a.op != "neg"]
    negative = [a.args[0] for a in left.args if a.op == "neg"]
    if not positive or not negative:
        return plain
    above, below = add(*positive), add(*negative)
    if (above.is_scalar and below.is_scalar) != left.is_scalar:
        return plain
    new = app(op, above, below)
    if above.is_scalar and not below.is_scalar:
        new = app(RELATIONS[op], below, above)
    return new if new.length < plain.length and new.shape == plain.shape else plain


def positive_first(parts: list[Expr]) -> list[Expr]:
    """What is added before what is subtracted; of A^T + A the plain one first."""
    added = [p for p in parts if p.op != "neg"]
    if (
        len(added) == 2
        and _transposes(added[0]) > _transposes(added[1])
        and set(symbols(added[0])) == set(symbols(added[1]))
    ):
        added.reverse()
    return added + [p for p in parts if p.op == "neg"]


def _transposes(e: Expr) -> int:
    return sum(node.op == "T" for node in postorder(e)) if e.length < 200 else 0


def logs(parts: list[Expr]) -> list[Expr]:
    """log(a) - log(b) = log(a ./ b)."""
    top = next((p for p in parts if p.op == "log"), None)
    bottom = next((p for p in parts if p.op == "neg" and p.args[0].op == "log"), None)
    if top is None or bottom is None or top.shape != bottom.shape:
        return parts
    a, b = top.args[0], bottom.args[0].args[0]
    joined = app("log", make("div", (a, b), (), a.shape) if a.is_scalar else hdiv(a, b))
    return [joined if p is top else p for p in parts if p is not bottom]


def repeated(factors: list[Expr]) -> list[Expr]:
    """A B A B = (A B)^2."""
    half = len(factors) // 2
    if half < 2 or factors[:half] != factors[half:]:
        return factors
    return [pow_(mul(*factors[:half]), 2)]


def common_power(args: list[Expr]) -> list[Expr]:
    """A.^2 .* B.^2 = (A .* B).^2."""
    for exponent in dict.fromkeys(a.attrs[0] for a in args if a.op == "hpow"):
        same = [a for a in args if a.op == "hpow" and a.attrs[0] == exponent]
        if len(same) > 1:
            joined = hpow(had(*(a.args[0] for a in same)), exponent)
            args = [joined if a is same[0] else a for a in args if a not in same[1:]]
    return args


def roots(scalars: list[Expr]) -> list[Expr]:
    """sqrt(s) sqrt(t) = sqrt(s t) of constants."""
    roots = [s for s in scalars if s.op == "sqrt" and s.args[0].op in ("num", "pi", "dim")]
    if len(roots) < 2:
        return scalars
    inside = sorted((r.args[0] for r in roots), key=lambda a: a.op != "num")
    return [*(s for s in scalars if s not in roots), app("sqrt", mul(*inside))]


def means(term: Term) -> tuple[Term, list[Expr]]:
    """sum(x) / n = mean(x)."""
    powers = dict(term.scalars)
    found: list[Expr] = []
    for atom, exponent in term.scalars:
        if atom.op != "sum" or exponent != 1 or atom.args[0].is_scalar:
            continue
        counts = [dimension_number(n) for n in atom.args[0].shape if n is not ONE]
        wanted: dict[Expr, int] = {}
        for count in counts:
            wanted[count] = wanted.get(count, 0) - 1
        if all(powers.get(count, Fraction(0)) <= k for count, k in wanted.items()):
            del powers[atom]
            for count, k in wanted.items():
                powers[count] -= k
            found.append(app("mean", atom.args[0], attrs=(None,)))
    if not found:
        return term, found
    rest = tuple((a, e) for a, e in powers.items() if e)
    return Term(term.coefficient, rest, term.factors), found


def written_length(scalars: Scalars) -> int:
    return build(Fraction(1), scalars, (), SCALAR).length


def share(available: Fraction, wanted: Fraction) -> Fraction:
    """How often a power is contained in another of the same sign."""
    return available / wanted if available * wanted > 0 else Fraction(0)


def negated(e: Expr) -> Expr:
    return e.args[0] if e.op == "neg" else neg(e)


def multiple_of_ones(e: Expr) -> bool:
    if e.op == "neg" or e.op == "div":
        return multiple_of_ones(e.args[0])
    if e.op == "mul":
        return e.args[-1].op == "ones" and all(a.is_scalar for a in e.args[:-1])
    return e.op == "ones"


def without_ones(e: Expr) -> Expr:
    match e.op:
        case "neg":
            return neg(without_ones(e.args[0]))
        case "div":
            return make("div", (without_ones(e.args[0]), e.args[1]), (), SCALAR)
        case "mul":
            return mul(*e.args[:-1])
    return number(1)
