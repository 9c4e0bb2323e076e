"""One pass over the data in blocks of rows: the same values as forward and backward, in little memory.

Blocks are made small by other module constants, so that data of a few rows are several blocks, the last one shorter.
"""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
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
    subject,
    workspace_of,
)

WORKLOADS = Path(__file__).parents[2] / "benchmarks" / "models" / "workloads"
LINEAR = [
    "linear_regression", "logistic", "matrix_factorization", "metric_learning", "poisson", "ridge", "softmax_regression",
]  # fmt: skip
"""Shipped models that read their data once."""

SMALL = {"BLOCK_BYTES": 1500, "LEAST_BLOCKS": 1.5, "LEAST_ROWS": 3}


@contextmanager
def blocks(module: ModuleType, **constants: float) -> Iterator[None]:
    """The module with small blocks."""
    wanted = {**SMALL, **constants}
    before = {name: getattr(module, name) for name in wanted}
    for name, value in wanted.items():
        setattr(module, name, value)
    yield
    for name, value in before.items():
        setattr(module, name, value)


def plain(module: ModuleType, values: Values) -> tuple[float, Any]:
    loss, cache = module.forward(*values.values())
    return loss, module.backward(cache)


def agree(found: Subject, values: Values, tolerance: float = 1e-10, **constants: float) -> None:
    """By blocks, with all ways to call, as by forward and backward."""
    module = found.module
    before = frozen(values)
    loss, gradients = plain(module, values)
    with blocks(module, **constants):
        check(module.value_and_grad(**values), (loss, gradients), values, tolerance)
        ws = workspace_of(found, values, arrays(values)[0].dtype)
        assert ws.block_rows
        for _ in range(2):
            check(module.value_and_grad(**values, workspace=ws), (loss, gradients), values, tolerance)
        for name in found.parameters:
            for workspace in (None, ws):
                got_loss, got = module.value_and_grad(**values, wrt=(name,), workspace=workspace)
                close(got_loss, loss, tolerance)
                close(getattr(got, name), getattr(gradients, name), tolerance, name)
                assert all(g is None for n, g in zip(found.parameters, got, strict=True) if n != name)
    for name, value in before.items():
        close(values[name], value, 0, f"{name} was modified")


def check(got: tuple[float, Any], wanted: tuple[float, Any], values: Values, tolerance: float) -> None:
    assert type(got[0]) is float
    close(got[0], wanted[0], tolerance, "loss")
    for name, g, w in zip(got[1]._fields, got[1], wanted[1], strict=True):
        close(g, w, tolerance, name)
        for a, b in zip(arrays([g]), arrays([w]), strict=True):
            assert a.dtype == b.dtype, name
    made = arrays(tuple(got[1]))
    assert not any(np.shares_memory(a, b) for a in arrays(values) for b in made), "memory of an input is given back"
    assert not any(np.shares_memory(a, b) for i, a in enumerate(made) for b in made[:i]), "two gradients are one array"


def by_rows(module: ModuleType) -> bool:
    return hasattr(module, "rows_of_block")


# --- shipped models and workloads -------------------------------------------------------------------------------------

FUSED = [name for name in SHIPPED if by_rows(subject(name).module)]


def test_models_that_read_their_data_once() -> None:
    assert set(LINEAR) <= set(FUSED)
    assert not {"attention", "gp_marginal_likelihood", "rnn", "lstm", "scalar_graph"} & set(FUSED)
    assert not {"mlp", "mlp_classifier", "deep_mlp", "layer_norm_mlp"} & set(FUSED), (
        "the products of layers take longer"
    )


@pytest.mark.parametrize("name", FUSED)
def test_shipped(name: str) -> None:
    for n in (119, 120):
        agree(subject(name), draw(subject(name), n, {"n": n}))


@pytest.mark.parametrize("name", LINEAR)
def test_single_precision(name: str) -> None:
    values = as_type(draw(subject(name), 0, {"n": 90}), np.float32)
    agree(subject(name), values, 1e-4, BLOCK_BYTES=700)


@pytest.mark.parametrize("name", LINEAR)
def test_order_of_memory(name: str) -> None:
    found = subject(name)
    values = draw(found, 0, {"n": 90})
    fortran = {n: np.asfortranarray(v) if isinstance(v, np.ndarray) else v for n, v in values.items()}
    agree(found, fortran)
    wider = {n: np.repeat(v, 2, axis=0)[::2] if isinstance(v, np.ndarray) else v for n, v in values.items()}
    agree(found, wider)
    agree(found, {n: v[::-1].copy()[::-1] if isinstance(v, np.ndarray) else v for n, v in values.items()})


