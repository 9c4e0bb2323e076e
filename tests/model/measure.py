"""Gradients of models against central differences of the interpreter."""

from __future__ import annotations

import numpy as np

from mcalc.model.interpret import interpret
from mcalc.model.ir import Model


def random_values(model: Model, sizes: dict[str, int], seed: int = 0) -> dict:
    """Random arguments: one-hot-like inputs are not needed, positive ones are exponentials."""
    r = np.random.default_rng(seed)
    sizes = {**sizes, **model.sizes}

    def matrix(shape, properties=frozenset()):
        a = r.normal(size=tuple(s.value(sizes) for s in shape)) * 0.7
        if properties & {"spd", "psd"}:
            a = a @ a.T + np.eye(len(a))
        elif "symmetric" in properties:
            a = (a + a.T) / 2
        elif "diagonal" in properties:
            a = np.diag(np.diag(a))
        elif "lower" in properties:
            a = np.tril(a)
        if "positive" in properties:
            a = np.exp(a)
        return form(a, shape)

    def form(a, shape):
        if str(shape[0]) == "1" and str(shape[1]) == "1":
            return a[0, 0]
        return a[:, 0] if str(shape[1]) == "1" else a

    values = {}
    for a in model.arguments:
        if a.name in model.sequences:
            s = model.sequences[a.name]
            count = s.last.value(sizes) - s.first.value(sizes) + 1
            values[a.name] = np.array([matrix(s.shape, s.properties) for _ in range(count)])
        elif a.ragged:
            values[a.name] = [matrix(x.shape, x.attrs[1]) for x in a.symbols]
        else:
            values[a.name] = matrix(a.symbols[0].shape, a.symbols[0].attrs[1])
    return values


def projected(g, properties):
    """The gradient in the space of a structure."""
    if properties & {"symmetric", "spd", "psd"}:
        return (g + g.T) / 2
    if "diagonal" in properties:
        return np.diag(np.diag(g))
    return np.tril(g) if "lower" in properties else np.triu(g) if "upper" in properties else g


def differences(model: Model, values: dict, name: str, sizes: dict[str, int], h: float = 1e-5):
    """The gradient by central differences, entry by entry."""

    def along(array, assign):
        array = np.asarray(array, dtype=float)
        result = np.zeros_like(array)
        for place in np.ndindex(array.shape):
            slopes = []
            for step in (h, -h):
                moved = array.copy()
                moved[place] += step
                slopes.append(
                    float(
                        interpret(model, assign(moved), sizes)["loss" if "loss" in model.loss.name else model.loss.name]
                    )
                )
            result[place] = (slopes[0] - slopes[1]) / (2 * h)
        return result

    value = values[name]
    argument = next(a for a in model.arguments if a.name == name)
    if isinstance(value, list):
        return [
            along(v, lambda m, k=k: {**values, name: [*value[:k], m, *value[k + 1 :]]}) for k, v in enumerate(value)
        ]
    found = along(value, lambda m: {**values, name: m})
    return projected(found, argument.symbols[0].attrs[1]) if argument.symbols else found
