"""What MODELS promise of a generated module, for every shipped model."""

from __future__ import annotations

import inspect
import itertools
import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.models.harness import (
    SHIPPED,
    Subject,
    Values,
    arrays,
    as_type,
    close,
    draw,
    frozen,
    parts,
    predicted,
    sizes_of,
    subject,
    workspace_of,
)

ALL = pytest.mark.parametrize("name", SHIPPED)


def results(found: Subject, values: Values, **options: Any) -> list[Any]:
    """Loss, gradients and outputs."""
    loss, gradients = found.module.value_and_grad(**values, **options)
    return [loss, *gradients, *(predicted(found, values) if found.outputs else ())]


def agree(got: list[Any], wanted: list[Any], tolerance: float = 1e-12) -> None:
    for g, w in zip(got, wanted, strict=True):
        close(g, w, tolerance)


def mapped(values: Values, change: Callable[[np.ndarray], Any]) -> Values:
    """Every array changed, numbers as they are."""

    def one(v: Any) -> Any:
        return [one(x) for x in v] if isinstance(v, list) else change(v) if isinstance(v, np.ndarray) else v

    return {n: one(v) for n, v in values.items()}


# --- the parts of a module --------------------------------------------------------------------------------------------


@ALL
def test_signatures(name: str) -> None:
    found = subject(name)
    module = found.module
    for function in (module.forward, module.value_and_grad):
        signature = inspect.signature(function).parameters
        plain = [n for n, p in signature.items() if p.kind is p.POSITIONAL_OR_KEYWORD and p.default is p.empty]
        assert tuple(plain) == found.arguments
    options = inspect.signature(module.value_and_grad).parameters
    assert [n for n, p in options.items() if p.kind is p.KEYWORD_ONLY] == ["wrt", "workspace"]
    assert list(inspect.signature(module.backward).parameters) == ["cache"]
    assert module.Gradients._fields == module.Parameters._fields
    assert set(module.SHAPES) == set(found.arguments)
    taken = list(inspect.signature(module.workspace).parameters.values())
    assert [p.name for p in taken] == [*module.DIMENSIONS, "dtype"]
    assert all(p.kind is p.KEYWORD_ONLY for p in taken)
    if found.outputs:
        given = list(inspect.signature(module.predict).parameters)
        assert given == [n for n in found.arguments if n in given]


@ALL
def test_shapes_are_those_of_the_data(name: str) -> None:
    found = subject(name)
    values, sizes = draw(found), None
    sizes = sizes_of(found, values)
    for argument, declared in found.module.SHAPES.items():
        shapes = declared if isinstance(declared, list) else [declared]
        for shape, value in zip(shapes, parts(values[argument]), strict=True):
            lengths = tuple(
                d if isinstance(d, int) else eval(d, {}, sizes) if "[" not in d else sizes[d] for d in shape
            )
            assert lengths == np.shape(value), argument


@ALL
def test_keywords_and_positions(name: str) -> None:
    found = subject(name)
    values = draw(found)
    loss, gradients = found.module.value_and_grad(*values.values())
    agree([loss, *gradients], results(found, values)[: 1 + len(gradients)])
    shuffled = dict(reversed(list(values.items())))
    agree(results(found, shuffled), results(found, values))
    first, cache = found.module.forward(**values)
    assert type(first) is float
    assert isinstance(found.module.backward(cache), found.module.Gradients)


@ALL
def test_init(name: str) -> None:
    found = subject(name)
    module = found.module
    sizes = sizes_of(found, draw(found))
    wanted: dict[str, Any] = {}
    for p in list(inspect.signature(module.init).parameters.values())[1:]:
        assert p.kind is p.KEYWORD_ONLY
        family = [sizes[n] for n in sorted(sizes) if n.startswith(f"{p.name}[")]
        wanted[p.name] = family or sizes[p.name]
    made = module.init(3, **wanted)
    assert isinstance(made, module.Parameters)
    agree(list(made), list(module.init(seed=3, **wanted)), 0)
    values = draw(found)
    for field, value in made._asdict().items():
        for a, b in zip(parts(value), parts(values[field]), strict=True):
            assert np.shape(a) == np.shape(b), field
    loss, gradients = module.value_and_grad(**{**values, **made._asdict()})
    assert np.isfinite(loss)
    assert all(np.all(np.isfinite(a)) for g in gradients for a in parts(g))
    other = module.init(4, **wanted)
    drawn = [a for a in arrays(list(made)) if np.std(a) > 0 and not np.array_equal(a, np.eye(len(a)))]
    assert not drawn or any(
        not np.array_equal(a, b) for a, b in zip(arrays(list(made)), arrays(list(other)), strict=True)
    )


# --- precision --------------------------------------------------------------------------------------------------------


@ALL
def test_single_precision(name: str) -> None:
    found = subject(name)
    values = as_type(draw(found), np.float32)
    loss, gradients = found.module.value_and_grad(**values)
    assert type(loss) is float
    assert all(a.dtype == np.float32 for g in gradients for a in parts(g))
    ws = workspace_of(found, values, np.float32)
    agree([*found.module.value_and_grad(**values, workspace=ws)[1]], list(gradients), 1e-6)
    for a in arrays(list(predicted(found, values)) if found.outputs else []):
        assert a.dtype == np.float32


