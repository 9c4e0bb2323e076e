"""The command line: which commands there are, how arguments are read, and how the program ends.

Each command is a module of mcalc/commands that is imported when it is called; this module imports nothing else of
mcalc but its errors. Results go to standard output, everything else to standard error.

Exit codes: 0 done; 1 the answer is no; 2 unreadable; 3 not supported; 4 a limit; 70 a bug of mcalc; 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from itertools import pairwise
from typing import IO, Any

import click

from mcalc import __version__
from mcalc.errors import InternalError, LimitError, McalcError, UsageError, printable

COMMANDS: dict[str, str] = {
    # command: what it does, as --help says it (the module mcalc/commands/NAME.py has `command`)
    "derive": "A derivative in closed form, with its derivation, proved and checked.",
    "check": "A hand derivation: is every line true?",
    "generate": "A NumPy module with the loss and the gradients of a model.",
    "models": "The models that come with mcalc.",
    "graph": "A drawing of a model: forward and backward.",
    "rules": "The rules of differentiation and simplification, with references.",
    "completion": "A completion script for bash, zsh or fish.",
}

_HELP = """Matrix calculus: closed-form derivatives, each step proved.

\b
  mcalc derive "tr((y-XW)^T (y-XW))" --wrt W
  mcalc derive "logdet(S) + tr(S^-1 A)" --wrt S --where "S: n x n spd; A: n x n symmetric"
  mcalc derive "sum(log(1 + exp(-y .* (X w))))" --wrt w --format python -o logistic.py
"""

_SHIELD = "\x00"
"""Put before a token that begins with a minus and is no option, so that it is read as an argument."""


class Text(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """A text that may begin with a minus."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text without its shield."""
        return str(value).removeprefix(_SHIELD)


class Command(click.Command):
    """A command whose arguments may begin with a minus (`mcalc derive "-x^T x" --wrt x`)."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Shields what begins with a minus and is no option, and what follows an option that takes a value."""
        return super().parse_args(ctx, self._shielded(ctx, args))

    def _shielded(self, ctx: click.Context, args: Sequence[str]) -> list[str]:
        flags: dict[str, bool] = {}
        for parameter in self.get_params(ctx):
            if isinstance(parameter, click.Option):
                takes_value = not (parameter.is_flag or parameter.count)
                flags.update(dict.fromkeys((*parameter.opts, *parameter.secondary_opts), takes_value))
        shielded: list[str] = []
        value_follows = False
        for place, token in enumerate(args):
            if value_follows:
                shielded.append(_SHIELD + token if token.startswith("-") and token != "-" else token)
                value_follows = False
            elif token == "--":
                return [*shielded, *args[place:]]
            elif token in flags:
                shielded.append(token)
                value_follows = flags[token]
            elif token.startswith("-") and token != "-" and not _is_option(token):
                shielded.append(_SHIELD + token)
            else:
                shielded.append(token)
        return shielded


def _is_option(token: str) -> bool:
    """Whether a token looks like a long option (`--word` or `--word=…`), known or misspelt."""
    words = token.partition("=")[0][2:].split("-")
    return token.startswith("--") and len(words[0]) > 1 and all(w.isalpha() and w.islower() for w in words)


class Group(click.Group):
    """Commands that are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of the commands that are there."""
        return [name for name in COMMANDS if _is_there(name)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name."""
        if cmd_name not in COMMANDS or not _is_there(cmd_name):
            return None
        command: click.Command = import_module(f"mcalc.commands.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click, with a guess at what was meant."""
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            close = get_close_matches(name, self.list_commands(ctx), 1)
            hint = f"did you mean {close[0]}?" if close else f'mcalc derive "{name}" --wrt X, perhaps?'
            raise UsageError(f"there is no command '{name[:60]}'", hint=hint)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name]) for name in self.list_commands(ctx)])


def _is_there(name: str) -> bool:
    return os.path.exists(os.path.join(os.path.dirname(__file__), "commands", f"{name}.py"))


@click.group(
    cls=Group,
    help=_HELP,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, "--version", message="mcalc %(version)s")
@click.pass_context
def program(ctx: click.Context) -> None:
    """The program `mcalc`."""
    ctx.color = colour(sys.stdout)


