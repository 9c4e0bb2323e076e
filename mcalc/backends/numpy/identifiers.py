"""Python names for symbols and dimensions.

In: names of the language (`lambda`, `W_{hh}`); out: ASCII identifiers (`lambda_`, `W_hh`), no two the same, none a
keyword, a builtin or a name that the module itself uses.
"""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Iterable

from mcalc.algebra.names import GREEK_WORDS
from mcalc.backends.numpy.helpers import HELPERS

RESERVED = frozenset(
    (
        *keyword.kwlist, *keyword.softkwlist, *dir(builtins), *HELPERS, "np", "value", "dtype", "checked", "expect",
        "SHAPES", "Gradients", "Jacobians", "Hessians", "Products", "CriticalPoints", "NamedTuple", "value_and_grad",
        "jacobian", "hessian", "hvp", "differential", "self",
    )
)  # fmt: skip
"""Names that an argument may not take."""


def identifier(name: str, taken: set[str]) -> str:
    """A Python name for a name of the language, and take it."""
    spelled = "".join(GREEK_WORDS.get(letter, letter) for letter in name)
    stem = re.sub(r"[^A-Za-z0-9_]", "", spelled)
    if not stem or stem[0].isdigit() or stem.startswith("_"):
        stem = f"x{stem}"
    if stem in RESERVED:
        stem = f"{stem}_"
    while stem in taken or stem in RESERVED:
        stem = f"{stem}_"
    taken.add(stem)
    return stem


def identifiers(names: Iterable[str], taken: set[str]) -> dict[str, str]:
    """A Python name for each of several names."""
    return {name: identifier(name, taken) for name in names}
