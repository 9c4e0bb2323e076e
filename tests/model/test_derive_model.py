"""Derivations of models: what they look like, and that nothing passes the gate unproved."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from click.testing import CliRunner

import mcalc
from mcalc.cli import program, run
from mcalc.errors import UsageError, VerificationError
from mcalc.model.ir import Define, Loop, Total
from mcalc.model.library import load, names
from mcalc.model.prepare import prepare
from mcalc.model.proof import verify_model
from mcalc.model.reverse import Trace, trace
from tests.model.hard import HARD, text

FIGURE = re.compile(r"(relative error |\"max_relative_error\": )[-0-9.e]+")
GOLDEN = ("mlp", "rnn", "lstm")


def still(shown: str) -> str:
    return FIGURE.sub(r"\1…", shown)


@pytest.mark.parametrize("name", GOLDEN)
def test_golden(name: str, golden: Callable[[str, str], None]) -> None:
    found = mcalc.derive_model(name)
    golden(f"models/derive/{name}.txt", still(found.text() + "\n" + found.text(unicode=False)))
    golden(f"models/derive/{name}.tex", found.latex())
    golden(f"models/derive/{name}.md", still(found.markdown()))
    golden(f"models/derive/{name}.json", still(json.dumps(found.json(), indent=2)) + "\n")


def test_golden_with_all_steps(golden: Callable[[str, str], None]) -> None:
    found = mcalc.derive_model("mlp", steps="full")
    golden("models/derive/mlp_full.txt", still(found.text()))
    golden("models/derive/mlp_full.md", still(found.markdown()))


@pytest.mark.parametrize("name", names())
def test_shipped_models_are_proved(name: str) -> None:
    found = mcalc.derive_model(name)
    assert found.verification is not None and found.verification.exact
    assert found.verification.max_relative_error < 1e-6
    for shown in (found.text(), found.text(unicode=False), found.text(width=80)):
        assert not re.search(r"[ \t]\n", shown)
    assert max(len(line) for line in found.text().splitlines()) <= 100
    assert found.text(unicode=False).isascii()
    for shown in (found.latex(), found.markdown()):
        assert shown.count("{") == shown.count("}")
    assert json.loads(json.dumps(found.json()))["verified"]["gradients_proved"]


@pytest.mark.parametrize("name", HARD)
def test_hard_models_are_proved(name: str) -> None:
    found = mcalc.derive_model(text(name))
    assert found.verification is not None and found.verification.exact
    for shown in (found.text(), found.latex(), found.markdown()):
        assert shown


def spoiled(found: Trace, target: str) -> Trace:
    """The adjoint program with twice the value of one cotangent."""
    from dataclasses import replace

    from mcalc.algebra.operators import mul, number

    def twice(define: Define) -> Define:
        return replace(define, value=mul(number(2), define.value)) if define.target.name == target else define

    statements = []
    for s in found.adjoint.statements:
        if isinstance(s, Loop):
            statements.append(replace(s, body=tuple(twice(d) for d in s.body)))
        elif isinstance(s, Total):
            statements.append(replace(s, value=mul(number(2), s.value)) if s.target.name == target else s)
        else:
            statements.append(twice(s))
    return Trace(replace(found.adjoint, statements=tuple(statements)), found.gathering)


@pytest.mark.parametrize("target", ["p_bar[t]", "h_bar[t]", "W_bar", "V_bar"])
def test_a_wrong_program_is_refuted(target: str) -> None:
    model = load("rnn")
    found = trace(prepare(model))
    verify_model(model, found)
    with pytest.raises(VerificationError):
        verify_model(model, spoiled(found, target))


def test_a_wrong_part_is_refuted() -> None:
    from mcalc.algebra.operators import neg

    model = load("mlp")
    found = trace(prepare(model))
    for uses in found.gathering.uses.of.values():
        uses[:] = [use._replace(part=neg(use.part)) for use in uses]
    with pytest.raises(VerificationError, match="adjoint of"):
        verify_model(model, found)


def test_arguments() -> None:
    assert list(mcalc.derive_model("mlp", wrt="W1").gradients) == ["W1"]
    assert list(mcalc.derive_model("mlp", wrt=["W2", "W1"]).gradients) == ["W2", "W1"]
    assert len(mcalc.derive_model("deep_mlp", sizes={"L": 4}).gradients["W"]) == 4
    assert mcalc.derive_model("mlp", verify=False).verification is None
    assert "not verified" in mcalc.derive_model("mlp", verify=False).text()
    with pytest.raises(UsageError, match="steps"):
        mcalc.derive_model("mlp", steps="some")
    with pytest.raises(UsageError, match="no argument"):
        mcalc.derive_model("mlp", wrt="Q")


def test_json_has_the_schema_of_expressions() -> None:
    model, expression = mcalc.derive_model("rnn").json(), mcalc.derive("norm(y - X w)^2", "w").json()
    assert {"schema", "wrt", "kind", "symbols", "conditions", "latex", "verified"} <= set(model) & set(expression)
    assert model["schema"] == expression["schema"] and model["kind"] == "model"
    assert model["symbols"]["x"] == {
        "shape": ["n", "d"], "properties": [], "inferred": False, "kind": "input", "range": ["1", "T"],
    }  # fmt: skip
    assert set(expression["symbols"]["w"]) < set(model["symbols"]["W"])
    assert {"X", "W[1]", "b[3]"} <= set(mcalc.derive_model("deep_mlp", verify=False).json()["symbols"])


@pytest.mark.parametrize("name", names())
def test_latex_is_closed(name: str) -> None:
    text = re.sub(r"\\\\|\\[{}]", "", mcalc.derive_model(name, verify=False, steps="full").latex())
    assert text.isascii() and text.count("{") == text.count("}")
    assert text.count(r"\left") - text.count(r"\leftarrow") == text.count(r"\right") - text.count(r"\rightarrow")
    begun, ended = (sorted(re.findall(rf"\\{word}{{(\w+\*?)}}", text)) for word in ("begin", "end"))
    assert begun == ended and begun


def test_names_that_clash_are_told_apart() -> None:
    assert "h_{[0]} &= h_0" in mcalc.derive_model("rnn").latex()


def test_command() -> None:
    runner = CliRunner()
    done = runner.invoke(program, ["derive", "--model", "rnn", "--wrt", "W", "--format", "json"])
    assert done.exit_code == 0
    assert [g["parameter"] for g in json.loads(done.output)["gradients"]] == ["W"]
    assert runner.invoke(program, ["derive", "--model", "deep_mlp", "--set", "L=2"]).exit_code == 0
    for wrong in (
        ["derive", "--model", "no_such"],
        ["derive", "--model", "mlp", "x^T x"],
        ["derive", "--model", "mlp", "--where", "X: n x n"],
        ["derive", "--model", "mlp", "--format", "python"],
        ["derive", "x^T x", "--wrt", "x", "--set", "L=3"],
        ["derive", "no_such_file.mc"],
    ):
        assert run(wrong) == 2
