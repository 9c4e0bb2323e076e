"""Under which conditions an answer holds: each said once, and none that a dimension or another condition implies."""

from __future__ import annotations

import pytest

import mcalc


@pytest.mark.parametrize(
    ("text", "kind", "where", "conditions"),
    [
        ("sum(tanh(x)) / sqrt(k)", None, "x: k", ()),
        ("sum(tanh(x)) / (n sqrt(k n))", None, "x: k; A: n x k", ()),
        ("norm(x - a) / sqrt(s)", None, "x, a: n; s: scalar", ("x - a != 0", "s > 0")),
        ("sum(x) / sqrt(s)", None, "x: n; s: scalar", ("s > 0",)),
        ("sum(x) / s + sum(log(x)) / s", None, "x: n; s: scalar", ("s != 0", "every entry of x > 0")),
        ("-sum(log(x))", "hessian", "x: n", ("every entry of x > 0",)),
        ("sum(1 ./ x)", "hessian", "x: n", ("no entry of x is 0",)),
        ("sum(A diag(x)^-1)", None, "x: n; A: n x n", ("diag(x) invertible",)),
        (
            "(x - mean(x)) / sqrt(mean((x - mean(x)).^2) + e)",
            None,
            "x: n; e: scalar",
            ("mean((x - mean(x)).^2) + e > 0",),
        ),
        ("log(a^T x) / (a^T x)", None, "a, x: n", ("a^T x > 0",)),
    ],
)
def test_conditions(text: str, kind: str | None, where: str, conditions: tuple[str, ...]) -> None:
    assert mcalc.derive(text, wrt="x", where=where, kind=kind).conditions == conditions


def test_conditions_of_a_model() -> None:
    text = "model m\ninput X : n x d\nparam w : d\nr = X w\nq = 1 ./ r\nloss = sum(log(r)) + sum(q) / sqrt(d)\n"
    assert mcalc.derive_model(text).conditions == ("every entry of r > 0",)
