"""`mcalc check`: hand derivations, single claims and identities, judged line by line."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcalc.cli import Command, Text, colour, unicode_output, write
from mcalc.commands.options import TRACEBACK
from mcalc.errors import LimitError, McalcError, UsageError

if TYPE_CHECKING:
    from mcalc.check.report import Report

FORMATS = ("text", "json", "markdown", "latex")
SUFFIXES = frozenset([".proof", ".md", ".markdown", ".tex", ".txt"])
_MARKDOWN = frozenset([".md", ".markdown"])
_LARGEST_INPUT = 1_000_000


@click.command(
    cls=Command,
    help="""Is every line of a derivation true, and if not, which is wrong, and why?

\b
  mcalc check proof.txt                                   a file, or - for standard input
  mcalc check homework/                                   a folder: a table of all files in it
  mcalc check "tr((y-XW)^T (y-XW))" --wrt W --claim "2 X^T (XW - y)"
  mcalc check "tr(A B)" --equals "tr(B A)"

A proof has one equation a line: definitions (R = y - X W), differentials (df = 2 tr(R^T dR)), derivatives
(grad_W = ...), and `where X: n x d` for shapes. ASCII, Unicode, LaTeX and Markdown are read.
""",
    epilog="Exit code: 0 all is proved, 1 a line is wrong, 2 unreadable, 3 a line could not be decided.",
)
@click.argument("targets", nargs=-1, type=Text(), metavar="FILE...|EXPRESSION")
@click.option("--wrt", "-w", type=Text(), metavar="NAME", help="The variable of a claimed derivative.")
@click.option("--claim", type=Text(), metavar="DERIVATIVE", help="The derivative that is claimed of EXPRESSION.")
@click.option("--equals", type=Text(), metavar="EXPRESSION", help="The expression that is claimed to be equal.")
@click.option("--where", multiple=True, type=Text(), metavar="DECLARATIONS",
              help='Shapes and properties: "X: n x m; S: n x n spd; t: scalar".')  # fmt: skip
@click.option("--kind", type=click.Choice(("gradient", "jacobian", "hessian", "differential")),
              help="What kind of derivative is claimed (default: what fits).")  # fmt: skip
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True, help="What to write.")
@click.option("--verbose", "-v", is_flag=True, help="Of several files, every line and not only the table.")
@click.option("--ascii", "plain", is_flag=True, help="No characters beyond ASCII.")
@TRACEBACK
def command(targets: tuple[str, ...], **options: Any) -> int:
    """Runs the command; the exit code."""
    if options["claim"] is not None or options["equals"] is not None:
        reports = [_single(targets, options)]
        write(_rendered(reports, options))
        return _code(reports)
    if not targets:
        raise UsageError("what is to be checked?", hint="mcalc check FILE, or - for standard input")
    files, stack = _files(targets)
    if not stack:
        reports = _of_file(files[0])
        write(_rendered(reports, options))
        return _code(reports)
    return _stack(files, options)


def _single(targets: tuple[str, ...], options: dict[str, Any]) -> Report:
    from mcalc.check.single import check_derivative, check_identity

    if len(targets) != 1:
        raise UsageError(
            "--claim and --equals are about one expression", hint='mcalc check "x^T x" --equals "norm(x)^2"'
        )
    expression = sys.stdin.read(_LARGEST_INPUT).strip() if targets[0] == "-" else targets[0]
    if options["equals"] is not None:
        if options["claim"] is not None:
            raise UsageError("either --claim or --equals")
        return check_identity(expression, options["equals"], options["where"])
    if not options["wrt"]:
        raise UsageError("by which variable?", hint="--wrt X")
    return check_derivative(expression, options["wrt"], options["claim"], options["where"], kind=options["kind"] or "")


# --- files ------------------------------------------------------------------------------------------------------------


def _files(targets: Sequence[str]) -> tuple[list[str], bool]:
    """The files meant, in order; whether they are a stack (a folder, or several)."""
    found: list[str] = []
    stack = len(targets) > 1
    for target in targets:
        path = Path(target)
        if target == "-":
            found.append(target)
        elif path.is_dir():
            stack = True
            inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
            if not inside:
                raise UsageError(f"{target} holds no proofs", hint=f"files that end in {', '.join(sorted(SUFFIXES))}")
            found.extend(str(p) for p in inside)
        elif path.is_file():
            found.append(target)
        else:
            raise UsageError(f"there is no file {target}", hint="for an expression, give --claim or --equals as well")
    return found, stack


def _text_of(file: str) -> str:
    if file == "-":
        data = sys.stdin.buffer.read(_LARGEST_INPUT + 1)
    else:
        with open(file, "rb") as stream:
            data = stream.read(_LARGEST_INPUT + 1)
    if len(data) > _LARGEST_INPUT:
        raise LimitError(f"{file} has more than {_LARGEST_INPUT} bytes")
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as problem:
        raise UsageError(f"{file} is not UTF-8 text: byte {problem.start} is none of it") from None


def _of_file(file: str) -> list[Report]:
    from mcalc.check import check_all

    name = "" if file == "-" else file
    markdown = True if Path(file).suffix.lower() in _MARKDOWN else None
    return list(check_all(_text_of(file), source=name, markdown=markdown))


def _stack(files: Sequence[str], options: dict[str, Any]) -> int:
    """A table of many files; unreadable ones are rows as well, with their messages on standard error."""
    reports: list[Report] = []
    problems: list[tuple[str, McalcError]] = []
    for file in _progress(files):
        try:
            reports.extend(_of_file(file))
        except McalcError as problem:
            problems.append((file, problem))
    write(_table(reports, problems, options))
    for _, unreadable in problems:
        sys.stderr.write(unreadable.render() + "\n")
    return 2 if problems else _code(reports)


def _progress(files: Sequence[str]) -> Iterable[str]:
    if not sys.stderr.isatty() or len(files) < 2:
        return files
    return _with_bar(files)


def _with_bar(files: Sequence[str]) -> Iterator[str]:
    with click.progressbar(files, label="checking", file=sys.stderr) as bar:
        yield from bar


# --- output -----------------------------------------------------------------------------------------------------------


def _rendered(reports: Sequence[Report], options: dict[str, Any]) -> str:
    from mcalc.check import render

    match options["form"]:
        case "json":
            return _json(_value(reports))
        case "markdown":
            return render.markdown(reports)
        case "latex":
            return render.latex(reports)
    plain = options["plain"] or not unicode_output()
    return render.text(reports, unicode=not plain, colour=colour(sys.stdout))


def _value(reports: Sequence[Report]) -> dict[str, Any]:
    if len(reports) == 1:
        return reports[0].to_dict()
    return {"schema": 1, "verdict": _verdict(reports), "problems": [report.to_dict() for report in reports]}


def _table(reports: Sequence[Report], problems: Sequence[tuple[str, McalcError]], options: dict[str, Any]) -> str:
    from mcalc.check import render

    if options["form"] == "json":
        value = {"schema": 1, "verdict": "unreadable" if problems else _verdict(reports)}
        unreadable = [{"source": file, "verdict": "unreadable", "message": p.message} for file, p in problems]
        return _json(value | {"files": [report.to_dict() for report in reports] + unreadable})
    if options["form"] != "text":
        return _rendered(reports, options)
    plain = options["plain"] or not unicode_output()
    shown = ""
    if options["verbose"]:
        shown = "\n".join(render.text([r], unicode=not plain, colour=colour(sys.stdout)) for r in reports) + "\n"
    right = sum(report.ok for report in reports)
    total = len(reports) + len(problems)
    rows = render.summary(reports) if reports else ""
    rows += "".join(f"\n{file}  unreadable: {problem.message}" for file, problem in problems)
    return f"{shown}{rows}\n\n{right} of {total} derivations are proved\n"


def _json(value: dict[str, Any]) -> str:
    import json

    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def _verdict(reports: Sequence[Report]) -> str:
    found = {report.verdict for report in reports}
    return next((v for v in ("refuted", "undecided") if v in found), "proved")


def _code(reports: Sequence[Report]) -> int:
    return {"proved": 0, "refuted": 1, "undecided": 3}[_verdict(reports)]


if __name__ == "__main__":
    from mcalc.cli import main

    main(["check", *sys.argv[1:]])
