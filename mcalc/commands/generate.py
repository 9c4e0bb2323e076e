"""`mcalc generate`: from a model to a NumPy module with forward and backward passes."""

from __future__ import annotations

import os
from typing import Any

import click

from mcalc.cli import Command, Text, save, write
from mcalc.errors import UsageError


@click.command(
    cls=Command,
    help="""A plain NumPy module with the loss of MODEL and its gradients, derived symbolically.

\b
  mcalc generate mlp -o mlp.py
  mcalc generate deep_mlp --set L=5 -o deep_mlp.py --test
  mcalc generate my_model.mc

MODEL is the name of a shipped model (mcalc models lists them) or the path of a model file.
""",
)
@click.argument("model", type=Text())
@click.option("--output", "-o", metavar="FILE", help="Write to FILE (default: standard output).")
@click.option("--set", "settings", multiple=True, type=Text(), metavar="NAME=NUMBER",
              help="Another value for a size of the model; may be repeated.")  # fmt: skip
@click.option("--typical", multiple=True, type=Text(), metavar="NAME=NUMBER",
              help="A size of a dimension to be fast for; may be repeated.")  # fmt: skip
@click.option("--test", is_flag=True, help="Write a test of the gradients beside FILE, too.")
@click.option("--force", is_flag=True, help="Overwrite FILE even if mcalc did not write it.")
@click.option("--traceback", is_flag=True, help="Show where in mcalc an error arose.")
def command(model: str, **options: Any) -> None:
    """Runs the command."""
    from mcalc.generation import generate

    output: str | None = options["output"]
    if options["test"] and not output:
        raise UsageError("--test writes a file beside the module", hint="-o FILE says where")
    made = generate(
        model, sizes=numbers("--set", options["settings"]), typical=numbers("--typical", options["typical"])
    )
    if not output:
        return write(made.text)
    files = {output: made.text}
    if options["test"]:
        folder, name = os.path.split(output)
        stem = name.removesuffix(".py")
        files[os.path.join(folder, f"test_{stem}.py")] = made.test(stem)
    for path, text in files.items():
        save(text, path, force=options["force"] or written_by_mcalc(path))
    return None


def written_by_mcalc(path: str) -> bool:
    """Whether there is a file there that mcalc wrote."""
    try:
        with open(path, encoding="utf-8") as file:
            head = file.read(20_000)
    except (OSError, UnicodeDecodeError):
        return False
    return "\nWritten by mcalc " in head


def numbers(option: str, settings: tuple[str, ...]) -> dict[str, int]:
    """The numbers by name that an option gives, as NAME=NUMBER."""
    sizes: dict[str, int] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals or not value.strip().isdecimal() or not name.strip():
            raise UsageError(f"{option} {setting[:60]}: NAME=NUMBER is expected", hint=f"{option} L=3")
        sizes[name.strip()] = int(value)
    return sizes
