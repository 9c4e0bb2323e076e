"""Programs: the syntax trees of a text as one list of steps, operands before operators, every name resolved.

Goes in: definitions and an expression as syntax trees, and the declarations. Comes out: `Program`, in which a name is
a symbol, a definition or a dimension, and functions of dimensions (`I(n)`, `ones(n,m)`, `1_n`) have their sizes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mcalc.algebra.shape import ONE, Dim, dim
from mcalc.errors import NameProblem, ParseError, ShapeError, Span
from mcalc.frontend.calls import CALLS, SIZED
from mcalc.frontend.dimensions import times
from mcalc.frontend.syntax import Definition, Node, literal, postorder
from mcalc.frontend.words import Scope, key, nearest


@dataclass(frozen=True, slots=True)
class Step:
    """One node: its operands by their place in the program."""

    node: Node
    kind: str
    args: tuple[int, ...]
    value: Any
    """What the kind needs: a name, operators, a word and an axis, …"""


@dataclass(slots=True)
class Program:
    """Steps; which of them are the definitions and the expression; the symbols in reading order."""

    steps: list[Step] = field(default_factory=list)
    definitions: dict[str, int] = field(default_factory=dict)
    root: int = -1
    symbols: dict[str, Span] = field(default_factory=dict)
    """Name to its first place."""
    dimensions: dict[str, None] = field(default_factory=dict)
    """Names that are dimensions, declared or used as sizes."""
    notes: list[str] = field(default_factory=list)


_NO_DIMENSION = "a dimension is a name, a positive integer, or a sum or product of such"
_UNSIZED = {"I": "eye", "1": "ones", "0": "zeros"}
_SIZE_SEPARATORS = re.compile(r"\\times|×|,")
_SIZE_FACTORS = re.compile(r"[0-9]+|[A-Za-z]\w*(?:\[[^\]]*\])?")


class Resolver:
    """Builds a program."""

    def __init__(self, scope: Scope, declared_dimensions: dict[str, None], functions: Mapping[str, Any]) -> None:
        self.scope = scope
        self.functions = functions
        self.program = Program(dimensions=dict(declared_dimensions))
        self.definitions: dict[str, int] = {}
        """The definitions so far, by key."""
        self.later: set[str] = set()
        """Keys of the definitions that are still to come."""

    def resolve(self, definitions: list[Definition], expression: Node) -> Program:
        """The program of a text."""
        program = self.program
        for tree in (*(d.body for d in definitions), expression):
            self._find_sizes(tree)
        self.later = {key(d.name) for d in definitions}
        for definition in definitions:
            self._steps(definition.body)
            whole = key(definition.name)
            self.later.discard(whole)
            self.definitions[whole] = program.definitions[definition.name] = len(program.steps) - 1
        self._steps(expression)
        program.root = len(program.steps) - 1
        return program

    # --- sizes

    def _find_sizes(self, tree: Node) -> None:
        """Turns functions of dimensions into leaves, top down: what stands in them is no symbol."""
        stack = [tree]
        while stack:
            node = stack.pop()
            if node.kind == "call" and node.value[0] in SIZED:
                self._size_call(node)
            elif node.kind == "constant" and "_" in node.value:
                self._subscripted(node)
            elif node.kind == "constant" and node.value in _UNSIZED:
                node.kind, node.value = "unsized", _UNSIZED[node.value]
            stack.extend(node.args)

    def _size_call(self, node: Node) -> None:
        word = node.value[0]
        least, most = SIZED[word]
        count = len(node.args)
        if not least <= count <= most or node.value[1] is not None:
            wanted = f"{least} or {most}" if most > least else str(least)
            example = {"K": "K(m,n)", "e": "e(1,n)", "I": "I(n)", "eye": "eye(n)"}.get(
                word, f"{word}({'n' if most == 1 else 'n,m'})"
            )
            raise ShapeError(f"{word} needs {wanted} argument{'s' if most > 1 else ''}", node.span, hint=example)
        if word == "e":
            position = literal(node.args[0])
            if position is None or position.denominator != 1 or position < 1:
                raise ShapeError("e(i,n) needs a positive integer i", node.args[0].span)
            attrs: tuple[Any, ...] = (int(position), self._size(node.args[1]))
            op = "unit"
        else:
            dims = tuple(self._size(arg) for arg in node.args)
            op = {"I": "eye", "eye": "eye", "K": "K"}.get(word, word)
            attrs = dims if op in ("eye", "K", "dup", "elim") or len(dims) == 2 else (*dims, ONE)
        node.kind, node.args, node.value = "sized", (), (op, attrs)

    def _size(self, tree: Node) -> Dim:
        """A dimension: names, integers, sums and products."""
        values: list[Dim] = []
        for node in postorder(tree):
            count = len(node.args)
            operands = values[len(values) - count :] if count else []
            del values[len(values) - count :]
            if node.kind == "name":
                values.append(self._dimension(node.value, node.span))
            elif node.kind == "number" and node.value.denominator == 1 and 1 <= node.value < 10**9:
                values.append(dim(int(node.value)))
            elif node.kind == "sum" and not any(node.value):
                total = operands[0]
                for d in operands[1:]:
                    total = total + d
                values.append(total)
            elif node.kind == "product" and (product := _dimension_product(node, operands)) is not None:
                values.append(product)
            else:
                raise ParseError(_NO_DIMENSION, node.span, hint="n, 3, n+1")
        return values[0]

    def _dimension(self, name: str, span: Span) -> Dim:
        if key(name) in self.scope.symbols or key(name) in self.scope.defined:
            raise NameProblem(f"{name} is a symbol, and here a dimension", span, hint="give the dimension another name")
        if self.scope.closed and name not in self.program.dimensions:
            raise no_dimension(name, span, self.program.dimensions)
        self.program.dimensions.setdefault(name)
        return dim(name)

    def _subscripted(self, node: Node) -> None:
        """`1_n`, `I_n`, `0_{n \\times m}`."""
        base, _, below = node.value.partition("_")
        dims = []
        for text in _SIZE_SEPARATORS.split(below.strip("{}")):
            total = dim(0)
            for term in text.split("+"):
                product = dim(1)
                factors = _SIZE_FACTORS.findall(term)
                if not factors or len(factors) > 9 or any(f.isdigit() and len(f) > 9 for f in factors):
                    raise ParseError(
                        f"the subscript of {base} is a dimension", node.span, hint=f"{base}_n, {base}_{{n+1}}"
                    )
                for factor in factors:
                    size = dim(int(factor)) if factor.isdigit() else self._dimension(factor, node.span)
                    product = product * size
                total = total + product
            if total.number == 0:
                raise ParseError("a dimension is a positive integer", node.span)
            dims.append(total)
        if base == "I":
            self.program.notes.append(f"{node.value} is read as the identity I({dims[0]})")
        op = _UNSIZED[base]
        attrs = (dims[0],) if op == "eye" else tuple(dims) if len(dims) == 2 else (dims[0], ONE)
        if len(dims) > 2 or (op == "eye" and len(dims) > 1):
            raise ParseError(f"{base} has one or two dimensions", node.span)
        node.kind, node.value = "sized", (op, attrs)

    # --- steps

    def _steps(self, tree: Node) -> None:
        steps = self.program.steps
        places: list[int] = []
        for node in postorder(tree):
            count = len(node.args)
            args = tuple(places[len(places) - count :]) if count else ()
            del places[len(places) - count :]
            kind, value = node.kind, node.value
            if kind == "name":
                kind, value = self._name(node)
                if kind == "definition":
                    places.append(value)
                    continue
            elif kind == "call":
                self._check_call(node)
                if value[0] in self.functions:
                    kind = "applied"
            elif kind in ("power", "elementwise_power"):
                kind, value = _power(node)
            elif kind == "index":
                named = next((v for v in value if isinstance(v, Node)), None)
                if named is not None:
                    raise ParseError("an index is a positive integer or :", named.span, hint="X[1,2], X[1,:], X[:,2]")
            elif kind == "product" and "/" in value:
                self._note_division(node)
            steps.append(Step(node, kind, args, value))
            places.append(len(steps) - 1)
        if places[0] != len(steps) - 1:
            # the tree is a bare name of a definition: a step of its own
            steps.append(Step(tree, "same", (places[0],), None))

    def _name(self, node: Node) -> tuple[str, Any]:
        name = node.value
        whole = key(name)
        if whole in self.definitions:
            return "definition", self.definitions[whole]
        if whole in self.later:
            raise NameProblem(f"{name} is used before it is defined", node.span)
        if name in self.program.dimensions and whole not in self.scope.symbols and whole not in self.scope.defined:
            return "dimension", name
        if whole in self.functions:
            raise NameProblem(f"{name} is a function: an argument follows it", node.span, hint=f"{name}(…)")
        self.program.symbols.setdefault(name, node.span)
        return "symbol", name

    def _check_call(self, node: Node) -> None:
        word, axis = node.value
        count = len(node.args)
        if word in self.functions:
            least = most = 1
            takes_axis = False
        else:
            row = CALLS[word]
            least, most, takes_axis = row.least, row.most, row.axis
        if axis is not None and not takes_axis:
            raise ParseError(f"{word} has no axis", node.span)
        if axis == "all" and word not in ("softmax", "sum", "mean", "logsumexp"):
            raise ParseError(f"{word} has no axis=all", node.span)
        if not least <= count <= most:
            wanted = "one argument" if most == 1 else "two arguments" if least == 2 else "one or two arguments"
            raise ParseError(f"{word} needs {wanted}, not {count}", node.span, hint=_second_argument(node, takes_axis))

    def _note_division(self, node: Node) -> None:
        for i, op in enumerate(node.value[:-1]):
            if op == "/" and node.value[i + 1] == "" and literal(node.args[i + 1]) is None:
                self.program.notes.append("a / b c is read as (a / b) c: from left to right")
                return


def _dimension_product(node: Node, operands: list[Dim]) -> Dim | None:
    """The product, or a quotient by a number that is an integer at every size: `n*(n+1)/2`."""
    total: Dim | None = operands[0]
    for op, d in zip(node.value, operands[1:], strict=True):
        if total is None or op not in ("", "*", "/") or (op == "/" and not d.number):
            return None
        total = total.over(d.number) if op == "/" and d.number else times(total, d)
    return total


def no_dimension(name: str, span: Span, known: Iterable[str]) -> NameProblem:
    """The error for a dimension that a model does not declare."""
    near = nearest(name, list(known))
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    return NameProblem(
        f"{name} is no dimension of the model",
        span,
        hint=f"{hint}a dimension is declared by the shape of an input or param: input X : {name} x m",
    )


def _power(node: Node) -> tuple[str, Any]:
    """Which power this is, and its literal exponent."""
    base, exponent = node.args
    elementwise = node.kind == "elementwise_power"
    if base.kind == "constant" and base.value == "e":
        return "exponential", elementwise
    return ("elementwise_power" if elementwise else "power"), literal(exponent)


def _second_argument(node: Node, takes_axis: bool) -> str:
    """What a second argument may have meant, in other systems: an axis, a norm."""
    word = node.value[0]
    if len(node.args) == 2 and takes_axis and node.args[1].kind == "number" and node.args[1].value in (0, 1):
        return f"of each row: {word}(X, axis=1), of each column: {word}(X, axis=0)"
    if word == "norm":
        return "norm(X) is the Frobenius norm, and of a vector the 2-norm; norm1(X) is the sum of the absolute values"
    return ""
