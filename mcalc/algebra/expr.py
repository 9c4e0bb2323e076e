"""Expressions: one immutable, interned node class, and the two traversals.

    e ::= App(op, args, attrs) : shape

`op` names a row of `OPERATORS` (mcalc/algebra/operators.py); `args` are the operands; `attrs` is what is not an
expression (a name, a number, an axis, dimensions). Two nodes with the same op, args, attrs and shape are one
object: `is` is equality and common subexpressions are free. Build nodes with the constructors of `operators`,
which check shapes and do nothing else.

No pass recurses on an expression: `postorder` and `fold` are iterative.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from mcalc.algebra.shape import ONE, Shape

LENGTH_LIMIT = 10**12
"""Lengths are counted up to this number (a shared graph can be exponentially long when written out)."""

T = TypeVar("T")


class Expr:
    """A node. `length` is the number of operators and leaves when the node is written out."""

    __slots__ = ("__weakref__", "args", "attrs", "facts", "length", "op", "shape", "symbols", "term")
    op: str
    args: tuple[Expr, ...]
    attrs: tuple[Any, ...]
    shape: Shape
    length: int
    term: Any
    """How the normal form reads the node; filled in by `simplify.terms.term_of`."""
    facts: frozenset[str] | None
    """What is known of the matrix; filled in by `structure.facts`."""
    symbols: tuple[Expr, ...] | None
    """The symbols that occur in an operator's operands; filled in by `symbols`."""

    @property
    def is_scalar(self) -> bool:
        """Whether the shape is 1 x 1."""
        return self.shape[0] is ONE and self.shape[1] is ONE

    @property
    def is_column(self) -> bool:
        """Whether this is a column vector (or a scalar)."""
        return self.shape[1] is ONE

    @property
    def is_square(self) -> bool:
        """Whether rows and columns agree."""
        return self.shape[0] is self.shape[1]

    @property
    def name(self) -> str:
        """The name of a symbol."""
        return str(self.attrs[0])

    def __repr__(self) -> str:
        from mcalc.algebra.printing import ascii_text

        return f"<{ascii_text(self)}>"

    def __str__(self) -> str:
        from mcalc.algebra.printing import ascii_text

        return ascii_text(self)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        from mcalc.algebra.printing import ascii_text, latex_text

        return {"text/plain": ascii_text(self), "text/latex": f"$${latex_text(self)}$$"}

    def __copy__(self) -> Expr:
        return self

    def __deepcopy__(self, memo: object) -> Expr:
        return self


_NODES: weakref.WeakValueDictionary[tuple[Any, ...], Expr] = weakref.WeakValueDictionary()

# fmt: off
_OWN_LENGTH: dict[str, Callable[[tuple[Any, ...], int], int]] = {
    # what an operator itself counts, from its attrs and number of arguments; every other operator counts one
    "add":   lambda attrs, n: n - 1,
    "mul":   lambda attrs, n: n - 1,
    "had":   lambda attrs, n: n - 1,
    "ones":  lambda attrs, n: 2 if attrs[1] is ONE else 3,
    "zeros": lambda attrs, n: 2 if attrs[1] is ONE else 3,
    "unit":  lambda attrs, n: 3,
    "K":     lambda attrs, n: 3,
    "dup":   lambda attrs, n: 2,
    "elim":  lambda attrs, n: 2,
    "index": lambda attrs, n: 1 + sum(a is not None for a in attrs),
    "sum":   lambda attrs, n: 1 + (attrs[0] is not None),
    "mean":  lambda attrs, n: 1 + (attrs[0] is not None),
    "logsumexp": lambda attrs, n: 1 + (attrs[0] is not None),
    "d":     lambda attrs, n: 0,
}
# fmt: on


def make(op: str, args: tuple[Expr, ...], attrs: tuple[Any, ...], shape: Shape) -> Expr:
    """The node with these parts; the only place where a node is created."""
    key = (op, args, attrs, tuple(map(type, attrs)), shape)
    known = _NODES.get(key)
    if known is not None:
        return known
    node = Expr()
    node.op, node.args, node.attrs, node.shape = op, args, attrs, shape
    node.facts = node.symbols = node.term = None
    own = _OWN_LENGTH.get(op)
    length = own(attrs, len(args)) if own else 1
    for arg in args:
        length += arg.length
    node.length = min(length, LENGTH_LIMIT)
    return _NODES.setdefault(key, node)


def postorder(*roots: Expr) -> Iterator[Expr]:
    """Every distinct node below the roots, operands before operators."""
    seen: set[Expr] = set()
    for root in roots:
        if root in seen:
            continue
        seen.add(root)
        stack = [(root, iter(root.args))]
        while stack:
            node, rest = stack[-1]
            for arg in rest:
                if arg not in seen:
                    seen.add(arg)
                    if arg.args:
                        stack.append((arg, iter(arg.args)))
                        break
                    yield arg
            else:
                stack.pop()
                yield node


def fold(root: Expr, combine: Callable[[Expr, list[T]], T], memo: dict[Expr, T] | None = None) -> T:
    """Bottom-up: `combine(node, values of its args)` once for every distinct node that `memo` does not hold."""
    values: dict[Expr, T] = {} if memo is None else memo
    if root in values:
        return values[root]
    stack = [(root, iter(root.args))]
    while stack:
        node, rest = stack[-1]
        for arg in rest:
            if arg not in values:
                if arg.args:
                    stack.append((arg, iter(arg.args)))
                    break
                values[arg] = combine(arg, [])
        else:
            stack.pop()
            values[node] = combine(node, [values[a] for a in node.args])
    return values[root]


def rebuild(node: Expr, args: Iterable[Expr]) -> Expr:
    """The node with other operands of the same shapes."""
    new = tuple(args)
    if new == node.args:
        return node
    return make(node.op, new, node.attrs, node.shape)


def substitute(root: Expr, replacement: dict[Expr, Expr]) -> Expr:
    """The expression with nodes replaced (the replacement has the shape of what it replaces)."""
    memo: dict[Expr, Expr] = dict(replacement)
    return fold(root, rebuild, memo)


def symbols(*roots: Expr) -> tuple[Expr, ...]:
    """The symbols that occur, in reading order."""
    if len(roots) != 1 or not roots[0].args:
        return tuple([node for node in postorder(*roots) if node.op == "sym"])
    root = roots[0]
    if root.symbols is None:
        root.symbols = tuple([node for node in postorder(root) if node.op == "sym"])
    return root.symbols


def depends_on(variables: Iterable[Expr], *roots: Expr) -> set[Expr]:
    """The nodes below the roots in which one of the variables occurs."""
    wanted = set(variables)
    moving: set[Expr] = set()
    for node in postorder(*roots):
        if node in wanted or any(arg in moving for arg in node.args):
            moving.add(node)
    return moving
