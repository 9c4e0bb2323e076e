"""Arguments that a generated module refuses, before any arithmetic, and what it says."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

from tests.models.harness import SHIPPED, Subject, Values, draw, subject
from tests.models.tricky import SHORTER

ALL = pytest.mark.parametrize("name", SHIPPED)


def refused(found: Subject, values: Values, error: Any, match: str, argument: str = "") -> None:
    """Every function that takes the argument refuses the values."""
    module = found.module
    calls = [lambda: module.forward(**values), lambda: module.value_and_grad(**values)]
    taken = list(inspect.signature(module.predict).parameters) if found.outputs else []
    if argument in taken:
        calls.append(lambda: module.predict(**{n: values[n] for n in taken}))
    for call in calls:
        with pytest.raises(error, match=match):
            call()


def arrays_of(values: Values) -> list[str]:
    return [n for n, v in values.items() if isinstance(v, np.ndarray)]


@ALL
def test_missing_and_unknown(name: str) -> None:
    found = subject(name)
    values = draw(found)
    for missing in found.arguments:
        rest = {n: v for n, v in values.items() if n != missing}
        with pytest.raises(TypeError, match=missing):
            found.module.value_and_grad(**rest)
    with pytest.raises(TypeError):
        found.module.value_and_grad(**values, nobody=1)
    with pytest.raises(TypeError):
        found.module.forward(*values.values(), 1)


@ALL
def test_wrong_shapes(name: str) -> None:
    """The message names the argument, the declared shape and the given one."""
    found = subject(name)
    values = draw(found)
    for argument in found.arguments:
        value = values[argument]
        first = value[0] if isinstance(value, list) else value
        wrong = [np.zeros((2, *np.shape(first))), np.zeros((*np.shape(first), 1))]
        if np.ndim(first):
            wrong += [first[0], np.float64(1.0)]
        if np.ndim(first) > 1:
            wrong.append(np.ravel(first))
        for w in wrong:
            given = [w, *value[1:]] if isinstance(value, list) else w
            label = rf"{argument.rstrip('_')}(\[\d+\])?: expected shape .*; got "
            refused(found, {**values, argument: given}, ValueError, label, argument)


@ALL
def test_lengths_that_do_not_fit(name: str) -> None:
    found = subject(name)
    values = draw(found)
    seen: dict[Any, int] = {}
    for shapes in found.module.SHAPES.values():
        for shape in shapes if isinstance(shapes, list) else [shapes]:
            for d in shape:
                seen[d] = seen.get(d, 0) + 1
    for argument in arrays_of(values):
        shape = found.module.SHAPES[argument]
        for axis, d in enumerate(shape):
            if seen[d] > 1 or isinstance(d, int):
                longer = np.concatenate([values[argument]] * 2, axis=axis)
                refused(found, {**values, argument: longer}, ValueError, "expected shape")


@ALL
def test_wrong_types(name: str) -> None:
    found = subject(name)
    values = draw(found)
    for argument in found.arguments:
        value = values[argument]
        first = np.asarray(value[0] if isinstance(value, list) else value)
        for wrong in (first.astype(complex), first.astype(object), first.astype(str), first.astype("datetime64[s]")):
            given = [wrong, *value[1:]] if isinstance(value, list) else wrong
            refused(found, {**values, argument: given}, TypeError, argument.rstrip("_"), argument)
        given = [None, *value[1:]] if isinstance(value, list) else None
        refused(found, {**values, argument: given}, TypeError, argument.rstrip("_"), argument)


@ALL
def test_ragged_lists(name: str) -> None:
    """A list of rows of different lengths is no matrix."""
    found = subject(name)
    values = draw(found)
    for argument in arrays_of(values):
        if values[argument].ndim == 2 and min(values[argument].shape) > 1:
            rows = values[argument].tolist()
            rows[0] = rows[0][:-1]
            refused(found, {**values, argument: rows}, (ValueError, TypeError), argument.rstrip("_"), argument)


@ALL
def test_masked_entries(name: str) -> None:
    """Hidden entries are not silently used."""
    found = subject(name)
    values = draw(found)
    for argument in arrays_of(values):
        masked = np.ma.masked_array(values[argument], mask=False)
        masked[(0,) * masked.ndim] = np.ma.masked
        refused(found, {**values, argument: masked}, (ValueError, TypeError), argument.rstrip("_"), argument)


def test_lists_of_a_ragged_argument() -> None:
    found = subject("deep_mlp")
    values = draw(found)
    for wrong in (values["W"][:2], [*values["W"], values["W"][0]], values["W"][0], None, 3):
        refused(found, {**values, "W": wrong}, ValueError, "W: a list of 3 arrays expected", "W")
    tuples = {**values, "W": tuple(values["W"]), "b": tuple(values["b"])}
    assert found.module.forward(**tuples)[0] == found.module.forward(**values)[0]
    same = {**values, "b": np.array([values["b"][0]] * 3)}
    with pytest.raises(ValueError, match="b"):
        found.module.forward(**same)


@pytest.mark.parametrize(("d", "got"), [([2, 3, 4], "3 of them"), ([2, 3, 4, 5, 6], "5 of them"), (3, "<class 'int'>")])
def test_lists_of_a_ragged_dimension(d: Any, got: str) -> None:
    module = subject("deep_mlp").module
    for call in (lambda: module.init(0, d=d), lambda: module.workspace(n=7, d=d)):
        with pytest.raises(ValueError) as problem:
            call()
        assert str(problem.value) == f"d: a list of 4 numbers expected; got {got}"
    assert len(module.init(0, d=(2, 3, 4, 5)).W) == 3


def test_messages() -> None:
    module = subject("mlp").module
    values = draw(subject("mlp"))
    with pytest.raises(ValueError) as problem:
        module.forward(**{**values, "W2": np.zeros((7, 2))})
    assert str(problem.value) == "W2: expected shape m x k, m = 5 in W1, k = 2 in y; got (7, 2)"
    with pytest.raises(ValueError) as problem:
        module.forward(**{**values, "b1": np.zeros(5)})
    assert str(problem.value) == "b1: expected shape 1 x m, m = 5 in W1; got (5,)"
    module = subject("rnn").module
    values = draw(subject("rnn"))
    with pytest.raises(ValueError) as problem:
        module.forward(**{**values, "y": np.zeros((2, 4, 2))})
    assert str(problem.value) == "y: expected shape T x n x k, T = 3 in x, n = 4 in x; got (2, 4, 2)"


@ALL
def test_not_a_number_passes_through(name: str) -> None:
    """Data that are not numbers are not hidden: the loss says so."""
    found = subject(name)
    if name in ("gp_marginal_likelihood", "gaussian_nll"):
        return
    values = draw(found)
    for argument in found.inputs:
        if isinstance(values[argument], np.ndarray) and argument != "h0":
            spoiled = values[argument].copy()
            spoiled[...] = np.nan
            with np.errstate(all="ignore"):
                assert np.isnan(found.module.forward(**{**values, argument: spoiled})[0]), argument


def test_sequences_that_are_too_short() -> None:
    module = subject(f"model shorter\n{SHORTER['the last element of a loop from 2']}\noutput h\n").module
    B = np.zeros((2, 3))
    message = r"^T: at least 2 expected, for h\[T\] of h\[2\.\.T\]; got 1$"
    for call in (module.value_and_grad, module.forward, module.predict):
        call(np.zeros((2, 2, 3)), B)
        with pytest.raises(ValueError, match=message):
            call(np.zeros((1, 2, 3)), B)
