"""Modules of every kind of derivative, of one variable and of several, against finite differences of the function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import mcalc
from mcalc.backends.numpy.module import compiled
from mcalc.backends.numpy.values import derivative_module
from mcalc.frontend import parse

SIZES = {"n": 4, "m": 3, "k": 2}


def function(text: str, where: str) -> Callable[..., Any]:
    parsed = parse(text, where=where)
    arguments = [s.expr for s in parsed.symbols.values()]
    return compiled(derivative_module("F", parsed.expression, arguments=arguments, title="F"), "F")


def drawn(found: mcalc.Derivation, seed: int = 0) -> dict[str, Any]:
    """Values for the symbols."""
    rng = np.random.default_rng(seed)
    values = {}
    for name, s in found.parsed.symbols.items():
        rows, columns = (d.value(SIZES) for d in s.expr.shape)
        value = rng.normal(size=(rows, columns) if columns > 1 else rows if rows > 1 else ())
        if {"spd", "symmetric"} & s.expr.attrs[1]:
            value = value @ value.T + np.eye(rows)
        values[name] = value
    return values


def along(found: mcalc.Derivation, seed: int = 1) -> dict[str, Any]:
    """A direction for each variable, of its structure."""
    rng, values = np.random.default_rng(seed), drawn(found)
    ways = {}
    for x in dict.fromkeys(x for a in found.derived.answers for x in a.variables):
        way = rng.normal(size=np.shape(values[x.name]))
        ways[x.name] = way + way.T if {"spd", "symmetric"} & x.attrs[1] else way
    return ways


def moved(values: dict[str, Any], ways: dict[str, Any], h: float) -> dict[str, Any]:
    return {name: value + h * ways[name] if name in ways else value for name, value in values.items()}


def slope(f: Callable[..., Any], values: dict[str, Any], ways: dict[str, Any], h: float = 1e-5) -> Any:
    return (np.asarray(f(**moved(values, ways, h))) - np.asarray(f(**moved(values, ways, -h)))) / (2 * h)


def first(found: mcalc.Derivation | mcalc.Derivations) -> mcalc.Derivation:
    return found.results[0]


@pytest.mark.parametrize(
    ("text", "where", "wrt"),
    [
        ("X Y", "X: n x m; Y: m x k", "X Y"),
        ("X^-1", "X: n x n spd", "X"),
        ("A tanh(X) B", "A: k x n; X: n x m; B: m x n", "X"),
        ("logdet(X) + a^T X a", "X: n x n spd; a: n", "X a"),
        ("A x + t b", "A: m x n; x: n; t: scalar; b: m", "x t"),
        ("b", "b: m; x: n", "x"),
        ("a^T x", "a, x: n", "x"),
    ],
)
def test_differentials(text: str, where: str, wrt: str) -> None:
    found = mcalc.derive(text, wrt=wrt.split(), where=where, kind="differential")
    values, ways = drawn(first(found)), along(first(found))
    result = found.compile()(**values, **{f"d{name}": way for name, way in ways.items()})
    f = function(text, where)
    used = {name: values[name] for name in parse(text, where=where).symbols}
    np.testing.assert_allclose(result, slope(f, used, ways), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(
    ("text", "where", "wrt"),
    [
        ("x^T A y + norm(x)^2 norm(y)^2", "A: n x m; x: n; y: m", "x y"),
        ("norm(W2 tanh(W1 x) - y)^2", "W1: k x n; W2: m x k; x: n; y: m", "W1 W2"),
        ("a^T X^-1 a", "X: n x n spd; a: n", "X a"),
        ("a^T x + t", "a, x: n; t: scalar", "x t"),
        ("t^3 x^T x", "x: n; t: scalar", "x t"),
        ("sum(exp(x))", "x: n", "x"),
    ],
)
def test_hessian_vector_products(text: str, where: str, wrt: str) -> None:
    found = mcalc.derive(text, wrt=wrt.split(), where=where, kind="hvp")
    values, ways = drawn(first(found)), along(first(found))
    names = wrt.split()
    directions = {("V" if len(names) == 1 else f"V_{name}"): ways[name] for name in names}
    result = found.compile()(**values, **directions)
    gradient = mcalc.derive(text, wrt=names, where=where).compile()
    for place, name in enumerate(names):

        def of(place: int = place, **given: Any) -> Any:
            grad = gradient(**given)[1]
            return grad[place] if isinstance(grad, tuple) else grad

        mine = getattr(result, name) if len(names) > 1 else result
        np.testing.assert_allclose(mine, slope(of, values, ways), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("text", "where", "wrt"),
    [
        ("tanh(A x) + B y", "A: m x n; x: n; B: m x k; y: k", "x y"),
        ("X Y", "X: n x m; Y: m x k", "X Y"),
        ("A X t", "A: n x n; X: n x n spd; t: scalar", "X t"),
    ],
)
def test_jacobians(text: str, where: str, wrt: str) -> None:
    found = mcalc.derive(text, wrt=wrt.split(), where=where)
    values, ways = drawn(first(found)), along(first(found))
    result = found.compile()(**values)
    assert type(result).__name__ == "Jacobians" and result._fields == tuple(wrt.split())

    def stacked(a: Any) -> Any:
        return np.reshape(a, -1, order="F")

    total = sum(np.reshape(J, (-1, np.size(ways[x]))) @ stacked(ways[x]) for x, J in result._asdict().items())
    np.testing.assert_allclose(total, stacked(slope(function(text, where), values, ways)), rtol=1e-6, atol=1e-8)


def test_hessians() -> None:
    where = "A: n x m; x: n; y: m; t: scalar"
    found = mcalc.derive("x^T A y + t^2 norm(x)^2", wrt=["x", "y", "t"], where=where, kind="hessian")
    values, ways = drawn(first(found)), along(first(found))
    result = found.compile()(**values)
    assert result._fields == ("x", "x_y", "x_t", "y", "y_t", "t")
    quadratic = 0.0
    for (a, b), block in zip(
        [("x", "x"), ("x", "y"), ("x", "t"), ("y", "y"), ("y", "t"), ("t", "t")], result, strict=True
    ):
        u, v = np.atleast_1d(ways[a]), np.atleast_1d(ways[b])
        quadratic += (1 if a == b else 2) * float(u @ np.reshape(block, (u.size, v.size)) @ v)
    f = function("x^T A y + t^2 norm(x)^2", where)
    h = 1e-3
    second = (f(**moved(values, ways, h)) - 2 * f(**values) + f(**moved(values, ways, -h))) / h**2
    assert quadratic == pytest.approx(float(second), rel=1e-4)


def test_names_that_python_takes() -> None:
    found = mcalc.derive("dX^T X + lambda^T X", wrt=["X", "lambda"], where="X, dX, lambda: n", kind="differential")
    text = found.python()
    assert "def differential(dX, X, lambda_, dX1, dlambda):" in text
    several = mcalc.derive("x^T x_y y", wrt=["x", "y", "x_y"], where="x: n; y: m; x_y: n x m", kind="hessian")
    assert len(set(several.compile()(np.ones(2), np.ones((2, 3)), np.ones(3))._fields)) == 6


def test_critical_points_of_several_variables() -> None:
    found = mcalc.derive("norm(x - a)^2 + norm(y - b)^2", wrt=["x", "y"], where="x, y, a, b: n", kind="critical-point")
    values = drawn(first(found))
    result = found.compile()(**values)
    np.testing.assert_allclose(result.x, values["a"])
    np.testing.assert_allclose(result.y, values["b"])
