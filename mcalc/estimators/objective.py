"""The loss of a network on its training data, as a function of one vector of parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mcalc.estimators.networks import Array, Network


def joined(arrays: Sequence[Array]) -> tuple[Array, list[Array]]:
    """One vector with the entries of all arrays, and the arrays anew as views of it."""
    vector = np.concatenate([a.ravel() for a in arrays])
    views, start = [], 0
    for a in arrays:
        views.append(vector[start : start + a.size].reshape(a.shape))
        start += a.size
    return vector, views


class Objective:
    """Loss and gradient on batches of data.

    `X` and `y` are as the module takes them; samples are along axis 0 of a matrix and axis 1 of a sequence. The memory
    of batches of one size is made once.
    """

    def __init__(self, network: Network, X: Array, y: Array, alpha: float, arrays: Sequence[Array]) -> None:
        self.network, self.X, self.y, self.alpha = network, X, y, alpha
        self.theta, self.arrays = joined(arrays)
        self.arguments = network.arguments(self.arrays)
        self.samples = X.shape[X.ndim - 2]
        self._memory: dict[int, tuple[Array, Array, Any]] = {}

    def value_and_grad(self, rows: Array) -> tuple[float, Array]:
        """The loss and its gradient on these samples; the gradient is a new vector."""
        X, y, workspace = self._room(len(rows))
        # mode: without it NumPy would fill a second buffer
        np.take(self.X, rows, axis=self.X.ndim - 2, out=X, mode="clip")
        np.take(self.y, rows, axis=self.y.ndim - 2, out=y, mode="clip")
        return self.network.value_and_grad(X, y, self.alpha, self.arguments, workspace)

    def at(self, theta: Array) -> tuple[float, Array]:
        """The loss and its gradient on all data, there."""
        self.theta[:] = theta
        workspace = self._room(self.samples)[2]
        return self.network.value_and_grad(self.X, self.y, self.alpha, self.arguments, workspace)

    def _room(self, n: int) -> tuple[Array, Array, Any]:
        room = self._memory.get(n)
        if room is None:
            X, y = _batch(self.X, n), _batch(self.y, n)
            room = self._memory[n] = (X, y, self.network.workspace(X, y, self.arrays))
        return room


def _batch(data: Array, n: int) -> Array:
    return np.empty((*data.shape[:-2], n, data.shape[-1]), data.dtype)


__all__ = ["Objective", "joined"]
