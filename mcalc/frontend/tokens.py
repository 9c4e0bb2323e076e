"""Tokens: what stands between the lexer and the parser.

Goes in: the lexer's words, numbers, macros and signs. Comes out: NAME and FUNCTION (words split into names), TRANSPOSE
(`^T`, `'`, `\\top`), RAISED (`²`), LINDEX (a bracket that touches an operand), opening and closing bars. Limits on
size and depth, and brackets that do not match, are found here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

from lark import Token

from mcalc.errors import AmbiguityError, LimitError, NameProblem, ParseError, Span
from mcalc.frontend import bars, latex
from mcalc.frontend.calls import FUNCTION_WORDS
from mcalc.frontend.words import Scope, key, spell

TOKEN_LIMIT = 20_000
DEPTH_LIMIT = 200

SCOPE: ContextVar[Scope] = ContextVar("SCOPE")
"""What is known of names while a text is parsed."""
MODE: ContextVar[str] = ContextVar("MODE", default="text")
"""The start rule."""
OUTPUT: ContextVar[list[Any]] = ContextVar("OUTPUT")
"""The tokens that the parser was given, for its error messages."""

_OPEN = {"LPAR": "RPAR", "LSQB": "RSQB", "LBRACE": "RBRACE", "LINDEX": "RSQB"}
_CLOSE = frozenset(["RPAR", "RSQB", "RBRACE"])
_BAR_STARTS = frozenset(["BAR", "BARS", "LBAR", "LNORM"])
_SUPERSCRIPT = re.compile("⁻?ᵀ|⁻?[⁰¹²³⁴⁵⁶⁷⁸⁹]+")
_LOWERED = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹ᵀ", "-0123456789T")
_SIGNS = {"∘": ".*", "⊙": ".*", "⊘": "./", "@": "*", "≥": ">=", "≤": "<=", "‖": "||"}


def make(kind: str, value: str, start: int, end: int) -> Any:
    """A token."""
    return Token._future_new(kind, value, start, None, None, None, None, end)


class Assembler:
    """The post-lexer (one object for all texts; what belongs to a text is in context variables)."""

    always_accept = ("WORD", "ONES", "MACRO", "SUBSCRIPT", "SUPERSCRIPT", "PRIME", "BARS", "BAR", "AMPERSAND")

    def process(self, stream: Iterator[Any]) -> Iterator[Any]:
        """The parser's tokens."""
        raw: list[Any] = []
        for token in stream:
            raw.append(token)
            if len(raw) > TOKEN_LIMIT:
                raise LimitError(f"the text has more than {TOKEN_LIMIT} tokens", Span(token.start_pos, token.end_pos))
        _check_brackets(raw)
        scope, mode = SCOPE.get(), MODE.get()
        out = _Declarations(raw).run() if mode == "declarations" else _Text(raw, scope, mode).run()
        OUTPUT.get().extend(out)
        return iter(out)


def _check_brackets(tokens: list[Any]) -> None:
    stack: list[Any] = []
    for token in tokens:
        if token.type in _OPEN:
            stack.append(token)
            if len(stack) > DEPTH_LIMIT:
                raise LimitError(
                    f"brackets are nested more than {DEPTH_LIMIT} deep", Span(token.start_pos, token.end_pos)
                )
        elif token.type in _CLOSE:
            span = Span(token.start_pos, token.end_pos)
            if not stack:
                raise ParseError(f"{token.value} closes nothing", span)
            opening = stack.pop()
            if _OPEN[opening.type] != token.type:
                raise ParseError(f"{token.value} does not close {opening.value}", Span(opening.start_pos, span.end))
    if stack:
        raise ParseError(f"{stack[-1].value} is never closed", Span(stack[-1].start_pos, stack[-1].end_pos))


