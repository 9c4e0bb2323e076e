"""Models run as they stand, in float64: the oracle for generated code.

In: a model (or its adjoint program) and the arguments by declared name, as at the interface of a generated module: an
array, for a sequence one array with the elements along its first axis, for a ragged argument a list. Out: everything
that is defined, in the same form. Slow and plain: every statement is evaluated by `verify.numeric`, every iteration of
every loop by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from mcalc.algebra.expr import Expr, symbols
from mcalc.algebra.shape import ONE, SCALAR, Dim, Shape
from mcalc.errors import ShapeError, UsageError
from mcalc.model.ir import Adjoint, Argument, Element, Loop, Model, Sequence, Statement, Total
from mcalc.verify.numeric import Evaluation, Real, as_points

Array = Any
"""A number, an array or a list of arrays, as at the interface."""


def interpret(model: Model, values: Mapping[str, Any], sizes: Mapping[str, int] | None = None) -> dict[str, Array]:
    """The value of every name that the model defines, and of its arguments.

    A sequence comes whole (`h` with h[0] first, where that is defined; NaN where nothing is). `sizes` gives the
    dimensions that no argument shows. Raises ShapeError where an argument does not fit, UsageError where one is
    missing.
    """
    run = Run(model, values, sizes)
    run.execute(model.statements)
    return run.named()


def loss_of(model: Model, values: Mapping[str, Any], sizes: Mapping[str, int] | None = None) -> float:
    """The loss alone."""
    run = Run(model, values, sizes)
    run.execute(model.statements)
    return float(run.values[model.loss].item())


def predict(model: Model, values: Mapping[str, Any], sizes: Mapping[str, int] | None = None) -> dict[str, Array]:
    """The outputs; of a sequence the elements that its loops define."""
    run = Run(model, values, sizes)
    run.execute(model.statements)
    looped = {
        run.elements[define.target].sequence: loop
        for loop in model.statements
        if isinstance(loop, Loop)
        for define in loop.body
    }
    found = run.named()
    for name, loop in looped.items():
        if name in model.outputs:
            first, last = (d.value(run.sizes) for d in loop.range.ends)
            start = first - run.sequences[name].first.value(run.sizes)
            found[name] = found[name][start : start + max(last - first + 1, 0)]
    return {name: found[name] for name in model.outputs}


def interpret_adjoint(
    adjoint: Adjoint, values: Mapping[str, Any], sizes: Mapping[str, int] | None = None
) -> tuple[float, dict[str, Array]]:
    """The loss, and the gradient of every parameter that was asked for, in the form of its argument."""
    model = adjoint.forward
    run = Run(model, values, sizes, adjoint)
    run.execute(model.statements)
    loss = float(run.values[model.loss].item())
    run.execute(adjoint.statements)
    found: dict[str, Array] = {}
    for argument in model.parameters:
        if argument.name not in adjoint.gradients:
            continue
        parts = adjoint.gradients[argument.name]
        if argument.name in model.sequences:
            found[argument.name] = run.whole(adjoint.elements[parts[0]].sequence)
        elif argument.ragged:
            found[argument.name] = [shown(run.values[part], part.shape) for part in parts]
        else:
            found[argument.name] = shown(run.values[parts[0]], parts[0].shape)
    return loss, found


class Run:
    """The values of one run: of symbols, and of the elements of sequences by their index."""

    def __init__(
        self,
        model: Model,
        values: Mapping[str, Any],
        sizes: Mapping[str, int] | None = None,
        adjoint: Adjoint | None = None,
    ) -> None:
        self.model = model
        self.sequences: Mapping[str, Sequence] = model.sequences if adjoint is None else adjoint.sequences
        self.elements: Mapping[Expr, Element] = model.elements if adjoint is None else adjoint.elements
        self.values: dict[Expr, Real] = {}
        self.stacks: dict[str, dict[int, Real]] = {name: {} for name in self.sequences}
        self.reads: dict[Expr, tuple[Expr, ...]] = {}
        given = {a.name: _given(a, values) for a in model.arguments}
        self.sizes = _sizes(model, given, {**model.sizes, **(sizes or {})})
        for argument in model.arguments:
            if argument.name in model.sequences:
                sequence = model.sequences[argument.name]
                first = sequence.first.value(self.sizes)
                for k, value in enumerate(given[argument.name]):
                    self.stacks[argument.name][first + k] = self._fitting(value, sequence.shape, argument.name)
            else:
                for node, value in zip(argument.symbols, given[argument.name], strict=True):
                    self.values[node] = self._fitting(value, node.shape, node.name)

    def _fitting(self, value: Real, shape: Shape, name: str) -> Real:
        wanted = tuple(size.value(self.sizes) for size in shape)
        if value.shape[1:] != wanted:
            raise ShapeError(
                f"{name} is {wanted[0]} x {wanted[1]}, and the value is {value.shape[1]} x {value.shape[2]}"
            )
        return value

    def execute(self, statements: Iterable[Statement]) -> None:
        """Runs the statements in order."""
        for statement in statements:
            if isinstance(statement, Loop):
                first, last = statement.first.value(self.sizes), statement.last.value(self.sizes)
                for k in range(first, last + statement.step, statement.step):
                    for define in statement.body:
                        self._assign(
                            define.target, self.evaluate(define.value, {statement.index: k}), {statement.index: k}
                        )
            elif isinstance(statement, Total):
                first, last = statement.first.value(self.sizes), statement.last.value(self.sizes)
                target = statement.target
                total = np.zeros((1, *(size.value(self.sizes) for size in target.shape)))
                for k in range(first, last + 1):
                    total = total + self.evaluate(statement.value, {statement.index: k})
                self._assign(target, total, {})
            else:
                self._assign(statement.target, self.evaluate(statement.value, {}), {})

    def evaluate(self, e: Expr, indices: Mapping[str, int]) -> Real:
        """The value of an expression, (1, rows, columns), where the loop's index has the given value."""
        if e not in self.reads:
            self.reads[e] = symbols(e)
        sizes = {**self.sizes, **indices} if indices else self.sizes
        return Evaluation({s: self._value(s, sizes) for s in self.reads[e]}, sizes).value(e)

    def _value(self, node: Expr, sizes: Mapping[str, int]) -> Real:
        if node in self.elements:
            element = self.elements[node]
            sequence, index = element.sequence, element.index
            stack, place = self.stacks[sequence], index.value(sizes)
            if place not in stack:
                raise UsageError(f"{sequence}[{place}] is read before it is defined")
            return stack[place]
        if node not in self.values:
            raise UsageError(f"{node.name} is read before it is defined")
        return self.values[node]

    def _assign(self, target: Expr, value: Real, indices: Mapping[str, int]) -> None:
        sizes = {**self.sizes, **indices} if indices else self.sizes
        rows, columns = target.shape
        shape = (1, rows.value(sizes), columns.value(sizes))
        wide = value if value.shape == shape else np.broadcast_to(value, shape)
        if target in self.elements:
            element = self.elements[target]
            sequence, index = element.sequence, element.index
            place = index.value(sizes)
            row = self.sequences[sequence]
            if not row.first.value(sizes) <= place <= row.last.value(sizes):
                raise UsageError(f"{sequence}[{place}] is outside {sequence}[{row.first}..{row.last}]")
            if place in self.stacks[sequence]:
                raise UsageError(f"{sequence}[{place}] is defined twice")
            self.stacks[sequence][place] = wide
        else:
            if target in self.values:
                raise UsageError(f"{target.name} is defined twice")
            self.values[target] = wide

    def whole(self, name: str) -> Array:
        """A sequence as one array, NaN where an element was not defined."""
        row = self.sequences[name]
        places = range(row.first.value(self.sizes), row.last.value(self.sizes) + 1)
        unknown = np.full((1, *(size.value(self.sizes) for size in row.shape)), np.nan)
        elements = [shown(self.stacks[name].get(k, unknown), row.shape) for k in places]
        return np.stack(elements) if elements else np.zeros((0, *shown(unknown, row.shape).shape))

    def named(self) -> dict[str, Array]:
        """Everything by name, as at the interface."""
        within = {node: name for name, nodes in self.model.ragged.items() for node in nodes}
        found: dict[str, Array] = {}
        for node, value in self.values.items():
            if node in within:
                found.setdefault(within[node], [])
            else:
                found[node.name] = shown(value, node.shape)
        for name, nodes in self.model.ragged.items():
            found[name] = [shown(self.values[n], n.shape) for n in nodes if n in self.values]
        for name in self.sequences:
            found[name] = self.whole(name)
        return found


