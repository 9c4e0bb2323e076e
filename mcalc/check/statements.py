"""Statements: the lines of a proof as declarations, equations and the claims that their left-hand sides make.

    where X: n x d; y: n            declarations (also: where $X \\in \\mathbb{R}^{n \\times d}$)
    R = y - X W                     the first time a definition
    df = A = B                      equalities of expressions
    grad_W = …                      a derivative; also \\nabla_W f, \\frac{\\partial f}{\\partial W}, ∂f/∂W

Goes in: a `Problem`. Comes out: `Declaration` and `Equation`, not yet typed. `<A, dX>` becomes tr((A)^T (dX)).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial

from mcalc.check.source import Source
from mcalc.errors import ParseError, Span
from mcalc.frontend.calls import FUNCTION_WORDS
from mcalc.frontend.characters import normalise
from mcalc.frontend.words import key, spell


@dataclass(frozen=True, slots=True)
class Declaration:
    """What `where` says."""

    source: Source


@dataclass(frozen=True, slots=True)
class Left:
    """A left-hand side. `kind` is "grad", "jac", "hess", "partial" (of x: what fits), "second" (d²F), "name" (which is
    a definition if the name is new) or "expression"."""

    kind: str
    source: Source
    variable: str = ""
    function: str = ""
    """The name of what is differentiated, or of what may be defined; "" for the last definition."""


@dataclass(frozen=True, slots=True)
class Equation:
    """`left = right = right …`."""

    left: Left
    rights: tuple[Source, ...]


Statement = Declaration | Equation

# --- equations ------------------------------------------------------------------------------------------------------

_WORD = r"(?:\\?[A-Za-zΑ-Ωα-ω]+[0-9]*(?:_(?:\{\w+\}|\w+))?)"
_D = r"(?:d|∂|\\partial\s*|\\mathrm\{d\}\s*|\\operatorname\{d\}\s*)"
_F = rf"(?P<f>{_WORD})?(?:\s*\([^()=]*\))?"
_X = rf"(?P<x>{_WORD})"
_LOWER = rf"(?:_\s*(?:\{{\s*{_X}\s*\}}|(?P<y>\\?[A-Za-zΑ-Ωα-ω]+[0-9]*)))?"
_NABLA = r"(?:\\nabla|∇)"
_SQUARE = r"(?:\^\s*2|\^\s*\{\s*2\s*\}|²)"
_SECOND = rf"{_D}\s*{_X}\s*(?:{_SQUARE}|{_D}\s*\\?\w+(?:\s*\^\s*(?:\{{?\\?\w+\}}?)|ᵀ|')?)"
_LEFTS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("grad", re.compile(rf"grad_(?:\{{{_X}\}}|(?P<y>{_WORD}))(?:\s+{_F})?")),
    ("jac", re.compile(rf"jac_(?:\{{{_X}\}}|(?P<y>{_WORD}))(?:\s+{_F})?")),
    ("hess", re.compile(rf"hess_(?:\{{{_X}\}}|(?P<y>{_WORD}))(?:\s+{_F})?")),
    ("hess", re.compile(rf"{_NABLA}\s*{_SQUARE}\s*{_LOWER}\s*{_F}")),
    ("hess", re.compile(rf"{_NABLA}\s*_\s*(?:\{{\s*{_X}\s*\}}|(?P<y>\\?\w+?))\s*{_SQUARE}\s*{_F}")),
    ("hess", re.compile(rf"\\[dt]?frac\s*\{{\s*{_D}\s*{_SQUARE}\s*{_F}\s*\}}\s*\{{\s*{_SECOND}\s*\}}")),
    ("hess", re.compile(rf"{_D}\s*{_SQUARE}\s*{_F}\s*/\s*\(?{_SECOND}\)?")),
    ("grad", re.compile(rf"{_NABLA}\s*{_LOWER}\s*{_F}")),
    ("partial", re.compile(rf"\\[dt]?frac\s*\{{\s*{_D}\s*{_F}\s*\}}\s*\{{\s*{_D}\s*{_X}\s*\}}")),
    ("partial", re.compile(rf"{_D}\s*{_F}\s*/\s*{_D}\s*{_X}")),
    ("second", re.compile(rf"(?:d|\\mathrm\{{d\}})\s*{_SQUARE}\s*(?P<f>{_WORD})")),
)


def statements(sources: tuple[Source, ...]) -> list[Statement]:
    """The statements of a problem. Raises ParseError (placed in the source) where a line is none."""
    return [_statement(part) for source in sources for part in _parts(_plain(source)) if part.text]


_LEAD = re.compile(
    r"^(?:(?:=>|⇒|∴|→|\\(?:Rightarrow|implies|therefore|Longrightarrow)\b|[0-9]{1,4}[.)](?=\s)|\([0-9]+\)(?=\s))\s?)+"
)
_DEFINES = re.compile(r":=|≔|≡|\\(?:coloneqq|equiv|triangleq)\b")
_END = re.compile(r"(?:[;,]|(?<![0-9.])\.)\s*$")
_WORDS = "|".join(sorted((w for w in FUNCTION_WORDS if len(w) > 1), key=lambda w: (-len(w), w)))
_D_OF = re.compile(
    r"(?<![A-Za-zΑ-Ωα-ω_\\])(?:d\s+|(?:d|\\mathrm\s*\{d\})\s*(?=\\))"
    rf"((?:\\operatorname\s*\{{(?:{_WORDS})\}}|\\?(?:{_WORDS}))\s*(?:\\left\s*)?\()"
)
_LONGEST_ARGUMENT = 2000
_SPACES = re.compile(r"\s{2,}")
_BOLD = re.compile(r"\\(?:mathbf|boldsymbol|bm|mathit|mathbfit|pmb)\s*\{\s*(\\?[A-Za-zΑ-Ωα-ω]+)\s*\}")
_BRACKET = re.compile(r"[(\[{)\]},⟨⟩]|\\langle\b|\\rangle\b|<(?=[^\s=])|(?<![=<])>(?!=)")
_OPENS, _CLOSES, _ANGLES = frozenset("([{"), frozenset(")]}"), frozenset(["<", "⟨", "\\langle"])
_ALL = re.compile(r"(?s)^.+$")
_PREFIX = re.compile(r"\s*(?:where|let|with)\b:?\s*", re.IGNORECASE)
_BARE_DECLARATION = re.compile(rf"\s*{_WORD}(?:\s*,\s*{_WORD})*\s*:\s*[^=]*$")


def _plain(source: Source) -> Source:
    plain = source.replace(_SPACES, lambda m: " ").replace(_LEAD, lambda m: "").replace(_END, lambda m: "")
    plain = plain.replace(_BOLD, lambda m: m[1]).replace(_DEFINES, lambda m: "=")
    return _inner_products(_differentials(plain)).strip()


def _differentials(source: Source) -> Source:
    """`d logdet(S)` as d(logdet(S))."""
    at = 0
    while True:
        found = _D_OF.search(source.text, at)
        if found is None:
            return source
        end = _closing(source.text, found.end())
        if end > 0:
            source = source[: found.start(1)].glue("(") + source[found.start(1) : end].glue(")") + source[end:]
        at = found.end() + 1


def _closing(text: str, at: int) -> int:
    """What follows the parenthesis that is open before `at`; 0 if it never closes."""
    depth = 1
    for i in range(at, min(len(text), at + _LONGEST_ARGUMENT)):
        depth += (text[i] == "(") - (text[i] == ")")
        if depth == 0:
            return i + 1
    return 0


def _parts(source: Source) -> list[Source]:
    """Equations that a semicolon parts on one line."""
    if _PREFIX.match(source.text) or ";" not in source.text or _BARE_DECLARATION.match(source.text):
        return [source]
    depth, cuts = 0, [-1]
    for i, c in enumerate(source.text):
        depth += (c in "([{") - (c in ")]}")
        if c == ";" and depth <= 0:
            cuts.append(i)
    return [source[a + 1 : b].strip() for a, b in zip(cuts, [*cuts[1:], len(source.text)], strict=True)]


def _statement(source: Source) -> Statement:
    prefix = _PREFIX.match(source.text)
    if prefix is not None or _BARE_DECLARATION.match(source.text):
        return Declaration(_declaration(source[prefix.end() if prefix else 0 :]))
    parts = _split(source)
    if len(parts) == 1:
        raise ParseError(
            "a line of a proof is an equation or a declaration",
            Span(0, len(source.text)), text=source.text, hint="df = 2 x^T A dx, or where A: n x n symmetric; x: n",
        )  # fmt: skip
    if len(parts) > 1 and not parts[0].text:
        raise ParseError("an equation needs a left-hand side", Span(0, 1), text=source.text)
    for place, part in enumerate(parts):
        if not part.text:
            after = parts[place - 1]
            raise ParseError(
                f"expected an expression after the = that follows {after.text}",
                Span(0, len(after.text)), text=after.text,
            )  # fmt: skip
    return Equation(_left(parts[0]), tuple(parts[1:]))


_RELATES = frozenset("=<>≤≥")


def _split(source: Source) -> list[Source]:
    """The parts between equals signs outside of brackets."""
    text, depth, cuts = source.text, 0, [-1]
    for i, c in enumerate(text):
        if c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
        elif c == "=" and depth <= 0 and text[i - 1 : i] not in _RELATES and text[i + 1 : i + 2] != "=":
            cuts.append(i)
    return [source[a + 1 : b].strip() for a, b in zip(cuts, [*cuts[1:], len(text)], strict=True)]


def _left(source: Source) -> Left:
    text = source.text
    for kind, pattern in _LEFTS:
        found = pattern.fullmatch(text)
        if found is not None:
            names = found.groupdict()
            variable = names.get("x") or names.get("y") or ""
            function = names.get("f") or ""
            if kind != "second" or not function.startswith("d"):
                return Left(kind, source, _name(variable), _name(function))
    named = re.fullmatch(rf"({_WORD})\s*(\((?:[^()=]*)\))?", text)
    if named is not None:
        name = _name(named[1])
        arguments = (named[2] or "()")[1:-1].split(",")
        plain = all(re.fullmatch(rf"\s*{_WORD}\s*", a) for a in arguments)
        if not named[2] or (plain and (name not in FUNCTION_WORDS) and name != "d"):
            return Left("name", source[: len(named[1])], function=name)
    return Left("expression", source)


def _name(text: str) -> str:
    """A name as the front end keeps it."""
    return key(spell(normalise(text).removeprefix("\\"))) if text else ""


# --- declarations -----------------------------------------------------------------------------------------------------

_MEMBER = re.compile(r"\s*(?:\\in\b|∈)\s*(?:\\mathbb\s*\{?R\}?|\\R\b|ℝ|R)(?:\s*\^\s*(\{[^{}]*\}|[A-Za-z0-9]))?")
_CLUTTER = re.compile(r"\$|\bbe\b|\\,|\\;|\\!|\\quad|\\text\{|\}?\s*[.,;]?\s*$")
_AND = re.compile(r",?\s+and\s+")
_BETWEEN = re.compile(r",(?=[^:]*?:)(?=\s*\\?[A-Za-zΑ-Ωα-ω]+[0-9_]*\w*\s*:)")


def _declaration(source: Source) -> Source:
    """Declarations in the language, also from `X \\in \\mathbb{R}^{n \\times d}, …`."""
    source = source.replace(_CLUTTER, lambda m: "")
    if not _MEMBER.search(source.text):
        return source.strip()

    def shape(match: re.Match[str]) -> str:
        inside = (match[1] or "scalar").strip("{}")
        return ": " + inside.replace("\\times", " x ").replace("×", " x ").replace("\\cdot", "*")

    source = source.replace(_MEMBER, shape).replace(_AND, lambda m: ", ")
    source = source.replace(re.compile(r"\\(?=[A-Za-z])"), lambda m: "")
    return source.replace(_BETWEEN, lambda m: ";" if _closes_shape(source.text, m.start()) else ",").strip()


def _closes_shape(text: str, at: int) -> bool:
    """Whether the comma at `at` ends a declaration (`X: n x d, y: n`) and stands in no list of names (`a, b: n`)."""
    start = max(text.rfind(";", 0, at), text.rfind(",", 0, at)) + 1
    return ":" in text[start:at]


# --- inner products ---------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Opening:
    """An angle bracket that may open an inner product: where it stands, how deep in brackets, the comma in it."""

    start: int
    end: int
    depth: int
    comma: int = -1


def _inner_products(source: Source) -> Source:
    """`<A, B>`, `⟨A, B⟩`, `\\langle A, B \\rangle` as tr((A)^T (B)); where < compares it is left alone."""
    changes: list[tuple[int, int, str]] = []
    for opening, close, end in _pairs(source.text):
        comma = opening.comma
        changes += [(opening.start, opening.end, "tr(("), (comma, comma + 1, ")^T ("), (close, end, "))")]
    at, pieces = 0, Source("", ())
    for start, end, made in sorted(changes):
        pieces = pieces + source[at:start] + source[start:end].replace(_ALL, partial(_instead, made))
        at = end
    return pieces + source[at:]


def _instead(made: str, match: re.Match[str]) -> str:
    return made


def _pairs(text: str) -> list[tuple[_Opening, int, int]]:
    """Openings with where their closings begin and end."""
    found: list[tuple[_Opening, int, int]] = []
    stack: list[_Opening] = []
    depth = 0
    for match in _BRACKET.finditer(text):
        token, start, end = match[0], match.start(), match.end()
        if token in _OPENS:
            depth += 1
        elif token in _CLOSES:
            depth -= 1
            while stack and stack[-1].depth > depth:
                stack.pop()
        elif token == ",":
            if stack and stack[-1].depth == depth and stack[-1].comma < 0:
                stack[-1].comma = start
        elif token in _ANGLES:
            stack.append(_Opening(start, end, depth))
        elif stack and stack[-1].depth == depth:
            opening = stack.pop()
            plain = text[opening.start] == "<"
            if opening.comma >= 0 and plain == (token == ">") and not (plain and text[start - 1].isspace()):
                found.append((opening, start, end))
    return found
