"""Squares of thin residuals: expanded where that is cheaper and accurate, else from the residual.

What is guaranteed: relative errors of the loss and the gradients are at most 1e-12 in double and 1e-4 in single precision,
or those that they have when they are computed from the residual, at sizes like those here. (They grow with the root of the
number of terms in a product, faster than with the residual, whose entries have either sign.)
"""

from __future__ import annotations

import re
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import mcalc
from tests.models.harness import Values, as_type, close, draw, examine, subject, workspace_of
from tests.models.test_rows import WORKLOADS, agree, blocks, by_rows

MATFAC = (WORKLOADS / "matfac.mc").read_text(encoding="utf-8")
HEAD = "model m\ninput X : n x m\n"
BOTH = "param U : n x r\nparam V : m x r\n"
EXPANDED = {
    "plain": MATFAC,
    "regularised": f"{HEAD}input a : scalar\n{BOTH}loss = norm(X - U V^T)^2 / (2 n) + a (norm(U)^2 + sum(V.^4))",
    "reversed": f"{HEAD}param U : n x r\nparam V : r x m\nloss = sum((U V - X).^2) / n",
    "transposed": f"{HEAD}{BOTH}loss = norm(X^T - V U^T)^2",
    "one factor given": f"{HEAD}input V : m x r\nparam U : n x r\nloss = norm(X - U V^T)^2 / (n*m) + 3 norm(U)^2",
    "other factor given": f"{HEAD}input U : n x r\nparam V : m x r\nloss = norm(X - U V^T)^2 / 2",
    "symmetric": "model m\ninput X : n x n symmetric\nparam U : n x r\nloss = norm(X - U U^T)^2 / 4",
    "square": "model m\ninput X : n x n\nparam U : n x r\nparam V : n x r\nloss = norm(X - U V^T)^2 / 4",
    "side information": f"{HEAD}input L : n x n symmetric\n{BOTH}loss = norm(X - U V^T)^2 + tr(U^T L U)",
    "two residuals": f"{HEAD}input Y : n x d\n{BOTH}param W : d x r\nloss = norm(X - U V^T)^2 + 3 norm(Y - U W^T)^2",
    "logarithm": f"{HEAD}{BOTH}loss = n m log(norm(X - U V^T)^2)",
    "variance": f"{HEAD}param s : scalar positive\n{BOTH}loss = norm(X - U V^T)^2 / (2 s) + n m log(s) / 2",
}
LEFT = {
    "residual read elsewhere": f"{HEAD}{BOTH}R = X - U V^T\nloss = norm(R)^2 + sum(abs(R))",
    "product read elsewhere": f"{HEAD}{BOTH}loss = norm(X - U V^T)^2 + sum((U V^T).^4)",
    "weights": f"{HEAD}input W : n x m\n{BOTH}loss = sum(W .* (X - U V^T).^2)",
    "norm": f"{HEAD}{BOTH}loss = norm(X - U V^T)",
    "offset": f"{HEAD}{BOTH}param b : m\nloss = norm(X - U V^T - ones(n,1) b^T)^2",
    "no data": f"model m\nparam X : n x m\n{BOTH}loss = norm(X - U V^T)^2",
    "thin data": "model m\ninput X : n x d\ninput Y : n x k\nparam W : d x k\nloss = norm(Y - X W)^2",
    "wide factor": "model m\ninput X : n x m\nparam U : n x d\nparam V : m x d\nloss = norm(X - U V^T)^2",
    "loss without a trace of it": f"{HEAD}{BOTH}loss = 0 norm(X - U V^T)^2 + norm(U)^2",
}
SIZES = {"n": 40, "m": 30, "d": 35, "r": 3}


@pytest.fixture(autouse=True)
def small_data() -> Iterator[None]:
    """Products of small data count, too."""
    modules = [subject(text).module for text in EXPANDED.values()]
    before = [module.LEAST_SAVED for module in modules]
    for module in modules:
        module.LEAST_SAVED = 0
    yield
    for module, least in zip(modules, before, strict=True):
        module.LEAST_SAVED = least


