"""What becomes a definition of its own, so that the adjoint reads it instead of computing it again.

h[t] = relu(x[t] U + h[t-1] W) becomes z[t] = x[t] U + h[t-1] W and h[t] = relu(z[t]): then z_bar[t] is the textbook's
delta, and every parameter's gradient reads it. Split off are, where they depend on a parameter:

    the argument of a nonlinear operator, unless it is a matrix or a simple multiple of one;
    the value of a nonlinear operator that its own derivative or another factor's adjoint reads;
    a factor that holds a product, beside another factor that depends on a parameter;
    an elementwise factor of a matrix product in which two things move: both are handed the same product;
    what holds a product and is read several times.

Chains of matrix products and traces of them stay whole: in which order to multiply is not decided here. What does not
depend on the loop's index is taken out of the loop.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from mcalc.algebra import operators
from mcalc.algebra.expr import Expr, depends_on, postorder
from mcalc.algebra.functions import ELEMENTWISE

PREACTIVATION = "preactivation"
_SMOOTH = frozenset({*ELEMENTWISE, "softmax", "logsumexp", "max", "min", "maxall", "minall", "expm", "pinv", "adj"})
"""Operators whose argument is named even where it holds no product."""
_CURVED = frozenset({"norm", "norm1", "det", "logdet", "pow", "power", "hpow", "hpower"})
"""Operators whose argument is named where it holds a product."""
_BILINEAR = frozenset({"mul", "had", "hdiv", "div", "kron"})
_TOGETHER = frozenset([("log", "cosh")])
"""A function of a function whose derivative is short: that of log(cosh(x)) is tanh(x)."""
_CONSTANT = frozenset({"eq", "ge", "gt", "le", "lt", "sign"})


class Piece(NamedTuple):
    """An expression that becomes a definition; `role` says what it is to what reads it."""

    node: Expr
    role: str


def _reads_itself(node: Expr) -> bool:
    """Whether the derivative of an operator is told in terms of its value."""
    if node.op in ("softmax", "expm"):
        return True
    row = ELEMENTWISE.get(node.op)
    if row is None or node.op in _CONSTANT:
        return False
    derivative = row.derivative(operators, node.args[0], node)
    return derivative is not None and node in set(postorder(derivative))


def _bare(e: Expr) -> Expr:
    """The expression without transposes and signs around it."""
    while e.op in ("T", "neg"):
        e = e.args[0]
    return e


class Splitter:
    """Finds the pieces of the definitions of one scope (the statements outside loops, or one loop's body)."""

    def __init__(self, values: Iterable[Expr], moving: Iterable[Expr]) -> None:
        self.values = list(values)
        self.moving = depends_on(moving, *self.values)
        self.heavy: set[Expr] = set()
        self.count: dict[Expr, int] = {}
        self.beside: set[Expr] = set()
        """Operands beside another operand that moves, in a product of some kind."""
        self.chained: set[Expr] = set()
        """Factors of matrix products."""
        self.entrywise: set[Expr] = set()
        """Operands of products that are not those of matrices."""
        self.traced: set[Expr] = set()
        """Exponentials inside traces: apart from its trace, a matrix exponential has no differential."""
        for node in postorder(*self.values):
            if self._is_heavy(node):
                self.heavy.add(node)
            if node.op == "tr" and node.args[0].op == "expm":
                self.traced.add(node.args[0])
            for arg in node.args:
                below = _bare(arg)
                if node.op not in ("T", "neg"):
                    self.count[below] = self.count.get(below, 0) + 1
            if node.op == "mul" and sum(not a.is_scalar for a in node.args) > 1:
                self.chained.update(_bare(a) for a in node.args if not a.is_scalar)
            if node.op in ("had", "hdiv", "kron"):
                self.entrywise.update(map(_bare, node.args))
            if node.op in _BILINEAR:
                movers = [a for a in node.args if a in self.moving]
                if len(movers) > 1:
                    self.beside.update(_bare(a) for a in movers)

    def _is_heavy(self, node: Expr) -> bool:
        if any(a in self.heavy for a in node.args):
            return True
        if node.op == "mul":
            return sum(not a.is_scalar and a.op != "ones" for a in node.args) > 1
        return (
            node.op in _SMOOTH
            or node.op in ("norm", "det", "logdet", "expm")
            or (node.op == "pow" and not node.is_scalar)
        )

    def pieces(self, value: Expr) -> list[Piece]:
        """The pieces of one definition, operands before operators; the value itself is none."""
        if value not in self.moving:
            return []
        roles: dict[Expr, str] = {}
        for node in postorder(value):
            if node.op in _SMOOTH or node.op in _CURVED:
                for arg in node.args:
                    self._argument(node, arg, roles)
            if node is value or node not in self.moving or node.op in ("T", "neg") or not node.args:
                continue
            if self._wanted(node):
                roles.setdefault(node, node.op)
        return [Piece(node, roles[node]) for node in postorder(value) if node in roles and node is not value]

    def _argument(self, node: Expr, arg: Expr, roles: dict[Expr, str]) -> None:
        inside = _bare(arg)
        if arg not in self.moving or node.op in _CONSTANT or (node.op == "pow" and inside.op == "norm"):
            return
        if node.op == "expm" and self._is_multiple(arg):
            return
        if (node.op, inside.op) in _TOGETHER and self.count.get(inside, 0) == 1:
            return
        if self._simple(inside) or (node.op in _CURVED and inside not in self.heavy):
            return
        if node.op in ELEMENTWISE or node.op in ("softmax", "logsumexp"):
            roles[inside] = PREACTIVATION
        else:
            roles.setdefault(inside, inside.op)

    def _simple(self, e: Expr) -> bool:
        """A symbol, perhaps transposed, scaled or with a constant added."""
        while e.args:
            movers = [a for a in e.args if a in self.moving]
            if e.op not in ("T", "neg", "mul", "div", "add") or len(movers) != 1:
                return False
            if any(not a.is_scalar and a.op != "ones" for a in e.args if a not in self.moving):
                return False
            e = movers[0]
        return True

    def _is_multiple(self, e: Expr) -> bool:
        """Whether it is a matrix that does not move, times scalars: its exponential is differentiated by them."""
        return e.op in ("mul", "div") and not any(a in self.moving for a in e.args if not a.is_scalar)

    def _wanted(self, node: Expr) -> bool:
        """Whether the value of a node is read again by the adjoint."""
        if node in self.traced:
            return False
        if node.is_scalar and node not in self.heavy:
            return False
        if node.op in _SMOOTH and not node.is_scalar:
            return node in self.beside or self.count.get(node, 0) > 1 or _reads_itself(node)
        movers = sum(a in self.moving for a in node.args)
        if node.op in ("had", "hdiv", "add", "block") and node in self.chained and movers > 1:
            return True
        if node not in self.heavy or node.op == "pow":
            return False
        if self.count.get(node, 0) > 1:
            return True
        return node in self.beside and (node.op != "mul" or self._in_hadamard(node))

    def _in_hadamard(self, node: Expr) -> bool:
        """Whether a product stands in an elementwise product or beside a scalar that moves (else it is a chain)."""
        if node.is_scalar:
            return True
        return node in self.entrywise


class FineSplitter(Splitter):
    """Pieces for a drawing: every sum, product or function that stands inside another operator than a sum."""

    def __init__(self, values: Iterable[Expr], moving: Iterable[Expr]) -> None:
        super().__init__(values, moving)
        self.inside: set[Expr] = set()
        for node in postorder(*self.values):
            if node.op in _BILINEAR or node.op in _SMOOTH or node.op in _CURVED:
                self.inside.update(_bare(a) for a in node.args)

    def _wanted(self, node: Expr) -> bool:
        return super()._wanted(node) or (node in self.inside and node.op in ("add", "had", "hdiv", *ELEMENTWISE))
