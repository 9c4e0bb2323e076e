"""Gradients of models: the adjoint program against central differences, and against JAX."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mcalc.errors import UsageError
from mcalc.frontend.model import read_model
from mcalc.model.interpret import interpret, interpret_adjoint, predict
from mcalc.model.ir import Loop, Model
from mcalc.model.prepare import prepare
from mcalc.model.reverse import reverse
from tests.model import built
from tests.model.hard import HARD, text
from tests.model.measure import differences, projected, random_values
from tests.work import calls

SHIPPED = sorted((Path(__file__).parents[2] / "mcalc" / "models").glob("*.mc"))
SIZES = {"n": 2, "d": 3, "k": 2, "m": 4}


def sizes_of(model: Model, T: int) -> dict[str, int]:
    """Small sizes for all dimensions, most of them different."""
    names: dict[str, int] = {}
    for a in model.arguments:
        for shape in [s.shape for s in a.symbols] or [model.sequences[a.name].shape]:
            for size in shape:
                for name in size.names():
                    names.setdefault(name, SIZES.get(name, 2 + len(names) % 3))
    return {**names, "T": T}


def models() -> list:
    found = [pytest.param(path.read_text(encoding="utf-8"), id=path.stem) for path in SHIPPED]
    return found + [pytest.param(text(name), id=name) for name in HARD]


def parts(gradient, argument) -> list:
    """The matrices of a gradient, whatever its form."""
    return list(gradient) if argument.ragged or not argument.symbols else [gradient]


@pytest.mark.parametrize("source", models())
@pytest.mark.parametrize("T", [1, 2, 5])
def test_against_differences(source: str, T: int) -> None:
    model = read_model(source)
    sizes = sizes_of(model, T)
    values = random_values(model, sizes)
    for ready in (model, prepare(model)):
        loss, gradients = interpret_adjoint(reverse(ready), values, sizes)
        assert loss == pytest.approx(float(interpret(model, values, sizes)[model.loss.name]), rel=1e-12)
        for argument in model.parameters:
            measured = differences(model, values, argument.name, sizes)
            for g, expected in zip(parts(gradients[argument.name], argument), parts(measured, argument), strict=True):
                assert np.shape(g) == np.shape(expected)
                np.testing.assert_allclose(g, expected, rtol=1e-5, atol=1e-6 * max(1, np.abs(expected).max()))


@pytest.mark.parametrize("source", models())
@pytest.mark.parametrize("T", [1, 4])
def test_against_jax(source: str, T: int) -> None:
    pytest.importorskip("jax")
    from tests.model.jax_oracle import jax_gradients

    model = read_model(source)
    sizes = sizes_of(model, T)
    values = random_values(model, sizes, seed=1)
    expected = jax_gradients(model, values, sizes)
    _, found = interpret_adjoint(reverse(prepare(model)), values, sizes)
    for argument in model.parameters:
        for k, g in enumerate(parts(found[argument.name], argument)):
            e = np.asarray(expected[argument.name][k])
            if argument.symbols:
                e = projected(e, argument.symbols[k].attrs[1])
            np.testing.assert_allclose(np.reshape(g, e.shape), e, rtol=1e-9, atol=1e-10 * max(1, np.abs(e).max()))


@pytest.mark.parametrize("source", models())
def test_what_is_prepared_means_the_same(source: str) -> None:
    model = read_model(source)
    sizes = sizes_of(model, 3)
    values = random_values(model, sizes, seed=2)
    before, after = interpret(model, values, sizes), interpret(prepare(model), values, sizes)
    shared = (before.keys() & after.keys()) - {a.name for a in model.arguments if a.ragged}
    for name in shared - set(model.ragged):
        np.testing.assert_allclose(before[name], after[name], rtol=1e-9, atol=1e-12)
    for name, output in predict(model, values, sizes).items():
        other = predict(prepare(model), values, sizes)[name]
        np.testing.assert_allclose(np.concatenate([np.ravel(o) for o in output]) if isinstance(output, list) else output,
                                   np.concatenate([np.ravel(o) for o in other]) if isinstance(other, list) else other,
                                   rtol=1e-9, atol=1e-12)  # fmt: skip


def lines(statements) -> list[str]:
    found = []
    for s in statements:
        found += [f"{d.target} = {d.value}" for d in s.body] if isinstance(s, Loop) else [f"{s.target} = {s.value}"]
    return found


def test_rnn_is_the_textbooks() -> None:
    adjoint = reverse(prepare(built.rnn()))
    assert lines(adjoint.forward.statements)[1:3] == ["z[t] = x[t] U + h[t-1] W", "h[t] = relu(z[t])"]
    assert lines(adjoint.statements) == [
        "z_bar[T+1] = zeros(n,m)",
        "p_bar[t] = 2 (p[t] - y[t])",
        "h_bar[t] = p_bar[t] V^T + z_bar[t+1] W^T",
        "z_bar[t] = h_bar[t] .* (z[t] > 0)",
        "U_bar = x[t]^T z_bar[t]",
        "W_bar = h[t-1]^T z_bar[t]",
        "V_bar = h[t]^T p_bar[t]",
    ]
    assert str(adjoint.sequences["z_bar"].last) == "T+1"
    assert {str(k): str(v) for k, v in adjoint.cotangents.items()} == {
        "p[t]": "p_bar[t]",
        "h[t]": "h_bar[t]",
        "z[t]": "z_bar[t]",
    }


def test_gates_are_told_apart() -> None:
    names = [line.split(" = ")[0] for line in lines(prepare(built.lstm()).statements)]
    assert names == ["h[0]", "c[0]", "zi[t]", "i[t]", "zf[t]", "f[t]", "zo[t]", "o[t]", "zg[t]", "g[t]", "c[t]", "a[t]", "h[t]", "P", "loss"]  # fmt: skip


def test_stable_form_across_definitions() -> None:
    adjoint = reverse(prepare(built.classifier()))
    assert "logsumexp" in lines(adjoint.forward.statements)[-1]
    assert lines(adjoint.statements)[0] == "Z_bar = (diag(sum(Y, axis=1)) P - Y) / n"


def test_only_what_is_wanted() -> None:
    adjoint = reverse(prepare(built.mlp()), wrt=["W2"])
    assert lines(adjoint.statements) == ["P_bar = 2 (P - y)", "W2_bar = H^T P_bar"]
    with pytest.raises(UsageError, match="no argument"):
        reverse(prepare(built.mlp()), wrt=["W3"])


def test_nothing_depends_on_it() -> None:
    _, gradients = interpret_adjoint(reverse(prepare(read_model(text("not all")))), *values_of("not all"))
    assert not np.any(gradients["A"]) and gradients["A"].shape == (4, 4) and gradients["c"] == 0


def values_of(name: str) -> tuple:
    model = read_model(text(name))
    sizes = sizes_of(model, 3)
    return random_values(model, sizes), sizes


@pytest.mark.parametrize("alike", [True, False])
def test_cost_is_linear(alike: bool) -> None:
    half, whole = built.deep_mlp(125, alike), built.deep_mlp(250, alike)
    assert calls(lambda: reverse(prepare(whole))) < 2.2 * calls(lambda: reverse(prepare(half)))
    assert len(reverse(prepare(whole)).statements) < 250 * 5


def test_two_steps_back() -> None:
    m = built.Building("second_order")
    m.input("x", "n", "m", over="1..T")
    m.param("A", "m", "m")
    m.param("B", "m", "m")
    m.param("h0", "n", "m")
    m.sequence("h", "n", "m", over="-1..T")
    m.define(("h", "-1"), built.mul(m["h0"], m["A"]))
    m.define(("h", 0), m["h0"])
    inside = built.add(
        m["x", "t"],
        built.mul(m["h", "t-1"], m["A"]),
        built.had(m["h", "t-2"], m["h", "t-1"]),
        built.mul(m["h", "t-2"], m["B"]),
    )
    m.loop("1..T", [(("h", "t"), built.fn("tanh", inside))])
    m.total("s", "1..T", built.square(m["h", "t"]))
    m.define("loss", built.add(m["s"], built.square(m["h", "T"])))
    model = m.model()
    for T in (1, 2, 5):
        values = random_values(model, {**SIZES, "T": T})
        for ready in (model, prepare(model)):
            _, gradients = interpret_adjoint(reverse(ready), values, {**SIZES, "T": T})
            for name in ("A", "B", "h0"):
                np.testing.assert_allclose(
                    gradients[name], differences(model, values, name, {**SIZES, "T": T}), rtol=1e-5, atol=1e-6
                )
