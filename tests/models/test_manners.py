"""What a generated module says and brings along."""

from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pytest

import mcalc
from mcalc.backends.numpy.scopes import scope_of
from mcalc.cli import run
from mcalc.commands.models import listing
from mcalc.errors import UsageError
from mcalc.model.library import load, names


@pytest.mark.parametrize(("name", "seed"), [("mlp", 60), ("mlp", 73), ("rnn", 98), ("rnn", 135)])
def test_a_kink_within_a_step_is_no_error(name: str, seed: int) -> None:
    assert mcalc.generate(name).module.check_gradients(seed) < 1e-5


def test_a_wrong_gradient_is_an_error() -> None:
    module = mcalc.generate("mlp").module
    right = module.value_and_grad
    try:
        module.__dict__["value_and_grad"] = lambda **given: (right(**given)[0], [1.01 * g for g in right(**given)[1]])
        with pytest.raises(AssertionError, match="differs from central differences"):
            module.check_gradients()
    finally:
        module.__dict__["value_and_grad"] = right


COX = """\
model cox
input X : n x d
input R : n x n {}
input e : n
param w : d
h = X w
loss = e^T (log(R exp(h)) - h)
"""


@pytest.mark.filterwarnings("ignore:invalid value")
def test_what_is_no_number_does_not_agree_with_differences() -> None:
    with pytest.raises(
        AssertionError, match="the loss is nan at random data; declare what is positive, spd or invertible"
    ):
        mcalc.generate(COX.format("")).module.check_gradients()
    assert mcalc.generate(COX.format("positive")).module.check_gradients() < 1e-5


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_a_gradient_that_is_no_number_is_an_error(wrong: float) -> None:
    module = mcalc.generate("ridge").module
    right = module.value_and_grad
    try:
        module.__dict__["value_and_grad"] = lambda **given: (right(**given)[0], [g + wrong for g in right(**given)[1]])
        with pytest.raises(AssertionError, match="differs from central differences by inf"):
            module.check_gradients()
    finally:
        module.__dict__["value_and_grad"] = right


def test_names_of_parameters() -> None:
    module = mcalc.generate("linear_regression").module
    data = {"X": np.ones((3, 2)), "y": np.ones(3), "w": np.ones(2), "b": 1.0}
    with pytest.raises(ValueError, match=r"wrt: a sequence of names expected, as \['w'\]; got the string w"):
        module.value_and_grad(**data, wrt="w")
    with pytest.raises(ValueError, match="wrt: the parameters are w, b; got X, 3"):
        module.value_and_grad(**data, wrt=("w", "X", 3))
    for wrong in (3, 1.5, True, object):
        with pytest.raises(TypeError, match=r"wrt: a sequence of names expected, of the parameters w, b; got"):
            module.value_and_grad(**data, wrt=wrong)


def test_helpers_come_where_they_are_needed() -> None:
    assert "def spd(" not in mcalc.generate("mlp").text
    assert "def spd(" in mcalc.generate("gaussian_nll").text


def test_its_name_is_shown() -> None:
    assert repr(mcalc.generate("mlp")) == "<the module of mlp>"


def test_a_typical_size_is_that_of_a_dimension() -> None:
    with pytest.raises(UsageError, match="typical: the model has no dimension q") as found:
        mcalc.generate("mlp", typical={"q": 3})
    assert found.value.hint == "its dimensions: n, d, k, m"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("own", "a file is given by its path: own.mc"),
        ("mlpp", "did you mean mlp? A file is given by its path: model.mc"),
        ("wombat", "mcalc models lists the shipped ones. A file is given by its path: model.mc"),
        ("mlp.mc", "the shipped model is called mlp; its text: mcalc models mlp"),
    ],
)
def test_no_such_model(name: str, hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.mc").write_text("model own\n")
    with pytest.raises(UsageError) as found:
        load(name)
    assert found.value.hint == hint


def test_the_name_of_a_model_is_no_expression(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["derive", "mlp"]) == 2
    assert "--wrt X; of the shipped model: --model mlp" in capsys.readouterr().err
    assert run(["derive", "mlp", "--wrt", "W1"]) == 2
    assert "of the shipped model: --model mlp" in capsys.readouterr().err


def test_the_list_of_models_fits_a_terminal() -> None:
    assert [line.split()[0] for line in listing(0).splitlines()] == list(names())
    wrapped = listing(80).splitlines()
    assert max(map(len, wrapped)) <= 80 and len(wrapped) > len(names())
    assert [line.split()[0] for line in wrapped if line[0] != " "] == list(names())


def test_a_path_is_a_path(tmp_path: Path) -> None:
    path = tmp_path / "own.mc"
    path.write_text("model own\nparam w : d\nloss = w^T w\n", encoding="utf-8")
    assert "mcalc generate own.mc\n" in mcalc.generate(path).text
    assert mcalc.derive_model(path).model.name == "own"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "numpy.py"], "numpy.py would be imported in place of what it imports\n  hint: -o mlp.py"),
        (["-o", "class.py", "--test"], "a test cannot import class.py\n  hint: -o mlp.py"),
        (["-o", "."], ". is a folder\n  hint: -o names a file"),
        (["--typical", "n"], "NAME=NUMBER is expected\n  hint: --typical n=1000"),
    ],
)
def test_names_of_files(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["generate", "mlp", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("on", [True, False])
def test_garbage_is_collected_afterwards_as_it_was_before(on: bool) -> None:
    before = gc.isenabled()
    try:
        (gc.enable if on else gc.disable)()
        mcalc.generate("ridge")
        assert gc.isenabled() == on
        with pytest.raises(UsageError, match="no dimension q"):
            mcalc.generate("ridge", typical={"q": 3})
        assert gc.isenabled() == on
    finally:
        (gc.enable if before else gc.disable)()


def test_the_names_of_lines_are_those_that_they_define_in_order_and_those_that_they_read() -> None:
    lines = ["a, b = cache  # c", "for x in b:", "    y = np.dot(a, x, out=ws.z)", 'return [t + n for t in "d"], y']
    found = scope_of(lines)
    assert found.defined[:4] == ["a", "b", "x", "y"]
    assert found.read == {"cache", "np", "ws", "n"}


def test_a_definition_that_nothing_is_made_of_is_left_out() -> None:
    made = mcalc.generate("model scaled\ninput X : n x d\nparam v : n\nD = diag(exp(v))\nloss = norm(D X)^2\n")
    assert "np.exp(v" in made.text
    assert "np.diag(E)" not in made.text
