"""Networks with scikit-learn's interface, trained by the gradients of generated modules.

    >>> from mcalc.estimators import MLPRegressor
    >>> MLPRegressor(hidden_layer_sizes=(5,), activation="tanh")
    MLPRegressor(activation='tanh', hidden_layer_sizes=(5,))

A model of the depth and activation that an estimator asks for is compiled in process, once; loss, gradients and
predictions are those of its module. Names, defaults and random numbers are those of `sklearn.neural_network`.
"""

from __future__ import annotations

try:
    import sklearn  # noqa: F401
except ImportError as missing:
    raise ImportError("mcalc.estimators needs scikit-learn: pip install 'mcalc[sklearn]'") from missing

from mcalc.estimators.perceptron import MLPClassifier, MLPRegressor
from mcalc.estimators.recurrent import RNNRegressor

__all__ = ["MLPClassifier", "MLPRegressor", "RNNRegressor"]
