"""Models of statistics and learning that nothing was developed on: the whole examination, at several sizes."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.models.applied import APPLIED
from tests.models.harness import examine

KINKED = frozenset(["transformer block"])
"""With relu: central differences say nothing at a kink."""


@pytest.mark.parametrize("sizes", [{}, {"n": 6, "d": 2, "m": 3, "k": 4, "T": 2}], ids=["usual", "other"])
@pytest.mark.parametrize("name", APPLIED)
def test_applied(name: str, sizes: Mapping[str, int]) -> None:
    examine(APPLIED[name], sizes, seed=1, scale=0.7, smooth=name not in KINKED)
