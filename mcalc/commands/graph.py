"""`mcalc graph`: a picture of a model's computation graph, cotangents included."""

from __future__ import annotations

import os
from typing import Any

import click

from mcalc.cli import Command, Text
from mcalc.commands.options import FORCE, OUTPUT, SETTINGS, TRACEBACK, deliver, numbers
from mcalc.errors import UsageError


@click.command(
    cls=Command,
    help="""The computation graph of MODEL as an SVG picture: what reads what, and the cotangent that goes back.

\b
  mcalc graph mlp -o mlp.svg
  mcalc graph my_model.mc -o my_model.svg

MODEL is the name of a shipped model (mcalc models lists them) or the path of a model file.
""",
)
@click.argument("model", type=Text())
@OUTPUT
@click.option("--wrt", "-w", multiple=True, type=Text(), metavar="NAME",
              help="Cotangents on the way to this parameter only; may be repeated.")  # fmt: skip
@SETTINGS
@FORCE
@TRACEBACK
def command(model: str, **options: Any) -> None:
    """Runs the command."""
    from mcalc.formats.graph import svg
    from mcalc.model.graph import drawn

    stem, suffix = os.path.splitext(options["output"] or "")
    if suffix.lower() not in ("", ".svg"):
        raise UsageError(f"{options['output']}: pictures are SVG", hint=f"-o {stem}.svg")
    text = svg(drawn(model, list(options["wrt"]) or None, numbers("--set", options["settings"])))
    deliver(text, options["output"], force=options["force"])
