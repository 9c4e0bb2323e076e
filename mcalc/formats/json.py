"""Derivations and errors as JSON objects (`"schema": 1`), closed: no names beyond the user's symbols.

Every line of `steps` is true by itself, and its right-hand side parses with `dX` for the differential of X and `d(…)`
for that of an expression.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mcalc.algebra.printing import ascii_text
from mcalc.errors import McalcError

if TYPE_CHECKING:
    from mcalc.derivation import Derivation

SCHEMA = 1


def result(derivation: Derivation) -> dict[str, Any]:
    """One derivative."""
    from mcalc.formats.latex import render

    names = [x.name for x in derivation.variables]
    return {
        "schema": SCHEMA,
        "expression": ascii_text(derivation.expression),
        "wrt": names[0] if len(names) == 1 else names,
        "kind": derivation.kind,
        "name": derivation.name,
        "result": ascii_text(derivation.result),
        "shape": list(derivation.shape),
        "layout": derivation.layout,
        "symbols": _symbols(derivation),
        "conditions": list(derivation.conditions),
        "notes": list(derivation.answer.notes),
        "forms": {name: ascii_text(form) for name, form in derivation.forms.items()},
        "steps": [
            {"left": s.left, "right": ascii_text(s.right), "rule": s.rule, "reference": s.reference}
            for s in derivation.steps
        ],
        "latex": render([derivation]),
        "python": _python(derivation),
        "verified": _verified(derivation),
    }


def results(derivations: Sequence[Derivation]) -> dict[str, Any]:
    """Several derivatives of one expression."""
    first = derivations[0]
    return {
        "schema": SCHEMA,
        "expression": ascii_text(first.expression),
        "wrt": [d.variable.name for d in derivations],
        "results": [result(d) for d in derivations],
    }


def error(problem: McalcError) -> dict[str, Any]:
    """An error."""
    span = problem.span
    return {
        "schema": SCHEMA,
        "error": {
            "code": problem.code,
            "message": problem.message,
            "span": None if span is None else [span.start, span.end],
            "hint": problem.hint or None,
            "notes": list(problem.notes),
        },
    }


def dumps(value: dict[str, Any]) -> str:
    """The object as text: ASCII, two spaces, one line feed at the end."""
    return json.dumps(value, indent=2) + "\n"


def _symbols(derivation: Derivation) -> dict[str, Any]:
    return {
        name: {"shape": list(s.shape), "properties": list(s.properties), "inferred": s.inferred}
        for name, s in derivation.symbols.items()
    }


def _python(derivation: Derivation) -> str | None:
    from mcalc.errors import NotSupported

    try:
        return derivation.python()
    except NotSupported:
        return None


def _verified(derivation: Derivation) -> dict[str, Any] | None:
    found = derivation.verification
    if found is None:
        return None
    return {
        "points": found.points,
        "max_relative_error": found.max_relative_error,
        "steps": found.steps,
        "steps_proved": found.steps_proved,
    }
