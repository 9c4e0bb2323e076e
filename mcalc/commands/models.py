"""`mcalc models`: the shipped models, or the text of one."""

from __future__ import annotations

import click

from mcalc.cli import Command, Text, write


@click.command(
    cls=Command,
    help="""The shipped models and what they are; with NAME, the text of one.

\b
  mcalc models
  mcalc models lstm > my_lstm.mc
""",
)
@click.argument("name", type=Text(), required=False)
@click.option("--traceback", is_flag=True, help="Show where in mcalc an error arose.")
def command(name: str | None, traceback: bool) -> None:
    """Runs the command."""
    from mcalc.model.library import names, source

    if name is not None:
        return write(source(name))
    width = max(map(len, names()))
    return write("\n".join(f"{n.ljust(width)}  {summary(source(n))}" for n in names()) + "\n")


def summary(text: str) -> str:
    """The comment above the model, on one line."""
    lines = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("# ").strip())
    return " ".join(lines)
