"""Expressions for the tests of this folder, read from text."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from mcalc.algebra.expr import Expr
from mcalc.algebra.shape import Shape
from mcalc.frontend.parse import parse

CORPUS = Path(__file__).parents[1] / "corpus" / "derivatives"

COMMON = """
A, B, C: n x n; X, Y: n x m; Z: m x k; W: k x n; x, y, z: n; u, v: m; s, t: scalar; p, q: n positive;
r: scalar positive; a, b: scalar; S: n x n symmetric; P: n x n spd; N: n x n skew; D: n x n diagonal;
L: n x n lower invertible; U: n x n upper; Q: n x n orthogonal
""".replace("\n", " ")


@cache
def e(text: str, where: str = COMMON, shape: Shape | None = None, differentials: bool = False) -> Expr:
    """The expression of a text."""
    return parse(text, where=where, shape=shape, differentials=differentials).expression


def pair(left: str, right: str, where: str = COMMON) -> tuple[Expr, Expr]:
    """Two sides of an equation; the left side settles the shape."""
    first = e(left, where, None, True)
    return first, e(right, where, first.shape, True)


def corpus(name: str, kind: str) -> list[dict[str, Any]]:
    """The records of one kind in a file of the corpus."""
    records = json.loads((CORPUS / f"{name}.json").read_text())
    return [record for record in records if record["kind"] == kind]
