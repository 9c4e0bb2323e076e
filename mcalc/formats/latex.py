"""A derivation as a LaTeX `align*` environment (amsmath): formulas left, reasons right as text; remarks below it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from mcalc.algebra.sharing import Sharing
from mcalc.formats.notation import Latex, layout_of, sharing, variables_of

if TYPE_CHECKING:
    from mcalc.derivation import Derivation
    from mcalc.rewrite.derivation import Step

_NOTATION = Latex()


def render(results: Sequence[Derivation]) -> str:
    """The environment and the remarks, with a line feed at the end."""
    return aligned(results, "align*") + "".join(f"\n{text}\n" for text in remarks(results))


def aligned(results: Sequence[Derivation], environment: str) -> str:
    """The environment alone."""
    body = " \\\\\n".join(f"  {row}" for row in rows(results))
    return f"\\begin{{{environment}}}\n{body}\n\\end{{{environment}}}\n"


def remarks(results: Sequence[Derivation]) -> list[str]:
    """Under which conditions the answers hold, and what else is known of them, as sentences."""
    found = []
    for result in results:
        label = _NOTATION.label(result.label, result.name, variables_of(results))
        if layout := layout_of(result):
            found.append(f"{layout.capitalize()}.")
        about = rf" (\({label}\))" if len(results) > 1 else ""
        if result.conditions:
            found.append(f"Holds where{about} {'; '.join(map(_NOTATION.phrase, result.conditions))}.")
        found += [f"{_NOTATION.phrase(note)}." for note in result.answer.notes]
    return found


def rows(results: Sequence[Derivation]) -> list[str]:
    """The rows of the alignment: the function, the names, the lines, the answers."""
    first, names = results[0], sharing(results)
    arguments = ", ".join(dict.fromkeys(_NOTATION.name(x.name) for a in first.derived.answers for x in a.variables))
    given = {node: name for name, node in first.definitions.items() if node.args and node is not first.expression}
    found = [f"{first.name}({arguments}) &= {_NOTATION.formula(first.expression, given)}"]
    for name, node in names.definitions.items():
        shape = _NOTATION.shape([str(d) for d in node.shape])
        formula = _NOTATION.formula(node, names.without(name))
        found.append(rf"{_NOTATION.name(name)} &= {formula} && {shape}")
    variables = variables_of(results)
    found += _chain(first.derived.steps, first.name, variables, names)
    for result in results:
        found += _chain(result.answer.steps, result.name, variables, names)
    return found


def _chain(steps: Iterable[Step], function: str, variables: Mapping[str, str], names: Sharing) -> list[str]:
    found: list[str] = []
    last = ""
    for step in steps:
        left = "" if step.left == last else _NOTATION.label(step.left, function, variables) + " "
        last = step.left
        formula = _NOTATION.formula(step.right, names.names)
        found.append(rf"{left}&= {formula} && \text{{{_NOTATION.phrase(step.reason)}}}")
    return found
