"""Reverse mode in fifty lines of NumPy, as an article shows it: a node holds its value, its parents and how to go back.

Only for the two models of such articles: a perceptron and a recurrent network with relu and squared error.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.models.sizes import Args, Workload

Array = Any


class Node:
    """A matrix of the graph; `back` takes the gradient of this node to those of its parents."""

    def __init__(self, value: Array, parents: tuple[Node, ...] = (), back: Callable[[Array], Any] | None = None):
        self.value, self.parents, self.back = value, parents, back
        self.grad = np.zeros_like(value)

    def __matmul__(self, other: Node) -> Node:
        return Node(self.value @ other.value, (self, other), lambda g: (g @ other.value.T, self.value.T @ g))

    def __add__(self, other: Node) -> Node:
        def back(g: Array) -> Any:
            narrow = other.value.shape != g.shape
            return g, g.sum(axis=0, keepdims=True) if narrow else g

        return Node(self.value + other.value, (self, other), back)

    def __sub__(self, other: Node) -> Node:
        return Node(self.value - other.value, (self, other), lambda g: (g, -g))

    def relu(self) -> Node:
        return Node(np.maximum(self.value, 0), (self,), lambda g: (g * (self.value > 0),))

    def square_sum(self) -> Node:
        return Node(np.sum(self.value**2), (self,), lambda g: (2 * g * self.value,))

    def backward(self) -> None:
        order: list[Node] = []
        seen: set[int] = set()

        def visit(node: Node) -> None:
            if id(node) not in seen:
                seen.add(id(node))
                for parent in node.parents:
                    visit(parent)
                order.append(node)

        visit(self)
        self.grad = np.ones_like(self.value)
        for node in reversed(order):
            if node.back is not None:
                for parent, g in zip(node.parents, node.back(node.grad), strict=True):
                    parent.grad = parent.grad + g


def mlp(X: Array, y: Array, *params: Array) -> Any:
    W1, b1, W2, b2 = nodes = [Node(p) for p in params]
    loss = (Node(y) - ((Node(X) @ W1 + b1).relu() @ W2 + b2)).square_sum()
    loss.backward()
    return loss.value, tuple(p.grad for p in nodes)


def rnn(x: Array, y: Array, h0: Array, *params: Array) -> Any:
    U, W, V = nodes = [Node(p) for p in params]
    h, loss = Node(h0), Node(np.zeros(()))
    for xt, yt in zip(x, y, strict=True):
        h = (Node(xt) @ U + h @ W).relu()
        loss = loss + (Node(yt) - h @ V).square_sum()
    loss.backward()
    return loss.value, tuple(p.grad for p in nodes)


MODELS = {"seed_mlp": mlp, "seed_rnn": rnn}


def build(w: Workload, args: Args) -> Callable[[], Any]:
    f = MODELS[w.name]
    return lambda: f(*args)
