"""Automatic differentiation in fifty lines, as articles show it; what the other examples are compared with.

A node holds a matrix, its parents, and how a gradient goes back to them. Every operation of every step makes a node, in
Python, and the gradients come from walking the nodes backwards. The modules that mcalc generates have no nodes: the
backward pass was derived beforehand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

Back = Callable[[np.ndarray], tuple[np.ndarray, ...]]


class Node:
    """A matrix of the graph."""

    def __init__(self, value: np.ndarray, parents: tuple[Node, ...] = (), back: Back | None = None) -> None:
        self.value, self.parents, self.back = value, parents, back
        self.grad = np.zeros_like(value)

    def __matmul__(self, other: Node) -> Node:
        return Node(self.value @ other.value, (self, other), lambda g: (g @ other.value.T, self.value.T @ g))

    def __add__(self, other: Node) -> Node:
        def back(g: np.ndarray) -> tuple[np.ndarray, ...]:
            return g, g if other.value.shape == g.shape else g.sum(axis=0, keepdims=True)

        return Node(self.value + other.value, (self, other), back)

    def __sub__(self, other: Node) -> Node:
        return Node(self.value - other.value, (self, other), lambda g: (g, -g))

    def relu(self) -> Node:
        return Node(np.maximum(self.value, 0), (self,), lambda g: (g * (self.value > 0),))

    def square_sum(self) -> Node:
        return Node(np.sum(self.value**2), (self,), lambda g: (2 * g * self.value,))

    def backward(self) -> None:
        """The gradient of this node, a number, by all nodes that it was computed from."""
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


def mlp(X: np.ndarray, y: np.ndarray, *parameters: np.ndarray) -> tuple[float, list[np.ndarray]]:
    """The loss and gradients of the model `mlp`."""
    W1, b1, W2, b2 = nodes = [Node(p) for p in parameters]
    loss = (Node(y) - ((Node(X) @ W1 + b1).relu() @ W2 + b2)).square_sum()
    loss.backward()
    return float(loss.value), [node.grad for node in nodes]


def rnn(x: np.ndarray, y: np.ndarray, h0: np.ndarray, *parameters: np.ndarray) -> tuple[float, list[np.ndarray]]:
    """The loss and gradients of the model `rnn`."""
    U, W, V = nodes = [Node(p) for p in parameters]
    h, loss = Node(h0), Node(np.zeros(()))
    for x_t, y_t in zip(x, y, strict=True):
        h = (Node(x_t) @ U + h @ W).relu()
        loss = loss + (Node(y_t) - h @ V).square_sum()
    loss.backward()
    return float(loss.value), [node.grad for node in nodes]


def sgd(parameters: Sequence[np.ndarray], gradients: Sequence[np.ndarray], rate: float) -> None:
    """One step of gradient descent, in place."""
    for p, g in zip(parameters, gradients, strict=True):
        p -= rate * g