@pytest.mark.parametrize("name", LINEAR)
def test_few_rows(name: str) -> None:
    found = subject(name)
    for n in (1, 2, 4):
        values = draw(found, 0, {"n": n})
        with blocks(found.module):
            assert not workspace_of(found, values).block_rows
            check(found.module.value_and_grad(**values), plain(found.module, values), values, 1e-12)


@pytest.mark.parametrize("name", ["ridge", "matrix_factorization"])
def test_no_rows(name: str) -> None:
    found = subject(name)
    values = draw(found, 0, {"n": 0})
    with blocks(found.module), np.errstate(all="ignore"):
        check(found.module.value_and_grad(**values), plain(found.module, values), values, 0)


def test_lists_with_a_workspace() -> None:
    found = subject("ridge")
    values = draw(found, 0, {"n": 90})
    with blocks(found.module):
        ws = workspace_of(found, values)
        listed = {n: v.tolist() if isinstance(v, np.ndarray) else v for n, v in values.items()}
        for workspace in (None, ws):
            close(found.module.value_and_grad(**listed, workspace=workspace)[0], plain(found.module, values)[0])


def test_a_workspace_holds_a_block_of_rows() -> None:
    ws = subject("softmax_regression").module.workspace(n=20000, d=100, k=10)
    assert 0 < ws.block_rows < 1000
    assert sum(a.nbytes for a in ws if isinstance(a, np.ndarray)) < 500_000


@pytest.mark.parametrize("name", FUSED)
def test_memory_is_kept_where_data_are_too_few_for_blocks(name: str) -> None:
    """Data larger than a block, of which blocks would not pay."""
    found = subject(name)
    values = draw(found, 0, {"n": 40})
    with blocks(found.module, LEAST_BLOCKS=10**6):
        found.module.KEPT.clear()
        first, _ = found.module.value_and_grad(**values)
        (kept,) = found.module.KEPT
        second, _ = found.module.value_and_grad(**values)
        assert first == second and found.module.KEPT[0] is kept


def test_blocks_keep_products_small() -> None:
    """Below the size at which OpenBLAS changes to its functions for large matrices, where that leaves enough rows."""
    module = subject("metric_learning").module
    limit = module.SMALL_PRODUCT
    assert 0.9 * limit < module.rows_of_block(100_000, 60, 60, 4) * 60 * 60 <= limit
    assert module.rows_of_block(100_000, 120, 80, 4) > 2 * module.LEAST_ROWS


def test_errors_are_those_of_forward() -> None:
    module = subject("ridge").module
    X, y, w = np.ones((200000, 20)), np.ones(200000), np.ones(21)
    for call in (module.forward, module.value_and_grad):
        with pytest.raises(ValueError, match=r"w: expected shape d, d = 20 in X; got \(21,\)"):
            call(X, y, 1.0, w)
    with pytest.raises(ValueError, match="the workspace is for"):
        module.value_and_grad(X, y, 1.0, np.ones(20), workspace=module.workspace(n=10, d=20))


# --- memory -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, sizes",
    [
        ("least_squares", {"n": 20000, "d": 100, "k": 10}),
        ("logreg", {"n": 20000, "d": 100}),
        ("matfac", {"n": 2000, "m": 1000, "r": 32}),
        ("softmax_regression", {"n": 20000, "d": 200, "k": 10}),
    ],
)
def test_memory(name: str, sizes: dict[str, int]) -> None:
    found = subject((WORKLOADS / f"{name}.mc").read_text(encoding="utf-8"))
    values = draw(found, 0, sizes)
    tracemalloc.start()
    found.module.value_and_grad(**values)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak <= 2_000_000, f"{peak / 1e6:.1f} MB"


# --- random models ----------------------------------------------------------------------------------------------------

