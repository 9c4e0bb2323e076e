"""What the estimators share: hyperparameters, the training loop, when it stops."""

from __future__ import annotations

import math
import warnings
from abc import abstractmethod
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state, gen_batches, shuffle
from sklearn.utils.validation import check_is_fitted

from mcalc.estimators.networks import ACTIVATIONS, Array, Network
from mcalc.estimators.objective import Objective
from mcalc.estimators.progress import Progress
from mcalc.estimators.solvers import solver_of

FLOATS = (np.float64, np.float32)
"""The types that data may have; others are converted."""


def _real(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool | np.bool_)


def _count(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 1


def _one_of(*words: str) -> tuple[str, Callable[[Any], bool]]:
    return "one of " + ", ".join(words), lambda v: isinstance(v, str) and v in words


_NOT_NEGATIVE = "a number >= 0", lambda v: _real(v) and v >= 0
_POSITIVE = "a number > 0", lambda v: _real(v) and v > 0
_FRACTION = "a number in [0, 1)", lambda v: _real(v) and 0 <= v < 1
_TRUTH = "True or False", lambda v: isinstance(v, bool | np.bool_)
RULES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    # hyperparameter: what is expected, and the test
    "activation": _one_of(*ACTIVATIONS),
    "solver": _one_of("lbfgs", "sgd", "adam"),
    "alpha": _NOT_NEGATIVE,
    "batch_size": ('an integer >= 1 or "auto"', lambda v: _count(v) or (isinstance(v, str) and v == "auto")),
    "learning_rate": _one_of("constant", "invscaling", "adaptive"),
    "learning_rate_init": _POSITIVE,
    "power_t": _NOT_NEGATIVE,
    "max_iter": ("an integer >= 1", _count),
    "shuffle": _TRUTH,
    "tol": _NOT_NEGATIVE,
    "warm_start": _TRUTH,
    "momentum": ("a number in [0, 1]", lambda v: _real(v) and 0 <= v <= 1),
    "nesterovs_momentum": _TRUTH,
    "early_stopping": _TRUTH,
    "validation_fraction": ("a number in (0, 1)", lambda v: _real(v) and 0 < v < 1),
    "beta_1": _FRACTION,
    "beta_2": _FRACTION,
    "epsilon": _POSITIVE,
    "n_iter_no_change": ("an integer >= 1 or inf", lambda v: _count(v) or (_real(v) and v == math.inf)),
    "max_fun": ("an integer >= 1", _count),
    "hidden_size": ("an integer >= 1", _count),
    "return_sequences": _TRUTH,
    "n_steps": ("an integer >= 1", _count),
}


def glorot(rng: Any, fan_in: int, fan_out: int, activation: str, rows: int | None = None) -> Array:
    """Uniform random numbers with the bound of Glorot and Bengio (2010): fan_in x fan_out, or `rows` rows."""
    bound = math.sqrt((2.0 if activation == "logistic" else 6.0) / (fan_in + fan_out))
    found: Array = rng.uniform(-bound, bound, (fan_in if rows is None else rows, fan_out))
    return found


