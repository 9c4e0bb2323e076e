"""One model, examined: its generated module beside the interpreter and central differences.

In: the text of a model (or the name of a shipped one) and sizes; out: nothing, or an AssertionError.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np

from mcalc.algebra.shape import ONE, Dim, dim
from mcalc.frontend.model import read_model
from mcalc.generation import Generated, generate
from mcalc.model.interpret import interpret, interpret_adjoint, predict
from mcalc.model.ir import Adjoint, Argument, Model
from mcalc.model.library import names, source
from mcalc.model.reverse import reverse

SHIPPED = names()
SIZES = {"n": 4, "d": 3, "m": 5, "k": 2, "T": 3, "p": 2, "q": 3, "d[0]": 3, "d[1]": 4, "d[2]": 2, "d[3]": 5}
Values = dict[str, Any]
"""Arguments by their Python names, in order."""


@dataclass(frozen=True)
class Subject:
    """A model that was read and its module."""

    model: Model
    made: Generated
    adjoint: Adjoint

    @property
    def module(self) -> ModuleType:
        return self.made.module

    @property
    def arguments(self) -> tuple[str, ...]:
        """The Python names of the arguments."""
        return tuple(self.module.SHAPES)

    @property
    def parameters(self) -> tuple[str, ...]:
        return tuple(self.module.Parameters._fields)

    @property
    def inputs(self) -> tuple[str, ...]:
        return tuple(name for name in self.arguments if name not in self.parameters)

    @property
    def outputs(self) -> tuple[str, ...]:
        return self.model.outputs

    def declared(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments by their names in the model."""
        return {a.name: values[python] for a, python in zip(self.model.arguments, self.arguments, strict=True)}


@cache
def subject(text: str) -> Subject:
    """A shipped model by its name, or the model of a text."""
    model = read_model(text if "\n" in text else source(text))
    return Subject(model, generate(text, verify=False), reverse(model))


# --- data -------------------------------------------------------------------------------------------------------------


def dimensions(model: Model) -> list[str]:
    """The dimensions of the arguments, in order."""
    found: dict[str, None] = {}
    for argument in model.arguments:
        for axes in axes_of(model, argument):
            found.update(dict.fromkeys(n for d in axes for n in d.names()))
    return list(found)


def axes_of(model: Model, argument: Argument) -> list[tuple[Dim, ...]]:
    """The axes of the arrays of an argument."""
    if argument.name in model.sequences:
        found = model.sequences[argument.name]
        return [(found.last + dim(-1) * found.first + dim(1), *_flat(found.shape))]
    return [_flat(s.shape) for s in argument.symbols]


def _flat(shape: tuple[Dim, Dim]) -> tuple[Dim, ...]:
    return () if shape == (ONE, ONE) else shape[:1] if shape[1] is ONE else shape


def properties(model: Model, argument: Argument) -> frozenset[str]:
    if argument.name in model.sequences:
        return model.sequences[argument.name].properties
    return frozenset(argument.symbols[0].attrs[1])


def draw(found: Subject, seed: int = 0, sizes: Mapping[str, int] | None = None, scale: float = 1.0) -> Values:
    """Random arguments, with the structure that was declared."""
    rng = np.random.default_rng(seed)
    known = dict.fromkeys(dimensions(found.model), 3) | SIZES | dict(sizes or {})
    values: Values = {}
    for argument, python in zip(found.model.arguments, found.arguments, strict=True):
        words = properties(found.model, argument)
        arrays = []
        for axes in axes_of(found.model, argument):
            array = scale * rng.standard_normal([d.value(known) for d in axes])
            arrays.append(shaped(array, words, rng) if axes else float(shaped(array, words, rng)))
        values[python] = arrays if argument.ragged else arrays[0]
    return values


