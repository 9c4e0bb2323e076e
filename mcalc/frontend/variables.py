"""Variables of differentiation: the names in `wrt`, and those of them that the expression does not hold."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from mcalc.algebra.names import GREEK, parts
from mcalc.errors import NameProblem, UsageError
from mcalc.frontend.characters import normalise
from mcalc.frontend.words import shorten, spell, suggest


def named(wrt: str | Sequence[str]) -> list[str]:
    """The names in `wrt`, as often as they are named."""
    parts = (part for text in ([wrt] if isinstance(wrt, str) else wrt) for part in text.replace(";", ",").split(","))
    return [_name(part.strip()) for part in parts if part.strip()]


def wanted(wrt: str | Sequence[str]) -> list[str]:
    """The names in `wrt`, each once."""
    return list(dict.fromkeys(named(wrt)))


def _name(text: str) -> str:
    name = spell(normalise(text).removeprefix("\\"))
    word, digits, below = parts(name)
    if not word.isalpha() or not (word + digits).isalnum() or (below and not below.isalnum()):
        raise UsageError(f"{shorten(text)} is not a name", text=text)
    return name


def check_absent(name: str, known: Sequence[str], definitions: Collection[str], dimensions: Collection[str]) -> None:
    """Refuses a name that is neither in the expression nor declared: more likely a slip than a wish for a zero."""
    if name in definitions:
        raise NameProblem(f"{name} is defined, so it is no variable of differentiation", text=name)
    if name in dimensions:
        raise NameProblem(f"{name} is a dimension, so it is no variable of differentiation", text=name)
    word = parts(name)[0]
    related = [k for k in known if parts(k)[0].casefold() == word.casefold()]
    hint = f"did you mean {related[0]}?" if related else suggest(name, known)
    if not known:
        hint = f"it has no variables; to see that a derivative is zero, declare {shorten(name)}: n"
    if not hint and (len(word) == 1 or word in GREEK):
        hint = f"it has {', '.join(known[:12])}; to see that a derivative is zero, declare {shorten(name)}: n"
    raise NameProblem(
        f"there is no {shorten(name)} in the expression", text=name, hint=hint or f"it has {', '.join(known[:12])}"
    )
