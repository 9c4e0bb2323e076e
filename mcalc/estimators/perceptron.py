"""Perceptrons of any depth: regression by squared error, classification by cross-entropy."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from mcalc.estimators.networks import Array, Network, perceptron
from mcalc.estimators.training import FLOATS, NetworkEstimator, glorot


class _Perceptron(NetworkEstimator):
    """Layers, and their random start."""

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: str = "relu",
        *,
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
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
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

    def _loss(self) -> str:
        return "squared_error"

    def _network(self) -> Network:
        return perceptron(len(self.coefs_), self.activation, self._loss())

    def _units(self, X: Array, y: Array) -> list[int]:
        sizes = np.atleast_1d(np.asarray(self.hidden_layer_sizes))
        if sizes.ndim != 1 or (sizes.size and (sizes.dtype.kind not in "iu" or sizes.min() < 1)):
            raise ValueError(f"hidden_layer_sizes has to be integers >= 1; got {self.hidden_layer_sizes!r}")
        return [X.shape[1], *(int(size) for size in sizes), y.shape[1]]

    def _initial(self, X: Array, y: Array, rng: Any) -> tuple[list[Array], list[Array]]:
        weights, biases = [], []
        units = self._units(X, y)
        for fan_in, fan_out in pairwise(units):
            weights.append(glorot(rng, fan_in, fan_out, self.activation))
            biases.append(glorot(rng, fan_in, fan_out, self.activation, rows=1))
        self.n_layers_ = len(units)
        self.out_activation_ = {"squared_error": "identity"}.get(self._loss(), self._loss())
        return weights, biases


class MLPRegressor(RegressorMixin, _Perceptron):  # type: ignore[misc]
    """Regression by a multilayer perceptron: squared error / 2, the mean over the samples of a batch.

    The parameters are those of `sklearn.neural_network.MLPRegressor`, with the same defaults; for one output and the
    same `random_state` the losses of all epochs are the same up to rounding. With several outputs their errors are
    summed. X may not be sparse, and there are no sample weights.

    Attributes after `fit`: `coefs_`, `intercepts_` (one array for each layer), `loss_curve_`, `loss_`, `best_loss_`,
    `n_iter_`, `t_`, `n_layers_`, `n_outputs_`, `n_features_in_`, `out_activation_`; with `early_stopping`
    `validation_scores_` and `best_validation_score_`, and the parameters are those of the best score.
    """

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _validated(self, X: Any, y: Any, first: bool, classes: Any) -> tuple[Array, Array]:
        X, y = validate_data(self, X, y, multi_output=True, y_numeric=True, dtype=FLOATS, reset=first)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        return X, y.astype(X.dtype, copy=False).reshape(len(X), -1)

    def _agreement(self, X: Array, y: Array) -> float:
        return float(r2_score(y, self._outputs(X)))

    def partial_fit(self, X: Any, y: Any) -> Self:
        """One epoch on these samples, from the present parameters."""
        return self._fit(X, y, incremental=True)

    def predict(self, X: Any) -> Array:
        """The predictions: (n,), or (n, k) for k > 1 outputs."""
        check_is_fitted(self, "coefs_")
        found = self._outputs(validate_data(self, X, dtype=FLOATS, reset=False))
        return found[:, 0] if found.shape[1] == 1 else found


class MLPClassifier(ClassifierMixin, _Perceptron):  # type: ignore[misc]
    """Classification by a multilayer perceptron: cross-entropy of softmax, for two classes of the logistic function.

    The parameters are those of `sklearn.neural_network.MLPClassifier`, with the same defaults; for the same
    `random_state` the losses of all epochs are the same up to rounding. Labels may be numbers or text, one for each
    sample. X may not be sparse, and there are no sample weights. Attributes as those of `MLPRegressor`, and `classes_`.
    """

    def _loss(self) -> str:
        return "logistic" if len(self.classes_) == 2 else "softmax"

    def _validated(self, X: Any, y: Any, first: bool, classes: Any) -> tuple[Array, Array]:
        X, y = validate_data(self, X, y, dtype=FLOATS, reset=first)
        check_classification_targets(y)
        y = column_or_1d(y, warn=True)
        if first:
            self.classes_ = np.unique(y if classes is None else classes)
            if len(self.classes_) < 2:
                raise ValueError(f"at least two classes are needed; y has one class, {self.classes_[0]!r}")
        elif classes is not None and not np.array_equal(np.unique(classes), self.classes_):
            raise ValueError(f"classes is not what it was in the first call: {self.classes_}")
        unknown = np.setdiff1d(y, self.classes_)
        if len(unknown):
            raise ValueError(f"y has classes that are not in classes_: {unknown}; classes_ is {self.classes_}")
        codes = np.searchsorted(self.classes_, y)
        if len(self.classes_) == 2:
            return X, codes.reshape(-1, 1).astype(X.dtype)
        return X, np.eye(len(self.classes_), dtype=X.dtype)[codes]

    def _strata(self, y: Array) -> Array | None:
        return y if y.shape[1] == 1 else None

    def _codes(self, found: Array) -> Array:
        """The index of the class of each row of probabilities (or of one-hot rows)."""
        return (found[:, 0] > 0.5).astype(int) if found.shape[1] == 1 else found.argmax(axis=1)

    def _agreement(self, X: Array, y: Array) -> float:
        return float(accuracy_score(self._codes(y), self._codes(self._outputs(X))))

    def partial_fit(self, X: Any, y: Any, classes: Any = None) -> Self:
        """One epoch on these samples, from the present parameters; the first call has to name all `classes`."""
        if classes is None and not hasattr(self, "classes_"):
            raise ValueError("classes must be passed on the first call to partial_fit.")
        return self._fit(X, y, incremental=True, classes=classes)

    def predict_proba(self, X: Any) -> Array:
        """The probability of each class, n x k, in the order of `classes_`."""
        check_is_fitted(self, "coefs_")
        found = self._outputs(validate_data(self, X, dtype=FLOATS, reset=False))
        return np.hstack([1 - found, found]) if found.shape[1] == 1 else found

    def predict_log_proba(self, X: Any) -> Array:
        """The logarithms of the probabilities."""
        with np.errstate(divide="ignore"):
            found: Array = np.log(self.predict_proba(X))
        return found

    def predict(self, X: Any) -> Array:
        """The most probable class of each sample."""
        check_is_fitted(self, "coefs_")
        found: Array = self.classes_[self._codes(self._outputs(validate_data(self, X, dtype=FLOATS, reset=False)))]
        return found


__all__ = ["MLPClassifier", "MLPRegressor"]
