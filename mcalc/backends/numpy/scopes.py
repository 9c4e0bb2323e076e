"""The names that generated lines define and read, as Python's own compiler finds them."""

from __future__ import annotations

import symtable
from collections.abc import Sequence
from typing import NamedTuple


class Scope(NamedTuple):
    """The names of lines of a function."""

    defined: list[str]
    """Those that the lines define, in order."""
    read: set[str]
    """Those that they read, and do not define."""


def scope_of(lines: Sequence[str]) -> Scope:
    """The names of lines, which may hold `return`."""
    text = "\n".join(["def f():", *(f"    {line}" for line in lines), "    pass"])
    pending = symtable.symtable(text, "lines", "exec").get_children()
    defined: dict[str, None] = {}
    read: dict[str, None] = {}
    for table in pending:
        for found in table.get_symbols():
            (defined if found.is_assigned() else read)[found.get_name()] = None
        pending += table.get_children()
    return Scope([*defined], read.keys() - defined)