VECTORS = [
    "X w", "Y v", "X w + b", "X A v", "sum((X A).^2, axis=1)", "logsumexp(X A + 1_n c, axis=1)", "diag(X M X^T)",
    "sum((X A) .* Y, axis=1)", "y", "(X w) .* y", "diag((Y - X A) (Y - X A)^T)", "sum(softmax(X A) .* Y, axis=1)",
    "U v", "sum(U .* (X A), axis=1)", "u", "u .* (X w)",
]  # fmt: skip
FUNCTIONS = ["tanh({})", "sigmoid({})", "softplus({})", "({}).^2", "{} / s", "sin({})", "-{}", "{} - y", "exp({} / 9)"]
SUMS = [
    "sum({})", "sum({}) / n", "({})^T y", "norm({})^2", "tr((Y - X A)^T (Y - X A)) / n", "sum(Y .* (X A))",
    "norm(Y^T X A)^2", "logdet(I(k) + X_Y^T X_Y)", "norm(X^T ({}))^2", "norm(Y - U)^2", "({})^T ({})",
]  # fmt: skip
OUTER = ["{}", "log(1 + ({})^2)", "sqrt(1 + ({})^2)", "2 {}", "{} + w^T w", "{} + norm(A)^2 / 2", "{} + norm(U)^2"]


def random_separable(rng: random.Random) -> str:
    """A loss that is a function of sums over rows of X, Y and y."""

    def vector(depth: int) -> str:
        if depth == 0:
            return rng.choice(VECTORS)
        if rng.random() < 0.3:
            joint = rng.choice([" .* ", " + ", " - "])
            return f"({vector(depth - 1)}){joint}({vector(depth - 1)})"
        return rng.choice(FUNCTIONS).format(f"({vector(depth - 1)})")

    def total() -> str:
        text = rng.choice(SUMS).replace("X_Y", "(Y - X A)")
        return text.format(vector(rng.randint(0, 2)), vector(rng.randint(0, 1)))

    terms = [rng.choice(OUTER).format(f"({total()})") for _ in range(rng.randint(1, 3))]
    return f"""model random

input X : n x d
input Y : n x k
input y : n
input s : scalar positive
param w : d
param v : k
param b : scalar
param A : d x k
param c : 1 x k
param M : d x d
param U : n x k
param u : n

loss = {" + ".join(f"({t})" for t in terms)} + w^T w + v^T v + b^2 + norm(A)^2 + norm(c)^2 + norm(M)^2 + tr(U^T U) + u^T u
"""


def test_random_models() -> None:
    rng = random.Random(7)
    fused = 0
    for case in range(45):
        text = random_separable(rng)
        found = subject(text)
        if not by_rows(found.module):
            continue
        fused += 1
        values = draw(found, case, {"n": 100, "d": 3, "k": 2}, scale=0.5)
        with np.errstate(all="ignore"):
            agree(found, values, 1e-9, BLOCK_BYTES=2500)
    assert fused > 15


# --- what is not separable --------------------------------------------------------------------------------------------

NOT_SEPARABLE = {
    "a softmax over the rows": "loss = sum(softmax(X w) .* y)",
    "centred columns": "C = X - 1_n (1_n^T X / n)\nloss = norm(y - C w)^2",
    "batch statistics": "z = X w\nm = sum(z) / n\nloss = sum(((z - m 1_n) ./ (1 + norm(z)^2) - y).^2)",
    "a Gram matrix of the rows": "K = X X^T\nloss = norm(y - K (X w))^2",
    "the largest row": "loss = max(X w) + norm(X w)^2",
    "residuals weighed by their sum": "r = y - X w\nloss = sum(sin(r * sum(r)))",
    "a triangle of rows": "loss = norm(tril(y (X w)^T))^2",
}


@pytest.mark.parametrize("what", NOT_SEPARABLE)
def test_not_separable(what: str) -> None:
    text = f"model one\n\ninput X : n x d\ninput y : n\nparam w : d\n\n{NOT_SEPARABLE[what]}\n"
    assert not by_rows(subject(text).module), what


def test_a_residual_norm_is_separable() -> None:
    """The gradient of a norm divides by it: a scalar that is taken out of the product."""
    found = subject(
        "model one\n\ninput X : n x d\ninput Y : n x k\nparam W : d x k\n\nloss = norm(Y - X W) + norm(W)^2\n"
    )
    assert by_rows(found.module)
    agree(found, draw(found, 0, {"n": 70}))


def test_rows_that_are_one_more_than_a_dimension() -> None:
    """Blocks are counted by a dimension: n + 1 rows are taken at once."""
    found = subject("model more\ninput X : n+1 x d\nparam w : d\nr = X w\nloss = norm(r)^2 / n\n")
    values = draw(found, sizes={"n": 20000, "d": 200})
    loss, (gradient,) = found.module.value_and_grad(**values)
    X, w = values["X"], values["w"]
    close(loss, np.sum((X @ w) ** 2) / 20000)
    close(gradient, 2 * X.T @ (X @ w) / 20000)
