"""The parser: text to syntax trees, and error messages in the user's words.

The grammar is grammar/mcalc.lark (beside the package in a checkout, inside it in a wheel). Its tables are shipped as a
Python literal (`_tables.py`), which loads ten times as fast as the grammar is analysed; where they do not belong to the
grammar that is there, they are built from it.
"""

from __future__ import annotations

import hashlib
import os
from contextvars import copy_context
from functools import cache
from typing import Any

from mcalc.errors import McalcError, ParseError, Span
from mcalc.frontend import characters
from mcalc.frontend.syntax import Builder
from mcalc.frontend.words import Scope, shorten

STARTS = ["text", "function", "declarations"]

# fmt: off
_PHRASES: dict[str, str] = {
    # a token, as a message calls it; other tokens are quoted
    "SEMI": "the ;", "COMMA": "the comma", "RPAR": "the )", "RSQB": "the ]", "RBRACE": "the }", "COLON": "the :",
    "EQUALS": "the =",
}
_EXPECTS_OPERAND = frozenset(
    ["PLUS", "MINUS", "OPERATOR", "CARET", "DOTCARET", "RELATION", "LPAR", "LSQB", "LBRACE", "COMMA", "SEMI", "EQUALS",
     "LBAR", "LNORM", "LINDEX", "AXIS"]
)
# fmt: on


def grammar_text() -> str:
    """The grammar: `mcalc/grammar/` in a wheel, `grammar/` beside the package in a checkout."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    for folder in (package, os.path.dirname(package)):
        path = os.path.join(folder, "grammar", "mcalc.lark")
        if os.path.isfile(path):
            with open(path, encoding="utf-8") as file:
                return file.read()
    from importlib.resources import files  # a package in an archive; slow to import

    return (files("mcalc") / "grammar" / "mcalc.lark").read_text(encoding="utf-8")


def digest(grammar: str) -> str:
    """What says whether tables belong to a grammar (line endings do not count)."""
    import lark

    text = grammar.replace("\r\n", "\n")
    return hashlib.sha256(f"{lark.__version__}\n{','.join(STARTS)}\n{text}".encode()).hexdigest()


def build(grammar: str) -> Any:
    """The parser, built from the grammar."""
    from lark import Lark

    from mcalc.frontend.tokens import PostLexer

    return Lark(
        grammar,
        parser="lalr",
        lexer="basic",
        start=STARTS,
        postlex=PostLexer(),
        transformer=Builder(),
        maybe_placeholders=False,
    )


@cache
def _parser() -> Any:
    from lark import Lark

    from mcalc.frontend.tokens import PostLexer

    grammar = grammar_text()
    try:
        from mcalc.frontend import _tables

        if digest(grammar) == _tables.DIGEST:
            load: Any = Lark._load_from_dict
            return load(_tables.DATA, _tables.MEMO, postlex=PostLexer(), transformer=Builder())
    except (ImportError, AttributeError, KeyError, TypeError):
        pass
    return build(grammar)


def tree(text: str, start: str, scope: Scope) -> Any:
    """What the builder makes of a text that begins with this rule."""
    from lark import UnexpectedCharacters, UnexpectedToken

    from mcalc.frontend.tokens import OUTPUT, SCOPE, START

    plain = characters.normalise(text)
    if start == "declarations":
        plain = plain.replace("\n", ";")
    output: list[Any] = []

    def run() -> Any:
        SCOPE.set(scope)
        START.set(start)
        OUTPUT.set(output)
        return _parser().parse(plain, start=start)

    try:
        return copy_context().run(run)
    except McalcError as error:
        raise error.at(None, text) from None
    except UnexpectedCharacters as problem:
        raise characters.unexpected(plain, problem.pos_in_stream or 0).at(None, text) from None
    except UnexpectedToken as problem:
        raise _unexpected(problem.token, output, plain, start).at(None, text) from None


def _unexpected(token: Any, output: list[Any], text: str, start: str) -> ParseError:
    """The error for a token that does not fit, from the token and the one before it."""
    at_end = token.type == "$END"
    place = len(output) if at_end else next((i for i, t in enumerate(output) if t is token), len(output))
    before = output[place - 1] if place else None
    span = Span(len(text), len(text)) if at_end else Span(token.start_pos, token.end_pos)
    if at_end and before is not None:
        span = Span(before.start_pos, before.end_pos)
    if start == "declarations":
        return _undeclared(token, before, span, at_end)
    found = "" if at_end else f", not {_quoted(token)}"
    if before is None:
        what = "an expression" if start == "text" else "name(x) = expression"
        return ParseError(f"expected {what}{found}", span)
    if start == "function" and not any(t.type == "EQUALS" for t in output[:place]):
        return ParseError("expected name(x) = expression", span, hint="swish(x) = x sigmoid(x)")
    if before.type in _EXPECTS_OPERAND:
        hint = "an index stands in square brackets: X[:,1]" if token.type == "COLON" and before.type == "LPAR" else ""
        return ParseError(f"expected an expression after {_quoted(before)}{found}", span, hint=hint)
    if token.type == "EQUALS" and before.type == "RPAR":
        return ParseError(
            "a function is defined apart from the expression", span, hint="define: swish(x) = x sigmoid(x)"
        )
    if token.type == "EQUALS":
        return ParseError(
            "= defines a name at the beginning of a statement", span, hint="R = y - X W; tr(R^T R), or compare with =="
        )
    if token.type == "RELATION":
        return ParseError("comparisons do not chain", span, hint="use parentheses")
    if token.type == "COMMA":
        return ParseError("a comma stands in the arguments of a function, in a block or an index", span)
    if token.type == "COLON" and sum((t.type == "LINDEX") - (t.type == "RSQB") for t in output[:place]) > 0:
        hint = "X[1,:] is a row, X[:,1] a column; a part that is read alone is a matrix of its own"
        return ParseError("a range of rows or columns is not part of the language", span, hint=hint)
    if token.type == "COLON":
        return ParseError("a colon stands in an index or a declaration", span, hint="X[1,:]; declare with --where")
    if token.type == "DOTS":
        return ParseError("a point stands in a number or in .* ./ .^", span, hint="2.5, A .* B")
    if token.type == "SEMI":
        return ParseError("a ; ends a definition or a row of a block", span, hint="R = y - X W; tr(R^T R)")
    if token.type == "AXIS":
        return ParseError("an axis follows the argument of sum, mean, logsumexp or softmax", span)
    if at_end and any(t.type == "EQUALS" for t in output):
        return ParseError("an expression follows the definitions", span, hint="R = y - X W; tr(R^T R)")
    if at_end:
        return ParseError(f"expected more after {_quoted(before)}", span)
    return ParseError(f"expected an operator after {_quoted(before)}{found}", span)


def _undeclared(token: Any, before: Any, span: Span, at_end: bool) -> ParseError:
    found = "" if at_end else f", not {_quoted(token)}"
    after = "" if before is None else f" after {_quoted(before)}"
    if token.type == "MINUS":
        expected, found = (
            "name: shape",
            ", not -: a dimension is a name, a positive integer, or a sum or product of such",
        )
    elif before is None or before.type in ("COMMA", "SEMI"):
        expected = "a name"
    elif before.type in ("COLON", "CROSS", "PLUS", "OPERATOR", "LPAR"):
        expected = "a dimension"
    else:
        expected = "name: shape"
    return ParseError(f"expected {expected}{after}{found}", span, hint="X: n x m symmetric; y: n; t: scalar")


def _quoted(token: Any) -> str:
    return _PHRASES.get(token.type) or shorten(str(token.value))
