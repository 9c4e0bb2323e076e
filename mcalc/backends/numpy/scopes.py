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
    used: set[str]
    """Those that they read, defined or not."""


def scope_of(lines: Sequence[str]) -> Scope:
    """The names of lines, which may hold `return`."""
    text = "\n".join(["def f():", *(f"    {line}" for line in lines), "    pass"])
    pending = symtable.symtable(text, "lines", "exec").get_children()
    defined: dict[str, None] = {}
    read: set[str] = set()
    used: set[str] = {*_CHANGED.findall(text)}
    for table in pending:
        for found in table.get_symbols():
            if found.is_parameter():
                continue  # the iterator of a comprehension has a name, too
            name = found.get_name()
            if found.is_referenced():
                used.add(name)
            if found.is_assigned():
                defined[name] = None
            else:
                read.add(name)
        pending += table.get_children()
    return Scope([*defined], read - defined.keys(), used)


def without_idle(lines: Sequence[str], used: Collection[str]) -> list[str]:
    """The lines without those that take from the workspace what is not `used`."""
    return [line for line in lines if not (found := _TAKEN.fullmatch(line)) or found[1] in used]


_TAKEN = re.compile(r"(\w+) = ws\.\1")
_CHANGED = re.compile(r"^ *(\w+) [^\w\s=]+= ", re.MULTILINE)
"""Names of assignments as x += y, which Python's compiler does not count as reading."""
