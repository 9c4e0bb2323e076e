"""`mcalc check`: exit codes, formats, folders; the text of reports."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from time import perf_counter

import pytest

from mcalc.check import check
from mcalc.check.render import markdown, text
from mcalc.cli import run

ROOT = Path(__file__).parents[2]
CORPUS = ROOT / "tests" / "corpus"
GOLDEN = Path(__file__).parent / "golden"
SHOWN = [
    "hand_proofs/ridge-multi-output", "hand_proofs/logistic-regression", "wrong_proofs/hadamard-swap",
    "wrong_proofs/product-rule", "wrong_proofs/inverse-sign", "more_proofs/wrong/order-of-factors-gram",
    "more_proofs/wrong/symmetric-cookbook-form", "more_proofs/wrong/lost-minus-residual",
]  # fmt: skip


@pytest.mark.parametrize("name", SHOWN)
def test_the_text_of_reports(name: str) -> None:
    """Golden reports; `UPDATE_GOLDEN=1` writes them."""
    shown = text([check((CORPUS / f"{name}.proof").read_text(encoding="utf-8"))])
    golden = GOLDEN / f"{Path(name).name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.mkdir(exist_ok=True)
        golden.write_text(shown, encoding="utf-8")
    assert shown == golden.read_text(encoding="utf-8")


def test_exit_codes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    right, wrong, bad = tmp_path / "a.proof", tmp_path / "b.proof", tmp_path / "c.proof"
    right.write_text("f = x^T x\ngrad_x = 2 x\n")
    wrong.write_text("f = x^T x\ngrad_x = x\n")
    bad.write_text("f = x^T x\ngrad_x\n")
    assert run(["check", str(right)]) == 0
    assert run(["check", str(wrong)]) == 1
    assert run(["check", str(bad)]) == 2
    assert run(["check", str(tmp_path / "none.proof")]) == 2
    assert "c.proof:2:1" in capsys.readouterr().err
    assert run(["check", str(right), str(wrong)]) == 1
    assert run(["check", str(tmp_path)]) == 2
    shown = capsys.readouterr()
    assert "1 of 3 derivations are proved" in shown.out
    assert "factor 2 lost" in shown.out
    assert "unreadable" in shown.out


def test_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    class Input:
        buffer = io.BytesIO("f = x^T x\r\n∇_x f = 2 x\r\n".encode())

    monkeypatch.setattr(sys, "stdin", Input)
    assert run(["check", "-"]) == 0
    assert "proved: the claim" in capsys.readouterr().out


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", str(CORPUS / "wrong_proofs/factor-two.proof"), "--format", "json"]) == 1
    value = json.loads(capsys.readouterr().out)
    assert (value["schema"], value["verdict"]) == (1, "refuted")
    wrong = [line for line in value["lines"] if line["verdict"] == "refuted"]
    assert [(line["line"], line["left"], line["slip"]) for line in wrong] == [(9, "grad_X", "factor 2 lost")]


def test_claims_and_identities(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["tr((y - X W)^T (y - X W))", "--wrt", "W", "--claim"]
    assert run(["check", *arguments, "2 X^T (X W - y)"]) == 0
    assert run(["check", *arguments, "-2 X^T (X W - y)"]) == 1
    assert "sign" in capsys.readouterr().out
    assert run(["check", "-x^T x", "--equals", "-norm(x)^2"]) == 0
    assert run(["check", "tr(A B)", "--equals", "tr(A) tr(B)", "--where", "A: n x n; B: n x n"]) == 1
    assert run(["check", "x^T x", "--claim", "2 x"]) == 2


def test_formats() -> None:
    report = check("f = x^T x\ngrad_x = x")
    assert "| 2 | ✗ | `grad_x = x` |" in markdown([report])


def test_a_proof_of_thirty_lines_is_quick() -> None:
    lines = ["where X: n x d; y: n x k; W: d x k; C: n x n", "R = y - X W", "f = tr(R^T C R)", "dR = -X dW"]
    lines += [f"df = {k}/{k} tr(dR^T C R) + tr(R^T C dR)" for k in range(1, 25)]
    lines += ["df = -tr(R^T C^T X dW) - tr(R^T C X dW)", "grad_W = -X^T (C + C^T) R"]
    start = perf_counter()
    assert check("\n".join(lines)).ok
    assert perf_counter() - start < 2


def test_the_same_bytes_whatever_the_hash_seed() -> None:
    command = [sys.executable, "-m", "mcalc.cli", "check", "tests/corpus/more_proofs/wrong", "--format", "json"]
    seen = {
        subprocess.run(
            command, cwd=ROOT, capture_output=True, check=False, env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("0", "7")
    }  # fmt: skip
    assert len(seen) == 1
