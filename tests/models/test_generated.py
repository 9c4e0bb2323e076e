"""The modules in generated/ are what `mcalc generate --all -o generated` writes, byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest

import mcalc
from mcalc.model.library import names

GENERATED = Path(__file__).parents[2] / "generated"


@pytest.mark.parametrize("name", names())
def test_the_module_is_what_would_be_written(name: str) -> None:
    written = (GENERATED / f"{name}.py").read_text(encoding="utf-8")
    assert mcalc.generate(name).text == written, "mcalc generate --all -o generated"


def test_there_is_no_other_module() -> None:
    assert {path.stem for path in GENERATED.glob("*.py")} == {"__init__", *names()}


def test_it_is_imported_from_the_root() -> None:
    from generated import mlp

    assert mlp.check_gradients() < 1e-5