class NetworkEstimator(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A network that is trained by the gradients of its module. Subclasses say which one, and bring the data to it."""

    _IDLE_UNDER_LBFGS = "partial_fit needs a stochastic solver, sgd or adam"

    @abstractmethod
    def _network(self) -> Network:
        """The module for the fitted parameters."""

    @abstractmethod
    def _validated(self, X: Any, y: Any, first: bool, classes: Any) -> tuple[Array, Array]:
        """The data as floats, samples first, y with one column for each output; `first`: no earlier fit goes on."""

    @abstractmethod
    def _initial(self, X: Array, y: Array, rng: Any) -> tuple[list[Array], list[Array]]:
        """Weights and biases to start from."""

    @abstractmethod
    def _units(self, X: Array, y: Array) -> list[int]:
        """The features of such data, the units of each hidden layer, the outputs."""

    def _misfit(self, X: Array, y: Array) -> str:
        """The sizes of the data and of the hyperparameters that the fitted parameters are not for; empty if none."""
        fitted, now = [self.coefs_[0].shape[0], *(b.size for b in self.intercepts_)], self._units(X, y)
        if len(now) != len(fitted):
            return f"{len(now) - 2} hidden layers, fitted {len(fitted) - 2}"
        hidden = [f"units in hidden layer {i}" for i in range(1, len(now) - 1)]
        names = ["features in X", *hidden, "outputs in y"]
        return ", ".join(
            f"{size} {name}, fitted {old}" for size, name, old in zip(now, names, fitted, strict=True) if size != old
        )

    @abstractmethod
    def _agreement(self, X: Array, y: Array) -> float:
        """The score on validated data."""

    def _fed(self, data: Array) -> Array:
        """Validated data as the module takes them."""
        return data

    def _arrays(self) -> list[Array]:
        return [*self.coefs_, *(b.reshape(1, -1) for b in self.intercepts_)]

    def _outputs(self, X: Array) -> Array:
        check_is_fitted(self, "coefs_")
        return self._network().predict(self._fed(X), self._arrays())

    def _check_hyperparameters(self) -> None:
        for name, value in self.get_params(deep=False).items():
            if name in RULES and not RULES[name][1](value):
                raise ValueError(f"{name} has to be {RULES[name][0]}; got {value!r}")

    def fit(self, X: Any, y: Any) -> Self:
        """Train on samples X and targets y, from new random parameters (or on, with `warm_start`)."""
        return self._fit(X, y)

    def _fit(self, X: Any, y: Any, incremental: bool = False, classes: Any = None) -> Self:
        self._check_hyperparameters()
        if incremental and self.solver == "lbfgs":
            raise ValueError(self._IDLE_UNDER_LBFGS)
        if incremental and self.early_stopping:
            raise ValueError("partial_fit does not support early_stopping=True")
        first = not hasattr(self, "coefs_") or not (self.warm_start or incremental)
        X, y = self._validated(X, y, first, classes)
        rng = check_random_state(self.random_state)
        if first:
            self._start(X, y, rng)
        elif misfit := self._misfit(X, y):
            raise ValueError(f"the fitted parameters are for other sizes: {misfit}; fit with warm_start=False")
        X, y = (data.astype(self.coefs_[0].dtype, copy=False) for data in (X, y))
        if first or (self.validation_scores_ is not None) != self.early_stopping:
            self._new_records()
        held_out = None
        if self.early_stopping and self.solver != "lbfgs":
            X, X_held, y, y_held = train_test_split(
                X, y, random_state=rng, test_size=self.validation_fraction, stratify=self._strata(y)
            )
            if len(X_held) < 2:
                raise ValueError("the validation set has one sample; raise validation_fraction or bring more samples")
            held_out = X_held, y_held
        objective = Objective(self._network(), self._fed(X), self._fed(y), float(self.alpha), self._arrays())
        self._take(objective.arrays)
        if self.solver == "lbfgs":
            self._minimise(objective)
        else:
            if not incremental or not hasattr(self, "_solver"):
                self._solver = solver_of(self.get_params(deep=False), objective.theta)
            self._descend(objective, rng, held_out, 1 if incremental else self.max_iter, incremental)
        if not np.isfinite(objective.theta).all():
            raise ValueError("the parameters are not finite: scale the data, or lower learning_rate_init")
        return self

    def _strata(self, y: Array) -> Array | None:
        return None

    def _start(self, X: Array, y: Array, rng: Any) -> None:
        weights, biases = self._initial(X, y, rng)
        self.coefs_ = [w.astype(X.dtype) for w in weights]
        self.intercepts_ = [b.astype(X.dtype).ravel() for b in biases]
        self.n_outputs_ = y.shape[-1]
        self.n_iter_ = self.t_ = 0
        self.loss_curve_: list[float] = []

    def _new_records(self) -> None:
        self._unimproved = 0
        self.best_loss_: Any = None if self.early_stopping else math.inf
        self.validation_scores_: Any = [] if self.early_stopping else None
        self.best_validation_score_ = -math.inf if self.early_stopping else None

    def _take(self, arrays: list[Array]) -> None:
        """The attributes become views of the vector that is trained."""
        count = len(self.coefs_)
        self.coefs_ = arrays[:count]
        self.intercepts_ = [b.reshape(-1) for b in arrays[count:]]

    def _minimise(self, objective: Objective) -> None:
        from scipy.optimize import minimize

        options = {"maxfun": self.max_fun, "maxiter": self.max_iter, "gtol": self.tol}

        def value_and_grad(theta: Array) -> tuple[float, Array]:
            loss, gradient = objective.at(theta)
            return loss, gradient.astype(np.float64)

        found = minimize(value_and_grad, objective.theta, method="L-BFGS-B", jac=True, options=options)
        objective.theta[:] = found.x
        self.n_iter_, self.loss_ = min(int(found.nit), self.max_iter), float(found.fun)
        self.best_loss_ = self.loss_
        if not found.success:
            warnings.warn(f"lbfgs has not converged: {found.message}", ConvergenceWarning, stacklevel=4)

    def _descend(self, objective: Objective, rng: Any, held_out: Any, epochs: int, incremental: bool) -> None:
        samples = objective.samples
        size = min(200, samples) if self.batch_size == "auto" else int(self.batch_size)
        if size > samples:
            warnings.warn(f"batch_size is {size}, but there are {samples} samples; they are one batch", stacklevel=4)
            size = samples
        order = np.arange(samples)
        progress = Progress(epochs, self.verbose)
        best, reason = objective.theta.copy(), ""
        self.n_iter_ = 0
        try:
            for _ in range(epochs):
                if self.shuffle:
                    order = shuffle(order, random_state=rng)
                total = 0.0
                for batch in gen_batches(samples, size):
                    rows = order[batch]
                    loss, gradient = objective.value_and_grad(rows)
                    total += loss * len(rows)
                    self._solver.step(objective.theta, gradient)
                self.n_iter_ += 1
                self.t_ += samples
                self.loss_ = total / samples
                self.loss_curve_.append(self.loss_)
                if self._improved(held_out):
                    best[:] = objective.theta
                scores = self.validation_scores_
                progress.epoch(self.n_iter_, self.loss_, scores[-1] if held_out and scores else None)
                self._solver.epoch_ends(self.t_)
                if self._unimproved > self.n_iter_no_change:
                    if not self._solver.slower():
                        what = "validation score" if held_out else "training loss"
                        reason = f"The {what} did not improve by tol={self.tol:g} in {self.n_iter_no_change} epochs."
                        break
                    self._unimproved = 0
            else:
                if not incremental:
                    warnings.warn(
                        f"max_iter={epochs} epochs are over, and training has not converged",
                        ConvergenceWarning,
                        stacklevel=4,
                    )
        except KeyboardInterrupt:
            warnings.warn("training was interrupted; the parameters are those so far", stacklevel=4)
        finally:
            progress.close(reason)
        if held_out:
            objective.theta[:] = best

    def _improved(self, held_out: Any) -> bool:
        """Counts the epochs without improvement by `tol`; whether this epoch's parameters are the best so far."""
        if held_out is None:
            last, so_far = -self.loss_, -self.best_loss_
        else:
            last, so_far = self._agreement(*held_out), self.best_validation_score_
            self.validation_scores_.append(last)
        # as scikit-learn: a loss has to fall below, a score may reach, what is asked
        enough = last >= so_far + self.tol
        self._unimproved = 0 if enough else self._unimproved + 1
        if last > so_far:
            if held_out is None:
                self.best_loss_ = self.loss_
            else:
                self.best_validation_score_ = last
        return bool(last > so_far)


__all__ = ["FLOATS", "NetworkEstimator", "glorot"]
