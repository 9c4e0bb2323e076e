"""The operators: their constructors.

A constructor checks shapes and interns; it rewrites nothing (whatever changes an expression is a named rule).
The differential and adjoint columns of the same rows are in mcalc/calculus/differential.py.

Nodes (`op`: args; attrs):

    sym: ; (name, properties)       num: ; (Fraction >= 0,)      pi:
    dim: ; (Dim,)   a dimension used as a number                  eye: ; (n,)   ones, zeros: ; (n, m)
    unit: ; (i, n)  the vector e_i                                K: ; (m, n)   commutation matrix, mn x mn
    dup: ; (n,)     duplication matrix, n^2 x n(n+1)/2            elim: ; (n,)    elimination matrix, n(n+1)/2 x n^2
    add: n-ary; a scalar argument is added to every entry         neg: A        mul: n-ary, scalars and matrices
    div: A, s (a scalar)             had: n-ary elementwise product (all of one shape)
    hdiv: A, B elementwise quotient (A may be a scalar)           pow: A; (Fraction,)  square matrix or scalar
    power: s, t  scalars s^t         hpow: A; (Fraction,)         hpower: A, t   elementwise A.^t, t a scalar
    T: A      kron: A, B     eq, ge, gt, le, lt: A, B  indicators (a scalar operand is compared to every entry)
    exp, log, … : A  the elementwise functions of FUNCTIONS       max, min: A, B elementwise (scalars broadcast)
    tr, det, logdet, norm, norm1: A      sum, mean, logsumexp: A; (axis,)  axis None, 0 (1 x m) or 1 (n x 1)
    maxall, minall: A                    softmax: A; (axis,)  axis 0 columns, 1 rows, "all"
    adj, pinv, expm, vec, tril, triu: A  diagm: u (vector to matrix)   diagv: A (square matrix to its diagonal)
    block: args row by row; (k1, …, kr) the number of blocks in each row
    index: A; (i, j)  1-based, None for `:`                       d: A   the differential of A
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from mcalc.algebra.expr import Expr, make
from mcalc.algebra.functions import FUNCTIONS
from mcalc.algebra.shape import ONE, SCALAR, Dim, Shape, dim, triangular
from mcalc.algebra.shape_rules import CODE_SHAPES, SHAPES
from mcalc.errors import ShapeError

# --- leaves -----------------------------------------------------------------------------------------------------


def symbol(name: str, shape: Shape = SCALAR, properties: frozenset[str] = frozenset()) -> Expr:
    """A declared or inferred variable."""
    return make("sym", (), (name, frozenset(properties)), shape)


def number(value: int | Fraction) -> Expr:
    """A nonnegative number; a negative one is the negative of a number, a ratio a quotient of two."""
    if value < 0:
        return neg(number(-value))
    return make("num", (), (Fraction(value),), SCALAR)


PI = make("pi", (), (), SCALAR)


def dimension_number(d: Dim) -> Expr:
    """A dimension used as a scalar (`1/n`)."""
    return make("dim", (), (d,), SCALAR) if d.number is None else number(d.number)


def eye(n: Dim) -> Expr:
    """The identity, n x n."""
    return make("eye", (), (n,), (n, n))


def ones(n: Dim, m: Dim = ONE) -> Expr:
    """The all-ones matrix, n x m."""
    return make("ones", (), (n, m), (n, m))


def zeros(n: Dim, m: Dim = ONE) -> Expr:
    """The zero matrix, n x m."""
    return make("zeros", (), (n, m), (n, m))


def unit(i: int, n: Dim) -> Expr:
    """The unit vector e_i of length n, i from 1."""
    size = n.number
    if i < 1 or (size is not None and i > size):
        raise ShapeError(f"the index {i} is outside 1..{n}")
    return make("unit", (), (i, n), (n, ONE))


def commutation(m: Dim, n: Dim) -> Expr:
    """K(m,n) with K(m,n) vec(X) = vec(X^T) for X m x n (Magnus & Neudecker, ch. 3.7)."""
    return make("K", (), (m, n), (m * n, m * n))


def duplication(n: Dim) -> Expr:
    """D(n) with D(n) vech(X) = vec(X) for X symmetric, n x n (Magnus & Neudecker, ch. 3.8)."""
    return make("dup", (), (n,), (n * n, triangular(n)))


def elimination(n: Dim) -> Expr:
    """L(n) with L(n) vec(X) = vech(X), the entries on and below the diagonal, column by column (Magnus 1988, ch. 5)."""
    return make("elim", (), (n,), (triangular(n), n * n))


def app(op: str, *args: Expr, attrs: tuple[Any, ...] = ()) -> Expr:
    """The node `op(args; attrs)`, its shape checked."""
    rule = SHAPES[op] if op in SHAPES else CODE_SHAPES[op]
    return make(op, args, attrs, rule(args, attrs))


# --- constructors ---------------------------------------------------------------------------------------------------


def add(*args: Expr) -> Expr:
    """A sum; of one term, that term."""
    return args[0] if len(args) == 1 else app("add", *args)


def neg(a: Expr) -> Expr:
    """-A."""
    return make("neg", (a,), (), a.shape)


def sub(a: Expr, b: Expr) -> Expr:
    """A - B, the sum of A and the negative of B."""
    return add(a, neg(b))


def mul(*args: Expr) -> Expr:
    """A product of scalars and matrices, in the order given; of one factor, that factor."""
    return args[0] if len(args) == 1 else app("mul", *args)


def div(a: Expr, s: Expr) -> Expr:
    """A / s."""
    return app("div", a, s)


def had(*args: Expr) -> Expr:
    """The elementwise (Hadamard) product."""
    return args[0] if len(args) == 1 else app("had", *args)


def hdiv(a: Expr, b: Expr) -> Expr:
    """The elementwise quotient."""
    return app("hdiv", a, b)


def pow_(a: Expr, exponent: int | Fraction) -> Expr:
    """A^k of a square matrix (k an integer) or of a scalar (k rational)."""
    value = Fraction(exponent)
    if value.denominator != 1 and not a.is_scalar:
        raise ShapeError("a matrix power needs an integer exponent", hint="A.^(1/2) is elementwise")
    return app("pow", a, attrs=(value,))


def inv(a: Expr) -> Expr:
    """The inverse."""
    return pow_(a, -1)


def hpow(a: Expr, exponent: int | Fraction) -> Expr:
    """The elementwise power with a rational exponent."""
    return app("hpow", a, attrs=(Fraction(exponent),))


def T(a: Expr) -> Expr:
    """The transpose."""
    return app("T", a)


def d(a: Expr) -> Expr:
    """The differential of A, as a node."""
    return make("d", (a,), (), a.shape)


def diag(a: Expr) -> Expr:
    """diag: of a column vector the diagonal matrix, of a square matrix its diagonal."""
    return app("diagm", a) if a.is_column else app("diagv", a)


def total(a: Expr, axis: int | None = None) -> Expr:
    """sum(A), over all entries, down the columns (axis 0) or along the rows (axis 1)."""
    return app("sum", a, attrs=(axis,))


def block(rows: tuple[tuple[Expr, ...], ...]) -> Expr:
    """A block matrix from its rows of blocks."""
    return app("block", *(b for row in rows for b in row), attrs=tuple(len(row) for row in rows))


def inner(a: Expr, b: Expr) -> Expr:
    """<A, B> = tr(A^T B), written as short as the shapes allow."""
    if a.is_scalar:
        return mul(a, b)
    if a.shape[1] is ONE:
        return mul(T(a), b)
    if a.shape[0] is ONE:
        return mul(a, T(b))
    return app("tr", mul(T(a), b))


ELEMENTWISE_OPS = frozenset(
    [*FUNCTIONS, "had", "hdiv", "hpow", "hpower", "eq", "ge", "gt", "le", "lt", "max", "min", "softmax"]
)
"""Operators whose result is elementwise in the sense of the language: a scalar may be added to it."""


def takes_scalars(e: Expr) -> bool:
    """Whether the language lets a scalar be added to every entry of `e`.

    So it is for vectors, for the result of an elementwise operator, and for sums, transposes, negatives and scalar
    multiples of such.
    """
    while True:
        if e.shape[0] is ONE or e.shape[1] is ONE or e.op in ELEMENTWISE_OPS:
            return True
        if e.op in ("neg", "T", "div"):
            e = e.args[0]
        elif e.op == "mul":
            matrices = [a for a in e.args if not a.is_scalar]
            if len(matrices) != 1:
                return False
            e = matrices[0]
        elif e.op == "add":
            matrices = [a for a in e.args if not a.is_scalar]
            return all(takes_scalars(a) for a in matrices)
        else:
            return False


__all__ = [
    "ELEMENTWISE_OPS", "PI", "SHAPES", "T", "add", "app", "block", "commutation", "d", "diag", "dim",
    "dimension_number", "div", "duplication", "elimination", "eye", "had", "hdiv", "hpow", "inner", "inv", "mul",
    "neg", "number", "ones", "pow_", "sub", "symbol", "takes_scalars", "total", "unit", "zeros",
]  # fmt: skip
