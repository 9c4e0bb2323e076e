"""Elements of sequences: the symbol `h[t-1]`, and what it becomes where the loop's index has another value.

An index is a dimension (a polynomial with integer coefficients) in which the loop's index is a name like any other:
`t-1`, `T`, `0`, `T-t+1`.
"""

from __future__ import annotations

from collections.abc import Mapping

from mcalc.algebra.expr import Expr, fold, make, postorder, rebuild
from mcalc.algebra.operators import symbol
from mcalc.algebra.shape import Dim
from mcalc.model.ir import Element, Range, Sequence


def slope(index: Dim, name: str) -> int:
    """The coefficient of a name in an index that is linear in it."""
    return int(next((c for monomial, c in index.terms if monomial == (name,)), 0))


def extent(index: Dim, over: Range) -> tuple[Dim, Dim]:
    """The smallest and the largest index, where it moves with that of a range."""
    ends = [index.put({over.index: end}) for end in over.ends]
    low, high = ends if slope(index, over.index) > 0 else ends[::-1]
    return low, high


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
                return self.at(element.sequence, element.index.put({name: value}))
            if node.op == "dim" and name in node.attrs[0].names():
                return make("dim", (), (node.attrs[0].put({name: value}),), node.shape)
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
