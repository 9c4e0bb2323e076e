"""The lines of a derivation that mcalc prints as JSON, each tested at random points along random differentials."""

from __future__ import annotations

from typing import Any

import numpy as np

from .proofs import Checker, Line, Proof
from .sampling import Declared, choose_sizes, dimension, directions, sample
from .syntax import OracleError, canonical, split_definitions
from .values import IllConditioned, evaluate

Result = dict[str, Any]
LEFT = {"gradient": "grad", "jacobian": "jac", "vec-jacobian": "jac", "hessian": "hess"}


def dims_of(shape: Any) -> tuple[str, str]:
    """A shape of the JSON: a list of dimensions, or text as in a declaration."""
    if isinstance(shape, str):
        shape = [] if shape == "scalar" else shape.replace("×", " x ").split(" x ")
    dims = [str(dim).strip() for dim in shape]
    return {0: ("1", "1"), 1: (dims[0], "1") if dims else ("1", "1")}.get(len(dims)) or (dims[0], dims[1])


def declared_of(result: Result) -> Declared:
    return {
        canonical(name): (dims_of(symbol["shape"]), frozenset(symbol.get("properties", ())))
        for name, symbol in result["symbols"].items()
    }


def sizes_from(declared: Declared, values: dict[str, np.ndarray]) -> dict[str, int]:
    """The sizes of the dimensions that mcalc names, given values of the symbols."""
    sizes: dict[str, int] = {}
    open_dims = []
    for name, (dims, _) in declared.items():
        if name not in values:
            continue
        for dim, size in zip(dims, values[name].shape, strict=True):
            if dim.isdigit() and int(dim) != size:
                raise OracleError(f"{name} has the size {size} where {dim} is inferred")
            if canonical(dim).replace("_", "").isalnum() and not dim[0].isdigit():
                if sizes.setdefault(canonical(dim), size) != size:
                    raise OracleError(f"{dim} stands for the sizes {sizes[canonical(dim)]} and {size}")
            elif not dim.isdigit():
                open_dims.append((dim, size))
    for dim, size in open_dims:
        if dimension(dim, sizes) != size:
            raise OracleError(f"{dim} is not {size}")
    return sizes


def as_proof(result: Result) -> tuple[Proof, list[str]]:
    """The definitions, the function, the printed lines and the answer as the lines of a proof; their texts."""
    name = result.get("name", "f")
    definitions, expression = split_definitions(result["expression"])
    lines = [(left, right) for left, right in definitions] + [(name, expression)]
    lines += [(step["left"], step["right"]) for step in result.get("steps", ())]
    wrt, left = result["wrt"], LEFT.get(result.get("kind", "gradient"))
    if isinstance(wrt, str) and left:
        lines.append((f"{left}_{wrt}", result["result"]))
    proof = Proof(declared_of(result), [Line(k, left, [right]) for k, (left, right) in enumerate(lines)])
    return proof, [f"{left} = {right}" for left, right in lines]


def check_at(
    result: Result, values: dict[str, np.ndarray], sizes: dict[str, int], seed: int, tolerance: float = 1e-6
) -> list[str]:
    """The lines that fail at one point."""
    proof, texts = as_proof(result)
    wrt = result["wrt"]
    names = [canonical(name) for name in ([wrt] if isinstance(wrt, str) else wrt)]
    checker = Checker(proof, values, sizes, directions(proof.declared, values, names, seed))
    failures = []
    for line, text in zip(proof.lines, texts, strict=True):
        try:
            wrong = checker.check(line)
        except OracleError as problem:
            if isinstance(problem, IllConditioned):
                raise
            failures.append(f"{text}: {problem}")
            continue
        if not wrong <= tolerance:
            failures.append(f"{text}: error {wrong:.1e}")
    return failures


def check_steps(
    result: Result, dims: dict[str, int] | None = None, positive: tuple[str, ...] = (), points: int = 2
) -> list[str]:
    """The lines of a derivation that are false at one of several random points."""
    declared, done = declared_of(result), 0
    for seed in range(100):
        sizes = choose_sizes(declared, seed, dims)
        values = sample(declared, sizes, seed, positive)
        try:
            if not np.all(np.isfinite(evaluate(result["expression"], values, sizes, guard=200))):
                continue
            failures = check_at(result, values, sizes, seed)
        except IllConditioned:
            continue
        if failures:
            return failures
        done += 1
        if done == points:
            return []
    raise OracleError("no point found at which the expression has a value")
