"""The two columns that generate all of calculus.

DIFFERENTIALS: for every operator, d(op(A, B, …)) as an expression linear in dA, dB, … (Magnus & Neudecker, Matrix
Differential Calculus, ch. 8-9; Petersen & Pedersen, The Matrix Cookbook, ch. 2; Giles 2008).
ADJOINTS: for every operator that is linear in an argument, the cotangent that it hands to that argument:
tr(C^T op(…, Z, …)) = tr(adjoint(C)^T Z). The trace trick *is* this column.

A differential is told which operands move; a term is written only for those. Constructors only: nothing here
simplifies.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple

from mcalc.algebra import operators as o
from mcalc.algebra.expr import Expr
from mcalc.algebra.functions import CODE_FUNCTIONS, ELEMENTWISE, FUNCTIONS
from mcalc.algebra.operators import (
    T,
    add,
    app,
    d,
    div,
    eye,
    had,
    hdiv,
    hpow,
    inner,
    inv,
    mul,
    neg,
    number,
    ones,
    pow_,
    total,
    zeros,
)  # fmt: skip
from mcalc.algebra.shape import ONE, SCALAR
from mcalc.errors import NotSupported

Moves = Callable[[Expr], bool]
CONSTANT = frozenset({"eq", "ge", "gt", "le", "lt", "sign"})
"""Operators whose differential is zero off their kinks (and by convention at them)."""
LARGEST_POWER = 64


class Differential(NamedTuple):
    """One row: the rule's name, d(op) as the tables print it, and the differential."""

    rule: str
    shown: str
    of: Callable[[Expr, Moves], Expr]
    reference: str
    condition: str = ""


def _replaced(e: Expr, k: int, new: Expr) -> Expr:
    args = (*e.args[:k], new, *e.args[k + 1 :])
    return app(e.op, *args, attrs=e.attrs)


def _each(e: Expr, moves: Moves) -> Expr:
    """The product rule: one term for each operand that moves."""
    return add(*(_replaced(e, k, d(a)) for k, a in enumerate(e.args) if moves(a)))


def _linear(e: Expr, moves: Moves) -> Expr:
    return app(e.op, d(e.args[0]), attrs=e.attrs)


def _spread(a: Expr, e: Expr) -> Expr:
    """A scalar, added to every entry of e, as a matrix."""
    return mul(a, ones(*e.shape)) if a.is_scalar and not e.is_scalar else a


def _sum(e: Expr, moves: Moves) -> Expr:
    return add(*(_spread(d(a), e) for a in e.args if moves(a)))


def _division(e: Expr, moves: Moves) -> Expr:
    a, s = e.args
    terms = []
    if moves(a):
        terms.append(div(d(a), s))
    if moves(s):
        terms.append(neg(div(mul(a, d(s)) if a.is_scalar else mul(d(s), a), pow_(s, 2))))
    return add(*terms)


def _quotient(e: Expr, moves: Moves) -> Expr:
    a, b = e.args
    terms = []
    if moves(a):
        terms.append(hdiv(d(a), b))
    if moves(b):
        weight = hdiv(a, hpow(b, 2))
        terms.append(neg(had(weight, d(b))))
    return add(*terms)


def _power(e: Expr, moves: Moves) -> Expr:
    x, k = e.args[0], e.attrs[0]
    if e.is_scalar:
        if x.op == "norm" and k == 2:
            return mul(number(2), inner(x.args[0], d(x.args[0])))
        return mul(_rational(k), pow_(x, k - 1), d(x))
    if k == 0:
        return zeros(*e.shape)
    if k == -1:
        return neg(mul(inv(x), d(x), inv(x)))
    if abs(k) > LARGEST_POWER:
        raise NotSupported(
            f"the differential of a matrix power beyond {LARGEST_POWER} is not written out", code="power"
        )
    count = int(abs(k))
    if k > 0:
        return add(*(_sandwich(x, i, count - 1 - i) for i in range(count)))
    return neg(add(*(_sandwich(inv(x), i, count + 1 - i, x) for i in range(1, count + 1))))


