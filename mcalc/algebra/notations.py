"""The Unicode and LaTeX notations: what they write otherwise than ASCII."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

from mcalc.algebra.expr import Expr
from mcalc.algebra.functions import FUNCTIONS
from mcalc.algebra.names import latex_dimension, latex_name, parts, unicode_name
from mcalc.algebra.shape import ONE, Dim
from mcalc.algebra.writer import ATOM, LIKE_SIZE, POWER, PRODUCT, Text, Writer, plain


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
        if not elementwise and exponent.lstrip("-").isdigit():
            return base + exponent.translate(self.raised)
        return super().power(base, exponent, elementwise)

    def transpose(self, base: str) -> str:
        return f"{base}ᵀ"

    def inverse_transpose(self, inverse: str) -> str:
        return f"{inverse[: -len('⁻¹')]}⁻ᵀ"

    def kron(self, node: Expr, args: list[Text]) -> Text:
        left, right = (self.factor(arg.free, arg.level) for arg in args)
        return plain(f"{left} ⊗ {right}", PRODUCT)

    def norm(self, node: Expr, args: list[Text]) -> Text:
        text = args[0].free
        if "‖" in text:
            return super().norm(node, args)
        return plain(f"‖{text}‖" + ("_1" if node.op == "norm1" else ""))


class LatexWriter(Writer):
    """LaTeX math."""

    hadamard, quotient = r"\odot", r"\oslash"
    relations = {"eq": "=", "ge": r"\ge", "gt": ">", "le": r"\le", "lt": "<"}
    _macros = frozenset(["det", "max", "min", "exp", "log"])

    def name(self, name: str) -> str:
        return latex_name(name)

    def group(self, text: str) -> str:
        tall = r"\frac" in text or r"\begin" in text
        return rf"\left({text}\right)" if tall else f"({text})"

    def dimension(self, d: Dim) -> str:
        return latex_dimension(str(d))

    def function(self, word: str) -> str:
        if word in FUNCTIONS:
            return FUNCTIONS[word].latex
        if word == "logdet":
            return r"\log\det"
        return f"\\{word}" if word in self._macros else rf"\operatorname{{{word}}}"

    def juxtapose(self, factors: list[str]) -> str:
        out = factors[0]
        for before, factor in pairwise(factors):
            apart = factor[0].isdigit() or (factor.startswith(r"\frac") and before[-1].isdigit())
            out += rf" \cdot {factor}" if apart or (before == "I" and LIKE_SIZE.fullmatch(factor)) else f" {factor}"
        return out

    def power(self, base: str, exponent: str, elementwise: bool) -> str:
        mark = r"\odot " if elementwise else ""
        return f"{base}^{{{mark}{exponent}}}"

    def exponent(self, value: Fraction) -> str:
        return str(value)

    def transpose(self, base: str) -> str:
        return rf"{base}^\top"

    def inverse_transpose(self, inverse: str) -> str:
        return rf"{inverse[: -len('^{-1}')]}^{{-\top}}"

    def axis(self, axis: int | str) -> str:
        return rf"\mathrm{{axis}}={axis}" if isinstance(axis, int) else rf"\mathrm{{axis}}=\mathrm{{{axis}}}"

    def eye(self, node: Expr, args: list[Text]) -> Text:
        sized = f"I_{{{self.dimension(node.attrs[0])}}}"
        return Text("I", sized, ATOM) if self.identity == "I" else plain(sized)

    def filled(self, node: Expr, args: list[Text]) -> Text:
        n, m = node.attrs
        sizes = self.dimension(n) if m is ONE else rf"{self.dimension(n)} \times {self.dimension(m)}"
        return plain(rf"\mathbf {1 if node.op == 'ones' else 0}_{{{sizes}}}")

    def unit(self, node: Expr, args: list[Text]) -> Text:
        return plain(f"e_{{{node.attrs[0]}}}")

    def commutation(self, node: Expr, args: list[Text]) -> Text:
        return plain(f"K_{{{','.join(self.dimension(d) for d in node.attrs)}}}")

    def of_one_size(self, node: Expr, args: list[Text]) -> Text:
        return plain(f"{'D' if node.op == 'dup' else 'L'}_{{{self.dimension(node.attrs[0])}}}")

    def div(self, node: Expr, args: list[Text]) -> Text:
        return self.variants(node, args, lambda t: rf"\frac{{{t[0]}}}{{{t[1]}}}", POWER)

    def kron(self, node: Expr, args: list[Text]) -> Text:
        left, right = (self.factor(arg.free, arg.level) for arg in args)
        return plain(rf"{left} \otimes {right}", PRODUCT)

    def compare(self, node: Expr, args: list[Text]) -> Text:
        inner = super().compare(node, args)
        known = rf"\mathbb{{1}}[{inner.known}]"
        return Text(known, rf"\mathbb{{1}}[{inner.free}]", ATOM) if inner.loose else plain(known)

    def norm(self, node: Expr, args: list[Text]) -> Text:
        below = "_{1}" if node.op == "norm1" else "" if node.args[0].shape[1] is ONE else "_{F}"
        return plain(rf"\lVert {args[0].free} \rVert{below}")

    def block(self, node: Expr, args: list[Text]) -> Text:
        rows, start = [], 0
        for count in node.attrs:
            rows.append(" & ".join(arg.free for arg in args[start : start + count]))
            start += count
        body = r" \\ ".join(rows)
        return plain(rf"\begin{{bmatrix}} {body} \end{{bmatrix}}")

    def index(self, node: Expr, args: list[Text]) -> Text:
        place = ",".join(":" if p is None else str(p) for p in node.attrs)
        letter = node.args[0].op == "sym" and not any(parts(node.args[0].name)[1:])
        base = args[0].free if letter and args[0].level == ATOM else self.group(args[0].free)
        return plain(f"{base}_{{{place}}}")

    def d(self, node: Expr, args: list[Text]) -> Text:
        if node.args[0].op == "sym":
            return plain(rf"\mathrm{{d}}{args[0].known}")
        return self.variants(node, args, lambda t: rf"\mathrm{{d}}{self.group(t[0])}", ATOM)

    def call(self, word: str, node: Expr, args: list[Text], *options: str) -> Text:
        if word == "sqrt" and node.is_scalar:
            return plain(rf"\sqrt{{{args[0].free}}}")
        return super().call(word, node, args, *options)
