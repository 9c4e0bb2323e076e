"""Every check of scikit-learn for its estimators."""

from __future__ import annotations

from typing import Any

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from mcalc.estimators import MLPClassifier, MLPRegressor, RNNRegressor

FAST: dict[str, Any] = {"learning_rate_init": 0.05, "max_iter": 30}


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(
    [
        MLPRegressor((8,), **FAST),
        MLPRegressor((8, 4), "tanh", solver="sgd", learning_rate_init=0.01, max_iter=30),
        MLPClassifier((8,), **FAST),
        RNNRegressor(8, **FAST),
        RNNRegressor(8, return_sequences=True, **FAST),
    ]
)
def test_scikit_learn_check(estimator: Any, check: Any) -> None:
    check(estimator)
