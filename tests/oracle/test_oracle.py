"""The referee is checked against the corpus, by automatic differentiation or differences, and on its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from . import OracleError, check_steps, choose_sizes, derivative, evaluate, gradient, length, parse_where, sample
from .calculus import extrapolate
from .corpus import ROOT, files, load, verify
from .proofs import check_file, false_lines

ENTRIES = [entry for path in files() for entry in load(path)]
PROOFS = sorted(ROOT.rglob("*.proof"))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["id"])
def test_expected_answers_agree_with_differentiation(entry: dict) -> None:
    assert verify(entry) == []


@pytest.mark.parametrize("path", PROOFS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_proofs_are_as_they_say(path: Path) -> None:
    assert check_file(path) is None


def test_identifiers_are_unique_and_entries_are_complete() -> None:
    assert len({entry["id"] for entry in ENTRIES}) == len(ENTRIES)
    fields = {"id", "source", "expression", "where", "wrt", "kind", "expected", "infer"}
    assert all(fields <= set(entry) for entry in ENTRIES)


ENV = {
    "x": [1.0, 2.0],
    "y": [3.0, -1.0],
    "A": np.array([[1.0, 2.0], [3.0, 4.0]]),
    "λ": 0.5,
    "W_hh": np.array([[0.0, 1.0], [1.0, 0.0]]),
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("x^T y", 1.0),
        ("x'*y", 1.0),
        ("-x^T x", -5.0),
        ("1/2 x^T A x", 13.5),
        ("2 x^T x x^T y", 10.0),
        ("tr(A^-1 A)", 2.0),
        ("tr(A + λ I)", 6.0),
        ("tr(A - 2 I A)", -5.0),
        ("lambda^2", 0.25),
        ("|A|", -2.0),
        ("||x||^2", 5.0),
        ("||y||_1", 4.0),
        ("log(e^λ)", 0.5),
        ("1_n^T x", 3.0),
        ("ones(n)^T x / n", 1.5),
        ("mean(x)", 1.5),
        ("A[1,:] x", 5.0),
        ("x[2,1]", 2.0),
        ("sum(x > 1)", 1.0),
        ("sum(max(x, y))", 5.0),
        ("max(x)", 2.0),
        ("sum(softmax(A))", 2.0),
        ("sum(softmax(A, axis=all))", 1.0),
        ("sum(A, axis=0) x", 4.0 + 12.0),
        ("x^T W_hh x", 4.0),
        ("xTx".replace("T", "^T"), 5.0),
        ("tr(K(n,n) kron(A, A) K(n,n)) - tr(kron(A, A))", 0.0),
        ("tr([A, x; x^T, λ])", 5.5),
        ("R = A x; R^T R", 25.0 + 121.0),
        ("tr(2 A .* A)", 34.0),
        ("sum(vector(1) + x)", 5.0),
        ("tr(kron(I, A) + kron(A, I(n)))", 20.0),
    ],
)
def test_values(text: str, value: float) -> None:
    assert evaluate(text, ENV, {"n": 2})[0, 0] == pytest.approx(value)


@pytest.mark.parametrize("text", ["x + x^T", "x y", "A .* A x", "x / y", "1 2", "z", "A +", "tr(x)"])
def test_texts_without_a_value(text: str) -> None:
    with pytest.raises(OracleError):
        evaluate(text, ENV, {"n": 2})


@pytest.mark.parametrize(
    ("text", "plain", "with_minus"),
    [
        ("2 X", 3, 3),
        ("X^{-T} a b^T X^{-T}", 10, 10),
        ("X (b c^T + c b^T)", 11, 11),
        ("2 A^T (A x - b)", 10, 11),
        ("-x ./ y.^2", 5, 5),
        ("softmax(X, axis=0) - I", 4, 5),
        ("a - b - c", 5, 7),
        ("e(1,n) e(2,m)^T", 4, 4),
        ("x^(α - 1)", 5, 6),
        ("(X^-3)^T", 3, 3),
        ("R = X a; R", 4, 4),
    ],
)
def test_length(text: str, plain: int, with_minus: int) -> None:
    assert length(text, (), ("n", "m")) == plain
    assert length(text, (), ("n", "m"), minus=1) == with_minus


def test_samples_have_their_properties() -> None:
    where = "S: n x n spd; W: n x n skew; D: n x n diagonal; L: n x n lower; Q: n x n orthogonal; p: m positive"
    sizes = choose_sizes(parse_where(where), 1)
    values = sample(where, sizes, 1)
    assert sizes["n"] != sizes["m"]
    assert np.all(np.linalg.eigvalsh(values["S"]) > 0) and np.allclose(values["S"], values["S"].T)
    assert np.allclose(values["W"], -values["W"].T) and np.allclose(values["L"], np.tril(values["L"]))
    assert np.allclose(values["D"], np.diag(np.diag(values["D"]))) and np.all(values["p"] > 0)
    assert np.allclose(values["Q"] @ values["Q"].T, np.eye(sizes["n"]))


def test_extrapolation_is_accurate() -> None:
    assert extrapolate(lambda t: np.sin(np.array([1.0 + t])))[0] == pytest.approx(np.cos(1.0), rel=1e-12)


def test_differences_and_automatic_differentiation_agree() -> None:
    env = {"X": sample("X: n x m", {"n": 3, "m": 2}, 0)["X"]}
    text, truth = "logdet(I + X^T X)", "2 X (I + X^T X)^-1"
    assert np.allclose(gradient(text, "X", env), evaluate(truth, env), rtol=1e-9)
    for exact in (False, True):
        assert np.allclose(derivative("gradient", text, "X", env, exact=exact), evaluate(truth, env), rtol=1e-9)


def test_a_false_line_is_found_only_where_it_stands() -> None:
    text = "where x: n\nf = x^T x\ndf = x^T dx\ngrad_x = 2 x\n"
    assert false_lines(text) == [3]


STEPS = {
    "expression": "R = A X - B; norm(R)^2",
    "wrt": "X",
    "kind": "gradient",
    "result": "2 A^T R",
    "name": "f",
    "symbols": {
        "A": {"shape": ["p", "n"], "properties": []},
        "B": {"shape": ["p", "m"], "properties": []},
        "X": {"shape": ["n", "m"], "properties": []},
    },
    "steps": [
        {"left": "f", "right": "tr(R^T R)"},
        {"left": "df", "right": "2 tr(R^T A dX)"},
        {"left": "grad_X", "right": "2 A^T (A X - B)"},
    ],
}


def test_true_steps_pass() -> None:
    assert check_steps(STEPS) == []


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_false_step_is_named(place: int) -> None:
    steps = [dict(step) for step in STEPS["steps"]]
    steps[place]["right"] = "-(" + steps[place]["right"] + ")"
    (failure,) = check_steps({**STEPS, "steps": steps})
    assert failure.startswith(steps[place]["left"] + " = -(")


def test_a_false_result_is_named() -> None:
    assert check_steps({**STEPS, "result": "2 A^T A X"})[0].startswith("grad_X = 2 A^T A X")


def test_the_gradient_in_a_structured_variable_is_a_projection() -> None:
    symbols = {"A": {"shape": "n x n"}, "X": {"shape": "n x n", "properties": ["symmetric"]}}
    result = {"expression": "tr(A X)", "wrt": "X", "symbols": symbols, "steps": [{"left": "df", "right": "tr(A^T dX)"}]}
    assert check_steps({**result, "result": "(A + A^T) / 2"}) == []
    assert len(check_steps({**result, "result": "A^T"})) == 1
