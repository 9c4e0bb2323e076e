"""Who reads what: which definitions move with the parameters, and where each of them is read.

In: a prepared model. Out: `Uses`: for every variable (a symbol, or a sequence by its name) that has a cotangent, the
places that read it, with the part that each hands back in terms of the reader's own cotangent.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import NamedTuple

from mcalc.algebra.expr import Expr, depends_on, symbols
from mcalc.algebra.operators import add, number
from mcalc.algebra.shape import Dim
from mcalc.errors import NotSupported
from mcalc.model.elements import Elements, extent
from mcalc.model.ir import Define, Loop, Model, Range, Statement, Total, Variable, variable_of
from mcalc.model.local import LocalAdjoints
from mcalc.simplify.normal_form import Normaliser


class Use(NamedTuple):
    """A definition that reads a variable."""

    position: int
    """Of the statement in the model."""
    statement: Statement
    reader: Define | Total
    symbol: Expr
    """As it is read: the variable, or an element of it."""
    part: Expr
    """What the reader hands back, at the loop's own index."""
    rules: tuple[str, ...]

    @property
    def over(self) -> Range | None:
        """The indices that the reader is run for, the smallest first."""
        return None if isinstance(self.statement, Define) else self.statement.range.upwards


def is_fixed(made: Elements, use: Use) -> bool:
    """Whether a use reads one element whatever the loop's index."""
    return use.over is None or use.over.index not in made.elements[use.symbol].index.names()


def reach(made: Elements, use: Use) -> tuple[Dim, Dim]:
    """The first and the last element that a use with a moving index reads."""
    assert use.over is not None
    return extent(made.elements[use.symbol].index, use.over)


def readers(model: Model) -> Iterator[tuple[int, Statement, Define | Total]]:
    """Every definition with the statement that it is in."""
    for position, statement in enumerate(model.statements):
        if isinstance(statement, Loop):
            for define in statement.body:
                yield position, statement, define
        else:
            yield position, statement, statement


def moving_variables(
    made: Elements, rows: Iterable[tuple[Define | Total, tuple[Expr, ...]]], wanted: Iterable[Variable]
) -> set[Variable]:
    """What depends on the wanted parameters; in loops also through earlier iterations.

    `rows` are the definitions in order, each with the symbols that it reads.
    """
    elements = made.elements
    known = [(variable_of(elements, d.target), {variable_of(elements, s) for s in read}) for d, read in rows]
    moving = set(wanted)
    size = -1
    while size != len(moving):
        size = len(moving)
        for target, read in known:
            if not read.isdisjoint(moving):
                moving.add(target)
    return moving


class Uses:
    """The variables that have a cotangent, and their uses, those of the last statement first."""

    def __init__(
        self, model: Model, made: Elements, wanted: Collection[Variable], cotangent: Callable[[Expr], Expr]
    ) -> None:
        self.made = made
        self.of: dict[Variable, list[Use]] = {}
        rows = [(p, s, d, symbols(d.value)) for p, s, d in readers(model)]
        self.moving = moving = moving_variables(made, [(d, read) for _, _, d, read in rows], wanted)
        self.rows = rows
        self.constant: dict[Expr, Expr] = {model.loss: number(1)}
        """Targets whose cotangent is a number (or made of dimensions), and that number."""
        self.reached: set[Variable] = {model.loss}
        self.active: set[int] = set()
        local = LocalAdjoints()
        reading: dict[Variable, list[int]] = {}
        for k, (_, _, _, read) in enumerate(rows):
            for v in {self.variable(s) for s in read} & moving:
                reading.setdefault(v, []).append(k)
        found: dict[int, list[Use]] = {}
        size = -1
        while size != len(found):
            # the last first; once more where a loop reaches what is before in it
            size = len(found)
            for k in range(len(rows) - 1, -1, -1):
                position, statement, define, read = rows[k]
                if k in found or self.variable(define.target) not in self.reached:
                    continue
                inside = [s for s in read if self.variable(s) in moving]
                if not inside:
                    continue
                if all(j in found for j in reading.get(self.variable(define.target), ())):
                    # else a loop may still reach a reader
                    self._look_for_constant(statement, define)
                bar = self.constant.get(define.target)
                # of a sum over the loop, the target is not the value of one term
                same = define.target if isinstance(define, Define) else None
                try:
                    parts = local(bar or cotangent(define.target), same, define.value, inside)
                except NotSupported as problem:
                    problem.source = problem.source or model.file or "model"
                    raise problem.at(define.span, model.text) from None
                found[k] = [Use(position, statement, define, s, *part) for s, part in parts.items()]
                self.active.add(id(define))
                for use in found[k]:
                    self.reached.add(self.variable(use.symbol))
                    self.of.setdefault(self.variable(use.symbol), []).append(use)
        self.of = {}
        for k in sorted(found, reverse=True):
            for use in found[k]:
                self.of.setdefault(self.variable(use.symbol), []).append(use)

    def _look_for_constant(self, statement: Statement, define: Define | Total) -> None:
        """Notes that the cotangent of a definition is a number, where all that it is handed is one."""
        uses = self.of.get(self.variable(define.target), [])
        if not uses or any(symbols(use.part) for use in uses):
            return
        if define.target not in self.made.elements:
            known = all(use.over is None for use in uses)
        else:
            known = isinstance(statement, Loop) and self._alike(statement, define, uses)
        if known:
            self.constant[define.target] = Normaliser()(add(*(use.part for use in uses)))

    def _alike(self, loop: Loop, define: Define | Total, uses: list[Use]) -> bool:
        """Whether every element that a loop defines, and no other, is read by each of the uses."""
        made, name = self.made, self.variable(define.target)
        ends = loop.range.ends
        return (
            sum(self.variable(d.target) == name for _, _, d, _ in self.rows) == 1
            and all(use.statement is not loop and not is_fixed(made, use) and reach(made, use) == ends for use in uses)
            and not any(made.varies(use.part, use.over.index) for use in uses if use.over)
        )

    def variable(self, node: Expr) -> Variable:
        """The variable that a symbol belongs to."""
        return variable_of(self.made.elements, node)

    def moving_nodes(self, value: Expr) -> set[Expr]:
        """The nodes of an expression that depend on the parameters."""
        return depends_on((s for s in symbols(value) if self.variable(s) in self.moving), value)

    def has_cotangent(self, define: Define | Total) -> bool:
        """Whether the cotangent of a definition leads to a parameter, and is not a number."""
        return id(define) in self.active and define.target not in self.constant
