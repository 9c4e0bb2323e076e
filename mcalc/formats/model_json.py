"""The derivation of a model as a JSON object (`"schema": 1`).

Every line says what it defines (`left`), by which expression (`right`), summed over which range (`sum`) and for which
indices (`loop`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from mcalc.algebra.printing import ascii_text
from mcalc.formats.model import gradient_names, shape_of
from mcalc.formats.model_latex import latex
from mcalc.model.explain import Line, Passage
from mcalc.model.ir import Range

if TYPE_CHECKING:
    from mcalc.algebra.shape import Shape
    from mcalc.model.ir import Argument
    from mcalc.model_derivation import ModelDerivation

SCHEMA = 1


def json(found: ModelDerivation) -> dict[str, Any]:
    """The derivation as an object (`"schema": 1`)."""
    labels = gradient_names(found)
    check = found.verification
    return {
        "schema": SCHEMA,
        "model": found.name,
        "wrt": list(found.gradients),
        "kind": "model",
        "symbols": dict(row for argument in found.model.arguments for row in _symbols(found, argument)),
        "definitions": [_object(line, passage) for passage in found.explained.definitions for line in passage.lines],
        "cotangents": [_object(line, passage) for passage in found.explained.cotangents for line in passage.lines],
        "gradients": [
            {**({"parameter": labels[line.target]} if line.target in labels else {}), **_object(line, passage)}
            for passage in found.explained.gradients
            for line in passage.lines
        ],
        "conditions": list(found.conditions),
        "latex": latex(found),
        "verified": None
        if check is None
        else {
            "points": check.points,
            "max_relative_error": check.max_relative_error,
            "definitions": check.definitions,
            "definitions_proved": check.definitions_proved,
            "gradients_proved": check.whole_proved,
            "lengths": list(check.lengths),
        },
    }


def _symbols(found: ModelDerivation, argument: Argument) -> Iterator[tuple[str, dict[str, Any]]]:
    """As those of an expression, and whether they are data or parameters; of a sequence, its range."""
    row = found.model.sequences.get(argument.name)
    if row is not None:
        yield argument.name, _symbol(argument.kind, row.shape, row.properties, [str(row.first), str(row.last)])
    for node in argument.symbols:
        yield node.name, _symbol(argument.kind, node.shape, node.attrs[1], None)


def _symbol(kind: str, shape: Shape, properties: Iterable[str], range_: list[str] | None) -> dict[str, Any]:
    return {
        "shape": shape_of(shape),
        "properties": sorted(properties),
        "inferred": False,
        "kind": kind,
        "range": range_,
    }


def _object(line: Line, passage: Passage) -> dict[str, Any]:
    return {
        "left": ascii_text(line.target),
        "right": ascii_text(line.value),
        "shape": shape_of(line.target.shape),
        "sum": _range_object(line.over),
        "loop": _range_object(passage.loop),
        "from": [ascii_text(s) for s in line.sources],
        "rule": line.rule,
        "reference": line.reference,
        "note": line.note,
    }


def _range_object(range_: Range | None) -> dict[str, Any] | None:
    if range_ is None:
        return None
    return {"index": range_.index, "first": str(range_.first), "last": str(range_.last), "step": range_.step}
