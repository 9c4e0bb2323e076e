"""Hundreds of equations, true by construction or changed by a slip: no verdict is wrong."""

from __future__ import annotations

import random

import pytest

from mcalc.verify.equality import counterexample
from mcalc.verify.exact import Prover
from tests.verify.identities import TRUE
from tests.verify.mutation import mutant, true_variation, truth
from tests.verify.reading import pair

ROUNDS = range(8)
EACH = 50


@pytest.mark.parametrize("round_", ROUNDS)
def test_true_variations_are_proved(round_: int) -> None:
    rng = random.Random(round_)
    for _ in range(EACH):
        left, right = true_variation(pair(*rng.choice(TRUE)), rng)
        verdict = Prover(left, right, seed=round_).prove(left, right)
        assert verdict.proved, (str(left), str(right), verdict)


@pytest.mark.parametrize("round_", ROUNDS)
def test_slips_are_found(round_: int) -> None:
    rng = random.Random(1000 + round_)
    undecided = total = 0
    while total < EACH:
        base = pair(*rng.choice(TRUE))
        changed = mutant(base if rng.random() < 0.5 else true_variation(base, rng), rng)
        if changed is None:
            continue
        left, right = changed
        holds = truth(left, right, total)
        verdict = Prover(left, right, seed=round_).prove(left, right)
        message = (str(left), str(right), verdict)
        if holds is None:
            assert verdict.status == "undecided", message
            continue
        total += 1
        undecided += verdict.status == "undecided"
        if holds:
            # the points of the referee may all lie on one branch: a counterexample overrules them
            assert verdict.status != "refuted" or counterexample(left, right) is not None, message
        else:
            assert verdict.status != "proved", message
    assert undecided <= 1
