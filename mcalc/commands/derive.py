"""`mcalc derive`: from a line of text to a derivative that is proved and checked."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import TYPE_CHECKING, Any, cast

import click

from mcalc.cli import Command, Text, unicode_output
from mcalc.commands.options import FORCE, OUTPUT, SETTINGS, TRACEBACK, deliver, numbers
from mcalc.errors import McalcError, UsageError

if TYPE_CHECKING:
    from mcalc.derivation import Derivation, Derivations
    from mcalc.model_derivation import ModelDerivation

FORMATS = ("text", "latex", "markdown", "python", "json")
KINDS = ("gradient", "jacobian", "vec-jacobian", "differential", "hessian", "hvp")


class Kind(click.Choice[str]):
    """A kind of derivative; a third derivative, which is none, has an error of its own."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The kind."""
        from mcalc.dispatch import THIRD, third_derivative

        if str(value).lower() in THIRD:
            raise third_derivative()
        return super().convert(value, param, ctx)


_LARGEST_INPUT = 1_000_000


@click.command(
    cls=Command,
    help="""The derivative of EXPRESSION in closed form, with its derivation, proved and checked.

\b
  mcalc derive "tr((y-XW)^T (y-XW))" --wrt W
  mcalc derive "x^T A x" --wrt x --where "A: n x n symmetric"
  mcalc derive "norm(A x - b)^2" --wrt A --wrt x --format json
  mcalc derive my_model.mc --wrt W
  mcalc derive --model lstm

EXPRESSION may be - (standard input); without it, on a terminal, expressions are asked for. Of a model (a file *.mc, or
a shipped one), the gradients of its loss by its parameters are derived, as recurrences where it has loops.
""",
    epilog="In double quotes, a shell leaves ' ^ | and * alone; ! is history in an interactive bash.",
)
@click.argument("expression", type=Text(), required=False)
@click.option("--wrt", "-w", multiple=True, type=Text(), metavar="NAME", help="By which variable; may be repeated.")
@click.option("--model", type=Text(), metavar="NAME", help="A shipped model (mcalc models lists them).")
@SETTINGS
@click.option("--where", multiple=True, type=Text(), metavar="DECLARATIONS",
              help='Shapes and properties: "X: n x m; S: n x n spd; t: scalar".')  # fmt: skip
@click.option("--define", multiple=True, type=Text(), metavar="FUNCTION",
              help='An elementwise function: "swish(x) = x sigmoid(x)".')  # fmt: skip
@click.option("--kind", type=Kind(KINDS), help="What kind of derivative (default: what fits).")
@click.option("--solve", is_flag=True, help="Where the gradient vanishes, in closed form.")
@click.option("--layout", type=click.Choice(("numerator", "denominator")), default="numerator", show_default=True,
              help="Of a Jacobian: m x n or its transpose.")  # fmt: skip
@click.option("--vech", is_flag=True, help="Jacobian of vec, or Hessian, by the independent entries of a structured X.")
@click.option("--steps", type=click.Choice(("brief", "full", "none")), default="brief", show_default=True,
              help="How much of the derivation to show.")  # fmt: skip
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True, help="What to write.")
@click.option("--ascii", "plain", is_flag=True, help="No characters beyond ASCII.")
@OUTPUT
@FORCE
@click.option("--no-verify", is_flag=True, help="Skip proof and check; the output says 'not verified'.")
@click.option("--debug", is_flag=True, help="Say what takes how long, on standard error.")
@TRACEBACK
def command(expression: str | None, **options: Any) -> None:
    """Runs the command."""
    name = options.pop("model")
    if name is not None and expression is not None:
        raise UsageError("an expression and a model were given", hint="one of them")
    if expression is not None and expression.endswith(".mc"):
        name = expression
    if name is not None:
        return _run_model(name, options)
    if options["settings"]:
        raise UsageError("--set is for models", hint="mcalc derive model.mc --set L=3")
    if expression is None:
        if not sys.stdin.isatty():
            raise UsageError("no expression was given", hint='mcalc derive "x^T A x" --wrt x, or - for standard input')
        return _prompt(options)
    if expression == "-":
        expression = sys.stdin.read(_LARGEST_INPUT + 1).strip()
    _run(expression, options)
    return None