class _Declarations:
    """In declarations a word is a name, and an x between dimensions a times sign."""

    def __init__(self, raw: list[Any]) -> None:
        self.raw = raw

    def run(self) -> list[Any]:
        raw = latex.translate(self.raw, make) if any(t.type == "MACRO" for t in self.raw) else self.raw
        out: list[Any] = []
        in_shape = False
        for token in raw:
            kind, last = token.type, out[-1].type if out else ""
            if kind == "SEMI":
                in_shape = False
            elif kind == "COLON":
                in_shape = True
            if kind != "WORD":
                if kind == "OPERATOR" and token.value in _SIGNS:
                    token = make(kind, _SIGNS[token.value], token.start_pos, token.end_pos)
                out.append(token)
                continue
            word, start, end = token.value, token.start_pos, token.end_pos
            if in_shape and last in ("NAME", "NUMBER", "RPAR") and word[0] in "xX":
                touching = last == "NUMBER" and out[-1].end_pos == start
                if word in ("x", "X") or touching:
                    out.append(make("CROSS", word[0], start, start + 1))
                    if len(word) == 1:
                        continue
                    word, start = word[1:], start + 1
                    if word[0].isdigit():
                        out.append(make("NUMBER", word, start, end))
                        continue
            out.append(make("NAME", spell(word), start, end))
        return out


