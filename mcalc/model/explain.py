"""An adjoint program as mathematics: its definitions, cotangents and gradients, each with the rules that it rests on.

In: what `reverse.trace` found. Out: `Passage`s, the lines of a loop or a line outside loops, in the order in which they
are computed. The rules of a cotangent are those by which the differentials of its readers reach it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from mcalc.algebra.expr import Expr, symbols
from mcalc.algebra.structure import structure
from mcalc.model.gather import Gathering
from mcalc.model.ir import Loop, Range, Statement, Total, Variable, variable_of
from mcalc.model.reverse import Trace
from mcalc.rewrite.rules import projection_rule, rule


class Line(NamedTuple):
    """target = value, or the sum of the values over a range.

    `sources` are what reads the variable and hands it this, as symbols; `rules` the rules of their differentials.
    """

    target: Expr
    value: Expr
    over: Range | None = None
    rules: tuple[str, ...] = ()
    sources: tuple[Expr, ...] = ()
    note: str = ""

    @property
    def rule(self) -> str:
        """The rules' names, as one text."""
        return "; ".join(self.rules)

    @property
    def reference(self) -> str:
        """Where the rules are proved."""
        return "; ".join(dict.fromkeys(rule(name).reference for name in self.rules))


class Passage(NamedTuple):
    """Lines for every index of a range, or one line that stands alone."""

    lines: tuple[Line, ...]
    loop: Range | None = None


class Explained(NamedTuple):
    """A model's derivation in three parts."""

    definitions: tuple[Passage, ...]
    cotangents: tuple[Passage, ...]
    gradients: tuple[Passage, ...]


def explain(trace: Trace) -> Explained:
    """The definitions of the prepared model, the cotangents, and the gradients."""
    g = trace.gathering
    wanted: set[Variable] = {v for a in trace.adjoint.forward.arguments if a.name in trace.adjoint.gradients
                             for v in (a.symbols or (a.name,))}  # fmt: skip
    teller = _Teller(g, wanted)
    cotangents: list[Passage] = []
    gradients: list[Passage] = []
    for statement in trace.adjoint.statements:
        mine = gradients if teller.about(statement) in wanted else cotangents
        mine.append(teller.passage(statement))
    definitions = tuple(_plain(statement) for statement in trace.adjoint.forward.statements)
    return Explained(definitions, tuple(cotangents), tuple(_in_order(gradients, trace, teller)))


def _plain(statement: Statement) -> Passage:
    if isinstance(statement, Loop):
        return Passage(tuple(Line(d.target, d.value) for d in statement.body), statement.range)
    over = statement.range if isinstance(statement, Total) else None
    return Passage((Line(statement.target, statement.value, over),))


def _in_order(passages: list[Passage], trace: Trace, teller: _Teller) -> list[Passage]:
    """The gradients in the order of the parameters, parts of each before it."""
    order: dict[Variable, int] = {}
    for argument in trace.adjoint.forward.arguments:
        for v in argument.symbols or (argument.name,):
            order[v] = len(order)
    return sorted(passages, key=lambda p: order.get(teller.owner(p.lines[-1].target), 0))


class _Teller:
    def __init__(self, g: Gathering, wanted: set[Variable]) -> None:
        self.g = g
        self.wanted = wanted

    def owner(self, target: Expr) -> Variable:
        """The variable whose cotangent, or part of it, a symbol is."""
        element = self.g.made.elements.get(target)
        return self.g.about[target.name if element is None else element.sequence]

    def about(self, statement: Statement) -> Variable:
        """The variable that a statement is about (of a loop the last one)."""
        return self.owner(statement.body[-1].target if isinstance(statement, Loop) else statement.target)

    def passage(self, statement: Statement) -> Passage:
        """The statement with its reasons."""
        if isinstance(statement, Loop):
            lines = tuple(self.line(d.target, d.value, True) for d in statement.body)
            return Passage(lines, statement.range)
        over = statement.range if isinstance(statement, Total) else None
        return Passage((self.line(statement.target, statement.value, over is not None, over),))

    def line(self, target: Expr, value: Expr, repeated: bool, over: Range | None = None) -> Line:
        """One cotangent with the rules of its readers."""
        g, owner = self.g, self.owner(target)
        if value.op == "zeros" or (value.op == "num" and value.attrs[0] == 0):
            return Line(target, value, over, note=self._why_zero(target))
        read: dict[Variable, list[Expr]] = {}
        for s in symbols(value):
            name = variable_of(g.made.elements, s)
            read.setdefault(name, []).append(s)
        rules: list[str] = []
        sources: list[Expr] = []
        for use in g.uses.of.get(owner, ()):
            if use.reader.target in g.uses.constant:
                if (use.over is not None) == repeated:
                    rules += use.rules
                    sources.append(use.reader.target)
                continue
            bar = g.bar(use.reader.target)
            for s in read.get(variable_of(g.made.elements, g.same.get(bar, bar)), ()):
                rules += use.rules
                sources.append(self._reader(use.reader.target, s))
        kind = structure(owner) if isinstance(owner, Expr) and owner in self.wanted else None
        if kind is not None and isinstance(owner, Expr) and target is g.bar(owner):
            rules.append(projection_rule(kind.name))
        kept = dict.fromkeys(r for r in rules if r != "linearity")
        return Line(target, value, over, tuple(kept) or ("linearity",), tuple(dict.fromkeys(sources)))

    def _reader(self, reader: Expr, cotangent: Expr) -> Expr:
        """What a cotangent that is read belongs to: z[t+1] for z_bar[t+1]."""
        element = self.g.made.elements.get(cotangent)
        own = self.g.made.elements.get(reader)
        if element is None or own is None:
            return reader
        return self.g.made.at(own.sequence, element.index)

    def _why_zero(self, target: Expr) -> str:
        element = self.g.made.elements.get(target)
        if element is None:
            return "the loss does not depend on it"
        return "nothing reads it there"


def lines_of(passages: Iterable[Passage]) -> list[Line]:
    """All lines."""
    return [line for passage in passages for line in passage.lines]