def _run(expression: str, options: dict[str, Any]) -> None:
    if not options["wrt"]:
        raise UsageError("by which variable?", hint="; ".join(["--wrt X", *_shipped(expression)]))
    if options["solve"] and options["kind"] not in (None, "gradient"):
        raise UsageError(f"--solve is of the gradient, not of --kind {options['kind']}", hint="two calls, one for each")
    from mcalc.derivation import derive

    with _timed(options["debug"]), _told(expression):
        found = derive(
            expression,
            options["wrt"],
            options["where"],
            kind="critical-point" if options["solve"] else options["kind"],
            define=options["define"],
            steps=options["steps"],
            layout=options["layout"],
            vech=options["vech"],
            verify=not options["no_verify"],
        )
    for note in found.notes:
        click.echo(f"note: {note}", err=True)
    _put_out(found, options)


@contextmanager
def _told(expression: str) -> Iterator[None]:
    """An error in what is the name of a shipped model, too, says so."""
    try:
        yield
    except McalcError as error:
        error.notes = (*error.notes, *_shipped(expression))
        raise


def _shipped(expression: str) -> list[str]:
    """What to write for the shipped model of this name, if there is one."""
    from mcalc.model.library import names

    return [f"of the shipped model: --model {expression}"] if expression in names() else []


_OF_EXPRESSIONS = ("where", "define", "kind", "solve", "vech")


def _run_model(model: str, options: dict[str, Any]) -> None:
    """The gradients of a model."""
    from mcalc.model_derivation import derive_model

    for option in _OF_EXPRESSIONS:
        if options[option]:
            raise UsageError(f"--{option} is for expressions, not for models")
    if options["form"] == "python":
        raise UsageError("the module of a model is generated", hint=f"mcalc generate {model}")
    with _timed(options["debug"]):
        found = derive_model(
            model,
            list(options["wrt"]) or None,
            sizes=numbers("--set", options["settings"]),
            steps=options["steps"],
            verify=not options["no_verify"],
        )
    _put_out(found, options)


@contextmanager
def _timed(told: bool) -> Iterator[None]:
    """Says how long a derivation took, if asked to."""
    start = perf_counter()
    yield
    if told:
        click.echo(f"debug: derived in {1e3 * (perf_counter() - start):.1f} ms", err=True)


def _put_out(found: Derivation | Derivations | ModelDerivation, options: dict[str, Any]) -> None:
    text = render(found, options["form"], unicode=not options["plain"] and (options["output"] or unicode_output()))
    deliver(text, options["output"], force=options["force"])


def render(found: Derivation | Derivations | ModelDerivation, form: str, *, unicode: bool) -> str:
    """A derivation in one of the formats."""
    match form:
        case "latex":
            return found.latex()
        case "markdown":
            return found.markdown()
        case "python":
            return cast("Derivation | Derivations", found).python()
        case "json":
            from mcalc.formats.json import dumps

            return dumps(found.json())
    return found.text(unicode=unicode)


def _prompt(options: dict[str, Any]) -> None:
    """Asks for expressions, with history, until the end of input."""
    import contextlib

    with contextlib.suppress(ImportError):
        import readline  # noqa: F401  (gives `input` its history and its line editing)
    click.echo("An expression, and by what; an empty line ends.   Example: x^T A x", err=True)
    while True:
        try:
            expression = input("expression: ").strip()
            if not expression:
                return
            names = list(options["wrt"]) or [input("by: ").strip()]
            _run(expression, {**options, "wrt": names})
        except EOFError:
            return
        except McalcError as problem:
            click.echo(problem.render(), err=True)
