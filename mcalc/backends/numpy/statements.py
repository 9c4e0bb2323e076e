"""Lines of a plan as statements that write into buffers.

In: a line `name = array`; out: statements of Python, of which the first writes into a buffer and the others go on in
it:  `Z = X.dot(W, out=ws.Z)`, `Z += b`. What cannot write into a buffer is one expression.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from mcalc.algebra.functions import FUNCTIONS
from mcalc.algebra.shape import ONE, Dim
from mcalc.backends.numpy.helpers import called
from mcalc.backends.numpy.text import TEXTS, Place, Text, length, number, product
from mcalc.program.builder import Builder
from mcalc.program.ir import Array, folded
from mcalc.program.operations import VIEWS
from mcalc.program.plan import added_on_diagonal, computed, inplace, single, twice

COMPARISONS = {"eq": "equal", "ge": "greater_equal", "gt": "greater", "le": "less_equal", "lt": "less"}
WITH_OUT = frozenset(
    (
        "sum", "scale", "times", "quotient", "maximum", "minimum", "power", "powers", "matmul", "chain", "outer",
        "softmax", "logsumexp", "total", "total_row", "mean", "turned", "largest", "row_dots", "softplus_from",
        "lower_inverse", "lower_gram", "inv_from", "sigmoid_from", "sigmoid_of_negative_from",
        *COMPARISONS, *FUNCTIONS,
    )
)  # fmt: skip
"""Operations that can write into a buffer."""

ENTRYWISE = WITH_OUT - {
    "matmul", "chain", "outer", "logsumexp", "total", "total_row", "mean", "turned", "largest", "row_dots",
    "lower_gram", "inv_from",
}  # fmt: skip
"""Those whose buffer may be one of their operands."""

_HELPERS = {
    "sigmoid": "sigmoid", "softplus": "softplus", "erf": "erf",
    "lower_inverse": "inverse_of_lower", "lower_gram": "gram_of_lower", "inv_from": "inverse_from",
}  # fmt: skip


@dataclass(slots=True)
class Target:
    """Where a line writes: the name, and the buffer that the first statement writes to ("" for a fresh array)."""

    name: str
    buffer: str
    view: bool = False
    """Whether the name is a view of memory that is there already (an element of a sequence)."""
    lines: list[str] = field(default_factory=list)
    started: bool = False
    start: Array | None = None
    """What is in the buffer already: the first operand of the innermost sum."""
    overwritten: Array | None = None
    """What the buffer holds, and the first operation reads."""
    scratch: Callable[[Array], str] = field(default=lambda a: "")
    """The buffer for an operand that is added, or multiplied with, as soon as it is computed."""

    def call(self, function: str, *arguments: str, options: str = "") -> None:
        """`name = function(…, out=buffer)`."""
        place = self.name if self.started or self.view else self.buffer
        out = [f"out={place}"] if place else []
        text = f"{function}({', '.join([*arguments, *([options] if options else []), *out])})"
        self.lines.append(text if self.started or self.view else f"{self.name} = {text}")
        self.started = True

    def update(self, operator: str, operand: Text) -> None:
        """`name += operand`, on what is there."""
        self.lines.append(f"{self.name} {operator}= {operand.code}")

    def assign(self, text: Text) -> None:
        """`name = text`, or into the view."""
        element = self.view and not self.name.endswith("]")
        self.lines.append(f"{self.name}{'[...]' if element else ''} = {text.code}")
        self.started = True


def inner(a: Array, names: Mapping[Array, str]) -> Array | None:
    """The operand that is computed on the line of a, in the same buffer."""
    if not inplace(a):
        return None
    for x in a.args:
        fits = x.shape == a.shape and x.rank and x.op in WITH_OUT and not twice(a, x)
        if fits and computed(x) and x not in names and x.op not in VIEWS and not added_on_diagonal(a, x):
            return x
    return None


class Statements:
    """Writes lines; `leaf` gives the text of an argument or element, `names` those of named arrays."""

    def __init__(
        self,
        builder: Builder,
        names: Mapping[Array, str],
        leaf: Callable[[Array], str],
        sizes: Mapping[str, str],
        ones: Callable[[Dim], str] = lambda d: "",
        number: Callable[[str], str] = lambda value: value,
        row: Callable[[str], str] = lambda ones: f"{ones}[None]",
    ) -> None:
        self.b = builder
        self.names = names
        self.leaf = leaf
        self.sizes = sizes
        self.ones = ones
        """The name of a vector of ones of a length; "" where there is none."""
        self.number = number
        """A number, or the name of an array that holds it."""
        self.row = row
        """The text of a vector of ones as a row."""
        self.helpers: set[str] = set()
        """Operations whose text calls a function of the module."""

    # --- operands -----------------------------------------------------------------------------------------------------

    def text(self, root: Array, by_name: bool = True) -> Text:
        """An operand: names, views, numbers, scalars."""

        def known(a: Array) -> Text | None:
            if a.op == "arg":
                return Text(self.leaf(a))
            return Text(self.names[a]) if a in self.names and (by_name or a is not root) else None

        return folded(root, known, self._combined)

    def _combined(self, a: Array, args: list[Text]) -> Text:
        if a.op in _HELPERS:
            args = [_decimal(x, text) for x, text in zip(a.args, args, strict=True)]
        self.helpers |= {a.op, *called(a)}
        return args[1] if a.op == "diagonal" and len(args) == 2 else TEXTS[a.op](Place(a, self.sizes), args)

    # --- lines --------------------------------------------------------------------------------------------------------

    def write(self, a: Array, target: Target) -> list[str]:
        """The statements that compute an array."""
        if a.rank and a.op in WITH_OUT:
            self._into(a, target)
        else:
            target.assign(self.text(a, by_name=self.names.get(a) != target.name))
        return target.lines

    def _into(self, root: Array, target: Target) -> None:
        """From the innermost operation outwards, each in the buffer of the one before."""
        chain = [root]
        while target.start not in chain[-1].args and (found := inner(chain[-1], self.names)) is not None:
            chain.append(found)
        before = target.start if target.start in chain[-1].args else None
        target.started = before is not None
        for a in reversed(chain):
            self._step(a, before, target)
            before = a

    def _step(self, a: Array, done: Array | None, t: Target) -> None:
        here = Text(t.name)
        late = {x for x in a.args if x is not done and self._is_single(x)} if a.op in ("sum", "times") else set()
        args = [here if x is done else Text("") if x in late else self.text(x) for x in a.args]
        match a.op:
            case "sum":
                self._sum(a, done, t)
            case "scale":
                factor = self._factor(a)
                if factor.code == "-1":
                    t.call("np.negative", args[0].code)
                elif done is not None:
                    t.update("*", factor)
                else:
                    t.call("np.multiply", args[0].code, factor.code)
            case "times":
                self._fold(a, done, t)
            case "quotient":
                if done is not None and a.args[0] is done:
                    t.update("/", args[1])
                else:
                    t.call("np.divide", self.number(args[0].code), args[1].code)
            case "maximum" | "minimum":
                t.call(f"np.{a.op}", *(self.number(x.code) for x in args))
            case "power":
                self._power(args[0].code, a.attrs[0], t)
            case "powers":
                t.call("np.power", args[0].code, args[1].code)
            case "relu":
                t.call("np.maximum", args[0].code, self.number("0"))
            case "softplus_from":
                t.call("np.maximum", args[0].code, self.number("0"))
                t.update("+", args[1])
            case "matmul":
                # the method is called in half the time of np.dot, a third of that of @
                t.call(f"{args[0].atom}.dot", args[1].code)
            case "chain":
                t.call("np.linalg.multi_dot", f"[{', '.join(x.code for x in args)}]")
            case "outer":
                # a column by a row: BLAS takes half the time of np.outer
                t.call(f"{args[0].atom}[:, None].dot", f"{args[1].atom}[None]")
            case "total" | "total_row" | "mean" if ones := self._ones_along(a):
                # BLAS adds faster than np.add.reduce
                row = self.row(ones) if a.op == "total_row" else ones
                left, right = (args[0].atom, ones) if a.attrs == (1,) else (row, args[0].code)
                t.call(f"{left}.dot", right)
                if a.op == "mean":
                    t.update("/", length(a.args[0].shape[a.attrs[0]], self.sizes))
            case "largest" if a.attrs == (1,):
                self.helpers.add("largest_of_rows")
                t.call("largest_of_rows", args[0].code)
            case "total" | "largest":
                function = "np.add.reduce" if a.op == "total" else "np.maximum.reduce"
                t.call(function, args[0].code, options=f"axis={a.attrs[0]}")
            case "mean":
                t.call("np.mean", args[0].code, options=f"axis={a.attrs[0]}")
            case "turned":
                t.call("np.positive", f"{args[0].atom}.T", options='order="C"')
            case "total_row":
                t.call("np.add.reduce", args[0].code, options="axis=0, keepdims=True")
            case "row_dots":
                t.call("np.vecdot", args[0].code, args[1].code)
            case "softmax" | "logsumexp":
                self.helpers.add(a.op)
                t.call(a.op, args[0].code, options="" if a.attrs[0] is None else f"axis={a.attrs[0]}")
            case "sigmoid_from" | "sigmoid_of_negative_from":
                self.helpers.add(a.op)
                t.call(a.op, args[0].code, args[1].code)
            case op if op in COMPARISONS:
                t.call(f"np.{COMPARISONS[op]}", args[0].code, self.number(args[1].code))
            case op:
                self.helpers.add(op)
                t.call(_HELPERS.get(op, f"np.{op}"), *(x.code for x in args))

    def _ones_along(self, a: Array) -> str:
        """The vector of ones by which a matrix is multiplied for its sums along an axis."""
        x = a.args[0]
        axis = 0 if a.op == "total_row" else a.attrs[0]
        return self.ones(x.shape[axis]) if x.rank == 2 and x.kind == "float" and axis is not None else ""

    def _lends(self, x: Array, t: Target) -> bool:
        return x is t.overwritten or (bool(t.buffer) and self.names.get(x) == t.buffer)

    def _is_single(self, x: Array) -> bool:
        return single(x) and computed(x) and x not in self.names and x.rank > 0

    def _now(self, x: Array, t: Target, c: Fraction = Fraction(1)) -> Text:
        """An operand of a sum or product: as it is, or computed on the spot by one call, and by one that scales it."""
        scaled = c != 1 and x.rank > 0 and x.kind == "float"
        if not self._is_single(x):
            place = t.scratch(x) if scaled else ""
            return _scaled_into(place, self.text(x), c) if place else self._multiple(x, c)
        place = t.scratch(x)
        inner = Target("", place)
        self._step(x, None, inner)
        call = Text(inner.lines[0].removeprefix(" = "))
        if scaled and place:
            t.lines.append(call.code)
            return _scaled_into(place, Text(place), c)
        return call if c == 1 else product([number(c), call])

    def _power(self, x: str, exponent: Fraction, t: Target) -> None:
        if exponent == 2:
            t.call("np.square", x)
        elif exponent == -1:
            # np.reciprocal takes twice as long
            t.call("np.divide", self.number("1"), x)
        elif exponent == 3:
            t.call("np.square", x)
            t.update("*", Text(x))
        elif exponent == 4:
            t.call("np.square", x)
            t.call("np.square", t.name)
        else:
            t.call("np.power", x, number(exponent).code)

    def _factor(self, a: Array) -> Text:
        """What multiplies the array of a scaling."""
        return (
            self.text(self.b.node("scale", self.b.one, *a.args[1:], attrs=a.attrs), by_name=False)
            if len(a.args) > 1
            else number(a.attrs[0])
        )

    def _sum(self, a: Array, done: Array | None, t: Target) -> None:
        pairs = list(zip(a.args, a.attrs, strict=True))
        diagonal = [(x, c) for x, c in pairs if added_on_diagonal(a, x) and x not in self.names]
        pairs = [p for p in pairs if p not in diagonal]
        first = next((p for p in pairs if p[0] is done), None)
        if first is None:
            # what lends its memory is read first: the first statement overwrites it
            pairs.sort(
                key=lambda p: (
                    not self._lends(p[0], t),
                    self._is_single(p[0]),
                    p[0].shape != a.shape,
                    not p[0].rank,
                    abs(p[1]) == 1,
                    p[1] < 0,
                )
            )
            first = pairs[0]
        rest = [p for p in pairs if p is not first]
        if first[0] is done:
            sign = first[1]
            if sign < 0:
                x, c = next((p for p in rest if p[1] > 0 and not self._is_single(p[0])), (None, Fraction(0)))
                if x is not None:
                    rest = [p for p in rest if p[0] is not x]
                    self._scaled(-sign, t)
                    t.call("np.subtract", self._multiple(x, c).code, t.name)
                else:
                    self._scaled(sign, t)
            else:
                self._scaled(sign, t)
        else:
            x, c = first
            if x.shape != a.shape:
                y, e = rest.pop(next(i for i, p in enumerate(rest) if _span(x, p[0], a)))
                t.call("np.subtract" if e < 0 else "np.add", self._multiple(x, c).code, self._multiple(y, abs(e)).code)
            elif c == 1 and not rest:
                t.call("np.positive", self.text(x).code)
            elif c == 1 and x.op != "number":
                y, e = rest.pop(0)
                function = "np.subtract" if e < 0 else "np.add"
                t.call(function, self.text(x).code, self._now(y, t, abs(e)).code)
            elif c == -1 and rest and rest[0][1] > 0:
                y, e = rest.pop(0)
                t.call("np.subtract", self._multiple(y, e).code, self.text(x).code)
            elif c == -1:
                t.call("np.negative", self.text(x).code)
            else:
                t.call("np.multiply", self.text(x).code, number(c).code)
        for x, c in rest:
            t.update("-" if c < 0 else "+", self._now(x, t, abs(c)))
        for x, c in diagonal:
            value = self._on_diagonal(x, abs(c)).code
            t.lines.append(f'np.einsum("ii->i", {t.name})[...] {"-" if c < 0 else "+"}= {value}')

    def _on_diagonal(self, x: Array, c: Fraction) -> Text:
        """The diagonal of a diagonal matrix, as a vector or a number."""
        factors: list[Array] = []
        exponents: list[int] = []
        while x.op == "scale":
            c *= x.attrs[0]
            factors += x.args[1:]
            exponents += x.attrs[1]
            x = x.args[0]
        core = x.args[0] if x.op == "diagonal" else self.b.one
        if c == 1 and not factors:
            return self.text(core)
        return self.text(self.b.node("scale", core, *factors, attrs=(c, tuple(exponents))), by_name=False)

    def _scaled(self, c: Fraction, t: Target) -> None:
        if c == -1:
            t.call("np.negative", t.name)
        elif c != 1:
            t.update("*", number(c))

    def _multiple(self, x: Array, c: Fraction) -> Text:
        if x.op == "number":
            text = number(c * x.attrs[0])
            return text._replace(code=self.number(text.code))
        # spelled out: where the product has a name, this line is not known to read it
        return self.text(x) if c == 1 else self.text(self.b.node("scale", x, attrs=(c, ())), by_name=False)

    def _fold(self, a: Array, done: Array | None, t: Target) -> None:
        rest = [x for x in a.args if x is not done]
        if done is None:
            rest.sort(key=lambda x: (not self._lends(x, t), self._is_single(x), x.shape != a.shape))
            first = rest.pop(0)
            second = rest.pop(next(i for i, x in enumerate(rest) if _span(first, x, a)))
            if first.kind == "bool" and second.kind != "bool":
                first, second = second, first
            t.call("np.multiply", self.text(first).code, self.text(second).code)
        for x in rest:
            t.update("*", self._now(x, t))


def _scaled_into(place: str, x: Text, c: Fraction) -> Text:
    """c x, in the memory of a place."""
    return Text(f"np.multiply({x.code}, {number(c).code}, out={place})")


def _decimal(x: Array, text: Text) -> Text:
    """An operand of a function that computes in the precision of what it gets: no integer."""
    if x.op == "number":
        return Text(repr(float(x.attrs[0])))
    return Text(f"float({text.code})") if x.op == "size" else text


def _span(x: Array, y: Array, a: Array) -> bool:
    """Whether two operands together have the shape of the result."""
    axes = (*reversed(x.shape), *([ONE] * (a.rank - x.rank))), (*reversed(y.shape), *([ONE] * (a.rank - y.rank)))
    return all(d in (p, q) for d, p, q in zip(reversed(a.shape), *axes, strict=True))