def _sandwich(x: Expr, left: int, right: int, moving: Expr | None = None) -> Expr:
    """x^left dX x^right, where x may be the inverse of X."""
    target = x if moving is None else moving
    sign = 1 if moving is None else -1
    factors = [pow_(target, sign * left)] if left else []
    factors.append(d(target))
    if right:
        factors.append(pow_(target, sign * right))
    return mul(*(f.args[0] if f.op == "pow" and f.attrs[0] == 1 else f for f in factors))


def _rational(value: Fraction) -> Expr:
    size = abs(value)
    shown = number(size.numerator)
    if size.denominator != 1:
        shown = div(shown, number(size.denominator))
    return neg(shown) if value < 0 else shown


def _symbolic_power(e: Expr, moves: Moves) -> Expr:
    x, t = e.args
    terms = []
    if moves(x):
        exponent = add(t, neg(number(1)))
        if e.op == "power":
            terms.append(mul(t, app("power", x, exponent), d(x)))
        else:
            terms.append(mul(t, had(app("hpower", x, exponent), d(x))))
    if moves(t):
        log = app("log", x)
        terms.append(mul(d(t), mul(e, log) if e.op == "power" else had(e, log)))
    return add(*terms)


def _elementwise_power(e: Expr, moves: Moves) -> Expr:
    x, k = e.args[0], e.attrs[0]
    return mul(_rational(k), had(hpow(x, k - 1), d(x)) if k != 2 else had(x, d(x)))


def _function(e: Expr, moves: Moves) -> Expr:
    derivative: Expr = ELEMENTWISE[e.op].derivative(o, e.args[0], e)
    if e.is_scalar:
        return mul(derivative, d(e.args[0]))
    return had(derivative, d(e.args[0]))


def _extremum(first: str, second: str) -> Callable[[Expr, Moves], Expr]:
    def rule(e: Expr, moves: Moves) -> Expr:
        a, b = e.args
        terms = []
        for operand, comparison in ((a, first), (b, second)):
            if moves(operand):
                chosen = app(comparison, a, b)
                terms.append(mul(chosen, d(operand)) if operand.is_scalar else had(chosen, d(operand)))
        return add(*terms)

    return rule


def _trace(e: Expr, moves: Moves) -> Expr:
    x = e.args[0]
    if x.op == "expm":
        return app("tr", mul(x, d(x.args[0])))
    return app("tr", d(x))


def _exponential(e: Expr, moves: Moves) -> Expr:
    x = e.args[0]
    matrix = [a for a in x.args if not a.is_scalar] if x.op in ("mul", "div") else []
    if len(matrix) == 1 and not moves(matrix[0]):
        return mul(e, d(x))
    raise NotSupported(
        "the differential of expm(X) has no closed form unless dX commutes with X",
        hint="supported: tr(expm(X)), and expm(t A) by the scalar t",
        code="expm",
    )


def _mean(e: Expr, moves: Moves) -> Expr:
    rows, columns = e.args[0].shape
    sizes = {None: [rows, columns], 0: [rows], 1: [columns]}[e.attrs[0]]
    counts = [o.dimension_number(size) for size in sizes if size is not ONE]
    summed = total(d(e.args[0]), e.attrs[0])
    return div(summed, mul(*counts)) if counts else summed


def _log_sum_exp(e: Expr, moves: Moves) -> Expr:
    x, axis = e.args[0], e.attrs[0]
    if axis is None:
        return inner(app("softmax", x, attrs=("all" if not x.is_column else 0,)), d(x))
    return total(had(app("softmax", x, attrs=(axis,)), d(x)), axis)


def _softmax(e: Expr, moves: Moves) -> Expr:
    dx, axis = d(e.args[0]), e.attrs[0]
    moved = had(e, dx)
    if axis == "all" or (axis == 0 and e.is_column) or (axis == 1 and e.shape[0] is ONE):
        return add(moved, neg(mul(inner(e, dx), e)))
    if axis == 1:
        return add(moved, neg(mul(app("diagm", total(moved, 1)), e)))
    return add(moved, neg(mul(e, app("diagm", T(total(moved, 0))))))


