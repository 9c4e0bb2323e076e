"""Large literal dimensions replaced by names, so that they can be given small sizes.

In: expressions. Out: the same with every literal dimension above `LARGEST_LITERAL` written as a name, or None where
the shapes do not fit together then (a 100 x 100 Kronecker product of 10 x 10 matrices).

An identity that holds for every size n holds for n = 784, so a proof carries over; a refutation does not, and numbers
that mean a size (1/784 for a mean) stay numbers, so that such an identity may fail to be proved in this way.
"""

from __future__ import annotations

from typing import Any

from mcalc.algebra.expr import Expr, fold, make
from mcalc.algebra.operators import SHAPES, commutation, duplication, elimination
from mcalc.algebra.shape import Dim, dim
from mcalc.errors import ShapeError

LARGEST_LITERAL = 12


def _named(d: Dim) -> Dim:
    return dim(f"#{d.number}") if d.number is not None and d.number > LARGEST_LITERAL else d


def _renamed(node: Expr, args: list[Expr]) -> Expr:
    if node.op == "dim":
        return node
    if args:
        return make(node.op, tuple(args), node.attrs, SHAPES[node.op](tuple(args), node.attrs))
    attrs: tuple[Any, ...] = tuple(_named(a) if isinstance(a, Dim) else a for a in node.attrs)
    rows, columns = node.shape
    match node.op:
        case "K":
            return commutation(*attrs)
        case "dup":
            return duplication(*attrs)
        case "elim":
            return elimination(*attrs)
    return make(node.op, (), attrs, (_named(rows), _named(columns)))


def with_generic_sizes(roots: tuple[Expr, ...], memo: dict[Expr, Expr]) -> tuple[Expr, ...] | None:
    """The expressions for any size; None where that is not possible."""
    try:
        renamed = tuple(fold(root, _renamed, memo) for root in roots)
    except ShapeError:
        return None
    return renamed if all(r.shape == renamed[0].shape for r in renamed) else None
