"""Reading: the statements of a problem become typed claims.

All definitions are read together, so that what one leaves open another settles; then every side of every claim is
read behind the definitions before it. Nothing is evaluated before all lines are read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from mcalc.algebra.expr import Expr, postorder
from mcalc.algebra.names import GREEK, latex_name, parts
from mcalc.algebra.operators import symbol, zeros
from mcalc.algebra.shape import SCALAR, Shape, shape_text
from mcalc.check.source import Problem, Source, placed
from mcalc.check.statements import Declaration, Equation, Left, statements
from mcalc.errors import McalcError, NameProblem, ParseError, ShapeError, UsageError
from mcalc.frontend import Parsed, parse
from mcalc.frontend.declarations import Declared, declarations
from mcalc.frontend.words import key

_MENTIONED = re.compile(r"\b(?:grad|jac|hess)_\{?(\w+)|\bd\s?([A-Za-z]+[0-9]*(?:_\w+)?)\b")


@dataclass(frozen=True, slots=True)
class Claim:
    """One equality. `kind` is "definition", "equality", "grad", "jac", "hess" or "second".

    Of a definition `left` is the expression; of an equality what the left-hand side stands for; of a derivative the
    function, `variable` being what it is differentiated by (a symbol, or the expression of a definition). Of the
    second and later parts of a chain, `chained` is true.
    """

    line: int
    kind: str
    left_text: str
    right_text: str
    left: Expr
    right: Expr
    variable: Expr | None = None
    chained: bool = False

    @property
    def shape(self) -> Shape:
        """The shape that the right-hand side must have."""
        if self.kind == "grad":
            assert self.variable is not None
            return self.variable.shape
        if self.kind in ("jac", "hess"):
            assert self.variable is not None
            columns = self.variable.shape[0] * self.variable.shape[1]
            return (columns if self.kind == "hess" else self.left.shape[0] * self.left.shape[1]), columns
        return self.left.shape


@dataclass(frozen=True, slots=True)
class Proof:
    """A derivation that was read: its claims in order, the variables that move, names of the definitions."""

    title: str
    claims: tuple[Claim, ...]
    moving: tuple[Expr, ...]
    names: dict[Expr, str]
    symbols: dict[str, Expr]
    notes: tuple[str, ...] = ()
    inferred: tuple[str, ...] = ()

    @property
    def latex_names(self) -> dict[Expr, str]:
        """The names of the definitions as LaTeX."""
        return {e: latex_name(name) for e, name in self.names.items()}


def read(problem: Problem, file: str, name: str = "") -> Proof:
    """The proof. Raises McalcError with its place in the file."""
    return _Reader(problem, file, name).read()


@dataclass(slots=True)
class _Definition:
    name: str
    source: Source
    """`name = expression`."""


@dataclass(slots=True)
class _Reader:
    problem: Problem
    file: str
    name: str
    wheres: list[str] = field(default_factory=list)
    declared: Declared = field(default_factory=Declared)
    definitions: list[_Definition] = field(default_factory=list)
    values: dict[str, Expr] = field(default_factory=dict)
    """Definitions so far, by name."""
    symbols: dict[str, Expr] = field(default_factory=dict)
    notes: dict[str, None] = field(default_factory=dict)
    inferred: list[str] = field(default_factory=list)

    def read(self) -> Proof:
        try:
            found = statements(self.problem.sources)
        except McalcError as error:
            source = next((s for s in self.problem.sources if error.text is not None and error.text in s.text), None)
            raise placed(error, source or self.problem.sources[0], self.file, self.name) from None
        if not found:
            raise ParseError("there is no proof in the text", hint="one equation a line: f = x^T x, df = 2 x^T dx")
        for statement in found:
            if isinstance(statement, Declaration):
                self._declare(statement.source)
        equations = [s for s in found if isinstance(s, Equation)]
        defining = self._find_definitions(equations)
        self._read_together([e for e, defines in zip(equations, defining, strict=True) if defines], equations)
        claims: list[Claim] = []
        for equation, defines in zip(equations, defining, strict=True):
            claims.extend(self._claims(equation, defines))
        moving = [
            node.args[0]
            for claim in claims
            for node in postorder(claim.left, claim.right)
            if node.op == "d" and node.args[0].op == "sym"
        ]
        moving += [c.variable for c in claims if c.variable is not None and c.variable.op == "sym"]
        names = {value: name for name, value in self.values.items() if value.args and value.length > 1}
        return Proof(
            self.problem.title, tuple(claims), tuple(dict.fromkeys(moving)), names, dict(self.symbols),
            tuple(self.notes), tuple(self.inferred),
        )  # fmt: skip

    # --- names

    def _declare(self, source: Source) -> None:
        try:
            together = declarations([*self.wheres, source.text])
        except McalcError as error:
            raise placed(error, source, self.file, self.name) from None
        self.wheres.append(source.text)
        self.declared = together

    def _find_definitions(self, equations: list[Equation]) -> list[bool]:
        """Which equations are definitions: those that give a name a value for the first time."""
        known = set(self.declared.shapes)
        found = []
        for equation in equations:
            left = equation.left
            name = left.function
            rest = name[1:]
            differential = name[:1] == "d" and bool(rest) and (rest in known or _is_one_name(rest))
            defines = left.kind == "name" and name not in known and not differential
            if defines:
                known.add(name)
            found.append(defines)
        return found

    def _read_together(self, defining: list[Equation], equations: list[Equation]) -> None:
        """The shapes of undeclared names, from all definitions together."""
        if not defining:
            return
        text: Source | None = None
        for equation in defining:
            source = _definition(equation).source
            text = source if text is None else text.glue("; ") + source
        assert text is not None
        whole = text.glue(f"; {defining[-1].left.function}")
        parsed = self._parse(whole)
        undeclared = {name for name, info in parsed.symbols.items() if info.inferred}
        if undeclared:
            mentioned = {
                m[1] or m[2]
                for e in equations
                for part in (e.left.source, *e.rights)
                for m in _MENTIONED.finditer(part.text)
            } | {e.left.variable for e in equations}
            wanted = [name for name in parsed.symbols if name in mentioned]
            if wanted:
                parsed = self._parse(whole, wanted)
        self._adopt(parsed)

    def _adopt(self, parsed: Parsed) -> None:
        """Takes the symbols of a text; what was inferred counts as declared from now on."""
        for name, info in parsed.symbols.items():
            if name not in self.symbols:
                if self.definitions and info.inferred:
                    self.notes[f"{name} is neither declared nor defined, so it stands for any value"] = None
                self.symbols[name] = info.expr
                if info.inferred and key(name) not in self.declared.shapes:
                    self.wheres.append(f"{name}: {shape_text(info.expr.shape)}")
                    self.declared.shapes[key(name)] = info.expr.shape
                    self.inferred.append(f"{name}: {shape_text(info.expr.shape)}")
        self.notes.update(dict.fromkeys(parsed.notes))

    def _parse(self, source: Source, wrt: Sequence[str] = (), shape: Shape | None = None) -> Parsed:
        try:
            return parse(source.text, where=self.wheres, wrt=wrt, shape=shape, differentials=True)
        except McalcError as error:
            raise placed(error, source, self.file, self.name) from None

    # --- claims

    def _expression(self, source: Source, shape: Shape | None) -> Expr:
        """An expression behind the definitions so far, of a shape if it can have it."""
        text = source
        for definition in reversed(self.definitions):
            text = definition.source.glue("; ") + text
        parsed = self._parse(text)
        if shape is not None and shape != parsed.expression.shape and self._open(parsed):
            with suppress(McalcError):  # where the shape is another: a claim to refute
                parsed = self._parse(text, shape=shape)
        self._adopt(parsed)
        e = parsed.expression
        if shape is not None and shape != SCALAR and e.op == "num" and e.attrs[0] == 0:
            return zeros(*shape)
        return e

    def _open(self, parsed: Parsed) -> bool:
        """Whether a size was chosen that nothing before has named: that of an `I`, or of an undeclared name."""
        known = {n for s in self.symbols.values() for d in s.shape for n in d.names()} | set(self.declared.dimensions)
        return any(name not in known for node in postorder(parsed.expression) for d in node.shape for name in d.names())

    def _claims(self, equation: Equation, defines: bool) -> list[Claim]:
        left, rights = equation.left, equation.rights
        found: list[Claim] = []
        if defines:
            value = self._expression(rights[0], None)
            definition = _definition(equation)
            self.definitions.append(definition)
            self.values[definition.name] = value
            found.append(self._claim("definition", left, rights[0], value, value))
            rights = rights[1:]
            kind, target, variable = "equality", value, None
        else:
            kind, target, variable = self._target(left)
        for right in rights:
            probe = Claim(0, kind, "", "", target, target, variable)
            value = self._expression(right, probe.shape)
            found.append(self._claim(kind, left, right, target, value, variable, bool(found)))
        return found

    def _claim(
        self, kind: str, left: Left, right: Source, target: Expr, value: Expr, variable: Expr | None = None,
        chained: bool = False,
    ) -> Claim:  # fmt: skip
        at = right.places[0] if right.places else 0
        return Claim(
            self.file.count("\n", 0, at) + 1, kind, self._text(left.source), self._text(right), target, value,
            variable, chained,
        )  # fmt: skip

    def _text(self, source: Source) -> str:
        """A piece as the file has it, on one line."""
        span = source.span()
        original = self.file[span.start : span.end]
        return " ".join((original if "\n" not in original else source.text).split())

    def _target(self, left: Left) -> tuple[str, Expr, Expr | None]:
        """What a left-hand side claims: the kind, the expression or function, the variable."""
        if left.kind == "expression" or left.kind == "name":
            self._check_differential(left)
            return "equality", self._expression(left.source, None), None
        function = self._function(left)
        if left.kind == "second":
            return "second", function, None
        variable = self._variable(left)
        kind = left.kind
        if kind == "partial":
            kind = "grad" if function.is_scalar else "jac"
        if kind in ("grad", "hess") and not function.is_scalar:
            error = ShapeError(
                f"{kind}_{left.variable} is that of a scalar, and the function is {shape_text(function.shape)}",
                hint=f"the derivative of a vector is its Jacobian: jac_{left.variable}",
            )
            raise placed(error, left.source, self.file, self.name)
        return kind, function, variable

    def _check_differential(self, left: Left) -> None:
        name = left.function
        rest = name[1:]
        if name[:1] != "d" or not rest or not self.values:
            return
        if rest not in self.values and rest not in self.declared.shapes and name not in self.declared.shapes:
            known = ", ".join(self.values)
            error = NameProblem(f"{rest} is not defined, so d{rest} has no meaning", hint=f"defined so far: {known}")
            raise placed(error, left.source, self.file, self.name)

    def _function(self, left: Left) -> Expr:
        if left.function:
            for spelled in (left.function, _other_spelling(left.function)):
                for name, value in self.values.items():
                    if key(name) == spelled:
                        return value
            error: McalcError = NameProblem(f"{left.function} is not defined before this line")
            raise placed(error, left.source, self.file, self.name)
        if not self.values:
            error = UsageError("a derivative is that of the last definition, and nothing is defined before this line")
            raise placed(error, left.source, self.file, self.name)
        functions = {n: e for n, e in self.values.items() if all(node.op != "d" for node in postorder(e))}
        last = next(reversed((functions or self.values).values()))
        if left.kind in ("grad", "hess") and not last.is_scalar:
            scalars = [(name, value) for name, value in functions.items() if value.is_scalar]
            if len(scalars) > 1:
                self.notes[f"{left.source.text} is read as that of {scalars[-1][0]}, the last scalar defined"] = None
            if scalars:
                return scalars[-1][1]
        return last

    def _variable(self, left: Left) -> Expr:
        name = left.variable
        if not name:
            mentioned = {m[2] for s in self.problem.sources for m in _MENTIONED.finditer(s.text) if m[2]}
            found = [s for n, s in self.symbols.items() if n in mentioned and n not in self.values]
            found = found or list(self.symbols.values())
            if len(found) == 1:
                return found[0]
            raise placed(UsageError("by which variable?", hint="grad_x"), left.source, self.file, self.name)
        for spelled in (name, _other_spelling(name)):
            for known, value in [*self.symbols.items(), *self.values.items()]:
                if key(known) == spelled:
                    return value
        if name in self.declared.shapes:
            made = symbol(
                self.declared.spelling.get(name, name), self.declared.shapes[name],
                self.declared.properties.get(name, frozenset()),
            )  # fmt: skip
            self.symbols[name] = made
            return made
        known_names = ", ".join(self.symbols) or "none"
        error = NameProblem(f"there is no variable {name}", hint=f"the variables are {known_names}")
        raise placed(error, left.source, self.file, self.name)


def _definition(equation: Equation) -> _Definition:
    name = equation.left.function
    named = equation.left.source.replace(re.compile(r"(?s)^.*$"), lambda m: name)
    return _Definition(name, named.glue(" = ") + equation.rights[0])


def _other_spelling(name: str) -> str:
    """W1 for W_1 and W_1 for W1."""
    word, digits, below = parts(name)
    if below.isdigit() and not digits:
        return word + below
    return f"{word}_{digits}" if digits and not below else name


def _is_one_name(text: str) -> bool:
    word = parts(text)[0]
    return (len(word) == 1 and word.isalpha()) or word in GREEK
