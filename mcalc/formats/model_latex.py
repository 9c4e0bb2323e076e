"""The derivation of a model as a LaTeX `align*` environment (amsmath), and as Markdown with LaTeX formulas."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from mcalc.algebra.expr import Expr, symbols
from mcalc.algebra.names import base_and_index, latex_dimension, latex_name
from mcalc.formats.model import detail_rows, formula_of, gradient_names, reason_of, shape_of
from mcalc.formats.notation import Latex, Unicode
from mcalc.model.explain import Line, Passage, lines_of
from mcalc.model.ir import Range

if TYPE_CHECKING:
    from mcalc.model_derivation import ModelDerivation

_THEN = r",\ "


def _notation(found: ModelDerivation) -> Latex:
    """The notation of a derivation: where names clash, an index keeps its brackets."""
    explained = found.explained
    passages = (*explained.definitions, *explained.cotangents, *explained.gradients)
    written: dict[str, list[Expr]] = {}
    for node in symbols(*(e for line in lines_of(passages) for e in (line.target, line.value))):
        written.setdefault(latex_name(node.name), []).append(node)
    clashes: dict[Expr, str] = {}
    for nodes in written.values():
        if len(nodes) > 1:
            for node in nodes:
                base, index = base_and_index(node.name)
                if index:
                    clashes[node] = f"{base}[{index}]"
    return Latex(clashes)


def latex(found: ModelDerivation, environment: str = "align*") -> str:
    """One environment with everything, a line feed at its end."""
    parts = [rows for _, rows in _sections(found, _notation(found))]
    return _aligned([row for part in parts if part for row in [*part, ""]][:-1], environment)


def _aligned(rows: Sequence[str], environment: str) -> str:
    body = ""
    for k, row in enumerate(rows):
        if row:
            more = any(rows[k + 1 :])
            gap = r" \\[1ex]" if k + 1 < len(rows) and not rows[k + 1] else r" \\"
            body += f"  {row}{gap if more else ''}\n"
    return f"\\begin{{{environment}}}\n{body}\\end{{{environment}}}\n"


def _sections(found: ModelDerivation, math: Latex) -> list[tuple[str, list[str]]]:
    """The parts of a derivation: their titles, and the rows of each."""
    explained = found.explained

    def told(line: Line) -> str:
        return reason_of(line, math) if found.steps != "none" else ""

    sections = [
        ("The model", list(_rows(explained.definitions, math, {}, lambda line: ""))),
        ("Cotangents", list(_rows(explained.cotangents, math, {}, told))),
        ("Gradients", list(_rows(explained.gradients, math, gradient_names(found), told))),
    ]
    for target, derived in found.details:
        rows = detail_rows(found, target, derived.steps, math)[2:]
        texts = [rf"{row.left}{' ' if row.left else ''}&= {row.right} && \text{{{row.reason}}}" for row in rows]
        sections.append((f"The adjoint of ${math.formula(target)}$", texts))
    return sections


def _rows(
    passages: Iterable[Passage], math: Latex, labels: dict[Expr, str], reason: Callable[[Line], str]
) -> Iterator[str]:
    for passage in passages:
        for line in passage.lines:
            left = math.formula(line.target)
            if line.target in labels:
                left = math.label(f"grad_{labels[line.target]}", r"\mathrm{loss}")
            row = f"{left} &= {formula_of(line, math)}"
            notes = [_latex_bounds(passage.loop)] if passage.loop else []
            why = reason(line)
            if why:
                notes.append(rf"\text{{{why}}}")
            yield f"{row} && {_THEN.join(notes)}" if notes else row


def _latex_bounds(range_: Range) -> str:
    return rf"{range_.index} = {latex_dimension(str(range_.first))}, \dots, {latex_dimension(str(range_.last))}"


def markdown(found: ModelDerivation) -> str:
    """The document, with a line feed at its end."""
    math = _notation(found)
    text = [f"# The gradients of {found.name}", "", "| symbol | shape | |", "| --- | --- | --- |"]
    for argument in found.model.arguments:
        word = "parameter" if argument.kind == "param" else "input"
        row = found.model.sequences.get(argument.name)
        for node in argument.symbols:
            words = ", ".join([word, *sorted(node.attrs[1])])
            text.append(f"| ${math.name(node.name)}$ | ${math.shape(shape_of(node.shape))}$ | {words} |")
        if row is not None:
            words = ", ".join([word, *sorted(row.properties)])
            where = rf"{latex_dimension(str(row.first))}, \dots, {latex_dimension(str(row.last))}"
            text.append(
                f"| ${math.name(argument.name)}_t,\\ t = {where}$ | ${math.shape(shape_of(row.shape))}$ | {words} |"
            )
    for title, rows in _sections(found, math):
        if rows:
            text += ["", f"## {title}", "", "$$", _aligned(rows, "aligned").rstrip(), "$$"]
    if found.conditions:
        text += ["", f"Holds where {'; '.join(Unicode().phrase(c) for c in found.conditions)}."]
    verdict = str(found.verification) if found.verification else "not verified"
    return "\n".join([*text, "", f"*{verdict}*", ""])
