"""A model with its loops written out: one expression for the loss, one for every gradient.

In: a model or its adjoint program, and a number for every length of a sequence. Out: expressions in the symbols of the
arguments (`x[1]`, `x[2]`, …), shared graphs, in which what is proved and measured of expressions can be proved and
measured of models.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mcalc.algebra.expr import Expr, fold, make
from mcalc.algebra.operators import add, number, symbol, zeros
from mcalc.algebra.shape import SCALAR, Dim, Shape
from mcalc.model.ir import Adjoint, Define, Element, Loop, Model, Sequence, Statement, Total


def lengths(model: Model) -> tuple[str, ...]:
    """The names of the dimensions that say how many elements sequences have, in order of appearance."""
    found: dict[str, None] = {}
    for row in model.sequences.values():
        for end in (row.first, row.last):
            found.update(dict.fromkeys(end.names()))
    for statement in model.statements:
        if isinstance(statement, Define):
            continue
        for end in (statement.first, statement.last):
            found.update(dict.fromkeys(end.names()))
    return tuple(found)


def unrolled_loss(model: Model, numbers: Mapping[str, int]) -> Expr:
    """The loss of a model, in the symbols of its arguments."""
    run = Unrolled(model, model.sequences, model.elements, numbers)
    run.execute(model.statements)
    return run.read(model.loss, {})


def unrolled(adjoint: Adjoint, numbers: Mapping[str, int]) -> dict[Expr, Expr]:
    """The gradient by every symbol of the parameters."""
    model = adjoint.forward
    run = Unrolled(model, adjoint.sequences, adjoint.elements, numbers)
    run.execute(model.statements)
    run.execute(adjoint.statements)
    gradients: dict[Expr, Expr] = {}
    for argument in model.arguments:
        parts = adjoint.gradients.get(argument.name, ())
        if argument.name in model.sequences and parts:
            row = model.sequences[argument.name]
            name = adjoint.elements[parts[0]].sequence
            for k in range(row.first.value(numbers), row.last.value(numbers) + 1):
                gradients[run.argument(argument.name, k)] = run.stacks[name][k]
        else:
            gradients |= {run.plain(x): run.read(g, {}) for x, g in zip(argument.symbols, parts, strict=False)}
    return gradients


class Unrolled:
    """The values of symbols, as expressions."""

    def __init__(
        self,
        model: Model,
        sequences: Mapping[str, Sequence],
        elements: Mapping[Expr, Element],
        numbers: Mapping[str, int],
    ) -> None:
        self.sequences, self.elements = sequences, elements
        self.numbers = dict(numbers)
        self.inputs = {a.name for a in model.arguments if a.name in model.sequences}
        self.values: dict[Expr, Expr] = {}
        self.stacks: dict[str, dict[int, Expr]] = {}

    def dimension(self, size: Dim) -> Dim:
        """A dimension in which the lengths are numbers."""
        return size.put(self.numbers)

    def shape(self, shape: Shape) -> Shape:
        """A shape in which the lengths are numbers."""
        return self.dimension(shape[0]), self.dimension(shape[1])

    def plain(self, node: Expr) -> Expr:
        """The symbol of an argument."""
        return symbol(node.name, self.shape(node.shape), node.attrs[1])

    def argument(self, name: str, k: int) -> Expr:
        """The symbol of one element of an argument."""
        row = self.sequences[name]
        return symbol(f"{name}[{k}]", self.shape(row.shape), row.properties)

    def execute(self, statements: Iterable[Statement]) -> None:
        """Writes the statements out."""
        for statement in statements:
            if isinstance(statement, Loop):
                first, last = statement.first.value(self.numbers), statement.last.value(self.numbers)
                for k in range(first, last + statement.step, statement.step):
                    for define in statement.body:
                        indices = {statement.index: k}
                        self._assign(define.target, self.expression(define.value, indices), indices)
            elif isinstance(statement, Total):
                first, last = statement.first.value(self.numbers), statement.last.value(self.numbers)
                terms = [self.expression(statement.value, {statement.index: k}) for k in range(first, last + 1)]
                self._assign(statement.target, add(*terms) if terms else self._zero(statement.target.shape), {})
            else:
                self._assign(statement.target, self.expression(statement.value, {}), {})

    def _zero(self, shape: Shape) -> Expr:
        return number(0) if shape == SCALAR else zeros(*self.shape(shape))

    def expression(self, e: Expr, indices: Mapping[str, int]) -> Expr:
        """An expression with everything put in."""

        def combine(node: Expr, args: list[Expr]) -> Expr:
            if node.op == "sym":
                return self.read(node, indices)
            attrs = tuple(self.dimension(a) if isinstance(a, Dim) else a for a in node.attrs)
            if node.op == "dim":
                attrs = (attrs[0].put(indices),)
                if attrs[0].number is not None:
                    return number(attrs[0].number)
            return make(node.op, tuple(args), attrs, self.shape(node.shape))

        return fold(e, combine)

    def read(self, node: Expr, indices: Mapping[str, int]) -> Expr:
        """The value of a symbol."""
        element = self.elements.get(node)
        if element is None:
            return self.values[node] if node in self.values else self.plain(node)
        place = element.index.value({**self.numbers, **indices})
        if element.sequence in self.inputs:
            return self.argument(element.sequence, place)
        return self.stacks[element.sequence][place]

    def _assign(self, target: Expr, value: Expr, indices: Mapping[str, int]) -> None:
        element = self.elements.get(target)
        if element is None:
            self.values[target] = value
        else:
            place = element.index.value({**self.numbers, **indices})
            self.stacks.setdefault(element.sequence, {})[place] = value
