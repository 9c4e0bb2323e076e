"""Logarithms in stable forms against decimal arithmetic: in functions and in modules of models, far out and near zero."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, localcontext
from typing import Any

import numpy as np
import pytest

import mcalc
from mcalc.algebra import operators as o
from mcalc.algebra.functions import CODE_FUNCTIONS
from mcalc.algebra.shape import ONE, dim
from mcalc.backends.numpy import compile_value_and_grad

D = Decimal
DIGITS = 800
FAR = [-1000.0, -40.0, -5.0, -0.3, -1e-10, 1e-10, 0.3, 5.0, 40.0, 1000.0]
ABOVE = [x for x in FAR if x > 0]
TINY = 1e-300
"""What is smaller may be zero: it has no normal number."""


def pi() -> Decimal:
    """Machin's formula."""

    def arctan_of_inverse(k: int) -> Decimal:
        total, term, n = D(0), D(1) / k, 1
        while abs(term) > D(10) ** -(DIGITS + 5):
            total, term, n = total + term / n, -term / (k * k), n + 2
        return total

    return 4 * (4 * arctan_of_inverse(5) - arctan_of_inverse(239))


def erfc(x: Decimal) -> Decimal:
    """1 - erf(x): the Taylor series, far out the asymptotic one."""
    if x < 0:
        return 2 - erfc(-x)
    if x > 30:
        total, term, n = D(1), D(1), 1
        while n < 400 and abs(term) > D(10) ** -60:
            term *= -D(2 * n - 1) / (2 * x * x)
            total, n = total + term, n + 1
        return (-x * x).exp() * total / (x * PI.sqrt())
    total, term, n = x, x, 0
    while abs(term) > D(10) ** -(DIGITS - 5):
        n += 1
        term *= -x * x / n
        total += term / (2 * n + 1)
    return 1 - 2 * total / PI.sqrt()


with localcontext() as context:
    context.prec = DIGITS
    PI = pi()


def normal(x: Decimal) -> Decimal:
    return erfc(-x / D(2).sqrt()) / 2


def density(x: Decimal) -> Decimal:
    return (-x * x / 2).exp() / (2 * PI).sqrt()


def tanh(x: Decimal) -> Decimal:
    return 1 - below(x)


def below(x: Decimal) -> Decimal:
    """1 - tanh(x)."""
    return 2 / (1 + (2 * x).exp())


Scalar = Callable[[Decimal], Decimal]

# text in z, where it is defined, what is in the logarithm, and its derivative
LOGARITHMS: dict[str, tuple[list[float], Scalar, Scalar]] = {
    "log((1 + erf(z / sqrt(2))) / 2)": (FAR, normal, density),
    "log((1 - erf(z / sqrt(2))) / 2)": (FAR, lambda x: normal(-x), lambda x: -density(x)),
    "log(1 - (1 + erf(z / sqrt(2))) / 2)": (FAR, lambda x: normal(-x), lambda x: -density(x)),
    "log(1/2 + erf(z / sqrt(2)) / 2)": (FAR, normal, density),
    "log(1 + erf(z))": (FAR, lambda x: erfc(-x), lambda x: 2 * (-x * x).exp() / PI.sqrt()),
    "log(1 - erf(z))": (FAR, erfc, lambda x: -2 * (-x * x).exp() / PI.sqrt()),
    "log1p(-erf(z))": (FAR, erfc, lambda x: -2 * (-x * x).exp() / PI.sqrt()),
    "log(3 + exp(z))": (FAR, lambda x: 3 + x.exp(), lambda x: x.exp()),
    "log(exp(-z) + 1/4)": (FAR, lambda x: D("0.25") + (-x).exp(), lambda x: -(-x).exp()),
    "log(pi + 2 exp(z))": (FAR, lambda x: PI + 2 * x.exp(), lambda x: 2 * x.exp()),
    "log(1 + exp(z) / 2)": (FAR, lambda x: 1 + x.exp() / 2, lambda x: x.exp() / 2),
    "log((1 + exp(z)) / 2)": (FAR, lambda x: (1 + x.exp()) / 2, lambda x: x.exp() / 2),
    "log(exp(z) + exp(-z))": (FAR, lambda x: x.exp() + (-x).exp(), lambda x: x.exp() - (-x).exp()),
    "log(exp(z) - 1)": (ABOVE, lambda x: x.exp() - 1, lambda x: x.exp()),
    "log(-1 + exp(z))": (ABOVE, lambda x: x.exp() - 1, lambda x: x.exp()),
    "log(1 - exp(-z))": (ABOVE, lambda x: 1 - (-x).exp(), lambda x: (-x).exp()),
    "log1p(-exp(-z))": (ABOVE, lambda x: 1 - (-x).exp(), lambda x: (-x).exp()),
    "log(exp(z) - exp(-z))": (ABOVE, lambda x: x.exp() - (-x).exp(), lambda x: x.exp() + (-x).exp()),
    "log(1 - tanh(z).^2)": (FAR, lambda x: below(x) * below(-x), lambda x: -2 * tanh(x) * below(x) * below(-x)),
    "log(1 - tanh(z))": (FAR, below, lambda x: -below(x) * below(-x)),
    "log((1 + tanh(z)) / 2)": (FAR, lambda x: below(-x) / 2, lambda x: below(x) * below(-x) / 2),
}


