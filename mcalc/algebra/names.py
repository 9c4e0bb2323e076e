"""Names: Greek letters and their words, and how a name is written in ASCII, Unicode and LaTeX.

A name is kept as ASCII writes it: a Latin letter, a Greek word or a longer declared word, digits, a subscript
(`x`, `lambda`, `W1`, `W_hh`, `x_{ij}`); in models also a cotangent's `_bar` and an index (`z_bar[t+1]`). Goes in: such
a name; comes out: its text in one notation.
"""

from __future__ import annotations

import re

# fmt: off
GREEK: dict[str, str] = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "zeta": "ζ", "eta": "η", "theta": "θ",
    "iota": "ι", "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν", "xi": "ξ", "omicron": "ο", "pi": "π", "rho": "ρ",
    "sigma": "σ", "tau": "τ", "upsilon": "υ", "phi": "φ", "chi": "χ", "psi": "ψ", "omega": "ω",
    "Gamma": "Γ", "Delta": "Δ", "Theta": "Θ", "Lambda": "Λ", "Xi": "Ξ", "Pi": "Π", "Sigma": "Σ", "Upsilon": "Υ",
    "Phi": "Φ", "Psi": "Ψ", "Omega": "Ω",
}
# fmt: on
"""Word to letter."""

GREEK_WORDS: dict[str, str] = {letter: word for word, letter in GREEK.items()}
"""Letter to word."""

_FACTOR = re.compile(r"[^-+*/()]+")
_PARTS = re.compile(r"([A-Za-z]+)([0-9]*)(?:_(?:\{([^{}]*)\}|(.+)))?")


def parts(name: str) -> tuple[str, str, str]:
    """The word, the digits after it, and the subscript (without braces)."""
    found = _PARTS.fullmatch(name)
    if found is None:
        return name, "", ""
    word, digits, braced, plain = found.groups()
    return word, digits, braced or plain or ""


def base_and_index(name: str) -> tuple[str, str]:
    """`W[3]` is ("W", "[3]")."""
    base, bracket, rest = name.partition("[")
    return base, bracket + rest


def unicode_name(name: str) -> str:
    """The name with its Greek word as a letter."""
    word = parts(base_and_index(name)[0])[0]
    return GREEK[word] + name[len(word) :] if word in GREEK else name


def latex_name(name: str) -> str:
    """The name as LaTeX math: `\\lambda`, `W_{hh}`, `W_1` for W1, `\\mathrm{loss}`, `\\bar{z}_{t+1}` for z_bar[t+1]."""
    name, _, index = name.partition("[")
    bare = re.sub(r"_bar([0-9]*)$", r"\1", name) if index or name.endswith("_bar") else name
    word, digits, subscript = parts(bare)
    if word == "omicron":
        stem = "o"
    elif word in GREEK:
        stem = f"\\{word}"
    else:
        stem = word if len(word) == 1 else rf"\mathrm{{{word}}}"
    if bare != name:
        stem = rf"\bar{{{stem}}}" if len(word) == 1 or word in GREEK else rf"\overline{{{stem}}}"
    if len(subscript) > 1 and index:
        subscript = rf"\mathrm{{{subscript}}}"
    below = ",".join(f"\\{part}" if part in GREEK else part for part in (digits, subscript, index[:-1]) if part)
    if not below:
        return stem
    return f"{stem}_{below}" if len(below) == 1 else f"{stem}_{{{below}}}"


def latex_dimension(text: str) -> str:
    """A dimension as LaTeX math: names and their products, sums and halves."""
    return _FACTOR.sub(lambda m: latex_name(m[0]), text).replace("*", " ")
