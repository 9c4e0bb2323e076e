"""The modules of the shipped models against three oracles: the interpreter, JAX, central differences; and PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

from mcalc.model.interpret import interpret_adjoint
from tests.models.harness import (
    SHIPPED,
    SIZES,
    Subject,
    Values,
    close,
    differences,
    draw,
    outputs,
    predicted,
    subject,
)

ONES = dict.fromkeys(SIZES, 1)
CASES = {
    "distinct": {},
    "ones": ONES,
    "one observation": {"n": 1},
    "one column": {"d": 1, "m": 1, "k": 1, "d[0]": 1, "d[2]": 1},
    "equal": {**dict.fromkeys(SIZES, 3)},
    "two steps": {"T": 2, "n": 2},
    "seven steps": {"T": 7, "k": 1},
    "wide": {"n": 2, "d": 9, "m": 8, "k": 7, "T": 1, "d[0]": 9, "d[1]": 8},
}


def compare(found: Subject, values: Values, loss: float, gradients: dict[str, object], tolerance: float) -> None:
    got, got_gradients = found.module.value_and_grad(**values)
    assert abs(got - loss) <= tolerance * max(abs(loss), 1e-3)
    for name, gradient in zip(found.parameters, got_gradients, strict=True):
        close(gradient, gradients[name], tolerance, name)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", SHIPPED)
def test_interpreter(name: str, case: str) -> None:
    found = subject(name)
    values = draw(found, seed=1, sizes=CASES[case])
    loss, wanted = interpret_adjoint(found.adjoint, found.declared(values))
    by_python = {p: wanted[a.name] for p, a in zip(found.parameters, found.model.parameters, strict=True)}
    compare(found, values, loss, by_python, 1e-10)
    if found.outputs:
        for output, got, want in zip(found.outputs, predicted(found, values), outputs(found, values), strict=True):
            close(got, want, what=output)


FEW = ("wide", "two steps", "seven steps"), ("distinct",)
"""For models with sequences, and for those without: each case is compiled anew."""


@pytest.mark.parametrize("name, case", [(n, c) for n in SHIPPED for c in FEW[not subject(n).model.sequences]])
def test_jax(name: str, case: str) -> None:
    pytest.importorskip("jax")
    from tests.models import losses

    found = subject(name)
    values = draw(found, seed=2, sizes=CASES[case])
    loss, gradients = losses.value_and_grad(name, values, found.parameters)
    for argument, parameter in zip(found.model.parameters, found.parameters, strict=True):
        if argument.symbols[0].attrs[1] & {"spd", "symmetric"}:
            full = np.asarray(gradients[parameter])
            gradients[parameter] = (full + full.T) / 2
    compare(found, values, loss, gradients, 1e-10)


@pytest.mark.parametrize("name", SHIPPED)
def test_central_differences(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = subject(name)
    for seed in range(3):
        assert found.module.check_gradients(seed) < 1e-5
    assert "the gradients agree" in capsys.readouterr().out
    values = draw(found, seed=3)
    differences(found, values, found.module.value_and_grad(**values)[1])


def test_every_shipped_model_has_a_loss_in_jax() -> None:
    pytest.importorskip("jax")
    from tests.models.losses import LOSSES

    assert set(LOSSES) == set(SHIPPED)


@pytest.mark.parametrize("sizes", [(64, 20, 30, 5), (1, 1, 1, 1), (7, 2, 50, 3)])
def test_mlp_against_pytorch(sizes: tuple[int, int, int, int]) -> None:
    """The comparison of an article: the same weights and data, the gradients of W1, b1, W2, b2."""
    torch = pytest.importorskip("torch")
    found = subject("mlp")
    n, d, m, k = sizes
    values = draw(found, seed=4, sizes={"n": n, "d": d, "m": m, "k": k})
    tensors = {name: torch.tensor(value, dtype=torch.float64, requires_grad=True) for name, value in values.items()}
    hidden = torch.relu(tensors["X"] @ tensors["W1"] + tensors["b1"])
    loss = ((tensors["y"] - hidden @ tensors["W2"] - tensors["b2"]) ** 2).sum()
    loss.backward()
    compare(found, values, loss.item(), {name: tensors[name].grad.numpy() for name in found.parameters}, 1e-10)


def test_lstm_against_pytorch() -> None:
    """PyTorch's own LSTM, its weights put together from the gates (i, f, g, o)."""
    torch = pytest.importorskip("torch")
    found = subject("lstm")
    values = draw(found, seed=5, sizes={"T": 6, "n": 3, "d": 2, "m": 4, "k": 2})
    network = torch.nn.LSTM(2, 4).double()
    gates = "ifgo"
    with torch.no_grad():
        network.weight_ih_l0.copy_(torch.tensor(np.hstack([values[f"W{g}"] for g in gates]).T))
        network.weight_hh_l0.copy_(torch.tensor(np.hstack([values[f"U{g}"] for g in gates]).T))
        network.bias_ih_l0.copy_(torch.tensor(np.hstack([values[f"b{g}"] for g in gates])[0]))
        network.bias_hh_l0.zero_()
    v = torch.tensor(values["V"], requires_grad=True)
    _, (h, _) = network(torch.tensor(values["x"]))
    loss = ((torch.tensor(values["y"]) - h[0] @ v) ** 2).sum() / 3
    loss.backward()
    wanted: dict[str, object] = {"V": v.grad.numpy()}
    for place, g in enumerate(gates):
        rows = slice(4 * place, 4 * place + 4)
        wanted[f"W{g}"] = network.weight_ih_l0.grad.numpy()[rows].T
        wanted[f"U{g}"] = network.weight_hh_l0.grad.numpy()[rows].T
        wanted[f"b{g}"] = network.bias_ih_l0.grad.numpy()[None, rows]
    compare(found, values, loss.item(), wanted, 1e-10)
