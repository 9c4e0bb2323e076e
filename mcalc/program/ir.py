"""The lowered form: arrays as a numerical library has them, and programs of definitions.

An expression has a shape rows x columns; an `Array` has axes: a scalar none, a vector one (a column and its
transpose are the same array), a matrix two. A node is one operation on arrays (`OPERATIONS` lists them) and is made
by a `Graph`, which interns: within one graph `is` is equality.

    Array      ::= op(args; attrs) : (axis, …)          Definition ::= name = array
    Program    ::= arguments, definitions in order, outputs

`kind` is what NumPy's promotion makes of a node: "float" (an array or scalar of the working precision), "bool" (an
indicator), "weak" (a Python number, which takes the precision of what it meets).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import Any, TypeAlias, TypeVar

from mcalc.algebra.expr import Expr
from mcalc.algebra.shape import Dim
from mcalc.errors import InternalError
from mcalc.program.operations import ATOMS, INDICATOR_SAFE, OPERATIONS, VIEWS, Axes


class Array:
    """A node of the lowered form. Made by `Graph.node` only."""

    __slots__ = ("args", "attrs", "kind", "op", "rank", "serial", "shape")
    op: str
    args: tuple[Array, ...]
    attrs: tuple[Any, ...]
    shape: Axes
    rank: int
    """The number of axes."""
    kind: str
    serial: int
    """How many arrays of the graph are older."""

    def __repr__(self) -> str:
        inner = ", ".join([*(a.op if a.op != "arg" else str(a.attrs[0]) for a in self.args), *map(str, self.attrs)])
        return f"<{self.op}({inner}) : {', '.join(map(str, self.shape))}>"


Key: TypeAlias = tuple[Any, ...]


class Graph:
    """The arrays of one program."""

    def __init__(self) -> None:
        self._nodes: dict[Key, Array] = {}
        self.symmetric: set[Array] = set()
        """Arrays known to equal their transpose."""

    def node(self, op: str, *args: Array, attrs: tuple[Any, ...] = ()) -> Array:
        """The node `op(args; attrs)`.

        Indicators become numbers where the operation computes with them; a stored diagonal matrix that is not taken
        apart is an operand as it is stored.
        """
        key = _key(op, args, attrs)
        known = self._nodes.get(key)
        if known is None:
            if any(a.op == "diagonal" and len(a.args) == 2 for a in args):
                plain = [a.args[1] if a.op == "diagonal" and len(a.args) == 2 else a for a in args]
                return self.node(op, *plain, attrs=attrs)
            if op not in INDICATOR_SAFE and "bool" in [a.kind for a in args]:
                return self.node(op, *[self.number_of(a) for a in args], attrs=attrs)
            if op == "scale" and args[0].kind == "bool" and all(a.kind != "float" for a in args[1:]):
                return self.node(op, self.number_of(args[0]), *args[1:], attrs=attrs)
            operation = OPERATIONS[op]
            known = Array()
            known.op, known.args, known.attrs = op, args, attrs
            known.shape = operation.shape([a.shape for a in args], attrs)
            known.rank = len(known.shape)
            known.kind = operation.kind([a.kind for a in args])
            known.serial = len(self._nodes)
            self._nodes[key] = known
            if operation.symmetric and all(a.rank == 0 or a in self.symmetric for a in args):
                self.symmetric.add(known)
        return known

    def find(self, op: str, *args: Array, attrs: tuple[Any, ...] = ()) -> Array | None:
        """The node, if it has been made."""
        return self._nodes.get(_key(op, args, attrs))

    def number_of(self, a: Array) -> Array:
        """An indicator, or a Python number, as floating-point numbers of the working precision."""
        return a if a.kind == "float" else self.node("float", a)

    def number(self, value: int | Fraction) -> Array:
        """A Python number."""
        return self.node("number", attrs=(Fraction(value),))


def _key(op: str, args: tuple[Array, ...], attrs: tuple[Any, ...]) -> Key:
    if op in _COMMUTATIVE:
        return op, tuple(sorted(map(id, args)))
    if op == "sum":
        return op, frozenset(zip(args, attrs, strict=True))
    return (op, args, attrs, tuple(map(type, attrs))) if attrs else (op, args)


_COMMUTATIVE = frozenset(["times", "vdot", "dot"])


T = TypeVar("T")


def arrays(*roots: Array, seen: set[Array] | None = None) -> Iterator[Array]:
    """Every distinct array below the roots, operands first; not what has been `seen`, nor what only that reads."""
    seen = set() if seen is None else seen
    for root in roots:
        if root in seen:
            continue
        seen.add(root)
        stack = [(root, iter(root.args))]
        while stack:
            node, rest = stack[-1]
            for a in rest:
                if a not in seen:
                    seen.add(a)
                    if a.args:
                        stack.append((a, iter(a.args)))
                        break
                    yield a
            else:
                stack.pop()
                yield node


def folded(root: Array, known: Callable[[Array], T | None], combine: Callable[[Array, list[T]], T]) -> T:
    """The value of an array, made of those of its operands, but for arrays whose value is known (None: it is not)."""
    memo: dict[Array, T] = {}
    stack = [(root, False)]
    while stack:
        a, ready = stack.pop()
        if a in memo:
            continue
        value = None if ready else known(a)
        if value is None:
            missing = [(x, False) for x in a.args if x not in memo]
            if missing:
                stack.append((a, True))
                stack.extend(missing)
                continue
            value = combine(a, [memo[x] for x in a.args])
        memo[a] = value
    return memo[root]


LINEAR: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {"matmul": (0, 1), "outer": (0, 1), "quotient": (0,), "T": (0,), "column": (0,), "row": (0,), "flat": (0,)}
)
"""Operations to the operands in which they are linear; a product entry by entry is so in each."""


def linear_operands(a: Array) -> Sequence[int]:
    """The places of the operands in which the operation is linear."""
    return range(len(a.args)) if a.op == "times" else LINEAR.get(a.op, ())


def is_linear(a: Array, x: Array) -> bool:
    """Whether the operation is linear in this operand."""
    return any(a.args[k] is x for k in linear_operands(a))


def is_gram(a: Array) -> bool:
    """A^T A, which NumPy computes in half the time."""
    if a.op != "matmul":
        return False
    x, y = a.args
    return (x.op == "T" and x.args[0] is y) or (y.op == "T" and y.args[0] is x)


@dataclass(frozen=True, slots=True)
class Definition:
    """`name = array`; named operands of the array are read by their names."""

    name: str
    array: Array


@dataclass(frozen=True, slots=True)
class Program:
    """A function: arguments (symbols and the names they go by), definitions in order, outputs by label."""

    arguments: tuple[tuple[str, Expr], ...]
    sizes: dict[str, str]
    """Dimension name to the name it goes by."""
    definitions: tuple[Definition, ...]
    outputs: tuple[tuple[str, Array], ...]


def check(program: Program) -> None:
    """Raise where an array is read before it is defined, a name is used twice, or a shape is not what its op says."""
    names = [name for name, _ in program.arguments] + list(program.sizes.values())
    names += [definition.name for definition in program.definitions]
    if len(set(names)) != len(names):
        raise InternalError("a name is defined twice")
    defined: set[Array] = set()
    later = {d.array for d in program.definitions if d.array.op not in VIEWS and d.array.op not in ATOMS}
    for definition in program.definitions:
        if definition.array in defined:
            continue
        for node in _inlined(definition.array, later - {definition.array}):
            if node in later and node not in defined and node is not definition.array:
                raise InternalError(f"{node} is read before it is defined")
            shape = OPERATIONS[node.op].shape([a.shape for a in node.args], node.attrs)
            if shape != node.shape:
                raise InternalError(f"{node} does not have the shape of its operation")
        defined.add(definition.array)
    for label, array in program.outputs:
        if array not in defined or label not in names:
            raise InternalError(f"{label} is not defined")


def _inlined(root: Array, stop: set[Array]) -> Iterator[Array]:
    pending = [root]
    while pending:
        node = pending.pop()
        yield node
        if node not in stop:
            pending.extend(node.args)


def dimensions_of(shapes: Sequence[Axes]) -> tuple[Dim, ...]:
    """The distinct dimensions, in order."""
    return tuple(dict.fromkeys(d for shape in shapes for d in shape))
