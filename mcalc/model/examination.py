"""A generated module is examined before anybody sees it: beside the model as it stands, at random data.

In: a model, its adjoint program, the module; out: how well they agree, or a VerificationError. The loss is that of the
interpreted model, the gradients are those of the interpreted adjoint program, which knows nothing of stacking, lowering
and buffers, and along a random direction they are the slope of the interpreted loss; predictions are the outputs. Every
way through the module is taken: both phases, the backward phase twice, each order of products, and blocks of rows.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from mcalc.algebra.expr import Expr
from mcalc.algebra.operators import d as differential
from mcalc.algebra.operators import symbol
from mcalc.errors import McalcError, VerificationError
from mcalc.model.interpret import interpret_adjoint, loss_of, predict, shown
from mcalc.model.ir import Adjoint, Argument, Model
from mcalc.verify.sampling import STRATEGIES, floats

TOLERANCE = 1e-7
"""Of a loss and of gradients, relative to the largest entry: roundoff at small matrices is far below it."""

SLOPE_TOLERANCE = 1e-5
"""Of a slope, which central differences give."""

_STEPS = (1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
_SIZES = ((3, 2, 4, 5), (2, 3, 1, 4))
_LENGTHS = (3, 4)
_ROWS = 2
"""The rows of a block, where there are blocks."""

Values = dict[str, Any]
"""Arguments by their names in the model, in the form of the interface."""

Result = tuple[float, Values]
"""A loss, and gradients."""


class Examination(NamedTuple):
    """How a module compares with its model."""

    points: int
    """How many sets of data it was compared at; 0 where none was found at which the loss is finite."""
    error: float
    """The largest relative error of a loss or gradient."""


def examine(model: Model, adjoint: Adjoint, module: ModuleType) -> Examination:
    """Compares a module with the model that it was made of. Raises VerificationError where they differ."""
    points, worst = 0, 0.0
    for k in range(len(_SIZES)):
        sizes = _sizes(model, k)
        failures: list[str] = []
        successes = 0
        for seed, values, wanted in _finite(model, adjoint, sizes):
            error, failure = _compared(model, module, values, wanted)
            if not failure and not points:
                failure = _output_problem(model, module, values, sizes)
                failure = failure or _slope_problem(model, values, wanted, sizes, seed)
            if failure:
                failures.append(failure)
            else:
                successes += 1
                points, worst = points + 1, max(worst, error)
            if len(failures) == 2:
                raise VerificationError(
                    f"the module that was generated fails its check: {failures[0]}",
                    hint="it is not given; please report the model",
                )
            if successes > 2 * len(failures):  # one failure may be a kink, or an ill-conditioned matrix
                break
    return Examination(points, worst)


# --- data -------------------------------------------------------------------------------------------------------------


def _sizes(model: Model, turn: int) -> dict[str, int]:
    """Small sizes of the dimensions, of which neighbours differ; sequences have some elements."""
    cycle = itertools.cycle(_SIZES[turn])
    lengths = {n for row in model.sequences.values() for end in (row.first, row.last) for n in end.names()}
    names: dict[str, None] = {}
    for argument in model.arguments:
        for x in _symbols(model, argument):
            names.update(dict.fromkeys(n for size in x.shape for n in size.names()))
    return {name: _LENGTHS[turn] if name in lengths else next(cycle) for name in (*names, *sorted(lengths - {*names}))}


def _symbols(model: Model, argument: Argument) -> Sequence[Expr]:
    """The symbols of an argument; of a sequence, one for all of its elements."""
    row = model.sequences.get(argument.name)
    return argument.symbols if row is None else (symbol(argument.name, row.shape, row.properties),)


def _drawn(model: Model, arguments: Sequence[Argument], sizes: Mapping[str, int], seed: int, change: bool) -> Values:
    """Random values of arguments of the structure that was declared, or random changes of them.

    Of unstructured ones, by the seed: of any sign, positive, small, well conditioned, …
    """
    values: Values = {}
    for argument in arguments:
        row = model.sequences.get(argument.name)
        count = 1 if row is None else row.last.value(sizes) - row.first.value(sizes) + 1
        found = []
        for x in _symbols(model, argument):
            e = differential(x) if change else x
            drawn = floats((e,), sizes, count, seed, strategies=(seed % len(STRATEGIES),))[e]
            elements = [shown(a[None], x.shape) for a in drawn]
            found.append(elements[0] if row is None else np.array(elements))
        values[argument.name] = found if argument.ragged else found[0]
    return values


def _finite(model: Model, adjoint: Adjoint, sizes: Mapping[str, int]) -> Iterator[tuple[int, Values, Result]]:
    """Seeds, data at which the loss and the gradients are finite, and these."""
    for seed in range(2 * len(STRATEGIES)):
        values = _drawn(model, model.arguments, sizes, seed, False)
        try:
            with np.errstate(all="ignore"):
                loss, gradients = interpret_adjoint(adjoint, values, sizes)
        except np.linalg.LinAlgError:
            continue
        except McalcError as problem:
            if _is_defined(model, values, sizes):
                raise VerificationError(
                    f"the backward phase that was derived fails its check: {problem.message}",
                    hint="no module is given; please report the model",
                ) from problem
            continue
        if np.isfinite(loss) and all(np.isfinite(g).all() for value in gradients.values() for g in _parts(value)):
            yield seed, values, (loss, gradients)


def _is_defined(model: Model, values: Values, sizes: Mapping[str, int]) -> bool:
    """Whether the loss has a value: at some sizes a model may read what no iteration has defined."""
    try:
        with np.errstate(all="ignore"):
            loss_of(model, values, sizes)
    except (McalcError, np.linalg.LinAlgError):
        return False
    return True


# --- comparison -------------------------------------------------------------------------------------------------------


def _compared(model: Model, module: ModuleType, values: Values, wanted: Result) -> tuple[float, str]:
    """The largest relative error of all ways to call the module, and what is wrong, if anything is."""
    worst = 0.0
    entries = [wanted[0], *(g for value in wanted[1].values() for g in _parts(value))]
    least = 1e-3 * max(float(np.abs(x).max(initial=0)) for x in entries)
    for call in _ways(module):
        try:
            with np.errstate(all="ignore"):
                loss, gradients = call(*values.values())
        except Exception as problem:
            return np.inf, f"it stops with {type(problem).__name__}: {problem}"
        error = difference(loss, wanted[0], least)
        if not error <= TOLERANCE:
            return error, f"the loss is {loss:.9g}, that of the model {wanted[0]:.9g}"
        worst = max(worst, error)
        for argument, gradient in zip(model.parameters, gradients, strict=True):
            error = difference(gradient, wanted[1][argument.name], least)
            if not error <= TOLERANCE:
                return error, f"the gradient of {argument.name} is off by {error:.1e}, relative to its largest entry"
            worst = max(worst, error)
    return worst, ""


def _output_problem(model: Model, module: ModuleType, values: Values, sizes: Mapping[str, int]) -> str:
    """What is wrong with the predictions, if anything is."""
    if not model.outputs:
        return ""
    given = dict(zip(module.SHAPES, values.values(), strict=True))
    code = module.predict.__code__
    with np.errstate(all="ignore"):
        try:
            got = module.predict(*(given[name] for name in code.co_varnames[: code.co_argcount]))
        except Exception as problem:
            return f"predict stops with {type(problem).__name__}: {problem}"
        wanted = predict(model, values, sizes)
    for name, value in zip(model.outputs, got if len(model.outputs) > 1 else (got,), strict=True):
        finite = all(np.isfinite(w).all() for w in _parts(wanted[name]))
        error = difference(value, wanted[name], 1.0)
        if finite and not error <= TOLERANCE:
            return f"the output {name} is off by {error:.1e}"
    return ""


def _ways(module: ModuleType) -> Iterator[Callable[..., tuple[float, Any]]]:
    """The ways to call a module: with the memory of both phases shared and apart, and all of them in every order."""

    def in_two_phases(*arguments: Any) -> tuple[float, Any]:
        loss, cache = module.forward(*arguments)
        module.backward(cache)
        return loss, module.backward(cache)

    def at_once(*arguments: Any) -> tuple[float, Any]:
        found: tuple[float, Any] = module.value_and_grad(*arguments)
        return found

    yield at_once
    yield in_two_phases
    for name in ("ORDERS", "FORMS"):
        table = getattr(module, name, {})
        for chosen in {id(case): case for case in table.values()}.values():
            with _instead(module, **{name: dict.fromkeys(table, chosen)}, KEPT=[]):
                yield at_once
    if hasattr(module, "rows_of_block"):
        with _instead(module, BLOCK_BYTES=0, rows_of_block=lambda *sizes: _ROWS, KEPT=[]):
            yield at_once


@contextmanager
def _instead(module: ModuleType, **attributes: object) -> Iterator[None]:
    """The module with other values of its constants."""
    before = {name: getattr(module, name) for name in attributes}
    for name, value in attributes.items():
        setattr(module, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(module, name, value)


def _slope_problem(model: Model, values: Values, wanted: Result, sizes: Mapping[str, int], seed: int) -> str:
    """What is wrong where the gradients are not the slope of the loss of the model as it was read.

    Along a random direction, by central differences; of several steps the best counts.
    """
    D = _drawn(model, model.parameters, sizes, seed, True)
    pairs = ((_parts(wanted[1][name]), _parts(D[name])) for name in D)
    found = sum(float(np.sum(g * c)) for gs, cs in pairs for g, c in zip(gs, cs, strict=True))

    def at(step: float) -> float:
        moved = {name: _moved(values[name], D[name], step) for name in D}
        with np.errstate(all="ignore"):
            return loss_of(model, {**values, **moved}, sizes)

    if not difference(loss := at(0.0), wanted[0], abs(found)) <= TOLERANCE:
        return f"the loss of the model is {loss:.9g}, and the adjoint program computes {wanted[0]:.9g}"
    slope = 0.0
    for step in _STEPS:
        slope = (at(step) - at(-step)) / (2 * step)
        scale = max(abs(slope), abs(found), 1e-3 * abs(loss))
        if abs(slope - found) <= SLOPE_TOLERANCE * scale:
            return ""
    return f"along a direction the loss has the slope {slope:.6g}, and by the gradients {found:.6g}"


def _moved(value: Any, change: Any, step: float) -> Any:
    if isinstance(value, list):
        return [v + step * c for v, c in zip(value, change, strict=True)]
    return value + step * change


def _parts(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def difference(got: Any, wanted: Any, least: float) -> float:
    """The largest difference of two values, relative to the largest entry, or to `least` where that is larger.

    Infinite where their forms differ.
    """
    worst = 0.0
    gots, wanteds = _parts(got), _parts(wanted)
    if len(gots) != len(wanteds):
        return np.inf
    for g, w in zip(gots, wanteds, strict=True):
        if np.shape(g) != np.shape(w):
            return np.inf
        error = float(np.abs(np.asarray(g) - w).max(initial=0))
        if error:
            error /= max(least, float(np.abs(w).max(initial=0)))
            worst = max(worst, error if math.isfinite(error) else np.inf)
    return worst


__all__ = ["TOLERANCE", "Examination", "difference", "examine"]
