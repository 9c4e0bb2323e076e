"""Which lines of a hand derivation are false: every claim at random points, along random differentials."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .calculus import Function, differential, project, projector
from .corpus import error
from .sampling import Declared, choose_sizes, directions, sample
from .syntax import OracleError, canonical, parse_where
from .values import IllConditioned

NAME = re.compile(r"^[^\W\d_]+\d*(_\w+|_\{\w+\})?$")
CLAIM = re.compile(r"^(grad|jac|hess)_(\w+)$")


@dataclass
class Line:
    number: int
    left: str
    rights: list[str]


@dataclass
class Proof:
    """The declarations and equations of a proof; `bad` is the line that its first line names."""

    declared: Declared = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)
    bad: int | None = None


def read(text: str) -> Proof:
    proof = Proof()
    for number, raw in enumerate(text.splitlines(), 1):
        if match := re.match(r"#\s*bad line:\s*(\d+)", raw):
            proof.bad = int(match[1])
        line = raw.partition("#")[0].strip()
        if line.startswith("where "):
            proof.declared.update(parse_where(line[6:]))
        elif line:
            left, *rights = (part.strip() for part in re.split(r"(?<![=<>])=(?!=)(?!\s*(?:0|1|all)\s*\))", line))
            proof.lines.append(Line(number, left, rights))
    return proof


def moving_names(proof: Proof) -> list[str]:
    """The variables whose differentials or derivatives the proof speaks of."""
    text = canonical("\n".join(part for line in proof.lines for part in [line.left, *line.rights]))
    return [n for n in proof.declared if re.search(rf"\bd{re.escape(n)}\b|_{re.escape(n)}\b", text)]


class Checker:
    """One point of a proof: values, differentials, and the definitions so far."""

    def __init__(
        self, proof: Proof, values: dict[str, np.ndarray], sizes: dict[str, int], denv: dict[str, np.ndarray]
    ) -> None:
        self.proof, self.values, self.sizes, self.denv = proof, values, sizes, denv
        self.definitions: dict[str, str] = {}
        self.last = ""

    def function(self, text: str) -> Function:
        return Function(text, self.values, self.sizes, self.definitions)

    def value(self, text: str, shape: tuple[int, int] | None = None) -> np.ndarray:
        return differential(text, self.values, self.denv, self.sizes, self.definitions, shape or (None, None))

    def truth(self, left: str) -> np.ndarray | None:
        """What the left side stands for; None where it is defined here."""
        name = canonical(left)
        if claim := CLAIM.match(name):
            return self.derivative(claim[1], claim[2])
        if NAME.match(left) and name not in self.definitions and name not in self.values:
            if name[0] == "d" and canonical(left[1:]) in self.definitions:
                return self.function(left[1:]).jvp(self.denv)
            return None
        return self.value(left)

    def derivative(self, kind: str, name: str) -> np.ndarray:
        f = self.function(self.last)
        properties = self.proof.declared[name][1]
        if kind == "grad":
            return project(f.gradient(name), properties)
        projection = projector(self.values[name].shape, properties)
        if kind == "jac":
            return f.jacobian(name) @ projection
        return projection @ f.hessian(name) @ projection

    def run(self) -> dict[int, float]:
        """The largest relative error of each line."""
        return {line.number: self.check(line) for line in self.proof.lines}

    def check(self, line: Line) -> float:
        """The largest relative error of a line; one that defines a name has none of its own."""
        truth, rights = self.truth(line.left), line.rights
        if truth is None:
            self.last = canonical(line.left)
            self.definitions[self.last] = rights[0]
            truth, rights = self.value(rights[0]), rights[1:]
        if not np.all(np.isfinite(truth)):
            raise IllConditioned("not finite")
        return max((self.compare(right, truth) for right in rights), default=0.0)

    def compare(self, text: str, truth: np.ndarray) -> float:
        value = self.value(text, truth.shape)
        return error(np.zeros(truth.shape) if value.size == 1 and not value.any() else value, truth)


def false_lines(text: str, points: int = 3, dims: dict[str, int] | None = None, tolerance: float = 1e-4) -> list[int]:
    """The numbers of the lines whose claim fails at some point."""
    proof, found, done = read(text), set(), 0
    for seed in range(100):
        sizes = choose_sizes(proof.declared, seed, dims)
        values = sample(proof.declared, sizes, seed)
        try:
            denv = directions(proof.declared, values, moving_names(proof), seed)
            errors = Checker(proof, values, sizes, denv).run()
        except IllConditioned:
            continue
        found |= {number for number, wrong in errors.items() if not wrong <= tolerance}
        done += 1
        if done == points:
            return sorted(found)
    raise OracleError("no point found at which the proof has a value")


def check_file(path: Path) -> str | None:
    """What is wrong with a proof of the corpus: None where its false lines are those it names."""
    text = path.read_text(encoding="utf-8")
    found = false_lines(text)
    bad = read(text).bad
    expected = [] if bad is None else [bad]
    return None if found == expected else f"{path.name}: false lines {found}, expected {expected}"


__all__ = ["check_file", "false_lines", "read"]
