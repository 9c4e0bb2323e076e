"""Characters: text as a user gives it to text of the language's alphabet, one character for one.

Compatibility forms of letters and digits become the plain ones (NFKC: `𝐗` is X, `ϕ` is φ, `K` is K, `x₁` is x1), so
that two names that look alike are one name. What is left outside the alphabet (controls, text direction marks,
letters of other scripts, raised letters) is an error with a caret. Positions do not change.
"""

from __future__ import annotations

import unicodedata

from mcalc.algebra.names import GREEK_WORDS
from mcalc.errors import LimitError, ParseError, Span

CHARACTER_LIMIT = 100_000

_SAME = {
    **{c: c for c in "∘⊙⊘⊗‖≥≤𝟏𝟙⊤⊺×⁻⁰¹²³⁴⁵⁶⁷⁸⁹ᵀ"},
    **{c: c for c in GREEK_WORDS},
    "−": "-", "·": "*", "⋅": "*", "∙": "*", "∥": "‖", "′": "'", "’": "'", "⩾": "≥", "⩽": "≤",
    "\u0085": " ", "\u2028": " ", "\u2029": " ",
}  # fmt: skip
_HINTS = {
    "√": "write sqrt(x)", "∑": "write sum(x)", "½": "write 1/2", "∂": "mcalc derives: give the expression alone",
    "∇": "mcalc derives: give the expression alone", "–": "the minus sign is -", "—": "the minus sign is -",
    "∞": "there is no infinity in the language", "≠": "compare with ==, >, >=, < or <=", "÷": "write /",
    "$": "give the formula without dollar signs", "#": "comments belong in files", "~": "write a space",
    '"': "the transpose is ' or ^T", "`": "the transpose is ' or ^T", "∙": "write *", "ς": "the letter is σ",
}  # fmt: skip
_LATIN_TWINS = dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΧ", "ABEZHIKMNOPTX", strict=True))


def normalise(text: str) -> str:
    """The text in the alphabet of the language, of the same length."""
    if len(text) > CHARACTER_LIMIT:
        raise LimitError(f"the text has {len(text)} characters; the limit is {CHARACTER_LIMIT}")
    if text.isascii():
        return text
    return "".join(c if c.isascii() else _SAME.get(c) or _letter(text, i, c) for i, c in enumerate(text))


def _letter(text: str, position: int, character: str) -> str:
    plain = unicodedata.normalize("NFKC", character)
    form = unicodedata.decomposition(character).partition(">")[0]
    raised = form in ("<super", "<sub") and not (form == "<sub" and plain.isdigit())
    if len(plain) == 1 and not raised and form not in ("<circle", "<square", "<fraction"):
        if plain in _SAME:
            return _SAME[plain]
        if plain.isascii() and (plain.isalnum() or plain == " "):
            return plain
    raise ParseError(
        f"{_shown(character)} is not part of the language",
        Span(position, position + 1),
        text=text,
        hint=_hint(character, plain, form),
    )


def _shown(character: str) -> str:
    name = unicodedata.name(character, "")
    code = f"U+{ord(character):04X}" + (f", {name.lower()}" if name else "")
    return f"{character} ({code})" if character.isprintable() else f"the character {code}"


def _hint(character: str, plain: str, form: str) -> str:
    if character in _HINTS:
        return _HINTS[character]
    if character in _LATIN_TWINS:
        return f"this capital looks like the Latin {_LATIN_TWINS[character]}: type that letter"
    if form == "<super":
        return f"write ^{plain}"
    if form == "<sub":
        return f"write _{plain}"
    if unicodedata.category(character)[0] == "L" or unicodedata.combining(character):
        return "letters are Latin (without accents) or Greek"
    return ""


def unexpected(text: str, position: int) -> ParseError:
    """The error for a character that begins no token."""
    character = text[position]
    span = Span(position, position + 1)
    if character == "_":
        return ParseError(
            "a subscript belongs to a letter and is made of letters and digits", span, hint="W_hh, x_{ij}, 1_n"
        )
    if text[position : position + 2] == ".T":
        return ParseError("a transpose is written ^T", span, hint="X^T or X'")
    if character == ".":
        return ParseError("a point stands in a number or in .* ./ .^", span, hint="2.5, A .* B")
    if character == "\\":
        return ParseError("a backslash begins a LaTeX macro", span)
    if character == "!":
        return ParseError("! is not part of the language", span, hint="compare with ==, >, >=, < or <=")
    return ParseError(f"{_shown(character)} is not part of the language", span, hint=_HINTS.get(character, ""))
