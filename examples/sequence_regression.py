"""Sequence regression by recurrent networks: the answer at each step depends on all inputs so far.

    python examples/sequence_regression.py

The inputs u[t] are random; y[t] = sin(2 s[t]) with the leaky sum s[t] = 0.7 s[t-1] + u[t]. The shipped model `rnn`
(relu, without biases: each input has a second feature, 1) is trained in three ways on the same batches, and
`mcalc.estimators.RNNRegressor` (tanh, with biases) on the same data; the last losses are printed, the curves saved.
A generated recurrent module takes sequences as arrays (steps, samples, features), the estimator as (samples, steps,
features).
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import toy_autograd
from sine_surface import draw

import mcalc
from mcalc.estimators import RNNRegressor

SAMPLES, STEPS, HIDDEN, BATCH = 200, 20, 16, 20
PICTURE = Path(__file__).with_suffix(".png")


def sequences(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Inputs, T x n x 2, the second feature 1, and answers, T x n x 1."""
    u = np.random.default_rng(seed).uniform(-1, 1, (STEPS, SAMPLES, 1))
    s, y = np.zeros((SAMPLES, 1)), np.empty((STEPS, SAMPLES, 1))
    for t in range(STEPS):
        s = 0.7 * s + u[t]
        y[t] = np.sin(2 * s)
    return np.concatenate([u, np.ones_like(u)], axis=2), y


def train(
    value_and_grad: Callable, parameters: tuple, epochs: int, update: Callable[[tuple, list], None]
) -> list[float]:
    """The mean squared error of each epoch; `update` changes the parameters by the gradients of a batch."""
    x, y = sequences()
    h0 = np.zeros((BATCH, HIDDEN))
    curve = []
    for epoch in range(epochs):
        total = 0.0
        for rows in np.split(np.random.default_rng(epoch).permutation(SAMPLES), SAMPLES // BATCH):
            loss, gradients = value_and_grad(x[:, rows], y[:, rows], h0, *parameters)
            total += loss
            update(parameters, [g / (BATCH * STEPS) for g in gradients])
        curve.append(total / (SAMPLES * STEPS))
    return curve


def sgd(rate: float) -> Callable[[tuple, list], None]:
    """Steps of gradient descent."""
    return lambda parameters, gradients: toy_autograd.sgd(parameters, gradients, rate)


def adam(rate: float) -> Callable[[tuple, list], None]:
    """Steps of Adam (Kingma and Ba 2014), which keeps means of the gradients and of their squares."""
    means: list[list[np.ndarray]] = []
    steps = 0

    def update(parameters: tuple, gradients: list) -> None:
        nonlocal steps
        steps += 1
        if not means:
            means.extend([np.zeros_like(p), np.zeros_like(p)] for p in parameters)
        for p, g, (m, v) in zip(parameters, gradients, means, strict=True):
            m += 0.1 * (g - m)
            v += 0.001 * (g**2 - v)
            p -= rate * (m / (1 - 0.9**steps)) / (np.sqrt(v / (1 - 0.999**steps)) + 1e-8)

    return update


def regressor(epochs: int) -> list[float]:
    """The same by the estimator; its loss is half the mean squared error."""
    x, y = sequences()
    network = RNNRegressor(
        HIDDEN, return_sequences=True, alpha=0, batch_size=BATCH, learning_rate_init=0.01, max_iter=epochs,
        n_iter_no_change=epochs, random_state=0,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the epochs are over
        network.fit(x[:, :, :1].transpose(1, 0, 2), y[:, :, 0].T)
    return [2 * loss for loss in network.loss_curve_]


def main(epochs: int = 100, picture: Path | None = PICTURE) -> dict[str, list[float]]:
    """Train in all ways, print the last losses, draw the curves; returns them."""
    rnn = mcalc.generate("rnn").module
    memory = rnn.workspace(T=STEPS, n=BATCH, d=2, m=HIDDEN, k=1)

    def generated(*arguments: np.ndarray) -> tuple:
        return rnn.value_and_grad(*arguments, workspace=memory)

    def start() -> tuple:
        return rnn.init(seed=0, d=2, m=HIDDEN, k=1)

    ways = {
        "toy autograd, SGD": lambda: train(toy_autograd.rnn, start(), epochs, sgd(0.1)),
        "generated module, SGD": lambda: train(generated, start(), epochs, sgd(0.1)),
        "generated module, Adam": lambda: train(generated, start(), epochs, adam(0.01)),
        "RNNRegressor (tanh, Adam)": lambda: regressor(epochs),
    }
    curves = {}
    for name, run in ways.items():
        began = time.perf_counter()
        curves[name] = run()
        print(f"{name:27} mean squared error {curves[name][-1]:.5f}   {time.perf_counter() - began:5.2f} s")
    if picture is not None:
        draw(curves, "y[t] = sin(2 s[t]), a recurrent network with 16 units", picture)
    return curves


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
