"""What several commands share: options, the numbers that an option gives, and where a result goes."""

from __future__ import annotations

import click

from mcalc.cli import Text, save, write
from mcalc.errors import UsageError

SETTINGS = click.option("--set", "settings", multiple=True, type=Text(), metavar="NAME=NUMBER",
                        help="Another value for a size of the model; may be repeated.")  # fmt: skip
OUTPUT = click.option("--output", "-o", metavar="FILE",
                      callback=lambda _context, _option, path: None if path == "-" else path,
                      help="Write to FILE (default, and -: standard output).")  # fmt: skip
FORCE = click.option("--force", is_flag=True, help="Overwrite FILE.")
TRACEBACK = click.option("--traceback", is_flag=True, help="Show where in mcalc an error arose.")


def numbers(option: str, settings: tuple[str, ...]) -> dict[str, int]:
    """The numbers by name that an option gives, as NAME=NUMBER."""
    sizes: dict[str, int] = {}
    hint = f"{option} L=3" if option == "--set" else f"{option} n=1000"
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals or not value.strip().isdecimal() or not name.strip():
            raise UsageError(f"{option} {setting[:60]}: NAME=NUMBER is expected", hint=hint)
        sizes[name.strip()] = int(value)
    return sizes


def deliver(text: str, output: str | None, *, force: bool) -> None:
    """Writes a result to a file, or to standard output where none is named."""
    if output:
        save(text, output, force=force)
    else:
        write(text)
