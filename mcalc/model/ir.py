"""What a model is: arguments, definitions, loops over a free dimension, sums over one, and a loss.

    Model      ::= arguments, statements, loss, outputs
    Statement  ::= Define: N = E     Loop: for t in a..b: N[t] = E, …     Total: N = sum(t in a..b, E)

Names in expressions are symbols (`operators.symbol`). The symbol of an element of a sequence is called `h[t-1]`,
`h[0]`, `x[T]`; `elements` says of which sequence it is an element, and at which index. Ragged sequences (`W[l]` with
l in 1..L, L a size) are unrolled: their symbols `W[1]`, `W[2]` are names like any other and not in `elements`; their
dimensions `d[0]`, `d[1]` are names too. A statement reads only arguments and what statements before it define; in a
loop also what the iteration before defined.

An adjoint program (`Adjoint`) is made of the same statements. It reads the names of the forward program.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from mcalc.algebra.expr import Expr, symbols
from mcalc.algebra.shape import Dim, Shape, dim
from mcalc.errors import Span


@dataclass(frozen=True, slots=True)
class Element:
    """One matrix of a sequence: `h[t-1]`. The index may hold the loop's index, dimensions and integers."""

    sequence: str
    index: Dim


@dataclass(frozen=True, slots=True)
class Sequence:
    """Matrices of one shape, with the indices first..last (both count; T+1 of them for 0..T)."""

    name: str
    shape: Shape
    first: Dim
    last: Dim
    properties: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Argument:
    """An input or a parameter, by its declared name.

    `symbols` is what it is made of: one symbol; for a ragged argument one for each index, in order; for a sequence
    none (its elements are in `Model.elements`, the sequence itself in `Model.sequences`).
    """

    name: str
    kind: str
    """"input" or "param"."""
    symbols: tuple[Expr, ...]
    ragged: bool = False
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Define:
    """target = value; the target is a symbol."""

    target: Expr
    value: Expr
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Range:
    """index in first..last, downwards where `step` is -1."""

    index: str
    first: Dim
    last: Dim
    step: int = 1

    def __str__(self) -> str:
        return f"{self.index} = {self.first}..{self.last}"

    @property
    def ends(self) -> tuple[Dim, Dim]:
        """The smaller end and the larger."""
        return (self.first, self.last) if self.step > 0 else (self.last, self.first)

    @property
    def upwards(self) -> Range:
        """The same indices, the smallest first."""
        return Range(self.index, *self.ends)

    @property
    def count(self) -> Dim:
        """How many indices there are."""
        low, high = self.ends
        return high - low + dim(1)


@dataclass(frozen=True, slots=True)
class Loop:
    """for index in first..last (upwards, or downwards where `step` is -1): the body, whose targets are elements."""

    index: str
    first: Dim
    last: Dim
    step: int
    body: tuple[Define, ...]
    span: Span | None = None
    totals: tuple[Total, ...] = ()
    """Sums over the same indices that the loop adds up after its body: where sums were joined to it."""

    @property
    def range(self) -> Range:
        """The iterations in their order."""
        return Range(self.index, self.first, self.last, self.step)


@dataclass(frozen=True, slots=True)
class Total:
    """target = sum of the value over index in first..last (first <= last)."""

    target: Expr
    index: str
    first: Dim
    last: Dim
    value: Expr
    span: Span | None = None

    @property
    def range(self) -> Range:
        """What is summed over."""
        return Range(self.index, self.first, self.last)


Statement: TypeAlias = Define | Loop | Total


@dataclass(frozen=True, slots=True)
class Model:
    """A model that was read and checked. `loss` is the symbol of the last statement's target."""

    name: str
    text: str
    arguments: tuple[Argument, ...]
    statements: tuple[Statement, ...]
    loss: Expr
    outputs: tuple[str, ...]
    """Declared names: of a definition, of a sequence (all elements that its loops define), of a ragged sequence."""
    sequences: Mapping[str, Sequence] = field(default_factory=dict)
    elements: Mapping[Expr, Element] = field(default_factory=dict)
    ragged: Mapping[str, tuple[Expr, ...]] = field(default_factory=dict)
    """The symbols of every ragged name, arguments and definitions alike, in the order of their indices."""
    sizes: Mapping[str, int] = field(default_factory=dict)
    """`size` statements, with the values that were set."""
    comment: str = ""
    """The comment above the model's first line."""
    file: str = field(default="", compare=False)
    """What its text is called in error messages."""

    @property
    def parameters(self) -> tuple[Argument, ...]:
        """The arguments with a gradient."""
        return tuple(a for a in self.arguments if a.kind == "param")


@dataclass(frozen=True, slots=True)
class Adjoint:
    """The reverse program of a model: run after `forward`, whose names it reads.

    `forward` is the model as it was prepared for differentiation: stable forms recognised, what is inside an
    elementwise function or read more than once a definition of its own. `gradients` maps each parameter to the
    symbols of its gradient (one; for a ragged one several; for a sequence the name in `sequences` tells).
    """

    forward: Model
    statements: tuple[Statement, ...]
    gradients: Mapping[str, tuple[Expr, ...]]
    sequences: Mapping[str, Sequence]
    """Those of the forward program, and the cotangents."""
    elements: Mapping[Expr, Element]
    cotangents: Mapping[Expr, Expr]
    """Target of a forward statement to the symbol of its cotangent (elements at the loop's own index: h[t])."""


Variable: TypeAlias = Expr | str
"""A symbol, or the name of a sequence (all of its elements)."""


def variable_of(elements: Mapping[Expr, Element], node: Expr) -> Variable:
    """The variable that a symbol belongs to."""
    element = elements.get(node)
    return node if element is None else element.sequence


def definitions(statements: Iterable[Statement]) -> Iterator[Define | Total]:
    """The definitions and sums in order, those in loops too."""
    for statement in statements:
        if isinstance(statement, Loop):
            yield from statement.body
            yield from statement.totals
        else:
            yield statement


def recurs(loop: Loop | Total, elements: Mapping[Expr, Element]) -> bool:
    """Whether an iteration reads what another one makes."""
    made = {d.target for d in definitions([loop])}
    sequences = {elements[e].sequence for e in made if e in elements}
    read = {e for d in definitions([loop]) for e in symbols(d.value)}
    return any(e in elements and elements[e].sequence in sequences for e in read - made)


def with_values(statements: Iterable[Statement], values: Iterable[Expr]) -> tuple[Statement, ...]:
    """The statements with other values for their definitions, in order."""
    rest = iter(values)
    made: list[Statement] = []
    for statement in statements:
        if isinstance(statement, Loop):
            made.append(replace(statement, body=tuple(replace(d, value=next(rest)) for d in statement.body)))
        else:
            made.append(replace(statement, value=next(rest)))
    return tuple(made)
