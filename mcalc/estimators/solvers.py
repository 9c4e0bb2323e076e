"""Steps of stochastic gradient descent and of Adam, on one vector of parameters that is changed in place."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from mcalc.estimators.networks import Array


class Solver(Protocol):
    """What the training loop asks of a solver."""

    def step(self, theta: Array, gradient: Array) -> None:
        """Change theta."""

    def epoch_ends(self, samples: int) -> None:
        """After an epoch; `samples` counts those seen so far."""

    def slower(self) -> bool:
        """When the loss improves no more: take smaller steps from here on, or False, to stop."""


class SGD:
    """Gradient descent with (Nesterov's) momentum; the schedules of the learning rate are scikit-learn's."""

    def __init__(self, theta: Array, rate: float, schedule: str, momentum: float, nesterov: bool, power: float) -> None:
        self.first_rate = self.rate = rate
        self.schedule, self.momentum, self.nesterov, self.power = schedule, momentum, nesterov, power
        self.velocity = np.zeros_like(theta)

    def step(self, theta: Array, gradient: Array) -> None:
        """v = momentum v - rate g; theta + v, or a step further for Nesterov: theta + momentum v - rate g."""
        gradient *= self.rate
        self.velocity *= self.momentum
        self.velocity -= gradient
        if self.nesterov:
            theta += self.momentum * self.velocity
            theta -= gradient
        else:
            theta += self.velocity

    def epoch_ends(self, samples: int) -> None:
        """The rate of the schedule `invscaling`."""
        if self.schedule == "invscaling":
            self.rate = self.first_rate / (samples + 1) ** self.power

    def slower(self) -> bool:
        """A fifth of the rate, where the schedule is `adaptive` and the rate above 1e-6."""
        if self.schedule != "adaptive" or self.rate <= 1e-6:
            return False
        self.rate /= 5
        return True


class Adam:
    """Adam (Kingma and Ba 2014), with the correction of the bias in the rate."""

    def __init__(self, theta: Array, rate: float, beta_1: float, beta_2: float, epsilon: float) -> None:
        self.rate, self.beta_1, self.beta_2, self.epsilon = rate, beta_1, beta_2, epsilon
        self.t = 0
        self.m, self.v, self.work = np.zeros_like(theta), np.zeros_like(theta), np.empty_like(theta)

    def step(self, theta: Array, gradient: Array) -> None:
        """theta - rate m / (sqrt(v) + epsilon), for the running means m of g and v of its square."""
        self.t += 1
        self.m *= self.beta_1
        self.m += np.multiply(gradient, 1 - self.beta_1, out=self.work)
        self.v *= self.beta_2
        np.square(gradient, out=gradient)
        gradient *= 1 - self.beta_2
        self.v += gradient
        rate = self.rate * float(np.sqrt(1 - self.beta_2**self.t)) / (1 - self.beta_1**self.t)
        np.sqrt(self.v, out=gradient)
        gradient += self.epsilon
        np.divide(np.multiply(self.m, rate, out=self.work), gradient, out=self.work)
        theta -= self.work

    def epoch_ends(self, samples: int) -> None:
        """Nothing."""

    def slower(self) -> bool:
        """Adam stops."""
        return False


def solver_of(settings: dict[str, Any], theta: Array) -> Solver:
    """The solver that an estimator's parameters name."""
    rate = float(settings["learning_rate_init"])
    if settings["solver"] == "adam":
        return Adam(theta, rate, *(float(settings[name]) for name in ("beta_1", "beta_2", "epsilon")))
    momentum, power = float(settings["momentum"]), float(settings["power_t"])
    return SGD(theta, rate, settings["learning_rate"], momentum, settings["nesterovs_momentum"], power)


__all__ = ["SGD", "Adam", "Solver", "solver_of"]
