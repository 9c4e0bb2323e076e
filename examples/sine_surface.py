"""Learn the surface y = sin(x1) + cos(x2) with a network of 2 inputs, 5 hidden units and 1 output.

    python examples/sine_surface.py

trains the shipped model `mlp` in four ways on the same batches, prints the last losses, and saves the curves:

1. by gradient descent with a toy autograd (toy_autograd.py);
2. the same with the generated module: the same curve, because the gradients are equal, in less time;
3. by Adam with the generated module;
4. by `mcalc.estimators.MLPRegressor`, with tanh in place of relu.

`mcalc generate mlp -o mlp.py` writes the module to a file that needs only NumPy; here it is made in process.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import toy_autograd

import mcalc
from mcalc.estimators import MLPRegressor

SAMPLES, HIDDEN, BATCH = 400, 5, 40
PICTURE = Path(__file__).with_suffix(".png")


def surface(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Points of the square [-3, 3] x [-3, 3] as rows, and their heights as a column."""
    X = np.random.default_rng(seed).uniform(-3, 3, (SAMPLES, 2))
    return X, np.sin(X[:, :1]) + np.cos(X[:, 1:])


def batches(epoch: int) -> list[np.ndarray]:
    """The rows of each batch; the same ones for every way of training."""
    return np.split(np.random.default_rng(epoch).permutation(SAMPLES), SAMPLES // BATCH)


def descend(value_and_grad: Callable, parameters: tuple, epochs: int, rate: float) -> list[float]:
    """Gradient descent; the mean squared error of each epoch."""
    X, y = surface()
    curve = []
    for epoch in range(epochs):
        total = 0.0
        for rows in batches(epoch):
            loss, gradients = value_and_grad(X[rows], y[rows], *parameters)
            total += loss
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter -= rate / BATCH * gradient
        curve.append(total / SAMPLES)
    return curve


def adam(value_and_grad: Callable, parameters: tuple, epochs: int, rate: float) -> list[float]:
    """Adam (Kingma and Ba 2014); the mean squared error of each epoch."""
    X, y = surface()
    m, v = ([np.zeros_like(p) for p in parameters] for _ in range(2))
    curve, step = [], 0
    for epoch in range(epochs):
        total = 0.0
        for rows in batches(epoch):
            loss, gradients = value_and_grad(X[rows], y[rows], *parameters)
            total += loss
            step += 1
            for p, g, m_p, v_p in zip(parameters, gradients, m, v, strict=True):
                g = g / BATCH
                m_p += 0.1 * (g - m_p)
                v_p += 0.001 * (g**2 - v_p)
                p -= rate * (m_p / (1 - 0.9**step)) / (np.sqrt(v_p / (1 - 0.999**step)) + 1e-8)
        curve.append(total / SAMPLES)
    return curve


def regressor(epochs: int) -> list[float]:
    """The same in one line, by the estimator. Its loss is half the mean squared error."""
    X, y = surface()
    network = MLPRegressor(
        (HIDDEN,), "tanh", alpha=0, batch_size=BATCH, learning_rate_init=0.03, max_iter=epochs,
        n_iter_no_change=epochs, random_state=0,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the epochs are over
        network.fit(X, y[:, 0])
    return [2 * loss for loss in network.loss_curve_]


def main(epochs: int = 150, picture: Path | None = PICTURE) -> dict[str, list[float]]:
    """Train in all ways, print the last losses, draw the curves; returns them."""
    mlp = mcalc.generate("mlp").module
    memory = mlp.workspace(n=BATCH, d=2, m=HIDDEN, k=1)

    def generated(*arguments: np.ndarray) -> tuple:
        return mlp.value_and_grad(*arguments, workspace=memory)

    def start() -> tuple:
        return mlp.init(seed=0, d=2, m=HIDDEN, k=1)

    ways = {
        "toy autograd, SGD": lambda: descend(toy_autograd.mlp, start(), epochs, rate=0.1),
        "generated module, SGD": lambda: descend(generated, start(), epochs, rate=0.1),
        "generated module, Adam": lambda: adam(generated, start(), epochs, rate=0.03),
        "MLPRegressor (tanh, Adam)": lambda: regressor(epochs),
    }
    curves = {}
    for name, train in ways.items():
        began = time.perf_counter()
        curves[name] = train()
        print(f"{name:27} mean squared error {curves[name][-1]:.5f}   {time.perf_counter() - began:5.2f} s")
    if picture is not None:
        draw(curves, "sin(x1) + cos(x2) by a 2-5-1 network", picture)
    return curves


def draw(curves: dict[str, list[float]], title: str, picture: Path) -> None:
    """The loss of each epoch, on a logarithmic scale."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6.4, 4), layout="constrained")
    for (name, curve), style in zip(curves.items(), ["-", "--", "-", "-"], strict=True):
        axes.semilogy(range(1, len(curve) + 1), curve, style, label=name, linewidth=4 if "toy" in name else 1.5)
    axes.set(xlabel="epoch", ylabel="mean squared error", title=title)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(picture, dpi=75)
    pyplot.close(figure)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
