"""The models of the estimators, and their modules: compiled once for each depth, activation and loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

ACTIVATIONS = {"identity": "{}", "logistic": "sigmoid({})", "tanh": "tanh({})", "relu": "relu({})"}
"""The hidden layers' function, by scikit-learn's names."""

LOSSES = {
    # the output layer Z becomes the prediction P; the loss, a sum over the n samples
    "squared_error": ("Z", "norm(P - y)^2 / 2"),
    "logistic": ("sigmoid(Z)", "sum(softplus(Z) - y .* Z)"),
    "softmax": ("softmax(Z)", "(sum(logsumexp(Z, axis=1)) - sum(y .* Z))"),
}

PERCEPTRON = """
# Perceptron with {layers} layers of weights and a penalty on the weights.
model perceptron

size L = {layers}
input X : n x d[0]
input y : n x d[L]
input alpha : scalar
param W[l in 1..L] : d[l-1] x d[l]
param b[l in 1..L] : 1 x d[l]

A[0] = X
for l in 1..L-1:
    A[l] = {hidden}
Z = A[L-1] W[L] + 1_n b[L]
P = {output}

output P
loss = {loss} / n + alpha sum(l in 1..L, norm(W[l])^2) / (2 n)
"""

EACH_STEP = """
# Elman network that answers at every step.
model recurrent_each_step

input x[1..T] : n x d
input y[1..T] : n x k
input alpha : scalar
param U : d x m
param W : m x m
param V : m x k
param b : 1 x m
param c : 1 x k

h[0] = zeros(n, m)
for t in 1..T:
    h[t] = {hidden}
    p[t] = h[t] V + 1_n c

output p
loss = sum(t in 1..T, norm(p[t] - y[t])^2) / (2 n T) + alpha (norm(U)^2 + norm(W)^2 + norm(V)^2) / (2 n)
"""

LAST_STEP = """
# Elman network that answers after the last step.
model recurrent_last_step

input x[1..T] : n x d
input y : n x k
input alpha : scalar
param U : d x m
param W : m x m
param V : m x k
param b : 1 x m
param c : 1 x k

h[0] = zeros(n, m)
for t in 1..T:
    h[t] = {hidden}
P = h[T] V + 1_n c

output P
loss = norm(P - y)^2 / (2 n) + alpha (norm(U)^2 + norm(W)^2 + norm(V)^2) / (2 n)
"""


@dataclass(frozen=True)
class Network:
    """A module, with its parameters as one list of matrices: the weights of every layer, then the biases (1 x m)."""

    module: ModuleType
    ragged: bool

    def arguments(self, arrays: Sequence[Array]) -> tuple[Any, ...]:
        """The parameters as the module takes them."""
        if not self.ragged:
            return tuple(arrays)
        layers = len(arrays) // 2
        return list(arrays[:layers]), list(arrays[layers:])

    def workspace(self, X: Array, y: Array, arrays: Sequence[Array]) -> Any:
        """Memory for batches of the shapes of X and y."""
        if self.ragged:
            units = [w.shape[0] for w in arrays[: len(arrays) // 2]] + [y.shape[1]]
            return self.module.workspace(n=X.shape[0], d=units, dtype=X.dtype)
        T, n, d = X.shape
        return self.module.workspace(T=T, n=n, d=d, m=arrays[0].shape[1], k=y.shape[-1], dtype=X.dtype)

    def value_and_grad(self, X: Array, y: Array, alpha: float, arguments: Any, workspace: Any) -> tuple[float, Array]:
        """The loss and its gradient by all parameters, as one vector."""
        loss, gradients = self.module.value_and_grad(X, y, alpha, *arguments, workspace=workspace)
        parts = [*gradients[0], *gradients[1]] if self.ragged else gradients
        return loss, np.concatenate([part.ravel() for part in parts])

    def predict(self, X: Array, arrays: Sequence[Array]) -> Array:
        """The outputs of the network."""
        found: Array = self.module.predict(X, *self.arguments(arrays))
        return found


@cache
def perceptron(layers: int, activation: str, loss: str) -> Network:
    """The network with this many layers of weights (hidden ones, and the last)."""
    output, total = LOSSES[loss]
    hidden = ACTIVATIONS[activation].format("A[l-1] W[l] + 1_n b[l]")
    return Network(_module(PERCEPTRON.format(layers=layers, hidden=hidden, output=output, loss=total)), ragged=True)


@cache
def recurrent(activation: str, each_step: bool) -> Network:
    """The recurrent network that answers at each step, or after the last one."""
    hidden = ACTIVATIONS[activation].format("x[t] U + h[t-1] W + 1_n b")
    return Network(_module((EACH_STEP if each_step else LAST_STEP).format(hidden=hidden)), ragged=False)


def _module(text: str) -> ModuleType:
    from mcalc.generation import generate

    return generate(text.lstrip()).module


__all__ = ["ACTIVATIONS", "Array", "Network", "perceptron", "recurrent"]
