"""Typical modules, kept as a reader gets them. `python -m tests.backends.test_golden` writes them anew."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from mcalc.algebra.expr import Expr
from mcalc.backends.numpy import emit_module
from mcalc.frontend import parse

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "python"


class Golden(NamedTuple):
    f: str
    where: str
    gradients: dict[str, str]


HIDDEN = "X W1 + 1_n b1"
OUTPUT = f"relu({HIDDEN}) W2 + 1_n b2"
DELTA = f"(({OUTPUT} - y) W2^T) .* ({HIDDEN} > 0)"

MODULES = {
    "least_squares": Golden("(y - X w)^T (y - X w)", "X: n x d; y: n; w: d", {"w": "2 X^T (X w - y)"}),
    "ridge_regression": Golden(
        "norm(y - X W)^2 + lambda norm(W)^2", "X: n x d; y: n x k; W: d x k; lambda: scalar",
        {"W": "2 (X^T (X W - y) + lambda W)", "lambda": "norm(W)^2"},
    ),
    "logistic_regression": Golden(
        "sum(softplus(X w)) - y^T X w", "X: n x d; w: d; y: n", {"w": "X^T (sigmoid(X w) - y)"}
    ),
    "softmax_regression": Golden(
        "(sum(logsumexp(X W, axis=1)) - sum(Y .* (X W))) / n", "X: n x d; W: d x k; Y: n x k",
        {"W": "X^T (softmax(X W) - Y) / n"},
    ),
    "logdet": Golden("logdet(X)", "X: n x n", {"X": "X^-T"}),
    "gaussian_nll": Golden(
        "logdet(S) + (x - m)^T S^-1 (x - m)", "S: n x n spd; x, m: n",
        {"m": "2 S^-1 (m - x)", "S": "S^-1 (S - (x - m) (x - m)^T) S^-1"},
    ),
    "factor_analysis": Golden(
        "logdet(W W^T + D) + tr((W W^T + D)^-1 S)", "W: n x k; D: n x n spd; S: n x n symmetric",
        {"W": "2 (W W^T + D)^-1 (I - S (W W^T + D)^-1) W"},
    ),
    "multilayer_perceptron": Golden(
        f"tr((y - ({OUTPUT}))^T (y - ({OUTPUT})))", "X: n x d; y: n x k; W1: d x m; b1: 1 x m; W2: m x k; b2: 1 x k",
        {"W1": f"2 X^T ({DELTA})", "b1": f"2 sum({DELTA}, axis=0)", "W2": f"2 relu({HIDDEN})^T ({OUTPUT} - y)",
         "b2": f"2 sum({OUTPUT} - y, axis=0)"},
    ),
    "matrix_factorisation": Golden(
        "norm(M .* (A - U V^T))^2 + lambda (norm(U)^2 + norm(V)^2)",
        "M, A: n x m; U: n x k; V: m x k; lambda: scalar",
        {"U": "2 (lambda U - (M.^2 .* (A - U V^T)) V)", "V": "2 (lambda V - (M.^2 .* (A - U V^T))^T U)"},
    ),
    "rayleigh_quotient": Golden(
        "x^T A x / (x^T x)", "A: n x n symmetric; x: n", {"x": "2 (A x - x^T A x / (x^T x) x) / (x^T x)"}
    ),
}  # fmt: skip


def build(golden: Golden) -> tuple[Expr, dict[Expr, Expr], list[Expr]]:
    parsed = parse(golden.f, where=golden.where, wrt=list(golden.gradients))
    gradients = {
        x: parse(g, where=golden.where, shape=x.shape).expression
        for x, g in zip(parsed.wrt, golden.gradients.values(), strict=True)
    }
    return parsed.expression, gradients, [s.expr for s in parsed.symbols.values()]


def module_text(golden: Golden) -> str:
    f, gradients, arguments = build(golden)
    variables = ",".join(golden.gradients)
    command = f"mcalc derive {golden.f!r} --where {golden.where!r} --wrt {variables} --format python"
    return emit_module(f, gradients, arguments=arguments, header=["Made by", "", f"    {command}"])


@pytest.mark.parametrize("name", MODULES)
def test_module(name: str) -> None:
    kept = (GOLDEN / f"{name}.py").read_text(encoding="utf-8")
    text = module_text(MODULES[name])
    assert ast.dump(ast.parse(text)) == ast.dump(ast.parse(kept))
    assert [line.split("#")[1:] for line in text.splitlines()] == [line.split("#")[1:] for line in kept.splitlines()]


def load(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, GOLDEN / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", MODULES)
def test_gradients_are_right(name: str) -> None:
    module = load(name)
    rng = np.random.default_rng(1)
    lengths = {"n": 6, "d": 4, "m": 5, "k": 3}
    arguments = {}
    for argument, declared in module.SHAPES.items():
        a = rng.normal(size=[lengths.get(d, d) for d in declared])
        if argument in ("S", "D"):
            a = a @ a.T + np.eye(len(a))
        elif argument == "A" and name == "rayleigh_quotient":
            a = a + a.T
        arguments[argument] = a if a.ndim else float(a)
    _, grad = module.value_and_grad(**arguments)
    fields = grad._asdict() if isinstance(grad, tuple) else {next(iter(MODULES[name].gradients)): grad}
    for variable, g in fields.items():
        argument = variable
        direction = rng.normal(size=np.shape(arguments[argument]))
        if argument == "S":
            direction = direction + direction.T
        h = 1e-6
        ahead = module.value_and_grad(**{**arguments, argument: arguments[argument] + h * direction})[0]
        behind = module.value_and_grad(**{**arguments, argument: arguments[argument] - h * direction})[0]
        assert np.sum(g * direction) == pytest.approx((ahead - behind) / (2 * h), rel=1e-6, abs=1e-6)


if __name__ == "__main__":
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for name, golden in MODULES.items():
        (GOLDEN / f"{name}.py").write_text(module_text(golden), encoding="utf-8")
