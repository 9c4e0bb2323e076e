"""Random values for declared symbols: shapes from sizes of dimensions, values that have the properties."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

from .calculus import project
from .syntax import canonical, parse, parse_where
from .values import array_of, make_context

SIZES = (3, 4, 2, 5, 6, 7)
Declared = dict[str, tuple[tuple[str, str], frozenset[str]]]


def dimension(text: str, sizes: dict[str, int]) -> int:
    """The size of a dimension: a number, a name, or a sum or product of such."""
    context = make_context({}, sizes)
    return round(float(array_of(context, parse(text, (), sizes))[0, 0]))


def dimension_names(declared: Declared) -> list[str]:
    """The names of dimensions in the order of the declarations."""
    names: dict[str, None] = {}
    for dims, _ in declared.values():
        for dim in dims:
            for word in dim.replace("*", " ").replace("+", " ").replace("(", " ").replace(")", " ").split():
                if not word[0].isdigit():
                    names[canonical(word)] = None
    return list(names)


def choose_sizes(declared: Declared, seed: int, fixed: dict[str, int] | None = None) -> dict[str, int]:
    """Different sizes for different dimensions, so that a lost transpose cannot pass."""
    names = [name for name in dimension_names(declared) if name not in (fixed or {})]
    rotated = [SIZES[(index + seed) % 4] if index < 4 else SIZES[index % 6] for index in range(len(names))]
    return {**dict(zip(names, rotated, strict=True)), **(fixed or {})}


def sample(
    where: str | Declared, sizes: dict[str, int], seed: int, positive: tuple[str, ...] = ()
) -> dict[str, np.ndarray]:
    """Values of the declared symbols that have their properties; `positive`: names with entries > 0."""
    declared = parse_where(where) if isinstance(where, str) else where
    positive_names = {canonical(name) for name in positive}
    values = {}
    for name, (dims, properties) in declared.items():
        shape = (dimension(dims[0], sizes), dimension(dims[1], sizes))
        generator = np.random.default_rng([seed, zlib.crc32(name.encode())])
        extra = {"positive"} if name in positive_names else set()
        values[name] = draw(generator, shape, properties | extra)
    return values


def draw(generator: np.random.Generator, shape: tuple[int, int], properties: Any) -> np.ndarray:
    """One value of a shape with the properties, well conditioned where it is square."""
    square = shape[0] == shape[1] > 1
    for _ in range(200):
        value = _draw(generator, shape, set(properties))
        if not square or {"skew", "psd"} & set(properties) or np.linalg.cond(value) < 30:
            break
    return value


def _draw(generator: np.random.Generator, shape: tuple[int, int], properties: set[str]) -> np.ndarray:
    value = generator.normal(size=shape)
    if "positive" in properties:
        value = generator.uniform(0.3, 1.7, size=shape)
    if properties & {"spd", "psd"} and "diagonal" not in properties:
        factor = np.abs(value) if "positive" in properties else value
        return factor @ factor.T / len(value) + 0.3 * np.eye(len(value)) * ("spd" in properties)
    if properties & {"spd", "psd"}:
        return np.eye(len(value)) * generator.uniform(0.3, 1.7, size=shape)
    if "orthogonal" in properties:
        return np.linalg.qr(value)[0]
    return project(value, properties)


def directions(declared: Declared, values: dict[str, np.ndarray], names: list[str], seed: int) -> dict[str, np.ndarray]:
    """Random differentials of some symbols that keep their structure."""
    found = {}
    for name in names:
        generator = np.random.default_rng([seed, 1, zlib.crc32(name.encode())])
        properties = declared[name][1] if name in declared else ()
        found[name] = project(generator.normal(size=values[name].shape), properties)
    return found
