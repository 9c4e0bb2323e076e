"""equal(): proved, or a counterexample that can be checked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from mcalc.calculus.gradient import differential
from mcalc.verify.equality import equal
from mcalc.verify.numeric import evaluate
from tests.verify.identities import FALSE, TRUE
from tests.verify.reading import e, pair


@pytest.mark.parametrize(("left", "right"), TRUE)
def test_true_identities_are_equal(left: str, right: str) -> None:
    a, b = pair(left, right)
    result = equal(a, b)
    at_ties = {"sign(x) .* sign(x) .* x"}
    assert result or left in at_ties, result


@pytest.mark.parametrize(("left", "right"), FALSE)
def test_false_identities_have_a_counterexample(left: str, right: str) -> None:
    a, b = pair(left, right)
    result = equal(a, b)
    assert result.status == "refuted" and not result
    found = result.counterexample
    assert found is not None and str(found)
    x, y = (evaluate(side, found.values, found.sizes) for side in (a, b))
    assert np.abs(x - y).max() > 1e-6 * max(np.abs(x).max(), np.abs(y).max())
    np.testing.assert_allclose(x, found.left, rtol=1e-9, atol=1e-9)
    rational = not any(word in left + right for word in ("Q", "arcsin"))
    if rational:
        assert all((value == np.round(value)).all() for value in found.values.values())


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("x >= y", "x > y"),
        ("sign(x).^2", "ones(n)"),
        ("sign(x)", "2 (x > 0) - 1"),
        ("x == y", "zeros(n,1)"),
        ("max(X) == min(X)", "0"),
    ],
)
def test_what_differs_at_ties_only_is_not_equal(left: str, right: str) -> None:
    result = equal(*pair(left, right))
    assert result.status == "refuted" and result.counterexample is not None and "kink" in result.reason


def test_undecided_says_why() -> None:
    assert equal(*pair("log(-r)", "log(r)")).status == "undecided"
    result = equal(*pair("abs(s^2 + 1)", "s^2 + 1"))
    assert result.status == "undecided" and "floating point" in result.reason


def test_shapes() -> None:
    assert "n x m and m x n" in equal(e("X"), e("X^T")).reason


def test_differentials() -> None:
    a, b = pair("d(A B)", "A dB + dA B")
    assert equal(a, b, variables=[e("A"), e("B")], expand=differential)
    result = equal(*pair("d(A B)", "A dB"), variables=[e("A"), e("B")], expand=differential)
    assert result.status == "refuted" and result.counterexample is not None
    assert any(node.op == "d" for node in result.counterexample.values)
    assert equal(*pair("d(expm(A))", "dA"), variables=[e("A")], expand=differential).status == "undecided"


def test_counterexamples_are_small() -> None:
    found = equal(*pair("sqrt(s^2)", "s")).counterexample
    assert found is not None and str(found) == "1 and -1 at s = -1"
    found = equal(*pair("A B", "B A")).counterexample
    assert found is not None and all(
        value.shape == (2, 2) and np.abs(value).max() <= 1 for value in found.values.values()
    )