def truth(text: str, x: float) -> tuple[float, float]:
    """The logarithm and its derivative."""
    _, inside, slope = LOGARITHMS[text]
    with localcontext() as context:
        context.prec = DIGITS
        value = inside(D(x))
        return float(value.ln()), float(slope(D(x)) / value)


def agree(found: Any, wanted: list[float], dtype: Any, whole: float = 0.0) -> None:
    """Digits of each entry; `whole` is what may be lost to cancellation of what the user wrote."""
    rel = 3e-13 if dtype is np.float64 else 3e-5
    np.testing.assert_allclose(found, wanted, rtol=rel, atol=max(TINY if dtype is np.float64 else 1e-37, whole))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("text", LOGARITHMS)
def test_in_functions(text: str, dtype: Any) -> None:
    function = mcalc.derive(f"sum(y .* {text})", wrt="z", where="z, y: n").compile()
    check(lambda z: function(np.ones_like(z), z), text, dtype)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("text", LOGARITHMS)
def test_in_models(text: str, dtype: Any) -> None:
    inside = text.replace("log1p(", "log(1 + ").removeprefix("log(").removesuffix(")")
    for body in (f"loss = sum(y .* {text})", f"p = {inside}\noutput p\nloss = sum(y .* log(p))"):
        made = mcalc.generate(f"model m\ninput y : n\nparam z : n\n{body}\n")
        assert made.examination.points

        def value_and_grad(z: Any, module: Any = made.module) -> Any:
            value, gradients = module.value_and_grad(np.ones_like(z), z)
            return value, gradients.z

        check(value_and_grad, text, dtype)


def check(function: Callable[..., Any], text: str, dtype: Any) -> None:
    values, slopes = [], []
    points = np.array(LOGARITHMS[text][0], dtype)
    exact = [truth(text, float(x)) for x in points]
    for x in points:
        with np.errstate(all="raise", under="ignore"):
            value, gradient = function(np.array([x], dtype))
        values.append(float(value))
        slopes.append(float(gradient[0]))
        assert gradient.dtype == dtype
    small = 1e-15 if dtype is np.float64 else 1e-6
    agree(values, [v for v, _ in exact], dtype, small)
    agree(slopes, [g for _, g in exact], dtype, small)


@pytest.mark.parametrize("kind", ["input", "param"])
def test_declared_positive(kind: str) -> None:
    module = mcalc.generate(f"model m\n{kind} r : scalar positive\nparam z : n\nloss = sum(log(r + exp(z)))\n").module
    derived = mcalc.derive("sum(log(r + exp(z)))", wrt="z", where="z: n; r: scalar positive").compile()
    for z in FAR:
        with localcontext() as context:
            context.prec = DIGITS
            whole = D("2.5") + D(z).exp()
            exact, slope, other = float(whole.ln()), float(D(z).exp() / whole), float(1 / whole)
        given = {"r": 2.5, "z": np.array([z])}
        if kind == "param":
            # the gradient by r keeps its digits; where exp(z) overflows, nothing is said
            if z < 700:
                _, gradients = module.value_and_grad(**given)
                np.testing.assert_allclose([*gradients.z, gradients.r], [slope, other], rtol=1e-13, atol=TINY)
            continue
        with np.errstate(all="raise", under="ignore"):
            value, gradients = module.value_and_grad(**given)
            again, gradient = derived(**given)
        np.testing.assert_allclose([value, again], exact, rtol=1e-13)
        np.testing.assert_allclose([*gradients.z, *gradient], slope, rtol=1e-13, atol=TINY)


def test_in_loops() -> None:
    text = """model m
input x[1..T] : n x d
input y[1..T] : n
param w : d
for t in 1..T:
    p[t] = (1 + erf(x[t] w / sqrt(2))) / 2
    s[t] = sum(y[t] .* log(p[t]) + (1 - y[t]) .* log(1 - p[t]) + log(2 + exp(x[t] w)))
output p
loss = -sum(t in 1..T, s[t])
"""
    module = mcalc.generate(text).module
    assert module.check_gradients() < 1e-6
    with np.errstate(all="raise", under="ignore"):
        value, gradients = module.value_and_grad(np.full((2, 1, 1), -40.0), np.ones((2, 1)), np.ones(1))
    far = truth("log((1 + erf(z / sqrt(2))) / 2)", -40.0)
    assert value == pytest.approx(-2 * (far[0] + np.log(2)), rel=1e-13)
    assert gradients.w == pytest.approx([80 * far[1]], rel=1e-13)


