"""Printing: an expression as ASCII, Unicode or LaTeX text.

Goes in: an expression, and optionally names for some of its subexpressions (printed as that name wherever they
occur). Comes out: text with as few parentheses as the language needs. The ASCII and Unicode texts parse back to the
same node; so does the LaTeX text, but for unit vectors, commutation matrices and the letter sigma for sigmoid.

A bottom-up fold: the text of a node is made of the texts of its operands and their levels. Two texts are kept where
an identity stands in the node: `known` is for places that fix the size of the node, `free` for places that do not
(there the identity is written with its size).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

from mcalc.algebra.expr import Expr, fold, symbols
from mcalc.algebra.functions import FUNCTIONS
from mcalc.algebra.names import latex_name, parts, unicode_name
from mcalc.algebra.shape import ONE, Dim, shape_text
from mcalc.errors import LimitError

COMPARISON, SUM, NEGATIVE, PRODUCT, POWER, ATOM = range(6)
"""How tightly a text holds together."""

CHARACTER_LIMIT = 5_000_000


class Text(NamedTuple):
    """The text of a node where its size is known, where it is not, and its level."""

    known: str
    free: str
    level: int

    @property
    def loose(self) -> bool:
        """Whether an identity in it takes its size from outside."""
        return self.known is not self.free


def _text(text: str, level: int = ATOM) -> Text:
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

    minus, times, hadamard, quotient, kronecker = "-", "*", ".*", "./", ""
    relations: Mapping[str, str] = {"eq": "==", "ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
    comma = ", "

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
        return _text(self.apply(word, [*(a.free for a in args), *options]))

    def apply(self, word: str, texts: Sequence[str]) -> str:
        return self.function(word) + self.group(self.comma.join(texts))

    def variants(self, node: Expr, args: list[Text], build: Callable[[list[str]], str], level: int) -> Text:
        """The text built from operands that fix each other's sizes."""
        known = [arg.known for arg in args]
        text = build(known)
        matrices = [i for i, a in enumerate(node.args) if not a.is_scalar]
        if matrices and all(args[i].loose for i in matrices):
            first = matrices[0]
            known[first] = args[first].free
            return Text(text, build(known), level)
        return _text(text, level)

    def factor(self, text: str, level: int) -> str:
        return self.wrap(text, level, POWER)

    def juxtapose(self, factors: list[str]) -> str:
        out = factors[0]
        for factor in factors[1:]:
            out += f" {self.times} {factor}" if factor[0].isdigit() or factor[0] == "." else f" {factor}"
        return out

    def power(self, base: str, exponent: str, elementwise: bool) -> str:
        plain = exponent.isalnum() or (exponent[0] == "-" and exponent[1:].isdigit())
        mark = ".^" if elementwise else "^"
        return f"{base}{mark}{exponent if plain and exponent[0] != 'T' else f'({exponent})'}"

    def transpose(self, base: str) -> str:
        return f"{base}^T"

    def inverse_transpose(self, inverse: str) -> str:
        return f"{inverse[: -len('^-1')]}^-T"

    def axis(self, axis: int | str) -> str:
        return f"axis={axis}"

    # --- leaves -----------------------------------------------------------------------------------------------------

    def sym(self, node: Expr, args: list[Text]) -> Text:
        return _text(self.name(node.name))

    def num(self, node: Expr, args: list[Text]) -> Text:
        return _text(decimal(node.attrs[0]))

    def dim(self, node: Expr, args: list[Text]) -> Text:
        text = self.dimension(node.attrs[0])
        return _text(text if text.isalnum() else self.group(text))

    def pi(self, node: Expr, args: list[Text]) -> Text:
        return _text(self.name("pi"))

    def eye(self, node: Expr, args: list[Text]) -> Text:
        return Text("I", f"I({self.dimension(node.attrs[0])})", ATOM)

    def filled(self, node: Expr, args: list[Text]) -> Text:
        n, m = node.attrs
        sizes = [n] if m is ONE else [n, m]
        return _text(f"{node.op}({','.join(self.dimension(d) for d in sizes)})")

    def unit(self, node: Expr, args: list[Text]) -> Text:
        i, n = node.attrs
        return _text(f"e({i},{self.dimension(n)})")

    def commutation(self, node: Expr, args: list[Text]) -> Text:
        return _text(f"K({','.join(self.dimension(d) for d in node.attrs)})")

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
                free = i in bare or (i == 0 and args[0].level == PRODUCT and _is_ratio(node.args[0]))
                factors.append(text if free else self.factor(text, args[i].level))
            return self.juxtapose(factors)

        return self.variants(node, args, build, PRODUCT)

    def div(self, node: Expr, args: list[Text]) -> Text:
        slash = "/" if _is_ratio(node) else " / "
        below = self.factor(args[1].known, args[1].level)
        return self.variants(node, args, lambda t: self.wrap(t[0], args[0].level, PRODUCT) + slash + below, PRODUCT)

    def elementwise(self, sign: str) -> Callable[[Expr, list[Text]], Text]:
        def write(node: Expr, args: list[Text]) -> Text:
            first = node.args[0]
            many = first.op == "mul" and sum(not a.is_scalar for a in first.args) > 1
            least = POWER if many or first.op in ("had", "kron") else PRODUCT

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
        value: Fraction = node.attrs[0]
        exponent = str(value)
        elementwise = node.op == "hpow" and not node.is_scalar
        return self.variants(
            node, args, lambda t: self.power(self.wrap(t[0], args[0].level, ATOM), exponent, elementwise), POWER
        )

    def power_symbolic(self, node: Expr, args: list[Text]) -> Text:
        base, exponent = args
        plain = node.args[1].op in ("sym", "dim") and exponent.level == ATOM
        shown = self.power(self.wrap(base.free, base.level, ATOM), exponent.free, node.op == "hpower")
        if plain and not exponent.free.isalnum() and exponent.free[0] not in "T(":
            mark = ".^" if node.op == "hpower" else "^"
            shown = f"{self.wrap(base.free, base.level, ATOM)}{mark}{exponent.free}"
        return _text(shown, POWER)

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
        return _text(f"[{'; '.join(rows)}]")

    def index(self, node: Expr, args: list[Text]) -> Text:
        place = ",".join(":" if p is None else str(p) for p in node.attrs)
        return _text(f"{self.wrap(args[0].free, args[0].level, ATOM)}[{place}]")

    def d(self, node: Expr, args: list[Text]) -> Text:
        if node.args[0].op == "sym":
            return _text(f"d{args[0].known}")
        return self.variants(node, args, lambda t: f"d{self.group(t[0])}", ATOM)