def expands(text: str) -> bool:
    return hasattr(subject(text).module, "FORMS")


@contextmanager
def observed(module: ModuleType) -> Iterator[list[str]]:
    """The forms that are computed, in order."""
    before, seen = dict(module.FORMS), []

    def watched(name: str, run: Any) -> Any:
        def call(*args: Any) -> Any:
            seen.append(name)
            return run(*args)

        return call

    for name, form in before.items():
        changes = {"forward": watched(name, form.forward)}
        if hasattr(form, "by_rows"):
            changes["by_rows"] = watched(name, form.by_rows)
        module.FORMS[name] = form._replace(**changes)
    yield seen
    module.FORMS.update(before)


# --- what is expanded -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EXPANDED)
def test_expanded(name: str) -> None:
    text = EXPANDED[name]
    assert expands(text)
    found = subject(text)
    for r, form in ((3, "expanded"), (20, "residual")):
        sizes = {**SIZES, "r": r}
        examine(text, sizes)
        with observed(found.module) as seen:
            found.module.value_and_grad(**draw(found, 0, sizes))
            found.module.forward(**draw(found, 1, sizes))
        assert seen == [form, form]


@pytest.mark.parametrize("name", [name for name in EXPANDED if by_rows(subject(EXPANDED[name]).module)])
def test_by_rows(name: str) -> None:
    found = subject(EXPANDED[name])
    for r, form in ((3, "expanded"), (20, "residual")):
        values = draw(found, 0, {**SIZES, "n": 150, "r": r})
        with observed(found.module) as seen:
            agree(found, values, BLOCK_BYTES=15000, LEAST_ROWS=20)
            agree(found, as_type(values, np.float32), 1e-4, BLOCK_BYTES=7000, LEAST_ROWS=20)
        assert set(seen) == {form}


@pytest.mark.parametrize("name", LEFT)
def test_left_as_it_is(name: str) -> None:
    assert not expands(LEFT[name])


def test_workloads_and_shipped_models_that_have_thin_residuals() -> None:
    found = {path.stem for path in WORKLOADS.glob("*.mc") if expands(path.read_text(encoding="utf-8"))}
    assert found == {"matfac"}
    assert expands("matrix_factorization")
    assert not any(map(expands, ["ridge", "linear_regression", "autoencoder", "mlp"]))


@pytest.mark.parametrize("sizes", [(0, 30, 3), (40, 0, 3), (40, 30, 0), (1, 1, 1), (1000, 1, 1), (1, 1000, 1)])
def test_few_or_no_rows(sizes: tuple[int, int, int]) -> None:
    examine(MATFAC, dict(zip(("n", "m", "r"), sizes, strict=True)))


def test_the_choice_of_the_form() -> None:
    """By what is saved: a product with X against four products of U or V."""
    module = subject(MATFAC).module
    for n, m, r in ((40, 30, 8), (40, 30, 9), (1000, 9, 4), (1000, 8, 4)):
        saved = 2 * n * m * r - 2 * (n * r * r + m * r * r) * 2 > 0
        with observed(module) as seen:
            module.value_and_grad(**draw(subject(MATFAC), 0, {"n": n, "m": m, "r": r}))
        assert seen == ["expanded" if saved else "residual"]


def test_calls_count_where_data_are_small() -> None:
    module = mcalc.generate(MATFAC).module
    for n, m, form in ((60, 50, "residual"), (300, 250, "expanded")):
        with observed(module) as seen:
            module.value_and_grad(**draw(subject(MATFAC), 0, {"n": n, "m": m, "r": 6}))
        assert seen == [form]


# --- work -------------------------------------------------------------------------------------------------------------


def test_two_products_with_the_data_and_no_residual() -> None:
    text = subject(MATFAC).made.text
    for function in ("_forward_expanded", "_backward_expanded", "_by_rows_expanded"):
        body = text[text.index(f"def {function}(") :].partition("\n\n\n")[0]
        products = [line for line in body.splitlines() if re.search(r" X\w*(\.T)?\.dot\(", line)]
        assert len(products) == (2 if function == "_by_rows_expanded" else 1)
        assert "np.subtract(X," not in body and ", m)" not in body


