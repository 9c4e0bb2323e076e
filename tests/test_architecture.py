"""The layers of ARCHITECTURE.md, and what is not imported."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LAYERS = [
    # each imports from those before it only (and from its own)
    {"errors", "collector"},
    {"algebra"},
    {"model.ir"},
    {"frontend", "rewrite"},
    {"simplify", "calculus"},
    {"pipeline"},
    {"kinds", "critical_points"},
    {"dispatch"},
    {"verify"},
    {"model"},
    {"program"},
    {"backends"},
    {"derivation", "model_derivation", "interop", "check", "formats", "generation"},
    {"estimators"},
    {"cli", "commands", "__main__"},
]
LAZY = {("rewrite", "calculus"), ("rewrite", "simplify"), ("derivation", "formats")}
"""Imported inside a function, where the tables of all passes are collected, or a result is written."""


def files() -> list[Path]:
    return sorted((ROOT / "mcalc").rglob("*.py"))


def room(path: Path) -> str:
    return _room(path.relative_to(ROOT / "mcalc").with_suffix("").parts)


def _room(parts: Sequence[str]) -> str:
    """The package; what a model is (`model.ir`) is beside the algebra, and a room of its own."""
    return "model.ir" if tuple(parts[:2]) == ("model", "ir") else parts[0]


def imports(path: Path) -> set[tuple[str, bool]]:
    """The rooms that a module imports at its top level (True) or in a function (False)."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = set()
    skipped = {
        id(node)
        for branch in ast.walk(tree)
        if isinstance(branch, ast.If) and ast.unparse(branch.test) == "TYPE_CHECKING"
        for node in ast.walk(branch)
    }
    top = {id(node) for node in tree.body}
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.ImportFrom)
            and node.module
            and node.module.startswith("mcalc.")
            and id(node) not in skipped
        ):
            found.add((_room(node.module.split(".")[1:]), id(node) in top))
    return found


def test_imports_form_layers() -> None:
    level = {name: k for k, layer in enumerate(LAYERS) for name in layer}
    wrong = []
    for path in files():
        here = room(path)
        if here == "__init__":
            continue
        for there, top in imports(path):
            if level[there] > level[here] and not (not top and (here, there) in LAZY):
                wrong.append(f"{path.relative_to(ROOT)} imports {there}")
    assert not wrong


def test_files_are_short_and_documented() -> None:
    long = [str(p) for p in files() if p.name != "_tables.py" and len(p.read_text(encoding="utf-8").splitlines()) > 400]
    silent = [str(p) for p in files() if ast.get_docstring(ast.parse(p.read_text(encoding="utf-8"))) is None]
    assert not long
    assert not [p for p in silent if "_tables" not in p]


@pytest.mark.parametrize(
    "program, absent",
    [
        ("import mcalc", ["numpy", "sympy", "lark", "click", "black", "jinja2", "scipy"]),
        ("import mcalc; mcalc.derive('x^T A x', wrt='x').text()", ["sympy", "scipy", "black", "jinja2", "click"]),
    ],
)
def test_what_is_not_imported(program: str, absent: list[str]) -> None:
    code = f"{program}\nimport sys\nprint([m for m in {absent!r} if m in sys.modules])"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr
