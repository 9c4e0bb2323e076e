"""Words: which runs of letters are names, functions, or products of one-letter names.

`Scope` is what is known of names when a text is read; `Scope.split` turns one word of the text into the names and
functions that it stands for. A name is kept as ASCII writes it, Greek letters as words; its key has no braces, so that
`x_{ij}` and `x_ij` are one name.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from mcalc.algebra.names import GREEK, GREEK_WORDS
from mcalc.errors import AmbiguityError, McalcError, NameProblem, Span
from mcalc.frontend.calls import FUNCTION_WORDS

_LETTER = f"[A-Za-z{''.join(GREEK_WORDS)}]"
_ONE_NAME = re.compile(rf"(?:{_LETTER}|{'|'.join(GREEK)})[0-9]*")
_PIECE = re.compile(rf"{_LETTER}[0-9]*")
_NUMBERED = re.compile(r"([A-Za-z]+)(_?)([0-9]+)")
_GREEK_LETTER = re.compile(f"[{''.join(GREEK_WORDS)}]")

MISSPELT = {
    "ln": "log", "lg": "log", "tg": "tan", "sgn": "sign", "asin": "arcsin", "acos": "arccos", "atan": "arctan",
    "logistic": "sigmoid", "expit": "sigmoid", "lse": "logsumexp", "transpose": "X^T", "fro": "norm", "Tr": "tr",
    "rank": "", "eig": "", "prod": "", "cumsum": "", "trace": "tr", "square": "x.^2", "inverse": "inv",
    "identity": "I", "ident": "I", "hadamard": "A .* B", "elu": "relu", "avg": "mean", "mod": "", "norm2": "norm",
    "svd": "", "std": "", "var": "", "cov": "", "median": "", "argmax": "", "argmin": "", "eigvals": "", "logm": "",
    "sqrtm": "", "chol": "", "swish": "x .* sigmoid(x)", "silu": "x .* sigmoid(x)", "erfc": "1 - erf(x)",
    "lgamma": "", "gammaln": "", "loggamma": "", "digamma": "", "layernorm": "", "batchnorm": "",
    "gelu": "x .* (1 + erf(x / sqrt(2))) / 2", "ndtr": "(1 + erf(x / sqrt(2))) / 2",
    "normcdf": "(1 + erf(x / sqrt(2))) / 2", "log2": "log(x) / log(2)", "log10": "log(x) / log(10)",
    "log_2": "log(x) / log(2)", "log_10": "log(x) / log(10)", "expm1": "exp(x) - 1", "logit": "log(x ./ (1 - x))",
    "logaddexp": "log(exp(x) + exp(y))", "log_softmax": "log(softmax(x))", "log_sigmoid": "log(sigmoid(x))",
    "leaky_relu": "max(x, x / 100)", "norm_1": "norm1", "norm_2": "norm", "norm_F": "norm", "frobenius": "norm",
    "nuc": "", "pow": "x.^2", "power": "x.^2", "cbrt": "x.^(1/3)", "hypot": "sqrt(x.^2 + y.^2)",
    "clip": "min(max(x, a), b)", "heaviside": "x > 0", "mse": "mean((x - y).^2)", "cross": "", "sinc": "",
    "sec": "1 ./ cos(x)", "csc": "1 ./ sin(x)", "cot": "1 ./ tan(x)", "asinh": "log(x + sqrt(x.^2 + 1))",
    "arcsinh": "log(x + sqrt(x.^2 + 1))", "arccosh": "log(x + sqrt(x.^2 - 1))", "acosh": "log(x + sqrt(x.^2 - 1))",
    "arctanh": "log((1 + x) ./ (1 - x)) / 2", "atanh": "log((1 + x) ./ (1 - x)) / 2", "atan2": "", "arctan2": "",
}  # fmt: skip
"""Words of other systems, and what the language has for them."""

_EXTREMES = frozenset(f"{letter}_{end}" for letter in ("lambda", "sigma") for end in ("max", "min"))
_LONG_FUNCTIONS = sorted((w for w in FUNCTION_WORDS if len(w) > 1), key=len, reverse=True)


def spell(word: str) -> str:
    """A name as it is kept: Greek letters as words."""
    return word if word.isascii() else _GREEK_LETTER.sub(lambda m: GREEK_WORDS[m[0]], word)


def shorten(text: str, limit: int = 40) -> str:
    """The text, cut to what a message can show."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def key(name: str) -> str:
    """What makes two spellings one name."""
    return name.replace("{", "").replace("}", "") if "{" in name else name


class Piece(NamedTuple):
    """A part of a word: a name, a function or a constant."""

    kind: str
    value: str
    start: int
    end: int


