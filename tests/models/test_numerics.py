"""Large arguments: losses and gradients are finite and right, and nothing warns."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.models.harness import Values, close, draw, parts, subject

mpmath = pytest.importorskip("mpmath")
exact = np.vectorize(mpmath.mpf, otypes=[object])
exp, log, tanh = (np.frompyfunc(f, 1, 1) for f in (mpmath.exp, mpmath.log, mpmath.tanh))


def run(text: str, values: Values) -> tuple[float, list[Any]]:
    """Loss and gradients; a warning is an error."""
    with warnings.catch_warnings(), np.errstate(over="raise", invalid="raise", divide="raise"):
        warnings.simplefilter("error")
        loss, gradients = subject(text).module.value_and_grad(**values)
    assert np.isfinite(loss)
    assert all(np.all(np.isfinite(a)) for g in gradients for a in parts(g))
    return loss, list(gradients)


# --- references in many digits -----------------------------------------------------------------------------------------


def lse(z: Any) -> Any:
    """log(sum(exp(z))) of each row."""
    return log(exp(z).sum(axis=1))


def softmax(z: Any) -> Any:
    e = exp(z)
    return e / e.sum(axis=1, keepdims=True)


def sigmoid(z: Any) -> Any:
    return 1 / (1 + exp(-z))


def reference(v: Values) -> Values:
    return {n: exact(x) if isinstance(x, np.ndarray) else mpmath.mpf(x) for n, x in v.items()}


def as_float(x: Any) -> Any:
    return np.asarray(x, dtype=float)


LARGE = (30.0, 1000.0)


@pytest.fixture(autouse=True)
def many_digits() -> Any:
    with mpmath.workdps(1000):
        yield


def one_hot(n: int, k: int) -> np.ndarray:
    return np.eye(k)[np.random.default_rng(0).integers(k, size=n)]


@pytest.mark.parametrize("scale", LARGE)
def test_softmax_regression(scale: float) -> None:
    v = draw(subject("softmax_regression"), scale=np.sqrt(scale)) | {"Y": one_hot(4, 2)}
    loss, (w_bar, b_bar) = run("softmax_regression", v)
    e = reference(v)
    z = e["X"] @ e["W"] + e["b"]
    close(loss, float((lse(z).sum() - (e["Y"] * z).sum()) / 4))
    z_bar = (softmax(z) - e["Y"]) / 4
    close(w_bar, as_float(e["X"].T @ z_bar))
    close(b_bar, as_float(z_bar.sum(axis=0, keepdims=True)))


@pytest.mark.parametrize("scale", LARGE)
def test_mlp_classifier(scale: float) -> None:
    v = draw(subject("mlp_classifier")) | {"Y": one_hot(4, 2)}
    v["W2"] = v["W2"] * scale
    v["W1"] = v["W1"] * scale
    loss, gradients = run("mlp_classifier", v)
    e = reference(v)
    h = tanh(e["X"] @ e["W1"] + e["b1"])
    z = h @ e["W2"] + e["b2"]
    close(loss, float((lse(z).sum() - (e["Y"] * z).sum()) / 4))
    z_bar = (softmax(z) - e["Y"]) / 4
    h_bar = (z_bar @ e["W2"].T) * (1 - h * h)
    wanted = [e["X"].T @ h_bar, h_bar.sum(0, keepdims=True), h.T @ z_bar, z_bar.sum(0, keepdims=True)]
    for got, want in zip(gradients, wanted, strict=True):
        close(got, as_float(want), 1e-9)
    p = subject("mlp_classifier").module.predict(v["X"], *(v[n] for n in ("W1", "b1", "W2", "b2")))
    close(p, as_float(softmax(z)))


@pytest.mark.parametrize("scale", LARGE)
def test_logistic(scale: float) -> None:
    v = draw(subject("logistic"), scale=np.sqrt(scale))
    v["y"] = np.sign(v["y"])
    loss, (gradient,) = run("logistic", v)
    e = reference(v)
    z = e["y"] * (e["X"] @ e["w"])
    close(loss, float(log(1 + exp(-z)).sum() / 4))
    close(gradient, as_float(-e["X"].T @ (e["y"] * sigmoid(-z)) / 4))


@pytest.mark.parametrize("scale", LARGE)
def test_metric_learning(scale: float) -> None:
    v = draw(subject("metric_learning"), scale=scale**0.25)
    loss, gradients = run("metric_learning", v)
    e = reference(v)
    d = e["A"] - e["B"]
    q = ((d @ e["L"].T) ** 2).sum(axis=1)
    z = e["y"] * (q - e["b"])
    close(loss, float(log(1 + exp(z)).sum() / 4))
    q_bar = sigmoid(z) * e["y"] / 4
    close(gradients[0], as_float(2 * e["L"] @ ((d * q_bar[:, None]).T @ d)), 1e-9)
    close(gradients[1], float(-q_bar.sum()), 1e-9)


def test_poisson() -> None:
    """exp overflows at 710: up to there everything is exact, below -745 it is zero."""
    v = {"X": np.array([[700.0], [-1000.0], [1.0]]), "y": np.array([1.0, 2.0, 3.0]), "w": np.array([1.0])}
    loss, (gradient,) = run("poisson", v)
    e = reference(v)
    z = e["X"] @ e["w"]
    wanted = float((exp(z).sum() - (e["y"] * z).sum()) / 3)
    assert abs(loss - wanted) <= 1e-10 * abs(wanted)
    want = as_float(e["X"].T @ (exp(z) - e["y"]) / 3)
    assert np.allclose(gradient, want, rtol=1e-10)


@pytest.mark.parametrize(
    "name, scale",
    [("lstm", 1000), ("gru", 1000), ("birnn", 30), ("deep_mlp", 1000), ("attention", 1000), ("autoencoder", 1000)],
)
def test_saturated_networks(name: str, scale: float) -> None:
    """Gates and units that are all but 0 or 1."""
    found = subject(name)
    values = draw(found)
    for p in found.parameters:
        value = values[p]
        values[p] = [scale * x for x in value] if isinstance(value, list) else scale * value
    loss, gradients = run(name, values)
    pytest.importorskip("jax")
    from tests.models import losses

    wanted, by_name = losses.value_and_grad(name, values, found.parameters)
    assert abs(loss - wanted) <= 1e-9 * abs(wanted)
    for p, got in zip(found.parameters, gradients, strict=True):
        for g, w in zip(parts(got), parts(by_name[p]), strict=True):
            assert np.max(np.abs(g - w)) <= 1e-9 * max(1.0, float(np.max(np.abs(w)))), p


# --- what users spell out ---------------------------------------------------------------------------------------------

_Z = "input X : n x d\ninput Y : n x k\nparam W : d x k\nZ = X W\n"
_V = "input X : n x d\ninput y : n\nparam w : d\nz = y .* (X w)\n"
MATRIX: dict[str, tuple[str, Callable[[Any, Any], Any]]] = {
    "log of softmax": ("loss = -sum(Y .* log(softmax(Z)))", lambda z, y: -(y * log(softmax(z))).sum()),
    "log of softmax, named": ("P = softmax(Z)\nloss = -sum(Y .* log(P))", lambda z, y: -(y * log(softmax(z))).sum()),
    "log of the sum of exponentials": ("loss = sum(log(sum(exp(Z), axis=1)))", lambda z, y: lse(z).sum()),
    "log of the sum of exponentials, named": (
        "E = exp(Z)\ns = sum(E, axis=1)\nloss = sum(log(s)) - sum(Y .* Z)",
        lambda z, y: lse(z).sum() - (y * z).sum(),
    ),
    "a softmax of exponentials": (
        "P = exp(Z) ./ (sum(exp(Z), axis=1) 1_k^T)\nloss = sum(Y .* P)",
        lambda z, y: (y * softmax(z)).sum(),
    ),
    "the log of that": (
        "P = exp(Z) ./ (sum(exp(Z), axis=1) 1_k^T)\nloss = -sum(Y .* log(P))",
        lambda z, y: -(y * log(softmax(z))).sum(),
    ),
}
VECTOR: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "log of 1 + exp": ("loss = sum(log(1 + exp(-z)))", lambda z: log(1 + exp(-z)).sum()),
    "log of exp + 1": ("loss = sum(log(exp(z) + 1))", lambda z: log(1 + exp(z)).sum()),
    "log1p of exp": ("loss = sum(log1p(exp(z)))", lambda z: log(1 + exp(z)).sum()),
    "minus log of sigmoid": ("loss = -sum(log(sigmoid(z)))", lambda z: -log(sigmoid(z)).sum()),
    "log of 1 - sigmoid": ("loss = -sum(log(1 - sigmoid(z)))", lambda z: -log(1 - sigmoid(z)).sum()),
    "sigmoid, spelled out": ("loss = sum(1 ./ (1 + exp(-z)))", lambda z: sigmoid(z).sum()),
    "swish, spelled out": ("loss = sum(z ./ (1 + exp(-z)))", lambda z: (z * sigmoid(z)).sum()),
    "a multiple of 1 - sigmoid": ("loss = sum(3 z ./ (1 + exp(z)))", lambda z: (3 * z * sigmoid(-z)).sum()),
    "tanh, spelled out": (
        "loss = sum((exp(z) - exp(-z)) ./ (exp(z) + exp(-z)))",
        lambda z: (2 * sigmoid(2 * z) - 1).sum(),
    ),
    "log of cosh": ("loss = sum(log(cosh(z)))", lambda z: log((exp(z) + exp(-z)) / 2).sum()),
    "minus log of sigmoid, named": ("p = sigmoid(z)\nloss = -sum(log(p))", lambda z: -log(sigmoid(z)).sum()),
    "cross-entropy of two classes": (
        "p = sigmoid(X w)\nt = (1 + y) / 2\nloss = -sum(t .* log(p) + (1 - t) .* log(1 - p))",
        lambda z: log(1 + exp(-z)).sum(),
    ),
}


def slope(f: Callable[[Any], Any], w: Any) -> np.ndarray:
    """The gradient of f at w by central differences in a thousand digits."""
    found = np.zeros(w.shape)
    step = mpmath.mpf(10) ** -300
    for place in np.ndindex(*w.shape):
        above, below = w.copy(), w.copy()
        above[place] += step
        below[place] -= step
        found[place] = float((f(above) - f(below)) / (2 * step))
    return found


@pytest.mark.parametrize("scale", LARGE)
@pytest.mark.parametrize("form", MATRIX)
def test_forms_of_matrices(form: str, scale: float) -> None:
    text, loss_of = MATRIX[form]
    text = f"model form\n{_Z}{text}\n"
    rng = np.random.default_rng(1)
    v = {"X": rng.standard_normal((4, 3)), "Y": one_hot(4, 3), "W": scale * rng.standard_normal((3, 3))}
    loss, (gradient,) = run(text, v)
    e = reference(v)

    def of(w: Any) -> Any:
        return loss_of(e["X"] @ w, e["Y"])

    close(loss, float(of(e["W"])))
    close(gradient, slope(of, e["W"]))


@pytest.mark.parametrize("scale", LARGE)
@pytest.mark.parametrize("form", VECTOR)
def test_forms_of_vectors(form: str, scale: float) -> None:
    text, loss_of = VECTOR[form]
    text = f"model form\n{_V}{text}\n"
    rng = np.random.default_rng(2)
    v = {"X": rng.standard_normal((6, 3)), "y": np.sign(rng.standard_normal(6)), "w": scale * rng.standard_normal(3)}
    loss, (gradient,) = run(text, v)
    e = reference(v)

    def of(w: Any) -> Any:
        return loss_of(e["y"] * (e["X"] @ w))

    close(loss, float(of(e["w"])))
    close(gradient, slope(of, e["w"]))


# --- determinants -----------------------------------------------------------------------------------------------------


def test_log_of_a_large_determinant() -> None:
    """det(K) of a 1000 x 1000 covariance is no number of floating point; its logarithm is."""
    rng = np.random.default_rng(0)
    a = rng.standard_normal((1000, 1000))
    for factor in (1e-3, 1e3):
        k = factor * (a @ a.T / 1000 + np.eye(1000))
        text = "model form\nparam K : n x n spd\nloss = log(det(K))\n"
        loss, (gradient,) = run(text, {"K": k})
        assert abs(loss - np.linalg.slogdet(k)[1]) <= 1e-10 * abs(loss)
        assert np.max(np.abs(gradient @ k - np.eye(1000))) < 1e-8


def test_gaussian_of_a_thousand_dimensions() -> None:
    rng = np.random.default_rng(1)
    a = rng.standard_normal((1000, 1000))
    v = {"X": rng.standard_normal((20, 1000)), "mu": rng.standard_normal(1000), "Sigma": a @ a.T / 1000 + np.eye(1000)}
    loss, (mu_bar, sigma_bar) = run("gaussian_nll", v)
    r = v["X"] - v["mu"]
    solved = np.linalg.solve(v["Sigma"], r.T)
    wanted = 10 * np.linalg.slogdet(v["Sigma"])[1] + np.sum(r.T * solved) / 2
    assert abs(loss - wanted) <= 1e-10 * abs(wanted)
    close(mu_bar, -solved.sum(axis=1), 1e-9)
    close(sigma_bar, 10 * np.linalg.inv(v["Sigma"]) - solved @ solved.T / 2, 1e-8)


def test_gaussian_process_of_a_thousand_points() -> None:
    rng = np.random.default_rng(2)
    x = rng.uniform(size=(1000, 2))
    d = ((x[:, None] - x[None]) ** 2).sum(axis=2)
    v = {"D": d, "y": rng.standard_normal(1000), "a": 0.3, "l": -2.0, "c": -3.0}
    loss, gradients = run("gp_marginal_likelihood", v)
    s = np.exp(0.3) * np.exp(-d / (2 * np.exp(-2.0)))
    k = s + np.exp(-3.0) * np.eye(1000)
    solved = np.linalg.solve(k, v["y"])
    wanted = (v["y"] @ solved + np.linalg.slogdet(k)[1] + 1000 * np.log(2 * np.pi)) / 2
    assert abs(loss - wanted) <= 1e-10 * abs(wanted)
    k_bar = (np.linalg.inv(k) - np.outer(solved, solved)) / 2
    wants = [np.sum(k_bar * s), np.sum(k_bar * s * d / (2 * np.exp(-2.0))), np.exp(-3.0) * np.trace(k_bar)]
    for got, want in zip(gradients, wants, strict=True):
        assert abs(got - want) <= 1e-7 * max(1, abs(want))