@ALL
def test_mixed_precision_is_double(name: str) -> None:
    found = subject(name)
    values = as_type(draw(found), np.float32)
    held = [n for n in found.arguments if arrays([values[n]])]
    if len(arrays(list(values.values()))) < 2:
        return
    values[held[0]] = as_type({"": values[held[0]]}, np.float64)[""]
    _, gradients = found.module.value_and_grad(**values)
    assert all(a.dtype == np.float64 for g in gradients for a in parts(g))


@ALL
def test_half_and_extended_precision(name: str) -> None:
    """Half is computed in single, extended in double; both are accepted."""
    found = subject(name)
    values = draw(found)
    wanted = results(found, values)
    agree(results(found, as_type(values, np.longdouble)), wanted)
    agree(results(found, as_type(draw(found, scale=0.5), np.float16)), results(found, draw(found, scale=0.5)), 5e-2)


# --- what is accepted -------------------------------------------------------------------------------------------------

LAYOUTS: dict[str, Callable[[np.ndarray], Any]] = {
    "lists": lambda a: a.tolist(),
    "tuples": lambda a: tuple(a.tolist()),
    "columns first": np.asfortranarray,
    "strided": lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
    "reversed": lambda a: a[::-1].copy()[::-1],
    "read-only": lambda a: frozen_array(a),
    "big-endian": lambda a: a.astype(">f8"),
    "broadcast": lambda a: np.broadcast_to(a, (2, *a.shape))[1],
    "matrix": lambda a: np.matrix(a) if a.ndim == 2 else a,
    "masked, nothing hidden": lambda a: np.ma.masked_array(a),
}


def frozen_array(a: np.ndarray) -> np.ndarray:
    b = a.copy()
    b.flags.writeable = False
    return b


@pytest.mark.parametrize("layout", LAYOUTS)
@ALL
def test_layouts(name: str, layout: str) -> None:
    found = subject(name)
    values = draw(found)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        got = results(found, mapped(values, LAYOUTS[layout]))
        agree(got, results(found, values))
        assert all(type(a) is np.ndarray for a in arrays(got))


@ALL
def test_layouts_with_a_workspace(name: str) -> None:
    found = subject(name)
    values = draw(found)
    ws = workspace_of(found, values)
    wanted = results(found, values)
    for layout in ("columns first", "strided", "reversed"):
        agree(results(found, mapped(values, LAYOUTS[layout]), workspace=ws), wanted)


@ALL
def test_integers(name: str) -> None:
    found = subject(name)
    values = mapped(draw(found), lambda a: np.rint(a).astype(int) + 4 * (np.eye(len(a), dtype=int) if square(a) else 0))
    agree(results(found, values), results(found, as_type(values, np.float64)))


def square(a: np.ndarray) -> bool:
    return a.ndim == 2 and a.shape[0] == a.shape[1] and np.allclose(a, a.T)


@ALL
def test_numbers_of_every_kind(name: str) -> None:
    found = subject(name)
    values = draw(found)
    for kind in (float, np.float64, np.float32, np.asarray, np.longdouble):
        given = {n: kind(v) if isinstance(v, float) else v for n, v in values.items()}
        got = results(found, given)
        agree(got, results(found, {n: float(v) if isinstance(v, float) else v for n, v in given.items()}), 1e-5)
        gradient = found.module.value_and_grad(**given)[1]
        if any(isinstance(v, np.ndarray) for v in arrays(values)):
            assert all(a.dtype == np.float64 for g in gradient for a in parts(g))


@ALL
def test_inputs_are_never_modified(name: str) -> None:
    found = subject(name)
    values = draw(found)
    before = frozen(values)
    ws = workspace_of(found, values)
    results(found, values)
    results(found, values, workspace=ws)
    _, cache = found.module.forward(**values)
    found.module.backward(cache)
    for n in values:
        close(values[n], before[n], 0, n)
    read_only = mapped(values, frozen_array)
    agree(results(found, read_only, workspace=ws), results(found, values))


@ALL
def test_results_are_nobody_elses_memory(name: str) -> None:
    found = subject(name)
    values = draw(found)
    for made in (results(found, values), [*found.module.backward(found.module.forward(**values)[1])]):
        for a, b in itertools.product(arrays(made), arrays(values)):
            assert not np.shares_memory(a, b)
    _, gradients = found.module.value_and_grad(**values)
    kept = frozen(list(gradients))
    for a in arrays(list(gradients)):
        a[...] = 7
    agree(list(found.module.value_and_grad(**values)[1]), kept)


@ALL
def test_no_observations(name: str) -> None:
    """n = 0: where nothing is divided by n, nothing happens; else Python says what is wrong."""
    found = subject(name)
    if "n" not in found.module.DIMENSIONS or name in ("gp_marginal_likelihood", "attention"):
        return
    values = draw(found, sizes={"n": 0})
    if re.search(r"/ \(?n\b", found.model.text):
        with pytest.raises(ZeroDivisionError), np.errstate(all="ignore"):
            found.module.value_and_grad(**values)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        got = results(found, values)
    assert np.isfinite(got[0])
    for g, v in zip(got[1:], (values[n] for n in found.parameters), strict=False):
        assert [np.shape(a) for a in parts(g)] == [np.shape(a) for a in parts(v)]
