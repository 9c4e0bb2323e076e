"""Models that are hard to generate, at several sizes: all ones, sequences of one element, distinct sizes."""

from __future__ import annotations

import pytest

from tests.models.harness import SIZES, examine
from tests.models.tricky import SHORTER, all_tricky

ONES = dict.fromkeys(SIZES, 1)


@pytest.mark.parametrize("title", all_tricky())
def test_tricky(title: str) -> None:
    text = all_tricky()[title]
    for sizes in ({"S": 2, "T": 4}, {**ONES, "T": 2}, {"T": 1, "n": 2})[: 3 if "1..T" in text else 2]:
        examine(text, sizes)


@pytest.mark.parametrize("title", SHORTER)
def test_shorter_loops(title: str) -> None:
    text = f"model shorter\n{SHORTER[title]}\n"
    for T in (2, 3, 5):
        examine(text, {"T": T})
