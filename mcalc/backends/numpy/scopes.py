"""The names that generated lines define and read, as Python's own compiler finds them."""

from __future__ import annotations

import re
import symtable
from collections.abc import Collection, Sequence
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
            if not found.is_parameter():  # the iterator of a comprehension has a name, too
                (defined if found.is_assigned() else read)[found.get_name()] = None
        pending += table.get_children()
    return Scope([*defined], read.keys() - defined)


def without_idle(lines: Sequence[str], used: Collection[str] = ()) -> list[str]:
    """The lines without those that take from the workspace what nobody reads; `used` are names that others read."""
    taken = {line: found[1] for line in lines if (found := re.fullmatch(r"(\w+) = ws\.\1", line))}
    rest = scope_of([line for line in lines if line not in taken])
    names = {*used, *rest.defined, *rest.read}
    return [line for line in lines if line not in taken or taken[line] in names]
