"""The adjoint of one definition: from the cotangent of N = V to what it hands to the symbols in V.

    tr(N_bar^T dV) = sum over S of tr(S_part^T dS)

The parts are the gradients of tr(N_bar^T V), made by the calculus itself (`calculus.gradient.backward`) and written by
`simplify.shorten`; where the value of V comes back, N stands for it. Definitions that differ in names only (the layers
of a network) share one derivation: symbols and dimensions are renamed in reading order, and the result is named back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from mcalc.algebra.expr import Expr, fold, make, postorder, substitute
from mcalc.algebra.operators import inner, number, symbol
from mcalc.algebra.shape import Dim, Shape, dim
from mcalc.calculus.gradient import backward
from mcalc.simplify.normal_form import Normaliser
from mcalc.simplify.polish import Polisher
from mcalc.simplify.shorten import shorten

Parts = dict[Expr, Expr]
"""Symbol to its part; a symbol that gets none is absent."""


class LocalAdjoints:
    """The local adjoints of one program, each distinct one derived once."""

    def __init__(self) -> None:
        self.known: dict[tuple[Expr, Expr, Expr, tuple[Expr, ...]], tuple[Expr | None, ...]] = {}

    def __call__(self, cotangent: Expr, target: Expr, value: Expr, variables: Sequence[Expr]) -> Parts:
        """The parts for the variables; `cotangent` is a symbol, or 1."""
        names = Renaming()
        renamed_value = names(value)
        renamed = (names(cotangent), names(target), renamed_value, tuple(names(x) for x in variables))
        if renamed not in self.known:
            self.known[renamed] = gradients(*renamed)
        back = names.inverse()
        return {x: back(g) for x, g in zip(variables, self.known[renamed], strict=True) if g is not None}


def gradients(cotangent: Expr, target: Expr, value: Expr, variables: Sequence[Expr]) -> tuple[Expr | None, ...]:
    """The gradients of tr(C^T V) by the variables, written as short as they get; None for zero."""
    context = Normaliser()
    root = value if cotangent is number(1) else inner(cotangent, value)
    found = backward(context, root, variables).gradients
    polish = Polisher(context, {context(node): node for node in postorder(value) if node.args})
    context.rewrites.clear()
    named = {value: target} if value.args else {}
    result: list[Expr | None] = []
    for x in variables:
        gradient = found[x]
        if gradient is None or gradient.op == "zeros" or gradient is number(0):
            result.append(None)
        else:
            result.append(substitute(shorten(context, polish, gradient)[0], named))
        context.rewrites.clear()
    return tuple(result)


class Renaming:
    """Names given in the order of first use: symbols s1, s2, …, dimensions n1, n2, …"""

    def __init__(self) -> None:
        self.symbols: dict[Expr, Expr] = {}
        self.dimensions: dict[str, str] = {}

    def __call__(self, e: Expr) -> Expr:
        """The expression under the new names."""
        return _renamed(e, self._symbol, self._dimension)

    def _dimension(self, size: Dim) -> Dim:
        for name in size.names():
            self.dimensions.setdefault(name, f"n{len(self.dimensions) + 1}")
        return _mapped(size, self.dimensions)

    def _symbol(self, node: Expr) -> Expr:
        if node not in self.symbols:
            shape = self._dimension(node.shape[0]), self._dimension(node.shape[1])
            self.symbols[node] = symbol(f"s{len(self.symbols) + 1}", shape, node.attrs[1])
        return self.symbols[node]

    def inverse(self) -> Callable[[Expr], Expr]:
        """The way back."""
        symbols = {new: old for old, new in self.symbols.items()}
        dimensions = {new: old for old, new in self.dimensions.items()}
        return lambda e: _renamed(e, symbols.__getitem__, lambda size: _mapped(size, dimensions))


def _renamed(e: Expr, symbol_of: Callable[[Expr], Expr], dimension_of: Callable[[Dim], Dim]) -> Expr:
    def combine(node: Expr, args: list[Expr]) -> Expr:
        if node.op == "sym":
            return symbol_of(node)
        shape: Shape = (dimension_of(node.shape[0]), dimension_of(node.shape[1]))
        attrs = tuple(dimension_of(a) if isinstance(a, Dim) else a for a in node.attrs)
        return make(node.op, tuple(args), attrs, shape)

    return fold(e, combine)


def _mapped(size: Dim, names: Mapping[str, str]) -> Dim:
    if not size.names():
        return size
    total = dim(0)
    for monomial, coefficient in size.terms:
        product = dim(coefficient)
        for name in monomial:
            product = product * dim(names[name])
        total = total + product
    return total
