"""`mcalc rules`: the tables that derivations are made of, with references."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import click

from mcalc.cli import Command, Text, write
from mcalc.errors import UsageError


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a table: the operator it belongs to (or ""), the rule's name, what it says, where it is proved."""

    table: str
    operator: str
    name: str
    statement: str
    reference: str


def tables() -> list[Row]:
    """All tables, one row for each rule."""
    from mcalc.algebra.functions import FUNCTIONS
    from mcalc.algebra.structure import STRUCTURES
    from mcalc.calculus.adjoint import ADJOINTS
    from mcalc.calculus.table import DIFFERENTIALS
    from mcalc.rewrite.rules import ALGEBRA, projection_rule
    from mcalc.simplify.identities import IDENTITIES

    rows = [Row("differentials", op, r.rule, r.shown, r.reference) for op, r in DIFFERENTIALS.items()]
    rows += [Row("trace laws", op, a.rule, a.shown, a.reference) for op, a in ADJOINTS.items()]
    rows += [Row("recognised", "", i.name, f"{i.left} = {i.right}", i.reference) for i in IDENTITIES]
    rows += [Row("algebra", "", r.name, r.statement, r.reference) for r in ALGEBRA]
    rows += [
        Row("projections", "", projection_rule(s.name), f"the gradient is {s.shown}", s.reference) for s in STRUCTURES
    ]
    known = {row.operator for row in rows if row.table == "differentials"}
    rows += [Row("differentials", f.name, f"derivative of {f.name}", f"d {f.name}(X) = {f.shown}", f.reference)
             for f in FUNCTIONS.values() if f.name not in known]  # fmt: skip
    return rows


@click.command(
    cls=Command,
    help="""The rules of differentiation and simplification, with references.

\b
  mcalc rules
  mcalc rules "product rule"
  mcalc rules logdet --format json
""",
)
@click.argument("name", type=Text(), required=False)
@click.option("--format", "form", type=click.Choice(("text", "markdown", "json")), default="text", show_default=True)
def command(name: str | None, form: str) -> None:
    """Prints all rules, or those of a name or an operator."""
    rows = tables()
    if name is not None:
        word = name.casefold()
        chosen = [r for r in rows if word in (r.operator.casefold(), r.name.casefold())]
        chosen = chosen or [r for r in rows if word in f"{r.name} {r.statement}".casefold()]
        if not chosen:
            from difflib import get_close_matches

            close = get_close_matches(word, [r.name for r in rows] + [r.operator for r in rows if r.operator], 1)
            raise UsageError(f"there is no rule '{name}'", hint=f"did you mean {close[0]}?" if close else "mcalc rules")
        rows = chosen
    write({"text": _text, "markdown": _markdown, "json": _json}[form](rows))


def _text(rows: Sequence[Row]) -> str:
    lines: list[str] = []
    for table in dict.fromkeys(r.table for r in rows):
        inside = [r for r in rows if r.table == table]
        name = max(len(r.name) for r in inside)
        lines += [table.upper(), *(f"  {r.name:<{name}}  {r.statement}  [{r.reference}]" for r in inside), ""]
    return "\n".join(lines[:-1]) + "\n"


def _markdown(rows: Sequence[Row]) -> str:
    lines: list[str] = []
    for table in dict.fromkeys(r.table for r in rows):
        lines += [f"## {table.capitalize()}", "", "| rule | statement | reference |", "| --- | --- | --- |"]
        lines += [f"| {r.name} | `{r.statement}` | {r.reference} |" for r in rows if r.table == table]
        lines.append("")
    return "\n".join(lines).replace("|X|", r"\|X\|")


def _json(rows: Sequence[Row]) -> str:
    from mcalc.formats.json import SCHEMA, dumps

    return dumps({"schema": SCHEMA, "rules": [asdict(r) for r in rows]})