def shaped(array: Any, words: frozenset[str], rng: np.random.Generator) -> Any:
    """A matrix of the structure that the words name, from any matrix; of a sequence, one after another."""
    if np.ndim(array) == 3:
        return np.array([shaped(a, words, rng) for a in array]).reshape(array.shape)
    if "positive" in words:
        array = np.abs(array) + 0.2
    if words & {"spd", "psd"}:
        array = array @ array.T / len(array) + np.eye(len(array))
    if "symmetric" in words:
        array = (array + array.T) / 2
    if "skew" in words:
        array = (array - array.T) / 2
    if "diagonal" in words:
        array = np.diag(np.diag(array) + 2)
    if "lower" in words:
        array = np.tril(array) + 2 * np.eye(len(array))
    if "upper" in words:
        array = np.triu(array) + 2 * np.eye(len(array))
    if "orthogonal" in words:
        array = np.linalg.qr(array)[0]
    if "invertible" in words:
        array = array + 3 * np.eye(len(array))
    return array


def direction(array: Any, words: frozenset[str], rng: np.random.Generator) -> Any:
    """A random step that keeps the structure."""
    if np.ndim(array) == 3:
        return np.array([direction(a, words, rng) for a in array]).reshape(np.shape(array))
    step = rng.standard_normal(np.shape(array))
    if words & {"spd", "psd", "symmetric"}:
        step = (step + step.T) / 2
    if "skew" in words:
        step = (step - step.T) / 2
    if "diagonal" in words:
        step = np.diag(np.diag(step))
    if "lower" in words:
        step = np.tril(step)
    return np.triu(step) if "upper" in words else step