@pytest.mark.parametrize("fit", [1.0, 1e-3])
def test_memory(fit: float) -> None:
    module = subject(MATFAC).module
    X, U, V = data(2000, 1000, 32, fit, np.float64)
    module.value_and_grad(X, U, V)
    tracemalloc.start()
    module.value_and_grad(X, U, V)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2e6


# --- accuracy ---------------------------------------------------------------------------------------------------------

FITS = [10, 1, 0.3, 0.12, 0.11, 0.09, 0.05, 0.034, 0.033, 0.031, 1e-2, 1e-4, 1e-6, 1e-8, 1e-10, 1e-12, 0]
"""|X - U V^T| / |U V^T|."""
LOST = {np.float64: 1e-12, np.float32: 1e-4}
"""The relative error where the residual is not computed."""


def data(n: int, m: int, r: int, fit: float, dtype: Any, kind: str = "plain") -> tuple[Any, Any, Any]:
    """X, U, V with this relative residual."""
    rng = np.random.default_rng(0)
    U, V = rng.standard_normal((n, r)), rng.standard_normal((m, r))
    if kind == "opposite":  # terms of U V^T cancel each other
        U[:, 1::2] = U[:, ::2] * (1 + 1e-2 * rng.standard_normal(U[:, ::2].shape))
        V[:, 1::2] = -V[:, ::2]
    if kind == "one sign":
        U, V = U + 3, V + 3
    if kind == "scaled":
        U, V = U * 1e-4, V * 1e6
    U, V = U.astype(dtype), V.astype(dtype)
    P = (U.astype(float) @ V.T.astype(float)).astype(float)
    noise = rng.standard_normal((n, m))
    X = P + fit * np.linalg.norm(P) / np.linalg.norm(noise) * noise
    return X.astype(dtype), U, V


def errors(X: Any, U: Any, V: Any, results: list[tuple[float, Any]]) -> list[list[float]]:
    """The relative errors of the loss and of the gradients, judged in extended precision."""
    X, U, V = (a.astype(np.longdouble) for a in (X, U, V))
    R = X - U @ V.T
    loss, wanted = np.vdot(R, R), (-2 * R @ V, -2 * R.T @ U)
    found = []
    for value, gradients in results:
        pairs = zip(gradients, wanted, strict=True)
        norms = [(np.linalg.norm((g - w).astype(float)), np.linalg.norm(w.astype(float))) for g, w in pairs]
        found.append([float(abs(value - loss) / loss), *(float(a / b) for a, b in norms)])
    return found


def every_way(module: ModuleType, X: Any, U: Any, V: Any, form: str = "") -> list[tuple[float, Any]]:
    """In blocks, and forward and backward; where there is a form, with that."""
    before = dict(module.FORMS)
    if form:
        module.FORMS.update(dict.fromkeys(before, before[form]))
    loss, cache = module.forward(X, U, V)
    results = [(loss, module.backward(cache))]
    with blocks(module, BLOCK_BYTES=100_000):
        results.append(module.value_and_grad(X, U, V))
    module.FORMS.update(before)
    return results


