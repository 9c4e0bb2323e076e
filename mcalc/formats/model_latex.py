"""The derivation of a model as a LaTeX `align*` environment (amsmath), and as Markdown with LaTeX formulas."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from mcalc.algebra.expr import Expr, symbols
from mcalc.algebra.names import latex_dimension, latex_name
from mcalc.formats.model import detail_rows, formula_of, gradient_names, reason_of, shape_of
from mcalc.formats.notation import Latex, Unicode
from mcalc.model.explain import Line, Passage, Range, lines_of

if TYPE_CHECKING:
    from mcalc.model_derivation import ModelDerivation

_THEN = r",\ "


class Math(NamedTuple):
    """LaTeX, in which h[0] is told apart from a matrix h0."""

    names: Mapping[Expr, str]

    def formula(self, e: Expr, names: Mapping[Expr, str] | None = None) -> str:
        return Latex().formula(e, {**self.names, **(names or {})})

    def name(self, name: str) -> str:
        return Latex().name(name)

    def label(self, left: str, function: str, variables: Collection[str] = ()) -> str:
        return Latex().label(left, function, variables)

    def shape(self, shape: Sequence[str]) -> str:
        return Latex().shape(shape)

    def phrase(self, text: str) -> str:
        return Latex().phrase(text)


def _math(found: ModelDerivation) -> Math:
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
                base, bracket, index = node.name.partition("[")
                if bracket:
                    clashes[node] = f"{base}[[{index}]"
    return Math(clashes)


def latex(found: ModelDerivation, environment: str = "align*") -> str:
    """One environment with everything, a line feed at its end."""
    parts = [_definition_rows(found), _cotangent_rows(found), _gradient_rows(found), *_detail_rows(found)]
    return _aligned([row for part in parts if part for row in [*part, ""]][:-1], environment)


def _aligned(rows: Sequence[str], environment: str) -> str:
    body = ""
    for k, row in enumerate(rows):
        if row:
            more = any(rows[k + 1 :])
            gap = r" \\[1ex]" if k + 1 < len(rows) and not rows[k + 1] else r" \\"
            body += f"  {row}{gap if more else ''}\n"
    return f"\\begin{{{environment}}}\n{body}\\end{{{environment}}}\n"


def _definition_rows(found: ModelDerivation) -> list[str]:
    return list(_rows(found.explained.definitions, _math(found), {}, lambda line: ""))


def _told(found: ModelDerivation, math: Math) -> Callable[[Line], str]:
    """The reason of a line, where reasons were asked for."""
    return lambda line: reason_of(line, math) if found.steps != "none" else ""


def _cotangent_rows(found: ModelDerivation) -> list[str]:
    math = _math(found)
    return list(_rows(found.explained.cotangents, math, {}, _told(found, math)))


def _gradient_rows(found: ModelDerivation) -> list[str]:
    math = _math(found)
    return list(_rows(found.explained.gradients, math, gradient_names(found), _told(found, math)))


def _detail_rows(found: ModelDerivation) -> list[list[str]]:
    groups = []
    for target, derived in found.details:
        rows = detail_rows(found, target, derived.steps, _math(found))[2:]
        groups.append([rf"{row.left}{' ' if row.left else ''}&= {row.right} && \text{{{row.reason}}}" for row in rows])
    return groups


def _rows(
    passages: Iterable[Passage], math: Math, labels: dict[Expr, str], reason: Callable[[Line], str]
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
    return rf"{range_.name} = {latex_dimension(str(range_.first))}, \dots, {latex_dimension(str(range_.last))}"


def markdown(found: ModelDerivation) -> str:
    """The document, with a line feed at its end."""
    math = _math(found)
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
    sections = [
        ("The model", _definition_rows(found)),
        ("Cotangents", _cotangent_rows(found)),
        ("Gradients", _gradient_rows(found)),
    ]
    sections += [(f"The adjoint of ${math.formula(target)}$", rows)
                 for (target, _), rows in zip(found.details, _detail_rows(found), strict=True)]  # fmt: skip
    for title, rows in sections:
        if rows:
            text += ["", f"## {title}", "", "$$", _aligned(rows, "aligned").rstrip(), "$$"]
    if found.conditions:
        text += ["", f"Holds where {'; '.join(Unicode().phrase(c) for c in found.conditions)}."]
    verdict = str(found.verification) if found.verification else "not verified"
    return "\n".join([*text, "", f"*{verdict}*", ""])
