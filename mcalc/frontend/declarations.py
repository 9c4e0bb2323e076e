"""Declarations: `X: n x m symmetric; y: n; t: scalar` to shapes and properties.

Goes in: the text of `where`, one string or several. Comes out: `Declared`, names to shapes and properties, and the
names of dimensions. Properties are kept as they were declared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from mcalc.algebra.shape import ONE, SCALAR, Shape, dim, shape_text
from mcalc.algebra.structure import PROPERTIES
from mcalc.errors import NameProblem, ShapeError, Span
from mcalc.frontend.calls import FUNCTION_WORDS
from mcalc.frontend.parser import tree
from mcalc.frontend.words import Scope, key, suggest

_OTHER_WORDS = {
    "definite": "spd", "pd": "spd", "posdef": "spd", "PD": "spd", "SPD": "spd", "semidefinite": "psd", "PSD": "psd",
    "diag": "diagonal", "antisymmetric": "skew", "triangular": "lower or upper", "tril": "lower", "triu": "upper",
    "nonsingular": "invertible", "orthonormal": "orthogonal", "sym": "symmetric",
}  # fmt: skip
"""Properties by their names elsewhere."""
_RENAME = "rename one of them"
_SCALAR_WORD = (dim("scalar"), ONE)
_SQUARE = frozenset(PROPERTIES) - {"positive"}
_NOT_DIMENSIONS = frozenset(["vector", "matrix", "real", "complex", "row", "column", "square", *PROPERTIES])
_CLASHES = (
    (frozenset(["skew"]), frozenset(["symmetric", "spd", "psd", "diagonal"]), "a skew matrix with it is zero"),
    (frozenset(["positive"]), frozenset(["skew", "diagonal", "lower", "upper"]), "such a matrix has zero entries"),
)


@dataclass(slots=True)
class Declared:
    """Shapes and properties by key; the name as written; dimensions in order."""

    shapes: dict[str, Shape] = field(default_factory=dict)
    properties: dict[str, frozenset[str]] = field(default_factory=dict)
    spelling: dict[str, str] = field(default_factory=dict)
    dimensions: dict[str, None] = field(default_factory=dict)


def declarations(where: str | Sequence[str]) -> Declared:
    """The declarations of all the texts together."""
    declared = Declared()
    for text in [where] if isinstance(where, str) else where:
        _declare_all(declared, text, Scope())
    return declared


def model_declaration(text: str) -> Declared:
    """One declaration of a model, in which a dimension may have an index (`d[l-1]`)."""
    declared = Declared()
    _declare_all(declared, text, Scope(closed=True))
    return declared


def _declare_all(declared: Declared, text: str, scope: Scope) -> None:
    for declaration in tree(text, "declarations", scope):
        try:
            _declare(declared, declaration)
        except (NameProblem, ShapeError) as problem:
            raise problem.at(None, text) from None


def _span(token: Any) -> Span:
    return Span(token.start_pos, token.end_pos)


def _declare(declared: Declared, declaration: Any) -> None:
    shape: Shape = declaration.shape
    words = frozenset(str(p) for p in declaration.properties)
    first = declaration.names[0]
    if shape == _SCALAR_WORD:
        shape = SCALAR
    for name in (n for d in shape for n in d.names()):
        if name in _NOT_DIMENSIONS or name == "scalar":
            raise NameProblem(
                f"{name} is no dimension", _span(first), hint="x: n is a column vector, X: n x m a matrix"
            )
        if name in declared.shapes:
            raise NameProblem(f"{name} is declared as a symbol and used as a dimension", _span(first), hint=_RENAME)
        declared.dimensions.setdefault(name)
    for token in declaration.properties:
        if token not in PROPERTIES:
            meant = _OTHER_WORDS.get(str(token))
            hint = f"did you mean {meant}?" if meant else suggest(str(token), list(PROPERTIES))
            hint = hint or f"properties: {', '.join(PROPERTIES)}"
            raise NameProblem(f"{token} is not a property", _span(token), hint=hint)
    for token in declaration.names:
        whole = key(str(token))
        if (whole in FUNCTION_WORDS and len(whole) > 1) or whole == "scalar":
            raise NameProblem(f"{token} is a word of the language", _span(token), hint="choose another name")
        if whole in declared.shapes:
            raise NameProblem(f"{token} is declared twice", _span(token))
        if whole in declared.dimensions:
            raise NameProblem(f"{token} is declared as a symbol and used as a dimension", _span(token), hint=_RENAME)
        declared.shapes[whole] = shape
        declared.properties[whole] = words
        declared.spelling[whole] = str(token)
    square = shape[0] is shape[1]
    if not square and words & _SQUARE:
        word = next(p for p in declaration.properties if p in _SQUARE)
        raise ShapeError(f"{word} needs a square matrix, not {shape_text(shape)}", _span(word))
    for left, right, reason in _CLASHES:
        if words & left and words & right and shape != SCALAR:
            word = next(p for p in declaration.properties if p in right)
            raise ShapeError(f"{next(iter(left))} and {word} do not go together: {reason}", _span(word))
