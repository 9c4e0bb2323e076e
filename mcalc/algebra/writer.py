"""The writer of ASCII text, which the other notations refine.

A bottom-up fold: the text of a node is made of the texts of its operands and their levels. Two texts are kept where
an identity stands in the node: `known` is for places that fix the size of the node, `free` for places that do not
(there the identity is written with its size).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

from mcalc.algebra.expr import Expr
from mcalc.algebra.functions import FUNCTIONS
from mcalc.algebra.shape import ONE, Dim
from mcalc.errors import LimitError

COMPARISON, SUM, NEGATIVE, PRODUCT, POWER, ATOM = range(6)
"""How tightly a text holds together."""

CHARACTER_LIMIT = 5_000_000

LIKE_SIZE = re.compile(r"\([\w+* ]+\)|\([\w+*/() ]+/\d+\)")
"""What would make a product `I (…)` read as an identity of that size."""


class Text(NamedTuple):
    """The text of a node where its size is known, where it is not, and its level."""

    known: str
    free: str
    level: int

    @property
    def loose(self) -> bool:
        """Whether an identity in it takes its size from outside."""
        return self.known is not self.free


def plain(text: str, level: int = ATOM) -> Text:
    """The text of a node without a loose identity."""
    if len(text) > CHARACTER_LIMIT:
        raise LimitError(f"the formula is longer than {CHARACTER_LIMIT} characters when written out")
    return Text(text, text, level)


def decimal(value: Fraction) -> str:
    """An exact decimal where there is one, else a ratio in parentheses."""
    if value.denominator == 1:
        return str(value.numerator)
    places, rest = 0, value.denominator
    for prime in (2, 5):
        power = 0
        while rest % prime == 0:
            rest //= prime
            power += 1
        places = max(places, power)
    if rest != 1:
        return f"({value.numerator}/{value.denominator})"
    digits = str(value.numerator * 10**places // value.denominator).rjust(places + 1, "0")
    return f"{digits[:-places]}.{digits[-places:]}"


def is_group(node: Expr) -> bool:
    """Whether this is a product that comes to a scalar at its last matrix factor (`x^T A x`, `x^T A x t`)."""
    if node.op != "mul" or not node.is_scalar or node.args[0].is_scalar:
        return False
    closed = False
    for arg in node.args[1:]:
        if arg.is_scalar:
            continue
        if closed:
            return False
        closed = arg.shape[1] is ONE and node.args[0].shape[0] is ONE
    return True


def bare_groups(node: Expr) -> set[int]:
    """Which factors of a product are scalar groups that need no parentheses: left to right gives the same node."""
    bare: set[int] = set()
    args = node.args
    first = next((i for i, arg in enumerate(args) if not arg.is_scalar), len(args))
    for i in range(first - 1, -1, -1):
        follows = i + 1 < len(args) and (i + 1 in bare or not args[i + 1].is_scalar)
        last = i + 1 == len(args) and i > 0
        if (follows or last) and is_group(args[i]):
            bare.add(i)
    return bare


class Writer:
    """ASCII; the other notations change what differs."""

    minus, times, hadamard, quotient = "-", "*", ".*", "./"
    relations: Mapping[str, str] = {"eq": "==", "ge": ">=", "gt": ">", "le": "<=", "lt": "<"}

    def __init__(self, taken: frozenset[str] = frozenset()) -> None:
        """`taken` are names of symbols; where they are names of constants, the constants are written otherwise."""
        self.identity = "eye" if "I" in taken else "I"
        self.circle = "arccos(-1)" if "pi" in taken else self.name("pi")

    def __call__(self, node: Expr, args: list[Text]) -> Text:
        """The text of a node, from those of its operands."""
        method = _METHODS.get(node.op)
        if method is None:
            return self.call(node.op, node, args)
        text: Text = getattr(self, method or node.op)(node, args)
        return text

    # --- pieces -----------------------------------------------------------------------------------------------------

    def name(self, name: str) -> str:
        return name

    def group(self, text: str) -> str:
        return f"({text})"

    def wrap(self, text: str, level: int, least: int) -> str:
        return text if level >= least else self.group(text)

    def dimension(self, d: Dim) -> str:
        return str(d)

    def function(self, word: str) -> str:
        return word

    def call(self, word: str, node: Expr, args: list[Text], *options: str) -> Text:
        """`word(A, B, option)`; nothing outside fixes the size of an argument."""
        if node.op in _SAME_SHAPE:
            return self.variants(node, args, lambda texts: self.apply(word, [*texts, *options]), ATOM)
        return plain(self.apply(word, [*(a.free for a in args), *options]))

    def apply(self, word: str, texts: Sequence[str]) -> str:
        return self.function(word) + self.group(", ".join(texts))

    def variants(self, node: Expr, args: list[Text], build: Callable[[list[str]], str], level: int) -> Text:
        """The text built from operands that fix each other's sizes."""
        known = [arg.known for arg in args]
        text = build(known)
        matrices = [i for i, a in enumerate(node.args) if not a.is_scalar]
        if matrices and all(args[i].loose for i in matrices):
            first = matrices[0]
            known[first] = args[first].free
            return Text(text, build(known), level)
        return plain(text, level)

    def factor(self, text: str, level: int) -> str:
        return self.wrap(text, level, POWER)

    def juxtapose(self, factors: list[str]) -> str:
        out = factors[0]
        for before, factor in pairwise(factors):
            apart = factor[0].isdigit() or (before == self.identity and LIKE_SIZE.fullmatch(factor))
            out += f" {self.times} {factor}" if apart else f" {factor}"
        return out

    def power(self, base: str, exponent: str, elementwise: bool) -> str:
        return f"{base}{'.^' if elementwise else '^'}{exponent}"

    def exponent(self, value: Fraction) -> str:
        return str(value) if value.denominator == 1 else f"({value})"

    def transpose(self, base: str) -> str:
        return f"{base}^T"

    def inverse_transpose(self, inverse: str) -> str:
        return f"{inverse[: -len('^-1')]}^-T"

    def axis(self, axis: int | str) -> str:
        return f"axis={axis}"

    # --- leaves -----------------------------------------------------------------------------------------------------

    def sym(self, node: Expr, args: list[Text]) -> Text:
        return plain(self.name(node.name))

    def num(self, node: Expr, args: list[Text]) -> Text:
        return plain(decimal(node.attrs[0]))

    def dim(self, node: Expr, args: list[Text]) -> Text:
        text = self.dimension(node.attrs[0])
        return plain(text if text.isalnum() else self.group(text))

    def pi(self, node: Expr, args: list[Text]) -> Text:
        return plain(self.circle)

    def eye(self, node: Expr, args: list[Text]) -> Text:
        return Text(self.identity, f"{self.identity}({self.dimension(node.attrs[0])})", ATOM)

    def filled(self, node: Expr, args: list[Text]) -> Text:
        n, m = node.attrs
        sizes = [n] if m is ONE else [n, m]
        return plain(f"{node.op}({','.join(self.dimension(d) for d in sizes)})")

    def unit(self, node: Expr, args: list[Text]) -> Text:
        i, n = node.attrs
        return plain(f"e({i},{self.dimension(n)})")

    def commutation(self, node: Expr, args: list[Text]) -> Text:
        return plain(f"K({','.join(self.dimension(d) for d in node.attrs)})")

    def of_one_size(self, node: Expr, args: list[Text]) -> Text:
        return plain(f"{node.op}({self.dimension(node.attrs[0])})")

    # --- operators --------------------------------------------------------------------------------------------------

    def add(self, node: Expr, args: list[Text]) -> Text:
        minus = [i > 0 and arg.level == NEGATIVE for i, arg in enumerate(args)]

        def build(texts: list[str]) -> str:
            out = []
            for i, (text, arg) in enumerate(zip(texts, args, strict=True)):
                if minus[i]:
                    out.append(f" {self.minus} {text[len(self.minus) :]}")
                else:
                    out.append(("" if i == 0 else " + ") + self.wrap(text, arg.level, NEGATIVE))
            return "".join(out)

        return self.variants(node, args, build, SUM)

    def neg(self, node: Expr, args: list[Text]) -> Text:
        return self.variants(node, args, lambda t: self.minus + self.wrap(t[0], args[0].level, PRODUCT), NEGATIVE)

    def mul(self, node: Expr, args: list[Text]) -> Text:
        bare = bare_groups(node)

        def build(texts: list[str]) -> str:
            factors = []
            for i, text in enumerate(texts):
                free = i in bare or (i == 0 and args[0].level == PRODUCT and is_ratio(node.args[0]))
                factors.append(text if free else self.factor(text, args[i].level))
            return self.juxtapose(factors)

        return self.variants(node, args, build, PRODUCT)

    def div(self, node: Expr, args: list[Text]) -> Text:
        slash = "/" if is_ratio(node) else " / "
        below = self.factor(args[1].known, args[1].level)
        return self.variants(node, args, lambda t: self.wrap(t[0], args[0].level, PRODUCT) + slash + below, PRODUCT)

    def elementwise(self, sign: str) -> Callable[[Expr, list[Text]], Text]:
        def write(node: Expr, args: list[Text]) -> Text:
            first = node.args[0]
            many = first.op == "mul" and sum(not a.is_scalar for a in first.args) > 1
            nested = first.op == "kron" or (first.op == "had" and node.op == "had")
            least = POWER if many or nested else PRODUCT

            def build(texts: list[str]) -> str:
                rest = (self.factor(t, a.level) for t, a in zip(texts[1:], args[1:], strict=True))
                return f" {sign} ".join([self.wrap(texts[0], args[0].level, least), *rest])

            return self.variants(node, args, build, PRODUCT)

        return write

    def had(self, node: Expr, args: list[Text]) -> Text:
        return self.mul(node, args) if node.is_scalar else self.elementwise(self.hadamard)(node, args)

    def hdiv(self, node: Expr, args: list[Text]) -> Text:
        return self.div(node, args) if node.is_scalar else self.elementwise(self.quotient)(node, args)

    def power_literal(self, node: Expr, args: list[Text]) -> Text:
        exponent = self.exponent(node.attrs[0])
        elementwise = node.op == "hpow" and not node.is_scalar
        level = args[0].level
        return self.variants(
            node, args, lambda t: self.power(self.wrap(t[0], level, ATOM), exponent, elementwise), POWER
        )

    def power_symbolic(self, node: Expr, args: list[Text]) -> Text:
        base, exponent = args
        # ^T is a transpose, whatever T is
        bare = node.args[1].op in ("sym", "dim") and exponent.level == ATOM and exponent.free[0] not in "T("
        shown = exponent.free if bare else self.group(exponent.free)
        return plain(self.power(self.wrap(base.free, base.level, ATOM), shown, node.op == "hpower"), POWER)

    def T(self, node: Expr, args: list[Text]) -> Text:
        inner = node.args[0]
        if inner.op == "pow" and inner.attrs[0] == -1 and args[0].level == POWER:
            return self.variants(node, args, lambda t: self.inverse_transpose(t[0]), POWER)
        return self.variants(node, args, lambda t: self.transpose(self.wrap(t[0], args[0].level, ATOM)), POWER)

    def kron(self, node: Expr, args: list[Text]) -> Text:
        return self.call("kron", node, args)

    def compare(self, node: Expr, args: list[Text]) -> Text:
        sign = self.relations[node.op]
        return self.variants(
            node,
            args,
            lambda t: f" {sign} ".join(self.wrap(x, a.level, SUM) for x, a in zip(t, args, strict=True)),
            COMPARISON,
        )

    def over_axis(self, node: Expr, args: list[Text]) -> Text:
        axis = node.attrs[0]
        default = None
        if node.op == "softmax":
            default = 0 if node.args[0].is_column else 1
        return self.call(node.op, node, args, *([] if axis == default else [self.axis(axis)]))

    def renamed(self, node: Expr, args: list[Text]) -> Text:
        return self.call(_CALLED[node.op], node, args)

    def norm(self, node: Expr, args: list[Text]) -> Text:
        return self.call(node.op, node, args)

    def block(self, node: Expr, args: list[Text]) -> Text:
        rows, start = [], 0
        for count in node.attrs:
            rows.append(", ".join(arg.free for arg in args[start : start + count]))
            start += count
        return plain(f"[{'; '.join(rows)}]")

    def index(self, node: Expr, args: list[Text]) -> Text:
        place = ",".join(":" if p is None else str(p) for p in node.attrs)
        return plain(f"{self.wrap(args[0].free, args[0].level, ATOM)}[{place}]")

    def d(self, node: Expr, args: list[Text]) -> Text:
        if node.args[0].op == "sym":
            return plain(f"d{args[0].known}")
        return self.variants(node, args, lambda t: f"d{self.group(t[0])}", ATOM)


