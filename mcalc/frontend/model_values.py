"""The expressions of a model: syntax trees, made once, become expressions for every index.

Goes in: a tree, the numbers of sizes and unrolled indices, and the symbols so far. Comes out: `Value`: the expression
and the sums over a free dimension that stand in it, as statements of their own.

An element of a sequence (`h[t-1]`) is a leaf; for an unrolled name the index is put in (`W[2]`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import NamedTuple

from mcalc.algebra import operators as o
from mcalc.algebra.expr import Expr
from mcalc.algebra.names import base_and_index
from mcalc.algebra.shape import Dim, dim
from mcalc.errors import NameProblem, NotSupported, ParseError, Span
from mcalc.frontend.checking import Question, check
from mcalc.frontend.dimensions import Misfit
from mcalc.frontend.elaborate import elaborate
from mcalc.frontend.inline import Function
from mcalc.frontend.model_names import Names, Series
from mcalc.frontend.positions import Range
from mcalc.frontend.problems import explain
from mcalc.frontend.program import Resolver, no_dimension
from mcalc.frontend.syntax import Node
from mcalc.frontend.words import Scope, key
from mcalc.model.ir import Element, Total

_BELOW = re.compile(r"([A-Za-z]\w*)(?:\[([^\]]*)\])?")
_DEPTH_LIMIT = 20


@dataclass(frozen=True, slots=True)
class Place:
    """Where an expression stands."""

    numbers: dict[str, int]
    """Sizes, and the indices of unrolled loops."""
    ranges: dict[str, Range] = field(default_factory=dict)
    """The index over a free dimension, if there is one, with its bounds."""
    outer: frozenset[str] = frozenset()
    """Indices that cannot be read here: those around a sum that is taken before the loop."""
    looped: frozenset[str] = frozenset()
    """The sequences that the loop around defines."""
    done: set[str] = field(default_factory=set)
    """Those of them that have a value at the index already."""
    step: int = 1


class Value(NamedTuple):
    """An expression; whether a scalar may be added to every entry; the sums that stand before it."""

    expr: Expr
    entrywise: bool
    totals: tuple[Total, ...]


class Evaluator:
    """Trees to expressions, for one model."""

    def __init__(self, names: Names, scope: Scope, plain: str, functions: dict[str, Function]) -> None:
        self.names = names
        self.scope = scope
        self.plain = plain
        self.functions = functions
        self.symbols: dict[str, Expr] = dict(names.symbols)
        """Everything that has a value so far, by name."""
        self.elements: dict[Expr, Element] = {}
        self.entrywise: set[Expr] = set()
        self.totals: list[Total] = []
        self.fresh: Callable[[], str] = lambda: "total"

    def value(self, tree: Node, offset: int, place: Place, base: str) -> Value:
        """The value of a tree whose text begins at `offset`; `base` names what is defined."""
        self.totals = []
        self.fresh = lambda: self._fresh(base)
        expr, entrywise = self._expression(self._copy(tree, offset, place, 0))
        return Value(expr, entrywise, tuple(self.totals))

    def whole_total(self, tree: Node, place: Place) -> Range | None:
        """The range, where the tree is nothing but a sum over a free dimension."""
        if tree.kind != "total":
            return None
        range_: Range = tree.value
        return None if self.names.unrolled(range_, place.numbers, tree.span) is not None else range_

    def total(self, target: Callable[[Expr], Expr], tree: Node, offset: int, place: Place, base: str) -> list[Total]:
        """The statements for a definition that is nothing but a sum over a free dimension."""
        self.totals = []
        self.fresh = lambda: self._fresh(base)
        total, entrywise = self._total(tree, offset, place, 0)
        made = target(total.value)
        if entrywise:
            self.entrywise.add(made)
        return [*self.totals, replace(total, target=made)]

    def _fresh(self, base: str) -> str:
        stem = re.sub(r"\W|_", "", base)
        name, count = f"{stem}_sum", 1
        while name in self.symbols or name in self.names.places:
            count += 1
            name = f"{stem}_sum{count}"
        return name

    def _expression(self, tree: Node) -> tuple[Expr, bool]:
        program = Resolver(self.scope, self.names.dimensions, self.functions).resolve([], tree)
        symbols = {name: self.symbols[name] for name in program.symbols}
        entrywise = frozenset(name for name, s in symbols.items() if s in self.entrywise)
        try:
            checked = check(Question(program, {n: s.shape for n, s in symbols.items()}, None, entrywise), {})
        except Misfit as misfit:
            raise explain(misfit, program, self.plain) from None
        for step, t in zip(program.steps, checked.types, strict=True):
            if any("?" in checked.dimensions.value(d).text for d in t[:2]):
                raise ParseError("nothing gives this a size", step.node.span, hint="I(n), ones(n,m), zeros(n,m)")
        values = elaborate(program, checked, symbols, self.functions, [symbols[name] for name in entrywise])
        return values[program.root], checked.types[program.root].entrywise

    # --- trees for one index ------------------------------------------------------------------------------------------

    def _copy(self, tree: Node, offset: int, place: Place, depth: int) -> Node:
        """The tree at its place in the text, indices and sizes put in."""
        made: list[Node] = []
        stack = [(tree, False)]
        while stack:
            node, ready = stack.pop()
            if node.kind == "total":
                made.append(self._sum(node, offset, place, depth))
            elif ready or not node.args:
                count = len(node.args)
                args = tuple(made[len(made) - count :]) if count else ()
                del made[len(made) - count :]
                leaf = _LEAVES.get(node.kind)
                start, end = node.start + offset, node.end + offset
                if node.kind == "index":
                    made.append(self._index(node, Span(start, end), place))
                    made[-1].args = args
                elif leaf is None:
                    made.append(Node(node.kind, args, node.value, start, end))
                else:
                    made.append(leaf(self, node, Span(start, end), place))
            else:
                stack.append((node, True))
                stack.extend((arg, False) for arg in reversed(node.args))
        return made[0]

    def _name(self, node: Node, span: Span, place: Place) -> Node:
        name = key(node.value)
        if name == "loss":
            raise NameProblem("the loss is read by no statement", span, hint="give what is meant a name of its own")
        if name in place.numbers:
            return _number(place.numbers[name], span)
        if name in self.symbols or name in self.names.dimensions:
            return Node("name", (), name, *span)
        if name in place.ranges or name in place.outer:
            raise NotSupported(f"the index {name} is used as a number", span, hint="an input can hold the numbers")
        if name in self.names.indices:
            raise NameProblem(f"{name} is an index, and this is outside of its loop", span)
        if name in self.names.families:
            raise NameProblem(f"{name} is a dimension with an index", span, hint=f"{name}[0]")
        if name in self.names.series or name in self.names.ragged:
            raise NameProblem(f"{name} is a sequence, and an element of it is meant", span, hint=f"{name}[…]")
        if self.names.places.get(name, ("",))[0] == "a definition":
            raise self._too_early(name, span)
        return Node("name", (), name, *span)

    def _too_early(self, shown: str, span: Span) -> NameProblem:
        place = self.names.places[key(base_and_index(shown)[0])][1]
        hint = f"{self.names.line(place)} defines it" if place.start > span.start else ""
        return NameProblem(f"{shown} is read before it is defined", span, hint=hint)

    def _constant(self, node: Node, span: Span, place: Place) -> Node:
        base, underscore, below = node.value.partition("_")
        if not underscore:
            return Node("constant", (), node.value, *span)
        index = Span(span.start + len(base) + 1, span.end)

        def put_in(match: re.Match[str]) -> str:
            if match[2] is not None:
                return str(self._dimension(match[0], index, place))
            return str(place.numbers.get(match[1], match[0]))

        return Node("constant", (), f"{base}_{_BELOW.sub(put_in, below)}", *span)

    def _dimension(self, name: str, span: Span, place: Place) -> Dim:
        d = self.names.settle(dim(name), place.numbers, span)
        for settled in d.names():
            if settled not in self.names.dimensions:
                raise no_dimension(settled, span, self.names.dimensions)
        return d

    def _element(self, node: Node, span: Span, place: Place) -> Node:
        name, index = key(node.value[0]), node.value[1]
        if name in self.names.families:
            return Node("name", (), str(self._dimension(f"{name}[{index}]", span, place)), *span)
        return Node("name", (), self.element(name, index, span, place), *span)

    def _index(self, node: Node, span: Span, place: Place) -> Node:
        places: list[int | None] = []
        for at in node.value:
            if isinstance(at, Node):
                number = place.numbers.get(key(at.value))
                if number is None:
                    inside = Span(at.start - node.start + span.start, at.end - node.start + span.start)
                    raise ParseError("an index of a matrix is a number or a size", inside, hint="X[1,2], X[l,:]")
                places.append(number)
            else:
                places.append(at)
        return Node("index", (), tuple(places), *span)

    # --- elements -----------------------------------------------------------------------------------------------------

    def element(self, name: str, index: Dim, span: Span, place: Place) -> str:
        """The name of an element that is read, `h[t-1]`, its symbol known from here on."""
        at = index.put(place.numbers)
        for n in at.names():
            if n in place.outer:
                raise NotSupported(f"a sum inside a loop that depends on its index {n}", span)
            if n in self.names.indices and n not in place.ranges:
                raise NameProblem(f"{n} is an index, and this is outside of its loop", span)
            if n not in place.ranges and n not in self.names.dimensions:
                hint = f"sum({n} in 1..T, …), or for {n} in 1..T:"
                raise NameProblem(f"{n} is neither an index nor a dimension here", span, hint=hint)
        shown = f"{name}[{at}]"
        series = self.names.series.get(name)
        if series is None:
            self._check_ragged(name, at, shown, span)
            return shown
        self._check_read(series, at, shown, span, place)
        self.add_element(series, at)
        return shown

    def add_element(self, series: Series, at: Dim) -> Expr:
        """The symbol of an element of a sequence whose shape is known."""
        assert series.shape is not None
        shown = f"{series.name}[{at}]"
        symbol = self.symbols.get(shown)
        if symbol is None:
            symbol = self.symbols[shown] = o.symbol(shown, series.shape, series.properties)
            self.elements[symbol] = Element(series.name, at)
        if series.entrywise:
            self.entrywise.add(symbol)
        else:
            self.entrywise.discard(symbol)
        return symbol

    def _check_ragged(self, name: str, at: Dim, shown: str, span: Span) -> None:
        if shown in self.symbols:
            return
        indices = self.names.ragged[name]
        if at.number is None:
            hint = f"{name} has the indices {_extent(indices)}: its index is made of sizes"
            raise NameProblem(f"the index of {shown} is no number", span, hint=hint)
        if at.number in indices:
            raise self._too_early(shown, span)
        defined = self.names.places[name][0] == "a definition"
        hint = f"{shown} = … would define it" if defined else ""
        raise NameProblem(f"{shown} is outside of {name}[{_extent(indices)}]", span, hint=hint)

    def _check_read(self, series: Series, at: Dim, shown: str, span: Span, place: Place) -> None:
        """That the element has a value where it is read."""
        name = series.name
        if series.complete:
            self._check_range(series, at, shown, span, place)
            return
        if series.initial is at and series.shape is not None:
            return
        if name not in place.looped:
            raise self._too_early(shown, span)
        index = next(iter(place.ranges))
        now = dim(index)
        before, after = (now - dim(1), now + dim(1)) if place.step > 0 else (now + dim(1), now - dim(1))
        way = "an upward" if place.step > 0 else "a downward"
        if at is now:
            if name not in place.done:
                raise NameProblem(f"{shown} is read before it is defined", span, hint=f"or is {name}[{before}] meant?")
            return
        if at is before:
            if series.initial is None or series.shape is None:
                range_ = place.ranges[index]
                start = before.put({index: range_.first})
                hint = f"write {name}[{start}] = … before the loop"
                raise NameProblem(f"{shown} is read, and {name}[{start}] is not defined", span, hint=hint)
            return
        if at is after:
            hint = f"write for {index} in {place.ranges[index].last}..{place.ranges[index].first}: for the other way"
            raise NameProblem(f"{way} loop reads {name}[{before}], not {shown}", span, hint=hint)
        raise NotSupported(f"in the loop that defines {name} only {name}[{now}] and {name}[{before}] are read", span)

    def _check_range(self, series: Series, at: Dim, shown: str, span: Span, place: Place) -> None:
        ends = [at]
        for index, range_ in place.ranges.items():
            if index in at.names():
                ends = [at.put({index: end}) for end in range_.ends()]
        for end in ends:
            if end.below(series.first) or series.last.below(end):
                what = shown if end is at else f"{shown} comes to {series.name}[{end}], which"
                raise NameProblem(
                    f"{what} is outside of {series.name}[{series.first}..{series.last}]",
                    span,
                    hint="change the bounds of the loop" if end is not at else "",
                )

    # --- sums ---------------------------------------------------------------------------------------------------------

    def _sum(self, node: Node, offset: int, place: Place, depth: int) -> Node:
        """A sum over an index: unrolled, or the name of a statement of its own."""
        span = Span(node.start + offset, node.end + offset)
        if depth > _DEPTH_LIMIT:
            raise NotSupported(f"sums are nested at most {_DEPTH_LIMIT} deep", span)
        range_: Range = node.value
        indices = self.names.unrolled(range_, place.numbers, span)
        if indices is None:
            total, entrywise = self._total(node, offset, place, depth)
            self.totals.append(total)
            self.symbols[total.target.name] = total.target
            if entrywise:
                self.entrywise.add(total.target)
            return Node("name", (), total.target.name, *span)
        if not indices:
            return _number(0, span)
        terms = tuple(
            self._copy(node.args[0], offset, replace(place, numbers={**place.numbers, range_.index: i}), depth + 1)
            for i in indices
        )
        return terms[0] if len(terms) == 1 else Node("sum", terms, (False,) * len(terms), *span)

    def _total(self, node: Node, offset: int, place: Place, depth: int) -> tuple[Total, bool]:
        """The sum over a free dimension as a statement; it is taken before the loop around it, if any."""
        span = Span(node.start + offset, node.end + offset)
        range_: Range = node.value
        first, last = self.names.bounds(range_, place.numbers)
        low, high = Range(range_.index, first, last).ends() if range_.step > 0 else (last, first)
        for name in (*low.names(), *high.names()):
            self.check_bound(name, span, place)
        outer = place.outer | frozenset(place.ranges)
        inside = Place(place.numbers, {range_.index: Range(range_.index, low, high)}, outer - {range_.index})
        if range_.index in place.ranges or range_.index in place.outer:
            raise NameProblem(f"{range_.index} is the index of two ranges here", span, hint="give one another name")
        expr, entrywise = self._expression(self._copy(node.args[0], offset, inside, depth + 1))
        target = o.symbol(self.fresh(), expr.shape)
        return Total(target, range_.index, low, high, expr, span), entrywise

    def check_bound(self, name: str, span: Span, place: Place) -> None:
        """Refuses what is no dimension in a bound."""
        if name in place.ranges or name in place.outer:
            raise NotSupported(f"a bound depends on the index {name}", span)
        if name not in self.names.dimensions:
            raise no_dimension(name, span, self.names.dimensions)


def _extent(indices: dict[int, Expr | None]) -> str:
    return f"{min(indices)}..{max(indices)}" if indices else ""


def _number(value: int, span: Span) -> Node:
    number = Node("number", (), Fraction(abs(value)), *span)
    return number if value >= 0 else Node("negative", (number,), None, *span)


_LEAVES: dict[str, Callable[[Evaluator, Node, Span, Place], Node]] = {
    "name": Evaluator._name,
    "constant": Evaluator._constant,
    "element": Evaluator._element,
}