@dataclass(slots=True)
class Scope:
    """The names that a text may use, and what was noticed while its words were split."""

    symbols: frozenset[str] = frozenset()
    """Keys of declared symbols and of definitions."""
    dimensions: frozenset[str] = frozenset()
    functions: frozenset[str] = frozenset()
    """Names of the user's elementwise functions."""
    wanted: frozenset[str] = frozenset()
    """Keys of the variables of differentiation."""
    differentials: bool = False
    """Whether `dX` is the differential of X."""
    spelling: dict[str, str] = field(default_factory=dict)
    """Key to the name as first written."""
    defined: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
    runs: list[tuple[str, str]] = field(default_factory=list)
    """Runs of three letters or more that were read as products, with the product."""
    closed: bool = False
    """Whether every name is declared or defined, as in a model."""
    indexed: frozenset[str] = frozenset()
    """Keys of the names that have an index: sequences, and dimensions `d[0]`."""
    memo: dict[tuple[str, bool], list[Piece]] = field(default_factory=dict)
    """The pieces of the words met so far, at their first places."""

    def known(self, name: str) -> bool:
        """Whether this is a declared or defined name or dimension."""
        return name in self.symbols or name in self.dimensions or name in self.defined

    def name(self, word: str) -> str:
        """The name of a word that is one name, in its first spelling."""
        name = spell(word)
        return self.spelling.setdefault(key(name), name)

    def _other_spelling(self, name: str) -> str:
        """W1 for W_1 and W_1 for W1, where only the other one is declared."""
        found = _NUMBERED.fullmatch(name)
        if found is None:
            return ""
        other = f"{found[1]}{'' if found[2] else '_'}{found[3]}"
        return other if self.known(other) else ""

    def split(self, word: str, start: int, called: bool) -> list[Piece]:
        """The pieces of a word; `called` says that a parenthesis (or bar) follows."""
        first = self.memo.get((word, called))
        if first is None:
            pieces = self.memo[word, called] = self._split(word, start, called)
            return pieces
        shift = start - first[0].start
        return [Piece(p.kind, p.value, p.start + shift, p.end + shift) for p in first]

    def _split(self, word: str, start: int, called: bool) -> list[Piece]:
        end = start + len(word)
        stem, underscore, _ = word.partition("_")
        whole = key(spell(word))
        if self.known(whole):
            return [Piece("NAME", self.name(word), start, end)]
        other = self._other_spelling(whole)
        if other:
            return [Piece("NAME", self.spelling.get(other, other), start, end)]
        if not underscore:
            if stem in self.functions or whole in self.functions:
                return [Piece("FUNCTION", whole, start, end)]
            if stem in FUNCTION_WORDS and len(stem) > 1:
                return [Piece("FUNCTION", stem, start, end)]
        if self.differentials and stem[0] == "d" and (self.known(whole[1:]) or _ONE_NAME.fullmatch(stem, 1)):
            return [Piece("DIFFERENTIAL", self.name(word[1:]), start, end)]
        if self.closed:
            return self._known_product(word, stem, start, called)
        if _ONE_NAME.fullmatch(stem):
            if called and whole in _EXTREMES:
                raise NameProblem(
                    f"{word}(…) may be a function or a product",
                    Span(start, end),
                    hint=f"eigenvalues and singular values are not functions of the language; declare {whole}: scalar "
                    "if a product is meant",
                )
            if called and whole == "sigma":
                raise NameProblem(
                    f"{word}(…) may be the sigmoid function or a product",
                    Span(start, end),
                    hint="write sigmoid(…), or declare sigma: scalar if a product is meant",
                )
            return [Piece("NAME", self.name(word), start, end)]
        return self._product(word, stem, start, called)

    def _product(self, word: str, stem: str, start: int, called: bool) -> list[Piece]:
        pieces: list[Piece] = []
        for match in _PIECE.finditer(stem):
            pieces.append(Piece("NAME", match[0], start + match.start(), start + match.end()))
        last = pieces[-1]
        pieces[-1] = Piece("NAME", last.value + word[len(stem) :], last.start, start + len(word))
        self._refuse(word, stem, pieces, start, called)
        if len(pieces) > 2:
            product = " ".join(spell(p.value) for p in pieces)
            self.runs.append((spell(word), product))
            self.notes.append(
                f"{spell(word)} is read as the product {product}; to use one name, declare {spell(word)}: n"
            )
        return [Piece("NAME", self.name(p.value), p.start, p.end) for p in pieces]

    def _known_product(self, word: str, stem: str, start: int, called: bool) -> list[Piece]:
        """A word as a product of names that are all known."""
        pieces = [Piece("NAME", m[0], start + m.start(), start + m.end()) for m in _PIECE.finditer(stem)]
        last = pieces[-1]
        pieces[-1] = Piece("NAME", last.value + word[len(stem) :], last.start, start + len(word))
        if len(pieces) > 1 and all(self.known(key(spell(p.value))) for p in pieces):
            return [Piece("NAME", self.name(p.value), p.start, p.end) for p in pieces]
        raise self.unknown(word, Span(start, start + len(word)), called)

    def unknown(self, word: str, span: Span, called: bool = False) -> NameProblem:
        """The error for a name that a model does not declare."""
        shown, stem = shorten(spell(word)), spell(word).partition("_")[0]
        if called:
            meant = "sigmoid" if stem == "sigma" else self._meant(spell(word), stem)
            if meant:
                return NameProblem(f"there is no function {shown}", span, hint=f"did you mean {meant}?")
            if meant is not None:
                hint = f"it is not a function of the language; one of a scalar is defined by {shown}(t) = …"
                return NameProblem(f"there is no function {shown}", span, hint=hint)
        names = sorted({*self.symbols, *self.dimensions, *self.defined})
        near = nearest(spell(word), names)
        declare = f"declare it: input {shown} : SHAPE, or define it: {shown} = …"
        if called:
            declare += f", or as a function of a scalar: {shown}(t) = …"
        if len(stem) == 1 and stem.islower():
            declare += f"; a dimension is declared by a shape: input X : {shown} x m"
        hint = f"did you mean {' or '.join(near)}? else {declare}" if near else declare
        return NameProblem(f"{shown} is neither declared nor defined", span, hint=hint)

    def _meant(self, word: str, stem: str) -> str | None:
        """What a word that is called may stand for; "" where the language has nothing for it, None for a product."""
        for name in (key(word), stem):
            if name in MISSPELT:
                return MISSPELT[name]
        close = _close(stem, _LONG_FUNCTIONS + sorted(self.functions))
        if close or stem.lower() in FUNCTION_WORDS:
            return close or stem.lower()
        return "" if len(stem) > 2 and word.partition("_")[2] in _LONG_FUNCTIONS else None

    def _refuse(self, word: str, stem: str, pieces: list[Piece], start: int, called: bool) -> None:
        """The runs of letters that are no product."""
        span = Span(start, start + len(word))
        shown = shorten(spell(word))
        declare = f"declare {shown}: n"
        if key(spell(word)) in self.wanted:
            raise NameProblem(
                f"{shown} is not declared, so it reads as a product of one-letter names",
                span,
                hint=f"to use one name, {declare}",
            )
        if called:
            meant = self._meant(spell(word), stem)
            if meant is not None:
                hint = f"did you mean {meant}?" if meant else "it is not a function of the language"
                raise NameProblem(f"there is no function {shown}", span, hint=hint)
        if len(pieces) < 3:
            return
        inside = next((f for f in _LONG_FUNCTIONS if f in stem), None)
        if inside is not None:
            at = stem.index(inside)
            apart = " ".join(shorten(x) for x in (stem[:at], f"{inside}(…)", stem[at + len(inside) :]) if x)
            raise NameProblem(
                f"{shown} holds the name of the function {inside}", span, hint=f"write {apart}, or {declare}"
            )
        greek = next((w for w in GREEK if len(w) > 1 and (stem.startswith(w) or stem.endswith(w))), None)
        if greek is not None:
            apart = f"{greek} {stem[len(greek) :]}" if stem.startswith(greek) else f"{stem[: -len(greek)]} {greek}"
            raise NameProblem(
                f"{shown} holds the Greek letter {greek}", span, hint=f"write {shorten(apart)}, or {declare}"
            )
        values = [p.value for p in pieces]
        twice = next((v for v, count in Counter(values).items() if count > 1), None)
        if twice is not None:
            raise NameProblem(
                f"{shown} is not declared; as a product of one-letter names it has {twice} twice",
                span,
                hint=f"to use one name, {declare}; for the product, put spaces between the letters",
            )

    def exponent(self, word: str, start: int) -> None:
        """A run of letters after ^ has two readings."""
        stem = word.partition("_")[0]
        whole = key(spell(word))
        one = self.known(whole) or whole in self.functions or stem in FUNCTION_WORDS or _ONE_NAME.fullmatch(stem)
        if not one:
            first = _PIECE.match(stem)
            assert first is not None
            rest = shorten(word[first.end() :])
            raise AmbiguityError(
                f"the power ^{shorten(word)} can be read in two ways",
                Span(start, start + len(word)),
                notes=(f"^{first[0]} {rest}, or ^({first[0]} {rest})",),
                hint="use a space or parentheses",
            )


