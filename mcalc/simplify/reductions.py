"""Normal forms of traces, sums of entries, diagonals, determinants and norms.

Numbers and scalars come out; a trace is invariant under cyclic shifts and transposition; constants are counted.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from mcalc.algebra.expr import Expr, make
from mcalc.algebra.operators import (
    app,
    dimension_number,
    eye,
    mul,
    number,
    ones,
    pow_,
    zeros,
)
from mcalc.algebra.shape import ONE, SCALAR, Shape
from mcalc.algebra.structure import holds
from mcalc.simplify.products import matrix_power, reduce_chain
from mcalc.simplify.terms import (
    ONE_Q,
    Term,
    base_and_exponent,
    build,
    merge,
    scaled,
    settle,
    term_of,
)

if TYPE_CHECKING:
    from mcalc.simplify.normal_form import Normaliser


def linear(c: Normaliser, e: Expr) -> Expr:
    """tr, sum, vec, diag, index, tril, triu of a multiple: numbers and scalars come out."""
    arg = e.args[0]
    if arg.op == "zeros":
        return number(0) if e.is_scalar else zeros(*e.shape)
    term = term_of(arg)
    if term.coefficient == 1 and not term.scalars:
        return _of_factors(c, e)
    if arg.is_scalar:
        return arg if e.is_scalar and e.op in ("tr", "sum", "vec", "tril", "triu") else e
    inner = build(ONE_Q, (), term.factors, arg.shape)
    return _rescale(c, _of_factors(c, make(e.op, (inner,), e.attrs, e.shape)), term)


def _rescale(c: Normaliser, e: Expr, term: Term) -> Expr:
    if e.op == "zeros":
        return e
    own = term_of(e)
    extra, powers = settle(merge(term.scalars, own.scalars))
    return build(term.coefficient * own.coefficient * extra, powers, own.factors, e.shape)


def _of_factors(c: Normaliser, e: Expr) -> Expr:
    arg = e.args[0]
    if arg.is_scalar and e.op in ("tr", "sum", "vec", "tril", "triu"):
        return arg
    match e.op, arg.op:
        case "tr", "eye":
            return dimension_number(arg.shape[0])
        case "tr" | "sum", "diagm" if e.attrs in ((), (None,)):
            return _of_factors(c, app("sum", arg.args[0], attrs=(None,)))
        case "tr", "kron" if all(a.is_square for a in arg.args):
            c.because("trace of a Kronecker product")
            return c.product([c.apply("tr", a) for a in arg.args])
        case "tr", "T":
            return c.apply("tr", arg.args[0])
        case "tr", _:
            return _trace(c, e)
        case "sum", "T" if e.attrs == (None,):
            return c.apply("sum", arg.args[0], (None,))
        case "sum", "add" | "mul" if e.attrs == (None,) and arg.shape[0] is ONE:
            return c.apply("sum", c.transpose(arg), (None,))
        case "sum", "softmax" if e.attrs == (None,) and (arg.is_column or arg.attrs[0] == "all"):
            c.because("softmax sums to one")
            return number(1)
        case "sum", "add" if e.attrs == (None,) and any(_is_constant(a, arg.shape) for a in arg.args):
            c.because("sum of entries")
            n, m = arg.shape
            rest = [a for a in arg.args if not _is_constant(a, arg.shape)]
            constants = [c.product([_constant_value(a), dimension_number(n), dimension_number(m)])
                         for a in arg.args if _is_constant(a, arg.shape)]  # fmt: skip
            inner = [c.apply("sum", c.sum(rest, arg.shape), (None,))] if rest else []
            total = c.sum([*inner, *constants], SCALAR)
            written = e.length - sum(_ONES_LENGTH for a in arg.args if _is_constant(a, arg.shape))
            return total if total.length < written else e
        case "sum", "kron" if e.attrs == (None,):
            c.because("sum of a Kronecker product")
            return c.product([c.apply("sum", a, (None,)) for a in arg.args])
        case "sum", "ones":
            n, m = arg.shape
            rows, columns = dimension_number(n), dimension_number(m)
            if e.attrs[0] is None:
                return c.product([rows, columns])
            return c.product([columns, ones(n)] if e.attrs[0] == 1 else [rows, ones(ONE, m)])
        case "sum", _ if e.attrs[0] == 1 and arg.shape[1] is ONE:
            return arg
        case "sum", _ if e.attrs[0] == 0 and arg.shape[0] is ONE:
            return arg
        case "diagv", "diagm":
            return arg.args[0]
        case "diagv", "eye":
            return ones(arg.shape[0])
        case "diagv", "T":
            return c.apply("diagv", arg.args[0])
        case "diagv", "mul":
            return _diagonal_of_product(c, e)
        case "diagm", "ones":
            return eye(arg.shape[0])
        case "vec", _ if arg.shape[1] is ONE:
            return arg
        case "vec", _ if arg.shape[0] is ONE:
            return c.transpose(arg)
        case "vec", "ones":
            return ones(e.shape[0])
        case "tril", _ if holds(arg, "lower"):
            c.because("triangle of a triangular matrix")
            return arg
        case "triu", _ if holds(arg, "upper"):
            c.because("triangle of a triangular matrix")
            return arg
        case ("tril", _) if arg.is_square and holds(arg, "upper"):
            c.because("triangle of a triangular matrix")
            return c.had([arg, eye(arg.shape[0])], arg.shape)
        case ("triu", _) if arg.is_square and holds(arg, "lower"):
            c.because("triangle of a triangular matrix")
            return c.had([arg, eye(arg.shape[0])], arg.shape)
    return e


_ONES_LENGTH = 3
"""What ones(n) and its product add to the length of a constant that is written as a bare scalar."""


def _is_constant(e: Expr, shape: Shape) -> bool:
    """Whether all entries are one scalar."""
    if e.is_scalar and shape != SCALAR:
        return True
    return all(f.op == "ones" for f in term_of(e).factors) and len(term_of(e).factors) == 1


def _constant_value(e: Expr) -> Expr:
    if e.is_scalar:
        return e
    term = term_of(e)
    return build(term.coefficient, term.scalars, (), SCALAR)


def _diagonal_of_product(c: Normaliser, e: Expr) -> Expr:
    """diag(u v^T) = u .* v and diag(A diag(x) B) = (A .* B^T) x."""
    chain = list(e.args[0].args)
    for index, factor in enumerate(chain[:-1]):
        if factor.shape[1] is ONE:
            c.because("diagonal of an outer product")
            right = c.transpose(c.product(chain[index + 1 :]))
            return c.had([c.product(chain[: index + 1]), right], e.shape)
    for index, factor in enumerate(chain[1:-1], 1):
        if factor.op == "diagm":
            c.because("diagonal of a product")
            left, right = c.product(chain[:index]), c.transpose(c.product(chain[index + 1 :]))
            return c.product([c.had([left, right], left.shape), factor.args[0]])
    return e


_LONG = 24
"""Products of more factors than this are not compared with their cyclic shifts."""


def _trace(c: Normaliser, e: Expr) -> Expr:
    arg = e.args[0]
    if arg.op != "mul":
        backwards = c.transpose(arg)
        return c.first.setdefault(("tr", arg), c.first.setdefault(("tr", backwards), e))
    chain = list(arg.args)
    for index, first in enumerate(chain):
        if first.shape[0] is ONE:
            c.because("cyclic shift")
            reduced = reduce_chain(c, chain[index:] + chain[:index])
            return c.product(reduced[0]) if reduced is not None else number(0)
    left, right = base_and_exponent(chain[0]), base_and_exponent(chain[-1])
    if left[0] is right[0] and left[0].is_square and len(chain) > 1 and left[1] == right[1]:
        c.because("cyclic shift")
        merged = left[2] + right[2]
        rest = chain[1:-1]
        shifted = [matrix_power(left[0], left[1], int(merged)), *rest] if merged else rest
        return c.apply("tr", c.product(shifted) if shifted else eye(arg.shape[0]))
    if len(chain) > _LONG:
        return e
    known = c.first.get(("tr", arg))
    if known is not None:
        if known is not e:
            c.because("cyclic shift")
        return known
    reverse = [c.transpose(f) for f in reversed(chain)]
    for shift in range(len(chain)):
        turned = chain[shift:] + chain[:shift]
        if len(chain) % 2 == 0 and turned == [c.transpose(f) for f in reversed(turned)]:
            c.because("trace of a square")
            return pow_(app("norm", c.product(turned[len(chain) // 2 :])), 2)
    best = e if e.length <= app("tr", mul(*reverse)).length else app("tr", mul(*reverse))
    for shift in range(len(chain)):
        for version in (chain, reverse):
            c.first[("tr", mul(*version[shift:], *version[:shift]))] = best
    return best


def determinant(c: Normaliser, e: Expr) -> Expr:
    arg = e.args[0]
    if arg.is_scalar:
        return arg if e.op == "det" else e
    match arg.op:
        case "eye":
            return number(1 if e.op == "det" else 0)
        case "T":
            c.because("determinant of a transpose")
            return c.apply(e.op, arg.args[0])
        case "pow":
            c.because("determinant of a power")
            inner = c.apply(e.op, arg.args[0])
            if e.op == "det":
                return c.apply("pow", inner, arg.attrs)
            return scaled(inner, arg.attrs[0])
        case _:
            return e


def norm(c: Normaliser, e: Expr) -> Expr:
    arg = e.args[0]
    if arg.is_scalar:
        return app("abs", arg) if arg.op != "norm" else arg
    if arg.op == "zeros":
        return number(0)
    term = term_of(arg)
    if abs(term.coefficient) != 1 or (term.coefficient < 0):
        inner = build(ONE_Q, term.scalars, term.factors, arg.shape)
        return scaled(norm(c, app(e.op, inner)), abs(term.coefficient))
    if arg.op == "T":
        return app(e.op, arg.args[0])
    return e


def mean(c: Normaliser, e: Expr) -> Expr:
    rows, columns = e.args[0].shape
    sizes = {None: (rows, columns), 0: (rows,), 1: (columns,)}[e.attrs[0]]
    total = c.apply("sum", e.args[0], e.attrs)
    for size in sizes:
        total = c.times(total, dimension_number(size), Fraction(-1))
    return total
