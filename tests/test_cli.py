"""The command line: what is printed where, exit codes, odd input."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mcalc.cli import run

ROOT = Path(__file__).parents[1]


def call(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    code = run(list(args))
    out, err = capsys.readouterr()
    return code, out, err


def process(*args: str, stdin: str | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    full = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8", **env}
    return subprocess.run(
        [sys.executable, "-m", "mcalc", *args], input=stdin, capture_output=True, text=True, env=full, timeout=60
    )


def test_main_job(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = call(capsys, "derive", "tr((y-XW)^T (y-XW))", "--wrt", "W", "--ascii")
    assert code == 0 and err == ""
    assert "grad_W = 2 X^T (X W - y)" in out
    assert "(inferred)" in out
    assert "proved: every step, exactly" in out
    assert out.isascii()


@pytest.mark.parametrize(
    "expression, wrt, result",
    [
        ("-2 X'*y", "X", None),
        ("-h^T h", "h", "-2 h"),
        ("-w^T w", "w", "-2 w"),
        ("-x^T x", "x", "-2 x"),
        ("-o^T o", "o", "-2 o"),
        ("--x^T x", "x", "2 x"),
    ],
)
def test_leading_minus(capsys: pytest.CaptureFixture[str], expression: str, wrt: str, result: str | None) -> None:
    code, out, _ = call(capsys, "derive", expression, "--wrt", wrt, "--format", "json")
    assert code == 0
    if result is not None:
        assert json.loads(out)["result"] == result


BAD = {
    # what: arguments, exit code, a word of the message
    "unknown name": (["foo(x)", "--wrt", "x"], 2, "foo"),
    "wrong shape": (["x^T A x", "--wrt", "x", "--where", "A: n x m; x: m"], 2, "columns"),
    "inverse": (["tr(inv(X))", "--wrt", "X", "--where", "X: n x m"], 2, "square"),
    "brackets": (["tr((X", "--wrt", "X"], 2, "closed"),
    "empty": (["", "--wrt", "X"], 2, "expected"),
    "tower": (["9^9^9^9", "--wrt", "x"], 2, "tower"),
    "digits": (["x^T x + " + "9" * 5000, "--wrt", "x"], 4, "digits"),
    "many brackets": (["(" * 10**6, "--wrt", "x"], 4, "limit"),
    "many minus signs": (["-" * 10**6 + "x", "--wrt", "x"], 4, "limit"),
    "bidi": (["x^T \u202e x", "--wrt", "x"], 2, "202E"),
    "look-alike": (["x^T х", "--wrt", "x"], 2, "cyrillic"),
    "import": (["__import__('os')", "--wrt", "x"], 2, "error"),
    "not supported": (["tr(expm(X) A)", "--wrt", "X"], 3, "expm"),
    "no domain": (["log(-x^T x)", "--wrt", "x"], 1, "no point"),
    "third": (["sum(exp(x))", "--wrt", "x,x,x"], 3, "three indices"),
    "no vech": (["tr(A X)", "--wrt", "X", "--vech"], 3, "not declared"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_input(capsys: pytest.CaptureFixture[str], what: str) -> None:
    args, code, word = BAD[what]
    found, out, err = call(capsys, "derive", *args)
    assert (found, out) == (code, "")
    assert word in err
    assert err.startswith("error: ") and "│" in err and "^" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("name", ["lambda", "None", "np"])
def test_words_of_python(capsys: pytest.CaptureFixture[str], name: str) -> None:
    code, _, err = call(capsys, "derive", f"{name} x^T x", "--wrt", "x", "--where", f"{name}: scalar")
    assert code == 0, err
    code, out, err = call(capsys, "derive", f"{name} x^T x", "--wrt", "x", "--where", f"{name}: scalar", "--format",
                          "python")  # fmt: skip
    assert code == 0, err
    compile(out, "module", "exec")


def test_errors_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = call(capsys, "derive", "tr((X", "--wrt", "X", "--format", "json")
    found = json.loads(out)
    assert code == 2 and found["schema"] == 1
    assert set(found["error"]) >= {"code", "message", "span", "hint"}
    assert found["error"]["message"] in err


def test_did_you_mean(capsys: pytest.CaptureFixture[str]) -> None:
    assert "derive" in call(capsys, "deriv", "x", "--wrt", "x")[2]
    assert "--wrt" in call(capsys, "derive", "x", "--wrtt", "x")[2]
    assert call(capsys, "derive", "x^T x")[0] == 2


def test_help_begins_with_examples(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "--help")
    assert code == 0
    assert [line.strip()[:13] for line in out.splitlines() if "--wrt" in line] == ["mcalc derive "] * 3


def test_output_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    target = tmp_path / "answer.txt"
    args = ["derive", "x^T x", "--wrt", "x", "-o", str(target)]
    assert call(capsys, *args) == (0, "", "")
    assert "∂f/∂x = 2 x" in target.read_text(encoding="utf-8")
    assert call(capsys, *args)[0] == 2
    assert call(capsys, *args, "--force")[0] == 0


def test_not_verified(capsys: pytest.CaptureFixture[str]) -> None:
    assert "not verified" in call(capsys, "derive", "x^T x", "--wrt", "x", "--no-verify")[1]


def test_rules(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "rules")
    assert code == 0
    for word in ("DIFFERENTIALS", "TRACE LAWS", "RECOGNISED", "ALGEBRA", "PROJECTIONS", "Magnus & Neudecker"):
        assert word in out
    assert json.loads(call(capsys, "rules", "logdet", "--format", "json")[1])["rules"]
    assert call(capsys, "rules", "no such rule")[0] == 2


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(capsys: pytest.CaptureFixture[str], shell: str) -> None:
    assert "_MCALC_COMPLETE" in call(capsys, "completion", shell)[1]


def test_a_bug_is_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object, **options: object) -> None:
        raise ZeroDivisionError("nothing\nat all")

    monkeypatch.setattr("mcalc.derivation.derive", broken)
    code, out, err = call(capsys, "derive", "x^T x", "--wrt", "x")
    assert (code, out) == (70, "")
    assert "ZeroDivisionError: nothing at all" in err and "Traceback" not in err
    with pytest.raises(ZeroDivisionError):
        run(["derive", "x^T x", "--wrt", "x", "--traceback"])


def test_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("x^T A x\n"))
    assert "grad_x" in call(capsys, "derive", "-", "--wrt", "x", "--ascii")[1]


def test_as_a_process() -> None:
    done = process("derive", "x^T x", "--wrt", "x")
    assert (done.returncode, done.stderr) == (0, "")
    assert "∂f/∂x" in done.stdout
    assert process("derive", "x^T x", "--wrt", "x", PYTHONIOENCODING="ascii").stdout.isascii()
    coloured = process("derive", "tr((X", "--wrt", "X", FORCE_COLOR="1")
    assert "\x1b[" in coloured.stderr
    assert "\x1b[" not in process("derive", "tr((X", "--wrt", "X", FORCE_COLOR="1", NO_COLOR="1").stderr


def test_a_closed_pipe_is_quiet() -> None:
    command = f"{sys.executable} -m mcalc rules | head -1"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=env, timeout=60)
    assert done.stderr == ""
    assert done.stdout.count("\n") == 1


@pytest.mark.parametrize("seed", ["0", "1", "7"])
def test_the_same_bytes(seed: str) -> None:
    args = ("derive", "logdet(S) + tr(S^-1 A)", "--wrt", "S", "--where", "S: n x n spd; A: n x n symmetric")
    assert process(*args, PYTHONHASHSEED=seed).stdout == process(*args, PYTHONHASHSEED="random").stdout


@pytest.mark.parametrize(
    ("option", "hint"), [("--qqq", "--help lists the options"), ("--forse", "did you mean --force?")]
)
def test_an_unknown_option(option: str, hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["graph", "mlp", option]) == 2
    assert capsys.readouterr().err == f"error: there is no option {option}\n  hint: {hint}\n"


def test_solve_is_of_the_gradient(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["derive", "x^T x", "--wrt", "x", "--solve", "--kind", "hessian"]) == 2
    assert "--solve is of the gradient, not of --kind hessian" in capsys.readouterr().err
    assert run(["derive", "x^T x", "--wrt", "x", "--solve", "--kind", "gradient"]) == 0
