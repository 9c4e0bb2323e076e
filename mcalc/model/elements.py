"""Elements of sequences: the symbol `h[t-1]`, and what it becomes where the loop's index has another value.

An index is a dimension (a polynomial with integer coefficients) in which the loop's index is a name like any other:
`t-1`, `T`, `0`, `T-t+1`.
"""

from __future__ import annotations

from collections.abc import Mapping

from mcalc.algebra.expr import Expr, fold, make, postorder, rebuild
from mcalc.algebra.operators import symbol
from mcalc.algebra.shape import Dim, dim
from mcalc.model.ir import Element, Sequence

MINUS = dim(-1)


def minus(a: Dim, b: Dim) -> Dim:
    """a - b."""
    return a + MINUS * b


def slope(index: Dim, name: str) -> int:
    """The coefficient of a name in an index that is linear in it."""
    return int(next((c for monomial, c in index.terms if monomial == (name,)), 0))


def put(index: Dim, name: str, value: Dim) -> Dim:
    """The index with a value in the place of a name."""
    if name not in index.names():
        return index
    total = dim(0)
    for monomial, coefficient in index.terms:
        product = dim(coefficient)
        for factor in monomial:
            product = product * (value if factor == name else dim(factor))
        total = total + product
    return total


def least(value: Dim) -> int | None:
    """A lower bound of an integer that is linear in dimensions, each at least 1; None where there is none."""
    total = 0
    for monomial, coefficient in value.terms:
        if monomial and coefficient < 0:
            return None
        total += int(coefficient)
    return total


def never_negative(value: Dim) -> bool:
    """Whether the value is at least 0, whatever the dimensions are (each at least 1)."""
    bound = least(value)
    return bound is not None and bound >= 0


class Elements:
    """The sequences of a program and the symbols of their elements; symbols are made when they are asked for."""

    def __init__(self, sequences: Mapping[str, Sequence], elements: Mapping[Expr, Element]) -> None:
        self.sequences = dict(sequences)
        self.elements = dict(elements)
        self._symbols = {element: node for node, element in self.elements.items()}

    def at(self, sequence: str, index: Dim) -> Expr:
        """The symbol of an element."""
        element = Element(sequence, index)
        known = self._symbols.get(element)
        if known is None:
            row = self.sequences[sequence]
            known = symbol(f"{sequence}[{index}]", row.shape, row.properties)
            self._symbols[element] = known
            self.elements[known] = element
        return known

    def moved(self, e: Expr, name: str, value: Dim) -> Expr:
        """The expression with another value for the loop's index."""
        if value.terms == (((name,), 1),):
            return e

        def combine(node: Expr, args: list[Expr]) -> Expr:
            if node.op == "sym" and node in self.elements:
                element = self.elements[node]
                sequence, index = element.sequence, element.index
                return self.at(sequence, put(index, name, value))
            if node.op == "dim" and name in node.attrs[0].names():
                return make("dim", (), (put(node.attrs[0], name, value),), node.shape)
            return rebuild(node, args)

        return fold(e, combine)

    def varies(self, e: Expr, name: str) -> bool:
        """Whether the expression depends on the loop's index."""
        return any(self.has_index(node, name) for node in postorder(e))

    def has_index(self, leaf: Expr, name: str) -> bool:
        """Whether a leaf holds the loop's index."""
        if leaf.op == "sym":
            return leaf in self.elements and name in self.elements[leaf].index.names()
        return leaf.op == "dim" and name in leaf.attrs[0].names()