@pytest.mark.parametrize("kind", ["plain", "opposite", "one sign", "scaled"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("fit", FITS)
def test_accuracy(fit: float, dtype: Any, kind: str) -> None:
    X, U, V = data(300, 120, 8, fit, dtype, kind)
    module = subject(MATFAC).module
    found = errors(X, U, V, every_way(module, X, U, V))
    best = errors(X, U, V, every_way(module, X, U, V, "residual"))
    for error, of_residual in zip(found, best, strict=True):
        for e, least in zip(error, of_residual, strict=True):
            assert e <= max(LOST[dtype], 1.01 * least)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_both_sides_of_the_guard(dtype: Any) -> None:
    module = subject(MATFAC).module
    limit = module.CANCELLED[np.dtype(dtype).char]
    for share, form in ((1.5, "expanded"), (0.7, "residual")):
        # where the fit is good, the terms are two that are nearly equal
        X, U, V = data(300, 120, 8, (2 * share * limit) ** 0.5, dtype)
        with observed(module) as seen:
            module.value_and_grad(X, U, V)
            module.forward(X, U, V)
        assert set(seen) == {form}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_rows_that_mislead(dtype: Any) -> None:
    """The few rows that are looked at fit badly, all others well: the square itself shows that it has cancelled."""
    X, U, V = data(320, 120, 8, 0, dtype)
    X[::20] = 2 * X[::20]
    X, U = X / np.where(np.arange(320) % 20, 1, 100)[:, None].astype(dtype), U.copy()
    U[::20] /= 100
    module = subject(MATFAC).module
    for run in (module.forward, module.value_and_grad):
        with observed(module) as seen:
            run(X, U, V)
        assert seen == ["expanded", "residual"]
    best = errors(X, U, V, every_way(module, X, U, V, "residual"))
    for error, least in zip(errors(X, U, V, every_way(module, X, U, V)), best, strict=True):
        assert error == least


def test_a_square_that_cancels_below_others() -> None:
    """Two residuals, of which one fits: the loss shows it."""
    found = subject(EXPANDED["two residuals"])
    values = draw(found, 0, SIZES)
    values["Y"] = values["U"] @ values["W"].T * (1 + 1e-9)
    with observed(found.module) as seen:
        agree_with_itself(found.module, values)
    assert set(seen) == {"residual"}


def agree_with_itself(module: ModuleType, values: Values) -> None:
    loss, gradients = module.value_and_grad(**values)
    value, cache = module.forward(*values.values())
    close(value, loss, 1e-14)
    for g, w in zip(module.backward(cache), gradients, strict=True):
        close(g, w, 1e-14)


def test_a_fit_in_a_workspace() -> None:
    found = subject(MATFAC)
    for n, constants in ((60, {}), (400, {"BLOCK_BYTES": 20_000, "LEAST_ROWS": 20})):
        with blocks(found.module, **constants) if constants else _as_it_is():
            X, U, V = data(n, 50, 3, 1e-6, np.float64)
            values = {"X": X, "U": U, "V": V}
            ws = workspace_of(found, values)
            assert bool(ws.block_rows) == bool(constants)
            for given in (X, 2 * X, X):  # one workspace for both forms
                loss, gradients = found.module.value_and_grad(given, U, V, workspace=ws)
                wanted, plain = found.module.value_and_grad(given, U, V)
                assert loss == wanted
                for g, w in zip(gradients, plain, strict=True):
                    close(g, w, 1e-14)


@contextmanager
def _as_it_is() -> Iterator[None]:
    yield


@pytest.mark.filterwarnings("ignore:overflow")
def test_numbers_that_are_not_finite() -> None:
    """What is nan, is nan; where terms overflow, all is computed from the residual."""
    module = subject(MATFAC).module
    X, U, V = data(60, 50, 3, 1, np.float64)
    X[3, 4] = np.nan
    assert np.isnan(module.value_and_grad(X, U, V)[0])
    X, U, V = data(60, 50, 3, 1, np.float64)
    U, V = U * 1e-160, V * 1e160
    loss, gradients = module.value_and_grad(X, U, V)
    R = X - U @ V.T
    assert loss == pytest.approx(np.vdot(R, R), rel=1e-12)
    np.testing.assert_allclose(gradients.U, -2 * R @ V, rtol=1e-10)


def test_only_one_gradient() -> None:
    module = mcalc.generate(EXPANDED["one factor given"]).module
    text = subject(EXPANDED["one factor given"]).made.text
    body = text[text.index("def _forward_expanded(") :].partition("\n\n\ndef _by_rows")[0]
    assert body.count(" X.dot(") + body.count(" X.T.dot(") == 1
    assert module.Gradients._fields == ("U",)
