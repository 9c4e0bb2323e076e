"""A derivation as a NumPy module, and as a function.

A gradient gives `value_and_grad`, which returns the value and the gradient (or all gradients, from one evaluation); any
other kind gives one function named for the kind, which returns one array.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from mcalc import __version__
from mcalc.algebra.expr import Expr
from mcalc.errors import NotSupported

if TYPE_CHECKING:
    from mcalc.backends.numpy.emit import Module
    from mcalc.derivation import Derivation


def module(results: Sequence[Derivation]) -> str:
    """The module's text. Raises NotSupported where an operator has no NumPy form."""
    from mcalc.backends.numpy import emit_module
    from mcalc.backends.numpy.module import formatted

    first = results[0]
    header = [f"Written by mcalc {__version__}.", *_conditions(results)]
    if first.kind == "gradient":
        return emit_module(first.expression, _gradients(results), arguments=_arguments(first), header=header)
    return formatted(_single(results, header))


def function(results: Sequence[Derivation]) -> Callable[..., Any]:
    """The function; its parameters are the symbols in reading order. Raises as `module`."""
    from mcalc.backends.numpy import compile_value_and_grad
    from mcalc.backends.numpy.module import compiled

    first = results[0]
    if first.kind == "gradient":
        return compile_value_and_grad(first.expression, _gradients(results), arguments=_arguments(first))
    return compiled(_single(results, []), _function_name(first))


def _single(results: Sequence[Derivation], header: Sequence[str]) -> Module:
    from mcalc.backends.numpy.values import derivative_module
    from mcalc.simplify.spread import spread

    first = results[0]
    if len(results) > 1 or first.kind == "differential":
        raise NotSupported(f"NumPy code of a {first.kind} is written for one variable at a time", code="python")
    title = f"The {first.kind} of {first.expression} by {first.variable.name}"
    return derivative_module(
        _function_name(first), spread(first.result), arguments=_arguments(first), title=title, header=header
    )


def _function_name(first: Derivation) -> str:
    return first.kind.replace("-", "_")


def _gradients(results: Sequence[Derivation]) -> dict[Expr, Expr]:
    return {r.variable: r.result for r in results}


def _arguments(first: Derivation) -> list[Expr]:
    """The symbols in reading order, then the directions."""
    from mcalc.algebra.expr import symbols

    known = {info.expr: None for info in first.parsed.symbols.values()}
    return list({**known, **dict.fromkeys(symbols(first.result))})


def _conditions(results: Sequence[Derivation]) -> list[str]:
    found = dict.fromkeys(c for r in results for c in r.conditions)
    return [f"It holds where {'; '.join(found)}."] if found else []
