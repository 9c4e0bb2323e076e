"""`mcalc models`: the shipped models, or the text of one."""

from __future__ import annotations

import sys

import click

from mcalc.cli import Command, Text, write
from mcalc.commands.options import TRACEBACK


@click.command(
    cls=Command,
    help="""The shipped models and what they are; with NAME, the text of one.

\b
  mcalc models
  mcalc models lstm > my_lstm.mc
""",
)
@click.argument("name", type=Text(), required=False)
@TRACEBACK
def command(name: str | None, traceback: bool) -> None:
    """Runs the command."""
    from shutil import get_terminal_size

    from mcalc.model.library import source

    if name is not None:
        return write(source(name))
    return write(listing(get_terminal_size().columns if sys.stdout.isatty() else 0))


def listing(columns: int) -> str:
    """The names and what they are, wrapped at the width of a terminal; 0: a line for each, for other programs."""
    from textwrap import fill

    from mcalc.model.library import names, source

    width = max(map(len, names()))
    rows = [f"{n.ljust(width)}  {summary(source(n))}" for n in names()]
    if columns:
        columns = max(columns, width + 30)
        rows = [fill(row, columns, subsequent_indent=" " * (width + 2), break_on_hyphens=False) for row in rows]
    return "\n".join(rows) + "\n"


def summary(text: str) -> str:
    """The comment above the model, on one line."""
    lines = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("# ").strip())
    return " ".join(lines)
