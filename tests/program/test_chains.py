"""Products of three matrices whose order the sizes of the data decide."""

from __future__ import annotations

import numpy as np
import pytest

import mcalc

NETWORK = ("sum((Y - tanh(X V) W).^2)", "Y: n x k; X: n x d; V: d x h; W: h x k", "V")


def derived(text: str, where: str, wrt: str, kind: str = "hvp") -> mcalc.Derivation:
    found = mcalc.derive(text, wrt=wrt, where=where, kind=kind, verify=False)
    assert isinstance(found, mcalc.Derivation)
    return found


def test_an_order_that_may_lose_much_is_chosen_at_the_call() -> None:
    assert "np.linalg.multi_dot([D, W, W.T]" in derived(*NETWORK).python()


def test_a_product_that_is_read_twice_is_no_part_of_one() -> None:
    code = derived("tr(X^T A B X) + tr((A B)^T (A B))", "A: n x m; B: m x n; X: n x k", "X").python()
    assert "multi_dot" not in code


def test_products_by_vectors_have_one_good_order() -> None:
    assert "multi_dot" not in derived("sum((A B x).^2)", "A: n x m; B: m x k; x: k", "x").python()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("n", "d", "h", "k"), [(4, 3, 5, 2), (3, 2, 2, 9), (0, 3, 4, 2), (3, 2, 0, 2), (1, 1, 1, 1)])
def test_the_values_do_not_depend_on_the_order(n: int, d: int, h: int, k: int, dtype: str) -> None:
    rng = np.random.default_rng(n + k)
    Y, X, V, W, D = (rng.normal(size=s).astype(dtype) for s in ((n, k), (n, d), (d, h), (h, k), (d, h)))
    found = derived(*NETWORK).compile()(Y, X, V, W, D)
    H, S = np.tanh(X @ V), 1 - np.tanh(X @ V) ** 2
    T = S * (X @ D)
    expected = 2 * X.T @ (S * (T @ W @ W.T) + 2 * ((Y - H @ W) @ W.T) * H * T)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, expected, rtol=2e-3 if dtype == "float32" else 1e-10, atol=1e-5)
