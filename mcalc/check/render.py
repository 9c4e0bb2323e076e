"""Reports as text for a terminal, Markdown, LaTeX, and HTML for notebooks.

✓  5  df = 2 tr(R^T dR)
✗  6  df = tr((A .* B) dX)
      Hadamard swap misused: a transpose lost; tr((A .* B^T) dX) would be right
      at A = [1, 0; 2, 1], …: the left side is 3, the right side 1
✓  7  df = tr((A .* B^T) dX)      true, but it does not follow from the line above
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from mcalc.algebra.names import latex_name
from mcalc.algebra.printing import latex_text
from mcalc.check.report import Line, Report
from mcalc.errors import printable

if TYPE_CHECKING:
    from mcalc.check.reading import Claim, Proof

# fmt: off
_MARKS = {"definition": "·", "proved": "✓", "refuted": "✗", "undecided": "?"}
_PLAIN = {"definition": ".", "proved": "ok", "refuted": "NO", "undecided": "?"}
_COLOURS = {"definition": "2", "proved": "32", "refuted": "1;31", "undecided": "33"}
# fmt: on
_MINUS = str.maketrans({"−": "-", "→": "->", "×": "x"})


def remarks(line: Line) -> list[str]:
    """What there is to say of a line, the most important first."""
    said: list[str] = []
    if line.verdict == "refuted":
        if line.slip:
            right = f"; {line.repair} would be right" if line.repair else ""
            said.append(line.slip + right)
        elif line.follows:
            said.append("follows from what is claimed above, which is wrong")
        if not line.slip and line.repair:
            said.append(f"right would be {line.repair}")
        if line.detail:
            said.append(line.detail)
        if line.counterexample:
            said.append(line.counterexample)
        differ = line.expected != line.shape
        said.append(f"shapes: left {line.expected}, right {line.shape}" if differ else f"both sides are {line.shape}")
    elif line.verdict == "undecided":
        said.append(f"could not decide: {line.detail or 'no reason is known'}")
    elif not line.follows:
        said.append("true, but it does not follow from the line above")
    if line.verdict == "proved" and line.method not in ("exact", ""):
        said.append(f"proved by {line.method}")
    return said


def conclusion(report: Report) -> str:
    """One sentence on the whole."""
    claims = [line for line in report.lines if line.verdict != "definition"]
    wrong = sorted({line.line for line in report.wrong})
    if wrong:
        first = next((line for line in report.wrong if not line.follows), report.wrong[0])
        which = f"line {wrong[0]} is" if len(wrong) == 1 else f"lines {', '.join(map(str, wrong))} are"
        slip = f" ({first.slip})" if first.slip else ""
        return f"refuted: {which} wrong{slip}"
    open_ = sorted({line.line for line in report.lines if line.verdict == "undecided"})
    if open_:
        return f"undecided: line{'s' if len(open_) > 1 else ''} {', '.join(map(str, open_))}"
    if not claims:
        return "nothing is claimed"
    return f"proved: {'all ' + str(len(claims)) + ' claims' if len(claims) > 1 else 'the claim'}"


def text(reports: Sequence[Report], *, unicode: bool = True, colour: bool = False) -> str:
    """For a terminal."""
    blocks = [_block(report, unicode, colour) for report in reports]
    if len(reports) > 1:
        blocks.append(summary(reports))
    whole = "\n\n".join(blocks) + "\n"
    return whole if unicode else whole.translate(_MINUS)


def _block(report: Report, unicode: bool, colour: bool) -> str:
    marks = _MARKS if unicode else _PLAIN
    width = max((len(str(line.line)) for line in report.lines), default=1)
    gap = max(len(m) for m in marks.values())
    rows = [printable(report.title)] if report.title else []
    if report.inferred:
        rows.append(f"inferred: {'; '.join(report.inferred)}")
    rows.extend(f"note: {note}" for note in report.notes)
    for line in report.lines:
        mark = marks[line.verdict].ljust(gap)
        if colour:
            mark = f"\x1b[{_COLOURS[line.verdict]}m{mark}\x1b[0m"
        rows.append(f"  {mark} {line.line:>{width}}  {printable(line.left)} = {printable(line.right)}")
        rows.extend(f"{' ' * (gap + width + 7)}{remark}" for remark in remarks(line))
    return "\n".join([*rows, "", conclusion(report)])


def summary(reports: Sequence[Report]) -> str:
    """A table, one row a derivation."""
    rows: list[tuple[str, ...]] = [("derivation", "claims", "verdict", "wrong lines", "slip")]
    for number, report in enumerate(reports, 1):
        rows.append(_summary_row(report, number))
    return table(rows)


def _summary_row(report: Report, number: int) -> tuple[str, ...]:
    name = report.source or report.title or f"problem {number}"
    if report.source and report.title:
        name = f"{report.source}: {report.title}"
    claims = sum(line.verdict != "definition" for line in report.lines)
    wrong = ", ".join(str(n) for n in dict.fromkeys(line.line for line in report.wrong))
    slips = "; ".join(dict.fromkeys(line.slip for line in report.wrong if line.slip))
    return printable(name), str(claims), report.verdict, wrong, slips


def table(rows: Sequence[tuple[str, ...]]) -> str:
    """Aligned columns with a rule below the head."""
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0], "  ".join("-" * w for w in widths), *lines[1:]])


# --- Markdown ---------------------------------------------------------------------------------------------------------


def markdown(reports: Sequence[Report]) -> str:
    """A table for each derivation."""
    return "\n".join(_markdown(report) for report in reports)


def _markdown(report: Report) -> str:
    rows = [f"### {report.title}", ""] if report.title else []
    rows += ["| line | | claim | remarks |", "| ---: | :-: | --- | --- |"]
    for line in report.lines:
        said = "; ".join(_cell(r) for r in remarks(line))
        claim = _code(f"{line.left} = {line.right}")
        rows.append(f"| {line.line} | {_MARKS[line.verdict]} | {claim} | {said} |")
    return "\n".join([*rows, "", f"**{_cell(conclusion(report))}**", ""])


def _cell(said: str) -> str:
    return "".join("\\" + c if c in "\\`*_|<>[]" else c for c in said.replace("\n", " "))


def _code(said: str) -> str:
    tick = "``" if "`" in said else "`"
    return tick + said.replace("|", "\\|") + tick


# --- LaTeX ------------------------------------------------------------------------------------------------------------

_LATEX_MARKS = {"definition": "", "proved": r"\checkmark", "refuted": r"\times", "undecided": "?"}


def latex(reports: Sequence[Report]) -> str:
    """An align* for each derivation (amsmath and amssymb)."""
    return "\n".join(_latex(report) for report in reports)


def _latex(report: Report) -> str:
    rows = []
    for line in report.lines:
        said = "".join(rf"\ \text{{{_escaped(r)}}}" for r in remarks(line)[:1])
        rows.append(rf"  {line.latex[0]} &= {line.latex[1]} && {_LATEX_MARKS[line.verdict]}{said}")
    head = f"% {report.title}\n" if report.title else ""
    body = " \\\\\n".join(rows)
    return f"{head}\\begin{{align*}}\n{body}\n\\end{{align*}}\n% {conclusion(report)}\n"


def _escaped(said: str) -> str:
    special = {"\\": r"\textbackslash{}", "^": r"\^{}", "~": r"\~{}"}
    return "".join(special.get(c, "\\" + c if c in "_{}#$%&" else c) for c in said)


def left_latex(claim: Claim, proof: Proof) -> str:
    """The left-hand side as LaTeX."""
    names = proof.latex_names
    if claim.kind == "definition":
        return latex_name(claim.left_text) if claim.left_text.isidentifier() else claim.left_text
    if claim.kind == "equality":
        e = claim.left
        if e.op == "d" and e.args[0] in names:
            return rf"\mathrm{{d}}{names[e.args[0]]}"
        return latex_text(e, names)
    function = latex_text(claim.left, names)
    if claim.kind == "second":
        return rf"\mathrm{{d}}^2 {function}"
    assert claim.variable is not None
    x = latex_text(claim.variable, names)
    power = "^2" if claim.kind == "hess" else ""
    if claim.kind == "jac":
        return rf"\frac{{\partial {function}}}{{\partial {x}}}"
    return rf"\nabla{power}_{{{x}}} {function}"


def right_latex(claim: Claim, proof: Proof) -> str:
    """The right-hand side as LaTeX, with the names of the definitions (but its own)."""
    names = proof.latex_names
    if claim.kind == "definition" or claim.chained:
        names.pop(claim.left, None)
    return latex_text(claim.right, names)


# --- HTML -------------------------------------------------------------------------------------------------------------

_TINTS = {"definition": "#777", "proved": "#1a7f37", "refuted": "#cf222e", "undecided": "#9a6700"}


def html(reports: Sequence[Report]) -> str:
    """Tables for a notebook."""
    return "".join(_html(report) for report in reports)


def _html(report: Report) -> str:
    rows = []
    for line in report.lines:
        said = "<br>".join(escape(r) for r in remarks(line))
        mark = f'<td style="color:{_TINTS[line.verdict]}">{_MARKS[line.verdict]}</td>'
        claim = f'<td style="text-align:left"><code>{escape(f"{line.left} = {line.right}")}</code></td>'
        rows.append(f'<tr><td>{line.line}</td>{mark}{claim}<td style="text-align:left">{said}</td></tr>')
    title = f"<caption>{escape(report.title)}</caption>" if report.title else ""
    return f"<table>{title}<tbody>{''.join(rows)}</tbody></table><p>{escape(conclusion(report))}</p>"
