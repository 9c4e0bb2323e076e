"""The model language: the shipped models, what is in a model, and what a user reads when it is wrong."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest

from mcalc.algebra import operators as o
from mcalc.algebra.expr import Expr, symbols
from mcalc.algebra.shape import dim, shape_text
from mcalc.errors import McalcError, NotSupported, UsageError
from mcalc.frontend.model import read_model
from mcalc.model import library
from mcalc.model.interpret import interpret, predict
from mcalc.model.ir import Define, Loop, Model, Total, definitions
from tests.frontend.model_texts import WRONG
from tests.work import calls


def shape(model: Model, name: str) -> str:
    """The declared shape of an argument, or the shape of what is defined."""
    if name in model.sequences:
        return shape_text(model.sequences[name].shape)
    known = [*(s for a in model.arguments for s in a.symbols), *(d.target for d in definitions(model.statements))]
    return next(shape_text(s.shape) for s in known if s.name == name)


def written(model: Model) -> list[str]:
    """The statements as text, one a line."""
    lines = []
    for statement in model.statements:
        if isinstance(statement, Loop):
            lines.append(f"for {statement.index} in {statement.first}..{statement.last}, {statement.step}:")
            lines += [f"    {d.target} = {d.value}" for d in statement.body]
        elif isinstance(statement, Total):
            range_ = f"{statement.index} in {statement.first}..{statement.last}"
            lines.append(f"{statement.target} = sum({range_}, {statement.value})")
        else:
            lines.append(f"{statement.target} = {statement.value}")
    return lines


# --- the shipped models: their loss in NumPy --------------------------------------------------------------------------

SIZES = {"n": 5, "d": 3, "m": 4, "k": 2, "T": 3, "d[0]": 3, "d[1]": 4, "d[2]": 2, "d[3]": 5}


def sig(x):  # type: ignore[no-untyped-def]
    return 1 / (1 + np.exp(-x))


def lse(x):  # type: ignore[no-untyped-def]
    return np.log(np.exp(x).sum(1))


def sq(x):  # type: ignore[no-untyped-def]
    return float((x * x).sum())


def scan(step, start, xs):  # type: ignore[no-untyped-def]
    """The states of a recurrence."""
    states = []
    for x in xs:
        start = step(x, start)
        states.append(start)
    return states


def _lstm(v):  # type: ignore[no-untyped-def]
    h = c = np.zeros((5, 4))
    for x in v["x"]:
        i, f, s = (sig(x @ v[f"W{g}"] + h @ v[f"U{g}"] + v[f"b{g}"]) for g in "ifo")
        c = f * c + i * np.tanh(x @ v["Wg"] + h @ v["Ug"] + v["bg"])
        h = s * np.tanh(c)
    return sq(v["y"] - h @ v["V"]) / 5


def _gru(v):  # type: ignore[no-untyped-def]
    h = np.zeros((5, 4))
    for x in v["x"]:
        z, r = (sig(x @ v[f"W{g}"] + h @ v[f"U{g}"] + v[f"b{g}"]) for g in "zr")
        h = (1 - z) * h + z * np.tanh(x @ v["Ws"] + (r * h) @ v["Us"] + v["bs"])
    return sq(v["y"] - h @ v["V"]) / 5


def _birnn(v):  # type: ignore[no-untyped-def]
    zero = np.zeros((5, 4))
    h = scan(lambda x, s: np.tanh(x @ v["U"] + s @ v["W"] + v["b"]), zero, v["x"])
    g = scan(lambda x, s: np.tanh(x @ v["R"] + s @ v["S"] + v["c"]), zero, v["x"][::-1])[::-1]
    return sum(sq(y - np.hstack([a, b]) @ v["V"]) for y, a, b in zip(v["y"], h, g, strict=True)) / 15


def _deep(v):  # type: ignore[no-untyped-def]
    a = v["X"]
    for w, b in zip(v["W"][:-1], v["b"][:-1], strict=True):
        a = np.tanh(a @ w + b)
    z = a @ v["W"][-1] + v["b"][-1]
    return (lse(z).sum() - (v["Y"] * z).sum()) / 5


def _attention(v):  # type: ignore[no-untyped-def]
    s = np.exp(v["X"] @ v["Wq"] @ (v["X"] @ v["Wk"]).T / np.sqrt(2))
    return sq(v["Y"] - s / s.sum(1, keepdims=True) @ v["X"] @ v["Wv"]) / 5


def _layer_norm(v):  # type: ignore[no-untyped-def]
    h = v["X"] @ v["W1"]
    normal = (h - h.mean(1, keepdims=True)) / np.sqrt(h.var(1, keepdims=True) + 1e-5)
    return sq(v["y"] - np.maximum(normal * v["g"] + v["b"], 0) @ v["W2"] - v["c"]) / 5


def _gp(v):  # type: ignore[no-untyped-def]
    kernel = np.exp(v["a"]) * np.exp(-v["D"] / 2 / np.exp(v["l"])) + np.exp(v["c"]) * np.eye(5)
    log_det = np.linalg.slogdet(kernel)[1]
    return v["y"] @ np.linalg.solve(kernel, v["y"]) / 2 + log_det / 2 + 2.5 * np.log(2 * np.pi)


def _rnn(v):  # type: ignore[no-untyped-def]
    h = scan(lambda x, s: np.maximum(x @ v["U"] + s @ v["W"], 0), v["h0"], v["x"])
    return sum(sq(y - s @ v["V"]) for y, s in zip(v["y"], h, strict=True))


def _many_to_one(v):  # type: ignore[no-untyped-def]
    h = scan(lambda x, s: np.tanh(x @ v["U"] + s @ v["W"] + v["b"]), np.zeros((5, 4)), v["x"])
    return sq(v["y"] - h[-1] @ v["V"] - v["c"]) / 5


def _cross_entropy(z, y):  # type: ignore[no-untyped-def]
    return (lse(z).sum() - (y * z).sum()) / 5


def _nll(v):  # type: ignore[no-untyped-def]
    r = v["X"] - v["mu"]
    return 2.5 * np.linalg.slogdet(v["Sigma"])[1] + np.sum(r @ np.linalg.inv(v["Sigma"]) * r) / 2


LOSSES: dict[str, Callable[..., float]] = {
    "mlp": lambda v: sq(v["y"] - np.maximum(v["X"] @ v["W1"] + v["b1"], 0) @ v["W2"] - v["b2"]),
    "mlp_classifier": lambda v: _cross_entropy(np.tanh(v["X"] @ v["W1"] + v["b1"]) @ v["W2"] + v["b2"], v["Y"]),
    "softmax_regression": lambda v: _cross_entropy(v["X"] @ v["W"] + v["b"], v["Y"]),
    "rnn": _rnn,
    "rnn_many_to_one": _many_to_one,
    "birnn": _birnn,
    "lstm": _lstm,
    "gru": _gru,
    "deep_mlp": _deep,
    "attention": _attention,
    "layer_norm_mlp": _layer_norm,
    "linear_regression": lambda v: sq(v["y"] - v["X"] @ v["w"] - v["b"]) / 5,
    "ridge": lambda v: sq(v["y"] - v["X"] @ v["w"]) + v["lambda"] * sq(v["w"]),
    "logistic": lambda v: np.log1p(np.exp(-v["y"] * (v["X"] @ v["w"]))).sum() / 5,
    "poisson": lambda v: (np.exp(v["X"] @ v["w"]).sum() - v["y"] @ v["X"] @ v["w"]) / 5,
    "autoencoder": lambda v: sq(v["X"] - sig(v["X"] @ v["W"] + v["b"]) @ v["W"].T - v["c"]) / 5,
    "matrix_factorization": lambda v: (
        sq(v["X"] - v["U"] @ v["V"].T) + v["lambda"] * (sq(v["U"]) + sq(v["V"]))
    ),
    "gaussian_nll": _nll,
    "gp_marginal_likelihood": _gp,
    "metric_learning": lambda v: (
        np.log1p(np.exp(v["y"] * ((((v["A"] - v["B"]) @ v["L"].T) ** 2).sum(1) - v["b"]))).sum() / 5
    ),
    "scalar_graph": lambda v: (v["y"] + v["x"]) * v["x"],
    "diamond": lambda v: 10 - v["w3"] * v["w1"] * v["a"] - v["w4"] * v["w2"] * v["a"],
}  # fmt: skip


def values(model: Model, seed: int = 0) -> dict[str, object]:
    """Random arguments, as at the interface of a generated module."""
    rng = np.random.default_rng(seed)

    def of_shape(s: tuple[object, object]) -> tuple[object, ...]:
        return () if s == (dim(1), dim(1)) else s[:1] if s[1] is dim(1) else s

    given: dict[str, object] = {}
    for argument in model.arguments:
        if argument.name in model.sequences:
            s = model.sequences[argument.name]
            count = s.last.value(SIZES) - s.first.value(SIZES) + 1
            given[argument.name] = np.array([rng.normal(size=[d.value(SIZES) for d in s.shape]) for _ in range(count)])
        else:
            parts = []
            for symbol in argument.symbols:
                dims = of_shape(symbol.shape)
                array = rng.normal(size=[d.value(SIZES) for d in dims])  # type: ignore[attr-defined]
                if symbol.attrs[1] & {"spd", "symmetric"}:
                    array = array @ array.T + np.eye(len(array))
                parts.append(array if dims else float(array))
            given[argument.name] = parts if argument.ragged else parts[0]
    return given


@pytest.mark.parametrize("name", library.names())
def test_shipped_models(name: str) -> None:
    model = library.load(name)
    assert model.name == name
    assert 1 <= model.comment.count("\n") + 1 <= 3 and model.comment.endswith(".")
    given = values(model)
    assert interpret(model, given)["loss"] == pytest.approx(LOSSES[name](given), rel=1e-10)
    assert set(predict(model, given)) == set(model.outputs)


def test_every_model_has_its_loss_here() -> None:
    assert set(LOSSES) == set(library.names()) == set(library.SHIPPED)


def test_models_by_name_and_by_path(tmp_path: object) -> None:
    path = tmp_path / "net.mc"  # type: ignore[operator]
    path.write_bytes(b"\xef\xbb\xbf" + library.source("deep_mlp").encode())
    assert len(library.load(str(path), {"L": 5}).ragged["W"]) == 5
    for name, message in [("mpl", "did you mean mlp?"), ("qqq", "mcalc models lists"), ("no.mc", "cannot be read")]:
        with pytest.raises(UsageError, match=message.replace("?", r"\?")):
            library.load(name)
    path.write_bytes(b"model \xff")
    with pytest.raises(UsageError, match="no UTF-8"):
        library.load(str(path))
    path.write_text("model m\nloss = x\n")
    with pytest.raises(McalcError, match=r"net\.mc:2:8"):
        library.load(str(path))


# --- what is in a model -----------------------------------------------------------------------------------------------


def test_arguments_and_definitions() -> None:
    model = library.load("mlp")
    assert [(a.name, a.kind, shape(model, a.name), a.ragged) for a in model.arguments] == [
        ("X", "input", "n x d", False), ("y", "input", "n x k", False), ("W1", "param", "d x m", False),
        ("b1", "param", "1 x m", False), ("W2", "param", "m x k", False), ("b2", "param", "1 x k", False),
    ]  # fmt: skip
    assert [a.name for a in model.parameters] == ["W1", "b1", "W2", "b2"]
    assert written(model) == ["H = relu(X W1 + ones(n) b1)", "P = H W2 + ones(n) b2", "loss = tr((y - P)^T (y - P))"]
    assert model.loss is o.symbol("loss") and model.outputs == ("P",)
    assert model.comment == "Multilayer perceptron with one hidden layer, squared error."
    assert [model.text[s.span.start : s.span.end] for s in model.statements if s.span][1] == "P = H W2 + 1_n b2"
    assert [model.text[a.span.start : a.span.end] for a in model.arguments if a.span] == [
        "X", "y", "W1", "b1", "W2", "b2"
    ]  # fmt: skip


def test_sequences() -> None:
    model = library.load("rnn")
    assert {s.name: (str(s.first), str(s.last), shape_text(s.shape)) for s in model.sequences.values()} == {
        "x": ("1", "T", "n x d"), "y": ("1", "T", "n x k"), "h": ("0", "T", "n x m"), "p": ("1", "T", "n x k"),
    }  # fmt: skip
    assert written(model) == [
        "h[0] = h0",
        "for t in 1..T, 1:",
        "    h[t] = relu(x[t] U + h[t-1] W)",
        "    p[t] = h[t] V",
        "loss = sum(t in 1..T, tr((y[t] - p[t])^T (y[t] - p[t])))",
    ]
    assert {e.name: (i.sequence, str(i.index)) for e, i in model.elements.items()} == {
        "h[0]": ("h", "0"), "h[t]": ("h", "t"), "h[t-1]": ("h", "t-1"), "x[t]": ("x", "t"), "y[t]": ("y", "t"),
        "p[t]": ("p", "t"),
    }  # fmt: skip
    assert [a.symbols for a in model.arguments[:2]] == [(), ()]
    assert set(_leaves(model)) <= set(model.elements) | {s for a in model.arguments for s in a.symbols}


def _leaves(model: Model) -> list[Expr]:
    return [s for d in definitions(model.statements) for s in symbols(d.value)]


def test_ragged_names() -> None:
    model = library.load("deep_mlp")
    assert {name: [s.name for s in group] for name, group in model.ragged.items()} == {
        "W": ["W[1]", "W[2]", "W[3]"], "b": ["b[1]", "b[2]", "b[3]"], "A": ["A[0]", "A[1]", "A[2]"],
    }  # fmt: skip
    assert [shape_text(s.shape) for s in model.ragged["W"]] == ["d[0] x d[1]", "d[1] x d[2]", "d[2] x d[3]"]
    assert written(model)[1:4] == [
        "A[1] = tanh(A[0] W[1] + ones(n) b[1])",
        "A[2] = tanh(A[1] W[2] + ones(n) b[2])",
        "Z = A[2] W[3] + ones(n) b[3]",
    ]
    assert not model.elements and not model.sequences and model.sizes == {"L": 3}
    assert [a.ragged for a in model.arguments] == [False, False, True, True]
    shallow = library.load("deep_mlp", {"L": 1})
    assert written(shallow)[:2] == ["A[0] = X", "Z = A[0] W[1] + ones(n) b[1]"]
    empty = read_model("model m\nsize L = 1\nparam w : n\nfor l in 1..L-1: B[l] = w\noutput B\n"
                       "loss = sum(w) + sum(l in 1..L-1, sum(B[l]))\n")  # fmt: skip
    assert empty.ragged == {"B": ()} and written(empty) == ["loss = sum(w) + 0"]
    assert shallow.sizes == {"L": 1} and shape(shallow, "Y") == "n x d[1]"


def test_backwards_loops() -> None:
    model = library.load("birnn")
    g = model.sequences["g"]
    assert (str(g.first), str(g.last)) == ("1", "T+1")
    loop = next(s for s in model.statements if isinstance(s, Loop) and s.step == -1)
    assert (str(loop.first), str(loop.last)) == ("T", "1")
    assert written(model)[-2:] == [
        "loss_sum = sum(t in 1..T, norm(y[t] - p[t])^2)", "loss = loss_sum / (n T)"
    ]  # fmt: skip


HEAD = "model m\nsize L = 3\ninput x[1..T] : n x d\ninput X : n x d\nparam w : d\nparam W[l in 1..L] : d x d\nparam a : scalar\n"
READ = [
    # what stands after HEAD; statements
    ("loss = sum(l in 1..L, sum(W[l].^2))", ["loss = sum(W[1].^2) + sum(W[2].^2) + sum(W[3].^2)"]),
    ("loss = sum(l in 2..L-1, sum(W[l]))", ["loss = sum(W[2])"]),
    ("loss = a + sum(l in 1..L-3, sum(W[l]))", ["loss = a + 0"]),
    ("loss = sum(t in T..1, sum(x[t])) / T", ["loss_sum = sum(t in 1..T, sum(x[t]))", "loss = loss_sum / T"]),
    ("loss = sum(t in 2..T, norm(x[t] - x[t-1]))", ["loss = sum(t in 2..T, norm(x[t] - x[t-1]))"]),
    ("loss = sum(t in 1..T-1, norm(x[t+1] - x[t]))", ["loss = sum(t in 1..T-1, norm(x[t+1] - x[t]))"]),
    ("loss_sum = a\nloss = 1 + sum(t in 1..T, sum(x[t]))",
     ["loss_sum = a", "loss_sum2 = sum(t in 1..T, sum(x[t]))", "loss = 1 + loss_sum2"]),
    ("loss = sum(t in 1..T, sum(l in 1..2, sum(x[t] W[l])))",
     ["loss = sum(t in 1..T, sum(x[t] W[1]) + sum(x[t] W[2]))"]),
    ("loss = sum(l in 1..2, a^l * sum(t in 1..T, sum(x[t] W[l])))",
     ["loss_sum = sum(t in 1..T, sum(x[t] W[1]))", "loss_sum2 = sum(t in 1..T, sum(x[t] W[2]))",
      "loss = a^1 loss_sum + a^2 loss_sum2"]),
    ("for t in 1..T: h[t] = x[t] + sum(s in 1..T, x[s])\nloss = sum(h[T])",
     ["h_sum = sum(s in 1..T, x[s])", "for t in 1..T, 1:", "    h[t] = x[t] + h_sum", "loss = sum(h[T])"]),
    ("h[1] = x[1]\nfor t in 2..T:\n  h[t] = h[t-1] W[2] + x[t]\nloss = sum(h[T])",
     ["h[1] = x[1]", "for t in 2..T, 1:", "    h[t] = h[t-1] W[2] + x[t]", "loss = sum(h[T])"]),
    ("g[T] = x[T]\nfor t in T-1..1: g[t] = g[t+1] + x[t]\nloss = sum(g[1])",
     ["g[T] = x[T]", "for t in T-1..1, -1:", "    g[t] = g[t+1] + x[t]", "loss = sum(g[1])"]),
    ("for t in 1..T:\n    h[t] = tanh(x[t])\nfor s in 1..T:\n    p[s] = 1 - h[s]\nloss = sum(p[T])",
     ["for t in 1..T, 1:", "    h[t] = tanh(x[t])", "for s in 1..T, 1:", "    p[s] = 1 - h[s]", "loss = sum(p[T])"]),
    ("for t in 1..T:\n    h[t] = sum(l in 1..2, x[t] W[l])\nloss = sum(h[1])",
     ["for t in 1..T, 1:", "    h[t] = x[t] W[1] + x[t] W[2]", "loss = sum(h[1])"]),
    ("A[L] = X\nfor l in L..1: A[l-1] = A[l] W[l]\nloss = sum(A[0])",
     ["A[3] = X", "A[2] = A[3] W[3]", "A[1] = A[2] W[2]", "A[0] = A[1] W[1]", "loss = sum(A[0])"]),
    ("loss = sum(l in 1..L, W[l][l,1]) + X[L,2]", ["loss = (W[1][1,1] + W[2][2,1] + W[3][3,1]) + X[3,2]"]),
    ("swish(x) = x * sigmoid(a x)\nH = swish(X)\nloss = sum(H)", ["H = X .* sigmoid(a X)", "loss = sum(H)"]),
    ("square(z) = z^2\nf(z) = square(z) + 1\nloss = f(a)", ["loss = a^2 + 1"]),
    ("H = tanh(X)\nG = 1 - H.^2\nF = H + 1\nloss = sum(F .* G)",
     ["H = tanh(X)", "G = 1 - H.^2", "F = H + 1", "loss = sum(F .* G)"]),
    ("R = (X   # the data\n     - x[1])\nloss = norm(R)^2  # its size", ["R = X - x[1]", "loss = norm(R)^2"]),
    ("r = X w\nloss = |r^T r| + ||x[T]||^2 + x[1][1,2]", ["r = X w", "loss = abs(r^T r) + norm(x[T])^2 + x[1][1,2]"]),
    ("loss = x[T]^T[1,1] + tr(x[1]'x[1])", ["loss = (x[T]^T)[1,1] + tr(x[1]^T x[1])"]),
    ("b = 2 a\nloss = ab", ["b = 2 a", "loss = a b"]),
    ("loss = tr(I(d)) / L + sum(ones(L))", ["loss = tr(I(d)) / 3 + sum(ones(3))"]),
    ("loss = a\nafter = 2 a\noutput after", ["after = 2 a", "loss = a"]),
]  # fmt: skip


@pytest.mark.parametrize("text, statements", READ)
def test_statements(text: str, statements: list[str]) -> None:
    assert written(read_model(f"{HEAD}{text}\n")) == statements


def test_names() -> None:
    model = read_model(
        "model m\ninput hidden : n\nparam λ, λ_1 : scalar positive\nparam Σ : n × n spd\nparam w_{ij} : (n, q_{in})\n"
        "ϕ = Sigma hidden\nψ2 = φ + λ_{1} w_ij ones(q_in)\nloss = psi2^T φ lambda\n"
    )
    assert [a.name for a in model.arguments] == ["hidden", "lambda", "lambda_1", "Sigma", "w_ij"]
    assert written(model) == [
        "phi = Sigma hidden", "psi2 = phi + lambda_1 w_ij ones(q_in)", "loss = psi2^T phi lambda"
    ]  # fmt: skip
    assert model.arguments[3].symbols[0].attrs[1] == {"spd"}
    assert model.arguments[2].symbols[0].attrs[1] == {"positive"}


def test_dimensions_with_an_index() -> None:
    model = read_model(
        "model m\nsize L = 2\nparam W[l in 1..L] : 2*d[l-1]+1 x d[l]\nparam b[l in 0..L] : d[l]\n"
        "loss = sum(l in 1..L, sum(1_{d[l]} + b[l]) / d[l] + tr(I(d[l])) + sum(zeros(d[l-1], 2*d[L])))\n"
    )
    assert [shape_text(s.shape) for s in model.ragged["W"]] == ["2*d[0]+1 x d[1]", "2*d[1]+1 x d[2]"]
    assert "sum(ones(d[2]) + b[2]) / (d[2]) + tr(I(d[2])) + sum(zeros(d[1],2*d[2]))" in written(model)[0]


def test_a_free_dimension_can_be_fixed() -> None:
    text = library.source("rnn").replace("model rnn\n", "model rnn\nsize T = 2\n")
    model = read_model(text)
    assert not model.sequences
    assert [s.name for s in model.ragged["h"]] == ["h[0]", "h[1]", "h[2]"]
    free = library.load("rnn")
    given = values(free)
    unrolled = {k: list(v) if k in ("x", "y") else v for k, v in given.items()}  # type: ignore[call-overload]
    three = read_model(text, sizes={"T": 3})
    assert interpret(three, unrolled)["loss"] == pytest.approx(interpret(free, given)["loss"])


def test_a_parameter_that_the_loss_does_not_need() -> None:
    assert [p.name for p in read_model("model m\nparam w : n\nparam v : n\nloss = sum(w)\n").parameters] == ["w", "v"]


# --- errors -----------------------------------------------------------------------------------------------------------


def test_wrong_models(golden: Callable[[str, str], None]) -> None:
    shown = []
    for what, text in WRONG.items():
        with pytest.raises(McalcError) as caught:
            read_model(text, file="m.mc")
        error = caught.value
        assert error.exit_code in (2, 3), what
        assert error.span is not None and "m.mc:" in str(error), what
        shown.append(f"--- {what}\n{error}\n")
    golden("models/errors.txt", "\n".join(shown))


@pytest.mark.parametrize(
    "sizes, message",
    [({"K": 2}, "no size K"), ({"l": 2}, "did you mean L"), ({"L": 0}, "positive"), ({"L": 10**6}, "unrolls")],
)
def test_wrong_sizes(sizes: dict[str, int], message: str) -> None:
    with pytest.raises(McalcError, match=message):
        library.load("deep_mlp", sizes)


def test_unrolling_has_a_limit() -> None:
    text = "model m\nsize L = 9000\nparam a : scalar\nloss = sum(i in 1..L, sum(j in 1..L, a))\n"
    with pytest.raises(McalcError, match="unroll more than"):
        read_model(text)
    with pytest.raises(NotSupported, match="deep"):
        read_model(
            "model m\nparam a : scalar\nloss = " + "".join(f"sum(i{k} in 1..1, " for k in range(40)) + "a" + ")" * 40
        )


def test_loops_have_a_limit() -> None:
    with pytest.raises(McalcError, match="nested more than"):
        read_model("model m\n" + "for i in 1..1: " * 3000 + "a[i] = 1\nloss = a[1]\n")


# --- properties -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", library.names())
def test_layout_does_not_matter(name: str) -> None:
    plain = library.source(name)
    expected = written(library.load(name))
    assert written(read_model(plain.replace("\n", "\r\n"))) == expected
    assert written(read_model(plain.replace("\n", "   # comment é\n\n"))) == expected
    assert written(read_model(plain.replace("\n    ", "\n  "))) == expected
    assert written(read_model(plain.rstrip("\n"))) == expected


@pytest.mark.parametrize("seed", range(4))
def test_broken_models_are_errors_with_a_place(seed: int) -> None:
    rng = random.Random(seed)
    names = library.names()
    for _ in range(150):
        text = library.source(rng.choice(names))
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(len(text))
            match rng.randrange(4):
                case 0:
                    text = text[:at] + text[at + 1 :]
                case 1:
                    text = text[:at] + rng.choice("()[]:=.,+-*'^_|1tTnxW \n\t{}#;é\\") + text[at:]
                case 2:
                    lines = text.split("\n")
                    del lines[rng.randrange(len(lines))]
                    text = "\n".join(lines) or "\n"
                case _:
                    lines = text.split("\n")
                    i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
                    lines[i], lines[j] = lines[j], lines[i]
                    text = "\n".join(lines)
        try:
            read_model(text)
        except McalcError as error:
            assert error.code != "internal"
            assert error.span is not None and error.message, text
            assert 0 <= error.span.start <= error.span.end <= len(text) + 1, text


def test_reading_is_linear() -> None:
    def spelled_out(layers: int) -> str:
        deep = "".join(f"H{i} = tanh(H{i - 1} W)\n" for i in range(1, layers + 1))
        return f"model m\ninput X : n x d\nparam W : d x d\nH0 = X\n{deep}loss = norm(H{layers})^2\n"

    assert len(library.load("deep_mlp", {"L": 500}).statements) == 502
    for read in (lambda k: library.load("deep_mlp", {"L": k}), lambda k: read_model(spelled_out(k))):
        read(2)  # loads the tables
        assert calls(lambda read=read: read(500)) < 2.2 * calls(lambda read=read: read(250))


def test_one_model_is_one_object() -> None:
    first, second = library.load("lstm"), library.load("lstm")
    assert first == second
    assert all(isinstance(s, Define | Loop | Total) for s in first.statements)
