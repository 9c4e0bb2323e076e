"""The prover: what is true is proved, what is false is refuted."""

from __future__ import annotations

import pytest

from mcalc.verify.exact import Prover
from tests.verify.identities import FALSE, TRUE
from tests.verify.reading import pair


@pytest.mark.parametrize(("left", "right"), TRUE)
def test_true_identities_are_proved(left: str, right: str) -> None:
    a, b = pair(left, right)
    verdict = Prover(a, b).prove(a, b)
    assert verdict.status == "proved", verdict


@pytest.mark.parametrize(("left", "right"), FALSE)
def test_false_identities_are_refuted(left: str, right: str) -> None:
    a, b = pair(left, right)
    for seed in range(3):
        verdict = Prover(a, b, seed=seed).prove(a, b)
        assert verdict.status == "refuted", verdict
