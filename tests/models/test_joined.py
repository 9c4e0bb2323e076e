"""Sums in the loops that make their terms: how many loops a module has, and of what it keeps all elements."""

from __future__ import annotations

import ast

import pytest

from tests.models.harness import examine, subject

HEAD = "input x[1..T] : n x m\nparam A : m x m\nparam B : n x m\nparam C : m x m\n"
STATE = "P[0] = A\nfor t in 1..T:\n    P[t] = tanh(P[t-1] C + x[t]^T x[t])\n"
MODELS: dict[str, tuple[str, int, int, set[str]]] = {
    "a sum of what the iteration makes": (
        f"{STATE}loss = sum(t in 1..T, tr(P[t] C P[t] A))", 1, 1, {"P", "PtC", "Z_bar"},
    ),
    "over an index of its own": (
        f"{STATE}loss = sum(s in 1..T, tr(P[s] C P[s] A))", 1, 1, {"P", "PtC", "Z_bar"},
    ),
    "of what the iteration before made": (
        f"{STATE}loss = sum(t in 1..T, tr(P[t] C P[t-1] A))", 1, 2, {"P", "P_out_bar", "Z_bar"},
    ),
    "of what is made for it alone": (
        f"{STATE}    S[t] = P[t] C + A\nloss = sum(t in 1..T, logdet(S[t] S[t]^T + eye(m)))", 1, 1,
        {"P", "S", "L_inv", "S_bar", "Z_bar"},
    ),
    "a matrix that every iteration adds": (
        "h[0] = zeros(n, m)\nfor t in 1..T:\n    h[t] = tanh(h[t-1] C + B + x[t])\nloss = norm(h[T])^2 + tr(A)", 1, 1,
        {"h", "z_bar"},
    ),
    "of a part of the steps": (
        f"{STATE}loss = sum(t in 2..T, tr(P[t] C P[t] A))", 2, 2, {"P", "PtC", "P_out_bar", "Z_bar"},
    ),
    "of the last one, too": (f"{STATE}loss = sum(t in 1..T, tr(P[t] C P[T] A))", 2, 2, {"P", "PtC"}),
    "two loops, the second made of the first": (
        f"{STATE}for s in 1..T:\n    q[s] = P[s] C P[s] A\nloss = sum(i in 1..T, sum(tanh(q[i])))", 1, 1,
        {"P", "q", "PtA", "PtC", "q_bar", "Z_bar"},
    ),
    "two loops in opposite directions": (
        f"{STATE}Q[T+1] = A\nfor t in T..1:\n    Q[t] = tanh(Q[t+1] P[t])\nloss = norm(Q[1])^2 + tr(C)", 2, 2,
        {"P", "Q", "ZQ_bar", "ZP_bar"},
    ),
}  # fmt: skip


def loops(name: str, text: str) -> int:
    """How many loops a function of a module has."""
    function = next(f for f in ast.parse(text).body if isinstance(f, ast.FunctionDef) and f.name == name)
    return sum(isinstance(node, ast.For) for node in ast.walk(function))


@pytest.mark.parametrize("name", MODELS)
def test_sums_are_added_up_where_their_terms_are_made(name: str) -> None:
    body, forward, backward, kept = MODELS[name]
    text = f"model joined\n{HEAD}{body}\n"
    examine(text, scale=0.6)
    module, made = subject(text).module, subject(text).made.plain
    ws = module.workspace(T=19, n=2, m=3)
    found = {field for field in ws._fields if getattr(getattr(ws, field), "ndim", 0) == 3}
    assert (loops("_forward", made), loops("_backward", made), found) == (forward, backward, kept)
