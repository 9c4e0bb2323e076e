"""Second derivatives in buffers: the values of the formulas, in new arrays; arguments are left as they are."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import mcalc
from mcalc.algebra.expr import Expr, substitute
from mcalc.backends.numpy.bodies import Writer
from mcalc.backends.numpy.buffered import buffered
from mcalc.backends.numpy.emit import module_of
from mcalc.backends.numpy.formulas import formulas
from mcalc.backends.numpy.module import compiled
from mcalc.formats.python import _directions

SIZES = {"n": 7, "m": 4, "k": 3, "d": 5}

CASES = [
    ("norm(W2 tanh(W1 X) - Y)^2", "X: d x n; W1: k x d; W2: m x k; Y: m x n", "W1", "hvp"),
    ("norm(W3 tanh(W2 tanh(W1 X)) - Y)^2", "X: d x n; W1: k x d; W2: k x k; W3: m x k; Y: m x n", "W1", "hvp"),
    ("sum(softplus(X w)) - y^T X w", "X: n x d; w: d; y: n", "w", "hessian"),
    ("sum(softplus(X w)) - y^T X w + t w^T w", "X: n x d; w: d; y: n; t: scalar", "w", "hvp"),
    ("-sum(Y .* log(softmax(X W)))", "X: n x d; W: d x k; Y: n x k", "W", "hvp"),
    ("logdet(S) + tr(S^-1 A)", "S: k x k spd; A: k x k symmetric", "S", "hvp"),
    ("x^T A x / (x^T x)", "A: k x k symmetric; x: k", "x", "hvp"),
    ("x^T A x / (x^T x)", "A: k x k; x: k", "x", "hessian"),
    ("logsumexp(A x)", "A: m x k; x: k", "x", "hessian"),
    ("A tanh(X) B", "A: k x n; X: n x m; B: m x d", "X", "vec-jacobian"),
    ("A X^-1 B", "A: n x m; X: m x m; B: m x d", "X", "differential"),
    ("softmax(A x)", "A: m x k; x: k", "x", "jacobian"),
    ("X", "X: n x m", "X", "differential"),
    ("a^T x", "a, x: n", "x", "jacobian"),
    ("norm(X w - y)^2 + t w^T w", "X: n x d; w: d; y: n; t: scalar", "w", "hessian"),
    ("sum(exp(x)) + t (x^T x)^2 - (a^T x)^3", "x, a: k; t: scalar", "x", "hessian"),
    ("logsumexp(x) - s t norm(x)^2", "x: k; t, s: scalar", "x", "hessian"),
    ("t x^T x", "x: k; t: scalar", "x", "hessian"),
    ("sum(exp(x)) - sum(cos(x))", "x: k", "x", "hessian"),
    ("exp(a^T x) - 3 sum(sin(A x))", "A: n x k; x, a: k", "x", "hessian"),
    ("sum(relu(X w).^3)", "X: n x d; w: d", "w", "hessian"),
]


def values_of(symbols: list[Expr], dtype: Any, sizes: dict[str, int]) -> list[Any]:
    """Values that cannot be written to."""
    rng = np.random.default_rng(0)
    found = []
    for e in symbols:
        rows, columns = (d.value(sizes) for d in e.shape)
        value = rng.normal(size=() if e.is_scalar else rows if e.is_column else (rows, columns))
        if {"spd", "symmetric"} & e.attrs[1]:
            value = value @ value.T + np.eye(rows)
        value = np.asarray(value, dtype)
        value.flags.writeable = False
        found.append(value)
    return found


def spread_out(value: Any) -> Any:
    """The same values in every second place of larger memory, by columns."""
    larger = np.zeros(tuple(2 * s for s in value.shape), value.dtype, order="F")
    view = larger[(*(slice(None, None, 2) for _ in value.shape), ...)]
    view[...] = value
    view.flags.writeable = False
    return view


def functions(text: str, where: str, wrt: str, kind: str) -> tuple[list[Expr], dict[Writer, Callable[..., Any]]]:
    """The symbols in the order of the parameters; the function by each writer."""
    found = mcalc.derive(text, wrt=wrt, where=where, kind=kind, verify=False).results[0]
    ways = _directions(found)
    symbols = [*(s.expr for s in found.parsed.symbols.values()), *ways.values()]
    made = {}
    for write in (formulas, buffered):
        module = module_of(
            "F", {"result": substitute(found.result, ways)}, arguments=symbols, returns=["result"],
            summary=["F"], derivatives=frozenset(["result"]), write=write,
        )  # fmt: skip
        made[write] = compiled(module, "F")
    return symbols, made


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c[3]} {c[0]}")
def test_the_writers_agree_and_arguments_are_kept(case: tuple[str, str, str, str]) -> None:
    symbols, made = functions(*case)
    for dtype, tolerance in ((np.float64, 1e-11), (np.float32, 1e-3)):
        given = values_of(symbols, dtype, SIZES)
        before = [value.copy() for value in given]
        expected, result = made[formulas](*given), made[buffered](*given)
        assert result.dtype == dtype and result.shape == expected.shape
        scale = np.abs(expected).max(initial=1)
        np.testing.assert_allclose(result, expected, atol=tolerance * scale)
        again = made[buffered](*map(spread_out, given))
        np.testing.assert_allclose(again, expected, atol=tolerance * scale)
        assert not any(np.shares_memory(result, x) for x in (again, *given))
        assert result.flags.writeable
        for x, y in zip(given, before, strict=True):
            np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c[3]} {c[0]}")
def test_no_rows(case: tuple[str, str, str, str]) -> None:
    symbols, made = functions(*case)
    if not any("n" in d.names() for e in symbols for d in e.shape):
        return
    given = values_of(symbols, np.float64, {**SIZES, "n": 0})
    np.testing.assert_allclose(made[buffered](*given), made[formulas](*given))


def test_memory_is_used_again() -> None:
    found = mcalc.derive(CASES[0][0], wrt="W1", where=CASES[0][1], kind="hvp", verify=False)
    assert "np.tanh(H, out=H)" in found.results[0].python()


def text_of(text: str, where: str, wrt: str, kind: str) -> str:
    """The text of the function."""
    source = mcalc.derive(text, wrt=wrt, where=where, kind=kind, verify=False).results[0].python()
    return source[source.index(f"def {kind}") : source.index("def checked")]


def test_no_matrix_is_made_where_vectors_do() -> None:
    code = text_of("x^T A x / (x^T x)", "A: n x n symmetric; x: n", "x", "hvp")
    assert "np.eye" not in code and code.count(" A.dot(") == 2


def test_what_a_condition_reads_twice_has_a_name() -> None:
    code = text_of("x^T A x / (x^T x)", "A: n x n symmetric; x: n", "x", "hvp")
    assert "inv_xx = 1 / xx if xx != 0 else 0.0" in code


def test_a_diagonal_is_added_where_it_is() -> None:
    code = text_of("logsumexp(z) - y^T z", "z, y: n", "z", "hessian")
    assert """np.einsum("ii->i", result)[...] += p""" in code and "np.diag" not in code
    assert "np.eye" not in text_of("norm(X w - y)^2 + t w^T w", "X: n x d; w: d; y: n; t: scalar", "w", "hessian")


def test_signs_of_outer_products_belong_to_vectors() -> None:
    assert "v[:, None].dot(p[None])" in text_of("logsumexp(z) - y^T z", "z, y: n", "z", "hessian")


def test_sums_along_rows_are_products_with_ones() -> None:
    code = text_of("-sum(Y .* log(softmax(X W)))", "X: n x d; W: d x k; Y: n x k", "W", "hvp")
    assert "ones_k = np.ones(k, dtype)" in code and "sums = Y.dot(ones_k)" in code


BY_ROWS = [
    ("sum(softplus(X w)) - y^T X w", "X: n x d; w: d; y: n", "w", "hessian"),
    ("sum(softplus(X w)) - y^T X w + t w^T w", "X: n x d; w: d; y: n; t: scalar", "w", "hvp"),
    ("-sum(Y .* log(softmax(X W)))", "X: n x d; W: d x k; Y: n x k", "W", "hvp"),
    ("sum(log(1 + (X w - y).^2)) / n", "X: n x d; w: d; y: n", "w", "hvp"),
]


@pytest.mark.parametrize("case", BY_ROWS, ids=lambda c: f"{c[3]} {c[0]}")
def test_blocks_of_rows(case: tuple[str, str, str, str]) -> None:
    symbols, made = functions(*case)
    module = made[buffered].__globals__
    assert "F_by_rows" in module
    module["rows_of_block"] = lambda *sizes: 40
    sizes = {**SIZES, "n": 93}
    for dtype, tolerance in ((np.float64, 1e-11), (np.float32, 1e-3)):
        given = values_of(symbols, dtype, sizes)
        expected = made[formulas](*given)
        for arguments in (given, [*map(spread_out, given)]):
            result = made[buffered](*arguments)
            assert result.dtype == dtype
            np.testing.assert_allclose(result, expected, atol=tolerance * np.abs(expected).max())


def test_large_data_leave_no_copy() -> None:
    symbols, made = functions(*BY_ROWS[0])
    X, w, y = values_of(symbols, np.float64, {"n": 20000, "d": 20})
    made[buffered](X, w, y)
    tracemalloc.start()
    made[buffered](X, w, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < X.nbytes / 2