def colour(stream: IO[str]) -> bool:
    """Whether to write colours: NO_COLOR and FORCE_COLOR decide, else whether this is a terminal."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or stream.isatty()


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the program and ends the process."""
    args = list(sys.argv[1:] if arguments is None else arguments)
    code = run(args)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # whoever read our output has gone: nothing is left to say, not even at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.exit(code)


def run(args: list[str]) -> int:
    """Runs the program; the exit code."""
    os.environ.setdefault(
        "OPENBLAS_NUM_THREADS", "1"
    )  # the matrices of a check are tiny; threads cost more than they do
    try:
        outcome = program.main(args, prog_name="mcalc", standalone_mode=False)
        return outcome if isinstance(outcome, int) else 0
    except click.exceptions.Exit as problem:
        return problem.exit_code
    except click.ClickException as problem:
        return _usage(problem, args)
    except (KeyboardInterrupt, click.Abort, EOFError):
        click.echo("interrupted", err=True)
        return 130
    except BrokenPipeError:
        return 0
    except McalcError as problem:
        return report(problem, args)
    except (MemoryError, RecursionError) as problem:
        return report(LimitError(f"the input is too large ({type(problem).__name__})"), args)
    except OSError as problem:
        return report(UsageError(f"{problem.filename or 'input'}: {problem.strerror or problem}"), args)
    except Exception as problem:
        if "--traceback" in args:
            raise
        words = " ".join(str(problem).split())[:200]
        bug = InternalError(
            f"a bug in mcalc: {type(problem).__name__}: {words}",
            hint="please report it, with the output of --traceback",
        )
        return report(bug, args)


def report(problem: McalcError, args: Sequence[str]) -> int:
    """Prints an error, as JSON too where JSON was asked for; its exit code."""
    if "--traceback" in args:
        import traceback

        traceback.print_exception(problem, file=sys.stderr)
    if wants_json(args):
        from mcalc.formats.json import dumps, error

        write(dumps(error(problem)))
    text = problem.render()
    if colour(sys.stderr):
        text = text.replace("error:", "\x1b[1;31merror:\x1b[0m", 1)
    encoding = getattr(sys.stderr, "encoding", None) or "ascii"
    sys.stderr.write(text.encode(encoding, "replace").decode(encoding) + "\n")
    return problem.exit_code


def _usage(problem: click.ClickException, args: Sequence[str]) -> int:
    message = printable(problem.format_message().replace(_SHIELD, ""))
    hint = ""
    if isinstance(problem, click.NoSuchOption):
        message = f"there is no option {problem.option_name}"
        close = get_close_matches(problem.option_name, problem.possibilities or [], 1, 0)
        hint = f"did you mean {close[0]}?" if close else "--help lists the options"
    return report(UsageError(message.rstrip("."), hint=hint), args)


def wants_json(args: Sequence[str]) -> bool:
    """Whether the arguments ask for JSON (they may be too wrong to be parsed)."""
    return "--format=json" in args or ("--format", "json") in pairwise(args)


def unicode_output() -> bool:
    """Whether standard output can write mathematical characters."""
    try:
        "ᵀ⁻¹∂∘×²≥".encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def write(text: str) -> None:
    """Writes a result to standard output."""
    encoding = sys.stdout.encoding or "ascii"
    try:
        sys.stdout.write(text)
    except UnicodeEncodeError:
        sys.stdout.write(text.encode(encoding, "replace").decode(encoding))


def save(text: str, path: str, *, force: bool) -> None:
    """Writes a result to a file, whole or not at all; refuses to overwrite one without `force`."""
    import tempfile

    if os.path.exists(path) and not force:
        raise UsageError(f"{path} exists", hint="--force overwrites it")
    if os.path.exists(path) and not os.path.isfile(path):
        raise UsageError(f"{path} is not a plain file")
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder):
        raise UsageError(f"there is no folder {folder}")
    handle, partial = tempfile.mkstemp(dir=folder, prefix=".mcalc-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(partial, 0o666 & ~mask)
        os.replace(partial, os.path.realpath(path))
    except BaseException:
        os.unlink(partial)
        raise


if __name__ == "__main__":
    main()
