"""Notations: how formulas, labels, shapes and reasons are written in ASCII, Unicode and LaTeX.

Every format writes through one of these three objects; what differs between them is in this module.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from mcalc.algebra.expr import Expr
from mcalc.algebra.names import GREEK, latex_name, parts, unicode_name
from mcalc.algebra.printing import ascii_text, latex_text, unicode_text
from mcalc.algebra.sharing import Sharing, share

if TYPE_CHECKING:
    from mcalc.derivation import Derivation

_CLAIM = re.compile(r"(grad|jac|vecjac|hess|hvp)_(.+)")
_GREEK_WORD = re.compile(rf"\b({'|'.join(GREEK)})(?=[0-9_]|\b)")
_PRETTY = (("^-1", "⁻¹"), ("^-T", "⁻ᵀ"), ("^T", "ᵀ"), ("^2", "²"), ("!=", "≠"), (" - ", " − "), (".*", "∘"),
           ("./", "⊘"))  # fmt: skip
_SPECIAL = re.compile(r"([&%#$_{}])")
_MATH_WORDS = {"\\": r"\textbackslash{}", "^": r"\^{}", "~": r"\~{}"}


class Notation(Protocol):
    """What a format asks for."""

    def formula(self, e: Expr, names: Mapping[Expr, str] | None = None) -> str:
        """An expression."""

    def name(self, name: str) -> str:
        """A symbol's name."""

    def label(self, left: str, function: str) -> str:
        """A left-hand side: "f", "df", "grad_X", …"""

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

    def label(self, left: str, function: str) -> str:
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

    def label(self, left: str, function: str) -> str:
        claim = _CLAIM.fullmatch(left)
        if claim is None:
            return f"d²{left[2:]}" if left.startswith("d2") else left
        x = unicode_name(claim[2])
        match claim[1]:
            case "hess" if "_" in claim[2]:
                return "∂²{}/∂{}∂{}".format(function, *map(unicode_name, claim[2].split("_", 1)))
            case "hess":
                return f"∂²{function}/∂{x}²"
            case "vecjac":
                return f"∂vec({function})/∂vec({x})"
            case "hvp":
                return f"H{x}[V]"
        return f"∂{function}/∂{x}"

    def shape(self, shape: Sequence[str]) -> str:
        return "scalar" if tuple(shape) == ("1", "1") else " × ".join(shape)

    def phrase(self, text: str) -> str:
        for plain, pretty in _PRETTY:
            text = text.replace(plain, pretty)
        return _GREEK_WORD.sub(lambda m: GREEK[m[0]], text)


class Latex(NamedTuple):
    """LaTeX math; phrases are text mode."""

    def formula(self, e: Expr, names: Mapping[Expr, str] | None = None) -> str:
        return latex_text(e, names)

    def name(self, name: str) -> str:
        return latex_name(name)

    def label(self, left: str, function: str) -> str:
        claim = _CLAIM.fullmatch(left)
        if claim is None:
            return (
                rf"\mathrm{{d}}{left[1:]}"
                if left == f"d{function}"
                else rf"\mathrm{{d}}^2{left[2:]}"
                if left == f"d2{function}"
                else left
            )
        x = latex_name(claim[2])
        match claim[1]:
            case "hess":
                return rf"\frac{{\partial^2 {function}}}{{\partial {x}^2}}"
            case "vecjac":
                return rf"\frac{{\partial \operatorname{{vec}} {function}}}{{\partial \operatorname{{vec}} {x}}}"
            case "hvp":
                return rf"H_{{{x}}}[V]"
        return rf"\frac{{\partial {function}}}{{\partial {x}}}"

    def shape(self, shape: Sequence[str]) -> str:
        if tuple(shape) == ("1", "1"):
            return r"\text{scalar}"
        return r" \times ".join(" + ".join(_monomial(t) for t in d.split("+")) for d in shape)

    def phrase(self, text: str) -> str:
        text = "".join(_MATH_WORDS.get(c, c) for c in _SPECIAL.sub(r"\\\1", text).replace("\\_", "\0"))
        text = text.replace("\0", "\\_").replace(r"\textbackslash{}", "\\")
        return text.replace("<", r"\(<\)").replace(">", r"\(>\)")


def _monomial(text: str) -> str:
    return " ".join(latex_name(f) if parts(f)[0] else f for f in text.split("*"))


def sharing(results: Sequence[Derivation]) -> Sharing:
    """Names for what the lines of a derivation repeat."""
    first = results[0]
    lines = [first.expression]
    lines += [s.right for s in first.derived.steps]
    for result in results:
        lines += [s.right for s in result.answer.steps] + [result.result, *result.forms.values()]
    taken = {*first.parsed.symbols, *first.parsed.dimensions, *first.parsed.functions, first.name, "e", "pi"}
    return share(list(dict.fromkeys(lines)), taken, first.parsed.definitions)
