"""A function is run beside the expressions that it was made of, before anybody sees it.

In: the parts of a module, and the expression that was differentiated; out: nothing, or a VerificationError. Points are
looked for in the domain of the expression; every way through the function is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from mcalc.algebra.expr import Expr, postorder
from mcalc.errors import VerificationError
from mcalc.model.examination import TOLERANCE, difference
from mcalc.model.interpret import shown
from mcalc.verify.domain import Place, places
from mcalc.verify.numeric import Evaluation
from mcalc.verify.sizes import Requirements

if TYPE_CHECKING:
    from mcalc.backends.numpy.emit import Module

_POINTS = 2
_ROWS = 2
"""The rows of a block, where there are blocks."""


def examine(module: Module, function: Callable[..., Any], domain: Expr) -> None:
    """Compares the function of a module with its outputs. Raises VerificationError where they differ."""
    outputs = list(module.outputs.values())
    requirements = Requirements()
    requirements.include(domain)
    requirements.name(*module.arguments, *postorder(*outputs))
    symbols = list(dict.fromkeys([*(n for n in postorder(domain) if n.op == "sym"), *module.arguments]))
    failures: list[str] = []
    for place in islice(places(domain, symbols, requirements, 0), 2 * _POINTS):
        problem = _problem(module, function, outputs, place)
        failures += [problem] if problem else []
        if len(failures) == 2:  # once may be a kink, or an ill-conditioned matrix
            raise VerificationError(
                f"the function that was generated fails its check: {failures[0]}",
                hint="it is not given; please report the expression",
            )


def _problem(module: Module, function: Callable[..., Any], outputs: Sequence[Expr], place: Place) -> str:
    """What is wrong at a place, if anything is."""
    with np.errstate(all="ignore"):
        evaluation = Evaluation(place.values, place.sizes)
        wanted = [evaluation.value(e)[0] for e in outputs]
        arguments = [shown(place.values[x], x.shape) for x in module.arguments]
        for call in _ways(function):
            try:
                got = _flat(call(*arguments))
            except np.linalg.LinAlgError:
                continue  # beyond the domain of the answer
            except Exception as problem:
                return f"it stops with {type(problem).__name__}: {problem}"
            for name, a, b in zip(module.outputs, got, wanted, strict=True):
                as_matrix = np.reshape(a, b.shape) if np.size(a) == b.size else a
                error = difference(as_matrix, b, 1e-3 * place.largest)
                if np.isfinite(b).all() and not error <= TOLERANCE:
                    return f"{name} is off by {error:.1e}, relative to its largest entry"
    return ""


def _flat(result: Any) -> list[Any]:
    """The arrays of a result, those of a named tuple one by one."""
    parts = result if isinstance(result, tuple) else (result,)
    return [a for part in parts for a in (part if isinstance(part, tuple) else (part,))]


def _ways(function: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
    """The function, and with its data in small blocks of rows where it takes large data so."""
    yield function
    names = function.__globals__
    if "rows_of_block" in names:
        before = names["rows_of_block"]
        names["rows_of_block"] = lambda *sizes: _ROWS
        try:
            yield function
        finally:
            names["rows_of_block"] = before


__all__ = ["examine"]
