"""A derivation as Markdown: heading, table of shapes, aligned lines, answer, conditions, verdict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mcalc.formats.latex import aligned
from mcalc.formats.notation import Latex, Unicode, layout_of, title, variables_of

if TYPE_CHECKING:
    from mcalc.derivation import Derivation

_MATH, _PLAIN = Latex(), Unicode()


def render(results: Sequence[Derivation]) -> str:
    """The document, with a line feed at its end."""
    first = results[0]
    variables = " and ".join(f"${_MATH.name(r.variable.name)}$" for r in results)
    text = [
        f"# The {title(first.kind)} by {variables}",
        "",
        "| symbol | shape | |",
        "| --- | --- | --- |",
    ]
    for name, symbol in first.symbols.items():
        remarks = ", ".join([*symbol.properties, *(["inferred"] if symbol.inferred else [])])
        text.append(f"| ${_MATH.name(name)}$ | ${_MATH.shape(symbol.shape)}$ | {remarks} |")
    text += ["", "## Derivation", "", "$$", aligned(results, "aligned").rstrip(), "$$", "", "## Answer", ""]
    for result in results:
        label = _MATH.label(result.label, result.name, variables_of(results))
        text += [f"$${label} = {_MATH.formula(result.result)}$$", ""]
        layout = layout_of(result)
        text += [f"Shape: ${_MATH.shape(result.shape)}${f', {layout}' if layout else ''}.", ""]
        if len(result.forms) > 1:
            text += ["| form | |", "| --- | --- |"]
            text += [f"| {name} | ${_MATH.formula(form)}$ |" for name, form in result.forms.items()]
            text.append("")
        if result.conditions:
            text += [f"Holds where {'; '.join(_PLAIN.phrase(c) for c in result.conditions)}.", ""]
        for note in result.answer.notes:
            text += [f"{_PLAIN.phrase(note)}.", ""]
    verdict = str(first.verification) if first.verification else "not verified"
    return "\n".join([*text, f"*{verdict}*", ""])
