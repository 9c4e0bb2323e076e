"""Roots of what has a scalar factor, and quotients by scalar products with one: derived and proved."""

from __future__ import annotations

import pytest

import mcalc

WHERE = "c: scalar; x, y: n; X: n x m; A: n x n"


@pytest.mark.parametrize(
    ("text", "wrt", "kind"),
    [
        ("sum(sqrt(c x))", "x", "hessian"),
        ("sum(sqrt(c X))", "X", "hessian"),
        ("sum(sqrt(c X X^T))", "X", "hessian"),
        ("sum(sqrt(c x^T) .* y^T)", "x", "hessian"),
        ("sum(sqrt(2 x) .* sqrt(3 x))", "x", "hessian"),
        ("sum((c x).^(-1/2) ./ sqrt(c x).^3)", "x", "hessian"),
        ("x^T A x / (x^T c x)", "x", "gradient"),
        ("x^T A x / (x^T c A x)", "x", "hessian"),
        ("log(x^T c A x)", "x", "gradient"),
    ],
)
def test_proved(text: str, wrt: str, kind: str) -> None:
    found = mcalc.derive(text, wrt=wrt, where=WHERE, kind=kind)
    assert found.verification is not None and found.verification.max_relative_error < 1e-8


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("sum(sqrt(c x).^2 .* y)", "c x"),
        ("sum(y .* sqrt(c x) .* sqrt(c x))", "c x"),
        ("sum(y ./ sqrt(c x).^2)", "1 / c ./ x"),
        ("sum(y .* sqrt(c x).^4)", "c^2 x.^2"),
    ],
)
def test_a_root_that_becomes_whole_keeps_its_factor(text: str, same: str) -> None:
    found = mcalc.derive(text, wrt="y", where=WHERE)
    assert mcalc.equal(str(found.result), same, where="c: scalar; x: n")
