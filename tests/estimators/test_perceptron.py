"""The perceptrons: their losses are scikit-learn's, and everything around the training loop."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from sklearn import neural_network
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from mcalc.estimators import MLPClassifier, MLPRegressor
from mcalc.estimators.networks import perceptron

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
RNG = np.random.default_rng(0)
X = RNG.standard_normal((90, 3))
Y = np.column_stack([np.sin(X[:, 0]) + X[:, 1], X[:, 2] ** 2])
LABELS = np.array(["ash", "birch", "cedar"])[np.digitize(X[:, 0] + X[:, 1] ** 2, [0, 1])]

SETTINGS: list[dict[str, Any]] = [
    {},
    {"hidden_layer_sizes": (7, 5), "activation": "tanh", "alpha": 0.1},
    {"hidden_layer_sizes": 6, "activation": "logistic", "solver": "sgd", "learning_rate_init": 0.1},
    {"hidden_layer_sizes": [5], "solver": "sgd", "nesterovs_momentum": False, "learning_rate": "invscaling"},
    {"hidden_layer_sizes": (5,), "solver": "sgd", "momentum": 0, "learning_rate": "adaptive", "tol": 0.05},
    {"hidden_layer_sizes": (), "activation": "identity", "batch_size": 90},
    {"hidden_layer_sizes": (4, 4, 4), "early_stopping": True, "learning_rate_init": 0.05, "n_iter_no_change": 3},
    {"hidden_layer_sizes": (6,), "shuffle": False, "tol": 0.01, "n_iter_no_change": 2},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("kind", ["regressor", "binary", "classes"])
def test_losses_of_all_epochs_are_those_of_scikit_learn(kind: str, settings: dict[str, Any]) -> None:
    y = {"regressor": Y[:, 0], "binary": LABELS == "ash", "classes": np.unique(LABELS, return_inverse=True)[1]}[kind]
    ours, theirs = (
        (MLPRegressor, neural_network.MLPRegressor)
        if kind == "regressor"
        else (MLPClassifier, neural_network.MLPClassifier)
    )
    common = {"random_state": 1, "batch_size": 32, "max_iter": 40, **settings}  # batches of 32, 32, 26
    mine, other = ours(**common).fit(X, y), theirs(**common).fit(X, y)
    np.testing.assert_allclose(mine.loss_curve_, other.loss_curve_, rtol=1e-7)
    assert mine.n_iter_ == other.n_iter_ and mine.t_ == other.t_ and mine.out_activation_ == other.out_activation_
    assert mine.best_loss_ == pytest.approx(other.best_loss_)
    for a, b in zip(mine.coefs_ + mine.intercepts_, other.coefs_ + other.intercepts_, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(mine.score(X, y), other.score(X, y))
    if settings.get("early_stopping"):
        np.testing.assert_allclose(mine.validation_scores_, other.validation_scores_, rtol=1e-6)
    if kind != "regressor":
        np.testing.assert_allclose(mine.predict_proba(X), other.predict_proba(X), rtol=1e-5, atol=1e-9)
        np.testing.assert_allclose(mine.predict_log_proba(X), other.predict_log_proba(X), rtol=1e-5, atol=1e-7)


def test_names_and_defaults_are_those_of_scikit_learn() -> None:
    for ours, theirs in [
        (MLPRegressor, neural_network.MLPRegressor),
        (MLPClassifier, neural_network.MLPClassifier),
    ]:
        expected = theirs().get_params()
        expected.pop("loss", None)
        assert ours().get_params() == expected


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_precision_of_the_data_is_kept(dtype: Any) -> None:
    regressor = MLPRegressor((5,), max_iter=3, random_state=0).fit(X.astype(dtype), Y)
    assert {a.dtype for a in regressor.coefs_ + regressor.intercepts_} == {np.dtype(dtype)}
    assert regressor.predict(X.astype(dtype)).dtype == dtype
    assert regressor.partial_fit(X, Y).coefs_[0].dtype == dtype
    classifier = MLPClassifier((5,), max_iter=3, random_state=0).fit(X.astype(dtype), LABELS)
    assert classifier.predict_proba(X.astype(dtype)).dtype == dtype


def test_outputs() -> None:
    regressor = MLPRegressor((10,), learning_rate_init=0.05, max_iter=150, random_state=0).fit(X, Y)
    assert regressor.predict(X).shape == (90, 2) and regressor.n_outputs_ == 2
    assert regressor.score(X, Y) > 0.9
    # the gradient of several outputs is scikit-learn's too; its loss is a mean over them
    other = neural_network.MLPRegressor(
        hidden_layer_sizes=(10,), learning_rate_init=0.05, max_iter=150, random_state=0
    ).fit(X, Y)
    np.testing.assert_allclose(regressor.coefs_[0], other.coefs_[0], rtol=1e-4)


@pytest.mark.parametrize(
    "labels",
    [LABELS, LABELS == "ash", np.where(LABELS == "ash", -1, 5), LABELS.astype(object), np.array(list(range(9)) * 10)],
    ids=["text", "truth", "numbers", "objects", "nine"],
)
def test_labels(labels: Any) -> None:
    classifier = MLPClassifier((20,), learning_rate_init=0.05, max_iter=120, random_state=0).fit(X, labels)
    assert list(classifier.classes_) == sorted(set(labels))
    assert set(classifier.predict(X)) <= set(labels)
    np.testing.assert_allclose(classifier.predict_proba(X).sum(axis=1), 1)
    assert classifier.score(X, labels) > (0.3 if len(classifier.classes_) == 9 else 0.9)


def test_random_state_and_pickles() -> None:
    first, second = (MLPRegressor((5,), max_iter=5, random_state=3).fit(X, Y) for _ in range(2))
    assert first.loss_curve_ == second.loss_curve_
    assert MLPRegressor((5,), max_iter=5, random_state=4).fit(X, Y).loss_curve_ != first.loss_curve_
    again = pickle.loads(pickle.dumps(first))
    assert np.array_equal(again.predict(X), first.predict(X))
    assert np.array_equal(again.partial_fit(X, Y).predict(X), second.partial_fit(X, Y).predict(X))


def test_partial_fit_is_scikit_learns() -> None:
    for solver in ("adam", "sgd"):
        mine, other = (
            module((5,), solver=solver, random_state=0, batch_size=40)
            for module in (MLPClassifier, neural_network.MLPClassifier)
        )
        for part in (slice(0, 50), slice(50, 90), slice(0, 90)):
            for estimator in (mine, other):
                estimator.partial_fit(X[part], LABELS[part], classes=np.unique(LABELS))
        np.testing.assert_allclose(mine.loss_curve_, other.loss_curve_, rtol=1e-8)
        np.testing.assert_allclose(mine.coefs_[0], other.coefs_[0], rtol=1e-6)


def test_warm_start() -> None:
    mine, other = (
        module(hidden_layer_sizes=(5,), warm_start=True, max_iter=8, random_state=0)
        for module in (MLPRegressor, neural_network.MLPRegressor)
    )
    for estimator in (mine, other):
        estimator.fit(X, Y[:, 0]).fit(X, Y[:, 0])
    assert len(mine.loss_curve_) == 16 and mine.n_iter_ == 8
    np.testing.assert_allclose(mine.loss_curve_, other.loss_curve_, rtol=1e-7)
    mine.set_params(early_stopping=True).fit(X, Y[:, 0])
    assert len(mine.validation_scores_) == 8
    with pytest.raises(ValueError, match="other sizes: 6 units in hidden layer 1, fitted 5; fit with warm_start=False"):
        mine.set_params(hidden_layer_sizes=(6,)).fit(X, Y[:, 0])
    with pytest.raises(ValueError, match="other sizes: 2 hidden layers, fitted 1; "):
        mine.set_params(hidden_layer_sizes=(5, 5)).fit(X, Y[:, 0])
    mine.set_params(hidden_layer_sizes=(5,), early_stopping=False)
    with pytest.raises(ValueError, match="other sizes: 2 outputs in y, fitted 1; "):
        mine.partial_fit(X, Y[:, :2])


def test_early_stopping_keeps_the_best() -> None:
    regressor = MLPRegressor(
        (20,), early_stopping=True, learning_rate_init=0.2, validation_fraction=0.2, random_state=0
    ).fit(X, Y[:, 0])
    assert regressor.n_iter_ < 200 and regressor.best_loss_ is None
    assert regressor.best_validation_score_ == max(regressor.validation_scores_) > regressor.validation_scores_[-1]


def test_lbfgs() -> None:
    settings = {"hidden_layer_sizes": (5,), "solver": "lbfgs", "max_iter": 300, "random_state": 0}
    mine, other = MLPRegressor(**settings).fit(X, Y[:, 0]), neural_network.MLPRegressor(**settings).fit(X, Y[:, 0])
    assert mine.loss_ == mine.best_loss_ == pytest.approx(other.loss_, rel=1e-3)
    assert MLPRegressor(**settings).fit(X.astype(np.float32), Y).coefs_[0].dtype == np.float32
    with pytest.raises(ValueError, match="stochastic solver"):
        mine.partial_fit(X, Y[:, 0])


@pytest.mark.parametrize("bar", [True, False])
def test_verbose(bar: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    if bar:
        pytest.importorskip("tqdm")
    else:
        monkeypatch.setitem(__import__("sys").modules, "tqdm", None)
    MLPRegressor((3,), verbose=True, early_stopping=True, max_iter=50, tol=1, random_state=0).fit(X, Y)
    out, err = capsys.readouterr()
    assert "did not improve" in out
    assert ("loss = " in err) == bar and ("Iteration 2, loss = " in out) == (not bar)
    MLPRegressor((3,), max_iter=2).fit(X, Y)
    assert capsys.readouterr() == ("", "")


def test_warnings() -> None:
    with pytest.warns(ConvergenceWarning, match="2 epochs are over"):
        MLPRegressor((3,), max_iter=2).fit(X, Y)
    with pytest.warns(UserWarning, match="they are one batch"):
        MLPRegressor((3,), max_iter=2, batch_size=1000).fit(X, Y)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"hidden_layer_sizes": (3, 0)}, "hidden_layer_sizes has to be integers"),
        ({"hidden_layer_sizes": 2.5}, "hidden_layer_sizes has to be integers"),
        ({"activation": "swish"}, "activation has to be one of identity, logistic, tanh, relu; got 'swish'"),
        ({"solver": "newton"}, "solver has to be one of"),
        ({"alpha": -1}, "alpha has to be a number >= 0"),
        ({"alpha": float("nan")}, "alpha has to be a number >= 0"),
        ({"batch_size": 0}, "batch_size has to be an integer"),
        ({"learning_rate_init": 0}, "learning_rate_init has to be a number > 0"),
        ({"max_iter": True}, "max_iter has to be an integer"),
        ({"beta_1": 1}, "beta_1 has to be"),
        ({"early_stopping": True, "validation_fraction": 0.001}, "validation set has one sample"),
        ({"solver": "sgd", "learning_rate_init": 1e9}, "not finite"),
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_hyperparameters_that_are_none(settings: dict[str, Any], message: str) -> None:
    estimator = MLPRegressor(**{"hidden_layer_sizes": (3,), "max_iter": 5, "random_state": 0, **settings})
    with pytest.raises(ValueError, match=message):
        estimator.fit(X, Y)
    clone(estimator)


def test_data_that_are_refused() -> None:
    sparse = pytest.importorskip("scipy.sparse").csr_array(X)
    with pytest.raises(TypeError, match="dense"):
        MLPRegressor().fit(sparse, Y)
    fitted = MLPRegressor((3,), max_iter=2).fit(X, Y)
    with pytest.raises(TypeError, match="dense"):
        fitted.predict(sparse)
    with pytest.raises(ValueError, match="one class"):
        MLPClassifier().fit(X, ["ash"] * 90)
    with pytest.raises(ValueError, match="classes must be passed"):
        MLPClassifier().partial_fit(X, LABELS)
    with pytest.raises(ValueError, match="not in classes_"):
        MLPClassifier((3,)).partial_fit(X, LABELS, classes=["ash", "birch"])
    with pytest.raises(ValueError, match="early_stopping"):
        MLPRegressor(early_stopping=True).partial_fit(X, Y)


def test_an_interrupt_ends_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    network = perceptron(2, "relu", "squared_error")
    calls = []

    def interrupted(*args: Any, **options: Any) -> Any:
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return original(*args, **options)

    original = network.module.value_and_grad
    monkeypatch.setattr(network.module, "value_and_grad", interrupted)
    with pytest.warns(UserWarning, match="interrupted"):
        regressor = MLPRegressor((3,), random_state=0).fit(X, Y)
    assert regressor.n_iter_ == 3 and regressor.predict(X).shape == Y.shape


def test_one_module_for_all_estimators_of_a_depth() -> None:
    before = perceptron.cache_info().misses
    for size in (3, 4, 5):
        MLPRegressor((size, size), max_iter=1).fit(X, Y)
    assert perceptron.cache_info().misses - before <= 1


@pytest.mark.parametrize("loss", ["squared_error", "logistic", "softmax"])
@pytest.mark.parametrize("layers", [1, 3])
def test_gradients(layers: int, loss: str) -> None:
    assert perceptron(layers, "tanh", loss).module.check_gradients() < 1e-6
