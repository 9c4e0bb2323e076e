"""NumPy code: a plain module with a function that computes a scalar and its gradients, or another derivative.

In: expressions; out: the text of a module that imports NumPy only (SciPy for `erf` and `expm`), or the function itself.
The text is checked against a whitelist before it is returned or run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mcalc.algebra.expr import Expr
from mcalc.backends.numpy.module import compiled, formatted, plain
from mcalc.backends.numpy.values import value_and_grad_module


def emit_module(
    f: Expr, gradients: Mapping[Expr, Expr], *, arguments: Sequence[Expr], header: Sequence[str] = ()
) -> str:
    """The module with `value_and_grad`, formatted by black.

    `gradients` maps each variable to its gradient; `arguments` are all symbols in the order of the function's
    parameters; `header` are the lines of the module's docstring.
    """
    return formatted(value_and_grad_module(f, gradients, arguments=arguments, header=header))


def emit_function(
    f: Expr, gradients: Mapping[Expr, Expr], *, arguments: Sequence[Expr], header: Sequence[str] = ()
) -> str:
    """As `emit_module`, not formatted."""
    return plain(value_and_grad_module(f, gradients, arguments=arguments, header=header))


def compile_value_and_grad(
    f: Expr, gradients: Mapping[Expr, Expr], *, arguments: Sequence[Expr]
) -> Callable[..., tuple[Any, Any]]:
    """The function `value_and_grad` itself."""
    return compiled(value_and_grad_module(f, gradients, arguments=arguments), "value_and_grad")
