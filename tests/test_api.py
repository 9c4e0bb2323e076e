"""The Python interface."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import numpy as np
import pytest

import mcalc
from mcalc.algebra import operators as o
from mcalc.errors import McalcError, NotSupported, ShapeError, UsageError, VerificationError
from mcalc.rewrite.derivation import Step


def derivation(text: str = "tr((y - X W)^T (y - X W))", wrt: str = "W", where: str = "") -> mcalc.Derivation:
    found = mcalc.derive(text, wrt=wrt, where=where)
    assert isinstance(found, mcalc.Derivation)
    return found


def test_what_a_derivation_has() -> None:
    found = derivation()
    assert str(found.result) == "2 X^T (X W - y)"
    assert found.kind == "gradient" and found.name == "f" and found.label == "grad_W"
    assert found.shape == ("d", "m")
    assert found.variable.name == "W" and [x.name for x in found.variables] == ["W"]
    assert found.symbols["y"].inferred
    assert found.steps[-1].right is found.result
    assert found.verification is not None and found.verification.exact
    assert set(found._repr_mimebundle_()) == {"text/plain", "text/latex"}


def test_replay_proves_every_step() -> None:
    found = derivation()
    assert found.replay() == len(found.steps)


@pytest.mark.parametrize("place", range(4))
def test_replay_rejects_a_false_line(place: int) -> None:
    found = derivation()
    steps = list(found.derived.steps)
    old = steps[place]
    steps[place] = old._replace(right=o.mul(o.number(Fraction(3)), old.right))
    forged = dataclasses.replace(found, derived=found.derived._replace(steps=tuple(steps)))
    with pytest.raises(VerificationError):
        forged.replay()


def test_replay_rejects_a_false_answer() -> None:
    found = derivation()
    wrong = o.neg(found.result)
    answer = found.answer._replace(result=wrong, steps=(Step("grad_W", wrong, ("read off",)),))
    forged = dataclasses.replace(found, derived=found.derived._replace(answers=(answer,)))
    with pytest.raises(VerificationError):
        forged.replay()
    with pytest.raises(VerificationError):
        forged.verify()


def test_replay_rejects_an_unknown_rule() -> None:
    found = derivation()
    steps = (found.derived.steps[0]._replace(rules=("magic",)), *found.derived.steps[1:])
    forged = dataclasses.replace(found, derived=found.derived._replace(steps=steps))
    with pytest.raises(McalcError, match="magic"):
        forged.replay()


def test_compile() -> None:
    value_and_grad = derivation(where="y: n x m; X: n x d; W: d x m").compile()
    rng = np.random.default_rng(0)
    y, X, W = rng.normal(size=(5, 2)), rng.normal(size=(5, 3)), rng.normal(size=(3, 2))
    value, gradient = value_and_grad(y, X, W)
    assert np.isclose(value, np.sum((y - X @ W) ** 2))
    assert np.allclose(gradient, 2 * X.T @ (X @ W - y))


def test_several_variables() -> None:
    found = mcalc.derive("norm(A x - b)^2", wrt=["A", "x"])
    assert isinstance(found, mcalc.Derivations)
    assert [r.variable.name for r in found] == ["A", "x"]
    assert found[0].derived is found[1].derived
    assert [str(r.result) for r in found.results] == ["2 (A x - b) x^T", "2 A^T (A x - b)"]


def test_errors_are_placed() -> None:
    with pytest.raises(NotSupported) as caught:
        mcalc.derive("tr(expm(X) A)", wrt="X")
    assert caught.value.span is not None
    with pytest.raises(ShapeError):
        mcalc.derive("x^T A x", wrt="x", where="A: n x m; x: m")
    with pytest.raises(UsageError):
        mcalc.derive("x^T x", wrt="x", steps="some")
    with pytest.raises(UsageError):
        mcalc.derive("x^T x", wrt="x", kind="tensor")


def test_nothing_that_is_refuted_comes_out(monkeypatch: pytest.MonkeyPatch) -> None:
    import mcalc.pipeline

    honest = mcalc.pipeline.derive_gradients

    def forged(*args: object, **options: object) -> object:
        found = honest(*args, **options)  # type: ignore[arg-type]
        answer = found.answers[0]._replace(result=o.neg(found.answers[0].result), steps=())
        return found._replace(answers=(answer,))

    monkeypatch.setattr(mcalc.pipeline, "derive_gradients", forged)
    with pytest.raises(VerificationError):
        mcalc.derive("x^T A x", wrt="x")


def test_functions_of_the_user() -> None:
    found = mcalc.derive("sum(cube(X))", wrt="X", where="X: n x m", define=["cube(t) = t^3"])
    assert str(found.result) == "3 X.^2"


def test_equal() -> None:
    assert mcalc.equal("2 X^T (X w - y)", "-2 X^T (y - X w)")
    refuted = mcalc.equal("A B", "B A", where="A, B: n x n")
    assert not refuted and refuted.status == "refuted" and refuted.counterexample is not None
    assert not mcalc.equal("x^T x", "x")


@pytest.mark.parametrize(
    "text, where",
    [
        ("tr((y - X W)^T (y - X W))", ""),
        ("x^T A x + sum(exp(x)) / 2", ""),
        ("det(X)^2 + tr(X^-1 A)", "X, A: n x n"),
        ("sum(tanh(X).^2 .* Y)", "X, Y: n x m"),
        ("2 X^T (X W - y) / n", "X: n x d; W: d x k; y: n x k"),
        ("norm(A x - b)^2 + logdet(A)", "A: n x n; x, b: n"),
    ],
)
def test_sympy_and_back(text: str, where: str) -> None:
    e = mcalc.parse(text, where=where).expression
    assert mcalc.equal(mcalc.from_sympy(mcalc.to_sympy(e)), e)


def test_to_sympy_of_what_it_has_not() -> None:
    with pytest.raises(NotSupported):
        mcalc.to_sympy(mcalc.parse("softmax(x)").expression)


def test_public_names() -> None:
    assert all(hasattr(mcalc, name) for name in mcalc.__all__)
    assert set(dir(mcalc)) >= set(mcalc.__all__)
    with pytest.raises(AttributeError):
        mcalc.nothing  # noqa: B018
