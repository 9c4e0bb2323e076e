"""The public result of a derivation, and `derive`, which makes it.

    text ─ frontend ─▶ typed expression ─ pipeline ─▶ lines and answers ─ verify.proof ─▶ Derivation

A `Derivation` is one derivative; `Derivations` are those of one expression by several variables, which share lines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, overload

from mcalc.algebra.expr import Expr
from mcalc.algebra.expr import symbols as symbols_of
from mcalc.algebra.structure import PROPERTIES
from mcalc.dispatch import check_order, default_kind, differentiate
from mcalc.errors import McalcError, Span, UsageError
from mcalc.rewrite.derivation import NUMERATOR, Answer, Derived, Step

if TYPE_CHECKING:
    from mcalc.frontend import Parsed
    from mcalc.verify.proof import Verification

DETAILS = ("brief", "full", "none")
LAYOUTS = ("numerator", "denominator")


@dataclass(frozen=True, slots=True)
class Symbol:
    """A symbol as it was read: its shape (dimension names), its properties, and whether the shape was inferred."""

    shape: tuple[str, str]
    properties: tuple[str, ...]
    inferred: bool
    reason: str


@dataclass(frozen=True)
class Derivation:
    """A derivative in closed form, with its lines.

    Made by `derive`. `verification` is None where it was not asked for.
    """

    parsed: Parsed = field(repr=False)
    derived: Derived = field(repr=False)
    answer: Answer
    verification: Verification | None

    @property
    def expression(self) -> Expr:
        """What was differentiated, definitions put in."""
        return self.parsed.expression

    @property
    def variables(self) -> tuple[Expr, ...]:
        """The variables of differentiation (two for a mixed second derivative)."""
        return self.answer.variables

    @property
    def variable(self) -> Expr:
        """The (first) variable of differentiation."""
        return self.answer.variables[0]

    @property
    def kind(self) -> str:
        """What kind of derivative this is: "gradient", "jacobian", …"""
        return self.answer.kind

    @property
    def name(self) -> str:
        """The name of what is differentiated: "f", or another letter where f is in use."""
        return self.derived.name

    @property
    def label(self) -> str:
        """The name of the answer in the lines: "grad_X", …"""
        return self.answer.label

    @property
    def result(self) -> Expr:
        """The derivative. `str()` of it is ASCII and parses back."""
        return self.answer.result

    @property
    def steps(self) -> tuple[Step, ...]:
        """All lines, those shared with other answers first."""
        return (*self.derived.steps, *self.answer.steps)

    @property
    def conditions(self) -> tuple[str, ...]:
        """Under which conditions the answer holds, as ASCII phrases."""
        return self.answer.conditions

    @property
    def forms(self) -> dict[str, Expr]:
        """For a structured variable, the forms in use by name: "unconstrained", "projected", "independent entries"."""
        return dict(self.answer.forms)

    @property
    def shape(self) -> tuple[str, str]:
        """Rows and columns of the result, as dimension names."""
        rows, columns = self.result.shape
        return str(rows), str(columns)

    @property
    def layout(self) -> str:
        """How the entries are arranged, in words."""
        return _layout(self.answer, self.name)

    @property
    def symbols(self) -> dict[str, Symbol]:
        """The symbols by name, in reading order."""
        return _symbols(self.parsed, self.result)

    @property
    def definitions(self) -> dict[str, Expr]:
        """The user's definitions by name."""
        return dict(self.parsed.definitions)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was noticed while the text was read."""
        return self.parsed.notes

    @property
    def results(self) -> tuple[Derivation, ...]:
        """This derivation alone (`Derivations` has several)."""
        return (self,)

    def text(self, unicode: bool = True, width: int = 100) -> str:
        """The derivation as a person reads it in a terminal."""
        from mcalc.formats.text import render

        return render(self.results, unicode=unicode, width=width)

    def latex(self) -> str:
        """The derivation as a LaTeX `align*` environment (package amsmath)."""
        from mcalc.formats.latex import render

        return render(self.results)

    def markdown(self) -> str:
        """The derivation as Markdown with LaTeX formulas."""
        from mcalc.formats.markdown import render

        return render(self.results)

    def json(self) -> dict[str, Any]:
        """The derivation as the object that `mcalc derive --format json` prints."""
        from mcalc.formats.json import result

        return result(self)

    to_dict = json

    def python(self) -> str:
        """A NumPy module with `value_and_grad`."""
        from mcalc.formats.python import module

        return module(self.results)

    def compile(self) -> Callable[..., Any]:
        """The NumPy function `value_and_grad` of the symbols, in reading order."""
        from mcalc.formats.python import function

        return function(self.results)

    def verify(self, seed: int = 0) -> Verification:
        """Proves every line and measures the answer, again. Raises `VerificationError` where that fails."""
        from mcalc.verify.proof import verify

        return verify(self.derived, seed)

    def replay(self) -> int:
        """Proves every line and every rewrite once more, with a fresh prover; the number of lines proved exactly.

        Raises `VerificationError` where one is false, `McalcError` where one cites a rule that does not exist.
        """
        from mcalc.verify.proof import prove

        return prove(self.derived)[1]

    def __str__(self) -> str:
        return self.text()

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/plain": self.text(), "text/latex": self.latex()}


class Derivations(Sequence[Derivation]):
    """The derivatives of one expression by several variables: a sequence of `Derivation`."""

    def __init__(self, results: Sequence[Derivation]) -> None:
        self.results = tuple(results)

    @overload
    def __getitem__(self, index: int) -> Derivation: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Derivation, ...]: ...
    def __getitem__(self, index: int | slice) -> Derivation | tuple[Derivation, ...]:
        return self.results[index]

    def __len__(self) -> int:
        return len(self.results)

    def __iter__(self) -> Iterator[Derivation]:
        return iter(self.results)

    @property
    def expression(self) -> Expr:
        """What was differentiated."""
        return self.results[0].expression

    @property
    def verification(self) -> Verification | None:
        """How the answers were verified, all together."""
        return self.results[0].verification

    @property
    def notes(self) -> tuple[str, ...]:
        """What was noticed while the text was read."""
        return self.results[0].notes

    def text(self, unicode: bool = True, width: int = 100) -> str:
        """As `Derivation.text`, the shared lines once."""
        from mcalc.formats.text import render

        return render(self.results, unicode=unicode, width=width)

    def latex(self) -> str:
        """As `Derivation.latex`."""
        from mcalc.formats.latex import render

        return render(self.results)

    def markdown(self) -> str:
        """As `Derivation.markdown`."""
        from mcalc.formats.markdown import render

        return render(self.results)

    def json(self) -> dict[str, Any]:
        """An object whose `results` are those of `Derivation.json`."""
        from mcalc.formats.json import results

        return results(self.results)

    to_dict = json

    def python(self) -> str:
        """A NumPy module with one `value_and_grad` for all."""
        from mcalc.formats.python import module

        return module(self.results)

    def compile(self) -> Callable[..., Any]:
        """One NumPy function for the value and all gradients."""
        from mcalc.formats.python import function

        return function(self.results)

    def verify(self, seed: int = 0) -> Verification:
        """As `Derivation.verify`, for all answers."""
        return self.results[0].verify(seed)

    def replay(self) -> int:
        """As `Derivation.replay`, for all answers."""
        return self.results[0].replay()

    def __repr__(self) -> str:
        return f"Derivations({', '.join(r.label for r in self.results)})"

    def __str__(self) -> str:
        return self.text()

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/plain": self.text(), "text/latex": self.latex()}


def derive(
    expression: str,
    wrt: str | Sequence[str],
    where: str | Sequence[str] = (),
    *,
    kind: str | None = None,
    define: Sequence[str] = (),
    steps: str = "brief",
    layout: str = "numerator",
    vech: bool = False,
    verify: bool = True,
) -> Derivation | Derivations:
    """The derivative of an expression in closed form, proved and checked.

    `expression` is a text of the language; `wrt` the variable, or several (then the result is `Derivations`); `where`
    declares shapes and properties (`"X: n x m; S: n x n spd"`); `kind` is "gradient", "jacobian", … (None: what fits
    the expression); `define` holds elementwise functions (`"swish(x) = x sigmoid(x)"`); `steps` is "brief", "full" or
    "none"; with `vech`, the Jacobian of vec and the Hessian are those by the independent entries of a matrix that is
    declared symmetric, spd, psd, lower or upper.

    Raises `McalcError`: `ParseError`, `NameProblem`, `ShapeError`, `AmbiguityError` where the text cannot be read,
    `NotSupported` where there is no closed form, `VerificationError` where an answer does not pass its check.
    """
    from mcalc.frontend import parse
    from mcalc.frontend.variables import named

    for value, allowed, what in ((steps, DETAILS, "steps"), (layout, LAYOUTS, "layout")):
        if value not in allowed:
            raise UsageError(f"{what} is one of {', '.join(allowed)}, not {value!r}")
    try:
        check_order(named(wrt), kind)
        parsed = parse(expression, where=where, wrt=wrt, define=define)
        if not parsed.wrt:
            raise UsageError("no variable of differentiation was given", hint="wrt='X', or --wrt X")
        derived = differentiate(parsed, kind or default_kind(parsed.expression, parsed.wrt, vech), steps, layout, vech)
        verification = None
        if verify:
            from mcalc.verify.proof import verify as gate

            verification = gate(derived)
    except McalcError as error:
        raise error.at(Span(0, len(expression)), expression) from None
    results = [Derivation(parsed, derived, answer, verification) for answer in derived.answers]
    return results[0] if len(results) == 1 else Derivations(results)


def _layout(answer: Answer, name: str) -> str:
    x, label, kind = answer.variables[0], answer.label, answer.kind
    side = "numerator"
    if NUMERATOR in answer.forms:
        side, label = "denominator", f"{label}^T"
    match kind:
        case "gradient":
            pairing = f"{label} d{x.name}" if x.is_scalar else f"tr({label}^T d{x.name})"
            return f"the shape of {x.name}, d{name} = {pairing}"
        case "jacobian":
            return f"{side}, d{name} = {label} d{x.name}"
        case "vec-jacobian":
            above = "vech" if answer.label.startswith("vech") else "vec"
            return f"{side}, {above}(d{name}) = {label} {_stack(f'd{x.name}', x, answer)}"
        case "hessian":
            first, second = (_stack(z.name, z, answer) for z in (x, answer.variables[-1]))
            return f"second derivative by {first} and {second}"
        case "critical-point":
            return f"the shape of {x.name}, where grad_{x.name} = 0"
        case "hvp":
            return f"the shape of {x.name}, d(grad_{x.name}) in the direction given"
    return f"the shape of {name}"


def _stack(text: str, x: Expr, answer: Answer) -> str:
    """vec or vech of a variable or its differential; of an upper triangular one, of its transpose."""
    from mcalc.calculus.vech import stack_word

    word = stack_word(x, answer.vech)
    return f"{word.rstrip('t')}({text}{'^T' if word.endswith('t') else ''})"


def _symbols(parsed: Parsed, result: Expr) -> dict[str, Symbol]:
    """Those of the text; and the directions that an answer speaks of."""
    found: dict[str, Symbol] = {}
    for name, info in parsed.symbols.items():
        found[name] = _symbol(info.expr, info.inferred, info.reason)
    for node in symbols_of(result):
        if node.name not in found:
            found[node.name] = _symbol(node, True, "the direction")
    return found


def _symbol(node: Expr, inferred: bool, reason: str) -> Symbol:
    rows, columns = node.shape
    return Symbol((str(rows), str(columns)), tuple(p for p in PROPERTIES if p in node.attrs[1]), inferred, reason)


__all__ = ["Derivation", "Derivations", "Symbol", "default_kind", "derive"]
