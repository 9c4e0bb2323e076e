"""Generated value and gradient of textbook expressions: against central differences along a random direction."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcalc.algebra.expr import symbols
from mcalc.backends.numpy.module import compiled
from mcalc.backends.numpy.values import value_and_grad_module
from mcalc.frontend import parse
from tests.backends import dense, rig

ENTRIES = [
    entry
    for name in ("learning", "cookbook")
    for entry in json.loads(
        (Path(__file__).resolve().parents[1] / "corpus" / "derivatives" / f"{name}.json").read_text(encoding="utf-8")
    )
    if entry["kind"] == "gradient"
]


def projected(direction: Any, properties: frozenset[str]) -> Any:
    """A direction in which a structured variable may move."""
    if properties & {"symmetric", "spd", "psd"}:
        return (direction + direction.T) / 2
    if "skew" in properties:
        return (direction - direction.T) / 2
    if "diagonal" in properties:
        return np.diag(np.diag(direction))
    return np.tril(direction) if "lower" in properties else direction


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: str(entry["id"]))
def test_gradient(entry: dict[str, Any]) -> None:
    parsed = parse(entry["expression"], where=entry["where"], wrt=entry["wrt"])
    x = parsed.wrt[0]
    gradient = parse(entry["expected"], where=entry["where"], shape=x.shape).expression
    arguments = list(dict.fromkeys([*symbols(parsed.expression, gradient), x]))
    function = compiled(value_and_grad_module(parsed.expression, {x: gradient}, arguments=arguments), "value_and_grad")
    for seed in range(8):
        values, _ = rig.samples(
            [parsed.expression, gradient, x], seed, entry.get("dims"), entry.get("positive_domain", ())
        )

        def at(step: float, values: dict[str, Any] = values, direction: Any = None) -> Any:
            moved = {**values, x.name: values[x.name] + (0 if direction is None else step * direction)}
            return function(*(np.asarray(dense.stored(s, moved[s.name]))[()] for s in arguments))

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value, grad = at(0.0)
            if not (np.isfinite(value) and np.all(np.isfinite(grad))):
                continue
        direction = projected(np.random.default_rng(seed).normal(size=values[x.name].shape), x.attrs[1])
        h = 1e-5
        difference = (at(h, direction=direction)[0] - at(-h, direction=direction)[0]) / (2 * h)
        slope = float(np.sum(np.asarray(grad) * dense.stored(x, direction)))
        assert slope == pytest.approx(difference, rel=2e-5, abs=2e-5 * max(1.0, abs(value)))
        return
    pytest.fail("no point at which the value is finite")
