"""The adjoint column: for every operator that is linear in an argument, the cotangent that it hands to it.

    tr(C^T op(…, Z, …)) = tr(adjoint(C)^T Z)

The trace trick *is* this column: tr(A B) = tr(B A), tr(A^T) = tr(A), tr(A^T (B .* C)) = tr((A .* B)^T C).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from mcalc.algebra.expr import Expr
from mcalc.algebra.operators import (
    T,
    app,
    block,
    div,
    eye,
    had,
    hdiv,
    inner,
    mul,
    neg,
    ones,
    total,
    unit,
    zeros,
)  # fmt: skip
from mcalc.algebra.shape import ONE, SCALAR

# --- adjoints -----------------------------------------------------------------------------------------------------


class Adjoint(NamedTuple):
    """One row: the trace law's name, the law as the tables print it, and (node, k, C) to the cotangent of operand k."""

    rule: str
    shown: str
    of: Callable[[Expr, int, Expr], Expr]
    reference: str = "Magnus & Neudecker, ch. 1.10"


def _product_adjoint(e: Expr, k: int, c: Expr) -> Expr:
    rest = [a for i, a in enumerate(e.args) if i != k]
    if e.args[k].is_scalar:
        return inner(c, mul(*rest)) if rest else c
    scalars = [a for a in rest if a.is_scalar]
    before = [T(a) for a in reversed(e.args[:k]) if not a.is_scalar]
    after = [T(a) for a in reversed(e.args[k + 1 :]) if not a.is_scalar]
    return mul(*scalars, *before, c, *after)


def _hadamard_adjoint(e: Expr, k: int, c: Expr) -> Expr:
    return had(c, *(a for i, a in enumerate(e.args) if i != k))


def _quotient_adjoint(e: Expr, k: int, c: Expr) -> Expr:
    weighted = hdiv(c, e.args[1])
    return total(weighted) if e.args[0].is_scalar and not e.is_scalar else weighted


def _sum_adjoint(e: Expr, k: int, c: Expr) -> Expr:
    n, m = e.args[0].shape
    match e.attrs[0]:
        case None:
            return mul(c, ones(n, m))
        case 0:
            return mul(ones(n), c)
        case _:
            return mul(c, ones(ONE, m))


def _index_adjoint(e: Expr, k: int, c: Expr) -> Expr:
    n, m = e.args[0].shape
    i, j = e.attrs
    left = [unit(i, n)] if i is not None and n is not ONE else []
    right = [T(unit(j, m))] if j is not None and m is not ONE else []
    return mul(*left, c, *right) if c.shape != SCALAR else mul(c, *left, *right)


def _block_adjoint(e: Expr, k: int, c: Expr) -> Expr:
    """The block of the cotangent that belongs to operand k: selector^T C selector."""
    row, start = 0, 0
    while k >= start + e.attrs[row]:
        start += e.attrs[row]
        row += 1
    wanted = e.args[k]
    factors = [c]
    if len(e.attrs) > 1:
        heights, first = [], 0
        for count in e.attrs:
            heights.append(e.args[first].shape[0])
            first += count
        h = wanted.shape[0]
        parts = [eye(h) if i == row else zeros(h, size) for i, size in enumerate(heights)]
        factors.insert(0, block((tuple(parts),)))
    line = e.args[start : start + e.attrs[row]]
    if len(line) > 1:
        w = wanted.shape[1]
        column = [eye(w) if i == k - start else zeros(a.shape[1], w) for i, a in enumerate(line)]
        factors.append(block(tuple((part,) for part in column)))
    return mul(*factors)


def _vec_adjoint(e: Expr, k: int, c: Expr) -> Expr:
    """The matrix whose vec is C: (vec(I)^T kron I) (I kron C) (Magnus & Neudecker, exercise 2.4)."""
    n, m = e.args[0].shape
    scaled = _through_scalars(c, lambda inner: _vec_adjoint(e, k, inner))
    if scaled is not None:
        return scaled
    if c.op == "vec" and c.args[0].shape == e.args[0].shape:
        return c.args[0]
    if m is ONE:
        return c
    return mul(app("kron", T(app("vec", eye(m))), eye(n)), app("kron", eye(m), c))


def _through_scalars(c: Expr, adjoint: Callable[[Expr], Expr]) -> Expr | None:
    """adjoint(s C) = s adjoint(C), for a cotangent that is a multiple."""
    match c.op:
        case "neg":
            return neg(adjoint(c.args[0]))
        case "div":
            return div(adjoint(c.args[0]), c.args[1])
        case "mul" if any(a.is_scalar for a in c.args):
            scalars = [a for a in c.args if a.is_scalar]
            return mul(*scalars, adjoint(mul(*(a for a in c.args if not a.is_scalar))))
    return None


