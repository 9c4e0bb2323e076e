"""The losses as a user of tensorgrad writes them: tensors with named edges, derived symbolically, compiled to torch.

An edge is named as the side of the declared shape (n x n: `n` and `n_`), a side of 1 has none; `A @ B` contracts the
edges that both have; a sequence is a variable for each step. A loss takes tensorgrad's functions, the variables by
name and the sizes. tensorgrad 0.3.0 needs named tensors, which torch 2.13 no longer has: give its interpreter an older
torch.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable
from typing import Any

from benchmarks.models.sizes import Args, Dims, Workload, arguments

Tensor = Any
Loss = Callable[[Any, dict[str, Tensor], Dims], Tensor]


def cross_entropy(F: Any, Z: Tensor, Y: Tensor, classes: str = "k") -> Tensor:
    return F.mean(F.cross_entropy(Z, Y, classes))


def softplus(F: Any, x: Tensor) -> Tensor:
    return F.log(1 + F.exp(x))


def seed_mlp(F: Any, v: dict[str, Tensor], size: Dims) -> Tensor:
    return F.frobenius2(v["y"] - (F.relu(v["X"] @ v["W1"] + v["b1"]) @ v["W2"] + v["b2"]))


def perceptron(activation: str) -> Loss:
    def loss(F: Any, v: dict[str, Tensor], size: Dims) -> Tensor:
        act = getattr(F, activation)
        H = act(act(v["X"] @ v["W1"] + v["b1"]) @ v["W2"] + v["b2"])
        return cross_entropy(F, H @ v["W3"] + v["b3"], v["Y"])

    return loss


def mlp_deep(F: Any, v: dict[str, Tensor], size: Dims) -> Tensor:
    A, W, b = v["X"], v["W"], v["b"]
    for i in range(len(W) - 1):
        A = F.tanh(A @ W[i] + b[i])
    return cross_entropy(F, A @ W[-1] + b[-1], v["Y"], f"d{len(W)}")


def layernorm_mlp(F: Any, v: dict[str, Tensor], size: Dims) -> Tensor:
    H = v["X"] @ v["W1"] + v["b1"]
    R = H - F.mean(H, "m")
    N = R / F.sqrt(F.mean(R * R, "m") + 1e-5)
    return cross_entropy(F, F.relu(N * v["g"] + v["c"]) @ v["W2"] + v["b2"], v["Y"])


def autoencoder(F: Any, v: dict[str, Tensor], size: Dims) -> Tensor:
    return F.frobenius2(v["X"] - (F.tanh(v["X"] @ v["W1"] + v["b1"]) @ v["W2"] + v["b2"])) / size["n"]


def attention(F: Any, v: dict[str, Tensor], size: Dims) -> Tensor:
    keys, values = (v["X"] @ v["Wk"]).rename(n="key"), (v["X"] @ v["Wv"]).rename(n="key")
    A = F.softmax((v["X"] @ v["Wq"]) @ keys / size["k"] ** 0.5, "key")
    return F.frobenius2(v["Y"] - A @ values) / size["n"]


def recurrent(activation: str) -> Loss:
    def loss(F: Any, v: dict[str, Tensor], size: Dims) -> Tensor:
        act, h, total = getattr(F, activation), v["h0"], 0
        for x, y in zip(v["x"], v["y"], strict=True):
            h = act(x @ v["U"] + (h @ v["W"]).rename(m_="m"))
            total = total + F.frobenius2(y - h @ v["V"])
        return total

    return loss


def gate(v: dict[str, Tensor], name: str, x: Tensor, h: Tensor | None) -> Tensor:
    """x W + h U + b by the weights of that name; the state before the first step is zero."""
    fed = x @ v[f"W{name}"] + v[f"b{name}"]
    return fed if h is None else fed + (h @ v[f"U{name}"]).rename(m_="m")


def lstm(F: Any, v: dict[str, Tensor], size: Dims) -> Tensor:
    h = c = None
    for x in v["x"]:
        i, f, o = (F.sigmoid(gate(v, name, x, h)) for name in "ifo")
        new = i * F.tanh(gate(v, "g", x, h))
        c = new if c is None else f * c + new
        h = o * F.tanh(c)
    return F.frobenius2(v["y"] - h @ v["V"]) / size["n"]


def gru(F: Any, v: dict[str, Tensor], size: Dims) -> Tensor:
    h = None
    for x in v["x"]:
        z, r = (F.sigmoid(gate(v, name, x, h)) for name in "zr")
        new = z * F.tanh(gate(v, "g", x, None if h is None else r * h))
        h = new if h is None else (1 - z) * h + new
    return F.frobenius2(v["y"] - h @ v["V"]) / size["n"]


def least_squares(F: Any, v: dict[str, Tensor], size: Dims) -> Tensor:
    return F.frobenius2(v["y"] - v["X"] @ v["W"])


def ridge(F: Any, v: dict[str, Tensor], size: Dims) -> Tensor:
    return least_squares(F, v, size) / size["n"] + v["alpha"] * F.frobenius2(v["W"])


def logreg(F: Any, v: dict[str, Tensor], size: Dims) -> Tensor:
    return F.sum(softplus(F, -(v["y"] * (v["X"] @ v["w"]))))


def softmax_regression(F: Any, v: dict[str, Tensor], size: Dims) -> Tensor:
    return cross_entropy(F, v["X"] @ v["W"] + v["b"], v["Y"])


def gp_nll(F: Any, v: dict[str, Tensor], size: Dims) -> Tensor:
    return (v["y"] @ F.inverse(v["K"]) @ v["y"].rename(n="n_") + F.log(F.det(v["K"]))) / 2


def distances(F: Any, v: dict[str, Tensor]) -> Tensor:
    """c^T S^-1 c for the rows c of X - mu."""
    C = v["X"] - v["mu"]
    return F.sum((C @ F.inverse(v["S"])).rename(d_="d") * C, "d")


def gaussian_nll(F: Any, v: dict[str, Tensor], size: Dims) -> Tensor:
    return (F.log(F.det(v["S"])) + F.mean(distances(F, v))) / 2


def student_nll(F: Any, v: dict[str, Tensor], size: Dims) -> Tensor:
    return F.log(F.det(v["S"])) / 2 + (4 + size["d"]) / 2 * F.mean(F.log(1 + distances(F, v) / 4))


def matfac(F: Any, v: dict[str, Tensor], size: Dims) -> Tensor:
    return F.frobenius2(v["X"] - v["U"] @ v["V"])


def quad_thin(F: Any, v: dict[str, Tensor], size: Dims) -> Tensor:
    B, X = v["B"].rename(n="n_", n_="n__"), v["X"]
    return X @ v["A"] @ B @ X.rename(n="n__")


def quad_wide(F: Any, v: dict[str, Tensor], size: Dims) -> Tensor:
    return v["X"] @ v["A"] @ v["X"].rename(k="k_", n="n_") @ v["B"].rename(n="n_", n_="n")


def chain10(F: Any, v: dict[str, Tensor], size: Dims) -> Tensor:
    P = v["A1"]
    for i in range(2, 11):
        P = P @ v[f"A{i}"]
    return F.frobenius2(P)


def metric(F: Any, v: dict[str, Tensor], size: Dims) -> Tensor:
    q = F.dot(v["D"] @ v["M"], v["D"].rename(d="d_"), "d_")
    return F.mean(softplus(F, v["s"] * (q - 1)))


LOSSES: dict[str, Loss] = {
    "seed_mlp": seed_mlp, "mlp_deep": mlp_deep, "mlp_tanh": perceptron("tanh"), "mlp_relu": perceptron("relu"),
    "layernorm_mlp": layernorm_mlp, "autoencoder": autoencoder, "attention": attention,
    "least_squares": least_squares, "ridge": ridge, "logreg": logreg, "softmax_regression": softmax_regression,
    "gp_nll": gp_nll, "matfac": matfac, "quad_thin": quad_thin, "quad_wide": quad_wide, "chain10": chain10,
    "metric": metric, "rnn_relu": recurrent("relu"), "rnn_tanh": recurrent("tanh"), "lstm": lstm, "gru": gru,
    "gaussian_nll": gaussian_nll, "student_nll": student_nll,
}  # fmt: skip
SIMPLIFIED = ("gaussian_nll", "student_nll")
"""Their gradients are simplified first: left as they are, what comes of the inverse is lost where d^4 is large."""


def build(w: Workload, dims: Dims, args: Args, compiled: bool = False) -> Callable[[], Any]:
    """The function without arguments that is timed; `compiled`: torch.compile of what tensorgrad writes."""
    tg, torch = importlib.import_module("tensorgrad"), importlib.import_module("torch")
    compiler = importlib.import_module("tensorgrad.compiler")
    F = importlib.import_module("tensorgrad.functions")
    symbol = importlib.import_module("sympy").Symbol
    sys.setrecursionlimit(20000)  # tensorgrad walks its expressions recursively: 50 layers need more than 1000
    data: dict[Any, Any] = {}

    def variable(name: str, sides: tuple[str, ...], value: Any, at: int = 0) -> Tensor:
        edges: dict[str, Any] = {}
        for side in sides:
            ragged = re.fullmatch(r"(\w+)\[(\w+)(-1)?\]", side)
            if ragged is not None:
                base, index, less = ragged.groups()
                place = int(index) if index.isdigit() else dims["L"] if index == "L" else at
                side = f"{base}{place - bool(less)}"
            if side != "1":
                edges[side + "_" * (side in edges)] = symbol(side)
        tensor = tg.Variable(name, **edges)
        array = torch.as_tensor(value, dtype=torch.from_numpy(args[0]).dtype)
        data[tensor] = array.reshape([n for n, side in zip(array.shape, sides, strict=True) if side != "1"])
        return tensor

    variables: dict[str, Any] = {}
    shapes: list[Any] = []
    wrt: list[Any] = []
    for a, value in zip(arguments(w), args, strict=False):
        if a.over:
            found = [variable(f"{a.name}{i}", a.shape, x, i) for i, x in enumerate(value, 1)]
            variables[a.name] = found
        else:
            variables[a.name] = variable(a.name, a.shape, value)
            found = [variables[a.name]]
        if a.is_param and (w.kind == "gradient" or a.name == w.wrt):
            wrt += found
            shapes += [x.shape for x in value] if a.over else [value.shape]
    loss = LOSSES[w.model](F, variables, dims)
    if w.kind != "gradient":
        gradient = loss.grad(wrt[0])  # if not simplified, the product is wrong at d = m = p = 16
        if w.kind == "hvp":
            sides = next(a.shape for a in arguments(w) if a.name == w.wrt)
            gradient = gradient.simplify() @ variable("direction", sides, args[-1])
        second = compiler.compile_to_callable(gradient.grad(wrt[0]), torch_compile=compiled)
        return lambda: (None, (second(data).rename(None),))
    gradients = tg.grad(loss, wrt)
    if w.model in SIMPLIFIED:
        gradients = [gradient.simplify() for gradient in gradients]
    step = compiler.compile_to_callable(loss, *gradients, torch_compile=compiled)
    lists = [a.over for a in arguments(w) if a.is_param]

    def call() -> Any:
        value, *found = step(data)
        grads = [g.rename(None).reshape(shape) for g, shape in zip(found, shapes, strict=True)]
        if lists[0]:  # every parameter is a list of the same length
            size = len(grads) // len(lists)
            return value, tuple(grads[i : i + size] for i in range(0, len(grads), size))
        return value, tuple(grads)

    return call
