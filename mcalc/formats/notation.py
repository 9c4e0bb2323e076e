"""Notations: how formulas, labels, shapes and reasons are written in ASCII, Unicode and LaTeX.

Every format writes through one of these three objects; what differs between them is in this module.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, Protocol

from mcalc.algebra.expr import Expr, symbols
from mcalc.algebra.names import GREEK, latex_dimension, latex_name, unicode_name
from mcalc.algebra.printing import ascii_text, latex_text, unicode_text
from mcalc.algebra.sharing import Sharing, share

if TYPE_CHECKING:
    from mcalc.derivation import Derivation

NO_VARIABLES: Mapping[str, str] = MappingProxyType({})
_CLAIM = re.compile(r"(?P<above>vec(?:ht?)?)?(?P<kind>grad|jac|hess|hvp)(?P<below>(?:vec(?:ht?)?)*)_(?P<names>.+)")
_STACK = re.compile("vec(?:ht?)?")
_GREEK_WORD = re.compile(rf"\b({'|'.join(GREEK)})(?=[0-9_]|\b)")
_PRETTY = (("^-1", "⁻¹"), ("^-T", "⁻ᵀ"), ("^T", "ᵀ"), ("^2", "²"), ("!=", "≠"), (" - ", " − "), (".*", "∘"),
           ("./", "⊘"))  # fmt: skip
_SPECIAL = re.compile(r"([&%#$_{}])")
_MATH = re.compile(r"(\.?\^-?(?:T|[0-9]+)|[<>!]=|[<>])")
_SIGNS = {">=": r"\ge", "<=": r"\le", "!=": r"\ne", "<": "<", ">": ">"}
_MATH_WORDS = {"\\": r"\textbackslash{}", "^": r"\^{}", "~": r"\~{}"}


class _Claim(NamedTuple):
    """A label taken apart: the kind, how the function is stacked ("", "vec", "vech"), the variables, how they are."""

    kind: str
    above: str
    names: list[str]
    stacks: list[str]


def _read(left: str, variables: Collection[str]) -> _Claim | None:
    """What a label says; None of one that is no derivative's."""
    found = _CLAIM.fullmatch(left)
    if found is None:
        return None
    kind, above, stacks = found["kind"], found["above"] or "", _STACK.findall(found["below"])
    names = [found["names"]]
    if kind == "hess":
        parts = names[0].split("_")
        pairs = [("_".join(parts[:i]), "_".join(parts[i:]).lstrip("_")) for i in range(1, len(parts))]
        names = next((list(p) for p in pairs if set(p) <= set(variables)), names)
    elif above and not stacks:
        stacks = ["vec"]
    return _Claim(kind, above, names, stacks or [""] * len(names))


def _stacked(word: str, text: str) -> str:
    whole = f"{text}ᵀ" if word.endswith("t") else text
    return f"{word.rstrip('t')}({whole})" if word else text


def _stack(word: str, text: str) -> str:
    whole = rf"{text}^\top" if word.endswith("t") else text
    return rf"\operatorname{{{word.rstrip('t')}}} {whole}" if word else text


class Notation(Protocol):
    """What a format asks for."""

    def formula(self, e: Expr, names: Mapping[Expr, str] | None = None) -> str:
        """An expression."""

    def name(self, name: str) -> str:
        """A symbol's name."""

    def label(self, left: str, function: str, variables: Mapping[str, str] = NO_VARIABLES) -> str:
        """A left-hand side: "f", "df", "grad_X", …; the variables' names tell hess_x_y from hess_{x_y}.

        `variables` maps them to the directions of a Hessian-vector product.
        """

    def shape(self, shape: Sequence[str]) -> str:
        """A shape; a column vector is n × 1."""

    def phrase(self, text: str) -> str:
        """A reason or a condition, which comes as ASCII."""


class Ascii(NamedTuple):
    """The ASCII form of the language."""

    def formula(self, e: Expr, names: Mapping[Expr, str] | None = None) -> str:
        return ascii_text(e, names)

    def name(self, name: str) -> str:
        return name

    def label(self, left: str, function: str, variables: Mapping[str, str] = NO_VARIABLES) -> str:
        return left

    def shape(self, shape: Sequence[str]) -> str:
        return "scalar" if tuple(shape) == ("1", "1") else " x ".join(shape)

    def phrase(self, text: str) -> str:
        return text


