"""Scheduling: from arrays to definitions in order.

In: the outputs of a function, in a graph; out: a program in which every array that is read more than once, or that
would make a line hard to read, is a definition with a name, and stands where it is first needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mcalc.algebra.expr import Expr
from mcalc.program.builder import Builder
from mcalc.program.ir import Array, Definition, Program, arrays
from mcalc.program.names import Namer
from mcalc.program.operations import VIEWS

ATOMS = frozenset(["arg", "number", "pi", "size", "ones", "zeros", "eye", "unit", "commutation"])
"""Leaves: they are written where they are read."""

LANDMARKS = frozenset(
    ["solve", "inv", "cholesky", "softmax", "pinv", "expm", "adjugate", "first_max", "first_min", "norm"]
    + ["sigmoid_from", "sigmoid_of_negative_from", "reciprocal_or_zero", "logsumexp"]
)
"""Operations that are a line of their own, wherever they stand inside a longer one."""

REPEATING: Mapping[str, tuple[int, ...]] = {
    "sigmoid_from": (0, 1), "sigmoid_of_negative_from": (0, 1), "reciprocal_or_zero": (0,),
}  # fmt: skip
"""Operands that the text of an operation mentions twice."""

FACTORISED = frozenset(["solve", "inv", "cholesky", "det", "logdet", "pinv", "adjugate", "expm"])
"""Operations whose first operand is a matrix with a name."""

LONGEST = 5
"""The most operations on one line."""


def schedule(
    b: Builder, arguments: Sequence[tuple[str, Expr]], sizes: dict[str, str], outputs: Sequence[tuple[str, Array]],
    namer: Namer,
) -> Program:  # fmt: skip
    """The program that computes the outputs."""
    order = list(arrays(*(a for _, a in outputs)))
    labels: dict[Array, str] = {}
    for label, a in outputs:
        labels.setdefault(a, label)
    named = _named(b, order, labels)
    readers = _readers(order, named)
    definitions: list[Definition] = []
    names: dict[Array, str] = {}
    for a in order:
        if a in labels:
            names[a] = labels[a]
        elif a in named:
            names[a] = namer.name(a, names, readers.get(a, ()))
        else:
            continue
        definitions.append(Definition(names[a], a))
    return Program(tuple(arguments), sizes, tuple(definitions), tuple(outputs))


def base(a: Array) -> Array:
    """The array that a view looks at."""
    while a.op in VIEWS and a.args:
        a = a.args[0]
    return a


def repeated_operands(a: Array) -> tuple[int, ...]:
    """The operands that the text of an array mentions twice."""
    if a.op == "power" and a.rank and a.attrs[0] == 3:
        return (0,)
    return REPEATING.get(a.op, ())


def _named(b: Builder, order: Sequence[Array], labels: Mapping[Array, str]) -> set[Array]:
    uses: dict[Array, int] = {}
    forced: set[Array] = set()
    for a in order:
        if a.op in VIEWS and a not in labels:
            continue
        for place, x in enumerate(a.args):
            target = base(x)
            uses[target] = uses.get(target, 0) + 1
            if a.op in FACTORISED and place == 0 or place in repeated_operands(a):
                forced.add(target)
    named = set(labels)
    weights: dict[Array, int] = {}
    for a in order:
        if a.op in ATOMS:
            weights[a] = 0
            continue
        if a in labels:
            named.add(a)
        elif a.op not in VIEWS and (uses.get(a, 0) > 1 or a in forced or a.op in LANDMARKS):
            named.add(a)
        weights[a] = _weight(a, weights, named)
        while weights[a] > LONGEST:
            inner = [base(x) for x in a.args]
            heaviest = max((x for x in inner if x not in named), key=lambda x: weights[x], default=None)
            if heaviest is None or weights[heaviest] < 2:
                break
            named.add(heaviest)
            weights[a] = _weight(a, weights, named)
    return named


def _weight(a: Array, weights: Mapping[Array, int], named: set[Array]) -> int:
    """The number of operations that an array takes on its line."""
    own = 0 if a.op in VIEWS else 0 if a.op == "scale" and a.args[0].op in ATOMS else 1
    if a.op in ("sum", "times"):
        own = len(a.args) - 1
    return own + sum(0 if base(x) in named else weights[x] for x in a.args)


def _readers(order: Sequence[Array], named: set[Array]) -> dict[Array, list[Array]]:
    """The operations that read each array."""
    readers: dict[Array, list[Array]] = {}
    for a in order:
        if a.op not in VIEWS:
            for x in a.args:
                readers.setdefault(base(x), []).append(a)
    return readers