def test_ordered_regression() -> None:
    text = """model ordered
input z : n
param c : scalar
param s : scalar
low = sigmoid(c - z)
high = sigmoid(c + exp(s) - z)
p = high - low
output p
loss = -sum(log(p) / 2)
"""
    module = mcalc.generate(text).module
    for z in (-1000.0, -3.0, 0.0, 1e-9, 3.0, 1000.0):
        with np.errstate(all="raise", under="ignore"):
            value, gradients = module.value_and_grad(np.array([z]), 0.5, -0.25)
        with localcontext() as context:
            context.prec = DIGITS
            low, high = D(0.5) - D(z), D(0.5) - D(z) + D(-0.25).exp()
            of = [1 / (1 + (-x).exp()) for x in (low, high)]
            slopes = [1 / (2 + x.exp() + (-x).exp()) for x in (low, high)]
            p = of[1] - of[0]
            wanted = [-p.ln() / 2, -(slopes[1] - slopes[0]) / p / 2, -slopes[1] * D(-0.25).exp() / p / 2]
        np.testing.assert_allclose([value, *gradients], [float(x) for x in wanted], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("text", ["log(1 + sum(exp(z)))", "log(sum(exp(z)) / 2 + 1/2) + log(2)", "log1p(sum(exp(z)))"])
def test_a_class_of_reference(text: str) -> None:
    derived = mcalc.derive(text, wrt="z", where="z: n").compile()
    module = mcalc.generate(f"model m\nparam z : n\nloss = {text}\n").module
    for z in (np.array([1000.0, 999.0]), np.array([-1000.0, -999.0]), np.array([1e-9, -3.0])):
        with localcontext() as context:
            context.prec = DIGITS
            whole = 1 + sum(D(float(x)).exp() for x in z)
            wanted = [float(D(float(x)).exp() / whole) for x in z]
            exact = float(whole.ln())
        with np.errstate(all="raise", under="ignore"):
            for value, gradient in (derived(z), module.value_and_grad(z)):
                assert value == pytest.approx(exact, rel=1e-13, abs=1e-15)
                np.testing.assert_allclose(np.ravel(gradient), wanted, rtol=1e-12, atol=TINY)


def test_classes_of_reference_by_rows() -> None:
    module = mcalc.generate(
        "model m\ninput Y : n x k\nparam Z : n x k\nloss = sum(log(1 + sum(exp(Z), axis=1))) - sum(Y .* Z)\n"
    ).module
    Z = np.array([[1000.0, 998.0], [-1000.0, -1000.0]])
    with np.errstate(all="raise", under="ignore"):
        value, gradients = module.value_and_grad(np.zeros((2, 2)), Z)
    assert value == pytest.approx(1000 + np.log1p(np.exp(-2.0)))
    np.testing.assert_allclose(gradients.Z[0], np.array([1, np.exp(-2.0)]) / (1 + np.exp(-2.0)))


def test_a_scaled_and_shifted_probit() -> None:
    f = mcalc.derive(
        "sum(log((1 + erf((X b - c) / (s sqrt(2)))) / 2))", wrt="b", where="X: n x d; b: d; c: n; s: scalar positive"
    ).compile()
    with np.errstate(all="raise", under="ignore"):
        value, gradient = f(np.array([[1.0]]), np.array([3.0]), np.array([83.0]), 2.0)
    log, slope = truth("log((1 + erf(z / sqrt(2))) / 2)", -40.0)
    assert value == pytest.approx(log, rel=1e-13)
    assert gradient == pytest.approx([slope / 2], rel=1e-13)


@pytest.mark.parametrize("name", CODE_FUNCTIONS)
def test_derivatives_of_the_functions_of_code(name: str) -> None:
    row = CODE_FUNCTIONS[name]
    x = o.symbol("x", (dim(3), ONE))
    f, slope = o.app(name, x), row.derivative(o, x, o.app(name, x))
    function = compile_value_and_grad(o.total(f), {x: slope}, arguments=[x])
    at = np.array([-2.5, -0.8, -0.1]) if row.domain == "negative" else np.array([-2.5, -0.6, 1.7])
    _, gradient = function(at)
    h = 1e-5
    for i, step in enumerate(np.eye(3) * h):
        found = (function(at + step)[0] - function(at - step)[0]) / (2 * h)
        assert found == pytest.approx(gradient[i], rel=1e-7)
