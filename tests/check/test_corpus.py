"""The proofs of the corpus: right ones accepted line by line, of wrong ones exactly the bad line refuted and named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mcalc.check import check
from mcalc.check.render import latex

CORPUS = Path(__file__).parents[1] / "corpus"
RIGHT = sorted([*CORPUS.glob("hand_proofs/*.proof"), *CORPUS.glob("more_proofs/right/*.proof")])
WRONG = sorted([*CORPUS.glob("wrong_proofs/*.proof"), *CORPUS.glob("more_proofs/wrong/*.proof")])

# fmt: off
SLIPS = {
    # file: words of the name of the slip
    "cyclic-shift": "cyclic shift",               "cyclic-shift-inside": "cyclic shift",
    "cyclic-shift-three": "cyclic shift",         "diagonal-forgotten": "diagonal",
    "elementwise-derivative-exp": "elementwise",  "elementwise-derivative-tanh": "elementwise",
    "factor-half-logdet": "factor 2",             "factor-two": "factor 2",
    "factor-two-norm": "factor 2",                "factor-two-quadratic": "factor 2",
    "hadamard-swap": "Hadamard",                  "hadamard-swap-sum": "Hadamard",
    "hadamard-through-product": "Hadamard",       "inverse-of-a-sum": "sign",
    "inverse-sign": "d inv without the minus",    "inverse-without-minus": "d inv without the minus",
    "layer-derivative": "elementwise",            "logdet-gradient": "transpose",
    "lost-minus-quotient": "sign",                "lost-minus-residual": "sign",
    "lost-transpose-det": "transpose",            "lost-transpose-layer": "transpose",
    "lost-transpose-linear": "transpose",         "missing-term-cube": "product-rule term",
    "missing-term-product": "product-rule term",  "missing-term-recurrent": "product-rule term",
    "noncommuting-square": "do not commute",      "order-of-factors-gram": "wrong order",
    "order-of-factors-inverse": "wrong order",    "order-of-factors-layers": "wrong order",
    "product-rule": "product-rule term",          "relu-indicator": "elementwise",
    "sign-of-logistic": "sign",                   "softmax-cross-entropy": "factor",
    "symmetric-cookbook-form": "symmetric form",  "symmetric-part-forgotten": "symmetric form",
}
# fmt: on


@pytest.mark.parametrize("path", RIGHT, ids=lambda p: p.stem)
def test_right_proofs_are_accepted(path: Path) -> None:
    report = check(path.read_text(encoding="utf-8"))
    assert report.ok, str(report)
    assert all(line.follows for line in report)


@pytest.mark.parametrize("path", WRONG, ids=lambda p: p.stem)
def test_the_bad_line_alone_is_refuted_and_named(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    bad = re.match(r"# bad line: (\d+)", text)
    assert bad is not None
    report = check(text)
    assert [line.line for line in report.wrong] == [int(bad[1])], str(report)
    assert report.verdict == "refuted"
    [line] = report.wrong
    assert SLIPS[path.stem] in line.slip
    assert line.repair
    assert line.counterexample or "shapes differ" in line.detail
    assert not line.follows


@pytest.mark.parametrize("path", WRONG, ids=lambda p: p.stem)
def test_the_repair_makes_the_proof_right(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    [line] = check(text).wrong
    lines = text.split("\n")
    lines[line.line - 1] = f"{line.left} = {line.repair}"
    assert check("\n".join(lines)).ok


@pytest.mark.parametrize("path", RIGHT, ids=lambda p: p.stem)
def test_proofs_in_latex(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    where = "\n".join(line for line in text.split("\n") if line.startswith("where"))
    shown = latex([check(text)]).replace(r"\sigma(", r"\operatorname{sigmoid}(")
    report = check(f"{where}\n{shown}")
    assert report.ok, str(report)
