"""The losses of the shipped models, derived by hand: what is proved is what the model computes; slips are named.

A loop is written out for two steps (`x[1]` is x1).
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mcalc.algebra.printing import ascii_text
from mcalc.check import check
from mcalc.check.reading import Proof, read
from mcalc.check.source import problems
from mcalc.frontend import parse
from mcalc.model.library import load, names
from mcalc.model.unroll import lengths, unrolled_loss
from mcalc.verify.exact import Prover

FOLDER = Path(__file__).parent
ELSEWHERE = {"ridge": "ridge"}
"""Proofs that are not called after their model."""
WRONG = sorted(FOLDER.glob("wrong/*.proof"))


def proof_of(name: str) -> Proof:
    path = FOLDER / f"{ELSEWHERE.get(name, f'model-{name}')}.proof"
    text = path.read_text(encoding="utf-8")
    [problem] = problems(text)
    return read(problem, text, path.name)


def plain(text: str) -> str:
    return re.sub(r"\[(\d+)\]", r"\1", text)


@pytest.mark.parametrize("name", names())
def test_the_loss_is_the_models(name: str) -> None:
    proof = proof_of(name)
    model = load(name)
    loss = plain(ascii_text(unrolled_loss(model, dict.fromkeys(lengths(model), 2))))
    where = "; ".join(
        f"{symbol} : {' x '.join(map(str, e.shape))} {' '.join(e.attrs[1])}" for symbol, e in proof.symbols.items()
    )
    claims = [c for c in proof.claims if c.kind == "grad"]
    found = parse(loss, where=where).expression
    assert Prover(claims[0].left, found).prove(claims[0].left, found).proved
    assert {str(c.variable) for c in claims} == {
        plain(symbol.name) for argument in model.parameters for symbol in argument.symbols
    }


@pytest.mark.parametrize("path", WRONG, ids=lambda p: p.stem)
def test_the_slip_is_named(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    head = re.match(r"# bad line: (\d+)\n# slip: (.*)\n", text)
    assert head is not None
    [line] = check(text).wrong
    assert line.line == int(head[1]) and head[2] in line.slip and line.repair
    lines = text.split("\n")
    lines[line.line - 1] = f"{line.left} = {line.repair}"
    assert check("\n".join(lines)).ok


def test_some_slips() -> None:
    assert len(WRONG) >= 3