def _kron_adjoint(e: Expr, k: int, c: Expr) -> Expr:
    a, b = e.args
    scaled = _through_scalars(c, lambda inner: _kron_adjoint(e, k, inner))
    if scaled is not None:
        return scaled
    if c.op == "kron" and c.args[0].shape == a.shape and c.args[1].shape == b.shape:
        return mul(inner(c.args[1 - k], e.args[1 - k]), c.args[k])
    if k == 1 and a.shape[1] is ONE and b.shape[1] is ONE:
        return mul(app("kron", T(a), eye(b.shape[0])), c)
    if k == 0 and a.shape[1] is ONE and b.shape[1] is ONE:
        return mul(app("kron", eye(a.shape[0]), T(b)), c)
    if k == 1 and a.shape[0] is ONE and b.shape[0] is ONE:
        return mul(c, app("kron", T(a), eye(b.shape[1])))
    if k == 0 and a.shape[0] is ONE and b.shape[0] is ONE:
        return mul(c, app("kron", eye(a.shape[1]), T(b)))
    return _general_kron_adjoint(e, k, c)


def _general_kron_adjoint(e: Expr, k: int, c: Expr) -> Expr:
    """Traces over blocks: with M = C kron(I, B^T), entry i, j is tr(M_ij) = vec(I)^T kron(M_ij, I) vec(I).

    By the right factor with M = C kron(A^T, I), it is the sum of the blocks M_ii (Magnus & Neudecker, ch. 2.4).
    """
    a, b = e.args
    (p, q), (m, n) = a.shape, b.shape
    if k == 0 and n is ONE:
        return mul(app("kron", eye(p), T(b)), c)
    if k == 1 and q is ONE:
        return mul(app("kron", T(a), eye(m)), c)
    if k == 0:
        blocks = mul(c, app("kron", eye(q), T(b)))
        trace = app("vec", eye(m))
        return blocks if m is ONE else mul(
            app("kron", eye(p), T(trace)), app("kron", blocks, eye(m)), app("kron", eye(q), trace)
        )  # fmt: skip
    blocks = mul(c, app("kron", T(a), eye(n)))
    trace = app("vec", eye(p))
    return blocks if p is ONE else mul(
        app("kron", T(trace), eye(m)), app("kron", eye(p), blocks), app("kron", trace, eye(n))
    )  # fmt: skip


# fmt: off
ADJOINTS: dict[str, Adjoint] = {
    "add":   Adjoint("linearity",        "tr(A + B) = tr(A) + tr(B)",                      lambda e, k, c: c),
    "neg":   Adjoint("linearity",        "tr(-A) = -tr(A)",                                lambda e, k, c: neg(c)),
    "div":   Adjoint("linearity",        "tr(A / s) = tr(A) / s",                          lambda e, k, c: div(c, e.args[1])),
    "mul":   Adjoint("cyclic shift",     "tr(A B) = tr(B A)",                              _product_adjoint, "Matrix Cookbook (14)"),
    "T":     Adjoint("trace of a transpose", "tr(A^T) = tr(A)",                            lambda e, k, c: T(c), "Matrix Cookbook (13)"),
    "had":   Adjoint("Hadamard swap",    "tr(A^T (B .* C)) = tr((A .* B)^T C)",            _hadamard_adjoint, "Magnus & Neudecker, ch. 3.6"),
    "hdiv":  Adjoint("Hadamard swap",    "tr(A^T (B ./ C)) = tr((A ./ C)^T B)",            _quotient_adjoint, "Magnus & Neudecker, ch. 3.6"),
    "tr":    Adjoint("a trace is a scalar", "c tr(A) = tr((c I)^T A)",                     lambda e, k, c: mul(c, eye(e.args[0].shape[0]))),
    "sum":   Adjoint("sum as a product", "sum(A) = tr(ones(n,m)^T A)",                     _sum_adjoint),
    "vec":   Adjoint("vec as an inner product", "vec(A)^T vec(B) = tr(A^T B)",             _vec_adjoint, "Magnus & Neudecker, ch. 2.4"),
    "kron":  Adjoint("Kronecker product in a trace", "tr(kron(A,B)^T kron(C,D)) = tr(A^T C) tr(B^T D)", _kron_adjoint, "Magnus & Neudecker, ch. 2.2"),
    "diagm": Adjoint("diagonal in a trace", "tr(A^T diag(x)) = diag(A)^T x",               lambda e, k, c: app("diagv", c)),
    "diagv": Adjoint("diagonal in a trace", "x^T diag(A) = tr(diag(x)^T A)",               lambda e, k, c: app("diagm", c)),
    "tril":  Adjoint("triangle in a trace", "tr(A^T tril(B)) = tr(tril(A)^T B)",           lambda e, k, c: app("tril", c)),
    "triu":  Adjoint("triangle in a trace", "tr(A^T triu(B)) = tr(triu(A)^T B)",           lambda e, k, c: app("triu", c)),
    "block": Adjoint("blocks in a trace", "tr([A, B]^T [C, D]) = tr(A^T C) + tr(B^T D)",   _block_adjoint, "Magnus & Neudecker, ch. 1.11"),
    "index": Adjoint("entry as a product", "A[i,j] = e(i,n)^T A e(j,m)",                   _index_adjoint),
}