def _is_ratio(node: Expr) -> bool:
    return node.op == "div" and node.args[0].op == "num" and node.args[1].op == "num"


class UnicodeWriter(Writer):
    """Mathematical characters where the language reads them."""

    minus, times, hadamard, quotient = "−", "·", "∘", "⊘"
    relations = {**Writer.relations, "ge": "≥", "le": "≤"}
    raised = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

    def name(self, name: str) -> str:
        return unicode_name(name)

    def juxtapose(self, factors: list[str]) -> str:
        if sum("‖" in factor for factor in factors) > 1:
            return " · ".join(factors)
        return super().juxtapose(factors)

    def power(self, base: str, exponent: str, elementwise: bool) -> str:
        if not elementwise and exponent.lstrip("-").isdecimal() and exponent.isascii():
            return base + exponent.translate(self.raised)
        return super().power(base, exponent, elementwise)

    def transpose(self, base: str) -> str:
        return f"{base}ᵀ"

    def inverse_transpose(self, inverse: str) -> str:
        return f"{inverse[: -len('⁻¹')]}⁻ᵀ"

    def kron(self, node: Expr, args: list[Text]) -> Text:
        left, right = (self.factor(arg.free, arg.level) for arg in args)
        return _text(f"{left} ⊗ {right}", PRODUCT)

    def norm(self, node: Expr, args: list[Text]) -> Text:
        text = args[0].free
        if "‖" in text:
            return super().norm(node, args)
        return _text(f"‖{text}‖" + ("_1" if node.op == "norm1" else ""))


