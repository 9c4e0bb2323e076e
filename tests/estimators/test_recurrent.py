"""Recurrent regression: shapes, windows, and that it learns what the inputs add up to."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV

from mcalc.estimators import RNNRegressor
from mcalc.estimators.networks import recurrent

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
RNG = np.random.default_rng(0)
X = RNG.standard_normal((80, 6, 2))
MEANS = np.cumsum(X, axis=1) / np.arange(1, 7)[:, np.newaxis]
FAST: dict[str, Any] = {"hidden_size": 12, "learning_rate_init": 0.02, "max_iter": 60, "batch_size": 30}


@pytest.mark.parametrize("activation", ["tanh", "relu", "logistic"])
@pytest.mark.parametrize("each_step", [False, True])
@pytest.mark.parametrize("outputs", ["", "k"])
def test_it_learns_means(activation: str, each_step: bool, outputs: str) -> None:
    y = MEANS if each_step else MEANS[:, -1]
    y = y if outputs else y[..., 0]
    network = RNNRegressor(activation=activation, return_sequences=each_step, random_state=0, **FAST).fit(X, y)
    assert network.predict(X).shape == y.shape
    assert network.score(X, y) > (0.5 if activation == "logistic" else 0.85)
    assert network.loss_curve_[-1] < network.loss_curve_[0] / 2
    assert network.n_features_in_ == 2 and network.n_outputs_ == (2 if outputs else 1)
    assert [w.shape for w in network.coefs_] == [(2, 12), (12, 12), (12, network.n_outputs_)]
    assert np.array_equal(pickle.loads(pickle.dumps(network)).predict(X), network.predict(X))
    # the number of steps is free
    assert network.predict(X[:, :4]).shape == (y[:, :4].shape if each_step else y.shape)
    np.testing.assert_allclose(network.predict(X[3:5]), network.predict(X)[3:5], rtol=1e-10)


def test_one_step_by_hand() -> None:
    network = RNNRegressor(return_sequences=True, random_state=0, **FAST).fit(X, MEANS)
    (U, W, V), (b, c) = network.coefs_, network.intercepts_
    h1 = np.tanh(X[:, 0] @ U + b)
    h2 = np.tanh(X[:, 1] @ U + h1 @ W + b)
    np.testing.assert_allclose(network.predict(X)[:, 1], h2 @ V + c)


@pytest.mark.parametrize("each_step", [False, True])
def test_windows_of_one_series(each_step: bool) -> None:
    x = RNG.standard_normal((300, 1))
    y = x[:, 0] + 0.5 * np.concatenate([[x[0, 0]], x[:-1, 0]])
    blind = RNNRegressor(n_steps=1, return_sequences=each_step, random_state=0, **FAST).fit(x, y)
    network = RNNRegressor(n_steps=3, return_sequences=each_step, random_state=0, **FAST).fit(x, y)
    assert blind.score(x, y) < 0.9 < 0.95 < network.score(x, y)
    assert network.predict(x).shape == (300,)
    # the answer of a time is that of the window that ends there
    windows = np.stack([x[t - 2 : t + 1] for t in range(2, 300)])
    found = network.predict(windows)
    np.testing.assert_allclose(network.predict(x)[2:], found[:, -1] if each_step else found)
    # and the first row is repeated before it
    np.testing.assert_allclose(network.predict(x)[0], np.ravel(network.predict(np.stack([x[[0, 0, 0]]])))[-1])


def test_early_stopping_warm_start_precision() -> None:
    y = MEANS[:, -1].astype(np.float32)
    settings: dict[str, Any] = {**FAST, "early_stopping": True, "validation_fraction": 0.25, "warm_start": True}
    network = RNNRegressor(random_state=0, **settings).fit(X.astype(np.float32), y)
    assert network.predict(X.astype(np.float32)).dtype == np.float32
    assert network.best_validation_score_ == max(network.validation_scores_)
    epochs = len(network.loss_curve_)
    network.fit(X.astype(np.float32), y)
    assert len(network.loss_curve_) > epochs and network.coefs_[1].dtype == np.float32
    with pytest.raises(ValueError, match="other sizes: 3 units in hidden layer 1, fitted "):
        network.set_params(hidden_size=3).fit(X, y)


@pytest.mark.parametrize("solver", ["sgd", "lbfgs"])
def test_solvers(solver: str) -> None:
    network = RNNRegressor(solver=solver, random_state=0, **FAST).fit(X, MEANS[:, -1])
    assert network.score(X, MEANS[:, -1]) > 0.9


def test_in_a_search() -> None:
    search = GridSearchCV(RNNRegressor(max_iter=3, random_state=0), {"hidden_size": [2, 3]}, cv=2)
    assert search.fit(X, MEANS[:, -1]).best_params_["hidden_size"] in (2, 3)


@pytest.mark.parametrize(
    "x, y, settings, message",
    [
        (X, MEANS, {}, "y has shape .80, 6, 2."),
        (X, MEANS[:, -1], {"return_sequences": True}, "y has shape .80, 2."),
        (X[:, :0], MEANS[:, -1], {}, "0 steps"),
        (X, MEANS[:79, -1], {}, "y has shape .79, 2."),
        ([X[0].tolist(), X[1, :3].tolist()], [0.0, 1.0], {}, "of one length"),
        (np.where(X > 2, np.nan, X), MEANS[:, -1], {}, "NaN"),
        (X, np.full((80, 6), np.inf), {"return_sequences": True}, "infinity"),
        (X, MEANS[:, -1], {"hidden_size": 0}, "hidden_size has to be an integer"),
        (X[:, 0], MEANS[:, -1], {"n_steps": 0}, "n_steps has to be an integer"),
    ],
)
def test_data_that_are_refused(x: Any, y: Any, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RNNRegressor(max_iter=1, **settings).fit(x, y)


def test_features_of_another_number_are_refused() -> None:
    network = RNNRegressor(3, max_iter=1).fit(X, MEANS[:, -1])
    with pytest.raises(ValueError, match="features"):
        network.predict(X[:, :, :1])


@pytest.mark.parametrize("each_step", [False, True])
@pytest.mark.parametrize("activation", ["identity", "tanh"])
def test_gradients(activation: str, each_step: bool) -> None:
    assert recurrent(activation, each_step).module.check_gradients() < 1e-6
