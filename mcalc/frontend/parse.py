"""Parsing: text to a typed expression.

text ─ characters, tokens, grammar ─▶ syntax tree ─ names ─▶ program ─ shapes ─▶ reading ─ elaborate ─▶ expression
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from mcalc.algebra import operators as o
from mcalc.algebra.expr import Expr
from mcalc.algebra.names import GREEK, parts
from mcalc.algebra.shape import SCALAR, Shape, dim
from mcalc.errors import McalcError, NameProblem, ParseError, Span, UsageError
from mcalc.frontend.calls import FUNCTION_WORDS
from mcalc.frontend.characters import normalise
from mcalc.frontend.checking import Question, check
from mcalc.frontend.declarations import declarations
from mcalc.frontend.dimensions import NAMES, Misfit
from mcalc.frontend.elaborate import elaborate
from mcalc.frontend.inline import ALLOWED, Function
from mcalc.frontend.parser import tree
from mcalc.frontend.problems import explain
from mcalc.frontend.program import Program, Resolver
from mcalc.frontend.readings import COLUMN_KIND, MATRIX_KIND, SCALAR_KIND, Reading, habit, read
from mcalc.frontend.words import Scope, key, runs_note, spell, suggest


@dataclass(frozen=True)
class SymbolInfo:
    """A symbol of a text: the node, whether its shape was inferred, and why it has it."""

    expr: Expr
    inferred: bool
    reason: str


@dataclass(frozen=True)
class Parsed:
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
    functions: dict[str, Function] = field(default_factory=dict)


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
        if shape is not None:
            for d in shape:
                self.declared.dimensions.update(dict.fromkeys(d.names()))
        self.wanted = _wanted(wrt)
        self.functions: dict[str, Function] = {}
        self.function_symbols: dict[str, Expr] = {}
        for definition in define:
            self._define(definition)
        self.scope = self._scope(frozenset(key(name) for name in self.wanted), differentials)

    def _scope(self, wanted: frozenset[str], differentials: bool) -> Scope:
        return Scope(
            symbols=frozenset(self.declared.shapes),
            dimensions=frozenset(self.declared.dimensions),
            functions=frozenset(self.functions),
            wanted=wanted,
            differentials=differentials,
            spelling=dict(self.declared.spelling),
        )

    # --- functions of the user

    def _define(self, text: str) -> None:
        scope = self._scope(frozenset(), False)
        name, parameter, body = tree(text, "function", scope)
        span = Span(name.start_pos, name.end_pos)
        whole, inner = key(spell(str(name))), key(spell(str(parameter)))
        if (whole in FUNCTION_WORDS and len(whole) > 1) or whole in self.functions or whole in self.declared.shapes:
            raise NameProblem(f"{name} has a meaning already", span, text=text, hint="choose another name")
        if (inner in FUNCTION_WORDS and len(inner) > 1) or inner == whole:
            raise NameProblem(
                f"{parameter} cannot be a parameter", Span(parameter.start_pos, parameter.end_pos), text=text
            )
        try:
            program = Resolver(scope, self.declared.dimensions, self.functions).resolve([], body)
            self.functions[whole] = self._function(whole, inner, program, text)
        except McalcError as error:
            raise error.at(None, text) from None

    def _function(self, name: str, parameter: str, program: Program, text: str) -> Function:
        for step in program.steps:
            elementwise = step.kind in _ELEMENTWISE_STEPS or (step.kind == "call" and step.value[0] in ALLOWED)
            if not elementwise:
                raise ParseError(
                    f"the body of {name} is taken entry by entry: only elementwise functions and + - * / ^ stand in it",
                    step.node.span,
                )
        symbols = {parameter: o.symbol(parameter)}
        for symbol, span in program.symbols.items():
            whole = key(symbol)
            if whole == name:
                raise NameProblem(f"{name} is defined by itself", span)
            if self.declared.shapes.get(whole, SCALAR) != SCALAR and whole != parameter:
                raise NameProblem(f"{symbol} is no scalar, and in {name} every name is one", span)
            if whole != parameter:
                node = o.symbol(symbol, SCALAR, self.declared.properties.get(whole, frozenset()))
                symbols[symbol] = self.function_symbols[symbol] = node
        question = Question(program, dict.fromkeys(program.symbols, SCALAR), SCALAR)
        try:
            checked = check(question, {})
        except Misfit as misfit:
            raise explain(misfit, program, text) from None
        values = elaborate(program, checked, symbols, self.functions)
        return Function(name, symbols[parameter], values[program.root])

    # --- the text

    def read(self) -> Parsed:
        definitions, expression = tree(self.text, "text", self.scope)
        try:
            program = Resolver(self.scope, self.declared.dimensions, self.functions).resolve(definitions, expression)
            self._check_names(program)
            return self._read(program)
        except McalcError as error:
            whole = Span(expression.start, expression.end) if error.text is None else None
            raise runs_note(error, self.scope).at(whole, self.text) from None

    def _check_names(self, program: Program) -> None:
        for name, span in program.symbols.items():
            if name in program.dimensions:
                raise NameProblem(
                    f"{name} is a symbol and a dimension", span, hint="rename one of them, or declare both"
                )

    def _read(self, program: Program) -> Parsed:
        absent = self._absent(program)
        shapes = {n: self.declared.shapes[key(n)] for n in program.symbols if key(n) in self.declared.shapes}
        for name in program.symbols:
            if name in self.function_symbols and name not in shapes:
                shapes[name] = SCALAR
        question = Question(program, shapes, self.shape)
        try:
            reading = read(question, frozenset(self.wanted))
        except Misfit as misfit:
            raise explain(misfit, program, self.text) from None
        dims = reading.checked.dimensions
        order = [t[:2] for t in reading.checked.symbols.values()]
        order += [t[:2] for t, s in zip(reading.checked.types, program.steps, strict=True) if s.kind in _UNSIZED_KINDS]
        taken = {*program.symbols, *program.dimensions, *self.wanted, *self.declared.spelling.values()}
        dims.name_unknowns(order, taken)
        symbols = self._symbols(program, reading)
        taken.update(n for info in symbols.values() for d in info.expr.shape for n in d.names())
        nodes = {name: info.expr for name, info in symbols.items()}
        values = elaborate(program, reading.checked, nodes, self.functions)
        for name in absent:
            symbols[name] = self._absent_symbol(name, taken)
        for name, node in self.function_symbols.items():
            symbols.setdefault(
                name,
                SymbolInfo(
                    node, key(name) not in self.declared.shapes, "a scalar, since a function of the user holds it"
                ),
            )
        used = dict.fromkeys(program.dimensions)
        for info in symbols.values():
            used.update(dict.fromkeys(n for d in info.expr.shape for n in d.names()))
        return Parsed(
            self.text,
            values[program.root],
            tuple(symbols[name].expr for name in self.wanted),
            symbols,
            {name: values[place] for name, place in program.definitions.items()},
            (*self.scope.notes, *dict.fromkeys(program.notes)),
            tuple(used),
            self.functions,
        )

    def _symbols(self, program: Program, reading: Reading) -> dict[str, SymbolInfo]:
        dims = reading.checked.dimensions
        symbols: dict[str, SymbolInfo] = {}
        for name, t in reading.checked.symbols.items():
            properties = self.declared.properties.get(key(name), frozenset())
            node = o.symbol(name, (dims.value(t.rows), dims.value(t.columns)), properties)
            declared = key(name) in self.declared.shapes
            reason = "declared" if declared else _reason(name, reading)
            symbols[name] = SymbolInfo(node, not declared, reason)
        return symbols

    # --- the variables of differentiation

    def _absent(self, program: Program) -> list[str]:
        """The variables that do not occur; one that is unknown as well is an error."""
        absent = []
        known = [*program.symbols, *self.declared.spelling.values()]
        resolved = {key(name): name for name in known}
        for i, name in enumerate(self.wanted):
            whole = key(name)
            spelled = resolved.get(whole)
            if spelled is not None:
                self.wanted[i] = spelled
                if spelled not in program.symbols:
                    absent.append(spelled)
                continue
            self._refuse(name, program, known)
            self.scope.notes.append(f"{name} does not occur in the expression")
            absent.append(name)
        return absent

    def _refuse(self, name: str, program: Program, known: list[str]) -> None:
        if name in program.definitions:
            raise NameProblem(f"{name} is defined, so it is no variable of differentiation", text=name)
        if name in program.dimensions:
            raise NameProblem(f"{name} is a dimension, so it is no variable of differentiation", text=name)
        word = parts(name)[0]
        related = [k for k in known if parts(k)[0].casefold() == word.casefold()]
        if len(word) == 1 or word in GREEK:
            if not related:
                return
            raise NameProblem(f"there is no {name} in the expression", text=name, hint=f"did you mean {related[0]}?")
        hint = suggest(name, known) or f"the expression has {', '.join(known[:12])}"
        raise NameProblem(f"there is no {name} in the expression", text=name, hint=hint)

    def _absent_symbol(self, name: str, taken: set[str]) -> SymbolInfo:
        whole = key(name)
        if whole in self.declared.shapes:
            node = o.symbol(name, self.declared.shapes[whole], self.declared.properties[whole])
            return SymbolInfo(node, False, "declared")
        if habit(name) != MATRIX_KIND:
            return SymbolInfo(o.symbol(name), True, "a scalar: nothing in the expression gives it a size")
        free = [n for n in NAMES if n not in taken][:2]
        return SymbolInfo(o.symbol(name, (dim(free[0]), dim(free[1]))), True, "a capital is a matrix")


_ELEMENTWISE_STEPS = frozenset(
    ["number", "dimension", "constant", "symbol", "sum", "product", "negative", "power", "elementwise_power",
     "exponential", "compare", "applied", "same", "bars"]
)  # fmt: skip
_UNSIZED_KINDS = frozenset(["unsized", "call"])


def _wanted(wrt: str | Sequence[str]) -> list[str]:
    """The names in `wrt`, each once."""
    names: dict[str, None] = {}
    for text in [wrt] if isinstance(wrt, str) else wrt:
        for part in text.replace(";", ",").split(","):
            if part.strip():
                names.setdefault(_name(part.strip()))
    return list(names)


def _name(text: str) -> str:
    name = spell(normalise(text).removeprefix("\\"))
    word, digits, below = parts(name)
    if not (word + digits).isalnum() or (below and not below.isalnum()) or not word.isalpha():
        raise UsageError(f"{text} is not a name", text=text)
    return name


_HABIT_REASONS = {
    MATRIX_KIND: "a capital is a matrix",
    COLUMN_KIND: "a lower-case Latin letter is a column vector",
    SCALAR_KIND: "a lower-case Greek letter is a scalar",
}
_GIVEN_UP = {MATRIX_KIND: "a matrix", COLUMN_KIND: "a column vector", SCALAR_KIND: "a scalar"}


def _reason(name: str, reading: Reading) -> str:
    kind = reading.kinds.get(name)
    if kind is None:
        return "a scalar, since a function of the user holds it"
    if kind == habit(name):
        return _HABIT_REASONS[kind]
    return f"{_GIVEN_UP[kind]}, so that {reading.aim}"