def _adjugate(e: Expr, moves: Moves) -> Expr:
    x = e.args[0]
    dx, y = d(x), inv(x)
    return mul(app("det", x), add(mul(app("tr", mul(y, dx)), y), neg(mul(y, dx, y))))


def _pseudoinverse(e: Expr, moves: Moves) -> Expr:
    x = e.args[0]
    n, m = x.shape
    dx = d(x)
    return add(
        neg(mul(e, dx, e)),
        mul(e, T(e), T(dx), add(eye(n), neg(mul(x, e)))),
        mul(add(eye(m), neg(mul(e, x))), T(dx), T(e), e),
    )


def _blocks(e: Expr, moves: Moves) -> Expr:
    parts = [d(a) if moves(a) else (number(0) if a.is_scalar else zeros(*a.shape)) for a in e.args]
    return app("block", *parts, attrs=e.attrs)


def _norm(e: Expr, moves: Moves) -> Expr:
    x = e.args[0]
    return div(inner(x, d(x)), e)


MN, MC = "Magnus & Neudecker, ch. 8", "Matrix Cookbook"
# fmt: off
DIFFERENTIALS: dict[str, Differential] = {
    "add":    Differential("sum rule",              "d(A + B) = dA + dB",                        _sum,           f"{MN}.2; {MC} (35)"),
    "neg":    Differential("sum rule",              "d(-A) = -dA",                               _linear,        f"{MN}.2"),
    "mul":    Differential("product rule",          "d(A B) = dA B + A dB",                      _each,          f"{MN}.2; {MC} (37)"),
    "div":    Differential("quotient rule",         "d(A / s) = dA / s - A ds / s^2",            _division,      f"{MN}.2"),
    "had":    Differential("Hadamard product rule", "d(A .* B) = dA .* B + A .* dB",             _each,          f"{MN}.2; {MC} (38)"),
    "hdiv":   Differential("elementwise quotient rule", "d(A ./ B) = dA ./ B - A ./ B.^2 .* dB", _quotient,      f"{MN}.2"),
    "pow":    Differential("power rule",            "d(X^-1) = -X^-1 dX X^-1; d(X^k) = dX X^(k-1) + ... + X^(k-1) dX", _power, f"{MN}.4; {MC} (40)"),
    "power":  Differential("power rule",            "d(s^t) = t s^(t-1) ds + s^t log(s) dt",     _symbolic_power, "calculus"),
    "hpow":   Differential("elementwise power rule", "d(X.^k) = k X.^(k-1) .* dX",               _elementwise_power, "calculus"),
    "hpower": Differential("elementwise power rule", "d(X.^t) = t X.^(t-1) .* dX + X.^t .* log(X) dt", _symbolic_power, "calculus"),
    "T":      Differential("transpose rule",        "d(X^T) = (dX)^T",                           _linear,        f"{MN}.2; {MC} (44)"),
    "kron":   Differential("Kronecker product rule", "d(kron(A, B)) = kron(dA, B) + kron(A, dB)", _each,         f"{MN}.2; {MC} (39)"),
    "max":    Differential("maximum",               "d max(A,B) = (A >= B) .* dA + (A < B) .* dB", _extremum("ge", "lt"), "off the ties"),
    "min":    Differential("minimum",               "d min(A,B) = (A <= B) .* dA + (A > B) .* dB", _extremum("le", "gt"), "off the ties"),
    "tr":     Differential("trace rule",            "d tr(X) = tr(dX); d tr(expm(X)) = tr(expm(X) dX)", _trace,  f"{MN}.2; {MC} (36)"),
    "det":    Differential("determinant",           "d det(X) = det(X) tr(X^-1 dX) = tr(adj(X) dX)",
                           lambda e, m: mul(e, app("tr", mul(inv(e.args[0]), d(e.args[0])))),            f"{MN}.3; {MC} (41)"),
    "logdet": Differential("log-determinant",       "d logdet(X) = tr(X^-1 dX)",
                           lambda e, m: app("tr", mul(inv(e.args[0]), d(e.args[0]))),                    f"{MN}.3; {MC} (43)"),
    "norm":   Differential("norm",                  "d norm(X) = tr(X^T dX) / norm(X); d norm(X)^2 = 2 tr(X^T dX)", _norm, f"{MC} (129)"),
    "norm1":  Differential("1-norm",                "d norm1(X) = tr(sign(X)^T dX)",
                           lambda e, m: inner(app("sign", e.args[0]), d(e.args[0])),                     "off the zeros"),
    "sum":    Differential("sum of entries",        "d sum(X) = sum(dX)",                        _linear,        f"{MN}.2"),
    "mean":   Differential("mean of entries",       "d mean(X) = sum(dX) / (n m)",               _mean,          f"{MN}.2"),
    "logsumexp": Differential("log-sum-exp",        "d logsumexp(X) = tr(softmax(X)^T dX)",      _log_sum_exp,   "Boyd & Vandenberghe, sec. 3.1.5"),
    "softmax": Differential("softmax",              "d softmax(x) = p .* dx - (p^T dx) p, p = softmax(x)", _softmax, "Bishop, PRML (4.106)"),
    "maxall": Differential("largest entry",         "d max(X) = tr((X == max(X))^T dX)",
                           lambda e, m: inner(app("eq", e.args[0], e), d(e.args[0])),                    "where the largest entry is unique"),
    "minall": Differential("smallest entry",        "d min(X) = tr((X == min(X))^T dX)",
                           lambda e, m: inner(app("eq", e.args[0], e), d(e.args[0])),                    "where the smallest entry is unique"),
    "adj":    Differential("adjugate",              "d adj(X) = det(X) (tr(X^-1 dX) X^-1 - X^-1 dX X^-1)", _adjugate, f"{MN}.5"),
    "pinv":   Differential("pseudoinverse",         "d pinv(X) = -X^+ dX X^+ + X^+ X^+^T dX^T (I - X X^+) + (I - X^+ X) dX^T X^+^T X^+", _pseudoinverse, "Golub & Pereyra 1973; " + MN + ".4"),
    "expm":   Differential("matrix exponential",    "d expm(t A) = expm(t A) A dt",              _exponential,   "Higham, Functions of Matrices, ch. 10"),
    "vec":    Differential("vec rule",              "d vec(X) = vec(dX)",                        _linear,        f"{MN}.2"),
    "diagm":  Differential("diag rule",             "d diag(x) = diag(dx)",                      _linear,        f"{MN}.2"),
    "diagv":  Differential("diag rule",             "d diag(X) = diag(dX)",                      _linear,        f"{MN}.2"),
    "tril":   Differential("triangle rule",         "d tril(X) = tril(dX)",                      _linear,        "linear"),
    "triu":   Differential("triangle rule",         "d triu(X) = triu(dX)",                      _linear,        "linear"),
    "block":  Differential("block rule",            "d [A, B] = [dA, dB]",                       _blocks,        f"{MN}.2"),
    "index":  Differential("entry rule",            "d X[i,j] = dX[i,j]",                        _linear,        "linear"),
    **{name: Differential(f"derivative of {name}", f"d {name}(X) = {row.shown}", _function, row.reference)
       for name, row in FUNCTIONS.items() if name not in CONSTANT},
}
# fmt: on

_OF_CODE = {
    name: Differential(f"derivative of {name}", f"d {name}(X) = {row.shown}", _function, row.reference)
    for name, row in CODE_FUNCTIONS.items()
}


def row_of(op: str) -> Differential:
    """The row of an operator, or of a function that only generated code has."""
    return DIFFERENTIALS[op] if op in DIFFERENTIALS else _OF_CODE[op]


def differential_of(e: Expr, moves: Moves) -> Expr:
    """d(e), in differentials of those of its operands that move; zero where none does."""
    if e.op in CONSTANT or not any(moves(a) for a in e.args):
        return number(0) if e.shape == SCALAR else zeros(*e.shape)
    return row_of(e.op).of(e, moves)


# fmt: on
