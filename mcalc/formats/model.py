"""The derivation of a model: definitions, cotangents and gradients, as text; what all formats share.

    for t = T..1
    p_bar[t] = 2 (p[t] − y[t])                from loss: trace rule
    h_bar[t] = p_bar[t] Vᵀ + z_bar[t+1] Wᵀ    from p[t] and z[t+1]: cyclic shift

A line says from which definitions a cotangent comes, and by which rules.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from mcalc.algebra.expr import Expr
from mcalc.algebra.names import latex_dimension
from mcalc.algebra.operators import d
from mcalc.algebra.shape import Shape
from mcalc.formats.notation import Ascii, Notation, Unicode
from mcalc.formats.text import BLANK, fill, table
from mcalc.formats.text import Line as Row
from mcalc.model.explain import Line, Passage

if TYPE_CHECKING:
    from mcalc.model.ir import Argument
    from mcalc.model_derivation import ModelDerivation

_MOST_MATRICES = 6
"""Of a ragged argument with more matrices, the first, the second and the last are shown."""


def gradient_names(found: ModelDerivation) -> dict[Expr, str]:
    """The symbol of a gradient to the name of its parameter (`W[2]`, `U[t]`)."""
    names: dict[Expr, str] = {}
    elements = found.adjoint.elements
    for argument in found.model.arguments:
        for k, node in enumerate(found.adjoint.gradients.get(argument.name, ())):
            if argument.symbols:
                names[node] = argument.symbols[k].name
            else:
                names[node] = f"{argument.name}[{elements[node].index}]"
    return names


def shape_of(shape: Shape) -> list[str]:
    return [str(size) for size in shape]


def _arguments(found: ModelDerivation, kind: str, notation: Notation) -> list[str]:
    """The arguments of a kind with their shapes: `x[1..T] : n × d`."""
    texts: list[str] = []
    for argument in found.model.arguments:
        if argument.kind == kind:
            texts += _argument(found, argument, notation)
    return texts


def _argument(found: ModelDerivation, argument: Argument, notation: Notation) -> list[str]:
    if not argument.symbols:
        row = found.model.sequences[argument.name]
        words = " ".join([notation.shape(shape_of(row.shape)), *sorted(row.properties)])
        return [f"{notation.name(argument.name)}[{row.first}..{row.last}] : {words}"]
    nodes = list(argument.symbols)
    texts = [
        f"{notation.name(n.name)} : {' '.join([notation.shape(shape_of(n.shape)), *sorted(n.attrs[1])])}" for n in nodes
    ]
    return (
        texts
        if len(nodes) <= _MOST_MATRICES
        else [*texts[:2], "…" if isinstance(notation, Unicode) else "...", texts[-1]]
    )


def reason_of(line: Line, notation: Notation) -> str:
    """from p[t] and z[t+1]: product rule; cyclic shift"""
    if line.note:
        return notation.phrase(line.note)
    rules = notation.phrase(line.rule) if line.rules != ("linearity",) or not line.sources else ""
    names = [notation.formula(s) for s in line.sources]
    if not isinstance(notation, Ascii | Unicode):
        names = [rf"\({name}\)" for name in names]
    if not names:
        return rules
    origin = f"from {', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else f"from {names[0]}"
    return f"{origin}: {rules}" if rules else origin


def text(found: ModelDerivation, *, unicode: bool = True, width: int = 100) -> str:
    """The derivation for a terminal, with a line feed at its end."""
    notation: Notation = Unicode() if unicode else Ascii()
    labels = gradient_names(found)
    explained = found.explained
    rows = [Row("the model", "", ""), BLANK]
    for passage in explained.definitions:
        rows += _passage(passage, notation, lambda line: notation.shape(shape_of(line.target.shape)), {})
    told = found.steps != "none"
    transposed = "N_barᵀ" if unicode else "N_bar^T"
    title = f"cotangents: N_bar is that of N, dloss = tr({transposed} dN) + {'…' if unicode else '...'}"
    if explained.cotangents:
        rows += [BLANK, Row(title, "", ""), BLANK]
    for passage in explained.cotangents:
        rows += _passage(passage, notation, lambda line: reason_of(line, notation) if told else "", {})
    rows += [BLANK, Row("gradients", "", ""), BLANK]
    for passage in explained.gradients:
        rows += _passage(passage, notation, lambda line: _with_shape(line, labels, notation, told), labels)
    for target, derived in found.details:
        rows += [BLANK, *detail_rows(found, target, derived.steps, notation)]
    lines = [*_head(found, notation, width), "", *_tidied(table(rows, width))]
    if found.conditions:
        conditions = fill([notation.phrase(c) for c in found.conditions], "; ", width - 12)
        lines += ["", f"holds where {conditions[0]}", *("            " + line for line in conditions[1:])]
    verdict = str(found.verification) if found.verification else "not verified"
    verdict = verdict if unicode else verdict.replace("·", "-")
    lines += ["", *([verdict] if len(verdict) <= width else re.split(" [·-] ", verdict))]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _head(found: ModelDerivation, notation: Notation, width: int) -> list[str]:
    lines = [f"{found.name}({', '.join(notation.name(name) for name in found.gradients)})"]
    for kind, word in (("input", "inputs"), ("param", "parameters")):
        texts = _arguments(found, kind, notation)
        if texts:
            first, *rest = fill(texts, "   ", width - 13)
            lines += [f"{word:<13}{first}", *(" " * 13 + line for line in rest)]
    return lines


def _passage(
    passage: Passage, notation: Notation, reason: Callable[[Line], str], labels: dict[Expr, str]
) -> Iterator[Row]:
    """The rows of one passage; those of a loop under its range and before a blank row."""
    if passage.loop is not None:
        yield BLANK
        yield Row(f"for {passage.loop}", "", "")
    for line in passage.lines:
        left = notation.formula(line.target)
        if line.target in labels:
            left = notation.label(f"grad_{labels[line.target]}", "loss")
        yield Row(left, formula_of(line, notation), reason(line))
    if passage.loop is not None:
        yield BLANK


def formula_of(line: Line, notation: Notation) -> str:
    """The value, with its sum's sign where it is one."""
    body = notation.formula(line.value)
    if line.over is None:
        return body
    index, first, last = line.over.index, line.over.first, line.over.last
    if isinstance(notation, Ascii):
        return f"sum({index} in {first}..{last}, {body})"
    if not isinstance(notation, Ascii | Unicode):
        ends = latex_dimension(str(first)), latex_dimension(str(last))
        inside = rf"\left({body}\right)" if line.value.op == "add" else body
        return rf"\sum_{{{index}={ends[0]}}}^{{{ends[1]}}} {inside}"
    return f"Σ({line.over}) {f'({body})' if line.value.op == 'add' else body}"


def _with_shape(line: Line, labels: dict[Expr, str], notation: Notation, told: bool) -> str:
    """The shape of a gradient, and where it comes from."""
    shown = reason_of(line, notation) if told else ""
    shape = notation.shape(shape_of(line.target.shape)) if line.target in labels else ""
    return "; ".join(filter(None, (shape, shown)))


def detail_rows(found: ModelDerivation, target: Expr, steps: Iterable[Any], notation: Notation) -> list[Row]:
    """How a definition hands its cotangent on."""
    left = notation.formula(found.trace.gathering.paired(target, d(target)))
    rows = [Row(f"the adjoint of {notation.formula(target)}", "", ""), BLANK]
    shown = [s for s in steps if s.left.startswith("d")]
    for k, step in enumerate(shown):
        rows.append(Row("" if k else left, notation.formula(step.right), notation.phrase(step.reason)))
    return rows


def _tidied(lines: Sequence[str]) -> list[str]:
    """No two blank lines together, none at the ends."""
    kept: list[str] = []
    for line in lines:
        if line.strip() or (kept and kept[-1].strip()):
            kept.append(line)
    while kept and not kept[-1].strip():
        kept.pop()
    return kept