def shown(value: Real, shape: Shape) -> Array:
    """A value (1, rows, columns) as at the interface: a number, a flat array for a column, a matrix."""
    if shape == SCALAR:
        return np.float64(value[0, 0, 0])
    return np.array(value[0, :, 0] if shape[1] is ONE else value[0])


def _given(argument: Argument, values: Mapping[str, Any]) -> list[Real]:
    """The values of an argument's symbols (of a sequence's elements), (1, rows, columns) each."""
    if argument.name not in values:
        raise UsageError(f"no value is given for {argument.name}")
    value = values[argument.name]
    parts = [value] if len(argument.symbols) == 1 and not argument.ragged else list(value)
    if argument.symbols and len(parts) != len(argument.symbols):
        raise ShapeError(f"{argument.name} has {len(argument.symbols)} matrices, and the value has {len(parts)}")
    return [as_points(part)[0] for part in parts]


def _sizes(model: Model, given: Mapping[str, list[Real]], known: Mapping[str, int]) -> dict[str, int]:
    """The sizes of the dimensions: those of the shapes, and of the lengths of sequences."""
    equations: list[tuple[Dim, int]] = []
    for argument in model.arguments:
        if argument.name in model.sequences:
            row = model.sequences[argument.name]
            equations.append((row.last - row.first, len(given[argument.name]) - 1))
            shapes = [row.shape] * len(given[argument.name])
        else:
            shapes = [node.shape for node in argument.symbols]
        for shape, value in zip(shapes, given[argument.name], strict=True):
            equations.extend(zip(shape, value.shape[1:], strict=True))
    sizes = dict(known)
    progress = True
    while progress:
        progress = False
        for size, number in equations:
            unknown = [name for name in size.names() if name not in sizes]
            if len(unknown) == 1 and any(monomial == (unknown[0],) for monomial, _ in size.terms):
                at = {**sizes, unknown[0]: 0}
                rest = size.value(at)
                each = size.value({**sizes, unknown[0]: 1}) - rest
                sizes[unknown[0]] = (number - rest) // each
                progress = True
    return sizes