def is_ratio(node: Expr) -> bool:
    """Whether this is a quotient of two numbers."""
    return node.op == "div" and node.args[0].op == "num" and node.args[1].op == "num"


_SAME_SHAPE = frozenset([*FUNCTIONS, "max", "min", "softmax", "adj", "pinv", "expm", "tril", "triu"])
_CALLED = {"maxall": "max", "minall": "min", "diagm": "diag", "diagv": "diag"}

_METHODS: dict[str, str] = {
    # operator: the method of `Writer` that writes it; any other operator is written as a function call
    **dict.fromkeys(("sym", "num", "pi", "dim", "eye", "unit", "add", "neg", "mul", "div", "had", "hdiv"), ""),
    **dict.fromkeys(("T", "kron", "norm", "block", "index", "d"), ""),
    "ones": "filled", "zeros": "filled", "K": "commutation", "dup": "of_one_size", "elim": "of_one_size",
    "pow": "power_literal", "hpow": "power_literal", "power": "power_symbolic", "hpower": "power_symbolic",
    **dict.fromkeys(Writer.relations, "compare"), **dict.fromkeys(_CALLED, "renamed"),
    **dict.fromkeys(("sum", "mean", "logsumexp", "softmax"), "over_axis"), "norm1": "norm",
}  # fmt: skip
