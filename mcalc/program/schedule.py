"""Scheduling: from arrays to definitions in order.

In: the outputs of a function, in a graph; out: a program in which every array that is read more than once, or that
would make a line hard to read, is a definition with a name, and stands where it is first needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mcalc.algebra.expr import Expr
from mcalc.algebra.functions import FUNCTIONS
from mcalc.program.ir import Array, Definition, Program, arrays
from mcalc.program.names import Namer, softmax_of
from mcalc.program.operations import ATOMS, VIEWS

LANDMARKS = frozenset(
    (
        "solve", "inv", "cholesky", "try_cholesky", "lower_inverse",
        "softmax", "pinv", "expm", "adjugate", "first_max", "first_min", "norm",
        "sigmoid_from", "sigmoid_of_negative_from", "reciprocal_or_zero", "logsumexp",
    )
)  # fmt: skip
"""Operations that are a line of their own, wherever they stand inside a longer one."""

REPEATING: Mapping[str, tuple[int, ...]] = {
    "sigmoid_from": (0, 1), "sigmoid_of_negative_from": (0, 1), "reciprocal_or_zero": (0,),
}  # fmt: skip
"""Operands that the text of an operation mentions twice."""

FACTORISED = frozenset(["solve", "inv", "cholesky", "try_cholesky", "det", "logdet", "pinv", "adjugate", "expm"])
"""Operations whose first operand is a matrix with a name."""

UNNAMED = frozenset(["scale", "sum", "times"])
"""Operations for which the label of an output is as good a name as any."""

LONGEST = 5
"""The most operations on one line."""


def schedule(
    arguments: Sequence[tuple[str, Expr]], sizes: dict[str, str], outputs: Sequence[tuple[str, Array]],
    namer: Namer,
) -> Program:  # fmt: skip
    """The program that computes the outputs."""
    order = list(arrays(*(a for _, a in outputs)))
    labels: dict[Array, str] = {}
    for label, a in outputs:
        labels.setdefault(a, label)
    named = _Choice(order, labels).named
    readers = _readers(order)
    definitions: list[Definition] = []
    names: dict[Array, str] = {}
    for label, output in outputs:
        for a in arrays(output):
            if a in named and a not in names:
                own = labels.get(a) == label and (a not in readers or a.op in UNNAMED)
                names[a] = label if own else namer.name(a, names, readers.get(a, ()))
                definitions.append(Definition(names[a], a))
        if names.get(output) != label:
            definitions.append(Definition(label, output))
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


class _Choice:
    """Which arrays get a name, decided operands first."""

    def __init__(self, order: Sequence[Array], labels: Mapping[Array, str]) -> None:
        self.named: set[Array] = set()
        self.weights: dict[Array, int] = {}
        self.products: dict[Array, bool] = {}
        """Whether a matrix product is written on the line of an array."""
        uses, forced = _uses(order, labels)
        for a in order:
            self._measure(a)
            if a.op in ("matmul", "outer"):
                self._name_operands(a)
            while self.weights[a] > LONGEST and self._cut(a):
                pass
            if a.op in VIEWS or a.op in ATOMS:
                continue
            if a in labels or a in forced or uses.get(a, 0) > 1 or a.op in LANDMARKS or softmax_of(a) is not None:
                self.named.add(a)

    def _measure(self, a: Array) -> None:
        """The number of operations on the line of an array."""
        own = 0 if a.op in VIEWS or a.op in ATOMS or (a.op == "scale" and a.args[0].op in ATOMS) else 1
        if a.op in ("sum", "times"):
            own = len(a.args) - 1
        inner = [x for x in a.args if base(x) not in self.named]
        self.weights[a] = own + sum(self.weights[x] for x in inner)
        self.products[a] = a.op in ("matmul", "solve") or any(self.products[x] for x in inner)

    def _name_operands(self, product: Array) -> None:
        """An activation, or a residual, is a line of its own where a product reads it."""
        for x in map(base, product.args):
            layered = x.op in ("sum", "times", "quotient") and self.products[x]
            if x not in self.named and x.op not in ATOMS and (layered or (x.op in FUNCTIONS and self.weights[x] > 1)):
                self.named.add(x)
        self._measure(product)

    def _cut(self, a: Array) -> bool:
        """Name what makes the two lines most alike in length; False where there is nothing to name."""
        inside = self._inside(a)
        candidates = [x for x in inside if self.weights[x] > 1 and x.op not in VIEWS and x is not a]
        if not candidates:
            return False
        half = self.weights[a] / 2
        self.named.add(min(candidates, key=lambda x: abs(self.weights[x] - half)))
        for x in inside:
            self._measure(x)
        return True

    def _inside(self, a: Array) -> list[Array]:
        """What is written on the line of an array, operands first."""
        found: list[Array] = []
        stack = [a]
        while stack:
            x = stack.pop()
            found.append(x)
            stack.extend(y for y in x.args if base(y) not in self.named)
        return list(dict.fromkeys(reversed(found)))


def _uses(order: Sequence[Array], labels: Mapping[Array, str]) -> tuple[dict[Array, int], set[Array]]:
    """How often each array is read, through views; and those whose reader mentions them twice or by name."""
    uses: dict[Array, int] = {}
    forced: set[Array] = set()
    for a in order:
        if a.op in VIEWS and a not in labels:
            continue
        for place, x in enumerate(a.args):
            target = base(x)
            uses[target] = uses.get(target, 0) + 1
            if (a.op in FACTORISED and place == 0) or place in repeated_operands(a):
                forced.add(target)
    return uses, forced


def _readers(order: Sequence[Array]) -> dict[Array, list[Array]]:
    """The operations that read each array."""
    readers: dict[Array, list[Array]] = {}
    for a in order:
        if a.op not in VIEWS:
            for x in a.args:
                readers.setdefault(base(x), []).append(a)
    return readers