class LatexWriter(Writer):
    """LaTeX math."""

    times, hadamard, quotient = r"\cdot", r"\odot", r"\oslash"
    relations = {"eq": "=", "ge": r"\ge", "gt": ">", "le": r"\le", "lt": "<"}
    _macros = frozenset(["det", "max", "min", "exp", "log"])

    def name(self, name: str) -> str:
        return latex_name(name)

    def group(self, text: str) -> str:
        tall = r"\frac" in text or r"\begin" in text
        return rf"\left({text}\right)" if tall else f"({text})"

    def dimension(self, d: Dim) -> str:
        return "+".join(" ".join(latex_name(f) for f in term.split("*")) for term in str(d).split("+"))

    def function(self, word: str) -> str:
        if word in FUNCTIONS:
            return FUNCTIONS[word].latex
        if word == "logdet":
            return r"\log\det"
        return f"\\{word}" if word in self._macros else rf"\operatorname{{{word}}}"

    def power(self, base: str, exponent: str, elementwise: bool) -> str:
        mark = r"\odot " if elementwise else ""
        return f"{base}^{{{mark}{exponent}}}"

    def transpose(self, base: str) -> str:
        return rf"{base}^\top"

    def inverse_transpose(self, inverse: str) -> str:
        return rf"{inverse[: -len('^{-1}')]}^{{-\top}}"

    def axis(self, axis: int | str) -> str:
        return rf"\mathrm{{axis}}={axis}" if isinstance(axis, int) else rf"\mathrm{{axis}}=\mathrm{{{axis}}}"

    def eye(self, node: Expr, args: list[Text]) -> Text:
        return Text("I", f"I_{{{self.dimension(node.attrs[0])}}}", ATOM)

    def filled(self, node: Expr, args: list[Text]) -> Text:
        n, m = node.attrs
        sizes = self.dimension(n) if m is ONE else rf"{self.dimension(n)} \times {self.dimension(m)}"
        return _text(rf"\mathbf {1 if node.op == 'ones' else 0}_{{{sizes}}}")

    def unit(self, node: Expr, args: list[Text]) -> Text:
        return _text(f"e_{{{node.attrs[0]}}}")

    def commutation(self, node: Expr, args: list[Text]) -> Text:
        return _text(f"K_{{{','.join(self.dimension(d) for d in node.attrs)}}}")

    def div(self, node: Expr, args: list[Text]) -> Text:
        return self.variants(node, args, lambda t: rf"\frac{{{t[0]}}}{{{t[1]}}}", ATOM if _is_ratio(node) else POWER)

    def kron(self, node: Expr, args: list[Text]) -> Text:
        left, right = (self.factor(arg.free, arg.level) for arg in args)
        return _text(rf"{left} \otimes {right}", PRODUCT)

    def compare(self, node: Expr, args: list[Text]) -> Text:
        inner = super().compare(node, args)
        known = rf"\mathbb{{1}}[{inner.known}]"
        return Text(known, rf"\mathbb{{1}}[{inner.free}]", ATOM) if inner.loose else _text(known)

    def norm(self, node: Expr, args: list[Text]) -> Text:
        below = "_{1}" if node.op == "norm1" else "" if node.args[0].shape[1] is ONE else "_{F}"
        return _text(rf"\lVert {args[0].free} \rVert{below}")

    def block(self, node: Expr, args: list[Text]) -> Text:
        rows, start = [], 0
        for count in node.attrs:
            rows.append(" & ".join(arg.free for arg in args[start : start + count]))
            start += count
        body = r" \\ ".join(rows)
        return _text(rf"\begin{{bmatrix}} {body} \end{{bmatrix}}")

    def index(self, node: Expr, args: list[Text]) -> Text:
        place = ",".join(":" if p is None else str(p) for p in node.attrs)
        plain = node.args[0].op == "sym" and not any(parts(node.args[0].name)[1:])
        base = args[0].free if plain and args[0].level == ATOM else self.group(args[0].free)
        return _text(f"{base}_{{{place}}}")

    def d(self, node: Expr, args: list[Text]) -> Text:
        if node.args[0].op == "sym":
            return _text(rf"\mathrm{{d}}{args[0].known}")
        return self.variants(node, args, lambda t: rf"\mathrm{{d}}{self.group(t[0])}", ATOM)

    def call(self, word: str, node: Expr, args: list[Text], *options: str) -> Text:
        if word == "sqrt" and node.is_scalar:
            return _text(rf"\sqrt{{{args[0].free}}}")
        return super().call(word, node, args, *options)


_SAME_SHAPE = frozenset([*FUNCTIONS, "max", "min", "softmax", "adj", "pinv", "expm", "tril", "triu"])
_CALLED = {"maxall": "max", "minall": "min", "diagm": "diag", "diagv": "diag"}

_METHODS: dict[str, str] = {
    # operator: the method of `Writer` that writes it; any other operator is written as a function call
    **dict.fromkeys(("sym", "num", "pi", "dim", "eye", "unit", "add", "neg", "mul", "div", "had", "hdiv"), ""),
    **dict.fromkeys(("T", "kron", "norm", "block", "index", "d"), ""),
    "ones": "filled", "zeros": "filled", "K": "commutation",
    "pow": "power_literal", "hpow": "power_literal", "power": "power_symbolic", "hpower": "power_symbolic",
    **dict.fromkeys(Writer.relations, "compare"), **dict.fromkeys(_CALLED, "renamed"),
    **dict.fromkeys(("sum", "mean", "logsumexp", "softmax"), "over_axis"), "norm1": "norm",
}  # fmt: skip


def _write(writer: Writer, e: Expr, names: Mapping[Expr, str] | None) -> str:
    memo = {node: _text(writer.name(name)) for node, name in names.items()} if names else {}
    return fold(e, writer, memo).known


def ascii_text(e: Expr, names: Mapping[Expr, str] | None = None) -> str:
    """The expression in the language's ASCII form; `parse` of it, with the symbols declared, is `e`."""
    return _write(Writer(), e, names)


def unicode_text(e: Expr, names: Mapping[Expr, str] | None = None) -> str:
    """The expression with mathematical characters; it parses back as the ASCII form does."""
    return _write(UnicodeWriter(), e, names)


def latex_text(e: Expr, names: Mapping[Expr, str] | None = None) -> str:
    """The expression as LaTeX math (without dollar signs)."""
    return _write(LatexWriter(), e, names)


def where_text(*roots: Expr) -> str:
    """The declarations of the symbols below the roots, as `where` takes them: `X: n x m symmetric; t: scalar`."""
    return "; ".join(" ".join([f"{s.name}: {shape_text(s.shape)}", *sorted(s.attrs[1])]) for s in symbols(*roots))
