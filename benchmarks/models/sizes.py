"""The workloads: which model at which dimensions, and random data for them.

Names and shapes of the arguments are read from the model files. Inputs stand before parameters in all of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

MODELS = Path(__file__).parent / "workloads"
Dims = dict[str, Any]
Args = tuple[Any, ...]


@dataclass(frozen=True)
class Workload:
    """`labels`: inputs that are not normal random: "onehot" or "signs". `held_out`: the compiler was not developed
    on it. `kind` other than "gradient": the derivative of `expression` by `wrt` alone; `v` is then the direction."""

    name: str
    model: str
    reference: str
    sizes: dict[str, Dims]
    labels: dict[str, str] = field(default_factory=dict)
    held_out: bool = False
    kind: str = "gradient"
    wrt: str = ""
    expression: str = ""

    @property
    def path(self) -> Path:
        return MODELS / f"{self.model}.mc"


@dataclass(frozen=True)
class Argument:
    """A declared argument; `over` is the bound of a sequence ("T" or "L") or empty."""

    name: str
    shape: tuple[str, ...]
    is_param: bool
    over: str
    spd: bool


def tall(n: int, d: int, k: int = 0) -> Dims:
    return {"n": n, "d": d, **({"k": k} if k else {})}


def mlp(n: int, d: int, m: int, p: int, k: int) -> Dims:
    return {"n": n, "d": d, "m": m, "p": p, "k": k}


def recurrent(T: int, n: int, d: int, m: int, k: int) -> Dims:
    return {"T": T, "n": n, "d": d, "m": m, "k": k}


def deep(n: int, width: int, layers: int = 50) -> Dims:
    return {"n": n, "L": layers, "d": [width] * (layers + 1)}


def chain(*d: int) -> Dims:
    return {f"d{i}": size for i, size in enumerate(d)}


CROSS_ENTROPY = "(sum(logsumexp(Z, axis=1)) - sum(Y .* Z)) / n"
MLP_SMALL = {"tiny": mlp(8, 16, 16, 16, 4), "small": mlp(64, 64, 128, 128, 10), "medium": mlp(256, 256, 512, 512, 10)}
LOGREG = {"tiny": tall(50, 5), "small": tall(1000, 20), "large": tall(20000, 100)}
WORKLOADS = [
    Workload("seed_mlp", "seed_mlp", "tiny", {
        "tiny": {"n": 100, "d": 2, "m": 5, "k": 1}, "small": {"n": 1000, "d": 2, "m": 5, "k": 1},
        "medium": {"n": 10000, "d": 2, "m": 5, "k": 1}}),
    Workload("mlp_small", "mlp_tanh", "small", MLP_SMALL, {"Y": "onehot"}),
    Workload("mlp_small_relu", "mlp_relu", "small", {"small": MLP_SMALL["small"]}, {"Y": "onehot"}),
    Workload("mlp_large", "mlp_relu", "large", {
        "medium": mlp(128, 784, 512, 512, 10), "large": mlp(512, 784, 1024, 1024, 10)}, {"Y": "onehot"}),
    Workload("mlp_deep50", "mlp_deep", "small", {
        "tiny": deep(16, 16), "small": deep(64, 64), "medium": deep(256, 128)}, {"Y": "onehot"}),
    Workload("seed_rnn", "rnn_relu", "tiny", {"tiny": recurrent(5, 1, 2, 3, 1)}),
    Workload("rnn_medium", "rnn_tanh", "medium", {
        "small": recurrent(5, 8, 16, 32, 4), "medium": recurrent(50, 32, 64, 128, 10)}),
    Workload("rnn_long", "rnn_tanh", "medium", {"medium": recurrent(500, 16, 32, 64, 8)}),
    Workload("lstm", "lstm", "medium", {"tiny": recurrent(5, 4, 4, 8, 2), "medium": recurrent(50, 32, 64, 128, 10)}),
    Workload("least_squares", "least_squares", "large", {
        "tiny": tall(50, 5, 1), "small": tall(500, 50, 10), "large": tall(20000, 100, 10)}),
    Workload("logreg", "logreg", "large", LOGREG, {"y": "signs"}),
    Workload("logreg_hessian", "logreg", "large", LOGREG, {"y": "signs"}, kind="hessian", wrt="w",
             expression="sum(log(1 + exp(-(y .* (X w)))))"),
    Workload("gp_nll", "gp_nll", "medium", {"tiny": {"n": 5}, "small": {"n": 50}, "medium": {"n": 500}}),
    Workload("matfac", "matfac", "large", {
        "tiny": {"n": 10, "m": 8, "r": 3}, "small": {"n": 60, "m": 40, "r": 8},
        "medium": {"n": 300, "m": 200, "r": 16}, "large": {"n": 2000, "m": 1000, "r": 32}}),
    Workload("quad_thin", "quad_thin", "large", {
        "tiny": {"n": 10, "k": 2}, "small": {"n": 100, "k": 8}, "large": {"n": 1000, "k": 16}}),
    Workload("quad_wide", "quad_wide", "large", {
        "tiny": {"n": 10, "k": 2}, "small": {"n": 100, "k": 5}, "large": {"n": 1000, "k": 20}}),
    Workload("chain10", "chain10", "large", {
        "tiny": chain(*[4, 2] * 5, 4), "small": chain(20, 5, 16, 6, 12, 3, 12, 6, 16, 5, 20),
        "large": chain(500, 20, 400, 30, 300, 10, 300, 30, 400, 20, 500)}),
    Workload("metric", "metric", "large", {
        "tiny": tall(20, 5), "small": tall(500, 20), "large": tall(10000, 50)}, {"s": "signs"}),
    Workload("attention", "attention", "medium", {
        "tiny": tall(8, 8, 4), "small": tall(64, 64, 32), "medium": tall(512, 128, 64)}),
    Workload("mlp_hvp", "mlp_tanh", "small", MLP_SMALL, {"Y": "onehot"}, kind="hvp", wrt="W1",
             expression="A1 = tanh(X W1 + 1_n b1); A2 = tanh(A1 W2 + 1_n b2); Z = A2 W3 + 1_n b3; " + CROSS_ENTROPY),
    # held out: the compiler was not developed on these
    Workload("softmax_regression", "softmax_regression", "medium", {
        "small": tall(100, 20, 5), "medium": tall(2000, 100, 10), "large": tall(20000, 200, 10)},
        {"Y": "onehot"}, held_out=True),
    Workload("ridge", "ridge", "medium", {
        "small": tall(100, 20, 5), "medium": tall(2000, 100, 10), "large": tall(20000, 200, 50)}, held_out=True),
    Workload("gru", "gru", "medium", {
        "small": recurrent(10, 8, 16, 32, 4), "medium": recurrent(50, 32, 64, 128, 10),
        "large": recurrent(100, 64, 128, 256, 10)}, held_out=True),
    Workload("layernorm_mlp", "layernorm_mlp", "medium", {
        "small": {"n": 16, "d": 16, "m": 32, "k": 4}, "medium": {"n": 128, "d": 128, "m": 256, "k": 10},
        "large": {"n": 512, "d": 512, "m": 1024, "k": 10}}, {"Y": "onehot"}, held_out=True),
    Workload("gaussian_nll", "gaussian_nll", "medium", {
        "small": tall(100, 10), "medium": tall(2000, 100), "large": tall(10000, 300)}, held_out=True),
    Workload("student_nll", "student_nll", "medium", {
        "small": tall(100, 10), "medium": tall(2000, 100), "large": tall(10000, 300)}, held_out=True),
    Workload("autoencoder", "autoencoder", "medium", {
        "small": {"n": 32, "d": 32, "m": 8}, "medium": {"n": 256, "d": 256, "m": 64},
        "large": {"n": 512, "d": 784, "m": 256}}, held_out=True),
]  # fmt: skip
BY_NAME = {w.name: w for w in WORKLOADS}

_DECLARATION = re.compile(r"^(input|param) (\w+)(?:\[.*1\.\.(\w+)\])? : (.+?)( spd)?$", re.MULTILINE)


def arguments(w: Workload) -> list[Argument]:
    """The declared arguments in order."""
    found = []
    for kind, name, over, shape, spd in _DECLARATION.findall(w.path.read_text(encoding="utf-8")):
        sides = () if shape == "scalar" else tuple(shape.split(" x "))
        found.append(Argument(name, sides, kind == "param", over, bool(spd)))
    return found


def params(w: Workload) -> list[str]:
    """The names of the parameters, in order: those of the gradients."""
    return [a.name for a in arguments(w) if a.is_param]


def shape_of(a: Argument, dims: Dims, index: int) -> tuple[int, ...]:
    """The numbers of a shape; `index` is that of a ragged sequence's element, from 1."""

    def number(side: str) -> int:
        ragged = re.fullmatch(r"(\w+)\[(\w+)(-1)?\]", side)
        if ragged is None:
            return int(side) if side.isdigit() else int(dims[side])
        name, at, less = ragged.groups()
        place = int(at) if at.isdigit() else dims["L"] if at == "L" else index
        return int(dims[name][place - bool(less)])

    return tuple(number(side) for side in a.shape)


