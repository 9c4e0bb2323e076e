"""A derivation as a NumPy module, and as a function.

A gradient gives `value_and_grad`, which returns the value and the gradient (or all gradients, from one evaluation); any
other kind gives one function named for the kind, which returns one array, or a named tuple where there are several
variables. Differentials and directions are arguments: `differential(X, dX)`, `hvp(X, V)`. Gradients are written as
formulas, other kinds in buffers that are used again; arguments are never written to, and results are new arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from mcalc import __version__
from mcalc.algebra.expr import Expr
from mcalc.errors import NotSupported
from mcalc.formats.notation import title

if TYPE_CHECKING:
    from mcalc.backends.numpy.emit import Module
    from mcalc.derivation import Derivation


def module(results: Sequence[Derivation]) -> str:
    """The module's text. Raises NotSupported where an operator has no NumPy form."""
    from mcalc.backends.numpy.module import formatted

    made = _module(results, [f"Written by mcalc {__version__}.", *_remarks(results)])
    if _verified(results):
        _function(results, made)
    return formatted(made)


def function(results: Sequence[Derivation]) -> Callable[..., Any]:
    """The function; its parameters are the symbols in reading order. Raises as `module`."""
    return _function(results, _module(results, []))


def _module(results: Sequence[Derivation], header: Sequence[str]) -> Module:
    """The parts of the module."""
    from mcalc.backends.numpy.values import value_and_grad_module

    _check_sizes(results)
    first = results[0]
    if first.kind == "gradient":
        gradients = {r.variable: r.result for r in results}
        return value_and_grad_module(first.expression, gradients, arguments=_arguments(first), header=header)
    return _other(results, header)


def _function(results: Sequence[Derivation], made: Module) -> Callable[..., Any]:
    """The function itself; where the answers were verified, it is compared with them, too."""
    from mcalc.backends.numpy.module import compiled
    from mcalc.formats.examined import examine

    found = compiled(made, made.name)
    if _verified(results):
        examine(made, found, results[0].expression)
    return found


def _verified(results: Sequence[Derivation]) -> bool:
    return all(r.verification is not None for r in results)


def _check_sizes(results: Sequence[Derivation]) -> None:
    """Raises NotSupported where a dimension is needed that no argument shows, as in tr(t I)."""
    from mcalc.algebra.expr import postorder

    first = results[0]
    given = {n for s in first.parsed.symbols.values() for d in s.expr.shape for n in d.names()}
    nodes = postorder(first.expression, *(r.result for r in results))
    needed = [n for node in nodes for d in node.shape for n in d.names()]
    missing = next((n for n in needed if n not in given), None)
    if missing is not None:
        raise NotSupported(
            f"the size {missing} is that of no argument, so a function of the arguments does not know it",
            hint="write a number for it: I(3), ones(3)",
        )


def _other(results: Sequence[Derivation], header: Sequence[str]) -> Module:
    """The module of any kind but the gradient."""
    from mcalc.algebra.expr import substitute
    from mcalc.backends.numpy.identifiers import identifier
    from mcalc.backends.numpy.values import derivative_module, derivatives_module
    from mcalc.simplify.spread import spread

    first, name = results[0], _function_name(results[0])
    ways = _directions(first)
    answers = [spread(substitute(r.result, ways)) for r in results]
    arguments = list(dict.fromkeys([*(s.expr for s in first.parsed.symbols.values()), *ways.values()]))
    variables = tuple(dict.fromkeys(x.name for r in results for x in r.variables))
    *others, last = variables
    by = f"{', '.join(others)} and {last}" if others else last
    if len(results) == 1:
        heading = f"The {title(first.kind)} of {first.expression} by {by}"
        return derivative_module(name, answers[0], arguments=arguments, title=heading, header=header)
    prefix, several = _SEVERAL[first.kind]
    fields: set[str] = set()
    labels = [f"{prefix}_{identifier('_'.join(x.name for x in r.variables), fields)}" for r in results]
    heading = f"The {title(first.kind)} of {first.expression} by {by}, block by block"
    found = dict(zip(labels, answers, strict=True))
    return derivatives_module(name, found, several, arguments=arguments, title=heading, header=header)


_SEVERAL = {
    # kind: the prefix of labels, and the named tuple of several results
    "jacobian": ("jac", "Jacobians"),
    "vec-jacobian": ("vecjac", "Jacobians"),
    "hessian": ("hess", "Hessians"),
    "hvp": ("hvp", "Products"),
    "critical-point": ("critical", "CriticalPoints"),
}


def _directions(first: Derivation) -> dict[Expr, Expr]:
    """The arguments beyond the symbols: V or V_X of a Hessian-vector product, a symbol dX for the differential dX."""
    from mcalc.algebra.expr import symbols
    from mcalc.algebra.operators import d
    from mcalc.kinds import direction

    variables = list(dict.fromkeys(x for a in first.derived.answers for x in a.variables))
    taken = [s.name for s in (*symbols(first.expression), *variables)]
    if first.kind == "hvp":
        return {d(x): direction(x, taken, len(variables) == 1) for x in variables}
    if first.kind == "differential":
        return {d(x): direction(x, taken, True, f"d{x.name}") for x in variables}
    return {}


def _function_name(first: Derivation) -> str:
    return first.kind.replace("-", "_")


def _arguments(first: Derivation) -> list[Expr]:
    """The symbols in reading order."""
    return [info.expr for info in first.parsed.symbols.values()]


def _remarks(results: Sequence[Derivation]) -> list[str]:
    """How the entries are arranged, under which conditions the answers hold, what else is known of them."""
    stacked = [r for r in results if r.kind.endswith("jacobian") or r.answer.vech]
    lines = [f"{r.label}: {r.layout}." for r in stacked]
    found = dict.fromkeys(c for r in results for c in r.conditions)
    lines += [f"It holds where {'; '.join(found)}."] if found else []
    lines += [f"{note}." for r in results for note in r.answer.notes]
    return [row for line in lines for row in wrap(line, 96, subsequent_indent="    ", break_long_words=False)]
