"""Every operator of the language in a model: in a definition, in the body of a loop, on the way from step to step."""

from __future__ import annotations

import re

import pytest

from mcalc.algebra import operators as o
from mcalc.algebra.expr import Expr, postorder
from mcalc.algebra.functions import FUNCTIONS
from mcalc.algebra.shape import dim
from mcalc.frontend.model import read_model
from mcalc.model.ir import Loop
from tests.models.harness import examine

DOMAINS = {"real": "1.5 * {}", "positive": "(1.5 + {})", "above -1": "{}", "inside": "0.9 * {}"}
"""An argument of the domain, from one with entries inside (-1, 1)."""

# Z is n x n, z and v are columns, r is a row, s a positive scalar; the entries of Z, z, r are inside (-1, 1).
EXAMPLES: dict[str, list[str]] = {
    "sym": ["Z", "z", "s"],
    "num": ["2 Z", "3", "Z / 7"],
    "pi": ["pi * Z", "sqrt(2 pi) z"],
    "dim": ["Z / n", "n s", "1 / n + z"],
    "eye": ["I(n)", "Z + s I", "Z .* I", "I(n) z"],
    "ones": ["1_n r", "Z 1_n", "ones(n, n) Z", "ones(n)"],
    "zeros": ["zeros(n, n)", "Z + zeros(n, n)", "zeros(n, n) Z", "[Z, zeros(n)]"],
    "unit": ["e(2, n)", "Z e(1, n)", "e(2, n)^T Z", "e(1, n) r"],
    "K": ["K(n, n) vec(Z)", "vec(Z)^T K(n, n)", "K(n, n)"],
    "dup": ["dup(n)^T vec(Z)", "vec(Z)^T dup(n)", "dup(n)"],
    "elim": ["elim(n) vec(Z)", "elim(n)^T elim(n) vec(Z)", "elim(n)"],
    "add": ["Z + Z^T", "z + s", "exp(Z) + s", "Z + 1_n r + z ones(1, n)"],
    "neg": ["-Z", "-z", "-s"],
    "mul": ["Z Z", "Z z", "r Z", "z r", "r z", "s Z", "z^T Z z", "Z diag(z)", "diag(z) Z"],
    "div": ["Z / s", "s / (1 + s)", "Z / norm(Z)", "z / sum(exp(z))"],
    "had": ["Z .* Z^T", "z .* v", "Z .* (z ones(1, n))", "r .* r"],
    "hdiv": ["Z ./ (2 + Z^T)", "1 ./ (2 + z)", "s ./ (2 + Z)", "(Z) ./ ((2 + z) ones(1, n))"],
    "pow": ["(Z + 3 I)^-1", "Z^2", "Z^3", "(Z + 3 I)^-2", "s^3", "s^(1/2)", "s^-1", "(Z + 3 I)^-1 z", "norm(z)^2", "norm(Z)^3"],
    "power": ["s^c", "2^s"],
    "hpow": ["Z.^2", "Z.^3", "(2 + Z).^-1", "(2 + z).^(1/2)", "(2 + Z).^(-3/2)", "z.^4"],
    "hpower": ["(2 + Z).^s", "(2 + z).^c"],
    "T": ["Z^T", "z^T", "(Z Z)^T", "r^T"],
    "kron": ["kron(Z, z)", "kron(Z, Z)", "kron(z, v)", "kron(r, r)", "kron(z, r)", "kron(s, Z)"],
    "eq": ["(Z == max(Z)) .* Z", "(z == max(z))"],
    "ge": ["(Z >= Z^T) .* Z", "(Z >= 0) .* Z"],
    "gt": ["(Z > 0) .* Z", "(z > v) .* z", "(s > c) Z"],
    "le": ["(Z <= 0) .* Z", "(1_n r <= Z) .* Z"],
    "lt": ["(Z < 0) .* Z", "(z < 0)^T Z"],
    "max": ["max(Z, Z^T)", "max(Z, 0)", "max(z, v)", "max(s, c)", "max(1, s z)"],
    "min": ["min(Z, Z^T)", "min(Z, 0)", "min(z, v)", "min(s, c)", "min(1, s z)"],
    "tr": ["tr(Z)", "tr(Z Z)", "tr(Z Z^T)", "tr((Z + 3 I)^-1)", "tr(Z Z Z)"],
    "det": ["det(Z)", "det(Z + 3 I)", "det(Z^T Z + I)"],
    "logdet": ["logdet(Z + 3 I)", "logdet(Z^T Z + I)", "logdet(s I + Z Z^T)"],
    "norm": ["norm(Z)", "norm(z)", "norm(r)", "norm(s Z)"],
    "norm1": ["norm1(Z)", "norm1(z)"],
    "maxall": ["max(Z)", "max(z)", "max(Z Z)"],
    "minall": ["min(Z)", "min(z)"],
    "sum": ["sum(Z)", "sum(Z, axis=0)", "sum(Z, axis=1)", "sum(z)", "sum(Z Z)", "sum(Z .* Z, axis=1)", "sum(Z.^2, axis=0)"],
    "mean": ["mean(Z)", "mean(Z, axis=0)", "mean(Z, axis=1)", "mean(z)", "Z - 1_n mean(Z, axis=0)"],
    "logsumexp": ["logsumexp(Z)", "logsumexp(Z, axis=0)", "logsumexp(Z, axis=1)", "logsumexp(z)", "logsumexp(9 * Z, axis=1)"],
    "softmax": ["softmax(Z)", "softmax(Z, axis=0)", "softmax(z)", "softmax(s Z)", "softmax(r)", "log(softmax(Z))"],
    "adj": ["adj(Z + 3 I)", "adj(Z)"],
    "pinv": ["pinv(Z + 3 I)", "pinv(Z + 3 I) z", "pinv([Z + 3 I, z])"],
    "expm": ["tr(expm(Z))", "tr(expm(Z .* Z))", "expm(s M)", "expm(M / s) z"],
    "vec": ["vec(Z)", "vec(Z)^T vec(Z Z)", "vec(z r)"],
    "tril": ["tril(Z)", "tril(Z Z)"],
    "triu": ["triu(Z)", "triu(Z) z"],
    "diagm": ["diag(z)", "diag(z) + Z", "diag(z) Z diag(z)"],
    "diagv": ["diag(Z)", "diag(Z Z)", "diag((Z + 3 I)^-1)"],
    "block": ["[Z, z]", "[Z; r]", "[Z, z; r, s]", "[Z, Z^T]", "[z; s]", "[Z, Z] [Z; Z]"],
    "index": ["Z[1, 2]", "Z[1, :]", "Z[:, 2]", "z[2, 1]", "Z[:, 1] r", "(Z Z)[2, 1]"],
    **{name: [f"{name}({DOMAINS[row.domain].format(a)})" for a in ("Z", "z", "s / (1 + s)")] for name, row in FUNCTIONS.items()},
}  # fmt: skip