class Unicode(NamedTuple):
    """Mathematical characters."""

    def formula(self, e: Expr, names: Mapping[Expr, str] | None = None) -> str:
        return unicode_text(e, names)

    def name(self, name: str) -> str:
        return unicode_name(name)

    def label(self, left: str, function: str, variables: Mapping[str, str] = NO_VARIABLES) -> str:
        claim = _read(left, variables)
        if claim is None:
            return f"d²{left[2:]}" if left.startswith("d2") else left
        names = [unicode_name(name) for name in claim.names]
        below = [_stacked(stack, x) for stack, x in zip(claim.stacks, names, strict=True)]
        match claim.kind:
            case "hess":
                return f"∂²{function}/∂{'∂'.join(below)}" + ("²" if len(below) == 1 else "")
            case "hvp":
                return f"H{names[0]}[{', '.join(map(unicode_name, variables.values()))}]"
        return f"∂{_stacked(claim.above, function)}/∂{below[0]}"

    def shape(self, shape: Sequence[str]) -> str:
        return "scalar" if tuple(shape) == ("1", "1") else " × ".join(shape)

    def phrase(self, text: str) -> str:
        for plain, pretty in _PRETTY:
            text = text.replace(plain, pretty)
        return _GREEK_WORD.sub(lambda m: GREEK[m[0]], text)


class Latex(NamedTuple):
    """LaTeX math; phrases are text mode. `names` are names of symbols other than their own."""

    names: Mapping[Expr, str] = MappingProxyType({})

    def formula(self, e: Expr, names: Mapping[Expr, str] | None = None) -> str:
        return latex_text(e, {**self.names, **(names or {})})

    def name(self, name: str) -> str:
        return latex_name(name)

    def label(self, left: str, function: str, variables: Mapping[str, str] = NO_VARIABLES) -> str:
        claim = _read(left, variables)
        if claim is None:
            return (
                rf"\mathrm{{d}}{left[1:]}"
                if left == f"d{function}"
                else rf"\mathrm{{d}}^2{left[2:]}"
                if left == f"d2{function}"
                else left
            )
        names = [latex_name(name) for name in claim.names]
        below = [_stack(stack, x) for stack, x in zip(claim.stacks, names, strict=True)]
        match claim.kind:
            case "hess" if len(below) == 1:
                base = rf"({below[0]})" if claim.stacks[0] else below[0]
                return rf"\frac{{\partial^2 {function}}}{{\partial {base}^2}}"
            case "hess":
                return rf"\frac{{\partial^2 {function}}}{{\partial {below[0]} \, \partial {below[1]}}}"
            case "hvp":
                return rf"H_{{{names[0]}}}[{', '.join(map(latex_name, variables.values()))}]"
        return rf"\frac{{\partial {_stack(claim.above, function)}}}{{\partial {below[0]}}}"

    def shape(self, shape: Sequence[str]) -> str:
        if tuple(shape) == ("1", "1"):
            return r"\text{scalar}"
        return r" \times ".join(latex_dimension(d).replace("+", " + ") for d in shape)

    def phrase(self, text: str) -> str:
        return "".join(_math(piece) if i % 2 else _escaped(piece) for i, piece in enumerate(_MATH.split(text)))


def _escaped(text: str) -> str:
    text = "".join(_MATH_WORDS.get(c, c) for c in _SPECIAL.sub(r"\\\1", text).replace("\\_", "\0"))
    return text.replace("\0", "\\_").replace(r"\textbackslash{}", "\\")


def _math(sign: str) -> str:
    """A sign or an exponent as math within text."""
    if sign in _SIGNS:
        return rf"\({_SIGNS[sign]}\)"
    mark = r"\odot " if sign.startswith(".") else ""
    exponent = sign.lstrip(".^").replace("T", r"\top")
    return rf"\(^{{{mark}{exponent}}}\)"


def layout_of(result: Derivation) -> str:
    """The layout of a Jacobian in words; of other kinds nothing, since their shape says it."""
    return f"{result.layout.partition(',')[0]} layout" if result.kind in ("jacobian", "vec-jacobian") else ""


def variables_of(results: Sequence[Derivation]) -> dict[str, str]:
    """The names of the variables of differentiation, and those of their directions in a Hessian-vector product."""
    from mcalc.kinds import direction

    first = results[0]
    variables = tuple(dict.fromkeys(x for a in first.derived.answers for x in a.variables))
    taken = [s.name for s in (*symbols(first.expression), *variables)]
    return {x.name: direction(x, taken, len(variables) == 1).name for x in variables}


def title(kind: str) -> str:
    """What a kind of derivative is called in a heading."""
    return {
        "jacobian": "Jacobian", "vec-jacobian": "Jacobian of vec", "hessian": "Hessian",
        "hvp": "Hessian-vector product", "critical-point": "critical point",
    }.get(kind, kind)  # fmt: skip


def sharing(results: Sequence[Derivation]) -> Sharing:
    """Names for what the lines of a derivation repeat."""
    first = results[0]
    lines = [first.expression]
    lines += [s.right for s in first.derived.steps]
    for result in results:
        lines += [s.right for s in result.answer.steps] + [result.result, *result.forms.values()]
    taken = {*first.parsed.symbols, *first.parsed.dimensions, *first.parsed.functions, first.name, "e", "pi"}
    return share(list(dict.fromkeys(lines)), taken, first.parsed.definitions, [r.result for r in results])
