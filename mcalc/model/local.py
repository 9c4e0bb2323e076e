"""The adjoint of one definition: from the cotangent of N = V to what it hands to the symbols in V.

    tr(N_bar^T dV) = sum over S of tr(S_part^T dS)

The parts are the gradients of tr(N_bar^T V), made by the calculus itself (`calculus.gradient.backward`) and written by
`simplify.shorten`; where the value of V comes back, N stands for it. Definitions that differ in names only (the layers
of a network) share one derivation: symbols and dimensions are renamed in reading order, and the result is named back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from mcalc.algebra.expr import Expr, depends_on, fold, make, postorder, substitute
from mcalc.algebra.operators import inner, number, symbol
from mcalc.algebra.shape import Dim, Shape, dim
from mcalc.calculus.gradient import Peel, backward
from mcalc.simplify.normal_form import Normaliser
from mcalc.simplify.polish import Polisher
from mcalc.simplify.shorten import shorten


class Part(NamedTuple):
    """What a definition hands to one symbol, and the rules that lead to it."""

    value: Expr
    rules: tuple[str, ...]


Parts = dict[Expr, Part]
"""Symbol to its part; a symbol that gets none is absent."""
_SILENT = frozenset({"T", "tr", "add", "neg", "sum", "block", "index"})
"""Operators whose rules go without saying."""


class LocalAdjoints:
    """The local adjoints of one program, each distinct one derived once."""

    def __init__(self) -> None:
        self.known: dict[tuple[Expr, Expr | None, Expr, tuple[Expr, ...]], tuple[Part | None, ...]] = {}

    def __call__(self, cotangent: Expr, target: Expr | None, value: Expr, variables: Sequence[Expr]) -> Parts:
        """The parts for the variables; `cotangent` is a symbol, or 1; `target` the name of the value, if any."""
        names = Renaming()
        renamed_value = names(value)
        stands = None if target is None else names(target)
        key = (names(cotangent), stands, renamed_value, tuple(names(x) for x in variables))
        if key not in self.known:
            self.known[key] = gradients(*key)
        back = names.inverse()
        found = zip(variables, self.known[key], strict=True)
        return {x: Part(back(part.value), part.rules) for x, part in found if part is not None}


def gradients(cotangent: Expr, target: Expr | None, value: Expr, variables: Sequence[Expr]) -> tuple[Part | None, ...]:
    """The gradients of tr(C^T V) by the variables, written as short as they get; None for zero."""
    context = Normaliser()
    root = value if cotangent is number(1) else inner(cotangent, value)
    found = backward(context, root, variables)
    polish = Polisher(context, {context(node): node for node in postorder(value) if node.args})
    context.rewrites.clear()
    named = {value: target} if target is not None and value.args else {}
    result: list[Part | None] = []
    for x in variables:
        gradient = found.gradients[x]
        if gradient is None or gradient.op == "zeros" or gradient is number(0):
            result.append(None)
        else:
            written = substitute(shorten(context, polish, gradient)[0], named)
            result.append(Part(written, rules_for(found.peels, value, x)))
        context.rewrites.clear()
    return tuple(result)


def rules_for(peels: Iterable[Peel], value: Expr, x: Expr) -> tuple[str, ...]:
    """The rules by which the differential of the value reaches a symbol, the outermost operator's first."""
    on_the_way = depends_on([x], value)
    found: list[str] = []
    for peel in peels:
        node = peel.node
        if node not in on_the_way or node.op in _SILENT:
            continue
        if node.op in ("mul", "div"):
            found += [peel.rule, *peel.laws] if sum(a in on_the_way for a in node.args) > 1 else peel.laws
        else:
            found += [peel.rule, *(law for law in peel.laws if law == "Hadamard swap")]
    return tuple(dict.fromkeys(found)) or ("linearity",)


class Renaming:
    """Names given in the order of first use: symbols s1, s2, …, dimensions n1, n2, …"""

    def __init__(self) -> None:
        self.symbols: dict[Expr, Expr] = {}
        self.dimensions: dict[str, Dim] = {}

    def __call__(self, e: Expr) -> Expr:
        """The expression under the new names."""
        return renamed(e, self._symbol, self._dimension)

    def _dimension(self, size: Dim) -> Dim:
        for name in size.names():
            self.dimensions.setdefault(name, dim(f"n{len(self.dimensions) + 1}"))
        return size.put(self.dimensions)

    def _symbol(self, node: Expr) -> Expr:
        if node not in self.symbols:
            shape = self._dimension(node.shape[0]), self._dimension(node.shape[1])
            self.symbols[node] = symbol(f"s{len(self.symbols) + 1}", shape, node.attrs[1])
        return self.symbols[node]

    def inverse(self) -> Callable[[Expr], Expr]:
        """The way back."""
        symbols = {new: old for old, new in self.symbols.items()}
        dimensions = {str(new): dim(old) for old, new in self.dimensions.items()}
        return lambda e: renamed(e, symbols.__getitem__, lambda size: size.put(dimensions))


def renamed(e: Expr, symbol_of: Callable[[Expr], Expr], dimension_of: Callable[[Dim], Dim]) -> Expr:
    """The expression with other symbols and dimensions."""
    if e.op == "sym":
        return symbol_of(e)

    def combine(node: Expr, args: list[Expr]) -> Expr:
        if node.op == "sym":
            return symbol_of(node)
        shape: Shape = (dimension_of(node.shape[0]), dimension_of(node.shape[1]))
        attrs = tuple(dimension_of(a) if isinstance(a, Dim) else a for a in node.attrs)
        return make(node.op, tuple(args), attrs, shape)

    return fold(e, combine)
