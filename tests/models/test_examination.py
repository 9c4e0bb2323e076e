"""A module is compared with its model before it is given: what is wrong is found on every way through a module."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

import mcalc
from mcalc.algebra.operators import add
from mcalc.algebra.shape import dim
from mcalc.backends.numpy.module import loaded
from mcalc.cli import program
from mcalc.errors import UsageError, VerificationError
from mcalc.model import stack
from mcalc.model.examination import examine
from mcalc.model.ir import Adjoint, Define, Model, Range
from mcalc.model.library import names
from mcalc.model.reverse import reverse

LATE = """model late
input x[1..T] : n x m
param W : m x m
param U : m x m
param g : n x m
h[0] = g
for t in 1..T:
    h[t] = tanh(x[t] W)
    z[t] = h[t-1] U
loss = norm(h[T])^2 + sum(t in 1..T, norm(z[t])^2)
"""
NOWHERE = "model nowhere\nparam x : n\nloss = log(-1 - x^T x)\n"
CHAIN = "model chain\nparam A : a x b\nparam B : b x c\nparam C : c x d\nparam D : d x a\nloss = norm(A B C D)^2\n"


@pytest.mark.parametrize("name", names())
def test_shipped(name: str) -> None:
    found = mcalc.generate(name).examination
    assert found.points == 2 and found.error < 1e-12


def wrong_everywhere(text: str, function: str) -> list[str]:
    """The text with each of the statements of a function that add, or multiply, done the other way round, one a time."""
    start = text.index(f"def {function}(")
    end = text.find("\ndef ", start)
    made = []
    for found in re.finditer(r" (\+=|-=|\*=) ", text[start:end]):
        place = start + found.start()
        if "#" in text[text.rfind("\n", 0, place) : place]:
            continue
        other = {"+=": "-=", "-=": "+=", "*=": "+="}[found[1]]
        made.append(f"{text[:place]} {other} {text[place + len(found[0]) :]}")
    return made


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("lstm", "_forward"),
        ("lstm", "_backward"),
        ("mlp", "_backward"),
        ("logistic", "_by_rows"),
        (CHAIN, "_backward_b"),
    ],
)
def test_a_wrong_statement_is_found(name: str, function: str) -> None:
    made = mcalc.generate(name)
    mutants = wrong_everywhere(made.plain, function)
    assert mutants
    for text in mutants:
        with pytest.raises(VerificationError, match="fails its check"):
            examine(made.model, made.adjoint, loaded(text, "mutant"))


def test_wrong_predictions_are_found() -> None:
    made = mcalc.generate("rnn")
    start = made.plain.index("def predict(")
    text = made.plain[:start] + made.plain[start:].replace("h_t += ", "h_t -= ", 1)
    with pytest.raises(VerificationError, match="the output p is off"):
        examine(made.model, made.adjoint, loaded(text, "mutant"))


def off_by_one(self: stack._Pass, d: Define, r: Range) -> Define | None:
    """What vectorised definitions once were: they wrote elements one step off."""
    value = self.s.form(d.value, r)
    return None if value is None else Define(self.s.symbol(self._sequence(d.target), r, dim(0)), value)


def test_a_wrong_pass_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    mcalc.generate(LATE)
    monkeypatch.setattr(stack._Pass, "_whole", off_by_one)
    with pytest.raises(VerificationError, match="the gradient of W is off"):
        mcalc.generate(LATE)
    assert mcalc.generate(LATE, verify=False).plain


def test_a_wrong_adjoint_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The slope of the loss holds the adjoint program to account, too."""

    def doubled(model: Model) -> Adjoint:
        found = reverse(model)
        first, *rest = found.statements
        assert isinstance(first, Define)
        return replace(found, statements=(Define(first.target, add(first.value, first.value)), *rest))

    monkeypatch.setattr("mcalc.model.reverse.reverse", doubled)
    with pytest.raises(VerificationError, match="along a direction the loss has the slope"):
        mcalc.generate("mlp")


def test_nothing_wrong_is_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path, made = tmp_path / "late.mc", tmp_path / "late.py"
    path.write_text(LATE)
    monkeypatch.setattr(stack._Pass, "_whole", off_by_one)
    done = CliRunner().invoke(program, ["generate", str(path), "-o", str(made)])
    assert isinstance(done.exception, VerificationError) and not made.exists()
    done = CliRunner().invoke(program, ["generate", str(path), "--no-verify", "-o", str(made)])
    assert done.exit_code == 0 and made.exists()


def test_where_no_data_are_found_it_is_said(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="not compared with the model"):
        assert mcalc.generate(NOWHERE).examination.points == 0
    path = tmp_path / "nowhere.mc"
    path.write_text(NOWHERE)
    done = CliRunner().invoke(program, ["generate", str(path)])
    assert done.exit_code == 0 and "was not compared" in done.output


def test_a_backward_phase_that_cannot_be_run_is_no_lack_of_data(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise UsageError("h_bar[2] is outside h_bar[T..T+1]")

    monkeypatch.setattr("mcalc.model.examination.interpret_adjoint", fails)
    with pytest.raises(VerificationError, match="backward phase that was derived fails its check: h_bar"):
        mcalc.generate(LATE)


def test_a_steep_loss_has_slopes_at_small_steps() -> None:
    text = "model steep\nparam x : n\nloss = sum(cos(300 exp(4 x)))\n"
    assert mcalc.generate(text).examination.points == 2
