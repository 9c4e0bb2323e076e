"""What a derivation looks like: golden files, and what holds for every format."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

import mcalc
from mcalc.formats.notation import sharing

CASES: dict[str, tuple[str, object, str]] = {
    "least_squares": ("tr((y-XW)^T (y-XW))", "W", ""),
    "covariance": ("logdet(S) + tr(S^-1 A)", "S", "S: n x n spd; A: n x n symmetric"),
    "logistic": ("sum(log(1 + exp(-y .* (X w)))) + lambda w^T w", "w", ""),
    "network": ("-sum(Y .* log(softmax(tanh(X V) W)))", ("V", "W"), "Y: n x k; X: n x d; V: d x h; W: h x k"),
    "definitions": ("R = y - X W; tr(R^T R)", "W", ""),
    "jacobian": ("softmax(A x)", "x", ""),
    "f_is_taken": ("f^T X f", "X", ""),
    "hessian": ("sum(softplus(X w)) - y^T X w", "w", ""),
    "independent": ("logdet(X)", "X", "X: n x n spd"),
}
OPTIONS: dict[str, dict[str, Any]] = {"hessian": {"kind": "hessian"}, "independent": {"kind": "hessian", "vech": True}}
FIGURE = re.compile(r"(relative error |\"max_relative_error\": )[-0-9.e]+")


def _derive(case: str) -> mcalc.Derivation | mcalc.Derivations:
    text, wrt, where = CASES[case]
    return mcalc.derive(text, wrt=wrt, where=where, **OPTIONS.get(case, {}))


def _still(text: str) -> str:
    return FIGURE.sub(r"\1…", text)


@pytest.mark.parametrize("case", CASES)
def test_golden(case: str, golden: Callable[[str, str], None]) -> None:
    found = _derive(case)
    golden(f"derive/{case}.txt", _still(found.text() + "\n" + found.text(unicode=False)))
    golden(f"derive/{case}.tex", found.latex())
    golden(f"derive/{case}.md", _still(found.markdown()))
    golden(f"derive/{case}.json", _still(json.dumps(found.json(), indent=2)) + "\n")


@pytest.mark.parametrize("case", CASES)
def test_text_is_readable(case: str) -> None:
    found = _derive(case)
    for text in (found.text(), found.text(unicode=False)):
        assert max(len(line) for line in text.splitlines()) <= 100
        assert not re.search(r"[ \t]\n", text)
    assert found.text(unicode=False).isascii()
    assert max(len(line) for line in found.text(width=72).splitlines()) <= 90


@pytest.mark.parametrize("case", CASES)
def test_latex_is_balanced(case: str) -> None:
    text = _derive(case).latex()
    assert text.count("{") == text.count("}")
    assert text.count(r"\left") == text.count(r"\right")
    assert re.findall(r"\\begin\{(\w+\*?)\}", text)[0] == re.findall(r"\\end\{(\w+\*?)\}", text)[-1]
    assert not re.search(r"\\text\{[^}]*[^\\][_^&#%]", text)
    inside = text[: text.index(r"\end{align*}")]
    assert all(line.count("&=") == 1 for line in inside.splitlines()[1:])


NOTE = "f is convex: the Hessian is positive semidefinite"


def test_a_hessian_vector_product_is_labelled_with_its_directions() -> None:
    alone = mcalc.derive("sum(tanh(X W) V)", wrt="W", kind="hvp")
    assert "HW[V1] =" in alone.text() and "H_{W}[V_1] &=" in alone.latex()
    joint = mcalc.derive("norm(A - U V^T)^2", wrt=("U", "V"), kind="hvp").text()
    assert "HU[V_U, V_V] =" in joint and "HV[V_U, V_V] =" in joint


@pytest.mark.parametrize("form", ["text", "latex", "markdown", "python", "json"])
def test_every_format_says_what_is_known(form: str) -> None:
    """Conditions and notes are in all of them."""
    found = mcalc.derive("norm(x)^4 / (a^T a)", wrt="x", kind="hessian", where="x, a: n")
    text = getattr(found, form)()
    shown = json.dumps(text["conditions"]) if form == "json" else text
    assert "a" in shown and ("holds where" in shown.lower() or form == "json")
    convex = _derive("hessian")
    assert isinstance(convex, mcalc.Derivation)
    note = convex.json()["notes"] if form == "json" else getattr(convex, form)()
    assert NOTE in " ".join(note) if form == "json" else NOTE in " ".join(note.split())


def test_a_subscript_is_no_second_variable() -> None:
    single = mcalc.derive("W_1^T A W_1", wrt="W_1", where="W_1: n; A: n x n", kind="hessian")
    assert "∂²f/∂W_1²" in single.text() and r"\partial W_1^2" in single.latex()
    mixed = mcalc.derive("x^T A y", wrt=["x", "y"], where="A: n x m; x: n; y: m", kind="hessian")
    assert "∂²f/∂x∂y" in mixed.text() and r"{\partial x \, \partial y}" in mixed.latex()


def test_the_name_is_free() -> None:
    found = _derive("f_is_taken").json()
    assert found["name"] == "g"
    assert {step["left"] for step in found["steps"]} <= {"g", "dg", "grad_X"}


def test_json_keys() -> None:
    found = _derive("least_squares").json()
    wanted = {"schema", "expression", "wrt", "kind", "result", "shape", "layout", "symbols", "name", "conditions",
              "steps", "latex", "python", "verified"}  # fmt: skip
    assert wanted <= set(found)
    assert found["schema"] == 1 and found["wrt"] == "W" and found["kind"] == "gradient"
    assert found["symbols"]["W"] == {"shape": ["d", "m"], "properties": [], "inferred": True}
    assert set(found["verified"]) >= {"points", "max_relative_error", "steps_proved"}
    assert all(set(step) == {"left", "right", "rule", "reference"} for step in found["steps"])


def test_several_variables_share_lines() -> None:
    found = _derive("network")
    assert len(found.json()["results"]) == 2
    assert found.text().count("log of a softmax") == 1


def test_every_result_of_json_has_true_lines() -> None:
    from tests.oracle import check_steps

    for case in CASES:
        found = _derive(case).json()
        for result in found.get("results", [found]):
            if result["kind"] == "gradient":
                assert check_steps(result) == [], case


def test_conditions_keep_the_names_of_variables() -> None:
    quotient = mcalc.derive("(x^T A x) / (x^T x)", wrt="x")
    assert "xᵀ x ≠ 0" in quotient.text()
    assert "×" not in next(line for line in quotient.markdown().splitlines() if line.startswith("Holds"))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("sum(max(tau (y - X b), (tau - 1) (y - X b)))", "gradient"),
        ("cos(b)^T A sin(b)", "hessian"),
        ("b^T y / (norm(b) norm(y))", "hessian"),
    ],
)
def test_the_answer_is_more_than_a_name(text: str, kind: str) -> None:
    where = "tau: scalar; y: n; X: n x d; b: d" if "X" in text else "b: d"
    found = mcalc.derive(text, wrt="b", where=where, kind=kind)
    answer = found.result
    while answer.op in ("neg", "div"):
        answer = answer.args[0]
    names = sharing([found]).names
    assert names and answer not in names


@pytest.mark.parametrize("steps", ["brief", "none"])
def test_one_blank_line_at_a_time(steps: str) -> None:
    for kind in ("differential", "vec-jacobian"):
        assert "\n\n\n" not in mcalc.derive("X^-1", wrt="X", kind=kind, steps=steps).text()


@pytest.mark.parametrize("kind", ["gradient", "hvp"])
def test_a_size_that_no_argument_shows(kind: str) -> None:
    found = mcalc.derive("trace(inv(t I))", wrt="t", kind=kind)
    with pytest.raises(mcalc.McalcError, match="the size n is that of no argument"):
        found.python()
    assert found.json()["python"] is None
    assert "/ t**3" in mcalc.derive("trace(inv(t I(3)))", wrt="t", kind="hvp").python()
