"""`mcalc generate`: from a model to a NumPy module with forward and backward passes."""

from __future__ import annotations

import os
import warnings
from keyword import iskeyword
from typing import TYPE_CHECKING, Any

import click

from mcalc.cli import Command, Text, save, write
from mcalc.commands.options import OUTPUT, SETTINGS, TRACEBACK, numbers
from mcalc.errors import UsageError

if TYPE_CHECKING:
    from mcalc.model.ir import Model


@click.command(
    cls=Command,
    help="""A plain NumPy module with the loss of MODEL and its gradients, derived symbolically.

\b
  mcalc generate mlp -o mlp.py
  mcalc generate deep_mlp --set L=5 -o deep_mlp.py --test
  mcalc generate my_model.mc
  mcalc generate --all -o generated

MODEL is the name of a shipped model (mcalc models lists them) or the path of a model file.
""",
)
@click.argument("model", type=Text(), required=False)
@OUTPUT
@click.option("--all", "every", is_flag=True, help="Every shipped model, into the folder that -o names.")
@SETTINGS
@click.option("--typical", multiple=True, type=Text(), metavar="NAME=NUMBER",
              help="A size of a dimension to be fast for; may be repeated.")  # fmt: skip
@click.option("--test", is_flag=True, help="Write a test of the gradients beside FILE, too.")
@click.option("--no-verify", is_flag=True, help="Skip the comparison of the module with the model.")
@click.option("--force", is_flag=True, help="Overwrite FILE even if mcalc did not write it.")
@TRACEBACK
def command(model: str | None, **options: Any) -> None:
    """Runs the command."""
    from mcalc.generation import UNCHECKED, generate

    output: str | None = options["output"]
    if options["every"]:
        return _every(model, options)
    if model is None:
        raise UsageError("which model?", hint="mcalc generate mlp; mcalc models lists the shipped ones")
    if options["test"] and not output:
        raise UsageError("--test writes a file beside the module", hint="-o FILE says where")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=UNCHECKED)  # it is told in the words of the command line
        made = generate(
            model,
            sizes=numbers("--set", options["settings"]),
            typical=numbers("--typical", options["typical"]),
            verify=not options["no_verify"],
        )
    _warn_of_unread(made.model)
    if not options["no_verify"] and not made.examination.points:
        click.echo(f"warning: {UNCHECKED}", err=True)
    if not output:
        return write(made.text)
    if os.path.basename(output) in ("numpy.py", "scipy.py", "typing.py"):
        raise UsageError(f"{output} would be imported in place of what it imports", hint=f"-o {made.name}.py")
    files = {output: made.text}
    if options["test"]:
        folder, name = os.path.split(output)
        stem = name.removesuffix(".py")
        if not stem.isidentifier() or iskeyword(stem) or not name.endswith(".py"):
            raise UsageError(f"a test cannot import {name}", hint=f"-o {made.name}.py")
        files[os.path.join(folder, f"test_{stem}.py")] = made.test(stem)
    return _save(files, force=options["force"])


def _warn_of_unread(model: Model) -> None:
    """One line about arguments that nothing reads: most often a slip in the model."""
    from mcalc.model.liveness import unread

    parameters, inputs = unread(model)
    told = []
    if parameters:
        plural = len(parameters) > 1
        gradients = "their gradients are" if plural else "its gradient is"
        told.append(
            f"the loss does not depend on the parameter{'s' * plural} {', '.join(parameters)}: {gradients} zero"
        )
    if inputs:
        told.append(f"nothing reads the input{'s' * (len(inputs) > 1)} {', '.join(inputs)}")
    if told:
        click.echo(f"warning: {'; '.join(told)}", err=True)


def _every(model: str | None, options: dict[str, Any]) -> None:
    """The modules of all shipped models, in a folder."""
    from mcalc.generation import generate
    from mcalc.model.library import names

    folder: str | None = options["output"]
    if model is not None or folder is None:
        raise UsageError("--all takes a folder and no model", hint="mcalc generate --all -o generated")
    for option, given in (("--set", options["settings"]), ("--typical", options["typical"])):
        if given:
            hint = f"mcalc generate MODEL {option} NAME=NUMBER"
            raise UsageError(f"{option} is for one model: each has sizes of its own", hint=hint)
    if not os.path.isdir(folder):
        raise UsageError(f"there is no folder {folder}")
    files = {}
    for name in names():
        click.echo(name, err=True)
        made = generate(name, verify=not options["no_verify"])
        files[os.path.join(folder, f"{name}.py")] = made.text
        if options["test"]:
            files[os.path.join(folder, f"test_{name}.py")] = made.test()
    _save(files, force=options["force"])


def _save(files: dict[str, str], *, force: bool) -> None:
    """Writes the files, unless one of them is there and not mcalc's own: then none."""
    for path in files:
        if os.path.isdir(path):
            raise UsageError(f"{path} is a folder", hint="-o names a file")
        if os.path.exists(path) and not force and not written_by_mcalc(path):
            raise UsageError(f"{path} exists, and mcalc did not write it", hint="--force overwrites it")
    for path, text in files.items():
        save(text, path, force=True)


def written_by_mcalc(path: str) -> bool:
    """Whether there is a file there that mcalc wrote."""
    try:
        with open(path, encoding="utf-8") as file:
            head = file.read(20_000)
    except (OSError, UnicodeDecodeError):
        return False
    return "\nWritten by mcalc " in head
