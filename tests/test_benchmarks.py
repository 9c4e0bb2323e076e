"""The implementations that the benchmarks of models compare: they agree before they are timed, here at small sizes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

if not (Path(__file__).parents[1] / "benchmarks" / "models").is_dir():
    pytest.skip("the benchmarks are not in this distribution", allow_module_level=True)
pytest.importorskip("scipy")

from benchmarks.models import floors, tensor_networks
from benchmarks.models.numpy_naive import build
from benchmarks.models.peers import tuned_builder
from benchmarks.models.report import versions
from benchmarks.models.runner import installed, interpreter
from benchmarks.models.sizes import WORKLOADS, Workload, arguments, data, deep, recurrent
from benchmarks.models.tape import MODELS as TAPES
from benchmarks.models.tape import build as tape

SMALL = {
    "mlp_deep": deep(6, 4, layers=3), "rnn_relu": recurrent(3, 2, 2, 3, 2), "rnn_tanh": recurrent(3, 5, 2, 4, 3),
    "lstm": recurrent(3, 5, 2, 4, 3), "gru": recurrent(3, 5, 2, 4, 3),
}  # fmt: skip
STEP = 1e-6


def dims(w: Workload) -> dict[str, Any]:
    return SMALL.get(w.model) or next(iter(w.sizes.values()))


def flat(grads: Any) -> Iterator[Any]:
    for g in grads:
        if isinstance(g, list | tuple):
            yield from flat(g)
        else:
            yield g


def same(found: Any, expected: Any, tolerance: float) -> None:
    if expected[0] is not None:
        assert found[0] == pytest.approx(expected[0], rel=tolerance)
    for ours, theirs in zip(flat(found[1]), flat(expected[1]), strict=True):
        assert ours.shape == theirs.shape and ours.dtype == theirs.dtype
        assert np.abs(ours - theirs).max() <= tolerance * (np.abs(theirs).max() + 1e-12)


@pytest.mark.parametrize("w", WORKLOADS, ids=lambda w: w.name)
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-10), ("float32", 1e-4)])
def test_tuned_is_naive(w: Workload, dtype: str, tolerance: float) -> None:
    args = data(w, dims(w), dtype)
    tuned = tuned_builder(w)(dims(w), dtype)
    expected = build(w)(*args)
    same(tuned(*args), expected, tolerance)
    same(tuned(*args), expected, tolerance)  # nothing is left over in the buffers


def test_tuned_is_naive_by_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.models.tuned_algebra.BLOCK", 1)  # 32 rows a block
    monkeypatch.setattr("benchmarks.models.tuned_algebra.GRAM", 0)
    for w in WORKLOADS:
        if "n" in dims(w):
            size = {**dims(w), "n": 131}
            args = data(w, size, "float64")
            same(tuned_builder(w)(size, "float64")(*args), build(w)(*args), 1e-9)


@pytest.mark.parametrize("w", [w for w in WORKLOADS if w.kind == "gradient"], ids=lambda w: w.name)
def test_naive_is_the_derivative(w: Workload) -> None:
    """Along a random direction, by central differences."""
    args, rng = data(w, dims(w), "float64"), np.random.default_rng(1)
    places = [i for i, a in enumerate(arguments(w)) if a.is_param]
    grads = dict(zip(places, build(w)(*args)[1], strict=True))
    plus, minus, expected = list(args), list(args), 0.0
    for i in places:
        lists = isinstance(args[i], list)
        for_each = list(zip(args[i] if lists else [args[i]], grads[i] if lists else [grads[i]], strict=True))
        directions = [rng.normal(size=x.shape) for x, _ in for_each]
        if arguments(w)[i].spd:
            directions = [D + D.T for D in directions]
        expected += sum(np.vdot(g, D) for (_, g), D in zip(for_each, directions, strict=True))
        for moved, sign in ((plus, STEP), (minus, -STEP)):
            values = [x + sign * D for (x, _), D in zip(for_each, directions, strict=True)]
            moved[i] = values if lists else values[0]
    found = (build(w)(*plus)[0] - build(w)(*minus)[0]) / (2 * STEP)
    assert found == pytest.approx(expected, rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("w", [w for w in WORKLOADS if w.kind != "gradient"], ids=lambda w: w.name)
def test_naive_is_the_second_derivative(w: Workload) -> None:
    args = data(w, dims(w), "float64")
    first = next(v for v in WORKLOADS if v.model == w.model and v.kind == "gradient")
    at = [a.name for a in arguments(w)].index(w.wrt)
    direction = args[-1] if w.kind == "hvp" else np.random.default_rng(1).normal(size=args[at].shape)
    names = [a.name for a in arguments(w) if a.is_param]

    def gradient(sign: float) -> Any:
        moved = [*args[:at], args[at] + sign * STEP * direction, *args[at + 1 : len(arguments(w))]]
        return build(first)(*moved)[1][names.index(w.wrt)]

    (result,) = build(w)(*args)[1]
    found = result if w.kind == "hvp" else result @ direction
    assert np.allclose((gradient(1) - gradient(-1)) / (2 * STEP), found, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("w", [w for w in WORKLOADS if w.name in TAPES], ids=lambda w: w.name)
def test_tape_is_naive(w: Workload) -> None:
    args = data(w, dims(w), "float64")
    same(tape(w, args)(), build(w)(*args), 1e-10)


@pytest.mark.parametrize("w", WORKLOADS, ids=lambda w: w.name)
def test_floor_runs(w: Workload) -> None:
    floors.build(w, dims(w), "float64")()


def test_a_peer_has_an_interpreter_of_its_own() -> None:
    assert interpreter(f"tensorgrad={sys.executable}") == ("tensorgrad", str(Path(sys.executable).absolute()))
    assert installed("numpy", sys.executable) and installed("numpy", None)
    assert not installed("no_such_module", sys.executable) and not installed("no_such_module", None)
    own = versions()
    assert versions({"tensorgrad": sys.executable, "tape": sys.executable}) == f"{own}; tensorgrad and tape: {own}"
    for wrong in ("tensorgrad", "tensorgrad=/no/such/python", f"nothing={sys.executable}"):
        with pytest.raises(argparse.ArgumentTypeError):
            interpreter(wrong)


def test_tensorgrad_has_every_loss() -> None:
    # what they come to is compared with naive code before they are timed
    assert {w.model for w in WORKLOADS} <= set(tensor_networks.LOSSES)
