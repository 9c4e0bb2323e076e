"""The hyperparameters of a Gaussian process: the marginal likelihood is maximised by SciPy with derived gradients.

    python examples/gaussian_process.py

The shipped model `gp_marginal_likelihood` has the squared exponential kernel; its parameters are the logarithms of the
signal variance, of the squared length scale, and of the noise variance. Data are drawn from such a process, and what is
found is compared with scikit-learn's answer.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

import mcalc

VARIANCE, LENGTH, NOISE = 2.0, 0.7, 0.05


def main(samples: int = 120) -> tuple[np.ndarray, np.ndarray]:
    """Fit and print; returns what is found (variance, length scale, noise variance), and scikit-learn's answer."""
    rng = np.random.default_rng(0)
    x = np.sort(rng.uniform(-4, 4, samples))
    D = (x[:, np.newaxis] - x) ** 2
    K = VARIANCE * np.exp(-D / (2 * LENGTH**2)) + NOISE * np.eye(samples)
    y = np.linalg.cholesky(K) @ rng.standard_normal(samples)

    module = mcalc.generate("gp_marginal_likelihood").module

    def value_and_grad(theta: np.ndarray) -> tuple[float, np.ndarray]:
        loss, gradients = module.value_and_grad(D, y, *theta)
        return loss, np.array(gradients)

    best = minimize(value_and_grad, np.array([0.0, 0.0, -1.0]), jac=True, method="L-BFGS-B")
    a, l, c = best.x
    found = np.array([np.exp(a), np.exp(l / 2), np.exp(c)])

    kernel = ConstantKernel() * RBF() + WhiteKernel()
    other = GaussianProcessRegressor(kernel).fit(x[:, np.newaxis], y)
    theirs = np.exp(other.kernel_.theta)

    print(f"negative log marginal likelihood: {best.fun:.6f}; scikit-learn {-other.log_marginal_likelihood_value_:.6f}")
    for name, true, ours, sklearns in zip(
        ("signal variance", "length scale", "noise variance"), (VARIANCE, LENGTH, NOISE), found, theirs, strict=True
    ):
        print(f"{name:16} found {ours:.4f}   scikit-learn {sklearns:.4f}   the data were drawn with {true}")
    return found, theirs


if __name__ == "__main__":
    main()
