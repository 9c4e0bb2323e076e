"""Parsing: text to a typed expression.

text ─ characters, tokens, grammar ─▶ syntax tree ─ names ─▶ program ─ shapes ─▶ reading ─ elaborate ─▶ expression
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from mcalc.algebra import operators as o
from mcalc.algebra.expr import Expr
from mcalc.algebra.shape import SCALAR, Shape, dim
from mcalc.errors import McalcError, NameProblem, Span
from mcalc.frontend.checking import Question
from mcalc.frontend.declarations import declarations
from mcalc.frontend.dimensions import Misfit, free_names
from mcalc.frontend.elaborate import elaborate
from mcalc.frontend.functions import read_function
from mcalc.frontend.inline import Function
from mcalc.frontend.parser import tree
from mcalc.frontend.problems import explain
from mcalc.frontend.program import Program, Resolver
from mcalc.frontend.readings import COLUMN_KIND, MATRIX_KIND, SCALAR_KIND, Reading, habit, read
from mcalc.frontend.variables import check_absent, wanted
from mcalc.frontend.words import Scope, key, runs_note


class SymbolInfo(NamedTuple):
    """A symbol of a text: the node, whether its shape was inferred, and why it has it."""

    expr: Expr
    inferred: bool
    reason: str


class Parsed(NamedTuple):
    """A text that was read."""

    text: str
    expression: Expr
    wrt: tuple[Expr, ...]
    symbols: dict[str, SymbolInfo]
    """In reading order; then the variables of differentiation that do not occur."""
    definitions: dict[str, Expr]
    """In order, with earlier definitions put in."""
    notes: tuple[str, ...] = ()
    dimensions: tuple[str, ...] = ()
    functions: Mapping[str, Function] = MappingProxyType({})


def parse(
    text: str,
    *,
    where: str | Sequence[str] = (),
    wrt: str | Sequence[str] = (),
    define: Sequence[str] = (),
    shape: Shape | None = None,
    differentials: bool = False,
) -> Parsed:
    """Reads an expression of the language.

    `where` declares names; `wrt` names the variables of differentiation, on which the habits of undeclared names
    depend; `define` holds elementwise functions of the user (`swish(x) = x sigmoid(x)`); `shape` is the shape that the
    expression must have, if it is known; with `differentials`, `dX` is the differential of X. Raises `McalcError`.
    """
    return _Reader(text, where, wrt, define, shape, differentials).read()


class _Reader:
    """One call of `parse`."""

    def __init__(
        self,
        text: str,
        where: str | Sequence[str],
        wrt: str | Sequence[str],
        define: Sequence[str],
        shape: Shape | None,
        differentials: bool,
    ) -> None:
        self.text = text
        self.shape = shape
        self.declared = declarations(where)
        for d in shape or ():
            self.declared.dimensions.update(dict.fromkeys(d.names()))
        self.wanted = wanted(wrt)
        self.functions: dict[str, Function] = {}
        self.function_symbols: dict[str, Expr] = {}
        """The scalars in bodies of functions."""
        for definition in define:
            function, symbols = read_function(definition, self._scope(), self.declared, self.functions)
            self.functions[function.name] = function
            self.function_symbols.update(symbols)
        self.scope = self._scope()
        self.scope.wanted = frozenset(key(name) for name in self.wanted)
        self.scope.differentials = differentials

    def _scope(self) -> Scope:
        return Scope(
            symbols=frozenset(self.declared.shapes),
            dimensions=frozenset(self.declared.dimensions),
            functions=frozenset(self.functions),
            spelling=dict(self.declared.spelling),
        )

    def read(self) -> Parsed:
        """The whole way."""
        definitions, expression = tree(self.text, "text", self.scope)
        try:
            program = Resolver(self.scope, self.declared.dimensions, self.functions).resolve(definitions, expression)
            for name, span in program.symbols.items():
                if name in program.dimensions:
                    hint = "give the dimension another name"
                    raise NameProblem(f"{name} is a symbol and a dimension", span, hint=hint)
            return self._read(program)
        except McalcError as error:
            whole = Span(expression.start, expression.end) if error.text is None else None
            raise runs_note(error, self.scope).at(whole, self.text) from None

    def _read(self, program: Program) -> Parsed:
        absent = self._absent(program)
        reading = self._reading(program)
        symbols = self._symbols(program, reading)
        nodes = {name: info.expr for name, info in symbols.items()}
        values = elaborate(program, reading.checked, nodes, self.functions)
        self._add_others(symbols, absent, program)
        dimensions = dict.fromkeys(program.dimensions)
        for info in symbols.values():
            dimensions.update(_dimensions(info.expr))
        return Parsed(
            self.text,
            values[program.root],
            tuple(symbols[name].expr for name in self.wanted),
            symbols,
            {name: values[place] for name, place in program.definitions.items()},
            (*self.scope.notes, *dict.fromkeys(program.notes)),
            tuple(dimensions),
            self.functions,
        )

    def _absent(self, program: Program) -> list[str]:
        """The variables of differentiation that do not occur; all of them get their spelling in the text."""
        known = [*program.symbols, *self.function_symbols, *self.declared.spelling.values()]
        spelling = {key(name): name for name in known}
        absent = []
        for i, name in enumerate(self.wanted):
            if key(name) not in spelling:
                check_absent(name, known, program.definitions, program.dimensions)
            self.wanted[i] = spelling.get(key(name), name)
            if self.wanted[i] not in program.symbols and self.wanted[i] not in self.function_symbols:
                self.scope.notes.append(f"{name} does not occur in the expression")
                absent.append(self.wanted[i])
        return absent

    def _reading(self, program: Program) -> Reading:
        """The reading, its free dimensions named."""
        shapes = {name: SCALAR for name in program.symbols if name in self.function_symbols}
        for name in program.symbols:
            if key(name) in self.declared.shapes:
                shapes[name] = self.declared.shapes[key(name)]
        try:
            reading = read(Question(program, shapes, self.shape), frozenset(self.wanted))
        except Misfit as misfit:
            raise explain(misfit, program, self.text) from None
        types, symbols = reading.checked.types, reading.checked.symbols
        free = [t for t, s in zip(types, program.steps, strict=True) if s.kind in ("unsized", "call")]
        reading.checked.dimensions.name_unknowns((t[:2] for t in (*symbols.values(), *free)), self._taken(program))
        return reading

    def _taken(self, program: Program) -> set[str]:
        """The names that an inferred dimension cannot have."""
        return {*program.symbols, *program.dimensions, *self.wanted, *self.declared.spelling.values()}

    def _symbols(self, program: Program, reading: Reading) -> dict[str, SymbolInfo]:
        value = reading.checked.dimensions.value
        symbols: dict[str, SymbolInfo] = {}
        for name, t in reading.checked.symbols.items():
            declared = key(name) in self.declared.shapes
            properties = self.declared.properties.get(key(name), frozenset())
            node = o.symbol(name, (value(t.rows), value(t.columns)), properties)
            symbols[name] = SymbolInfo(node, not declared, "declared" if declared else _reason(name, reading))
        return symbols

    def _add_others(self, symbols: dict[str, SymbolInfo], absent: list[str], program: Program) -> None:
        """The symbols in functions, and the variables of differentiation that do not occur."""
        for name, node in self.function_symbols.items():
            declared = key(name) in self.declared.shapes
            symbols.setdefault(name, SymbolInfo(node, not declared, "declared" if declared else _IN_FUNCTION))
        taken = self._taken(program)
        taken.update(n for info in symbols.values() for n in _dimensions(info.expr))
        names = free_names(taken)
        for name in absent:
            whole = key(name)
            if whole in self.declared.shapes:
                node = o.symbol(name, self.declared.shapes[whole], self.declared.properties[whole])
                symbols[name] = SymbolInfo(node, False, "declared")
            elif habit(name) == MATRIX_KIND:
                node = o.symbol(name, (dim(next(names)), dim(next(names))))
                symbols[name] = SymbolInfo(node, True, _HABITS[MATRIX_KIND])
            else:
                reason = "a scalar: nothing in the expression gives it a size"
                symbols[name] = SymbolInfo(o.symbol(name), True, reason)


_IN_FUNCTION = "a scalar, since a function of the user holds it"
_HABITS = {
    MATRIX_KIND: "a capital is a matrix",
    COLUMN_KIND: "a lower-case Latin letter is a column vector",
    SCALAR_KIND: "a lower-case Greek letter is a scalar",
}
_GIVEN_UP = {MATRIX_KIND: "a matrix", COLUMN_KIND: "a column vector", SCALAR_KIND: "a scalar"}


def _reason(name: str, reading: Reading) -> str:
    kind = reading.kinds.get(name)
    if kind is None:
        return _IN_FUNCTION
    return _HABITS[kind] if kind == habit(name) else f"{_GIVEN_UP[kind]}, so that {reading.aim}"


def _dimensions(e: Expr) -> dict[str, None]:
    return dict.fromkeys(name for d in e.shape for name in d.names())
