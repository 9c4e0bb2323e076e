"""Assembly: the tokens of expressions, as a reader sees them.

    X^Tb       X, transpose, b              σ(x)  an error that offers sigmoid           log det(X)   logdet(X)
    I(n)       the identity of size n       I (A + B)   a product                        e^x          exp(x)
    X[1,2]     an entry of X                X [A, B]    a product with a block           x²           x^2

Goes in: the lexer's tokens without macros, and what is known of names; comes out: the tokens of the grammar.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cached_property
from typing import Any

from mcalc.errors import AmbiguityError, NameProblem, ParseError, Span
from mcalc.frontend import bars, model_tokens
from mcalc.frontend.calls import FUNCTION_WORDS, SIZED
from mcalc.frontend.tokens import CLOSING, OPENING, make, span_of
from mcalc.frontend.words import Scope, key, shorten, spell

_BAR_STARTS = frozenset(["BAR", "BARS", "LBAR", "LNORM"])
_SUPERSCRIPT = re.compile("⁻?ᵀ|⁻?[⁰¹²³⁴⁵⁶⁷⁸⁹]+")
_LOWERED = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹ᵀ", "-0123456789T")
SIZE_SIGNS = frozenset("+*/()")
_SIGNS = {"∘": ".*", "⊙": ".*", "⊘": "./", "@": "*", "≥": ">=", "≤": "<="}


class Assembler:
    """The tokens of one text. A method for a kind of token reads at i and returns where to go on."""

    def __init__(self, raw: list[Any], scope: Scope, start: str) -> None:
        self.raw = raw
        self.scope = scope
        self.start = start
        self.out: list[Any] = []

    def run(self) -> list[Any]:
        """All the tokens."""
        self._find_definitions()
        raw, out, handlers = self.raw, self.out, _HANDLERS
        has_bars = False
        i = 0
        while i < len(raw):
            token = raw[i]
            handler = handlers.get(token.type)
            if handler is None:
                has_bars = has_bars or token.type in bars.KINDS
                out.append(token)
                i += 1
            else:
                i = handler(self, i)
        return bars.pair(out, make) if has_bars else out

    def _find_definitions(self) -> None:
        """`R =` at the beginning of a statement makes R one name, of any length."""
        raw = self.raw
        if self.start == "function":
            for token in raw[0:3:2]:
                if token.type == "WORD":
                    self.scope.defined.add(key(spell(token.value)))
            return
        for i, token in enumerate(raw):
            begins = token.type == "WORD" and (i == 0 or raw[i - 1].type == "SEMI")
            if begins and self._type(i + 1) == "EQUALS":
                self._define(token)

    def _define(self, token: Any) -> None:
        name, span = key(spell(token.value)), span_of(token)
        if (name in FUNCTION_WORDS and len(name) > 1) or name in self.scope.functions:
            raise NameProblem(f"{token.value} is a function", span, hint="choose another name")
        if name in self.scope.defined:
            raise NameProblem(f"{shorten(token.value)} is defined twice", span)
        if self.scope.known(name):
            raise NameProblem(f"{shorten(token.value)} is declared, so it cannot be defined", span)
        self.scope.defined.add(name)

    def _type(self, i: int) -> str:
        return self.raw[i].type if i < len(self.raw) else ""

    def _emit(self, kind: str, value: str, start: int, end: int) -> None:
        self.out.append(make(kind, value, start, end))

    # --- words ------------------------------------------------------------------------------------------------------

    def word(self, i: int) -> int:
        """A word: names, a function, a constant."""
        token = self.raw[i]
        word, start = token.value, token.start_pos
        following = self._type(i + 1)
        name = key(spell(word))
        if word == "axis" and following == "EQUALS":
            self._emit("AXIS", word, start, self.raw[i + 1].end_pos)
            if self._type(i + 2) == "WORD":
                option = self.raw[i + 2]
                self._emit("NAME", option.value, option.start_pos, option.end_pos)
                return i + 3
            return i + 2
        after = model_tokens.word(self, i, name) if self.scope.closed else 0
        if after:
            return after
        special = _SPECIAL.get("I_" if name.startswith("I_") else name)
        if special is not None:
            after = special(self, i, name)
            if after:
                return after
        called = following == "LPAR" or following in _BAR_STARTS
        *pieces, last = self.scope.split(word, start, called)
        for piece in pieces:
            constant = piece.value in ("I", "pi") and not self.scope.known(piece.value)
            self._emit("CONSTANT" if constant else "NAME", piece.value, piece.start, piece.end)
        if last.kind == "FUNCTION":
            return self._function(i, last.value)
        if last.kind == "DIFFERENTIAL":
            self._differential(last.value, last.start, last.end)
        elif pieces:  # what follows belongs to the last letter: `AI(n)`, `xe^y`
            self.raw[i] = make("WORD", word[last.start - start :], last.start, last.end)
            return i
        else:
            self._emit("NAME", last.value, last.start, last.end)
        return i + 1

    def _function(self, i: int, name: str) -> int:
        """A function: parentheses or bars follow it. `log det` is one function."""
        start, shown = self.raw[i].start_pos, name
        if name == "log" and self._type(i + 1) == "WORD" and self.raw[i + 1].value == "det":
            i, name, shown = i + 1, "logdet", "log det"
        span = Span(start, self.raw[i].end_pos)
        following = self._type(i + 1)
        if following == "LPAR" or following in _BAR_STARTS:
            self._emit("FUNCTION", name, span.start, span.end)
        elif name == "eye":
            self._emit("CONSTANT", "I", span.start, span.end)
        else:
            raise ParseError(f"{shown} is a function: parentheses follow it", span, hint=f"{shown}(…)")
        return i + 1

    def _differential(self, name: str, start: int, end: int) -> None:
        self._emit("FUNCTION", "d", start, start + 1)
        self._emit("LPAR", "(", start, start + 1)
        self._emit("NAME", name, start, end)
        self._emit("RPAR", ")", end, end)

    # --- one-letter names with a meaning: 0 where the name is an ordinary one

    def _identity(self, i: int, name: str) -> int:
        """`I`; `I(n)` where n can be a dimension."""
        if self.scope.known(name):
            return 0
        token = self.raw[i]
        function = self._type(i + 1) == "LPAR" and self._sizes_only(self.raw[i + 2 : self.closing(i + 1)])
        self._emit("FUNCTION" if function else "CONSTANT", "I", token.start_pos, token.end_pos)
        return i + 1

    def _constant(self, i: int, name: str) -> int:
        """`I_n` and `pi`, unless they are declared."""
        if self.scope.known(name):
            return 0
        self._emit("CONSTANT", name, self.raw[i].start_pos, self.raw[i].end_pos)
        return i + 1

    def _of_two(self, i: int, name: str) -> int:
        """`K(m,n)` and `e(i,n)` are functions of two arguments; `K (y - H x)` is a product."""
        if self._type(i + 1) != "LPAR" or not self._has_comma(i + 1):
            return 0
        self._emit("FUNCTION", name, self.raw[i].start_pos, self.raw[i].end_pos)
        return i + 1

    def _euler(self, i: int, name: str) -> int:
        """`e(i,n)`; `e^x`, unless e is declared; but `e^T` is a transpose."""
        token = self.raw[i]
        following = self._type(i + 1)
        power = following in ("CARET", "DOTCARET") or (following == "SUPERSCRIPT" and "ᵀ" not in self.raw[i + 1].value)
        if power and not self.scope.known(name) and not self._transposes(i + 1):
            self._emit("CONSTANT", "e", token.start_pos, token.end_pos)
            return i + 1
        return self._of_two(i, name)

    def _d(self, i: int, name: str) -> int:
        """`d(…)` and `d X`, where differentials are read."""
        if not self.scope.differentials or name in self.scope.symbols or name in self.scope.defined:
            return 0
        token = self.raw[i]
        if self._type(i + 1) == "LPAR":
            self._emit("FUNCTION", "d", token.start_pos, token.end_pos)
            return i + 1
        if self._type(i + 1) != "WORD":
            return 0
        following = self.raw[i + 1]
        first, *rest = self.scope.split(following.value, following.start_pos, False)
        self._differential(first.value, token.start_pos, first.end)
        for piece in rest:
            self._emit("NAME", piece.value, piece.start, piece.end)
        return i + 2

    def _transposes(self, i: int) -> bool:
        """Whether the power at i is ^T."""
        j = i + 1
        while self._type(j) in ("LBRACE", "MINUS"):
            j += 1
        return self._type(j) == "TOP" or (self._type(j) == "WORD" and self.raw[j].value.startswith("T"))

    @cached_property
    def _closings(self) -> dict[int, int]:
        """Where each opening bracket closes."""
        closings: dict[int, int] = {}
        stack: list[int] = []
        for j, token in enumerate(self.raw):
            if token.type in OPENING:
                stack.append(j)
            elif token.type in CLOSING:
                closings[stack.pop()] = j
        return closings

    def closing(self, i: int) -> int:
        """Where the bracket at i closes."""
        return self._closings[i]

    def _has_comma(self, i: int) -> bool:
        """Whether a comma separates arguments in the parentheses at i."""
        j, end = i + 1, self.closing(i)
        while j < end:
            if self.raw[j].type == "COMMA":
                return True
            j = self._closings[j] + 1 if self.raw[j].type in OPENING else j + 1
        return False

    def _sizes_only(self, inside: list[Any]) -> bool:
        """Whether these tokens are a dimension: integers and names that are no symbols, and + * / ( )."""
        if self.scope.closed:
            inside = model_tokens.without_indices(inside)
        for token in inside:
            if token.type == "WORD":
                name = key(spell(token.value))
                if name not in self.scope.dimensions and (len(inside) > 1 or not self._may_be_size(name)):
                    return False
            elif not (token.type == "NUMBER" and token.value.isdigit()) and token.value not in SIZE_SIGNS:
                return False
        return bool(inside)

    def _may_be_size(self, name: str) -> bool:
        """A lower-case letter that stands nowhere else as a symbol."""
        plain = name.rstrip("0123456789")
        return len(plain) == 1 and plain.islower() and not self.scope.known(name) and name not in self._letters

    @cached_property
    def _letters(self) -> frozenset[str]:
        """The one-letter names that stand outside of `I(…)`, `ones(…)` and the like."""
        found: set[str] = set()
        i = 0
        while i < len(self.raw):
            token = self.raw[i]
            if token.type == "WORD":
                if token.value in SIZED and self._type(i + 1) == "LPAR":
                    i = self.closing(i + 1)
                    continue
                if token.value not in FUNCTION_WORDS:
                    found.update(re.findall("[A-Za-z][0-9]*", token.value.partition("_")[0]))
            i += 1
        return frozenset(found)

    # --- numbers and powers -----------------------------------------------------------------------------------------

    def ones(self, i: int) -> int:
        """`1_n`, `𝟏`."""
        token = self.raw[i]
        self._emit("CONSTANT", f"1{token.value[1:]}", token.start_pos, token.end_pos)
        return i + 1

    def number(self, i: int) -> int:
        """A number; two side by side are an ambiguity."""
        token = self.raw[i]
        if self.out and self.out[-1].type == "NUMBER":
            before = self.out[-1]
            raise AmbiguityError(
                "two numbers stand side by side",
                span_of(before).to(span_of(token)),
                notes=(f"{shorten(before.value)} * {shorten(token.value)}, or one number",),
                hint="write * between factors",
            )
        self.out.append(token)
        return i + 1

    def prime(self, i: int) -> int:
        """`'`."""
        self._emit("TRANSPOSE", "T", self.raw[i].start_pos, self.raw[i].end_pos)
        return i + 1

    def superscript(self, i: int) -> int:
        """`²`, `⁻¹`, `ᵀ`, `⁻ᵀ`, and several of them."""
        token = self.raw[i]
        at = 0
        while at < len(token.value):
            found = _SUPERSCRIPT.match(token.value, at)
            start = token.start_pos + at
            if found is None:
                raise ParseError("a raised minus belongs to a number or T", Span(start, start + 1), hint="X⁻¹, X⁻ᵀ")
            kind = "TRANSPOSE" if "ᵀ" in found[0] else "RAISED"
            self._emit(kind, found[0].translate(_LOWERED), start, start + len(found[0]))
            at = found.end()
        return i + 1

    def caret(self, i: int) -> int:
        """`^T`, `^{-T}` and `^\\top` are transposes, also before a name (`X^Tb`); `^{\\odot 2}` is `.^2`."""
        raw, start = self.raw, self.raw[i].start_pos
        braced = self._type(i + 1) == "LBRACE"
        j = i + 1 + braced
        minus = self._type(j) == "MINUS"
        j += minus
        kind, word = self._type(j), raw[j].value if j < len(raw) else ""
        sign = "-T" if minus else "T"
        if kind == "TOP" or (kind == "WORD" and word == "T"):
            if not braced or self._type(j + 1) == "RBRACE":
                self._emit("TRANSPOSE", sign, start, raw[j + braced].end_pos)
                return j + 1 + braced
        elif kind == "WORD" and not braced:
            if word[0] == "T" and not self.scope.known(key(spell(word))):
                return self._leading_transpose(j, sign, start)
            self.scope.exponent(word, raw[j].start_pos)
        elif kind == "OPERATOR" and braced and not minus and _SIGNS.get(word, word) == ".*":
            self._emit("DOTCARET", ".^", start, raw[i].end_pos)
            raw[j], raw[i + 1] = make("LBRACE", "{", raw[i + 1].start_pos, raw[j].end_pos), raw[i]
            return j
        self.out.append(raw[i])
        return i + 1

    def elementwise_caret(self, i: int) -> int:
        """`.^`."""
        j = i + 1 + (self._type(i + 1) == "MINUS")
        if self._type(j) == "WORD":
            self.scope.exponent(self.raw[j].value, self.raw[j].start_pos)
        self.out.append(self.raw[i])
        return i + 1

    def _leading_transpose(self, j: int, sign: str, start: int) -> int:
        """`^Tb`: the transpose, then b."""
        token = self.raw[j]
        word = token.value
        if word[1].isdigit() or word[1] == "_":
            raise AmbiguityError(
                f"^{shorten(word)} can be read in two ways",
                Span(start, token.end_pos),
                notes=(f"^T {shorten(word[1:].lstrip('_'))}, or ^({shorten(word)})",),
                hint="use a space or parentheses",
            )
        self._emit("TRANSPOSE", sign, start, token.start_pos + 1)
        self.raw[j] = make("WORD", word[1:], token.start_pos + 1, token.end_pos)
        return j

    # --- signs ------------------------------------------------------------------------------------------------------

    def bracket(self, i: int) -> int:
        """`[`: an index where it touches an operand, else a block."""
        token = self.raw[i]
        before = self.out[-1] if self.out else None
        if (
            before is not None
            and before.end_pos == token.start_pos
            and before.type in bars.ENDS
            and before.type != "NUMBER"
        ):
            token = make("LINDEX", "[", token.start_pos, token.end_pos)
        self.out.append(token)
        return i + 1

    def sign(self, i: int) -> int:
        """An operator or relation, in its ASCII form."""
        token = self.raw[i]
        if token.value in _SIGNS:
            token = make(token.type, _SIGNS[token.value], token.start_pos, token.end_pos)
        before = self.out[-1] if self.out else None
        if token.value == "*" and before is not None and before.value == "*" and before.end_pos == token.start_pos:
            raise ParseError("a power is written ^", span_of(before).to(span_of(token)), hint="x^2, X.^2")
        self.out.append(token)
        return i + 1

    def cross(self, i: int) -> int:
        """`×`, a product."""
        self._emit("OPERATOR", "*", self.raw[i].start_pos, self.raw[i].end_pos)
        return i + 1

    def top(self, i: int) -> int:
        """`\\top` outside of an exponent."""
        raise ParseError("a transpose is an exponent", span_of(self.raw[i]), hint="X^\\top, X^T")


_Method = Callable[[Assembler, int], int]

_HANDLERS: dict[str, _Method] = {
    "WORD": Assembler.word, "ONES": Assembler.ones, "NUMBER": Assembler.number, "PRIME": Assembler.prime,
    "SUPERSCRIPT": Assembler.superscript, "CARET": Assembler.caret, "DOTCARET": Assembler.elementwise_caret,
    "LSQB": Assembler.bracket, "OPERATOR": Assembler.sign, "RELATION": Assembler.sign, "CROSS": Assembler.cross,
    "TOP": Assembler.top,
}  # fmt: skip
_SPECIAL: dict[str, Callable[[Assembler, int, str], int]] = {
    "I": Assembler._identity, "I_": Assembler._constant, "K": Assembler._of_two, "e": Assembler._euler,
    "pi": Assembler._constant, "d": Assembler._d,
}  # fmt: skip