def parts(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


# --- comparison -------------------------------------------------------------------------------------------------------


def close(got: Any, wanted: Any, tolerance: float = 1e-10, what: str = "") -> None:
    """Equal shapes, and values to a relative tolerance (of the largest entry, and of 1)."""
    gots, wanteds = parts(got), parts(wanted)
    assert len(gots) == len(wanteds), what
    for g, w in zip(gots, wanteds, strict=True):
        assert np.shape(g) == np.shape(w), f"{what}: {np.shape(g)}, not {np.shape(w)}"
        g, w = np.asarray(g, float), np.asarray(w, float)
        assert np.array_equal(np.isnan(g), np.isnan(w)), f"{what}: {g}, not {w}"
        size = max(1.0, float(np.nanmax(np.abs(w), initial=0)))
        error = float(np.nanmax(np.abs(g - w), initial=0)) / size
        assert error <= tolerance, f"{what}: off by {error:.1e}\n{g}\nnot\n{w}"


def same(got: Any, wanted: Any, what: str = "") -> None:
    """Equal to the last bit, but for the order of sums."""
    close(got, wanted, 1e-13, what)


def frozen(values: Any) -> Any:
    """A copy; the original can no longer be written to."""
    if isinstance(values, Mapping):
        return {name: frozen(v) for name, v in values.items()}
    if isinstance(values, list):
        return [frozen(v) for v in values]
    return np.array(values) if isinstance(values, np.ndarray) else values


def as_type(values: Values, dtype: Any) -> Values:
    def change(v: Any) -> Any:
        return [change(x) for x in v] if isinstance(v, list) else np.asarray(v, dtype)[()]

    return {name: change(v) for name, v in values.items()}


def arrays(value: Any) -> list[np.ndarray]:
    """All arrays in a value."""
    if isinstance(value, np.ndarray):
        return [value]
    if isinstance(value, list | tuple):
        return [a for v in value for a in arrays(v)]
    return [a for v in value.values() for a in arrays(v)] if isinstance(value, Mapping) else []


# --- the examination --------------------------------------------------------------------------------------------------


def examine(
    text: str, sizes: Mapping[str, int] | None = None, seed: int = 0, scale: float = 1.0, smooth: bool = True
) -> Subject:
    """Everything that holds for every module, at random data; differences only where the model is `smooth`."""
    found = subject(text)
    values = draw(found, seed, sizes, scale)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _values(found, values, smooth)
        _uses(found, values, draw(found, seed + 1, sizes, scale))
        _single(found, values)
        if smooth:
            _checked(text)
    return found


@cache
def _checked(text: str) -> None:
    """The module's own check, which has sizes of its own."""
    with contextlib.redirect_stdout(io.StringIO()):
        subject(text).module.check_gradients(directions=1)


def _values(found: Subject, values: Values, smooth: bool) -> None:
    module, given = found.module, found.declared(values)
    before = frozen(values)
    loss, gradients = module.value_and_grad(**values)
    assert type(loss) is float
    close(loss, float(interpret(found.model, given)[found.model.loss.name]), what="loss")
    _, wanted = interpret_adjoint(found.adjoint, given)
    for argument, name, gradient in zip(found.model.parameters, found.parameters, gradients, strict=True):
        close(gradient, wanted[argument.name], what=f"gradient of {name}")
        for g, v in zip(parts(gradient), parts(values[name]), strict=True):
            assert np.shape(g) == np.shape(v) and g.dtype == np.float64, name
            assert isinstance(g, np.ndarray if np.shape(v) else np.generic), name
    if smooth:
        differences(found, values, gradients)
    if found.outputs:
        for name, got, want in zip(found.outputs, predicted(found, values), outputs(found, values), strict=True):
            close(got, want, what=f"output {name}")
    for name in values:
        same(values[name], before[name], f"{name} was modified")
    given_arrays, made = arrays(values), arrays(tuple(gradients))
    made += arrays(predicted(found, values)) if found.outputs else []
    assert not any(np.shares_memory(a, b) for a in given_arrays for b in made), "memory of an input is given back"
    for i, a in enumerate(arrays(tuple(gradients))):
        assert not any(np.shares_memory(a, b) for b in arrays(tuple(gradients))[:i]), "two gradients are one array"
        assert not any(np.shares_memory(a, b) for b in arrays(module.KEPT)), "memory of the next call is given back"


def predicted(found: Subject, values: Values) -> tuple[Any, ...]:
    predictor = found.module.predict
    got = predictor(**{n: values[n] for n in predictor.__code__.co_varnames[: predictor.__code__.co_argcount]})
    return got if len(found.outputs) > 1 else (got,)


def outputs(found: Subject, values: Values) -> list[Any]:
    wanted = predict(found.model, found.declared(values))
    return [wanted[name] for name in found.outputs]


def differences(
    found: Subject, values: Values, gradients: Sequence[Any], seed: int = 0, tolerance: float = 2e-6
) -> None:
    """The gradients against central differences of the interpreted loss (of order 4)."""
    rng = np.random.default_rng(seed)

    def loss(name: str, direction_: list[Any], step: float) -> float:
        ragged = isinstance(values[name], list)
        there = [v + step * d for v, d in zip(parts(values[name]), direction_, strict=True)]
        moved = found.declared({**values, name: there if ragged else there[0]})
        return float(interpret(found.model, moved)[found.model.loss.name])

    for argument, name, gradient in zip(found.model.parameters, found.parameters, gradients, strict=True):
        words = properties(found.model, argument)
        step = [direction(v, words, rng) for v in parts(values[name])]
        h = 1e-3
        near = loss(name, step, h) - loss(name, step, -h)
        slope = (8 * near - loss(name, step, 2 * h) + loss(name, step, -2 * h)) / (12 * h)
        got = sum(float(np.sum(g * s)) for g, s in zip(parts(gradient), step, strict=True))
        size = max(1.0, abs(slope), *(float(np.max(np.abs(g), initial=0)) for g in parts(gradient)))
        assert abs(got - slope) <= tolerance * size, f"gradient of {name}: {got} along a line, differences say {slope}"


def _uses(found: Subject, values: Values, other: Values) -> None:
    """wrt, workspaces, forward and backward: all ways give what one call gives."""
    module = found.module
    loss, gradients = module.value_and_grad(**values)
    gradients = frozen(list(gradients))
    first, cache_ = module.forward(*values.values())
    second, other_cache = module.forward(**other)
    same(first, loss, "loss of forward")
    for _ in range(2):
        for name, got, want in zip(found.parameters, module.backward(cache_), gradients, strict=True):
            same(got, want, f"backward of the first of two forwards, {name}")
    other_loss, other_gradients = module.value_and_grad(**other)
    same(second, other_loss)
    for name, got, want in zip(found.parameters, module.backward(other_cache), other_gradients, strict=True):
        same(got, want, f"backward of the second, {name}")
    for i, name in enumerate(found.parameters):
        pair = (name, found.parameters[(i + 1) % len(found.parameters)])
        for wrt in ((name,), list(pair)):
            got_loss, got = module.value_and_grad(**values, wrt=wrt)
            same(got_loss, loss)
            for n, g, want in zip(found.parameters, got, gradients, strict=True):
                if n in wrt:
                    same(g, want, f"wrt={wrt}: {n}")
                elif g is not None:
                    same(g, want, f"wrt={wrt}: {n}, not asked for")
    with_workspace(found, values, other)


def workspace_of(found: Subject, values: Values, dtype: Any = np.float64) -> Any:
    """A workspace for these values."""
    sizes = sizes_of(found, values)
    given: dict[str, Any] = {}
    for name in found.module.DIMENSIONS:
        family = sorted((int(n.partition("[")[2][:-1]), v) for n, v in sizes.items() if n.startswith(f"{name}["))
        given[name] = [v for _, v in family] if family else sizes[name]
    return found.module.workspace(**given, dtype=dtype)


def sizes_of(found: Subject, values: Values) -> dict[str, int]:
    """The dimensions by their Python names."""
    from mcalc.model.interpret import Run

    known = Run(found.model, found.declared(values)).sizes
    order = dimensions(found.model)
    plain = [n for n in order if "[" not in n]
    python = [n for n in found.module.DIMENSIONS if not any(o.startswith(f"{n}[") for o in order)]
    return {p: known[n] for n, p in zip(plain, python, strict=True)} | {n: known[n] for n in order if "[" in n}


def with_workspace(found: Subject, values: Values, other: Values) -> None:
    module = found.module
    ws = workspace_of(found, values)
    for data in (values, other, values):
        loss, gradients = module.value_and_grad(**data)
        got_loss, got = module.value_and_grad(**data, workspace=ws)
        same(got_loss, loss, "loss with a workspace")
        for name, g, want in zip(found.parameters, got, gradients, strict=True):
            same(g, want, f"with a workspace: {name}")
    for name in found.parameters:
        _, got = module.value_and_grad(**other, workspace=ws, wrt=(name,))
        same(got._asdict()[name], module.value_and_grad(**other)[1]._asdict()[name], f"workspace and wrt={name}")


def _single(found: Subject, values: Values) -> None:
    """float32 in, float32 out; a number beside arrays has no precision."""
    single = as_type(values, np.float32)
    exact_loss, exact = found.module.value_and_grad(**as_type(single, np.float64))
    size = max([1.0, abs(exact_loss), *(float(np.max(np.abs(g), initial=0)) for a in exact for g in parts(a))])
    tables = [single]
    if any(isinstance(v, np.ndarray) for v in arrays(values)):
        tables.append({n: float(v) if isinstance(v, np.generic) else v for n, v in single.items()})
    for given in tables:
        loss, gradients = found.module.value_and_grad(**given)
        assert type(loss) is float
        assert abs(loss - exact_loss) <= 1e-3 * size, "loss in float32"
        for name, gradient, want in zip(found.parameters, gradients, exact, strict=True):
            for g, w in zip(parts(gradient), parts(want), strict=True):
                assert g.dtype == np.float32, f"{name}: {g.dtype}"
                assert np.max(np.abs(g - w), initial=0) <= 1e-3 * size, f"{name} in float32"
        if found.outputs:
            for name, got in zip(found.outputs, predicted(found, given), strict=True):
                for a in arrays([got]):
                    assert a.dtype == np.float32, f"output {name}: {a.dtype}"
