"""A derivation as text for a terminal, aligned in columns.

    f(W) = tr((y − X W)ᵀ (y − X W))     X : n × d   W : d × k   y : n × k   (inferred)

    df = 2 tr((y − X W)ᵀ d(y − X W))     cyclic shift
       = −2 tr((y − X W)ᵀ X dW)          y and X are constant

A line is left-hand side, equals sign, formula, reason. Formulas that are too long break at a sum's sign; a reason that
finds no room beside its formula stands below it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from mcalc.algebra.sharing import Sharing
from mcalc.formats.notation import Ascii, Notation, Unicode, layout_of, sharing, variables_of

if TYPE_CHECKING:
    from mcalc.derivation import Derivation
    from mcalc.rewrite.derivation import Step

_GAP = 4


class Line(NamedTuple):
    """One row; an empty left-hand side continues the line above, an empty row is a blank line."""

    left: str
    right: str
    reason: str


BLANK = Line("", "", "")


def render(results: Sequence[Derivation], *, unicode: bool = True, width: int = 100) -> str:
    """The text, with a line feed at its end."""
    notation: Notation = Unicode() if unicode else Ascii()
    first = results[0]
    names = sharing(results)
    lines = [BLANK, *_given(names, notation)]
    lines += _chain(first.derived.steps, first, notation, names)
    for result in results:
        answer = _answer(result, notation, names)
        lines += [BLANK, *answer] if answer else []
    text = [_header(first, notation, width), *table(lines, width)]
    for result in results:
        text += _remarks(result, notation, names, width, several=len(results) > 1)
    verdict = str(first.verification) if first.verification else "not verified"
    text += ["", verdict if unicode else verdict.replace("·", "-")]
    return "\n".join(line.rstrip() for line in text) + "\n"


# --- parts ------------------------------------------------------------------------------------------------------------


def _header(first: Derivation, notation: Notation, width: int) -> str:
    """f(X) = …, and the shapes of all symbols."""
    arguments = ", ".join(dict.fromkeys(notation.name(x.name) for a in first.derived.answers for x in a.variables))
    names = {node: name for name, node in first.definitions.items() if node.args}
    formula = notation.formula(first.expression, {n: s for n, s in names.items() if n is not first.expression})
    left = f"{first.name}({arguments})"
    head = table([Line(left, formula, "")], width)
    groups = _shapes(first, notation)
    beside = f"{head[-1]}{' ' * 6}{'   '.join(groups)}"
    if len(head) == 1 and len(groups) == 1 and len(beside) <= width:
        return beside
    return "\n".join([*head, *(line for group in groups for line in fill(group.split("   "), "   ", width))])


def _shapes(first: Derivation, notation: Notation) -> list[str]:
    """The shapes: those declared, then those inferred."""
    groups = []
    for inferred in (False, True):
        found = [
            f"{notation.name(name)} : {' '.join([notation.shape(s.shape), *s.properties])}"
            for name, s in first.symbols.items()
            if s.inferred == inferred
        ]
        if found:
            groups.append("   ".join([*found, "(inferred)"] if inferred else found))
    return groups


def _given(names: Sharing, notation: Notation) -> list[Line]:
    """with R = …"""
    lines = [
        Line(f"with {notation.name(name)}", notation.formula(node, names.without(name)),
             notation.shape([str(d) for d in node.shape]))
        for name, node in names.definitions.items()
    ]  # fmt: skip
    return [*lines, BLANK] if lines else []


def _chain(steps: Iterable[Step], derivation: Derivation, notation: Notation, names: Sharing) -> list[Line]:
    """Lines, a repeated left-hand side written once."""
    lines: list[Line] = []
    last, variables = "", variables_of([derivation])
    for step in steps:
        left = "" if step.left == last else notation.label(step.left, derivation.name, variables)
        last = step.left
        lines.append(Line(left, notation.formula(step.right, names.names), notation.phrase(step.reason)))
    return lines


def _answer(result: Derivation, notation: Notation, names: Sharing) -> list[Line]:
    lines = _chain(result.answer.steps, result, notation, names)
    if not lines:
        return []
    shape = notation.shape(result.shape)
    last = lines[-1]
    reason = last.reason
    layout = layout_of(result)
    if layout and layout not in reason:
        shape = f"{shape}, {layout}"
    if reason == "read off" and result.kind == "gradient":
        reason = f"read off from {_pairing(result, notation)}"
    return [*lines[:-1], Line(last.left, last.right, f"{shape}; {reason}" if reason else shape)]


def _pairing(result: Derivation, notation: Notation) -> str:
    x, unicode = result.variable, isinstance(notation, Unicode)
    name = notation.name(x.name)
    transposed = "Gᵀ" if unicode else "G^T"
    if x.is_scalar:
        return f"d{result.name} = g d{name}"
    if x.is_column:
        return f"d{result.name} = {'gᵀ' if unicode else 'g^T'} d{name}"
    return f"d{result.name} = tr({transposed} d{name})"


def _remarks(result: Derivation, notation: Notation, names: Sharing, width: int, *, several: bool) -> list[str]:
    """The forms in use for a structured variable, and the conditions."""
    text: list[str] = []
    if len(result.forms) > 1:
        name = notation.name(result.variable.name)
        kind = next(iter(p for p in result.symbols[result.variable.name].properties), "structured")
        text += ["", f"{name} is {kind}; the forms in use:"]
        rows = [
            Line(f"  {form}", notation.formula(e, names.names), "the answer" if e is result.result
                 and form == "projected" else "")
            for form, e in result.forms.items()
        ]  # fmt: skip
        text += table(rows, width)
    if result.conditions:
        about = f" ({notation.label(result.label, result.name, variables_of([result]))})" if several else ""
        lines = fill([notation.phrase(c) for c in result.conditions], "; ", width - 10)
        text += ["", f"holds where{about} {lines[0]}", *("            " + line for line in lines[1:])]
    for note in result.answer.notes:
        text += ["", *fill(notation.phrase(note).split(" "), " ", width)]
    return text


# --- columns ----------------------------------------------------------------------------------------------------------


def table(lines: Sequence[Line], width: int) -> list[str]:
    """The rows, equals signs and reasons under each other; a left side alone is a heading."""
    lefts = [len(line.left) for line in lines if line.right]
    indent = max(lefts, default=0) + 3
    bodies = [_break(line.right, width - indent) for line in lines]
    beside = [
        indent + len(body[-1])
        for line, body in zip(lines, bodies, strict=True)
        if line.reason and indent + len(body[-1]) + _GAP + len(line.reason) <= width
    ]
    column = max(beside, default=0) + _GAP
    text: list[str] = []
    for line, body in zip(lines, bodies, strict=True):
        if not line.right:
            text.append(line.left)
            continue
        rows = [f"{line.left:>{indent - 3}} = {body[0]}", *(" " * (indent + 2) + row for row in body[1:])]
        if line.reason:
            place = min(column, max(width - len(line.reason), indent))
            if len(rows[-1]) + 2 <= place:
                rows[-1] = f"{rows[-1]:<{place}}{line.reason}"
            else:
                rows += [" " * place + row for row in fill(line.reason.split("; "), "; ", width - place)]
        text += rows
    return text


def _break(text: str, width: int) -> list[str]:
    """A formula in pieces of at most `width` characters where its operators allow that."""
    rows: list[str] = []
    room = width
    while len(text) > room:
        cut = _cut(text, room)
        if cut <= 0:
            break
        rows.append(text[:cut].rstrip())
        text = text[cut:].lstrip()
        room = width - 2
    return [*rows, text]


def _cut(text: str, width: int) -> int:
    """Where to break: before the last sign of the outermost sum that fits, else at the last space."""
    depth = 0
    best: dict[int, int] = {}
    spaces = 0
    for i, c in enumerate(text[: width + 1]):
        if c in "([":
            depth += 1
        elif c in ")]":
            depth -= 1
        elif c == " " and i:
            spaces = i
            if text[i + 1 : i + 2] in ("+", "-", "−") and text[i + 2 : i + 3] == " " and i > width // 3:
                best[depth] = i
    return best[min(best)] if best else spaces


def fill(parts: Sequence[str], separator: str, width: int) -> list[str]:
    """The parts in as few lines as they need."""
    rows: list[str] = []
    for part in parts:
        joined = f"{rows[-1]}{separator}{part}" if rows else part
        if rows and len(joined) <= width:
            rows[-1] = joined
        else:
            rows.append(part)
    return rows
