"""The syntax tree: what the grammar recognises, with spans, before names and shapes are known.

`Node(kind, args, value)`:

    number: ; Fraction            name: ; str          constant: ; str (`I`, `e`, `pi`, `1`, `1_n`, …)
    sum: terms; signs             product: factors; operators between them ("" is juxtaposition)
    negative: a                   transpose, inverse_transpose: a
    power, elementwise_power: base, exponent           compare: a, b; relation
    call: arguments; (word, axis)                      bars, log_bars: a       norm: a; "2", "1"
    index: a; (i, j)              block: entries; lengths of the rows
    element: ; (name, index)      total: a; (index, first, last)      (models only)

`Builder` makes the nodes while the parser reduces; no tree of the parser library is ever built.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from mcalc.algebra.shape import Dim, dim
from mcalc.errors import AmbiguityError, LimitError, ParseError, Span
from mcalc.frontend.positions import position, read_range

DIGIT_LIMIT = 1000


class Node:
    """A node of the syntax tree; `start` to `end` is its text."""

    __slots__ = ("args", "end", "kind", "start", "value")

    def __init__(self, kind: str, args: tuple[Node, ...], value: Any, start: int, end: int) -> None:
        self.kind = kind
        self.args = args
        self.value = value
        self.start = start
        self.end = end

    @property
    def span(self) -> Span:
        """Where it stands."""
        return Span(self.start, self.end)


def postorder(root: Node) -> Iterator[Node]:
    """Every node, operands first."""
    stack: list[tuple[Node, bool]] = [(root, False)]
    while stack:
        node, ready = stack.pop()
        if ready or not node.args:
            yield node
        else:
            stack.append((node, True))
            stack.extend((arg, False) for arg in reversed(node.args))


def number_value(text: str, span: Span) -> Fraction:
    """The exact value of a decimal literal."""
    mantissa, _, exponent = text.lower().partition("e")
    if len(mantissa) > DIGIT_LIMIT or len(exponent) > 5 or abs(int(exponent or "0")) + len(mantissa) > DIGIT_LIMIT:
        raise LimitError(f"numbers have at most {DIGIT_LIMIT} digits", span)
    return Fraction(text)


def literal(node: Node) -> Fraction | None:
    """The value of a number, of its negative, or of a ratio of numbers."""
    negative = False
    while node.kind == "negative":
        node, negative = node.args[0], not negative
    value: Fraction
    if node.kind == "number":
        value = node.value
    elif (
        node.kind == "product" and node.value == ("/",) and all(a.kind == "number" for a in node.args)
        and node.args[1].value != 0
    ):  # fmt: skip
        value = node.args[0].value / node.args[1].value
    else:
        return None
    return -value if negative else value


class Definition:
    """`R = …`."""

    def __init__(self, name: Any, body: Node) -> None:
        self.name = str(name)
        self.body = body
        self.span = Span(name.start_pos, name.end_pos)


class Declaration:
    """`A, B : n x m symmetric`: names, rows and columns, property words (each a token with its place)."""

    def __init__(self, names: list[Any], shape: tuple[Dim, Dim] | None, properties: list[Any]) -> None:
        self.names = names
        self.shape = shape
        self.properties = properties


class Builder:
    """What the parser calls when it reduces a rule (one method a rule of grammar/mcalc.lark)."""

    def text(self, c: list[Any]) -> tuple[list[Definition], Node]:
        return [x for x in c if isinstance(x, Definition)], next(x for x in c if isinstance(x, Node))

    def definition(self, c: list[Any]) -> Definition:
        return Definition(c[0], c[2])

    def function(self, c: list[Any]) -> tuple[Any, Any, Node]:
        return c[0], c[2], c[5]

    # --- expressions

    def compare(self, c: list[Any]) -> Node:
        return Node("compare", (c[0], c[2]), str(c[1]), c[0].start, c[2].end)

    def sum(self, c: list[Any]) -> Node:
        signs = (False, *(t.type == "MINUS" for t in c[1::2]))
        return Node("sum", tuple(c[0::2]), signs, c[0].start, c[-1].end)

    def negative(self, c: list[Any]) -> Node:
        return Node("negative", (c[1],), None, c[0].start_pos, c[1].end)

    def product(self, c: list[Any]) -> Node:
        factors: list[Node] = [c[0]]
        operators: list[str] = []
        sign = ""
        for part in c[1:]:
            if isinstance(part, Node):
                factors.append(part)
                operators.append(sign)
                sign = ""
            else:
                sign = str(part)
        return Node("product", tuple(factors), tuple(operators), factors[0].start, factors[-1].end)

    def transpose(self, c: list[Any]) -> Node:
        kind = "inverse_transpose" if c[1] == "-T" else "transpose"
        return Node(kind, (c[0],), None, c[0].start, c[1].end_pos)

    def raised(self, c: list[Any]) -> Node:
        span = Span(c[1].start_pos, c[1].end_pos)
        value = number_value(c[1].lstrip("-"), span)
        exponent = Node("number", (), value, span.start, span.end)
        if c[1][0] == "-":
            exponent = Node("negative", (exponent,), None, span.start, span.end)
        return self._power("power", c[0], exponent)

    def power(self, c: list[Any]) -> Node:
        return self._power("power", c[0], c[2])

    def elementwise_power(self, c: list[Any]) -> Node:
        return self._power("elementwise_power", c[0], c[2])

    def _power(self, kind: str, base: Node, exponent: Node) -> Node:
        start = base.start
        inverses = base.kind == "power" and literal(base.args[1]) == literal(exponent) == -1
        if base.kind in ("power", "elementwise_power") and not base.value and not inverses:
            raise AmbiguityError(
                "a tower of powers can be read in two ways",
                Span(start, exponent.end),
                notes=("(a^b)^c, or a^(b^c)",),
                hint="use parentheses",
            )
        return Node(kind, (base, exponent), False, start, exponent.end)

    def index(self, c: list[Any]) -> Node:
        places: list[int | Node | None] = []
        for place in c[2:-1:2]:
            span = Span(place.start_pos, place.end_pos)
            if place.type == "COLON":
                places.append(None)
            elif place.type == "NUMBER" and place.isdigit() and len(place) < 10:
                places.append(int(place))
            elif place.type == "NAME":
                places.append(Node("name", (), str(place), *span))
            else:
                raise ParseError("an index is a positive integer or :", span, hint="X[1,2], X[1,:], X[:,2]")
        if len(places) != 2:
            single = len(places) == 1 and isinstance(places[0], int)
            hint = f"write [{places[0]},1] for an entry of a column vector" if single else ""
            raise ParseError("an index has a row and a column", Span(c[1].start_pos, c[-1].end_pos), hint=hint)
        return Node("index", (c[0],), tuple(places), c[0].start, c[-1].end_pos)

    def number(self, c: list[Any]) -> Node:
        t = c[0]
        return Node("number", (), number_value(t, Span(t.start_pos, t.end_pos)), t.start_pos, t.end_pos)

    def name(self, c: list[Any]) -> Node:
        return Node("name", (), str(c[0]), c[0].start_pos, c[0].end_pos)

    def constant(self, c: list[Any]) -> Node:
        return Node("constant", (), str(c[0]), c[0].start_pos, c[0].end_pos)

    def group(self, c: list[Any]) -> Node:
        node: Node = c[1]
        node.start, node.end = c[0].start_pos, c[2].end_pos
        if node.kind in ("power", "elementwise_power"):
            node.value = True  # in parentheses: no tower
        return node

    def call(self, c: list[Any]) -> Node:
        axis: int | str | None = None
        arguments: list[Node] = []
        for part in c[2:-1:2]:
            if isinstance(part, Node):
                arguments.append(part)
            else:
                axis = part
        return Node("call", tuple(arguments), (str(c[0]), axis), c[0].start_pos, c[-1].end_pos)

    def axis(self, c: list[Any]) -> int | str:
        if c[1] not in ("0", "1", "all"):
            raise ParseError(
                "an axis is 0 (columns), 1 (rows) or all", Span(c[1].start_pos, c[1].end_pos), hint="axis=1"
            )
        return "all" if c[1] == "all" else int(c[1])

    def call_of_bars(self, c: list[Any]) -> Node:
        inner = Node("log_bars" if c[0] == "log" else "bars", (c[2],), None, c[1].start_pos, c[3].end_pos)
        if c[0] == "log":
            inner.start = c[0].start_pos
            return inner
        return Node("call", (inner,), (str(c[0]), None), c[0].start_pos, c[3].end_pos)

    def bars(self, c: list[Any]) -> Node:
        return Node("bars", (c[1],), None, c[0].start_pos, c[2].end_pos)

    def norm(self, c: list[Any]) -> Node:
        return Node("norm", (c[1],), str(c[2]), c[0].start_pos, c[2].end_pos)

    def fraction(self, c: list[Any]) -> Node:
        return Node("product", (c[2], c[5]), ("/",), c[0].start_pos, c[6].end_pos)

    def row(self, c: list[Any]) -> list[Node]:
        return c[0::2]

    def block(self, c: list[Any]) -> Node:
        rows: list[list[Node]] = c[1:-1:2]
        entries = tuple(entry for row in rows for entry in row)
        return Node("block", entries, tuple(len(row) for row in rows), c[0].start_pos, c[-1].end_pos)

    def element(self, c: list[Any]) -> Node:
        span = Span(c[0].start_pos, c[0].end_pos)
        name, _, index = str(c[0]).partition("[")
        return Node("element", (), (name, position(index[:-1], span)), *span)

    def total(self, c: list[Any]) -> Node:
        range_ = read_range(str(c[2]), Span(c[2].start_pos, c[2].end_pos))
        return Node("total", (c[4],), range_, c[0].start_pos, c[5].end_pos)

    def place(self, c: list[Any]) -> Any:
        return c[0]

    # --- declarations

    def declarations(self, c: list[Any]) -> list[Declaration]:
        return [x for x in c if isinstance(x, Declaration)]

    def declaration(self, c: list[Any]) -> Declaration:
        colon = next(i for i, x in enumerate(c) if getattr(x, "type", "") == "COLON")
        return Declaration(c[0:colon:2], c[colon + 1], c[colon + 2 :])

    def shape(self, c: list[Any]) -> tuple[Dim, Dim] | None:
        dims = [x for x in c if isinstance(x, Dim)]
        if not dims:
            return None
        return (dims[0], dims[1]) if len(dims) == 2 else (dims[0], dim(1))

    def dimension_sum(self, c: list[Any]) -> Dim:
        left, right = c[0], c[2]
        assert isinstance(left, Dim) and isinstance(right, Dim)
        return left + right

    def dimension_product(self, c: list[Any]) -> Dim:
        left, right = c[0], c[2]
        assert isinstance(left, Dim) and isinstance(right, Dim)
        if c[1] == "/" and right.number:
            quotient = left.over(right.number)
            if quotient is not None:
                return quotient
        if c[1] != "*":
            raise ParseError(
                "a dimension is a name, an integer, or a sum or product of such",
                Span(c[1].start_pos, c[1].end_pos),
                hint="n, 3, n+1, 2*q",
            )
        return left * right

    def dimension_name(self, c: list[Any]) -> Dim:
        return dim(str(c[0]))

    def dimension_number(self, c: list[Any]) -> Dim:
        t = c[0]
        if not t.isdigit() or len(t) > 9 or int(t) == 0:
            raise ParseError("a dimension is a positive integer", Span(t.start_pos, t.end_pos))
        return dim(int(t))

    def dimension_group(self, c: list[Any]) -> Dim:
        inner: Dim = c[1]
        return inner
