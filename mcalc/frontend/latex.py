"""LaTeX: the macros of formulas as people write them, turned into tokens of the language.

    \\operatorname{tr}(\\mathbf X^\\top A)   is   tr(X^T A)        \\frac12 \\lVert x \\rVert^2   is   {1}/{2} ||x||^2

Goes in: the tokens of the lexer, macros among them; comes out: the same without macros. Spans stay those of the text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mcalc.algebra.names import GREEK
from mcalc.errors import AmbiguityError, ParseError, Span

Make = Callable[[str, str, int, int], Any]

# fmt: off
_SILENT = frozenset([
    ",", ";", "!", ":", ">", " ", "\n", "\t", "quad", "qquad", "thinspace", "displaystyle", "textstyle", "limits",
    "nolimits", "middle", "big", "Big", "bigg", "Bigg", "bigl", "bigr", "Bigl", "Bigr", "biggl", "biggr", "Biggl",
    "Biggr",
])
_FONTS = frozenset([
    "mathbf", "mathbb", "mathrm", "mathit", "mathsf", "mathcal", "mathfrak", "mathtt", "boldsymbol", "bm", "pmb",
    "text", "textbf", "textrm", "textit", "operatorname", "mathop", "rm", "bf",
])
_ROMAN = frozenset(["operatorname", "mathrm", "text", "textrm", "mathop"])
_FUNCTIONS = (
    "det", "log", "exp", "sin", "cos", "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "max", "min", "tr",
    "diag", "sign", "erf",
)
_WORDS: dict[str, str] = {
    **{word: word for word in GREEK},
    **{f"var{word}": word for word in ("epsilon", "theta", "phi", "rho", "sigma", "kappa", "pi")},
    **{word: word for word in _FUNCTIONS},
    "Tr": "tr", "trace": "tr", "Det": "det", "ln": "log", "sgn": "sign", "ell": "l",
}
_SIGNS: dict[str, tuple[str, str]] = {
    "cdot": ("OPERATOR", "*"), "ast": ("OPERATOR", "*"), "times": ("CROSS", "*"),
    "circ": ("OPERATOR", ".*"), "odot": ("OPERATOR", ".*"), "oslash": ("OPERATOR", "./"), "otimes": ("OPERATOR", "⊗"),
    "le": ("RELATION", "<="), "leq": ("RELATION", "<="), "ge": ("RELATION", ">="), "geq": ("RELATION", ">="),
    "leqslant": ("RELATION", "<="), "geqslant": ("RELATION", ">="), "lt": ("RELATION", "<"), "gt": ("RELATION", ">"),
    "top": ("TOP", "T"), "intercal": ("TOP", "T"), "prime": ("TOP", "T"), "⊤": ("TOP", "T"), "⊺": ("TOP", "T"),
    "lVert": ("LNORM", "||"), "rVert": ("RNORM", "||"), "|": ("BARS", "||"), "Vert": ("BARS", "||"),
    "lvert": ("LBAR", "|"), "rvert": ("RBAR", "|"), "vert": ("BAR", "|"), "mid": ("BAR", "|"),
    "{": ("LPAR", "("), "}": ("RPAR", ")"), "lbrace": ("LPAR", "("), "rbrace": ("RPAR", ")"),
    "lbrack": ("LSQB", "["), "rbrack": ("RSQB", "]"), "\\": ("SEMI", ";"),
}
_DIRECTED = {("left", "BAR"): "LBAR", ("right", "BAR"): "RBAR", ("left", "BARS"): "LNORM", ("right", "BARS"): "RNORM"}
_MATRICES = frozenset(["matrix", "bmatrix", "pmatrix", "Bmatrix", "smallmatrix"])
_FRACTIONS = frozenset(["frac", "dfrac", "tfrac", "cfrac"])
_ALONE = "mcalc derives: give the expression alone"
_NOT_READ = {
    "sum": "sum(x) is the sum of all entries", "prod": "there are no products over an index", "nabla": _ALONE,
    "partial": _ALONE, "int": "there are no integrals in the language", "infty": "there is no infinity in the language",
}  # fmt: skip
"""What the language has instead of macros that it does not read."""
_ACCENTS = frozenset(["hat", "widehat", "bar", "overline", "tilde", "widetilde", "vec", "dot", "ddot", "check"])
# fmt: on


def translate(tokens: list[Any], make: Make) -> list[Any]:
    """The tokens without macros."""
    tokens = _brace_fractions(tokens, make)
    out: list[Any] = []
    i = 0
    while i < len(tokens):
        token = tokens[i]
        if token.type == "AMPERSAND":
            out.append(make("COMMA", ",", token.start_pos, token.end_pos))
            i += 1
        elif token.type == "SUBSCRIPT" and out:
            out[-1:] = _subscript(out[-1], token, make)
            i += 1
        elif token.type != "MACRO":
            out.append(token)
            i += 1
        else:
            i = _macro(tokens, i, out, make)
    return out


_ENDS = frozenset(["WORD", "RPAR", "RSQB", "PRIME", "SUPERSCRIPT"])
"""Tokens with which a factor ends."""


def _macro(tokens: list[Any], i: int, out: list[Any], make: Make) -> int:
    """Reads the macro at i; returns where to go on."""
    token = tokens[i]
    start, end = token.start_pos, token.end_pos
    word = token.value.removeprefix("\\") or " "
    following = tokens[i + 1] if i + 1 < len(tokens) else None
    if word in _SILENT:
        apart = out and out[-1].end_pos < start and out[-1].type in _ENDS
        if word == " " and apart and following is not None and following.type in ("WORD", "LPAR", "LSQB"):
            raise AmbiguityError(
                "a backslash between factors can be read in two ways",
                Span(start, start + 1),
                notes=("a space, as in LaTeX, or the solution of linear equations, as in MATLAB",),
                hint="A b, or A^-1 b",
            )
        return i + 1
    if word in ("left", "right"):
        directed = _DIRECTED.get((word, following.type)) if following is not None else None
        if following is not None and (following.type, following.value) == ("MACRO", "\\|"):
            directed = "LNORM" if word == "left" else "RNORM"
        if following is not None and directed:
            out.append(make(directed, "||" if "NORM" in directed else "|", start, following.end_pos))
            return i + 2
        return i + 1
    if word in _WORDS:
        out.append(make("WORD", _WORDS[word], start, end))
    elif word in _SIGNS:
        out.append(make(*_SIGNS[word], start, end))
    elif word in _FONTS:
        return _font(tokens, i, word, out, make)
    elif word in _FRACTIONS:
        out.append(make("FRACTION", word, start, end))
    elif word == "sqrt" and following is not None and following.type == "LBRACE":
        close = _matching(tokens, i + 1)
        out.append(make("WORD", "sqrt", start, end))
        tokens[i + 1] = make("LPAR", "(", following.start_pos, following.end_pos)
        tokens[close] = make("RPAR", ")", tokens[close].start_pos, tokens[close].end_pos)
    elif word in ("begin", "end"):
        return _matrix(tokens, i, word, out, make)
    else:
        raise _unknown(token, word)
    return i + 1


def _unknown(token: Any, word: str) -> ParseError:
    span = Span(token.start_pos, token.end_pos)
    if word in _ACCENTS:
        return ParseError(f"\\{word} is not part of the language", span, hint=f"use a subscript: y_{word}")
    if word == "sqrt":
        return ParseError("\\sqrt needs braces", span, hint="\\sqrt{x}")
    if word in _NOT_READ:
        return ParseError(f"\\{word} is not part of the language", span, hint=_NOT_READ[word])
    from difflib import get_close_matches

    if len(word) == 1:
        hint = f"A^-1 {word} is the solution of A x = {word}"
        return ParseError(f"\\{word} is not part of the language", span, hint=hint)
    known = [*_WORDS, *_SIGNS, *_FONTS, *_FRACTIONS, "sqrt"]
    close = get_close_matches(word, known, 1, 0.7)
    return ParseError(
        f"\\{word} is not part of the language", span, hint=f"did you mean \\{close[0]}?" if close else ""
    )


def _matching(tokens: list[Any], i: int) -> int:
    """Where the bracket at i closes."""
    depth = 0
    for j in range(i, len(tokens)):
        kind = tokens[j].type
        if kind in ("LBRACE", "LPAR", "LSQB"):
            depth += 1
        elif kind in ("RBRACE", "RPAR", "RSQB"):
            depth -= 1
            if depth == 0:
                return j
    raise ParseError("this bracket is never closed", Span(tokens[i].start_pos, tokens[i].end_pos))


def _font(tokens: list[Any], i: int, font: str, out: list[Any], make: Make) -> int:
    """`\\mathbf{X}` is X, `\\operatorname{tr}` is tr, `\\mathbf 1_n` the all-ones vector."""
    start = tokens[i].start_pos
    braced = i + 1 < len(tokens) and tokens[i + 1].type == "LBRACE"
    at = i + 2 if braced else i + 1
    if at >= len(tokens) or (braced and (at + 1 >= len(tokens) or tokens[at + 1].type != "RBRACE")):
        return i + 1
    inner, stop = tokens[at], at + (2 if braced else 1)
    end = tokens[stop - 1].end_pos
    below = ""
    if stop < len(tokens) and tokens[stop].type == "SUBSCRIPT":
        below = tokens[stop].value
    if inner.type == "NUMBER" and inner.value in ("0", "1"):
        if font == "mathbb" and stop < len(tokens) and tokens[stop].type == "LSQB":
            return _indicator(tokens, stop, make)
        out.append(make("CONSTANT", inner.value + below, start, end + len(below)))
        return stop + bool(below)
    if inner.type == "ONES":
        out.append(make("CONSTANT", inner.value, start, end))
        return stop
    if inner.type == "WORD":
        word = inner.value
        if font in _ROMAN:
            word = _WORDS.get(word, word)
        out.append(make("WORD", word, start, end))
        return stop
    return i + 1


def _indicator(tokens: list[Any], i: int, make: Make) -> int:
    """`\\mathbb{1}[A = B]`: brackets as parentheses, = as a relation."""
    close = _matching(tokens, i)
    for j in range(i, close + 1):
        token = tokens[j]
        axis = "axis" in (tokens[j - 1].value, tokens[j - 2].value)
        if j in (i, close) or (token.type == "EQUALS" and not axis):
            kind, value = {i: ("LPAR", "("), close: ("RPAR", ")")}.get(j, ("RELATION", "=="))
            tokens[j] = make(kind, value, token.start_pos, token.end_pos)
    return i


def _matrix(tokens: list[Any], i: int, word: str, out: list[Any], make: Make) -> int:
    """`\\begin{bmatrix} A & B \\\\ C & D \\end{bmatrix}` is [A, B; C, D]."""
    token = tokens[i]
    name = tokens[i + 2].value if i + 3 < len(tokens) and tokens[i + 1].type == "LBRACE" else ""
    if name not in _MATRICES or tokens[i + 3].type != "RBRACE":
        raise ParseError(
            f"\\{word} is read of matrices only", Span(token.start_pos, token.end_pos), hint="\\begin{bmatrix}"
        )
    kind, value = ("LSQB", "[") if word == "begin" else ("RSQB", "]")
    if word == "end" and out and out[-1].type == "SEMI":
        out.pop()
    out.append(make(kind, value, token.start_pos, tokens[i + 3].end_pos))
    return i + 4


def _subscript(before: Any, token: Any, make: Make) -> list[Any]:
    """A subscript that the lexer did not find in a word: of a macro, an index, a norm."""
    start, end = token.start_pos, token.end_pos
    inner = token.value[1:].strip("{}").replace("\\", "").strip()
    if before.type == "WORD" and "_" not in before.value and inner.isalnum():
        below = inner if len(inner) == 1 or inner.isdigit() or token.value[1] != "{" else f"{{{inner}}}"
        return [make("WORD", f"{before.value}_{below}", before.start_pos, end)]
    if before.type == "WORD" and before.value == "I":
        return [make("CONSTANT", f"I{token.value}", before.start_pos, end)]
    places = [p.strip() for p in inner.split(",")]
    if len(places) == 2 and before.type in ("WORD", "RPAR", "RSQB"):
        if before.type == "WORD" and before.value == "K" and all(p.isalnum() and not p.isdigit() for p in places):
            return _call_of_two(before, places, start, end, make)
        if all(p == ":" or p.isdigit() for p in places):
            kinds = ["COLON" if p == ":" else "NUMBER" for p in places]
            return [
                before,
                make("LINDEX", "[", start, start + 1),
                make(kinds[0], places[0], start, end),
                make("COMMA", ",", start, end),
                make(kinds[1], places[1], start, end),
                make("RSQB", "]", end - 1, end),
            ]
    if before.type in ("RNORM", "BARS", "BAR", "RBAR"):
        return [before, token]
    raise ParseError("a subscript is made of letters and digits", Span(start, end), hint="W_hh, x_{ij}")


def _call_of_two(word: Any, places: list[str], start: int, end: int, make: Make) -> list[Any]:
    return [
        word,
        make("LPAR", "(", start, start + 1),
        make("WORD", places[0], start, end),
        make("COMMA", ",", start, end),
        make("WORD", places[1], start, end),
        make("RPAR", ")", end - 1, end),
    ]


def _brace_fractions(tokens: list[Any], make: Make) -> list[Any]:
    """`\\frac12` as `\\frac{1}{2}`."""
    if not any(t.type == "MACRO" and t.value[1:] in _FRACTIONS for t in tokens):
        return list(tokens)
    tokens = list(tokens)
    for i in range(len(tokens) - 1, -1, -1):
        token = tokens[i]
        if token.type == "MACRO" and token.value[1:] in _FRACTIONS:
            at = i + 1
            for _ in range(2):
                at = _brace_argument(tokens, at, token, make)
    return tokens


def _brace_argument(tokens: list[Any], i: int, fraction: Any, make: Make) -> int:
    """Puts braces around the argument at i; returns what follows it."""
    if i >= len(tokens):
        span = Span(fraction.start_pos, fraction.end_pos)
        raise ParseError(f"{fraction.value} needs a numerator and a denominator", span, hint="\\frac{a}{b}")
    token = tokens[i]
    if token.type == "LBRACE":
        return _matching(tokens, i) + 1
    start, end = token.start_pos, token.end_pos
    first, rest = (token.value[0], token.value[1:]) if token.type in ("NUMBER", "WORD") else (token.value, "")
    if first == "." or not (rest.isdigit() or (rest.isalpha() and token.type == "WORD") or not rest):
        raise ParseError(f"{fraction.value} needs braces", Span(start, end), hint="\\frac{a}{b}")
    middle = end - len(rest)
    braced = [
        make("LBRACE", "{", start, start),
        make(token.type, first, start, middle),
        make("RBRACE", "}", middle, middle),
    ]
    if rest:
        braced.append(make("NUMBER" if rest.isdigit() else "WORD", rest, middle, end))
    tokens[i : i + 1] = braced
    return i + 3
