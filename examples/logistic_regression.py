"""Logistic regression: the generated module hands loss and gradient to SciPy's L-BFGS, by jac=True.

    python examples/logistic_regression.py

The shipped model `logistic` has no penalty, so a model with one is written here; a model is a text, or a file *.mc.
The answer is compared with scikit-learn's.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression

import mcalc

MODEL = """
model penalised_logistic

input X : n x d
input y : n
input C : scalar
param w : d
param b : scalar

z = X w + b
p = sigmoid(z)

output p
loss = C sum(softplus(-y .* z)) + norm(w)^2 / 2
"""


def main() -> float:
    """Fit, print, and return the largest difference to scikit-learn's coefficients."""
    X, labels = load_breast_cancer(return_X_y=True)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    y = np.where(labels == 1, 1.0, -1.0)
    module = mcalc.generate(MODEL.lstrip()).module

    def value_and_grad(theta: np.ndarray) -> tuple[float, np.ndarray]:
        loss, (w_bar, b_bar) = module.value_and_grad(X, y, 1.0, theta[:-1], theta[-1])
        return loss, np.append(w_bar, b_bar)

    found = minimize(value_and_grad, np.zeros(X.shape[1] + 1), jac=True, method="L-BFGS-B", options={"ftol": 1e-14})
    right = np.mean((module.predict(X, found.x[:-1], found.x[-1]) > 0.5) == labels)
    print(f"loss {found.fun:.6f} after {found.nit} iterations; {right:.1%} of the examples are right")

    other = LogisticRegression(C=1.0, tol=1e-10, max_iter=10000).fit(X, labels)
    difference = float(np.max(np.abs(np.append(other.coef_, other.intercept_) - found.x)))
    print(f"largest difference to scikit-learn's coefficients: {difference:.1e}")
    return difference


if __name__ == "__main__":
    main()
