"""The examples run, learn more than the toy autograd in as many epochs, and agree with scikit-learn."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    return importlib.import_module


@pytest.mark.parametrize("name, epochs, needed", [("sine_surface", 60, 3), ("sequence_regression", 25, 2)])
def test_training(name: str, epochs: int, needed: float, example: Any, tmp_path: Path) -> None:
    picture = tmp_path / "curves.png"
    toy, same, *better = example(name).main(epochs, picture).values()
    # the gradients are the toy's up to rounding
    np.testing.assert_allclose(same[:5], toy[:5], rtol=1e-6)
    assert all(curve[-1] < toy[-1] / needed for curve in better)
    assert all(len(curve) == epochs for curve in (toy, same, *better))
    assert picture.stat().st_size > 5_000


@pytest.mark.parametrize("name", ["sine_surface", "sequence_regression"])
def test_pictures_are_small(name: str) -> None:
    assert (ROOT / "examples" / f"{name}.png").stat().st_size < 60_000


def test_toy_gradients(example: Any) -> None:
    import mcalc

    toy, rng = example("toy_autograd"), np.random.default_rng(0)
    mlp, rnn = mcalc.generate("mlp").module, mcalc.generate("rnn").module
    X, y, start = rng.standard_normal((7, 2)), rng.standard_normal((7, 3)), mlp.init(0, d=2, m=4, k=3)
    x, z, cells = rng.standard_normal((5, 7, 2)), rng.standard_normal((5, 7, 3)), rnn.init(0, d=2, m=4, k=3)
    h0 = np.zeros((7, 4))
    for ours, theirs in [
        (mlp.value_and_grad(X, y, *start), toy.mlp(X, y, *start)),
        (rnn.value_and_grad(x, z, h0, *cells), toy.rnn(x, z, h0, *cells)),
    ]:
        assert ours[0] == pytest.approx(theirs[0])
        for a, b in zip(ours[1], theirs[1], strict=True):
            np.testing.assert_allclose(a, b, atol=1e-12)


def test_logistic_regression(example: Any) -> None:
    assert example("logistic_regression").main() < 1e-3


def test_gaussian_process(example: Any) -> None:
    found, theirs = example("gaussian_process").main(80)
    np.testing.assert_allclose(found, theirs, rtol=1e-3)
