"""Tokens: what stands between the lexer and the parser.

Goes in: the lexer's words, numbers, macros and signs. Comes out: the terminals that the grammar declares: NAME and
FUNCTION (words split into names), TRANSPOSE, RAISED, LINDEX, opening and closing bars. Here are the limits on size
and depth, the check that brackets match, and the tokens of declarations; those of expressions are in `assemble`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

from lark import Token

from mcalc.errors import LimitError, NameProblem, ParseError, Span
from mcalc.frontend import latex
from mcalc.frontend.words import Scope, spell

TOKEN_LIMIT = 20_000
DEPTH_LIMIT = 200

SCOPE: ContextVar[Scope] = ContextVar("SCOPE")
"""What is known of names while a text is parsed."""
START: ContextVar[str] = ContextVar("START")
"""The start rule."""
OUTPUT: ContextVar[list[Any]] = ContextVar("OUTPUT")
"""The tokens that the parser was given, for its error messages."""

OPENING = {"LPAR": "RPAR", "LSQB": "RSQB", "LBRACE": "RBRACE", "LINDEX": "RSQB"}
CLOSING = frozenset(["RPAR", "RSQB", "RBRACE"])


def make(kind: str, value: str, start: int, end: int) -> Any:
    """A token."""
    return Token(kind, value, start_pos=start, end_pos=end)


def span_of(token: Any) -> Span:
    """Where a token stands."""
    return Span(token.start_pos, token.end_pos)


class PostLexer:
    """One object for all texts; what belongs to a text is in the context variables."""

    always_accept = ("WORD", "ONES", "MACRO", "SUBSCRIPT", "SUPERSCRIPT", "PRIME", "BARS", "BAR", "AMPERSAND", "DOTS")

    def process(self, stream: Iterator[Any]) -> Iterator[Any]:
        """The parser's tokens."""
        from mcalc.frontend.assemble import Assembler

        raw: list[Any] = []
        for token in stream:
            raw.append(token)
            if len(raw) > TOKEN_LIMIT:
                raise LimitError(f"the text has more than {TOKEN_LIMIT} tokens", span_of(token))
        check_brackets(raw)
        if any(t.type in ("MACRO", "SUBSCRIPT", "AMPERSAND") for t in raw):
            raw = latex.translate(raw, make)
            check_brackets(raw)
        start = START.get()
        refuse_derivative(raw, SCOPE.get())
        if start == "declarations" and SCOPE.get().closed:
            raw = model_elements(raw)
        out = declaration_tokens(raw) if start == "declarations" else Assembler(raw, SCOPE.get(), start).run()
        OUTPUT.get().extend(out)
        return iter(out)


def check_brackets(tokens: list[Any]) -> None:
    """Raises where brackets do not match or are nested too deep."""
    stack: list[Any] = []
    for token in tokens:
        if token.type in OPENING:
            stack.append(token)
            if len(stack) > DEPTH_LIMIT:
                raise LimitError(f"brackets are nested more than {DEPTH_LIMIT} deep", span_of(token))
        elif token.type in CLOSING:
            if not stack:
                raise ParseError(f"{token.value} closes nothing", span_of(token))
            opening = stack.pop()
            if OPENING[opening.type] != token.type:
                raise ParseError(f"{token.value} does not close {opening.value}", span_of(opening).to(span_of(token)))
    if stack:
        raise ParseError(f"{stack[-1].value} is never closed", span_of(stack[-1]))


def refuse_derivative(raw: list[Any], scope: Scope) -> None:
    """Raises where d/dx stands and d is no name: a product of quotients is not what was meant."""
    if scope.known("d"):
        return
    plain = [t for t in raw if t.type not in ("LBRACE", "RBRACE")]
    for i, token in enumerate(plain[:-2]):
        over, under = (plain[i + 1], plain[i + 2]) if token.type == "FRACTION" else (token, plain[i + 2])
        quotient = token.type == "FRACTION" or plain[i + 1].value == "/"
        if quotient and over.value == "d" and re.fullmatch(r"d[^\W\d_][\w]*", under.value) and len(under.value) <= 3:
            raise NameProblem(
                f"d/{under.value} can be read in two ways",
                span_of(token).to(span_of(under)),
                hint=f"for the derivative give the expression alone, and --wrt {under.value[1:]}; for a quotient "
                "declare d: scalar",
            )


def model_elements(raw: list[Any]) -> list[Any]:
    """In the declarations of a model a name and an index that touches it are one word: the dimension `d[l-1]`."""
    out: list[Any] = []
    for token in raw:
        inside = out and out[-1].type == "WORD" and "[" in out[-1].value and out[-1].value[-1] != "]"
        if inside or (token.type == "LSQB" and out and out[-1].type == "WORD" and out[-1].end_pos == token.start_pos):
            out[-1] = make("WORD", f"{out[-1].value}{spell(token.value)}", out[-1].start_pos, token.end_pos)
        else:
            out.append(token)
    return out


def declaration_tokens(raw: list[Any]) -> list[Any]:
    """In declarations a word is one name, and an x between dimensions a times sign (`n x m`, `3x3`)."""
    out: list[Any] = []
    in_shape = False
    for token in raw:
        kind, word, start, end = token.type, token.value, token.start_pos, token.end_pos
        if kind in ("SEMI", "COLON"):
            in_shape = kind == "COLON"
        if kind != "WORD":
            out.append(token)
            continue
        last = out[-1].type if out else ""
        if in_shape and word[0] in "xX" and last in ("NAME", "NUMBER", "RPAR"):
            touches = last == "NUMBER" and out[-1].end_pos == start
            if len(word) == 1 or touches:
                out.append(make("CROSS", word[0], start, start + 1))
                word, start = word[1:], start + 1
        if word:
            out.append(make("NUMBER" if word.isdigit() else "NAME", spell(word), start, end))
    return out
