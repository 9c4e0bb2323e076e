"""`mcalc generate` as a user runs it, and the files that it writes."""

from __future__ import annotations

import ast
import os
import re
import stat
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import black
import pytest

import mcalc
from mcalc.cli import run
from tests.models.harness import SHIPPED, subject

ROOT = Path(__file__).parents[2]
OWN = "# a model of one's own\nmodel own\nsize L = 2\ninput X : n x d\nparam W[l in 1..L] : d x d\n" + textwrap.dedent(
    """
    A[0] = X
    for l in 1..L:
        A[l] = tanh(A[l-1] W[l])
    output A
    loss = norm(A[L])^2
    """
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def generate(*arguments: str) -> int:
    return run(["generate", *arguments])


def error(capsys: pytest.CaptureFixture[str]) -> str:
    """What went to standard error; nothing went to standard output."""
    found = capsys.readouterr()
    assert not found.out
    assert "Traceback" not in found.err
    return found.err


# --- what is written --------------------------------------------------------------------------------------------------


def test_standard_output_is_the_module(capsys: pytest.CaptureFixture[str]) -> None:
    assert generate("mlp") == 0
    assert capsys.readouterr().out == subject("mlp").made.text


def test_a_dash_is_standard_output(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    calls = (
        ["generate", "mlp"],
        ["derive", "--model", "ridge"],
        ["derive", "x^2", "--wrt", "x", "--format", "json"],
        ["graph", "mlp"],
    )
    for call in calls:
        assert run(call) == 0
        expected = capsys.readouterr().out
        assert run([*call, "-o", "-"]) == 0
        assert capsys.readouterr().out == expected
    assert generate("mlp", "-o", "-", "--test") == 2
    assert "--test writes a file beside the module" in error(capsys)
    assert generate("--all", "-o", "-") == 2
    assert "--all takes a folder" in error(capsys)
    assert not list(folder.iterdir())


def test_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert generate("mlp", "-o", "mlp.py") == 0
    assert (folder / "mlp.py").read_text("utf-8") == subject("mlp").made.text
    assert not capsys.readouterr().out
    assert [p.name for p in folder.iterdir()] == ["mlp.py"]
    assert stat.S_IMODE(os.stat("mlp.py").st_mode) & 0o600 == 0o600
    assert generate("ridge", "--output=mlp.py") == 0
    assert "def forward(X, y, lambda_, w)" in (folder / "mlp.py").read_text("utf-8")


def test_own_model(folder: Path) -> None:
    (folder / "own.mc").write_text(OWN, "utf-8")
    assert generate("own.mc", "--set", "L=4", "-o", "own.py") == 0
    text = (folder / "own.py").read_text("utf-8")
    assert "mcalc generate own.mc --set L=4" in text
    assert 'listed("W", W, 4)' in text
    assert "def predict(X, W):" in text


UNREAD = """model unread
size L = 3
input X[1..T] : n x d
input v : k
input u[1..T] : n
param w : d
param b[l in 1..L] : m[l]
param c : scalar
param f[1..T] : n
for t in 1..T:
    q[t] = X[t] w
    g[t] = q[t] + f[t] + c
r = sum(b[1]) + u[1]^T q[1]
output r
loss = BODY
"""


@pytest.mark.parametrize("command", ["generate", "derive", "graph"])
def test_no_closed_form_is_an_error_with_its_line(
    command: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "model own\ninput Y[1..T] : n x n  # data\nparam X : n x n\nfor t in 1..T:\n    H[t] = tanh(Y[t] X)\n"
    (folder / "own.mc").write_text(f"{text}    g[t] = sum(expm(H[t] + Y[t]))\nloss = sum(t in 1..T, g[t])\n")
    assert run([command, "own.mc"]) == 3
    assert "own.mc:6:5 │     g[t] = sum(expm(H[t] + Y[t]))\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("body", "warning"),
    [
        (
            "sum(t in 1..T, sum(q[t])) + sum(b[1])",
            "warning: the loss does not depend on the parameters b[2], b[3], c, f: their gradients are zero; "
            "nothing reads the input v\n",
        ),
        (
            "sum(t in 1..T, sum(g[t])) + sum(b[1]) + sum(b[2]) + norm(b[3])^2 + sum(v)",
            "",
        ),
        (
            "sum(t in 1..T, sum(q[t] + f[t])) + sum(b[1]) + sum(b[2]) + norm(b[3])^2 + sum(v)",
            "warning: the loss does not depend on the parameter c: its gradient is zero\n",
        ),
    ],
)
def test_arguments_that_nothing_reads(
    body: str, warning: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "unread.mc").write_text(UNREAD.replace("BODY", body))
    assert generate("unread.mc", "-o", "unread.py") == 0
    assert capsys.readouterr().err == warning


def test_set(capsys: pytest.CaptureFixture[str]) -> None:
    assert generate("deep_mlp", "--set", "L=1") == 0
    assert "mcalc generate deep_mlp --set L=1" in capsys.readouterr().out


def test_the_same_twice(capsys: pytest.CaptureFixture[str]) -> None:
    assert generate("lstm") == 0
    first = capsys.readouterr().out
    done = subprocess.run(
        [sys.executable, "-m", "mcalc", "generate", "lstm"],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "7"},
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == first


# --- what is not overwritten ------------------------------------------------------------------------------------------


def test_a_file_of_others_is_left_alone(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for text in ("", "Written by me\n"):
        (folder / "mine.py").write_text(text, "utf-8")
        assert generate("mlp", "-o", "mine.py") == 2
        assert "mine.py exists" in error(capsys)
        assert (folder / "mine.py").read_text("utf-8") == text
    (folder / "mine.py").write_bytes(b"\xff\xfe\x00 not text")
    assert generate("mlp", "-o", "mine.py") == 2
    assert generate("mlp", "-o", "mine.py", "--force") == 0
    assert (folder / "mine.py").read_text("utf-8") == subject("mlp").made.text


def test_neither_or_both(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With --test two files are written, or none."""
    (folder / "test_mlp.py").write_text("mine\n", "utf-8")
    assert generate("mlp", "-o", "mlp.py", "--test") == 2
    assert "test_mlp.py exists" in error(capsys)
    assert not (folder / "mlp.py").exists()
    assert generate("mlp", "-o", "mlp.py", "--test", "--force") == 0
    assert generate("mlp", "-o", "mlp.py", "--test") == 0


@pytest.mark.parametrize("option", ["--set", "--typical"])
def test_all_models_have_no_size_in_common(option: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert generate("--all", "-o", ".", option, "L=5") == 2
    assert f"{option} is for one model: each has sizes of its own" in error(capsys)
    assert not list(folder.iterdir())


def test_tests_of_all(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcalc.model.library.names", lambda: ["ridge", "mlp"])
    assert generate("--all", "-o", ".", "--test") == 0
    assert {path.name for path in folder.iterdir()} == {"mlp.py", "ridge.py", "test_mlp.py", "test_ridge.py"}
    assert (folder / "test_mlp.py").read_text("utf-8") == subject("mlp").made.test()


def test_a_failed_write_leaves_the_old_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert generate("mlp", "-o", "mlp.py") == 0
    before = (folder / "mlp.py").read_text("utf-8")

    def broken(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", broken)
    assert generate("ridge", "-o", "mlp.py") != 0
    assert (folder / "mlp.py").read_text("utf-8") == before
    assert [p.name for p in folder.iterdir()] == ["mlp.py"]


def test_places_that_are_no_files(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "sub").mkdir()
    assert generate("mlp", "-o", "sub", "--force") == 2
    assert "sub" in error(capsys)
    assert generate("mlp", "-o", "nowhere/mlp.py") == 2
    assert "nowhere" in error(capsys)


# --- errors -----------------------------------------------------------------------------------------------------------

ERRORS = {
    "a slip": (["mpl"], "mlp"),
    "a slip in a long name": (["softmax_regresion"], "softmax_regression"),
    "nothing like it": (["xyzzy"], "mcalc models lists"),
    "no such file": (["nowhere.mc"], "nowhere.mc"),
    "a slip in a size": (["deep_mlp", "--set", "K=3"], "no size K"),
    "a size that is a dimension": (["mlp", "--set", "n=3"], "no size n"),
    "no number": (["deep_mlp", "--set", "L=x"], "NAME=NUMBER"),
    "a negative number": (["deep_mlp", "--set", "L=-1"], "NAME=NUMBER"),
    "zero": (["deep_mlp", "--set", "L=0"], "positive"),
    "no equals sign": (["deep_mlp", "--set", "L"], "NAME=NUMBER"),
    "a test without a file": (["mlp", "--test"], "-o FILE"),
    "a test that no import finds": (["mlp", "--test", "-o", "my-mlp.py"], "import"),
    "an unknown option": (["mlp", "--tests"], "--test"),
    "no model": ([], "which model"),
    "a folder": (["."], "."),
    "two models": (["mlp", "rnn"], "rnn"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_errors(case: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments, words = ERRORS[case]
    assert generate(*arguments) == 2
    message = error(capsys)
    assert message.startswith("error: ")
    assert words in message
    assert not list(folder.iterdir())


def test_errors_in_a_model_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "own.mc").write_text(OWN.replace("A[l-1] W[l]", "A[l-1] V[l]"), "utf-8")
    assert generate("own.mc", "-o", "own.py") == 2
    message = error(capsys)
    assert "own.mc:" in message and "V" in message and "^" in message
    assert not (folder / "own.py").exists()
    (folder / "own.mc").write_bytes(b"\xff\xff")
    assert generate("own.mc") == 2
    assert "no UTF-8 text" in error(capsys)


# --- what the module is -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SHIPPED)
def test_imports(name: str) -> None:
    """NumPy and typing; SciPy where a special function needs it."""
    tree = ast.parse(subject(name).made.plain)
    found = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)}
    assert found <= {"import numpy as np", "from typing import NamedTuple"} or name in (
        "gaussian_nll",
        "gp_marginal_likelihood",
    )
    assert all(text.startswith(("import numpy", "from typing", "from scipy")) for text in found)
    assert "mcalc" not in re.sub(r'""".*?"""', "", subject(name).made.plain, flags=re.DOTALL)


def test_scipy_where_it_is_needed() -> None:
    text = "model m\nparam x : n\nloss = sum(erf(x))\n"
    assert "from scipy.special import erf" in subject(text).made.plain
    assert "scipy" not in subject("mlp").made.plain


@pytest.mark.parametrize("name", ["rnn"])
def test_the_module_checks_itself_without_mcalc(name: str, folder: Path) -> None:
    assert generate(name, "-o", f"{name}.py", "--test") == 0
    clean = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    blocked = "import sys\nfor m in ('mcalc', 'scipy', 'sympy', 'lark', 'jax', 'torch'):\n    sys.modules[m] = None\n"
    (folder / "conftest.py").write_text(blocked, "utf-8")
    for command in ([f"{name}.py"], ["-m", "pytest", "-q", "-p", "no:cacheprovider", f"test_{name}.py"]):
        done = subprocess.run([sys.executable, *command], capture_output=True, text=True, env=clean, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "agree" in done.stdout or "3 passed" in done.stdout


def test_the_check_finds_a_wrong_gradient(folder: Path) -> None:
    text = subject("mlp").made.text
    wrong = text.replace("np.multiply(R, -2", "np.multiply(R, -3")
    assert wrong != text
    (folder / "wrong.py").write_text(wrong, "utf-8")
    done = subprocess.run([sys.executable, "wrong.py"], capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert "a gradient differs" in done.stderr


@pytest.mark.parametrize("name", [*SHIPPED, "deep", "chain"])
def test_texts_are_formatted_as_black_does(name: str) -> None:
    if name == "chain":
        declared = "".join(f"param A{i} : d{i - 1} x d{i}\n" for i in range(1, 33))
        made = mcalc.generate(f"model chain\n{declared}P = {' '.join(f'A{i}' for i in range(1, 33))}\nloss = tr(P^T P)")
    else:
        made = mcalc.generate("deep_mlp", sizes={"L": 20}) if name == "deep" else subject(name).made
    assert made.text == black.format_str(made.plain, mode=black.Mode(line_length=100))


def test_names_that_are_none_fit_lines() -> None:
    text = mcalc.generate("deep_mlp", sizes={"L": 30}).text
    chains = [line for line in text.splitlines() if re.match(r" +\w+ = .*\bW_bar.* = None$", line)]
    assert len(chains) > 1 and all(70 < len(line) <= 100 for line in chains[:-1])
    assert len(re.findall(r"W_bar\d+ =", "".join(chains))) == 30


def test_texts_are_formatted() -> None:
    """What is in generated/, which another test compares with what is written."""
    for path in (ROOT / "generated").glob("*.py"):
        text = path.read_text("ascii")
        assert text.endswith("\n") and "\t" not in text and not re.search(r" +$", text, re.MULTILINE)
        assert max(map(len, text.splitlines())) <= 120
        ast.parse(text)
