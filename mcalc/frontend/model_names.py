"""The names of a model: what each of them is, before any expression is read.

Goes in: statements, and the sizes that were set. Comes out: `Names`: the numbers of sizes; arguments with their shapes;
which indexed names are unrolled (ragged) and which are sequences over a free dimension; every name once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from mcalc.algebra import operators as o
from mcalc.algebra.expr import Expr
from mcalc.algebra.names import base_and_index
from mcalc.algebra.shape import Dim, Shape, dim
from mcalc.errors import LimitError, NameProblem, NotSupported, ParseError, Span, UsageError
from mcalc.frontend.declarations import model_declaration
from mcalc.frontend.model_places import moved
from mcalc.frontend.model_statements import Arguments, Definition, For, FunctionText, Head, Size, Statement
from mcalc.frontend.positions import Range, position
from mcalc.frontend.words import Scope, key, nearest
from mcalc.model.ir import Argument

_ONE_INDEX = "a name has one index; for layers in time use one name a layer: h1[t], h2[t]"
_INDEXED = re.compile(r"(\w+)\[(.*)\]")
_TOTAL = re.compile(r"\bsum\s*\(\s*([^\W\d_]\w*)\s+in\b")
RANGE_LIMIT = 10_000
"""The most matrices that a size may unroll a name or a loop into."""
EFFORT_LIMIT = 500_000
"""The most terms and iterations that are unrolled in one model."""


@dataclass(slots=True)
class Series:
    """A sequence over a free dimension: an argument, or what a loop defines."""

    name: str
    first: Dim
    last: Dim
    shape: Shape | None = None
    properties: frozenset[str] = frozenset()
    loop: For | None = None
    initial: Dim | None = None
    """Where its first value stands, if it has one."""
    complete: bool = False
    """Whether every element has a value at this place of the text."""
    entrywise: bool = True


@dataclass(slots=True)
class Names:
    """What the names of a model are."""

    numbers: dict[str, int] = field(default_factory=dict)
    dimensions: dict[str, None] = field(default_factory=dict)
    families: set[str] = field(default_factory=set)
    """Dimensions with an index: `d` of `d[0]`."""
    indices: dict[str, Span] = field(default_factory=dict)
    """Indices of loops and sums."""
    arguments: list[Argument] = field(default_factory=list)
    symbols: dict[str, Expr] = field(default_factory=dict)
    """Name (also `W[1]`) to symbol, of arguments."""
    series: dict[str, Series] = field(default_factory=dict)
    ragged: dict[str, dict[int, Expr | None]] = field(default_factory=dict)
    """The unrolled names: index to symbol, none yet for what is still to be defined."""
    functions: dict[str, FunctionText] = field(default_factory=dict)
    places: dict[str, tuple[str, Span]] = field(default_factory=dict)
    """Every name to what it is, and where it gets its meaning."""
    plain: str = ""
    effort: int = EFFORT_LIMIT

    def line(self, span: Span) -> str:
        """The line of a place, for a message."""
        return f"line {self.plain.count(chr(10), 0, span.start) + 1}"

    def add(self, name: str, what: str, span: Span) -> None:
        """One more name; refuses one that has a meaning."""
        known = self.places.get(name)
        if known is None:
            self.places[name] = (what, span)
        elif known[0] != what or what not in ("a dimension", "an index"):
            raise self.taken(name, what, span)

    def taken(self, name: str, what: str, span: Span) -> NameProblem:
        """The error for a name with two meanings."""
        known, place = self.places[name]
        notes = (f"it is {known} in {self.line(place)}",)
        if name == "loss":
            hint = "add the parts in one expression"
            return NameProblem("the loss is defined twice", span, notes=notes, hint=hint)
        if what == known or {what, known} <= {"an input", "a param"}:
            verb = "declared" if what in ("an input", "a param", "a size") else "defined"
            return NameProblem(f"{name} is {verb} twice", span, notes=notes, hint="choose another name")
        return NameProblem(f"{name} is {known} already, and here {what}", span, notes=notes, hint="rename one of them")

    def scope(self) -> Scope:
        """What the reader of expressions has to know of the names."""
        symbols = [n for n, (what, _) in self.places.items() if what in ("an input", "a param", "a definition")]
        return Scope(
            symbols=frozenset([*symbols, "loss"]),
            dimensions=frozenset([*self.dimensions, *self.families, *self.numbers, *self.indices]),
            functions=frozenset(self.functions),
            closed=True,
            indexed=frozenset(map(key, [*self.families, *self.series, *self.ragged])),
        )

    def settle(self, d: Dim, numbers: Mapping[str, int], span: Span) -> Dim:
        """The dimension with numbers put in, `d[l-1]` becoming `d[0]`."""
        values = {}
        for name in d.names():
            found = _INDEXED.fullmatch(key(name))
            if found is not None:
                index = position(found[2], span).put(numbers)
                if index.number is None or index.number < 0:
                    hint = f"{found[1]}[0], or {found[1]}[l] with l in 1..L and size L"
                    raise ParseError(f"the index of {name} is no number", span, hint=hint)
                values[name] = dim(f"{found[1]}[{index.number}]")
            elif key(name) in numbers:
                values[name] = dim(numbers[key(name)])
            else:
                values[name] = dim(key(name))
        return d.put(values)

    def bounds(self, range_: Range, numbers: Mapping[str, int]) -> tuple[Dim, Dim]:
        """First and last with numbers put in."""
        return range_.first.put(numbers), range_.last.put(numbers)

    def unrolled(self, range_: Range, numbers: Mapping[str, int], span: Span) -> range | None:
        """The indices, where both ends are numbers."""
        first, last = (d.number for d in self.bounds(range_, numbers))
        if first is None or last is None:
            return None
        indices = range(int(first), int(last) + range_.step, range_.step)
        if len(indices) > RANGE_LIMIT:
            raise LimitError(f"a size unrolls at most {RANGE_LIMIT} matrices", span)
        self.effort -= len(indices)
        if self.effort < 0:
            raise LimitError(f"the sizes of the model unroll more than {EFFORT_LIMIT} terms", span)
        return indices


def collect(statements: Iterable[Statement], plain: str, sizes: Mapping[str, int]) -> Names:
    """The names of the statements; `sizes` is what was set."""
    names = Names(plain=plain)
    body = list(statements)
    _sizes(names, body, sizes)
    for statement in body:
        if isinstance(statement, Arguments):
            _arguments(names, statement)
    for head in _indices(body, plain):
        names.add(head.name, "an index", head.span)
        names.indices.setdefault(head.name, head.span)
    for statement in body:
        if isinstance(statement, FunctionText):
            names.add(statement.head.name, "a function", statement.head.span)
            names.functions[key(statement.head.name)] = statement
    for definition, loops in definitions(body):
        _definition(names, definition, loops)
    _check_series(names, body)
    return names


def definitions(body: Iterable[Statement], loops: tuple[For, ...] = ()) -> Iterator[tuple[Definition, tuple[For, ...]]]:
    """The definitions, with the loops around them."""
    for statement in body:
        if isinstance(statement, Definition):
            yield statement, loops
        elif isinstance(statement, For):
            yield from definitions(statement.body, (*loops, statement))


def _sizes(names: Names, body: list[Statement], sizes: Mapping[str, int]) -> None:
    declared = [s for s in body if isinstance(s, Size)]
    for size in declared:
        name = size.head.name
        names.add(name, "a size", size.head.span)
        value = sizes.get(name, size.value)
        if value is None:
            hint = f"size {name} = 3, or --set {name}=3"
            raise ParseError(f"the size {name} has no value", size.head.span, hint=hint)
        if value < 1:
            raise UsageError(f"the size {name} is a positive integer, not {value}")
        names.numbers[name] = value
    for name in sizes:
        if name not in names.numbers:
            near = nearest(name, list(names.numbers), 1)
            hint = f"did you mean {near[0]}?" if near else f"its sizes: {', '.join(names.numbers) or 'none'}"
            raise UsageError(f"the model has no size {name}", hint=hint)


def _indices(body: Iterable[Statement], plain: str) -> Iterator[Head]:
    for statement in body:
        if isinstance(statement, For):
            yield Head(statement.range.index, statement.span)
            yield from _indices(statement.body, plain)
        elif isinstance(statement, Definition):
            for found in _TOTAL.finditer(statement.value.text):
                start = statement.value.start + found.start(1)
                yield Head(found[1], Span(start, start + len(found[1])))


# --- arguments --------------------------------------------------------------------------------------------------------


def _arguments(names: Names, statement: Arguments) -> None:
    piece = statement.declaration
    with moved(piece):
        declared = model_declaration(piece.text)
    for head in statement.heads:
        shape = declared.shapes[key(head.name)]
        names.add(head.name, f"{'an' if statement.kind == 'input' else 'a'} {statement.kind}", head.span)
        _argument(names, statement, head, shape, declared.properties[key(head.name)])


def _argument(names: Names, statement: Arguments, head: Head, shape: Shape, properties: frozenset[str]) -> None:
    name, range_, span = head.name, head.range, statement.declaration.span
    symbols: list[Expr] = []
    indices = None if range_ is None else names.unrolled(range_, names.numbers, head.span)
    if range_ is None or indices is None:
        fixed = _shape(names, shape, names.numbers, span)
        if range_ is None:
            symbols.append(o.symbol(name, fixed, properties))
            names.symbols[name] = symbols[0]
        else:
            first, last = names.bounds(range_, names.numbers)
            if range_.step < 0:
                raise ParseError("the indices of a sequence go upwards", head.span, hint=f"{name}[{last}..{first}]")
            for d in (*first.names(), *last.names()):
                names.add(d, "a dimension", head.span)
                names.dimensions.setdefault(d)
            names.series[name] = Series(name, first, last, fixed, properties, complete=True, entrywise=False)
    else:
        table: dict[int, Expr | None] = {}
        for i in indices:
            here = _shape(names, shape, {**names.numbers, range_.index: i}, span)
            table[i] = names.symbols[f"{name}[{i}]"] = o.symbol(f"{name}[{i}]", here, properties)
        symbols = [symbol for symbol in table.values() if symbol is not None]
        names.ragged[name] = table
    names.arguments.append(Argument(name, statement.kind, tuple(symbols), indices is not None, head.span))


def _shape(names: Names, shape: Shape, numbers: Mapping[str, int], span: Span) -> Shape:
    """The shape with numbers put in; its names are dimensions."""
    rows, columns = (names.settle(d, numbers, span) for d in shape)
    for name in (*rows.names(), *columns.names()):
        family, _ = base_and_index(name)
        names.add(family, "a dimension", span)
        if family != name:
            names.families.add(family)
        if (family == name and name in names.families) or (family != name and family in names.dimensions):
            hint = f"write {family} or {family}[0] everywhere"
            raise NameProblem(f"{family} is a dimension with an index and without one", span, hint=hint)
        names.dimensions.setdefault(name)
    return rows, columns


# --- definitions ------------------------------------------------------------------------------------------------------


def _definition(names: Names, definition: Definition, loops: tuple[For, ...]) -> None:
    head = definition.head
    if head.index is None:
        if loops:
            index = loops[-1].range.index
            hint = f"{head.name}[{index}] = …, or define it before the loop"
            if head.name == "loss":
                hint = f"loss = sum({index} in {loops[-1].range.first}..{loops[-1].range.last}, …)"
            raise NameProblem(f"{head.name} is defined again for every {index}", head.span, hint=hint)
        names.add(head.name, "a definition", head.span)
        return
    for loop in loops:
        outside = f"{loop.range.index} in {loop.range.first}..{loop.range.last}"
        if loop.range.index in (n for other in loops if other is not loop for n in [other.range.index]):
            raise NameProblem(f"{outside} stands inside a loop over the same index", loop.span)
    known = names.places.get(head.name)
    if known is None:
        names.places[head.name] = ("a definition", head.span)
    elif known[0] != "a definition" or head.name not in {*names.series, *names.ragged}:
        raise names.taken(head.name, "a definition", head.span)
    _place(names, definition, loops, names.numbers)


def _place(names: Names, definition: Definition, loops: tuple[For, ...], numbers: Mapping[str, int]) -> None:
    """Where the elements that a definition gives a value stand."""
    head = definition.head
    assert head.index is not None
    name = head.name
    for i, loop in enumerate(loops):
        indices = names.unrolled(loop.range, numbers, loop.span)
        if indices is not None:
            if not indices and name not in names.series:
                names.ragged.setdefault(name, {})
            for k in indices:
                _place(names, definition, loops[i + 1 :], {**numbers, loop.range.index: k})
            return
        if loop.range.index in head.index.names():
            _looped(names, definition, loop, nested=len(numbers) > len(names.numbers))
            return
    at = head.index.put(numbers)
    series = names.series.get(name)
    number = at.number
    if series is None and number is not None:
        names.ragged.setdefault(name, {})[int(number)] = None
        return
    if series is None:
        series = names.series[name] = Series(name, at, at)
    _initial(series, at, head.span)


def _initial(series: Series, at: Dim, span: Span) -> None:
    if series.initial is not None:
        first = f"{series.name}[{series.initial}]"
        if at is series.initial:
            raise NameProblem(f"{first} is defined twice", span)
        raise NameProblem(f"{series.name} has a first value already, {first}", span, hint="one value, and one loop")
    series.initial = at


def _looped(names: Names, definition: Definition, loop: For, nested: bool) -> None:
    head, index = definition.head, loop.range.index
    name = head.name
    if head.index is not dim(index):
        raise ParseError(f"a loop over {index} defines {name}[{index}]", head.span, hint="shift its bounds instead")
    earlier = names.series.get(name)
    if earlier is not None and earlier.loop is not None:
        raise NameProblem(f"{name}[{index}] is defined twice", head.span, hint=_ONE_INDEX if nested else "")
    low, high = (d.put(names.numbers) for d in loop.range.ends())
    series = names.series[name] = Series(name, low, high, loop=loop)
    constants = [dim(i) for i in names.ragged.pop(name, {})]
    if earlier is not None and earlier.initial is not None:
        constants.append(earlier.initial)
    for at in constants:
        _initial(series, at, head.span)


def _check_series(names: Names, body: list[Statement]) -> None:
    for statement in body:
        if isinstance(statement, For):
            _check_loop(statement)
    for series in names.series.values():
        at = series.initial
        if at is None:
            continue
        span = names.places[series.name][1]
        if series.loop is None:
            hint = f"a loop defines {series.name}[t] for each t"
            raise NameProblem(f"{series.name}[{at}] is the first value of no loop", span, hint=hint)
        up = series.loop.range.step > 0
        fitting = series.first - dim(1) if up else series.last + dim(1)
        if at is not fitting:
            range_ = series.loop.range
            raise NameProblem(
                f"{series.name}[{at}] is not next to the loop over {range_.first}..{range_.last}",
                span,
                hint=f"its first value is {series.name}[{fitting}]",
            )
        series.first, series.last = (at, series.last) if up else (series.first, at)


def _check_loop(loop: For) -> None:
    index = loop.range.index
    inside = list(definitions(loop.body))
    if not any(d.head.index is not None and index in d.head.index.names() for d, _ in inside):
        nested = any(isinstance(s, For) for s in loop.body)
        raise NotSupported(
            f"the loop over {index} defines nothing with the index {index}",
            loop.span,
            hint=_ONE_INDEX if nested else f"h[{index}] = …",
        )
    for statement in loop.body:
        if isinstance(statement, For):
            _check_loop(statement)
