"""The entries of the corpus, points at which to evaluate them, and the comparison of values."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .calculus import JAX_ALWAYS, JAX_REFEREE, derivative
from .sampling import choose_sizes, dimension, directions, sample
from .syntax import OracleError, canonical, parse_where
from .values import IllConditioned, evaluate

ROOT = Path(__file__).resolve().parent.parent / "corpus"
Entry = dict[str, Any]


def files() -> list[Path]:
    return sorted((ROOT / "derivatives").glob("*.json"))


def load(path: Path) -> list[Entry]:
    return json.loads(path.read_text(encoding="utf-8"))


def tolerance(kind: str) -> float:
    """JAX referees what is above it, where it is there."""
    if JAX_REFEREE:
        return 1e-8
    return 1e-7 if kind in ("gradient", "jacobian", "vec-jacobian") else 1e-5


def error(got: np.ndarray, truth: np.ndarray) -> float:
    """The relative error; infinite where the shapes differ or a value is not finite."""
    if got.shape != truth.shape or not np.all(np.isfinite(got)):
        return float("inf")
    scale = max(1e-3, float(np.max(np.abs(truth), initial=0.0)))
    return float(np.max(np.abs(got - truth), initial=0.0)) / scale


class Point:
    """Sizes and values for an entry, and the derivative there."""

    def __init__(self, entry: Entry, sizes: dict[str, int], seed: int) -> None:
        declared = parse_where(entry["where"])
        self.entry, self.sizes, self.declared = entry, sizes, declared
        self.values = sample(declared, sizes, seed, tuple(entry.get("positive_domain", ())))
        self.wrt = canonical(entry["wrt"])
        self.properties = declared[self.wrt][1]
        self.direction = directions(declared, self.values, [self.wrt], seed)[self.wrt]
        self.value = evaluate(entry["expression"], self.values, sizes, guard=200)
        if not (np.all(np.isfinite(self.value)) and np.max(np.abs(self.value)) < 1e6):
            raise IllConditioned("the value is not finite")
        self.exact = JAX_ALWAYS
        self.truth = self.derivative()
        if not np.all(np.isfinite(self.truth)):
            raise IllConditioned("the derivative is not finite")

    def derivative(self) -> np.ndarray:
        entry = self.entry
        return derivative(
            entry["kind"],
            entry["expression"],
            self.wrt,
            self.values,
            self.sizes,
            self.properties,
            self.direction,
            self.exact,
        )

    def evaluate(self, text: str) -> np.ndarray:
        """The value of a closed form of the derivative; a number counts for a constant matrix."""
        env = {**self.values, "V": self.direction} if self.entry["kind"] == "hvp" else self.values
        value = evaluate(text, env, self.sizes, self.truth.shape)
        if value.size == 1 and text.strip() == "0":
            return np.zeros(self.truth.shape)
        return value

    def error(self, text: str) -> float:
        """The relative error of a closed form; where differences disagree with it, JAX decides."""
        value = self.evaluate(text)
        wrong = error(value, self.truth)
        if wrong > 1e-9 and JAX_REFEREE and not self.exact:
            self.exact = True
            self.truth = self.derivative()
            wrong = error(value, self.truth)
        return wrong


def points(entry: Entry, count: int = 3) -> Iterator[Point]:
    """Points where the entry and its derivative are finite; where possible, not both zero."""
    found, flat = 0, []
    fixed = {canonical(name): size for name, size in entry.get("dims", {}).items()}
    for seed in range(150):
        try:
            point = Point(entry, choose_sizes(parse_where(entry["where"]), seed, fixed), seed)
        except IllConditioned:
            continue
        if not np.any(point.truth):
            flat.append(point)
            if len(flat) <= 20:
                continue
        found += 1
        yield point
        if found == count:
            return
    if found == 0 and not flat:
        raise OracleError(f"no point found for {entry['id']}")
    yield from flat[: count - found]


def shape_of(entry: Entry, sizes: dict[str, int]) -> tuple[int, int]:
    rows, columns = parse_where(entry["where"])[canonical(entry["wrt"])][0]
    return dimension(rows, sizes), dimension(columns, sizes)


def verify(entry: Entry, count: int = 3) -> list[str]:
    """What is wrong with the expected answer of an entry."""
    failures = []
    for place, point in enumerate(points(entry, count)):
        try:
            wrong = point.error(entry["expected"])
        except OracleError as problem:
            return [f"{entry['id']}: {problem}"]
        if wrong > tolerance(entry["kind"]):
            failures.append(f"{entry['id']}: point {place}, sizes {point.sizes}: error {wrong:.1e}")
    return failures
