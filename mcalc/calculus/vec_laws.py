"""The laws of vec: for every operator that is linear in an operand, L with vec(op(…, Z, …)) = L vec(Z).

    vec(A Z B) = kron(B^T, A) vec(Z)        vec(Z^T) = K vec(Z)        vec(A .* Z) = diag(vec(A)) vec(Z)

A column is its own vec, so that the same laws serve the Jacobian of a vector by a vector. Constructors only: nothing
here simplifies.

Reference: Magnus & Neudecker, Matrix Differential Calculus, ch. 2.4 and 3.7; theorem 3.10 for the Kronecker product.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from mcalc.algebra.expr import Expr
from mcalc.algebra.operators import (
    T,
    app,
    block,
    commutation,
    div,
    eye,
    had,
    hdiv,
    mul,
    neg,
    number,
    ones,
    unit,
    zeros,
)
from mcalc.algebra.shape import ONE, SCALAR, Dim, Shape

MN = "Magnus & Neudecker"


def zero(shape: Shape) -> Expr:
    """The zero of a shape."""
    return number(0) if shape == SCALAR else zeros(*shape)


def identity(n: Dim) -> Expr:
    """The identity; 1 where n is 1."""
    return number(1) if n is ONE else eye(n)


def swap(m: Dim, n: Dim) -> Expr:
    """K(m,n), the identity where a side is 1."""
    return identity(m * n) if m is ONE or n is ONE else commutation(m, n)


def entries(shape: Shape) -> Dim:
    """The number of entries, the length of vec."""
    return shape[0] * shape[1]


def vec(e: Expr) -> Expr:
    """vec(A); a column is its own."""
    return e if e.is_column else T(e) if e.shape[0] is ONE else app("vec", e)


def kron(a: Expr, b: Expr) -> Expr:
    """The Kronecker product; with a scalar, the product."""
    return mul(a, b) if a.is_scalar or b.is_scalar else app("kron", a, b)


# --- the laws of vec ------------------------------------------------------------------------------------------------


class VecLaw(NamedTuple):
    """One row: the law's name and statement, and (node, k) to the matrix L with vec(node) = L vec(operand k)."""

    rule: str
    shown: str
    of: Callable[[Expr, int], Expr]
    reference: str = f"{MN}, ch. 2.4"


def _same(e: Expr, k: int) -> Expr:
    """The identity, or the ones that spread a scalar over every entry."""
    return ones(entries(e.shape)) if e.args[k].is_scalar and not e.is_scalar else identity(entries(e.shape))


def _product(e: Expr, k: int) -> Expr:
    scalars = [a for i, a in enumerate(e.args) if i != k and a.is_scalar]
    if e.args[k].is_scalar:
        rest = [a for i, a in enumerate(e.args) if i != k and not a.is_scalar]
        return mul(*scalars, vec(mul(*rest))) if rest else mul(number(1), *scalars)
    rows, columns = e.args[k].shape
    before = [a for a in e.args[:k] if not a.is_scalar]
    after = [T(a) for a in reversed(e.args[k + 1 :]) if not a.is_scalar]
    left = mul(*before) if before else identity(rows)
    right = mul(*after) if after else identity(columns)
    return mul(*scalars, kron(right, left))


def _quotient(e: Expr, k: int) -> Expr:
    a, b = e.args
    weight = hdiv(number(1), b) if not b.is_scalar else div(number(1), b)
    return vec(weight) if a.is_scalar else app("diagm", vec(weight))


def _sum(e: Expr, k: int) -> Expr:
    n, m = e.args[0].shape
    match e.attrs[0]:
        case None:
            return ones(ONE, n * m)
        case 0:
            return kron(identity(m), ones(ONE, n))
        case _:
            return kron(ones(ONE, m), identity(n))


def _spread_diagonal(n: Dim) -> Expr:
    """vec(diag(x)) by x."""
    return mul(app("diagm", app("vec", eye(n))), app("kron", ones(n), eye(n)))


def _index(e: Expr, k: int) -> Expr:
    n, m = e.args[0].shape
    i, j = e.attrs
    row = identity(n) if i is None or n is ONE else T(unit(i, n))
    column = identity(m) if j is None or m is ONE else T(unit(j, m))
    return kron(column, row)


