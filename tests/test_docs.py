"""docs/: its models are read, differentiated and run, its Python is run, what it shows of modules is in them."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

import mcalc
from mcalc.cli import run
from mcalc.frontend.model import read_model

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
_BLOCK = re.compile(r"```(\w*)\n(.*?)```", re.DOTALL)
BLOCKS = [
    pytest.param(kind, text, id=f"{path.stem}-{i}")
    for path in sorted(DOCS.glob("*.md"))
    for i, (kind, text) in enumerate(_BLOCK.findall(path.read_text(encoding="utf-8")))
]
MODELS = [p for p in BLOCKS if p.values[0] == "mc"]


def test_every_block_is_of_a_kind_that_is_tested() -> None:
    assert {p.values[0] for p in BLOCKS} <= {"mc", "python"}
    assert len(MODELS) >= 4


@pytest.mark.parametrize(("kind", "text"), MODELS)
def test_models(kind: str, text: str) -> None:
    model = read_model(text)
    assert model.comment
    assert mcalc.generate(text).module.check_gradients() < 1e-5
    assert mcalc.derive_model(text).verification is not None


@pytest.mark.parametrize("path", sorted(DOCS.glob("*.md")), ids=lambda p: p.stem)
def test_python(path: Path) -> None:
    failed, _ = doctest.testfile(str(path), module_relative=False)
    assert not failed


@pytest.mark.parametrize("path", sorted(DOCS.glob("*.svg")), ids=lambda p: p.stem)
def test_drawings(path: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    drawn = tmp_path / path.name
    assert run(["graph", path.stem, "-o", str(drawn)]) == 0
    if request.config.getoption("--update-golden"):
        path.write_bytes(drawn.read_bytes())
    assert drawn.read_bytes() == path.read_bytes()