KINKS = {
    "abs",
    "relu",
    "max",
    "min",
    "norm1",
    "maxall",
    "minall",
    "sign",
    *(f for f, row in FUNCTIONS.items() if row.kink),
}
"""At a kink, central differences say nothing."""
CASES = [pytest.param(op, e, id=f"{op}-{e}") for op, examples in EXAMPLES.items() for e in examples]

STRAIGHT = """\
model straight
input X : n x n
input M : n x n
input v : n
param A : n x n
param a : n
param b : 1 x n
param c : scalar
Z = tanh(X A)
z = tanh(X A v + a)
r = tanh(b X)
s = exp(c / 3)
Y = {}
output Y
loss = norm(Y)^2 + sum(Y)
"""
LOOP = """\
model loop
input x[1..T] : n x n
input M : n x n
input v : n
param A : n x n
param a : n
param b : 1 x n
param c : scalar
h[0] = zeros(n, n)
for t in 1..T:
    Z[t] = tanh(x[t] A + h[t-1])
    z[t] = tanh(Z[t] v + a)
    r[t] = tanh(b Z[t])
    s[t] = exp(c / 3 + mean(Z[t]))
    Y[t] = {}
    h[t] = {}
output Y
loss = sum(t in 1..T, norm(Y[t])^2 + sum(Y[t]))
"""
SIZES = {"n": 3, "T": 3}


def straight(example: str) -> str:
    return STRAIGHT.format(example)


def loop(example: str) -> str:
    """The example for every step, its value handed on to the next one: whole where it is n x n, else as a number."""
    body = re.sub(r"\b([Zzrs])\b(?!\()", r"(\1[t])", example)
    return LOOP.format(
        body, "Y[t] / 4" if value(straight(example)).shape == (dim("n"), dim("n")) else "Z[t] tanh(mean(Y[t]))"
    )


def value(text: str) -> Expr:
    """The value of Y."""
    statements = [d for s in read_model(text).statements for d in (s.body if isinstance(s, Loop) else (s,))]
    return next(d.value for d in statements if d.target.name.partition("[")[0] == "Y")


def operators_of(e: Expr) -> set[str]:
    return {node.op for node in postorder(e)}


def test_every_operator_has_an_example_that_holds_it() -> None:
    leaves = {"sym", "num", "pi", "dim", "eye", "ones", "zeros", "unit", "K", "dup", "elim"}
    assert set(EXAMPLES) == (set(o.SHAPES) | leaves) - {"d"}
    for op, examples in EXAMPLES.items():
        for example in examples:
            assert op in operators_of(value(straight(example))), f"{example} has no {op}"


@pytest.mark.parametrize(("op", "example"), CASES)
def test_in_a_definition(op: str, example: str) -> None:
    examine(straight(example), SIZES, smooth=op not in KINKS)


@pytest.mark.parametrize(("op", "example"), CASES)
def test_in_a_loop(op: str, example: str) -> None:
    text = loop(example)
    assert op in operators_of(value(text))
    examine(text, SIZES, smooth=op not in KINKS)