class _Text:
    """Expressions, definitions and functions."""

    def __init__(self, raw: list[Any], scope: Scope, mode: str) -> None:
        self.raw = raw
        self.scope = scope
        self.mode = mode
        self.out: list[Any] = []
        self.bars = False
        self.depth = 0

    def run(self) -> list[Any]:
        if any(t.type in ("MACRO", "SUBSCRIPT", "AMPERSAND") for t in self.raw):
            self.raw = latex.translate(self.raw, make)
            _check_brackets(self.raw)
        self._find_definitions()
        raw, out = self.raw, self.out
        handlers = self._HANDLERS
        i = 0
        while i < len(raw):
            token = raw[i]
            handler = handlers.get(token.type)
            if handler is None:
                out.append(token)
                i += 1
            else:
                i = handler(self, i)
        if self.bars or any(t.type == "SUBSCRIPT" for t in out):
            return bars.pair(out, make)
        return out

    def _find_definitions(self) -> None:
        """`R =` at the beginning of a statement makes R one name."""
        raw, depth = self.raw, 0
        for i, token in enumerate(raw):
            if token.type in _OPEN:
                depth += 1
            elif token.type in _CLOSE:
                depth -= 1
            elif token.type == "EQUALS" and depth == 0 and i > 0 and raw[i - 1].type == "WORD":
                if self.mode == "text" and (i == 1 or raw[i - 2].type == "SEMI"):
                    self._define(raw[i - 1])
        if self.mode == "function" and len(raw) > 2 and raw[0].type == raw[2].type == "WORD":
            for token in (raw[0], raw[2]):
                self.scope.defined.add(key(spell(token.value)))

    def _define(self, token: Any) -> None:
        name = key(spell(token.value))
        span = Span(token.start_pos, token.end_pos)
        if (name in FUNCTION_WORDS and len(name) > 1) or name in self.scope.functions:
            raise NameProblem(f"{token.value} is a function of the language", span, hint="choose another name")
        if name in self.scope.defined:
            raise NameProblem(f"{token.value} is defined twice", span)
        if self.scope.known(name):
            raise NameProblem(f"{token.value} is declared, so it cannot be defined", span)
        self.scope.defined.add(name)

    # --- one method a kind of token; each returns where to go on

    def _type(self, i: int) -> str:
        return self.raw[i].type if i < len(self.raw) else ""

    def _emit(self, kind: str, value: str, start: int, end: int) -> None:
        self.out.append(make(kind, value, start, end))

    def word(self, i: int) -> int:
        token = self.raw[i]
        word, start, end = token.value, token.start_pos, token.end_pos
        following = self._type(i + 1)
        name = key(spell(word))
        if name.startswith("I_") and not self.scope.known(name):
            self._emit("CONSTANT", word, start, end)
            return i + 1
        if word == "axis" and following == "EQUALS" and not self.scope.known(name):
            self._emit("AXIS", word, start, self.raw[i + 1].end_pos)
            if self._type(i + 2) == "WORD":
                option = self.raw[i + 2]
                self._emit("NAME", option.value, option.start_pos, option.end_pos)
                return i + 3
            return i + 2
        if name in self._SPECIAL and not (self.scope.known(name) and name not in "Ke"):
            special = self._SPECIAL[name](self, i, name)
            if special:
                return special
        called = following == "LPAR" or following in _BAR_STARTS
        for piece in self.scope.split(word, start, called):
            if piece.kind == "FUNCTION":
                return self._function(i, piece.value)
            if piece.kind == "DIFFERENTIAL":
                self._emit("FUNCTION", "d", piece.start, piece.start)
                self._emit("LPAR", "(", piece.start, piece.start)
                self._emit("NAME", piece.value, piece.start, piece.end)
                self._emit("RPAR", ")", piece.end, piece.end)
            else:
                self._emit("NAME", piece.value, piece.start, piece.end)
        return i + 1

    def _function(self, i: int, name: str) -> int:
        token = self.raw[i]
        following = self._type(i + 1)
        if name == "log" and following == "WORD" and self.raw[i + 1].value == "det":
            self._emit("FUNCTION", "logdet", token.start_pos, self.raw[i + 1].end_pos)
            i, name = i + 1, "log det"
            following = self._type(i + 1)
        else:
            self._emit("FUNCTION", name, token.start_pos, token.end_pos)
        if following != "LPAR" and following not in _BAR_STARTS:
            if name == "eye" and following != "LPAR":
                self.out[-1] = make("CONSTANT", "I", token.start_pos, token.end_pos)
                return i + 1
            raise ParseError(
                f"{name} is a function: parentheses follow it",
                Span(token.start_pos, self.raw[i].end_pos),
                hint=f"{name}(…)",
            )
        return i + 1

    def _identity(self, i: int, name: str) -> int:
        token = self.raw[i]
        if name in ("I", "e", "K") and self._type(i + 1) == "LPAR":
            close = self._closing(i + 1)
            inside = self.raw[i + 2 : close]
            if name == "I":
                is_function = self._sizes_only(inside)
            else:
                is_function = self._has_comma(inside)
            if is_function:
                self._emit("FUNCTION", name, token.start_pos, token.end_pos)
                return i + 1
        if name == "e":
            power = self._type(i + 1) in ("CARET", "DOTCARET") or (
                self._type(i + 1) == "SUPERSCRIPT" and "ᵀ" not in self.raw[i + 1].value
            )
            if not power or self.scope.known(name) or self._transposes(i + 1):
                return 0
        if name == "K":
            return 0
        self._emit("CONSTANT", name, token.start_pos, token.end_pos)
        return i + 1

    def _transposes(self, i: int) -> bool:
        """Whether the power at i is ^T."""
        j = i + 1
        while self._type(j) in ("LBRACE", "MINUS"):
            j += 1
        return self._type(j) == "TOP" or (self._type(j) == "WORD" and self.raw[j].value.startswith("T"))

    def _closing(self, i: int) -> int:
        depth = 0
        for j in range(i, len(self.raw)):
            if self.raw[j].type in _OPEN:
                depth += 1
            elif self.raw[j].type in _CLOSE:
                depth -= 1
                if depth == 0:
                    return j
        return len(self.raw)

    def _has_comma(self, inside: list[Any]) -> bool:
        depth = 0
        for token in inside:
            depth += (token.type in _OPEN) - (token.type in _CLOSE)
            if token.type == "COMMA" and depth == 0:
                return True
        return False

    def _sizes_only(self, inside: list[Any]) -> bool:
        """Whether `I(…)` holds a dimension: integers and names that are no symbols, their sums and products."""
        if not inside:
            return False
        for token in inside:
            if token.type == "WORD":
                name = key(spell(token.value))
                if name in self.scope.dimensions:
                    continue
                if len(inside) > 1 or self.scope.known(name) or not name[0].islower() or not name.isascii():
                    return False
                if len(name.rstrip("0123456789")) > 1 or name in self._letters():
                    return False
            elif token.type not in ("NUMBER", "PLUS", "OPERATOR") or (token.value not in ("+", "*") and not token.isdigit()):
                return False
        return True

    def _letters(self) -> set[str]:
        """The one-letter names that stand outside of `I(…)`, `ones(…)` and the like."""
        found: set[str] = set()
        raw, i = self.raw, 0
        while i < len(raw):
            token = raw[i]
            if token.type == "WORD":
                if token.value in ("I", "eye", "ones", "zeros", "K", "e") and self._type(i + 1) == "LPAR":
                    close = self._closing(i + 1)
                    if close - i < 12:
                        i = close
                        continue
                found.update(re.findall(r"[A-Za-z][0-9]*", token.value.partition("_")[0]))
            i += 1
        return found

    def sized(self, i: int) -> int:
        token = self.raw[i]
        value = "1" + token.value[1:] if token.value[0] in "𝟏𝟙" else token.value
        self._emit("CONSTANT", value, token.start_pos, token.end_pos)
        return i + 1

    def number(self, i: int) -> int:
        token = self.raw[i]
        if self.out and self.out[-1].type == "NUMBER":
            before = self.out[-1]
            raise AmbiguityError(
                "two numbers stand side by side",
                Span(before.start_pos, token.end_pos),
                notes=(f"{before.value} * {token.value}, or {before.value}{token.value}",),
                hint="write * between factors",
            )
        self.out.append(token)
        return i + 1

    def prime(self, i: int) -> int:
        token = self.raw[i]
        self._emit("TRANSPOSE", "T", token.start_pos, token.end_pos)
        return i + 1

    def superscript(self, i: int) -> int:
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
        """`^T`, `^{-T}` and `^\\top` are transposes, also in front of a name (`X^Tb`)."""
        raw, start = self.raw, self.raw[i].start_pos
        j = i + 1
        braced = self._type(j) == "LBRACE"
        j += braced
        minus = self._type(j) == "MINUS"
        j += minus
        value = "-T" if minus else "T"
        if braced and raw[j : j + 1] and self._type(j + 1) == "RBRACE":
            if self._type(j) == "TOP" or (self._type(j) == "WORD" and raw[j].value == "T"):
                self._emit("TRANSPOSE", value, start, raw[j + 1].end_pos)
                return j + 2
        elif not braced and self._type(j) == "TOP":
            self._emit("TRANSPOSE", value, start, raw[j].end_pos)
            return j + 1
        elif not braced and self._type(j) == "WORD":
            word = raw[j].value
            longer = len(word) > 1 and self.scope.known(key(spell(word)))
            if word[0] == "T" and not longer and self._type(i) == "CARET":
                return self._leading_transpose(j, word, value, start)
            self.scope.exponent(word, raw[j].start_pos)
        elif braced and self._type(j) == "OPERATOR" and raw[j].value in (".*", "∘", "⊙") and not minus:
            self._emit("DOTCARET", ".^", start, raw[i].end_pos)
            raw[j] = raw[i + 1]
            return j
        self.out.append(raw[i])
        return i + 1

    def _leading_transpose(self, j: int, word: str, value: str, start: int) -> int:
        token = self.raw[j]
        self._emit("TRANSPOSE", value, start, token.start_pos + 1)
        if word == "T":
            return j + 1
        if word[1].isdigit() or word[1] == "_":
            raise AmbiguityError(
                f"^{word} can be read in two ways",
                Span(start, token.end_pos),
                notes=(f"^T {word[1:].lstrip('_')}, or ^({word})",),
                hint="use a space or parentheses",
            )
        self.raw[j] = make("WORD", word[1:], token.start_pos + 1, token.end_pos)
        return j

    def bracket(self, i: int) -> int:
        token = self.raw[i]
        before = self.out[-1] if self.out else None
        touches = before is not None and before.end_pos == token.start_pos
        if touches and before.type in bars.ENDS and before.type != "NUMBER":
            token = make("LINDEX", "[", token.start_pos, token.end_pos)
        self.out.append(token)
        return i + 1

    def bar(self, i: int) -> int:
        self.bars = True
        self.out.append(self.raw[i])
        return i + 1

    def sign(self, i: int) -> int:
        token = self.raw[i]
        if token.value in _SIGNS:
            token = make(token.type, _SIGNS[token.value], token.start_pos, token.end_pos)
        if token.value == "*" and self.out and self.out[-1].value == "*" and self.out[-1].end_pos == token.start_pos:
            raise ParseError("a power is written ^", Span(self.out[-1].start_pos, token.end_pos), hint="x^2, X.^2")
        self.out.append(token)
        return i + 1

    def cross(self, i: int) -> int:
        self._emit("OPERATOR", "*", self.raw[i].start_pos, self.raw[i].end_pos)
        return i + 1

    def top(self, i: int) -> int:
        token = self.raw[i]
        raise ParseError("a transpose is an exponent", Span(token.start_pos, token.end_pos), hint="X^\\top, X^T")

    _SPECIAL = {"I": _identity, "K": _identity, "e": _identity, "pi": _identity}
    _HANDLERS = {
        "WORD": word, "ONES": sized, "NUMBER": number, "PRIME": prime, "SUPERSCRIPT": superscript, "CARET": caret,
        "DOTCARET": caret, "LSQB": bracket, "OPERATOR": sign, "RELATION": sign, "CROSS": cross, "TOP": top,
        "BAR": bar, "BARS": bar, "LBAR": bar, "RBAR": bar, "LNORM": bar, "RNORM": bar,
    }  # fmt: skip