def data(w: Workload, dims: Dims, dtype: str, seed: int = 0) -> Args:
    """Random arguments in declaration order; the direction last, for a Hessian-vector product."""
    rng = np.random.default_rng(seed)

    def array(a: Argument, shape: tuple[int, ...], lead: tuple[int, ...] = ()) -> np.ndarray:
        if w.labels.get(a.name) == "onehot":
            return np.eye(shape[-1], dtype=dtype)[rng.integers(shape[-1], size=shape[:-1])]
        if w.labels.get(a.name) == "signs":
            return np.sign(rng.normal(size=shape)).astype(dtype)
        if a.spd:
            B = rng.normal(size=shape)
            return (B @ B.T / shape[0] + np.eye(shape[0])).astype(dtype)
        scale = shape[0] ** -0.5 if a.is_param and shape[0] > 1 else 0.3 if a.is_param else 1.0
        return (scale * rng.normal(size=lead + shape)).astype(dtype)

    found: list[Any] = []
    for a in arguments(w):
        if not a.shape:
            found.append(float(rng.uniform(0.1, 1)))
        elif a.over == "L":
            found.append([array(a, shape_of(a, dims, i)) for i in range(1, dims["L"] + 1)])
        else:
            found.append(array(a, shape_of(a, dims, 0), (dims["T"],) if a.over else ()))
    if w.kind == "hvp":
        at = [a.name for a in arguments(w)].index(w.wrt)
        found.append(rng.normal(size=found[at].shape).astype(dtype))
    return tuple(found)
