"""Elman recurrent networks for regression on sequences."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.validation import check_is_fitted, validate_data

from mcalc.estimators.networks import Array, Network, recurrent
from mcalc.estimators.training import FLOATS, NetworkEstimator, glorot


class RNNRegressor(RegressorMixin, NetworkEstimator):  # type: ignore[misc]
    """Regression on sequences by an Elman network, h[t] = f(x[t] U + h[t-1] W + b), with answers h V + c.

    X is one of
      - 3-D, n sequences of T steps with d features: (n, T, d). y is (n, k) or (n,), the answer after the last step; or
        with `return_sequences` (n, T, k) or (n, T), the answer of every step. Predictions have the shape of y;
      - 2-D, n successive times with d features: (n, d). y is (n, k) or (n,). The answer of a time is computed from the
        `n_steps` times up to it (before the first time, the first row is repeated).

    `hidden_size` is the number of units; `return_sequences` trains on the answers of every step of a sequence or
    window, else on the last one's. The other parameters, and the attributes after `fit`, are those of `MLPRegressor`;
    `coefs_` is [U, W, V], `intercepts_` is [b, c]. W starts as a random orthogonal matrix.
    """

    def __init__(
        self,
        hidden_size: int = 32,
        activation: str = "tanh",
        *,
        return_sequences: bool = False,
        n_steps: int = 1,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool | int = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: int = 10,
        max_fun: int = 15000,
    ) -> None:
        self.hidden_size = hidden_size
        self.activation = activation
        self.return_sequences = return_sequences
        self.n_steps = n_steps
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.max_fun = max_fun

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.input_tags.three_d_array = True
        return tags

    def partial_fit(self, X: Any, y: Any) -> Self:
        """One epoch on these samples, from the present parameters."""
        return self._fit(X, y, incremental=True)

    def predict(self, X: Any) -> Array:
        """The answers, in the shape of the y that was fitted: one for each sequence, each step, or each time."""
        check_is_fitted(self, "coefs_")
        X, windows = self._sequences(X, first=False)
        found = self._outputs(X)
        if self.return_sequences:
            found = found[-1] if windows else found.transpose(1, 0, 2)
        return found if self._columns else found[..., 0]

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """R squared of the predictions; those of all steps count alike."""
        found, wanted = self.predict(X), np.asarray(y)
        if found.ndim < wanted.ndim and wanted.shape[-1] == 1:
            wanted = wanted[..., 0]
        if wanted.shape != found.shape:
            raise ValueError(f"y has shape {wanted.shape}; the predictions have {found.shape}")
        if self.return_sequences and np.ndim(X) == 3:
            steps = found.shape[1]
            found, wanted = (a.reshape(-1, *a.shape[2:]) for a in (found, wanted))
            sample_weight = None if sample_weight is None else np.repeat(sample_weight, steps)
        return float(r2_score(wanted, found, sample_weight=sample_weight))

    def _network(self) -> Network:
        return recurrent(self.activation, bool(self.return_sequences))

    def _sequences(self, X: Any, first: bool) -> tuple[Array, bool]:
        """The data as sequences (n, T, d), and whether they are windows of successive times."""
        if _dimensions(X) != 3:
            X = validate_data(self, X, dtype=FLOATS, reset=first)
            return _windows(X, self.n_steps), True
        X = check_array(X, dtype=FLOATS, allow_nd=True, ensure_all_finite=False)
        if not X.shape[1]:
            raise ValueError("the sequences have 0 steps; at least one is needed")
        validate_data(self, X.reshape(-1, X.shape[2]), dtype=FLOATS, reset=first)
        return X, False

    def _validated(self, X: Any, y: Any, first: bool, classes: Any) -> tuple[Array, Array]:
        if y is None:
            raise ValueError("requires y to be passed, but the target y is None")
        X, windows = self._sequences(X, first)
        y = check_array(y, dtype=None, ensure_2d=False, allow_nd=True, input_name="y")
        y = y.astype(X.dtype)
        steps = 2 if self.return_sequences and not windows else 1
        if windows and y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        columns = y.ndim > steps
        if y.ndim not in (steps, steps + 1) or y.shape[:steps] != X.shape[:steps]:
            wanted = f"{X.shape[:2]} or {(*X.shape[:2], 'k')}" if steps == 2 else f"({len(X)},) or ({len(X)}, k)"
            raise ValueError(f"y has shape {y.shape}; inconsistent with X, for which {wanted} is expected")
        if first:
            self._columns = columns
        y = y if columns else y[..., np.newaxis]
        return X, _windows(y, self.n_steps) if windows and self.return_sequences else y

    def _initial(self, X: Array, y: Array, rng: Any) -> tuple[list[Array], list[Array]]:
        d, m, k, f = X.shape[2], self.hidden_size, y.shape[-1], self.activation
        Q, R = np.linalg.qr(rng.standard_normal((m, m)))
        W = Q * np.sign(np.diag(R))
        return [glorot(rng, d, m, f), W, glorot(rng, m, k, f)], [np.zeros((1, m)), np.zeros((1, k))]

    def _units(self, X: Array, y: Array) -> list[int]:
        return [X.shape[2], self.hidden_size, y.shape[-1]]

    def _fed(self, data: Array) -> Array:
        return np.ascontiguousarray(data.transpose(1, 0, 2)) if data.ndim == 3 else data

    def _agreement(self, X: Array, y: Array) -> float:
        found = self._outputs(X)
        return float(r2_score(self._fed(y).reshape(-1, y.shape[-1]), found.reshape(-1, y.shape[-1])))


def _dimensions(X: Any) -> int:
    if hasattr(X, "ndim"):
        return int(X.ndim)
    try:
        return int(np.asarray(X).ndim)
    except ValueError:
        raise ValueError("X is not an array: sequences of one call have to be of one length") from None


def _windows(data: Array, steps: int) -> Array:
    """Of n times the n windows of `steps` times that end there, n x steps x d; the first row is repeated before it."""
    longer = np.concatenate([np.repeat(data[:1], steps - 1, axis=0), data])
    return np.lib.stride_tricks.sliding_window_view(longer, steps, axis=0).transpose(0, 2, 1)


__all__ = ["RNNRegressor"]
