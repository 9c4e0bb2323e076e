"""`mcalc completion`: a completion script for a shell."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from mcalc.cli import program, write


@click.command(
    help="""A completion script for SHELL.

\b
  mcalc completion bash >> ~/.bashrc
  mcalc completion zsh  >> ~/.zshrc
  mcalc completion fish > ~/.config/fish/completions/mcalc.fish
"""
)
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
def command(shell: str) -> None:
    """Prints the script."""
    found = get_completion_class(shell)
    assert found is not None
    write(found(program, {}, "mcalc", "_MCALC_COMPLETE").source() + "\n")
