"""Random models: the generated module against the interpreter, the interpreted adjoint and central differences.

HYPOTHESIS_EXAMPLES=2000 looks further.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcalc.errors import NotSupported
from mcalc.frontend.model import read_model
from tests.models.harness import examine, subject
from tests.models.random_models import gated, products, recurrent, straight
from tests.models.random_states import states

EXAMPLES = int(os.environ.get("HYPOTHESIS_EXAMPLES", "12"))
SIZES = ({"n": 3, "d": 2, "m": 4, "T": 3}, {"n": 2, "d": 1, "m": 1, "T": 2}, {"n": 1, "d": 3, "m": 2, "T": 1})
everywhere = settings(
    max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


def check(text: str, smooth: bool) -> None:
    read_model(text)
    try:
        for seed, sizes in enumerate(SIZES):
            examine(text, sizes, seed, scale=0.7, smooth=smooth)
    except NotSupported as problem:
        # a dimension that occurs in sums only
        assert "cannot be read off" in problem.message
    finally:
        subject.cache_clear()


@pytest.mark.parametrize("smooth", [True, False])
@pytest.mark.parametrize("make", [straight, recurrent, gated, products, states])
def test_random(make: Callable[[Random, bool], str], smooth: bool) -> None:
    @everywhere
    @given(st.integers(0, 10**9))
    def run(seed: int) -> None:
        check(make(Random(seed), smooth), smooth)

    run()