def _blocks(e: Expr, k: int) -> Expr:
    """vec([I; 0] Z [I, 0])."""
    row, start, heights, first = 0, 0, [], 0
    while k >= start + e.attrs[row]:
        start += e.attrs[row]
        row += 1
    for count in e.attrs:
        heights.append(e.args[first].shape[0])
        first += count
    (h, w), line = e.args[k].shape, e.args[start : start + e.attrs[row]]
    tall = block(tuple((identity(h) if i == row else zero((n, h)),) for i, n in enumerate(heights)))
    long = block(tuple((identity(w) if i == k - start else zero((a.shape[1], w)),) for i, a in enumerate(line)))
    return kron(long if len(line) > 1 else identity(w), tall if len(heights) > 1 else identity(h))


def _kronecker(e: Expr, k: int) -> Expr:
    """vec(kron(A, B)) = kron(I_q, kron(K(n,p), I_m)) kron(vec A, vec B), A p x q and B m x n."""
    a, b = e.args
    (p, q), (m, n) = a.shape, b.shape
    if k == 1:
        middle = mul(kron(identity(q), swap(n, p)), kron(vec(a), identity(n)))
        return kron(middle, identity(m))
    return kron(identity(q), mul(kron(swap(n, p), identity(m)), kron(identity(p), vec(b))))


# fmt: off
VEC_LAWS: dict[str, VecLaw] = {
    "add":   VecLaw("vec of a sum",                "vec(A + B) = vec(A) + vec(B)",               _same),
    "neg":   VecLaw("vec of a sum",                "vec(-A) = -vec(A)",                          lambda e, k: neg(_same(e, k))),
    "div":   VecLaw("vec of a sum",                "vec(A / s) = vec(A) / s",                    lambda e, k: div(_same(e, k), e.args[1])),
    "mul":   VecLaw("vec of a product",            "vec(A X B) = kron(B^T, A) vec(X)",           _product),
    "T":     VecLaw("vec of a transpose",          "vec(X^T) = K(m,n) vec(X), X m x n",          lambda e, k: swap(*e.args[0].shape), f"{MN}, ch. 3.7"),
    "had":   VecLaw("vec of a Hadamard product",   "vec(A .* X) = diag(vec(A)) vec(X)",          lambda e, k: app("diagm", vec(had(*(a for i, a in enumerate(e.args) if i != k)))), f"{MN}, ch. 3.6"),
    "hdiv":  VecLaw("vec of a Hadamard product",   "vec(X ./ A) = diag(vec(1 ./ A)) vec(X)",     _quotient, f"{MN}, ch. 3.6"),
    "tr":    VecLaw("trace as a product of vecs",  "tr(X) = vec(I)^T vec(X)",                    lambda e, k: T(vec(eye(e.args[0].shape[0])))),
    "sum":   VecLaw("sum as a product",            "sum(X) = ones(1,mn) vec(X)",                 _sum),
    "vec":   VecLaw("vec of a column",             "vec(vec(X)) = vec(X)",                       _same),
    "kron":  VecLaw("vec of a Kronecker product",  "vec(kron(A,X)) = kron(kron(I, K(n,p)) kron(vec(A), I), I) vec(X)", _kronecker, f"{MN}, theorem 3.10"),
    "diagm": VecLaw("vec of a diagonal matrix",    "vec(diag(x)) = diag(vec(I)) kron(ones(n), I) x", lambda e, k: _spread_diagonal(e.shape[0]), "entry by entry"),
    "diagv": VecLaw("diagonal by vec",             "diag(X) = kron(ones(1,n), I) diag(vec(I)) vec(X)", lambda e, k: T(_spread_diagonal(e.shape[0])), "entry by entry"),
    "tril":  VecLaw("vec of a triangle",           "vec(tril(X)) = diag(vec(tril(ones(n,n)))) vec(X)", lambda e, k: app("diagm", vec(app("tril", ones(*e.shape)))), "entry by entry"),
    "triu":  VecLaw("vec of a triangle",           "vec(triu(X)) = diag(vec(triu(ones(n,n)))) vec(X)", lambda e, k: app("diagm", vec(app("triu", ones(*e.shape)))), "entry by entry"),
    "index": VecLaw("vec of an entry",             "X[i,j] = kron(e(j,m), e(i,n))^T vec(X)",     _index),
    "block": VecLaw("vec of blocks",               "vec([A, B]) = [vec(A); vec(B)]",             _blocks),
}
# fmt: on
