"""The project's own hand derivations: every line is accepted, and mcalc's derivation comes to the same result.

Each rule of differentiation has its derivation (`rule-OPERATOR.proof`).
"""

from __future__ import annotations

from pathlib import Path

import pytest

from mcalc.algebra.expr import postorder
from mcalc.calculus.table import DIFFERENTIALS
from mcalc.check.judge import judge
from mcalc.check.reading import Proof, read
from mcalc.check.source import problems
from mcalc.pipeline import derive_gradients
from mcalc.verify.exact import Prover

FOLDER = Path(__file__).parent
FILES = sorted(FOLDER.glob("*.proof"))


def _read(path: Path) -> Proof:
    text = path.read_text(encoding="utf-8")
    [problem] = problems(text)
    return read(problem, text, path.name)


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_every_line_is_accepted(path: Path) -> None:
    report = judge(_read(path))
    assert [(line.line, line.verdict, line.follows) for line in report] == [
        (line.line, "definition" if line.verdict == "definition" else "proved", True) for line in report
    ]
    assert any(line.verdict == "proved" for line in report)


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_mcalc_comes_to_the_same_gradient(path: Path) -> None:
    proof = _read(path)
    for claim in proof.claims:
        if claim.kind == "grad" and claim.variable is not None and claim.variable.op == "sym":
            answer = derive_gradients(claim.left, (claim.variable,), detail="none").answers[0].result
            assert Prover(claim.right, answer).prove(claim.right, answer).proved, f"{answer} and {claim.right}"


@pytest.mark.parametrize("op", sorted(DIFFERENTIALS))
def test_every_rule_has_its_derivation(op: str) -> None:
    proof = _read(FOLDER / f"rule-{op}.proof")
    used = {node.op for claim in proof.claims if claim.kind == "definition" for node in postorder(claim.right)}
    assert op in used


def test_there_are_enough_results_of_textbooks() -> None:
    assert sum(not path.stem.startswith("rule-") for path in FILES) >= 30
