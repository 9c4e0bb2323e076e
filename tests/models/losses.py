"""The losses of the shipped models in JAX, written by hand: an oracle for values and gradients.

Each takes the arguments by name, as at the interface of a generated module.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

jax.config.update("jax_enable_x64", True)

Values = dict[str, Any]
sigmoid, softplus, logsumexp = jax.nn.sigmoid, jax.nn.softplus, jax.scipy.special.logsumexp


def sq(x: Any) -> Any:
    """The sum of squares."""
    return jnp.sum(x * x)


def cross_entropy(z: Any, y: Any) -> Any:
    """Softmax cross-entropy, the mean over rows."""
    return jnp.sum(logsumexp(z, axis=1)) / len(z) - jnp.sum(y * z) / len(z)


def states(step: Callable[[Any, Any], Any], start: Any, xs: Any) -> Any:
    """The states of a recurrence, after each element."""

    def twice(state: Any, x: Any) -> tuple[Any, Any]:
        return (after := step(state, x)), after

    return jax.lax.scan(twice, start, xs)[1]


def elman(v: Values, xs: Any, u: str, w: str, b: str) -> Any:
    """The states of a tanh network that starts at zero."""
    zero = jnp.zeros((xs.shape[1], v[w].shape[0]))
    return states(lambda h, x: jnp.tanh(x @ v[u] + h @ v[w] + v[b]), zero, xs)


def attention(v: Values) -> Any:
    scores = (v["X"] @ v["Wq"]) @ (v["X"] @ v["Wk"]).T / jnp.sqrt(v["Wq"].shape[1])
    return sq(v["Y"] - jax.nn.softmax(scores, axis=1) @ (v["X"] @ v["Wv"])) / len(v["X"])


def autoencoder(v: Values) -> Any:
    hidden = sigmoid(v["X"] @ v["W"] + v["b"])
    return sq(v["X"] - hidden @ v["W"].T - v["c"]) / len(v["X"])


def birnn(v: Values) -> Any:
    h = elman(v, v["x"], "U", "W", "b")
    g = elman(v, v["x"][::-1], "R", "S", "c")[::-1]
    p = jnp.concatenate([h, g], axis=2) @ v["V"]
    return sq(v["y"] - p) / (len(p) * len(p[0]))


def deep_mlp(v: Values) -> Any:
    a = v["X"]
    for w, b in zip(v["W"][:-1], v["b"][:-1], strict=True):
        a = jnp.tanh(a @ w + b)
    return cross_entropy(a @ v["W"][-1] + v["b"][-1], v["Y"])


def gaussian_nll(v: Values) -> Any:
    r = v["X"] - v["mu"]
    _, log_det = jnp.linalg.slogdet(v["Sigma"])
    return len(r) / 2 * log_det + jnp.sum(r * jnp.linalg.solve(v["Sigma"], r.T).T) / 2


def gp_marginal_likelihood(v: Values) -> Any:
    n = len(v["y"])
    k = jnp.exp(v["a"]) * jnp.exp(-v["D"] / (2 * jnp.exp(v["l"]))) + jnp.exp(v["c"]) * jnp.eye(n)
    return (v["y"] @ jnp.linalg.solve(k, v["y"]) + jnp.linalg.slogdet(k)[1] + n * jnp.log(2 * jnp.pi)) / 2


def gru(v: Values) -> Any:
    def step(h: Any, x: Any) -> Any:
        z, r = (sigmoid(x @ v[f"W{g}"] + h @ v[f"U{g}"] + v[f"b{g}"]) for g in "zr")
        return (1 - z) * h + z * jnp.tanh(x @ v["Ws"] + (r * h) @ v["Us"] + v["bs"])

    h = states(step, jnp.zeros((v["x"].shape[1], v["V"].shape[0])), v["x"])[-1]
    return sq(v["y"] - h @ v["V"]) / len(h)


def layer_norm_mlp(v: Values) -> Any:
    h = v["X"] @ v["W1"]
    normal = (h - h.mean(axis=1, keepdims=True)) / jnp.sqrt(h.var(axis=1, keepdims=True) + 1e-5)
    return sq(v["y"] - jax.nn.relu(normal * v["g"] + v["b"]) @ v["W2"] - v["c"]) / len(h)


def linear_regression(v: Values) -> Any:
    return sq(v["y"] - v["X"] @ v["w"] - v["b"]) / len(v["y"])


def logistic(v: Values) -> Any:
    return jnp.mean(softplus(-v["y"] * (v["X"] @ v["w"])))


def lstm(v: Values) -> Any:
    def step(state: Any, x: Any) -> Any:
        h, c = state
        i, f, o = (sigmoid(x @ v[f"W{g}"] + h @ v[f"U{g}"] + v[f"b{g}"]) for g in "ifo")
        c = f * c + i * jnp.tanh(x @ v["Wg"] + h @ v["Ug"] + v["bg"])
        return o * jnp.tanh(c), c

    zero = jnp.zeros((v["x"].shape[1], v["V"].shape[0]))
    h = states(step, (zero, zero), v["x"])[0][-1]
    return sq(v["y"] - h @ v["V"]) / len(h)


def matrix_factorization(v: Values) -> Any:
    return sq(v["X"] - v["U"] @ v["V"].T) + v["lambda_"] * (sq(v["U"]) + sq(v["V"]))


def metric_learning(v: Values) -> Any:
    q = jnp.sum(((v["A"] - v["B"]) @ v["L"].T) ** 2, axis=1)
    return jnp.mean(softplus(v["y"] * (q - v["b"])))


def mlp(v: Values) -> Any:
    return sq(v["y"] - jax.nn.relu(v["X"] @ v["W1"] + v["b1"]) @ v["W2"] - v["b2"])


def mlp_classifier(v: Values) -> Any:
    return cross_entropy(jnp.tanh(v["X"] @ v["W1"] + v["b1"]) @ v["W2"] + v["b2"], v["Y"])


def poisson(v: Values) -> Any:
    z = v["X"] @ v["w"]
    return jnp.mean(jnp.exp(z) - v["y"] * z)


def ridge(v: Values) -> Any:
    return sq(v["y"] - v["X"] @ v["w"]) + v["lambda_"] * sq(v["w"])


def rnn(v: Values) -> Any:
    h = states(lambda h, x: jax.nn.relu(x @ v["U"] + h @ v["W"]), v["h0"], v["x"])
    return sq(v["y"] - h @ v["V"])


def rnn_many_to_one(v: Values) -> Any:
    h = elman(v, v["x"], "U", "W", "b")[-1]
    return sq(v["y"] - h @ v["V"] - v["c"]) / len(h)


def softmax_regression(v: Values) -> Any:
    return cross_entropy(v["X"] @ v["W"] + v["b"], v["Y"])


def diamond(v: Values) -> Any:
    return 10 - (v["w3"] * v["w1"] + v["w4"] * v["w2"]) * v["a"]


def scalar_graph(v: Values) -> Any:
    return (v["y"] + v["x"]) * v["x"]


LOSSES: dict[str, Callable[[Values], Any]] = {
    f.__name__: f
    for f in (
        attention, autoencoder, birnn, deep_mlp, diamond, gaussian_nll, gp_marginal_likelihood, gru, layer_norm_mlp,
        linear_regression, logistic, lstm, matrix_factorization, metric_learning, mlp, mlp_classifier, poisson, ridge,
        rnn, rnn_many_to_one, scalar_graph, softmax_regression,
    )
}  # fmt: skip


FAST = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
"""For the compiler: each function is run once."""


def value_and_grad(name: str, values: Values, parameters: tuple[str, ...]) -> tuple[float, dict[str, Any]]:
    """The loss and its gradients by automatic differentiation."""
    held = {n: [jnp.asarray(x) for x in v] if isinstance(v, list) else jnp.asarray(v) for n, v in values.items()}

    def loss(free: Values, rest: Values) -> Any:
        return LOSSES[name]({**rest, **free})

    free = {n: held.pop(n) for n in parameters}
    compiled = jax.jit(jax.value_and_grad(loss)).lower(free, held).compile(compiler_options=FAST)
    value, gradients = compiled(free, held)
    return float(value), gradients
