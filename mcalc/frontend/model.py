"""Models: the text of a `.mc` file to a `Model`.

    text ─ lines ─▶ statements ─ names ─▶ Names ─ trees, one a line ─▶ for every index an expression ─▶ Model

Loops over a `size` are unrolled here; loops and sums over a free dimension stay. The language: docs/models.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mcalc.algebra import operators as o
from mcalc.algebra.expr import Expr
from mcalc.algebra.shape import SCALAR, shape_text
from mcalc.errors import McalcError, NameProblem, NotSupported, ParseError, ShapeError, Span
from mcalc.frontend.declarations import Declared
from mcalc.frontend.functions import read_function
from mcalc.frontend.inline import Function
from mcalc.frontend.model_names import Names, Series, collect
from mcalc.frontend.model_places import moved
from mcalc.frontend.model_statements import Definition, For, Outputs, Piece, Statements, read_statements
from mcalc.frontend.model_values import Evaluator, Place
from mcalc.frontend.parser import tree
from mcalc.frontend.positions import Range
from mcalc.frontend.syntax import Node
from mcalc.frontend.words import Scope, key, nearest, shorten, spell
from mcalc.model.ir import Define, Loop, Model, Sequence, Statement, Total


def read_model(text: str, *, file: str = "", sizes: Mapping[str, int] | None = None) -> Model:
    """The model that the text of a `.mc` file describes.

    `file` is its name in error messages; `sizes` gives `size` statements other values. Raises `McalcError`, with the
    line of the text.
    """
    text = text.removeprefix("\ufeff")
    try:
        statements = read_statements(text)
        names = collect(statements.body, statements.plain, sizes or {})
        return replace(_Reader(text, statements, names).read(), file=file)
    except McalcError as error:
        error.text, error.source = text, file or "model"
        raise


class _Reader:
    """One call of `read_model`."""

    def __init__(self, text: str, statements: Statements, names: Names) -> None:
        self.text = text
        self.source = statements
        self.names = names
        self.scope = names.scope()
        functions = _functions(names)
        self.evaluator = Evaluator(names, self.scope, statements.plain, functions)
        self.trees: dict[int, Node] = {}
        self.statements: list[Statement] = []
        self.loss: list[Statement] = []

    def read(self) -> Model:
        """The model."""
        names = self.names
        numbers = Place(dict(names.numbers))
        for statement in self.source.body:
            if isinstance(statement, Definition | For):
                self._run(statement, numbers, self.statements)
        if not self.loss:
            end = len(self.source.plain.rstrip())
            last = Span(self.source.plain.rfind("\n", 0, end) + 1, end)
            raise ParseError("the model has no loss", last, hint="its last line: loss = tr(R^T R)")
        sequences = {
            s.name: Sequence(s.name, s.shape, s.first, s.last, s.properties)
            for s in names.series.values()
            if s.shape is not None
        }
        ragged = {
            name: tuple(symbol for _, symbol in sorted(table.items()) if symbol is not None)
            for name, table in names.ragged.items()
        }
        return Model(
            self.source.name,
            self.text,
            tuple(names.arguments),
            (*self.statements, *self.loss),
            self.evaluator.symbols["loss"],
            self._outputs(),
            sequences,
            dict(self.evaluator.elements),
            ragged,
            dict(names.numbers),
            self.source.comment,
        )

    def _outputs(self) -> tuple[str, ...]:
        found: dict[str, None] = {}
        names = self.names
        for statement in self.source.body:
            if not isinstance(statement, Outputs):
                continue
            for piece in statement.names:
                name = key(spell(piece.text.strip()))
                what = names.places.get(name, ("", piece.span))[0]
                if name in found:
                    raise NameProblem(f"{name} is an output already", piece.span)
                if "[" in name:
                    raise ParseError("an output is a name", piece.span, hint=f"P = {name}, and output P")
                if name == "loss":
                    raise NameProblem("the loss is always returned: it is no output", piece.span)
                if what in ("an input", "a param"):
                    raise NameProblem(f"{name} is {what}, so it is no output", piece.span)
                if what != "a definition":
                    raise self._no_output(name, piece)
                found[name] = None
        return tuple(found)

    def _no_output(self, name: str, piece: Piece) -> McalcError:
        defined = [n for n, (kind, _) in self.names.places.items() if kind == "a definition" and n != "loss"]
        near = nearest(name, defined)
        hint = f"did you mean {' or '.join(near)}?" if near else f"{name or 'P'} = … defines it"
        if not name:
            return ParseError("output needs a name", piece.span, hint=f"output {defined[0]}" if defined else hint)
        return NameProblem(f"the output {shorten(name)} is not defined", piece.span, hint=hint)

    # --- statements ---------------------------------------------------------------------------------------------------

    def _run(self, statement: Definition | For, place: Place, out: list[Statement]) -> None:
        """Adds what the statement comes to."""
        if isinstance(statement, For):
            indices = self.names.unrolled(statement.range, place.numbers, statement.span)
            if indices is None:
                self._loop(statement, place, out)
                return
            for i in indices:
                here = replace(place, numbers={**place.numbers, statement.range.index: i})
                try:
                    for inner in statement.body:
                        self._run(inner, here, out)
                except McalcError as error:
                    error.notes = (*error.notes, f"where {statement.range.index} = {i}")
                    raise
            return
        if statement.head.name == "loss":
            self._loss(statement, place)
        else:
            out.extend(self._definition(statement, place))

    def _tree(self, definition: Definition) -> Node:
        """The syntax tree of the value, made once."""
        piece = definition.value
        known = self.trees.get(piece.start)
        if known is None:
            with moved(piece):
                inner, known = tree(piece.text, "text", self.scope)
            if inner:
                raise ParseError("a line holds one statement", piece.span, hint="use two lines")
            self.trees[piece.start] = known
        return known

    def _loss(self, definition: Definition, place: Place) -> None:
        self.loss.extend(self._definition(definition, place))
        loss = self.evaluator.symbols["loss"]
        if loss.shape != SCALAR:
            raise ShapeError(
                f"the loss is a scalar, and this is {shape_text(loss.shape)}",
                definition.value.span,
                hint="sum(…), tr(…) or norm(…)^2 make a scalar; x^T y of columns is one",
            )

    def _definition(self, definition: Definition, place: Place) -> list[Statement]:
        """The definition, after the sums that stand in it."""
        name, evaluator = definition.head.name, self.evaluator
        node, offset = self._tree(definition), definition.value.start
        if not place.ranges and evaluator.whole_total(node, place) is not None:
            totals = evaluator.total(lambda e: self._target(definition, e, False, place), node, offset, place, name)
            return list(totals)
        value = evaluator.value(node, offset, place, name)
        target = self._target(definition, value.expr, value.entrywise, place)
        return [*value.totals, Define(target, value.expr, definition.span)]

    def _target(self, definition: Definition, value: Expr, entrywise: bool, place: Place) -> Expr:
        """The symbol that is defined; from here on it can be read."""
        head, evaluator = definition.head, self.evaluator
        if head.index is None:
            target = o.symbol(head.name, value.shape)
            evaluator.symbols[head.name] = target
        elif head.name in self.names.series:
            return self._series_target(definition, value, entrywise, place)
        else:
            at = head.index.put(place.numbers)
            shown = f"{head.name}[{at}]"
            if shown in evaluator.symbols:
                raise NameProblem(f"{shown} is defined twice", head.span)
            target = evaluator.symbols[shown] = o.symbol(shown, value.shape)
            if at.number is None or at.number < 0:
                raise ParseError(f"the index of {shown} is no number", head.span)
            self.names.ragged[head.name][int(at.number)] = target
        if entrywise:
            evaluator.entrywise.add(target)
        return target

    def _series_target(self, definition: Definition, value: Expr, entrywise: bool, place: Place) -> Expr:
        head = definition.head
        assert head.index is not None
        series: Series = self.names.series[head.name]
        at = head.index.put(place.numbers)
        if head.name in place.done:
            raise NameProblem(f"{head.name}[{at}] is defined twice", head.span)
        if series.shape is not None and series.shape != value.shape:
            raise ShapeError(
                f"the elements of {head.name} have one shape",
                definition.value.span,
                notes=(
                    f"{head.name}[{at}] : {shape_text(value.shape)}     "
                    f"{head.name}[{series.initial}] : {shape_text(series.shape)}",
                ),
            )
        series.shape = value.shape
        series.entrywise = series.entrywise and entrywise
        place.done.add(head.name)
        return self.evaluator.add_element(series, at)

    def _loop(self, loop: For, place: Place, out: list[Statement]) -> None:
        """A loop over a free dimension."""
        if place.ranges:
            raise NotSupported(
                "a loop over a free dimension inside another one", loop.span, hint="loops over a size may be nested"
            )
        first, last = self.names.bounds(loop.range, place.numbers)
        for name in (*first.names(), *last.names()):
            self.evaluator.check_bound(name, loop.span, place)
        looped = frozenset(s.name for s in self.names.series.values() if s.loop is loop)
        index, step = loop.range.index, loop.range.step
        inside = Place(place.numbers, {index: Range(index, first, last)}, frozenset(), looped, set(), step)
        made: list[Statement] = []
        for statement in loop.body:
            self._run(statement, inside, made)
        out.extend(s for s in made if isinstance(s, Total))
        body = tuple(s for s in made if isinstance(s, Define))
        out.append(Loop(index, first, last, step, body, loop.span))
        for name in looped:
            self.names.series[name].complete = True


def _functions(names: Names) -> dict[str, Function]:
    """The functions of the user, each read with those before it."""
    functions: dict[str, Function] = {}
    declared = Declared(dimensions=dict(names.dimensions))
    for name, symbol in names.symbols.items():
        declared.shapes[key(name)] = symbol.shape
        declared.properties[key(name)] = symbol.attrs[1]
        declared.spelling[key(name)] = name
    for text in names.functions.values():
        scope = Scope(
            symbols=frozenset(declared.shapes),
            dimensions=frozenset(declared.dimensions),
            functions=frozenset(functions),
            closed=True,
        )
        try:
            with moved(text.text):
                function, _ = read_function(text.text.text, scope, declared, functions)
        except NameProblem as error:
            word = names.plain[slice(*error.span)] if error.span else ""
            later = names.functions.get(key(spell(word)))
            if later is None or word in functions or later is text:
                raise
            hint = f"{names.line(later.head.span)} defines it"
            raise NameProblem(f"{word} is read before it is defined", error.span, hint=hint) from None
        functions[function.name] = function
    return functions