def _close(word: str, known: list[str]) -> str:
    if len(word) < 3:
        return ""
    from difflib import get_close_matches

    found = get_close_matches(word, known, 1, 0.75)
    return found[0] if found else ""


def nearest(word: str, known: Sequence[str], count: int = 3) -> list[str]:
    """The known names that are most like the word, the nearest first."""
    from difflib import get_close_matches

    folded = [name for name in known if name.casefold() == word.casefold()]
    cutoff = 0.5 if len(word) < 4 else 0.6
    return list(dict.fromkeys([*folded, *get_close_matches(word, known, count, cutoff)]))[:count]


def suggest(word: str, known: Sequence[str]) -> str:
    """`did you mean …?`, or nothing."""
    from difflib import get_close_matches

    found = get_close_matches(word, known, 1, 0.6)
    if not found:
        found = [name for name in known if name.casefold() == word.casefold()]
    return f"did you mean {found[0]}?" if found else ""


def runs_note(error: McalcError, scope: Scope) -> McalcError:
    """The error, with the runs of letters that were read as products, since one of them may be its cause."""
    for word, product in scope.runs:
        error.notes = (*error.notes, f"{shorten(word)} was read as the product {shorten(product)}")
        error.hint = error.hint or f"to use one name, declare {shorten(word)}: n"
    return error
